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

// A square along an axis: of `kPixels` pixels `kPlaces` places; the next begins `kStep` pixels on. Here the
// rows of B^T times four pixels.
struct Square {
  static constexpr int kPixels = 4, kPlaces = 4, kStep = 2;
  static ZOOM_INLINE void places(const Vec* pixel, Vec* to) {
    to[0] = pixel[0] - pixel[2];
    to[1] = pixel[1] + pixel[2];
    to[2] = pixel[2] - pixel[1];
    to[3] = pixel[1] - pixel[3];
  }
};

// `rows` rows of squares of one block of channels: `pixels` of one image, whose rows are `pitch` floats
// apart, to the places `panel` of kPlaces x kPlaces planes.
template <class Engine, class Shape>
void transform_squares(const Block& block, Index rows, const float* pixels, Index pitch, float* panel) {
  constexpr int kVectors = Engine::kBlockVectors, kShared = Shape::kPixels - Shape::kStep;
  constexpr Index kPixel = FloatPixel<kVectors>::kPixel;
  const Index plane = block.plane * kUnits;
  for (Index row = 0; row < rows; ++row) {
    const float* from = pixels + Shape::kStep * row * pitch;
    Vec columns[kVectors][Shape::kPlaces][Shape::kPixels];  // by place along a column, and column
    const auto read = [&](Index col, int to) {
      for (int v = 0; v < kVectors; ++v) {
        Vec pixel[Shape::kPixels], places[Shape::kPlaces];
        for (int i = 0; i < Shape::kPixels; ++i)
          pixel[i] = Vec::load(from + i * pitch + col * kPixel + v * kLanes);
        Shape::places(pixel, places);
        for (int i = 0; i < Shape::kPlaces; ++i) columns[v][i][to] = places[i];
      }
    };
    for (int i = 0; i < kShared; ++i) read(i, i);
    for (Index col = 0; col < block.square_cols; ++col) {
      for (int i = kShared; i < Shape::kPixels; ++i) read(Shape::kStep * col + i, i);
      for (int i = 0; i < Shape::kPlaces; ++i) {
        Vec square[kVectors][Shape::kPlaces];
        for (int v = 0; v < kVectors; ++v) {
          Shape::places(columns[v][i], square[v]);
          for (int k = 0; k < kShared; ++k) columns[v][i][k] = columns[v][i][k + Shape::kStep];
        }
        for (int j = 0; j < Shape::kPlaces; ++j) {
          Vec channels[kVectors];
          for (int v = 0; v < kVectors; ++v) channels[v] = square[v][j];
          Engine::put(panel + (Shape::kPlaces * i + j) * plane, channels);
        }
      }
      panel += kUnits;
    }
  }
}

// The same for all images of a block, one after another (see `Block`).
template <class Engine>
void transform_images(const Block& block, const float* pixels, float* panel) {
  constexpr Index kPixel = FloatPixel<Engine::kBlockVectors>::kPixel;
  for (Index image = 0; image < block.images; ++image) {
    const Index squares = image * block.square_rows * block.square_cols;
    transform_squares<Engine, Square>(block, block.square_rows, pixels + image * block.image_pitch * kPixel,
                                      block.pitch * kPixel, panel + squares * kUnits);
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

struct UpSquare {
  static constexpr int kPixels = 3, kPlaces = 4, kStep = 2;
  static ZOOM_INLINE void places(const Vec* pixel, Vec* to) {
    to[0] = pixel[0] - pixel[1];
    to[1] = pixel[1];
    to[2] = pixel[2] - pixel[1];
    to[3] = pixel[2];
  }
};

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

struct DownSquare {
  static constexpr int kPixels = 5, kPlaces = 5, kStep = 4;
  static ZOOM_INLINE void places(const Vec* pixel, Vec* to) {
    to[0] = pixel[0] - pixel[2];
    to[1] = pixel[1];
    to[2] = pixel[2];
    to[3] = pixel[3];
    to[4] = pixel[4] - pixel[2];
  }
};

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
