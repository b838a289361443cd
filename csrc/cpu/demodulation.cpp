// Why not torch's matrix products: their threads go on spinning after the product, for milliseconds, on cores
// that the convolution behind it needs.
#include "cpu/demodulation.hpp"

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

int threads_for(const Demodulation& op, int threads) {
  return useful_threads(threads, op.batch, op.batch * op.in_channels * op.out_channels / kGrain);
}

// Sum of style^2 * energy over the input channels.
float variance(const float* style, const float* energy, Index channels) {
  float sums[kSums] = {};
  const Index whole = channels / kSums * kSums;
  for (Index i = 0; i < whole; i += kSums) {
    for (Index j = 0; j < kSums; ++j) sums[j] += style[i + j] * style[i + j] * energy[i + j];
  }
  for (Index i = whole; i < channels; ++i) sums[i - whole] += style[i] * style[i] * energy[i];
  for (Index step = kSums / 2; step > 0; step /= 2) {
    for (Index j = 0; j < step; ++j) sums[j] += sums[j + step];
  }
  return sums[0];
}

}  // namespace

void demodulation(const Demodulation& op, int threads) {
  parallel_for(op.batch, threads_for(op, threads), [&](Index b, int) {
    for (Index out = 0; out < op.out_channels; ++out) {
      const float sum =
          variance(op.style + b * op.in_channels, op.energy + out * op.in_channels, op.in_channels);
      op.scale[b * op.out_channels + out] = 1.0f / std::sqrt(sum + kEpsilon);
    }
  });
}

void demodulation_backward(const Demodulation& op, int threads) {
  threads = threads_for(op, threads);
  std::vector<float> memory(static_cast<std::size_t>(threads * op.in_channels));
  parallel_for(op.batch, threads, [&](Index b, int worker) {
    float* sums = memory.data() + worker * op.in_channels;
    std::fill_n(sums, op.in_channels, 0.0f);
    for (Index out = 0; out < op.out_channels; ++out) {
      const float scale = op.scale[b * op.out_channels + out];
      const float factor = op.dscale[b * op.out_channels + out] * scale * scale * scale;
      const float* energy = op.energy + out * op.in_channels;
      for (Index i = 0; i < op.in_channels; ++i) sums[i] += factor * energy[i];
    }
    for (Index i = b * op.in_channels; i < (b + 1) * op.in_channels; ++i) {
      op.dstyle[i] -= op.style[i] * sums[i - b * op.in_channels];
    }
  });
}

}  // namespace zoom::cpu
