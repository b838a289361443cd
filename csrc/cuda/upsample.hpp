// The skip path: x2 up-sampling with the [1, 3, 3, 1] filter, plus what is added to it, and the adjoint. A
// thread makes the four pixels that one pixel of the small image becomes (or the one that four become).
#pragma once

#include "cuda/kernel.hpp"
#include "cuda/problem.hpp"

namespace zoom::cuda {

// Where a thread works in the small image: blocks_x run over the rows of all images, cut into pieces.
struct Rows {
  int height, width;  // of the small image
  int pieces, piece;  // of a row; threads of a piece

  // Among the rows of all images.
  ZOOM_INLINE std::int64_t row(const Place& place) const { return place.block_x / pieces; }
  ZOOM_INLINE int column(const Place& place, int thread) const {
    return place.block_x % pieces * piece + thread;
  }
};

// Channels-last: N channels of a pixel are a vector.
template <class T, int N, bool kUp>
struct ResamplePixels {
  struct State {};

  Upsample call;
  Tile tile;
  Rows rows;

  ZOOM_INLINE int steps() const { return 1; }

  ZOOM_INLINE void step(int, State&, const Place& place, float*) const {
    const int vector = tile.vector(place), column = rows.column(place, tile.row(place));
    if (vector >= tile.vectors || column >= rows.width) return;
    if constexpr (kUp) {
      up(rows.row(place), column, vector);
    } else {
      down(rows.row(place), column, vector);
    }
  }

  ZOOM_INLINE void up(std::int64_t all_rows, int column, int vector) const {
    const int row = static_cast<int>(all_rows % rows.height), channels = tile.channels;
    const T* at = static_cast<const T*>(call.from) + (all_rows * rows.width + column) * channels + vector * N;
    const std::int64_t pitch = static_cast<std::int64_t>(rows.width) * channels;
    // Rows above, at and below the pixel, in the columns left, at and right of it.
    Pack<N> x[3][3];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
#pragma unroll
      for (int j = 0; j < 3; ++j) {
        const int r = row - 1 + i, c = column - 1 + j;
        const bool inside = r >= 0 && r < rows.height && c >= 0 && c < rows.width;
        x[i][j] = inside ? load<N>(at + (i - 1) * pitch + (j - 1) * channels) : Pack<N>(0.0f);
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      Pack<N> near[3];
#pragma unroll
      for (int j = 0; j < 3; ++j) near[j] = fir2(x[1][j], x[2 * i][j]);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const std::int64_t pixel = (2 * all_rows + i) * 2 * rows.width + 2 * column + j;
        const std::int64_t offset = pixel * channels + vector * N;
        Pack<N> y = fir2(near[1], near[2 * j]);
        if (call.add) y = y + load<N>(static_cast<const T*>(call.add) + offset);
        store(y, static_cast<T*>(call.to) + offset);
      }
    }
  }

  ZOOM_INLINE void down(std::int64_t all_rows, int column, int vector) const {
    const int row = static_cast<int>(all_rows % rows.height), channels = tile.channels, wide = 2 * rows.width;
    const T* from = static_cast<const T*>(call.from) + vector * N;
    Pack<N> along[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool row_inside = 2 * row - 1 + i >= 0 && 2 * row - 1 + i < 2 * rows.height;
      Pack<N> tap[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int c = 2 * column - 1 + j;
        const std::int64_t pixel = (2 * all_rows - 1 + i) * wide + c;
        tap[j] = row_inside && c >= 0 && c < wide ? load<N>(from + pixel * channels) : Pack<N>(0.0f);
      }
      along[i] = fir4(tap[0], tap[1], tap[2], tap[3]);
    }
    store(fir4(along[0], along[1], along[2], along[3]),
          static_cast<T*>(call.to) + (all_rows * rows.width + column) * channels + vector * N);
  }
};

// Planes, images of one channel: N pixels of a row are a vector (which divides the row).
template <class T, int N, bool kUp>
struct ResamplePlanes {
  struct State {};

  Upsample call;
  Rows rows;

  ZOOM_INLINE int steps() const { return 1; }

  ZOOM_INLINE void step(int, State&, const Place& place, float*) const {
    const int column = rows.column(place, place.thread) * N;
    if (column >= rows.width) return;
    if constexpr (kUp) {
      up(rows.row(place), column);
    } else {
      down(rows.row(place), column);
    }
  }

  ZOOM_INLINE void up(std::int64_t all_rows, int column) const {
    const int row = static_cast<int>(all_rows % rows.height);
    float x[3][N + 2];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      const bool inside = row - 1 + i >= 0 && row - 1 + i < rows.height;
      const T* at = static_cast<const T*>(call.from) + (all_rows - 1 + i) * rows.width + column;
      const Pack<N> middle = inside ? load<N>(at) : Pack<N>(0.0f);
      for (int k = 0; k < N; ++k) x[i][k + 1] = middle.lane[k];
      x[i][0] = inside && column > 0 ? load<1>(at - 1).lane[0] : 0.0f;
      x[i][N + 1] = inside && column + N < rows.width ? load<1>(at + N).lane[0] : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      Pack<1> near[N + 2];
#pragma unroll
      for (int k = 0; k < N + 2; ++k) near[k] = fir2(Pack<1>(x[1][k]), Pack<1>(x[2 * i][k]));
      const std::int64_t offset = (2 * all_rows + i) * 2 * rows.width + 2 * column;
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        Pack<N> y;
#pragma unroll
        for (int k = 0; k < N; ++k) {
          const int place_of = part * N + k, center = place_of / 2 + 1;
          y.lane[k] = fir2(near[center], near[place_of % 2 ? center + 1 : center - 1]).lane[0];
        }
        if (call.add) y = y + load<N>(static_cast<const T*>(call.add) + offset + part * N);
        store(y, static_cast<T*>(call.to) + offset + part * N);
      }
    }
  }

  ZOOM_INLINE void down(std::int64_t all_rows, int column) const {
    const int row = static_cast<int>(all_rows % rows.height), wide = 2 * rows.width;
    Pack<1> x[4][2 * N + 2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool inside = 2 * row - 1 + i >= 0 && 2 * row - 1 + i < 2 * rows.height;
      const T* at = static_cast<const T*>(call.from) + (2 * all_rows - 1 + i) * wide + 2 * column;
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const Pack<N> middle = inside ? load<N>(at + part * N) : Pack<N>(0.0f);
        for (int k = 0; k < N; ++k) x[i][part * N + k + 1] = Pack<1>(middle.lane[k]);
      }
      x[i][0] = inside && column > 0 ? load<1>(at - 1) : Pack<1>(0.0f);
      x[i][2 * N + 1] = inside && column + N < rows.width ? load<1>(at + 2 * N) : Pack<1>(0.0f);
    }
    Pack<1> down[2 * N + 2];
#pragma unroll
    for (int k = 0; k < 2 * N + 2; ++k) down[k] = fir4(x[0][k], x[1][k], x[2][k], x[3][k]);
    Pack<N> dx;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      dx.lane[k] = fir4(down[2 * k], down[2 * k + 1], down[2 * k + 2], down[2 * k + 3]).lane[0];
    }
    store(dx, static_cast<T*>(call.to) + all_rows * rows.width + column);
  }
};

}  // namespace zoom::cuda
