// The matrix product under every convolution: neighbouring pixels of a panel times one tile of packed
// weights. An engine is what makes such products: here one over `Vec`, and how it reads four bytes of a panel
// (`Dot`).
#pragma once

#include "cpu/matrix.hpp"
#include "cpu/vectors.inl"

namespace zoom::cpu {
namespace {

// What is multiplied: `blocks` of channels, `stride` floats apart, at the pixels `taps` (in floats) from
// `panel`.
struct Operand {
  const float* panel;
  Index blocks, stride;
  const Index* taps;
  Index tap_count;
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
  static void multiply(const Operand& a, const float* weights, Index count, float* out) {
    if constexpr (kCount > 1) {
      if (count < kCount) return multiply<kCount - 1>(a, weights, count, out);
    }
    product<kCount>(a, weights, out);
  }

 private:
  // All sums stay in registers: the loops over kCount and kTileVectors are unrolled.
  template <int kCount>
  static void product(const Operand& a, const float* weights, float* out) {
    Vec sums[kCount][kTileVectors];
    for (auto& row : sums) {
      for (Vec& sum : row) sum = Vec(0.0f);
    }
    for (Index block = 0; block < a.blocks; ++block) {
      for (Index tap = 0; tap < a.tap_count; ++tap) {
        const float* pixel = a.panel + block * a.stride + a.taps[tap];
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
