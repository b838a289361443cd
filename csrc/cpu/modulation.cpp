// Why not torch's matrix products: their threads go on spinning after the product, for milliseconds, on cores
// that the convolution behind it needs.
#include "cpu/modulation.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/parallel.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

constexpr float kEpsilon = 1e-8f;
// Multiplications that are worth a thread.
constexpr Index kGrain = 1 << 20;
// Sums that are carried side by side, for compilers to put into vectors.
constexpr Index kSums = 16;

float dot(const float* a, const float* b, Index count) {
  float sums[kSums] = {};
  const Index whole = count / kSums * kSums;
  for (Index i = 0; i < whole; i += kSums) {
    for (Index j = 0; j < kSums; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (Index i = whole; i < count; ++i) sums[i - whole] += a[i] * b[i];
  for (Index step = kSums / 2; step > 0; step /= 2) {
    for (Index j = 0; j < step; ++j) sums[j] += sums[j + step];
  }
  return sums[0];
}

void add(float* sums, float factor, const float* values, Index count) {
  for (Index i = 0; i < count; ++i) sums[i] += factor * values[i];
}

// task(image, work) for every image, with `work` of a float for every input channel.
template <class Task>
void for_each_image(const Modulation& op, int threads, Task&& task) {
  const Index work = op.batch * op.in_channels * (op.out_channels + op.edits);
  threads = useful_threads(threads, op.batch, work / kGrain);
  std::vector<float> memory(static_cast<std::size_t>(threads * op.in_channels));
  parallel_for(op.batch, threads,
               [&](Index b, int worker) { task(b, memory.data() + worker * op.in_channels); });
}

}  // namespace

void modulation(const Modulation& op, int threads) {
  for_each_image(op, threads, [&](Index b, float* squares) {
    float* style = op.style + b * op.in_channels;
    std::copy_n(op.styles + b * op.styles_pitch, op.in_channels, style);
    for (Index edit = 0; edit < op.edits; ++edit) {
      add(style, op.edit_weights[b * op.edits + edit], op.edit_directions + edit * op.directions_pitch,
          op.in_channels);
    }
    for (Index i = 0; i < op.in_channels; ++i) squares[i] = style[i] * style[i];
    for (Index out = 0; out < op.out_channels; ++out) {
      const float variance = dot(squares, op.energy + out * op.in_channels, op.in_channels);
      op.scale[b * op.out_channels + out] = 1.0f / std::sqrt(variance + kEpsilon);
    }
  });
}

void modulation_backward(const Modulation& op, int threads) {
  for_each_image(op, threads, [&](Index b, float* sums) {
    float* dstyle = op.dstyle + b * op.in_channels;
    std::fill_n(sums, op.in_channels, 0.0f);
    for (Index out = 0; out < op.out_channels; ++out) {
      const float scale = op.scale[b * op.out_channels + out];
      const float factor = op.dscale[b * op.out_channels + out] * scale * scale * scale;
      add(sums, factor, op.energy + out * op.in_channels, op.in_channels);
    }
    for (Index i = 0; op.style && i < op.in_channels; ++i) {
      dstyle[i] -= op.style[b * op.in_channels + i] * sums[i];
    }
    for (Index edit = 0; edit < op.edits; ++edit) {
      op.dedit_weights[b * op.edits + edit] +=
          dot(dstyle, op.edit_directions + edit * op.directions_pitch, op.in_channels);
    }
  });
}

}  // namespace zoom::cpu
