// AVX-512 with dot products of bfloat16 pairs (BF16), run only where cpuid says so.
#include "cpu/avx512.inl"
#include "cpu/convolutions.inl"

namespace zoom::cpu {
namespace {

// A unit is two neighbouring channels.
struct PairDot {
  static constexpr Index kChannels = 2;
  static ZOOM_INLINE __m512bh unit(const float* at) { return (__m512bh)_mm512_set1_ps(*at); }
  static ZOOM_INLINE __m512bh weights(const float* at) { return (__m512bh)_mm512_loadu_ps(at); }
  static ZOOM_INLINE Vec add(__m512bh unit, __m512bh weights, Vec sum) {
    return _mm512_dpbf16_ps(sum.v, unit, weights);
  }
  static ZOOM_INLINE void put(float* pixel, const Vec* channels) {
    _mm512_storeu_ps(pixel, (__m512)_mm512_cvtne2ps_pbh(channels[1].v, channels[0].v));
  }
};

}  // namespace

constexpr Convolutions kAvx512Pairs = make_convolutions<VectorEngine<PairDot, 14, 2>, bfloat16>();

}  // namespace zoom::cpu
