// Products of transformed squares of pixels (Method::winograd): into the panel, and out of it.
//
// A square of 4 x 4 pixels makes 2 x 2 of the result, so squares lie two pixels apart. Transforms are sums:
// what they read and make stays in float32, and only the panel has the engine's precision.
#pragma once

#include "cpu/block.inl"
#include "cpu/multiply.inl"

namespace zoom::cpu {
namespace {

// What packing writes for `kVectors` vectors of channels of a pixel, where it is transformed afterwards.
template <int kVectors>
struct FloatPixel {
  static constexpr int kBlockVectors = kVectors;
  static constexpr Index kPixel = kVectors * kLanes;
  static ZOOM_INLINE void put(float* pixel, const Vec* channels) {
    for (int v = 0; v < kVectors; ++v) channels[v].store(pixel + v * kLanes);
  }
};

// The rows of B^T times four pixels.
template <int kVectors>
ZOOM_INLINE void transformed(const Vec* a, const Vec* b, const Vec* c, const Vec* d, Vec (*to)[kVectors]) {
  for (int v = 0; v < kVectors; ++v) {
    to[0][v] = a[v] - c[v];
    to[1][v] = b[v] + c[v];
    to[2][v] = c[v] - b[v];
    to[3][v] = b[v] - d[v];
  }
}

// The squares of one block of channels: `pixels` (see `Block`, the first is above and left of the block) to
// the places `panel` of 16 planes.
template <class Engine>
void transform_squares(const Block& block, const float* pixels, float* panel) {
  constexpr int kVectors = Engine::kBlockVectors;
  constexpr Index kPixel = FloatPixel<kVectors>::kPixel;
  const Index plane = block.plane * kUnits, pitch = block.pitch * kPixel;
  for (Index image = 0; image < block.images; ++image) {
    for (Index row = 0; row < block.square_rows; ++row) {
      const float* from = pixels + image * block.image_pitch * kPixel + 2 * row * pitch;
      Vec columns[4][4][kVectors];  // by column and transformed row
      const auto read = [&](Index col, Vec(*to)[kVectors]) {
        Vec rows[4][kVectors];
        for (Index i = 0; i < 4; ++i) {
          for (int v = 0; v < kVectors; ++v)
            rows[i][v] = Vec::load(from + i * pitch + col * kPixel + v * kLanes);
        }
        transformed<kVectors>(rows[0], rows[1], rows[2], rows[3], to);
      };
      read(0, columns[0]);
      read(1, columns[1]);
      for (Index col = 0; col < block.square_cols; ++col) {
        read(2 * col + 2, columns[2]);
        read(2 * col + 3, columns[3]);
        for (Index i = 0; i < 4; ++i) {
          Vec square[4][kVectors];
          transformed<kVectors>(columns[0][i], columns[1][i], columns[2][i], columns[3][i], square);
          for (Index j = 0; j < 4; ++j) Engine::put(panel + (4 * i + j) * plane, square[j]);
          for (int v = 0; v < kVectors; ++v) {
            columns[0][i][v] = columns[2][i][v];
            columns[1][i][v] = columns[3][i][v];
          }
        }
        panel += kUnits;
      }
    }
  }
}

// A place of a square, and which of a tile's kernels multiplies it.
struct Pair {
  int place, kernel;
};

// products [squares][kTile] <- the sum over pairs, at most 4, for a tile of channels.
template <class Engine>
ZOOM_INLINE void multiply_pairs(const Matrix& matrix, const Task& task, Index tile, const Pair* pairs,
                                int count, Index squares, float* products) {
  Step steps[4];
  for (int i = 0; i < count; ++i) {
    steps[i] = {pairs[i].place * task.block.plane * kUnits, pairs[i].kernel * matrix.blocks * matrix.slice};
  }
  const float* weights = matrix.data + tile * matrix.tile_size;
  for_each_tile(0, squares, Engine::kPixels, [&](Index first, Index pixels) {
    Engine::multiply(
        {task.panel + first * kUnits, weights, matrix.blocks, task.block.stride, matrix.slice, steps, count},
        pixels, products + first * Engine::kTile);
  });
}

// As `multiply_block`, for a panel of squares; runs are whole rows of the block.
template <class Engine, class Take>
ZOOM_INLINE void multiply_squares(const Matrix& matrix, const Task& task, Take&& take) {
  constexpr Index kTile = Engine::kTile;
  const Block& block = task.block;
  const Index squares = block.images * block.square_rows * block.square_cols;
  const Index plane = squares * kTile + kUnits;
  float* products = task.work;
  float* line = products + 16 * plane;
  for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
    for (int part = 0; part < 16; ++part) {
      const Pair pair{part, part};
      multiply_pairs<Engine>(matrix, task, tile, &pair, 1, squares, products + part * plane);
    }
    for (Index image = 0; image < block.images; ++image) {
      for (Index row = 0; row < block.rows; ++row) {
        const Index first = (image * block.square_rows + row / 2) * block.square_cols;
        const bool odd = row % 2 == 1;
        for (Index col = 0; col < block.square_cols; ++col) {
          for (Index lane = 0; lane < kTile; lane += kLanes) {
            // Row `odd` of A^T times the square, then that times A.
            const float* at = products + (first + col) * kTile + lane;
            Vec sums[4];
            for (Index j = 0; j < 4; ++j) {
              const auto place = [&](Index i) { return Vec::load(at + (4 * i + j) * plane); };
              sums[j] = odd ? place(1) - place(2) - place(3) : place(0) + place(1) + place(2);
            }
            (sums[0] + sums[1] + sums[2]).store(line + 2 * col * kTile + lane);
            (sums[1] - sums[2] - sums[3]).store(line + (2 * col + 1) * kTile + lane);
          }
        }
        take(tile, image, row, 0, block.cols, line);
      }
    }
  }
}

// Up-sampling. Pixels of the transposed convolution that are neighbours in a phase, 2 x 2 of them, need
// squares of 3 x 3. Along an axis a pixel of the even phase is weight 2 times what is before it and weight 0
// times what is at it: of three places (d - e, e, f - e) times (weight 2, weight 2 + weight 0, weight 0) the
// first two and the last two add up to the two pixels. The odd phase is weight 1 times e, and times f. So
// there are four places, and four kernels.

// The squares of one block of channels and `rows` rows of squares, as `transform_squares`.
template <class Engine>
void transform_up_squares(const Block& block, Index rows, const float* pixels, float* panel) {
  constexpr int kVectors = Engine::kBlockVectors;
  constexpr Index kPixel = FloatPixel<kVectors>::kPixel;
  const Index plane = block.plane * kUnits, pitch = (2 * block.square_cols + 1) * kPixel;
  const auto places = [](const Vec* d, const Vec* e, const Vec* f, Vec(*to)[kVectors]) {
    for (int v = 0; v < kVectors; ++v) {
      to[0][v] = d[v] - e[v];
      to[1][v] = e[v];
      to[2][v] = f[v] - e[v];
      to[3][v] = f[v];
    }
  };
  for (Index row = 0; row < rows; ++row) {
    const float* from = pixels + 2 * row * pitch;
    Vec columns[3][4][kVectors];  // by column and place along it
    const auto read = [&](Index col, Vec(*to)[kVectors]) {
      Vec pixel[3][kVectors];
      for (Index i = 0; i < 3; ++i) {
        for (int v = 0; v < kVectors; ++v)
          pixel[i][v] = Vec::load(from + i * pitch + col * kPixel + v * kLanes);
      }
      places(pixel[0], pixel[1], pixel[2], to);
    };
    read(0, columns[0]);
    for (Index col = 0; col < block.square_cols; ++col) {
      read(2 * col + 1, columns[1]);
      read(2 * col + 2, columns[2]);
      for (Index i = 0; i < 4; ++i) {
        Vec square[4][kVectors];
        places(columns[0][i], columns[1][i], columns[2][i], square);
        for (Index j = 0; j < 4; ++j) Engine::put(panel + (4 * i + j) * plane, square[j]);
        for (int v = 0; v < kVectors; ++v) columns[0][i][v] = columns[2][i][v];
      }
      panel += kUnits;
    }
  }
}

// The phases of one tile of channels, for rows [begin, end) of squares, which are those of the panel:
// at(phase, row) is where a row goes.
template <class Engine, class At>
void multiply_up_squares(const Matrix& matrix, const Task& task, Index tile, Index begin, Index end,
                         float* products, At&& at) {
  constexpr Index kTile = Engine::kTile;
  const Block& block = task.block;
  const Index squares = (end - begin) * block.square_cols, plane = squares * kTile + kUnits;
  for (int part = 0; part < 4; ++part) {
    const bool odd_row = part / 2 == 1, odd_col = part % 2 == 1;
    const int down = odd_row ? 2 : 3, across = odd_col ? 2 : 3;
    for (int i = 0; i < down; ++i) {
      for (int j = 0; j < across; ++j) {
        const Pair pair{(odd_row ? 2 * i + 1 : i) * 4 + (odd_col ? 2 * j + 1 : j),
                        (odd_row ? 3 : i) * 4 + (odd_col ? 3 : j)};
        multiply_pairs<Engine>(matrix, task, tile, &pair, 1, squares, products + (i * across + j) * plane);
      }
    }
    for (Index row = 0; row < end - begin; ++row) {
      float* to[2] = {at(part, 2 * (begin + row)), at(part, 2 * (begin + row) + 1)};
      for (Index col = 0; col < block.square_cols; ++col) {
        for (Index lane = 0; lane < kTile; lane += kLanes) {
          const float* from = products + (row * block.square_cols + col) * kTile + lane;
          Vec sums[2][3];
          for (int j = 0; j < across; ++j) {
            const auto product = [&](int i) { return Vec::load(from + (i * across + j) * plane); };
            const Vec first = product(0), second = product(1);
            sums[0][j] = odd_row ? first : first + second;
            sums[1][j] = odd_row ? second : second + product(2);
          }
          for (int i = 0; i < 2; ++i) {
            float* pixel = to[i] + 2 * col * kTile + lane;
            (odd_col ? sums[i][0] : sums[i][0] + sums[i][1]).store(pixel);
            (odd_col ? sums[i][1] : sums[i][1] + sums[i][2]).store(pixel + kTile);
          }
        }
      }
    }
  }
}

// Backward through up-sampling: the adjoint. Along an axis a pixel is weight 0 times gradient a of the even
// phase at it, weight 2 times b behind a, and weight 1 times that of the odd phase. Two pixels need a, b, c
// of the even phase and two of the odd one, five neighbours of the transposed convolution: of (a - b, b, c -
// b) times (weight 0, weight 0 + weight 2, weight 2) the first two and the last two add up to what the even
// phase gives, and what the odd one gives joins the first and the last. So five places make three sums.

// As `transform_squares`, for squares of one image of 5 x 5 pixels, which lie four apart.
template <class Engine>
void transform_down_squares(const Block& block, const float* pixels, float* panel) {
  constexpr int kVectors = Engine::kBlockVectors;
  constexpr Index kPixel = FloatPixel<kVectors>::kPixel;
  const Index plane = block.plane * kUnits, pitch = (4 * block.square_cols + 1) * kPixel;
  const auto places = [](Vec(*pixel)[kVectors], Vec(*to)[kVectors]) {
    for (int v = 0; v < kVectors; ++v) {
      to[0][v] = pixel[0][v] - pixel[2][v];
      to[1][v] = pixel[1][v];
      to[2][v] = pixel[2][v];
      to[3][v] = pixel[3][v];
      to[4][v] = pixel[4][v] - pixel[2][v];
    }
  };
  for (Index row = 0; row < block.square_rows; ++row) {
    const float* from = pixels + 4 * row * pitch;
    Vec columns[5][5][kVectors];  // by place along the column, and column
    const auto read = [&](Index col, int to) {
      Vec pixel[5][kVectors], down[5][kVectors];
      for (Index i = 0; i < 5; ++i) {
        for (int v = 0; v < kVectors; ++v)
          pixel[i][v] = Vec::load(from + i * pitch + col * kPixel + v * kLanes);
      }
      places(pixel, down);
      for (int i = 0; i < 5; ++i) {
        for (int v = 0; v < kVectors; ++v) columns[i][to][v] = down[i][v];
      }
    };
    read(0, 0);
    for (Index col = 0; col < block.square_cols; ++col) {
      for (int i = 1; i < 5; ++i) read(4 * col + i, i);
      for (Index i = 0; i < 5; ++i) {
        Vec square[5][kVectors];
        places(columns[i], square);
        for (Index j = 0; j < 5; ++j) Engine::put(panel + (5 * i + j) * plane, square[j]);
        for (int v = 0; v < kVectors; ++v) columns[i][0][v] = columns[i][4][v];
      }
      panel += kUnits;
    }
  }
}

// As `multiply_squares`.
template <class Engine, class Take>
ZOOM_INLINE void multiply_down_squares(const Matrix& matrix, const Task& task, Take&& take) {
  constexpr Index kTile = Engine::kTile;
  constexpr Pair kOfAxis[3][2] = {{{0, 0}, {1, 3}}, {{2, 1}, {2, 1}}, {{4, 2}, {3, 3}}};
  constexpr int kCounts[3] = {2, 1, 2};
  const Block& block = task.block;
  const Index squares = block.images * block.square_rows * block.square_cols;
  const Index plane = squares * kTile + kUnits;
  float* products = task.work;
  float* line = products + 9 * plane;
  for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
    for (int sum = 0; sum < 9; ++sum) {
      Pair pairs[4];
      int count = 0;
      for (int i = 0; i < kCounts[sum / 3]; ++i) {
        for (int j = 0; j < kCounts[sum % 3]; ++j) {
          const Pair &down = kOfAxis[sum / 3][i], &across = kOfAxis[sum % 3][j];
          pairs[count++] = {5 * down.place + across.place, 4 * down.kernel + across.kernel};
        }
      }
      multiply_pairs<Engine>(matrix, task, tile, pairs, count, squares, products + sum * plane);
    }
    for (Index image = 0; image < block.images; ++image) {
      for (Index row = 0; row < block.rows; ++row) {
        const Index first = (image * block.square_rows + row / 2) * block.square_cols;
        const Index upper = row % 2;
        for (Index col = 0; col < block.square_cols; ++col) {
          for (Index lane = 0; lane < kTile; lane += kLanes) {
            const float* at = products + 3 * upper * plane + (first + col) * kTile + lane;
            Vec sums[3];
            for (Index j = 0; j < 3; ++j)
              sums[j] = Vec::load(at + j * plane) + Vec::load(at + (3 + j) * plane);
            (sums[0] + sums[1]).store(line + 2 * col * kTile + lane);
            (sums[1] + sums[2]).store(line + (2 * col + 1) * kTile + lane);
          }
        }
        take(tile, image, row, 0, block.cols, line);
      }
    }
  }
}

}  // namespace
}  // namespace zoom::cpu
