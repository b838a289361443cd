// The matrix product under every convolution: neighbouring pixels of a panel times one tile of packed
// weights. An engine is what makes such products: here one over `Vec`, and how it reads four bytes of a panel
// (`Dot`).
#pragma once

#include "cpu/matrix.hpp"
#include "cpu/vectors.inl"

namespace zoom::cpu {
namespace {

// Pixels and weights of one block of channels that are multiplied, in floats from the panel's and from the
// tile's.
struct Step {
  Index pixel, weights;
};

// What is multiplied and added up: `blocks` of channels, `stride` floats apart in the panel and `slice` in
// the weights, at each of the steps.
struct Operand {
  const float *panel, *weights;
  Index blocks, stride, slice;
  const Step* steps;
  Index step_count;
};

// A unit is a float.
struct FloatDot {
  static constexpr Index kChannels = 1;
  static ZOOM_INLINE Vec unit(const float* at) { return Vec(*at); }
  static ZOOM_INLINE Vec weights(const float* at) { return Vec::load(at); }
  static ZOOM_INLINE Vec add(Vec unit, Vec weights, Vec sum) { return fused(unit, weights, sum); }
  static ZOOM_INLINE void put(float* pixel, const Vec* channels) {
    for (Index i = 0; i < kUnits / kLanes; ++i) channels[i].store(pixel + i * kLanes);
  }
  // Before others are told that results are there: those that went past the caches are in order.
  static void settle() {}
};

template <class Dot, int kMostPixels, int kTileVectors>
struct VectorEngine : Dot {
  static constexpr Index kPixels = kMostPixels, kTile = kTileVectors * kLanes;
  // Wide enough that the border costs little, narrow enough that several rows fit.
  static constexpr Index kWidest = 128;
  static constexpr Index kUnitChannels = Dot::kChannels, kBlockVectors = kUnits * kUnitChannels / kLanes;
  static constexpr Index kPixel = kUnits;  // floats of a pixel that is put
  static constexpr bool kWinograd = true;

  // What a thread holds while it multiplies.
  struct Session {};

  // out [count][kTile] = the product for `count` pixels, 1 to kPixels.
  template <int kCount = kMostPixels>
  static void multiply(const Operand& a, Index count, float* out) {
    if constexpr (kCount > 1) {
      if (count < kCount) return multiply<kCount - 1>(a, count, out);
    }
    product<kCount>(a, out);
  }

 private:
  // All sums stay in registers: the loops over kCount and kTileVectors are unrolled.
  template <int kCount>
  static void product(const Operand& a, float* out) {
    Vec sums[kCount][kTileVectors];
    for (auto& row : sums) {
      for (Vec& sum : row) sum = Vec(0.0f);
    }
    for (Index block = 0; block < a.blocks; ++block) {
      for (Index step = 0; step < a.step_count; ++step) {
        const float* pixel = a.panel + block * a.stride + a.steps[step].pixel;
        const float* weights = a.weights + block * a.slice + a.steps[step].weights;
#pragma GCC unroll 4
        for (Index unit = 0; unit < kUnits; ++unit) {
          decltype(Dot::weights(weights)) w[kTileVectors];
          for (int v = 0; v < kTileVectors; ++v) w[v] = Dot::weights(weights + v * kLanes);
#pragma GCC unroll 16
          for (int n = 0; n < kCount; ++n) {
            const auto x = Dot::unit(pixel + n * kUnits + unit);
            for (int v = 0; v < kTileVectors; ++v) sums[n][v] = Dot::add(x, w[v], sums[n][v]);
          }
          weights += kTile;
        }
      }
    }
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) {
      for (int v = 0; v < kTileVectors; ++v) sums[n][v].store(out + n * kTile + v * kLanes);
    }
  }
};

}  // namespace
}  // namespace zoom::cpu
