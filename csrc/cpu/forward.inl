// The modulated convolution: modulate into a panel, multiply, and finish what comes out while it is in cache.
#pragma once

#include "cpu/block.inl"
#include "cpu/multiply.inl"

namespace zoom::cpu {
namespace {

// panel <- x * style for the block and its halo, zeros outside of the image.
template <class Engine, class T>
void pack_input(const ModulatedConv& op, const Matrix& matrix, const Block& block, Index halo, float* panel) {
  constexpr int kVectors = Engine::kBlockVectors;
  const Index first = larger(-halo, -block.left), last = smaller(block.cols + halo, op.width - block.left);
  for (Index image = 0; image < block.images; ++image) {
    const Index b = block.image + image;
    for (Index row = -halo; row < block.rows + halo; ++row) {
      const Index h = block.top + row;
      const bool inside = 0 <= h && h < op.height;
      for (Index i = 0; i < matrix.blocks; ++i) {
        const Index channel = i * kVectors * kLanes, live = op.in_channels - channel;
        float* to = panel + i * block.stride +
                    (block.origin + image * block.image_pitch + row * block.pitch) * kUnits;
        const auto border = [&](Index begin, Index end) {
          for (Index col = begin; col < end; ++col) zero(to + col * kUnits, kUnits);
        };
        if (!inside) {
          border(-halo, block.cols + halo);
          continue;
        }
        border(-halo, first);
        const T* from = static_cast<const T*>(op.x) +
                        ((b * op.height + h) * op.width + block.left) * op.in_channels + channel;
        Vec style[kVectors];
        load_channels<kVectors>(style, op.style + b * op.in_channels + channel, live);
        const Index below = op.width * op.in_channels;  // asked for early: what comes next
        for (Index col = first; col < last; ++col) {
          Vec x[kVectors];
          load_channels<kVectors>(x, from + col * op.in_channels, live);
          __builtin_prefetch(from + col * op.in_channels + below);
          for (int v = 0; v < kVectors; ++v) x[v] = x[v] * style[v];
          Engine::put(to + col * kUnits, x);
        }
        border(last, block.cols + halo);
      }
    }
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
  pack_input<Engine, T>(op, matrix, block, op.kernel / 2, task.panel);
  multiply_block<Engine>(matrix, task,
                         [&](Index tile, Index image, Index row, Index col, Index count, const float* u) {
                           Finish<T, kVectors> finish(op, task, tile, image);
                           finish.at_row(block.top + row);
                           for (Index n = 0; n < count; ++n) {
                             Vec at[kVectors];
                             load_channels<kVectors>(at, u + n * Engine::kTile, Engine::kTile);
                             finish(at, block.left + col + n);
                           }
                           finish.end_run(block.left + col + count);
                         });
}

// A strip of rows of the transposed convolution, split into phases by row and column parity: a row and a
// column of each for each row and column of the block, and one more on either side.
template <int kTile>
struct Strip {
  float* data;
  Index pitch, phase, first;  // the row of the panel that is the strip's first

  ZOOM_INLINE float* at(int part, Index row, Index pixel) const {
    return data + part * phase + ((row - first) * pitch + pixel) * kTile;
  }
  // Rows 2i + odd - 1 .. 2i + odd + 2 of column `pixel` through the filter; i is `row` of the panel.
  ZOOM_INLINE void columns(Index row, int odd, int part, Index pixel, Vec* sums) const {
    const float* a = at(odd ? part : 2 + part, row - !odd, pixel);
    const float* b = at(odd ? 2 + part : part, row, pixel);
    const float* c = at(odd ? part : 2 + part, row + odd, pixel);
    const float* d = at(odd ? 2 + part : part, row + 1, pixel);
    for (Index v = 0; v < kTile / kLanes; ++v) {
      sums[v] = fir4(Vec::load(a + v * kLanes), Vec::load(b + v * kLanes), Vec::load(c + v * kLanes),
                     Vec::load(d + v * kLanes));
    }
  }
};

// Both output rows of one row of the panel.
template <class Engine, class T>
void filter(const Block& block, const Strip<Engine::kTile>& strip, Index panel_row, Index row,
            Finish<T, Engine::kTile / kLanes>& finish) {
  constexpr int kVectors = Engine::kTile / kLanes;
  for (int odd = 0; odd < 2; ++odd) {
    finish.at_row(2 * (block.top + row) + odd);
    // Columns 2j - 1 .. 2j + 3.
    Vec columns[5][kVectors];
    strip.columns(panel_row, odd, 1, 0, columns[0]);
    strip.columns(panel_row, odd, 0, 1, columns[1]);
    strip.columns(panel_row, odd, 1, 1, columns[2]);
    for (Index col = 0; col < block.cols; ++col) {
      strip.columns(panel_row, odd, 0, col + 2, columns[3]);
      strip.columns(panel_row, odd, 1, col + 2, columns[4]);
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

template <class Engine, class T>
void forward_up(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr Index kTile = Engine::kTile;
  const Block& block = task.block;
  pack_input<Engine, T>(op, matrix, block, 1, task.panel);
  Index taps[4][4], tap_counts[4];
  for (int part = 0; part < 4; ++part) tap_counts[part] = tap_distances(matrix, part, block, taps[part]);
  // Rows of the panel, the halo among them; row 0 is above the first image.
  const Index rows = block.images * (block.rows + 1) + 1;
  const float* corner = task.panel + (block.origin - block.pitch - 1) * kUnits;
  for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
    Strip<kTile> strip{task.work, block.pitch, block.phase, 0};
    for (Index begin = 0; begin < rows; begin += block.strip) {
      const Index end = smaller(rows, begin + block.strip);
      if (begin > 0) {
        // The last two rows become the first.
        for (int part = 0; part < 4; ++part) {
          copy(strip.at(part, begin - 2, 0), strip.at(part, strip.first, 0), 2 * block.pitch * kTile);
        }
        strip.first = begin - 2;
      }
      for (int part = 0; part < 4; ++part) {
        // No even row of the transposed convolution is needed above the first image.
        const Index start = part < 2 ? larger(1, begin) : begin;
        const float* weights =
            matrix.data + tile * matrix.tile_size + matrix.begin[part] * matrix.blocks * matrix.slice;
        // One pixel more than the rows have: the column behind the last row.
        for_each_tile(
            start * block.pitch, end * block.pitch + 1, Engine::kPixels, [&](Index first, Index count) {
              Engine::multiply(
                  {corner + first * kUnits, matrix.blocks, block.stride, taps[part], tap_counts[part]},
                  weights, count, strip.at(part, 0, first));
            });
      }
      for (Index panel_row = larger(1, begin - 1); panel_row < end - 1; ++panel_row) {
        const Index image = (panel_row - 1) / (block.rows + 1), row = (panel_row - 1) % (block.rows + 1);
        if (row == block.rows) continue;
        Finish<T, kTile / kLanes> finish(op, task, tile, image);
        filter<Engine, T>(block, strip, panel_row, row, finish);
      }
    }
  }
}

template <class Engine, class T>
void forward(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  [[maybe_unused]] const typename Engine::Session session;
  (op.up ? forward_up<Engine, T> : forward_plain<Engine, T>)(op, matrix, task);
  Engine::settle();
}

}  // namespace
}  // namespace zoom::cpu
