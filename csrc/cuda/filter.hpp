// The epilogue with the [1, 3, 3, 1] filter before it, on what a transposed convolution of stride 2 gives. A
// thread walks down a strip of rows in its column and keeps the three rows that it saw last, filtered along
// the row, in registers; what its neighbours load too comes from the cache.
#pragma once

#include "cuda/pixelwise.hpp"

namespace zoom::cuda {

// Strips of rows and tiles of columns, which make up blocks_x together with the images.
struct Strips {
  int strips, rows;    // of an image; rows of a strip
  int tiles, columns;  // of an image; columns of a tile

  ZOOM_INLINE int image(const Place& place) const { return place.block_x / (strips * tiles); }
  ZOOM_INLINE int first_row(const Place& place) const { return place.block_x / tiles % strips * rows; }
  ZOOM_INLINE int first_column(const Place& place) const { return place.block_x % tiles * columns; }
};

// x [B, H, W, C] of a filtered epilogue, as the thread of one column and N channels sees it.
template <class T, int N>
struct Column {
  const T* image;  // at the thread's channels
  int height, width, channels;
  int column;

  // fir4 over columns - 1 .. columns + 2 of a row; zeros surround the image.
  ZOOM_INLINE Pack<N> along(int row) const {
    if (row < 0 || row >= height) return Pack<N>(0.0f);
    const T* at = image + (static_cast<std::int64_t>(row) * width + column) * channels;
    Pack<N> tap[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int place = column - 1 + i;
      tap[i] = place < 0 || place >= width ? Pack<N>(0.0f) : load<N>(at + (i - 1) * channels);
    }
    return fir4(tap[0], tap[1], tap[2], tap[3]);
  }
};

template <class T, int N>
struct FilterForward {
  struct State {};

  Epilogue call;
  Tile tile;
  Strips strips;

  ZOOM_INLINE int steps() const { return 1; }

  ZOOM_INLINE void step(int, State&, const Place& place, float*) const {
    const int vector = tile.vector(place), channels = tile.channels;
    const int column = strips.first_column(place) + tile.row(place);
    const int height = static_cast<int>(call.out_height), width = static_cast<int>(call.out_width);
    if (vector >= tile.vectors || column >= width) return;
    const int image = strips.image(place), first = strips.first_row(place);
    const int last = height < first + strips.rows ? height : first + strips.rows;
    const EpilogueConstants<N> constants(call, image, vector * N);
    const Column<T, N> x{
        static_cast<const T*>(call.x) + image * call.height * call.width * channels + vector * N,
        static_cast<int>(call.height), static_cast<int>(call.width), channels, column};
    T* y = static_cast<T*>(call.y) + image * call.out_height * call.out_width * channels + vector * N;
    Pack<N> above[3] = {x.along(first - 1), x.along(first), x.along(first + 1)};
#pragma unroll 4
    for (int row = first; row < last; ++row) {
      const Pack<N> next = x.along(row + 2);
      const Pack<N> u = fir4(above[0], above[1], above[2], next);
      const int pixel = row * width + column;
      store(constants.forward(call, u, pixel), y + static_cast<std::int64_t>(pixel) * channels);
      above[0] = above[1], above[1] = above[2], above[2] = next;
    }
  }
};

// dx, whose row p and column q are the filter over rows p - 2 .. p + 1 and columns q - 2 .. q + 1 of du, the
// gradient of u = FIR(x). Thread t of a tile computes du in column q0 - 2 + t, row after row, and hands it to
// its neighbours; all but the last three filter it and write dx in column q0 + t.
template <class T, int N>
struct FilterBackward {
  static constexpr int kHalo = 3;

  struct State {
    Pack<N> x[3];   // rows of x that were read last, filtered along the row
    Pack<N> du[3];  // rows of du, too
    Pack<N> sum;    // over the pixels of u in the strip
  };

  Epilogue call;
  Tile tile;
  Strips strips;
  float* sum;

  int floats() const {
    const int rows = 2 * tile.threads() * N, total = BlockSum<N>{tile}.floats();
    return rows > total ? rows : total;
  }

  // A row of du in each, and the last row's filter; then the sum.
  ZOOM_INLINE int row_steps() const { return strips.rows + kHalo + 1; }
  ZOOM_INLINE int steps() const { return row_steps() + BlockSum<N>{tile}.halvings() + 2; }

  ZOOM_INLINE Pack<N>* slot(float* memory, int row, int thread) const {
    return reinterpret_cast<Pack<N>*>(memory) + row % 2 * tile.threads() + thread;
  }

  ZOOM_INLINE void step(int step, State& state, const Place& place, float* memory) const {
    const BlockSum<N> total{tile};
    const int after = step - row_steps();
    if (after < 0) {
      if (step > 0) write_row(step - 1, state, place, memory);
      if (step < strips.rows + kHalo) read_row(step, state, place, memory);
    } else if (after == 0) {
      total.put(memory, place, state.sum);
    } else if (step < steps() - 1) {
      total.halve(after - 1, memory, place);
    } else {
      total.take(memory, place, sum, static_cast<std::int64_t>(place.block_x) * tile.channels);
    }
  }

  // Row first - 2 + k of du into the block's memory. (Called for k = 0, 1, ... in order.)
  ZOOM_INLINE void read_row(int k, State& state, const Place& place, float* memory) const {
    const int vector = tile.vector(place), image = strips.image(place), channels = tile.channels;
    const int column = strips.first_column(place) - 2 + tile.row(place);
    const int first = strips.first_row(place), row = first - 2 + k;
    const int height = static_cast<int>(call.out_height), width = static_cast<int>(call.out_width);
    if (k == 0) {
      for (int i = 0; i < 3; ++i) state.x[i] = state.du[i] = Pack<N>(0.0f);
      state.sum = Pack<N>(0.0f);
    }
    Pack<N> du(0.0f);
    if (vector < tile.vectors && column >= 0 && column < width) {
      const Column<T, N> x{
          static_cast<const T*>(call.x) + image * call.height * call.width * channels + vector * N,
          static_cast<int>(call.height), static_cast<int>(call.width), channels, column};
      if (k == 0) {
        for (int i = 0; i < 3; ++i) state.x[i] = x.along(row - 1 + i);
      }
      const Pack<N> next = x.along(row + 2);
      if (row >= 0 && row < height) {
        const Pack<N> u = fir4(state.x[0], state.x[1], state.x[2], next);
        const int pixel = row * width + column;
        const T* grad = static_cast<const T*>(call.grad) + vector * N;
        const std::int64_t offset = (image * call.out_height * call.out_width + pixel) * channels;
        const EpilogueConstants<N> constants(call, image, vector * N);
        const bool counts =
            k >= 2 && k < strips.rows + 2 && tile.row(place) >= 2 && tile.row(place) < strips.columns + 2;
        du = constants.backward(call, load<N>(grad + offset), u, pixel, counts, state.sum);
      }
      state.x[0] = state.x[1], state.x[1] = state.x[2], state.x[2] = next;
    }
    *slot(memory, k, place.thread) = du;
  }

  // Filters row first - 2 + k of du along the row, and with it down the column: row first + k - 3 of dx.
  ZOOM_INLINE void write_row(int k, State& state, const Place& place, float* memory) const {
    const int vector = tile.vector(place), lanes = tile.lanes;
    if (tile.row(place) >= strips.columns || vector >= tile.vectors) return;
    const Pack<N>* du = slot(memory, k, place.thread);
    const Pack<N> next = fir4(du[0], du[lanes], du[2 * lanes], du[3 * lanes]);
    const int row = strips.first_row(place) + k - kHalo,
              column = strips.first_column(place) + tile.row(place);
    if (k >= kHalo && row < call.height && column < call.width) {
      const std::int64_t pixel = (strips.image(place) * call.height + row) * call.width + column;
      store(fir4(state.du[0], state.du[1], state.du[2], next),
            static_cast<T*>(call.dx) + pixel * tile.channels + vector * N);
    }
    state.du[0] = state.du[1], state.du[1] = state.du[2], state.du[2] = next;
  }
};

}  // namespace zoom::cuda
