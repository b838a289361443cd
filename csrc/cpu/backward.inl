// Gradients of the modulated convolution to its input and parameters, but not to its weights: d loss / d u
// goes into a panel, with the sums that are d loss / d scale on the way; the transposed weights make d loss /
// d (x * style) of it, and that is finished while it is in cache.
#pragma once

#include "cpu/block.inl"
#include "cpu/multiply.inl"
#include "cpu/winograd.inl"

namespace zoom::cpu {
namespace {

// d loss / d u in one block of channels of one image.
template <class T, int kVectors>
struct Gradient {
  const ModulatedConv& op;
  Index image, channel, live;
  Vec scale[kVectors], bias[kVectors], rgb_weight[3][kVectors];
  // Over the pixels seen so far: d loss / d scale times scale, and d loss / d rgb_weight.
  Vec dscale[kVectors], drgb[3][kVectors];

  ZOOM_INLINE Gradient(const ModulatedConv& conv, Index b, Index first_channel)
      : op(conv), image(b), channel(first_channel), live(op.out_channels - channel) {
    load_channels<kVectors>(scale, op.scale + image * op.out_channels + channel, live);
    load_parameter<kVectors>(bias, op.bias ? op.bias + channel : nullptr, live);
    for (Index k = 0; k < 3; ++k) {
      const Index at = (image * 3 + k) * op.out_channels + channel;
      load_parameter<kVectors>(rgb_weight[k], op.grad_rgb ? op.rgb_weight + at : nullptr, live);
    }
    clear();
  }

  ZOOM_INLINE void clear() {
    for (int v = 0; v < kVectors; ++v) {
      dscale[v] = Vec(0.0f);
      for (auto& of_rgb : drgb) of_rgb[v] = Vec(0.0f);
    }
  }

  // Adds the sums to those of the block: [1 + 3, Cout].
  ZOOM_INLINE void add_to(double* sums) const {
    for (int v = 0; v < kVectors; ++v) {
      const Index rest = live - v * kLanes;
      if (rest <= 0) break;
      double* to = sums + channel + v * kLanes;
      add_lanes(to, dscale[v], rest);
      for (Index k = 0; op.grad_rgb && k < 3; ++k)
        add_lanes(to + (k + 1) * op.out_channels, drgb[k][v], rest);
    }
  }

  // take(w, d loss / d u) for columns [begin, end) of row h.
  template <class Take>
  void row(Index h, Index begin, Index end, Take&& take) {
    const Index plane = op.out_height * op.out_width, at_row = h * op.out_width;
    const Index offset = (image * plane + at_row) * op.out_channels + channel;
    const T* all_y = static_cast<const T*>(op.y) + offset;
    const T* all_grad = op.grad ? static_cast<const T*>(op.grad) + offset : nullptr;
    const float* noise = op.noise ? op.noise + at_row : nullptr;
    const float* grad_rgb = op.grad_rgb ? op.grad_rgb + image * 3 * plane + at_row : nullptr;
    // Copies, since a store may change what a reference names. The row below is asked for early.
    const Activation activation = op.activation;
    const Index out_channels = op.out_channels, below = op.out_width * op.out_channels;
    for (Index w = begin; w < end; ++w) {
      Vec y[kVectors], g[kVectors];
      load_channels<kVectors>(y, all_y + w * out_channels, live);
      __builtin_prefetch(all_y + w * out_channels + below);
      if (all_grad) {
        load_channels<kVectors>(g, all_grad + w * out_channels, live);
        __builtin_prefetch(all_grad + w * out_channels + below);
      } else {
        load_parameter<kVectors>(g, nullptr, live);
      }
      for (Index k = 0; grad_rgb && k < 3; ++k) {
        const Vec of_rgb(grad_rgb[k * plane + w]);
        for (int v = 0; v < kVectors; ++v) {
          g[v] = fused(of_rgb, rgb_weight[k][v], g[v]);
          drgb[k][v] = fused(of_rgb, y[v], drgb[k][v]);
        }
      }
      for (int v = 0; v < kVectors; ++v) {
        const Vec dv = epilogue_gradient_from(y[v], g[v], activation);
        const Vec shift = noise ? bias[v] + Vec(noise[w]) : bias[v];
        const Vec scaled = fused(shift, Vec(-1.0f), before_activation(y[v], activation));
        dscale[v] = fused(dv, scaled, dscale[v]);
        g[v] = dv * scale[v];
      }
      take(w, g);
    }
  }

  // The same for columns that may lie outside of the image, where there is no gradient. The sums of columns
  // [owned, owned_end), all inside, are added to `sums` unless it is null.
  template <class Take>
  void padded_row(Index h, Index begin, Index end, Index owned, Index owned_end, double* sums, Take&& take) {
    const bool inside = 0 <= h && h < op.out_height;
    const Index first = inside ? larger(begin, 0) : end, last = inside ? smaller(end, op.out_width) : end;
    Vec zeros[kVectors];
    load_parameter<kVectors>(zeros, nullptr, live);
    for (Index w = begin; w < first; ++w) take(w, zeros);
    if (inside) {
      row(h, first, owned, take);
      clear();
      row(h, owned, owned_end, take);
      if (sums) add_to(sums);
      row(h, owned_end, last, take);
    }
    for (Index w = last; w < end; ++w) take(w, zeros);
  }
};

// to <- d loss / d u of one image in block `i` of channels; `to` is the block's first pixel.
template <class Pixel, class T>
void pack_gradient_channels(const ModulatedConv& op, const Task& task, Index image, Index i, float* to) {
  constexpr int kVectors = Pixel::kBlockVectors;
  const Block& block = task.block;
  double* sums = task.dscale ? task.dscale + image * 4 * op.out_channels : nullptr;
  Gradient<T, kVectors> gradient(op, block.image + image, i * kVectors * kLanes);
  for (Index row = -block.halo; row < block.rows + block.below; ++row) {
    float* at = to + (row * block.pitch - block.left) * Pixel::kPixel;
    gradient.padded_row(block.top + row, block.left - block.halo, block.left + block.cols + block.right,
                        block.left, block.left + block.cols, 0 <= row && row < block.rows ? sums : nullptr,
                        [&](Index w, const Vec* du) { Pixel::put(at + w * Pixel::kPixel, du); });
  }
}

template <class Engine, class T>
void pack_gradient(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  const Block& block = task.block;
  for (Index image = 0; image < block.images; ++image) {
    const Index at = block.origin + image * block.image_pitch;
    for (Index i = 0; i < matrix.blocks; ++i) {
      pack_gradient_channels<Engine, T>(op, task, image, i, task.panel + i * block.stride + at * kUnits);
    }
  }
}

template <class Engine, class T>
void pack_gradient_squares(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  using Pixel = FloatPixel<Engine::kBlockVectors>;
  const Block& block = task.block;
  for (Index i = 0; i < matrix.blocks; ++i) {
    for (Index image = 0; image < block.images; ++image) {
      const Index at = block.origin + image * block.image_pitch;
      pack_gradient_channels<Pixel, T>(op, task, image, i, task.work + at * Pixel::kPixel);
    }
    transform_images<Engine>(block, task.work, task.panel + i * block.stride);
  }
}

// Through the filter's adjoint, for one image in block `i` of channels: gradient (m, n) of the transposed
// convolution's result, m to `rows` and n to `cols`, filters rows m - 2 .. m + 1 and columns n - 2 .. n + 1
// of d loss / d u. Calls take(m, n, gradient).
template <int kVectors, class T, class Take>
void filtered_gradient(const ModulatedConv& op, const Task& task, Index image, Index i, Index rows,
                       Index cols, Take&& take) {
  constexpr Index kPixel = kVectors * kLanes;
  const Block& block = task.block;
  const Index top = 2 * block.top, left = 2 * block.left;
  const Index owned_end = left + 2 * block.cols;
  double* sums = task.dscale ? task.dscale + image * 4 * op.out_channels : nullptr;
  float* line = task.work;
  float* ring = line + (cols + 4) * kPixel;
  const auto ring_row = [&](Index row) { return ring + (row + 4) % 4 * (cols + 1) * kPixel; };
  Gradient<T, kVectors> gradient(op, block.image + image, i * kPixel);
  for (Index row = -2; row < rows + 2; ++row) {
    gradient.padded_row(top + row, left - 2, left + cols + 2, left, owned_end,
                        0 <= row && row < 2 * block.rows ? sums : nullptr, [&](Index w, const Vec* du) {
                          for (int v = 0; v < kVectors; ++v)
                            du[v].store(line + (w - left + 2) * kPixel + v * kLanes);
                        });
    float* filtered = ring_row(row);
    for (Index at = 0; at < (cols + 1) * kPixel; at += kLanes)
      filter_row(line + at, kPixel).store(filtered + at);
    if (row < 1) continue;
    const Index m = row - 1;
    const float* from[4];
    for (Index k = 0; k < 4; ++k) from[k] = ring_row(m - 2 + k);
    for (Index n = 0; n <= cols; ++n) {
      Vec du[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const Index at = n * kPixel + v * kLanes;
        du[v] = fir4(Vec::load(from[0] + at), Vec::load(from[1] + at), Vec::load(from[2] + at),
                     Vec::load(from[3] + at));
      }
      take(m, n, du);
    }
  }
}

// Gradient (m, n) goes to the plane of its parities, at (m / 2, n / 2).
template <class Engine, class T>
void pack_filtered_gradient(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr int kVectors = Engine::kBlockVectors;
  const Block& block = task.block;
  for (Index image = 0; image < block.images; ++image) {
    for (Index i = 0; i < matrix.blocks; ++i) {
      float* to = task.panel + i * block.stride + image * block.image_pitch * kUnits;
      filtered_gradient<kVectors, T>(op, task, image, i, 2 * block.rows, 2 * block.cols,
                                     [&](Index m, Index n, const Vec* du) {
                                       const Index plane = (m % 2 * 2 + n % 2) * block.plane;
                                       Engine::put(to + (plane + m / 2 * block.pitch + n / 2) * kUnits, du);
                                     });
    }
  }
}

template <class Engine, class T>
void pack_filtered_gradient_squares(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr int kVectors = Engine::kBlockVectors;
  using Pixel = FloatPixel<kVectors>;
  const Block& block = task.block;
  const Index rows = 4 * block.square_rows, cols = 4 * block.square_cols;
  float* pixels = task.work + (5 * (cols + 1) + 3) * Pixel::kPixel;  // behind a line and four filtered ones
  for (Index i = 0; i < matrix.blocks; ++i) {
    float* panel = task.panel + i * block.stride;
    for (Index image = 0; image < block.images; ++image) {
      filtered_gradient<kVectors, T>(op, task, image, i, rows, cols, [&](Index m, Index n, const Vec* du) {
        Pixel::put(pixels + (m * (cols + 1) + n) * Pixel::kPixel, du);
      });
      transform_squares<Engine, DownSquare>(block, block.square_rows, pixels, (cols + 1) * Pixel::kPixel,
                                            panel);
      panel += block.square_rows * block.square_cols * kUnits;
    }
  }
}

// dx = d loss / d (x * style) * style, and d loss / d style = sum of d loss / d (x * style) * x, for a run of
// pixels. `row_sums` are those of the row so far: whole rows are added to the image's, so that they do not
// depend on where a batch's tiles of pixels cut them.
template <class T, int kVectors>
void finish_input(const ModulatedConv& op, Index image, Index row, Index col, Index count, Index channel,
                  const float* product, Vec* row_sums) {
  const Index live = op.in_channels - channel;
  const Index offset = ((image * op.height + row) * op.width + col) * op.in_channels + channel;
  Vec style[kVectors], sums[kVectors];
  load_channels<kVectors>(style, op.style + image * op.in_channels + channel, live);
  for (int v = 0; v < kVectors; ++v) sums[v] = row_sums[v];
  const bool past =
      past_caches<kVectors>(static_cast<const T*>(op.dx), op.batch * op.height * op.width, op.in_channels);
  for (Index n = 0; n < count; ++n) {
    const Index at = offset + n * op.in_channels;
    Vec x[kVectors], dx[kVectors];
    load_channels<kVectors>(dx, product + n * kVectors * kLanes, kVectors * kLanes);
    load_channels<kVectors>(x, static_cast<const T*>(op.x) + at, live);
    __builtin_prefetch(static_cast<const T*>(op.x) + at + op.width * op.in_channels);
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = fused(dx[v], x[v], sums[v]);
      dx[v] = dx[v] * style[v];
    }
    store_channels<kVectors>(static_cast<T*>(op.dx) + at, dx, live, past);
  }
  for (int v = 0; v < kVectors; ++v) row_sums[v] = sums[v];
}

template <class Engine, class T>
void backward(const ModulatedConv& op, const Matrix& matrix, const Task& task) {
  constexpr int kVectors = Engine::kTile / kLanes;
  const Block& block = task.block;
  Vec row_sums[kVectors];
  const auto take = [&](Index tile, Index image, Index row, Index col, Index count, const float* u) {
    const Index channel = tile * Engine::kTile;
    if (col == 0) load_parameter<kVectors>(row_sums, nullptr, 0);
    finish_input<T, kVectors>(op, block.image + image, block.top + row, block.left + col, count, channel, u,
                              row_sums);
    if (col + count < block.cols) return;
    for (int v = 0; v < kVectors && channel + v * kLanes < op.in_channels; ++v) {
      add_lanes(task.dstyle + image * op.in_channels + channel + v * kLanes, row_sums[v],
                op.in_channels - channel - v * kLanes);
    }
  };
  if constexpr (Engine::kWinograd) {
    if (matrix.method == Method::winograd) {
      if (op.up) {
        pack_filtered_gradient_squares<Engine, T>(op, matrix, task);
        multiply_down_squares<Engine>(matrix, task, take);
      } else {
        pack_gradient_squares<Engine, T>(op, matrix, task);
        multiply_squares<Engine>(matrix, task, take);
      }
      return Engine::settle();
    }
  }
  (op.up ? pack_filtered_gradient<Engine, T> : pack_gradient<Engine, T>)(op, matrix, task);
  [[maybe_unused]] const typename Engine::Session session;
  multiply_block<Engine>(matrix, task, take);
  Engine::settle();
}

}  // namespace
}  // namespace zoom::cpu
