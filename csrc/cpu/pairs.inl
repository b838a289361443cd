// Panels of bfloat16 pairs: a unit is two neighbouring channels. Needs AVX-512 with BF16.
#pragma once

#include "cpu/avx512.inl"
#include "cpu/vectors.inl"

namespace zoom::cpu {
namespace {

struct Pairs {
  static constexpr Index kChannels = 2;
  static ZOOM_INLINE void put(float* pixel, const Vec* channels) {
    _mm512_storeu_ps(pixel, (__m512)_mm512_cvtne2ps_pbh(channels[1].v, channels[0].v));
  }
  static void settle() { _mm_sfence(); }
};

}  // namespace
}  // namespace zoom::cpu
