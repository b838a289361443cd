// AVX2 and FMA: 8 floats. Compiled with -mavx2 -mfma; run only where cpuid says so.
#include <immintrin.h>

#include "common/problem.hpp"

namespace zoom::cpu {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 8;
  static constexpr bool kStoresLines = false;
  __m256 v;

  Vec() = default;
  explicit Vec(float value) : v(_mm256_set1_ps(value)) {}
  Vec(__m256 value) : v(value) {}

  static Vec load(const float* from) { return _mm256_loadu_ps(from); }
  static Vec load(const bfloat16* from) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static __m256i mask(std::int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vec load(const float* from, std::int64_t count) { return _mm256_maskload_ps(from, mask(count)); }
  static Vec load(const bfloat16* from, std::int64_t count) {
    bfloat16 all[kLanes] = {};
    for (std::int64_t i = 0; i < count; ++i) all[i] = from[i];
    return load(all);
  }

  float sum() const {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  // Lane i is the sum of all lanes of rows[i].
  static Vec sums(const Vec* rows) {
    float all[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i) all[i] = rows[i].sum();
    return load(all);
  }
  void store(float* to) const { _mm256_storeu_ps(to, v); }
  void store(float* to, std::int64_t count) const { _mm256_maskstore_ps(to, mask(count), v); }
  void store(bfloat16* to) const {
    // To nearest, ties to even; a NaN stays one.
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i upper =
        _mm256_srli_epi32(_mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc00000), nan), 16);
    const __m128i packed =
        _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), packed);
  }
  void store(bfloat16* to, std::int64_t count) const {
    bfloat16 all[kLanes];
    store(all);
    for (std::int64_t i = 0; i < count; ++i) to[i] = all[i];
  }
};

inline Vec operator+(Vec a, Vec b) {
  return _mm256_add_ps(a.v, b.v);
}
inline Vec operator-(Vec a, Vec b) {
  return _mm256_sub_ps(a.v, b.v);
}
inline Vec operator*(Vec a, Vec b) {
  return _mm256_mul_ps(a.v, b.v);
}
inline Vec fused(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a.v, b.v, c.v);
}
inline Vec positive(Vec v, Vec a, Vec b) {
  return _mm256_blendv_ps(b.v, a.v, _mm256_cmp_ps(v.v, _mm256_setzero_ps(), _CMP_GT_OQ));
}
inline Vec within(Vec v, Vec limit, Vec a) {
  const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v.v);
  return _mm256_andnot_ps(_mm256_cmp_ps(size, limit.v, _CMP_GT_OQ), a.v);
}
inline Vec limited(Vec v, Vec limit) {
  // min and max return their second operand for a NaN.
  const __m256 below = _mm256_min_ps(limit.v, v.v);
  return _mm256_max_ps(_mm256_xor_ps(_mm256_set1_ps(-0.0f), limit.v), below);
}

}  // namespace
}  // namespace zoom::cpu

#include "cpu/convolutions.inl"
#include "cpu/upsampling.inl"

namespace zoom::cpu {

constexpr Upsampling kAvx2Upsampling = make_upsampling();

using Engine = VectorEngine<FloatDot, 6, 2>;
constexpr Convolutions kAvx2Float = make_convolutions<Engine, float>();
constexpr Convolutions kAvx2Widened = make_convolutions<Engine, bfloat16>();

}  // namespace zoom::cpu
