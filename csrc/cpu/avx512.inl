// Vec of AVX-512 (F, BW, VL, DQ): 16 floats, tails by mask.
#pragma once

#include <immintrin.h>

#include "common/problem.hpp"

namespace zoom::cpu {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 16;
  __m512 v;

  Vec() = default;
  explicit Vec(float value) : v(_mm512_set1_ps(value)) {}
  Vec(__m512 value) : v(value) {}

  static __mmask16 mask(std::int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
  static __m512 widen(__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static Vec load(const float* from) { return _mm512_loadu_ps(from); }
  static Vec load(const bfloat16* from) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static Vec load(const float* from, std::int64_t count) { return _mm512_maskz_loadu_ps(mask(count), from); }
  static Vec load(const bfloat16* from, std::int64_t count) {
    return widen(_mm256_maskz_loadu_epi16(mask(count), from));
  }

  __m256i narrow() const {
    // To nearest, ties to even; a NaN stays one.
#if defined(__AVX512BF16__)
    return (__m256i)_mm512_cvtneps_pbh(v);
#else
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i safe = _mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7fc00000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(safe, 16));
#endif
  }
#if defined(__AVX512BF16__)
  // Two vectors of bfloat16 are a cache line, which may go past the caches if `to` is its start.
  static constexpr bool kStoresLines = true;
  static void store_line(bfloat16* to, const Vec* pair, bool past) {
    const __m512i line = (__m512i)_mm512_cvtne2ps_pbh(pair[1].v, pair[0].v);
    past ? _mm512_stream_si512(reinterpret_cast<__m512i*>(to), line) : _mm512_storeu_si512(to, line);
  }
#else
  static constexpr bool kStoresLines = false;
#endif
  // Lane i is the sum of all lanes of rows[i].
  static Vec sums(const Vec* rows) {
    __m512 fours[4];
    for (int i = 0; i < 4; ++i) {
      const Vec* r = rows + 4 * i;
      const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(r[0].v, r[1].v), _mm512_unpackhi_ps(r[0].v, r[1].v));
      const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(r[2].v, r[3].v), _mm512_unpackhi_ps(r[2].v, r[3].v));
      fours[i] = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    }
    const __m512 low = _mm512_add_ps(_mm512_shuffle_f32x4(fours[0], fours[1], 0x44),
                                     _mm512_shuffle_f32x4(fours[0], fours[1], 0xee));
    const __m512 high = _mm512_add_ps(_mm512_shuffle_f32x4(fours[2], fours[3], 0x44),
                                      _mm512_shuffle_f32x4(fours[2], fours[3], 0xee));
    return _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
  }
  void store(float* to) const { _mm512_storeu_ps(to, v); }
  void store(float* to, std::int64_t count) const { _mm512_mask_storeu_ps(to, mask(count), v); }
  void store(bfloat16* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow()); }
  void store(bfloat16* to, std::int64_t count) const { _mm256_mask_storeu_epi16(to, mask(count), narrow()); }
};

inline Vec operator+(Vec a, Vec b) {
  return _mm512_add_ps(a.v, b.v);
}
inline Vec operator-(Vec a, Vec b) {
  return _mm512_sub_ps(a.v, b.v);
}
inline Vec operator*(Vec a, Vec b) {
  return _mm512_mul_ps(a.v, b.v);
}
inline Vec fused(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a.v, b.v, c.v);
}
inline Vec positive(Vec v, Vec a, Vec b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(v.v, _mm512_setzero_ps(), _CMP_GT_OQ), b.v, a.v);
}
inline Vec within(Vec v, Vec limit, Vec a) {
  const __mmask16 outside = _mm512_cmp_ps_mask(_mm512_abs_ps(v.v), limit.v, _CMP_GT_OQ);
  return _mm512_mask_mov_ps(a.v, outside, _mm512_setzero_ps());
}
inline Vec limited(Vec v, Vec limit) {
  // min and max return their second operand for a NaN.
  const __m512 below = _mm512_min_ps(limit.v, v.v);
  return _mm512_max_ps(_mm512_xor_ps(_mm512_set1_ps(-0.0f), limit.v), below);
}

}  // namespace
}  // namespace zoom::cpu
