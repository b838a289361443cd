// The modulated convolution: modulate into a panel, multiply, and finish what comes out while it is in cache.
#pragma once

#include "cpu/block.inl"
#include "cpu/multiply.inl"
#include "cpu/winograd.inl"

namespace zoom::cpu {
namespace {

// to <- x * style for a row of the block and its halo in block `i` of channels, zeros outside of the image;
// `to` is the row's first pixel.
template <class Pixel, class T>
void pack_row(const ModulatedConv& op, const Block& block, Index image, Index row, Index i, float* to) {
  constexpr int kVectors = Pixel::kBlockVectors;
  constexpr Index kPixel = Pixel::kPixel;
  const Index first = larger(-block.halo, -block.left);
  const Index end = block.cols + block.right, last = smaller(end, op.width - block.left);
  const Index b = block.image + image, h = block.top + row;
  const Index channel = i * kVectors * kLanes, live = op.in_channels - channel;
  const auto border = [&](Index begin, Index stop) {
    for (Index col = begin; col < stop; ++col) zero(to + col * kPixel, kPixel);
  };
  if (h < 0 || h >= op.height) return border(-block.halo, end);
  border(-block.halo, first);
  const T* from =
      static_cast<const T*>(op.x) + ((b * op.height + h) * op.width + block.left) * op.in_channels + channel;
  Vec style[kVectors];
  load_channels<kVectors>(style, op.style + b * op.in_channels + channel, live);
  const Index below = op.width * op.in_channels;  // asked for early: what comes next
  for (Index col = first; col < last; ++col) {
    Vec x[kVectors];
    load_channels<kVectors>(x, from + col * op.in_channels, live);
    __builtin_prefetch(from + col * op.in_channels + below);
    for (int v = 0; v < kVectors; ++v) x[v] = x[v] * style[v];
    Pixel::put(to + col * kPixel, x);
  }
  border(last, end);
}

template <class Engine, class T>
void pack_input(const ModulatedConv& op, const Matrix& matrix, const Block& block, float* panel) {
  for (Index image = 0; image < block.images; ++image) {
    for (Index row = -block.halo; row < block.rows + block.below; ++row) {
      const Index at = block.origin + image * block.image_pitch + row * block.pitch;
      for (Index i = 0; i < matrix.blocks; ++i) {
        pack_row<Engine, T>(op, block, image, row, i, panel + i * block.stride + at * kUnits);
      }
    }
  }
}

template <class Engine, class T>
void pack_input_squares(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  using Pixel = FloatPixel<Engine::kBlockVectors>;
  const Block& block = task.block;
  for (Index i = 0; i < matrix.blocks; ++i) {
    for (Index image = 0; image < block.images; ++image) {
      for (Index row = -block.halo; row < block.rows + block.below; ++row) {
        const Index at = block.origin + image * block.image_pitch + row * block.pitch;
        pack_row<Pixel, T>(op, block, image, row, i, task.work + at * Pixel::kPixel);
      }
    }
    transform_images<Engine>(block, task.work, task.panel + i * block.stride);
  }
}

// Everything after the convolution, for `kVectors` vectors of channels of one image.
template <class T, int kVectors>
struct Finish {
  const ModulatedConv& op;
  // Copies, since a store may change what a reference names.
  const Activation activation;
  const Index out_channels;
  const bool past;
  const Index rgb_plane;
  Index image, channel, live;
  float* rgb_planes;  // of the image
  bool add;           // to rgb, or set it
  Vec scale[kVectors], bias[kVectors], rgb_weight[3][kVectors];
  Vec waiting[3][kLanes];  // of a run of pixels: the lanes of rgb, to be added up together
  Index waits = 0;
  const float* noise;
  T* out;
  float* rgb;

  ZOOM_INLINE Finish(const ModulatedConv& conv, const Task& task, Index tile, Index image_of_block)
      : op(conv),
        activation(conv.activation),
        out_channels(conv.out_channels),
        past(past_caches<kVectors>(static_cast<const T*>(conv.out),
                                   conv.batch * conv.out_height * conv.out_width, out_channels)),
        rgb_plane(conv.out_height * conv.out_width),
        image(task.block.image + image_of_block),
        channel(tile * kVectors * kLanes),
        live(op.out_channels - channel),
        add(task.rgb_tile == 0 && tile > task.first_tile) {
    load_channels<kVectors>(scale, op.scale + image * op.out_channels + channel, live);
    load_parameter<kVectors>(bias, op.bias ? op.bias + channel : nullptr, live);
    const Index share = (tile - task.first_tile) * task.rgb_tile;
    rgb_planes = task.rgb ? task.rgb + share + image * 3 * op.out_height * op.out_width : nullptr;
    for (Index k = 0; k < 3; ++k) {
      const Index at = (image * 3 + k) * op.out_channels + channel;
      load_parameter<kVectors>(rgb_weight[k], rgb_planes ? op.rgb_weight + at : nullptr, live);
      for (Index i = 0; rgb_planes && i < kLanes; ++i) waiting[k][i] = Vec(0.0f);
    }
  }

  ZOOM_INLINE void at_row(Index h) {
    noise = op.noise ? op.noise + h * op.out_width : nullptr;
    out = op.out ? static_cast<T*>(op.out) + (image * op.out_height + h) * op.out_width * op.out_channels +
                       channel
                 : nullptr;
    rgb = rgb_planes ? rgb_planes + h * op.out_width : nullptr;
  }

  // Pixels come in rows, from left to right.
  ZOOM_INLINE void operator()(const Vec* u, Index w) {
    Vec y[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const Vec shift = noise ? bias[v] + Vec(noise[w]) : bias[v];
      y[v] = epilogue(u[v], scale[v], shift, activation);
    }
    if (rgb) {
      for (Index k = 0; k < 3; ++k) {
        Vec sum = y[0] * rgb_weight[k][0];
        for (int v = 1; v < kVectors; ++v) sum = fused(y[v], rgb_weight[k][v], sum);
        waiting[k][waits] = sum;
      }
      if (++waits == kLanes) end_run(w + 1);
    }
    if (out) store_channels<kVectors>(out + w * out_channels, y, live, past);
  }

  // What waits for rgb is written: the pixels before column `end`.
  ZOOM_INLINE void end_run(Index end) {
    if (waits == 0) return;
    for (Index k = 0; k < 3; ++k) {
      float* to = rgb + k * rgb_plane + end - waits;
      const Vec sums = Vec::sums(waiting[k]);
      store(to, add ? load(to, waits) + sums : sums, waits);
    }
    waits = 0;
  }
};

template <class Engine, class T>
void forward_plain(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr int kVectors = Engine::kTile / kLanes;
  const Block& block = task.block;
  const auto take = [&](Index tile, Index image, Index row, Index col, Index count, const float* u) {
    Finish<T, kVectors> finish(op, task, tile, image);
    finish.at_row(block.top + row);
    for (Index n = 0; n < count; ++n) {
      Vec at[kVectors];
      load_channels<kVectors>(at, u + n * Engine::kTile, Engine::kTile);
      finish(at, block.left + col + n);
    }
    finish.end_run(block.left + col + count);
  };
  if constexpr (Engine::kWinograd) {
    if (matrix.method == Method::winograd) {
      pack_input_squares<Engine, T>(op, matrix, task);
      return multiply_squares<Engine>(matrix, task, take);
    }
  }
  pack_input<Engine, T>(op, matrix, block, task.panel);
  multiply_block<Engine>(matrix, task, take);
}

// Both output rows of one row of the panel, from the transposed convolution, which is split into phases by
// row and column parity: at(phase, row of the panel) is a row with a column for each of the block, and one
// more on either side.
template <class Engine, class T, class At>
void filter(const Block& block, At&& at, Index panel_row, Index row,
            Finish<T, Engine::kTile / kLanes>& finish) {
  constexpr Index kTile = Engine::kTile;
  constexpr int kVectors = kTile / kLanes;
  for (int odd = 0; odd < 2; ++odd) {
    finish.at_row(2 * (block.top + row) + odd);
    // Rows 2i + odd - 1 .. 2i + odd + 2, of even and of odd columns.
    const float* rows[2][4];
    for (int part = 0; part < 2; ++part) {
      rows[part][0] = at(odd ? part : 2 + part, panel_row - !odd);
      rows[part][1] = at(odd ? 2 + part : part, panel_row);
      rows[part][2] = at(odd ? part : 2 + part, panel_row + odd);
      rows[part][3] = at(odd ? 2 + part : part, panel_row + 1);
    }
    const auto column = [&](int part, Index pixel, Vec* sums) {
      for (int v = 0; v < kVectors; ++v) {
        const Index lane = pixel * kTile + v * kLanes;
        sums[v] = fir4(Vec::load(rows[part][0] + lane), Vec::load(rows[part][1] + lane),
                       Vec::load(rows[part][2] + lane), Vec::load(rows[part][3] + lane));
      }
    };
    // Columns 2j - 1 .. 2j + 3.
    Vec columns[5][kVectors];
    column(1, 0, columns[0]);
    column(0, 1, columns[1]);
    column(1, 1, columns[2]);
    for (Index col = 0; col < block.cols; ++col) {
      column(0, col + 2, columns[3]);
      column(1, col + 2, columns[4]);
      Vec u[2][kVectors];
      for (int v = 0; v < kVectors; ++v) {
        u[0][v] = fir4(columns[0][v], columns[1][v], columns[2][v], columns[3][v]);
        u[1][v] = fir4(columns[1][v], columns[2][v], columns[3][v], columns[4][v]);
        for (int i = 0; i < 3; ++i) columns[i][v] = columns[i + 2][v];
      }
      finish(u[0], 2 * (block.left + col));
      finish(u[1], 2 * (block.left + col) + 1);
    }
    finish.end_run(2 * (block.left + block.cols));
  }
}

// The same for rows [begin, end) of the panel, which has `pitch` rows for an image, the first of them above
// it.
template <class Engine, class T, class At>
void filter_rows(const ModulatedConv& op, const Task& task, Index tile, Index pitch, Index begin, Index end,
                 At&& at) {
  const Block& block = task.block;
  for (Index panel_row = begin; panel_row < end; ++panel_row) {
    const Index image = panel_row / pitch, row = panel_row % pitch - 1;
    if (row < 0 || row >= block.rows) continue;
    Finish<T, Engine::kTile / kLanes> finish(op, task, tile, image);
    filter<Engine, T>(block, at, panel_row, row, finish);
  }
}

template <class Engine, class T>
void forward_up(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr Index kTile = Engine::kTile;
  const Block& block = task.block;
  pack_input<Engine, T>(op, matrix, block, task.panel);
  Step steps[4];
  // Rows of the panel, the halo among them; row 0 is above the first image.
  const Index rows = block.images * (block.rows + 1) + 1;
  const float* corner = task.panel + (block.origin - block.pitch - 1) * kUnits;
  for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
    Index strip = 0;  // its first row
    const auto at = [&](int part, Index row) {
      return task.work + part * block.phase + (row - strip) * block.pitch * kTile;
    };
    for (Index begin = 0; begin < rows; begin += block.strip) {
      const Index end = smaller(rows, begin + block.strip);
      if (begin > 0) {
        // The last two rows become the first.
        for (int part = 0; part < 4; ++part) {
          copy(at(part, begin - 2), at(part, strip), 2 * block.pitch * kTile);
        }
        strip = begin - 2;
      }
      for (int part = 0; part < 4; ++part) {
        // No even row of the transposed convolution is needed above the first image.
        const Index start = part < 2 ? larger(1, begin) : begin;
        Operand product = operand(matrix, tile, part, task, steps);
        // One pixel more than the rows have: the column behind the last row.
        for_each_tile(start * block.pitch, end * block.pitch + 1, Engine::kPixels,
                      [&](Index first, Index count) {
                        product.panel = corner + first * kUnits;
                        Engine::multiply(product, count, at(part, 0) + first * kTile);
                      });
      }
      filter_rows<Engine, T>(op, task, tile, block.rows + 1, larger(1, begin - 1), end - 1, at);
    }
  }
}

// The rows of x * style under the squares of rows [begin, end) of squares of the panel, and those squares.
template <class Engine, class T>
void pack_up_squares(const ModulatedConv& op, const Matrix& matrix, const Task& task, Index begin, Index end,
                     float* pixels) {
  using Pixel = FloatPixel<Engine::kBlockVectors>;
  const Block& block = task.block;
  const Index pitch = 2 * block.square_cols + 1;
  for (Index i = 0; i < matrix.blocks; ++i) {
    float* to = pixels + block.halo * Pixel::kPixel;
    for (Index panel_row = 2 * begin - 1; panel_row < 2 * end; ++panel_row) {
      const Index image = panel_row / (2 * block.square_rows), row = panel_row % (2 * block.square_rows) - 1;
      pack_row<Pixel, T>(op, block, image, panel_row < 0 ? -1 : row, i, to);
      to += pitch * Pixel::kPixel;
    }
    transform_squares<Engine, UpSquare>(block, end - begin, pixels, pitch * Pixel::kPixel,
                                        task.panel + i * block.stride);
  }
}

template <class Engine, class T>
void forward_up_squares(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr Index kTile = Engine::kTile;
  const Block& block = task.block;
  const Index square_rows = block.images * block.square_rows;
  // The rows that are filtered with the next strip's wait, each tile's in a ring.
  const Index ring = 2 * block.strip + 2;
  float* temporary = task.work + (task.last_tile - task.first_tile) * 4 * block.phase;
  for (Index begin = 0; begin < square_rows; begin += block.strip) {
    const Index end = smaller(square_rows, begin + block.strip);
    pack_up_squares<Engine, T>(op, matrix, task, begin, end, temporary);
    for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
      float* strip = task.work + (tile - task.first_tile) * 4 * block.phase;
      const auto at = [&](int part, Index row) {
        return strip + part * block.phase + row % ring * block.pitch * kTile;
      };
      multiply_up_squares<Engine>(matrix, task, tile, begin, end, temporary, at);
      filter_rows<Engine, T>(op, task, tile, 2 * block.square_rows, larger(1, 2 * begin - 1), 2 * end - 1,
                             at);
    }
  }
}

template <class Engine, class T>
void forward(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  [[maybe_unused]] const typename Engine::Session session;
  if constexpr (Engine::kWinograd) {
    (op.up ? forward_up_squares<Engine, T> : forward_plain<Engine, T>)(op, matrix, task);
  } else {
    (op.up ? forward_up<Engine, T> : forward_plain<Engine, T>)(op, matrix, task);
  }
  Engine::settle();
}

}  // namespace
}  // namespace zoom::cpu
