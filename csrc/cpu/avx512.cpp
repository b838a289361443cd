// AVX-512 (F, BW, VL, DQ), run only where cpuid says so.
#include "cpu/avx512.inl"
#include "cpu/convolutions.inl"
#include "cpu/upsampling.inl"

namespace zoom::cpu {

constexpr Upsampling kAvx512Upsampling = make_upsampling();

using Engine = VectorEngine<FloatDot, 14, 2>;
constexpr Convolutions kAvx512Float = make_convolutions<Engine, float>();
constexpr Convolutions kAvx512Widened = make_convolutions<Engine, bfloat16>();

}  // namespace zoom::cpu
