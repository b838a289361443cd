// N floats side by side and how tensors store them: what one CUDA thread works on. A Pack is a V of
// common/epilogue.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "common/bfloat16.hpp"
#include "common/problem.hpp"

namespace zoom {

template <int N>
struct alignas(N % 4 == 0 ? 16 : 4) Pack {
  float lane[N];

  Pack() = default;
  ZOOM_INLINE explicit Pack(float value) {
    for (int i = 0; i < N; ++i) lane[i] = value;
  }
};

template <int N>
ZOOM_INLINE Pack<N> operator+(const Pack<N>& a, const Pack<N>& b) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = a.lane[i] + b.lane[i];
  return result;
}

template <int N>
ZOOM_INLINE Pack<N> operator*(const Pack<N>& a, const Pack<N>& b) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = a.lane[i] * b.lane[i];
  return result;
}

template <int N>
ZOOM_INLINE Pack<N> fused(const Pack<N>& a, const Pack<N>& b, const Pack<N>& c) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = a.lane[i] * b.lane[i] + c.lane[i];
  return result;
}

template <int N>
ZOOM_INLINE Pack<N> positive(const Pack<N>& v, const Pack<N>& a, const Pack<N>& b) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = v.lane[i] > 0.0f ? a.lane[i] : b.lane[i];
  return result;
}

template <int N>
ZOOM_INLINE Pack<N> within(const Pack<N>& v, const Pack<N>& limit, const Pack<N>& a) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) {
    result.lane[i] = v.lane[i] > limit.lane[i] || v.lane[i] < -limit.lane[i] ? 0.0f : a.lane[i];
  }
  return result;
}

template <int N>
ZOOM_INLINE Pack<N> limited(const Pack<N>& v, const Pack<N>& limit) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) {
    const float below = v.lane[i] > limit.lane[i] ? limit.lane[i] : v.lane[i];
    result.lane[i] = below < -limit.lane[i] ? -limit.lane[i] : below;
  }
  return result;
}

// Elements of a vector as wide as the widest load, 128 bit.
template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));

namespace storage {

template <class To, class From>
ZOOM_INLINE To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To result;
  memcpy(&result, &value, sizeof result);
  return result;
}

ZOOM_INLINE float widen(float value) {
  return value;
}

ZOOM_INLINE float widen(bfloat16 value) {
  return widened(value);
}

ZOOM_INLINE float widen(float16 value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#else
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000) << 16;
  const std::uint32_t rest = value.bits & 0x7fff;
  if (rest >= 0x7c00) return bits_as<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  // A power of two moves the exponent to its place, for subnormal numbers too.
  return bits_as<float>(sign | bits_as<std::uint32_t>(bits_as<float>(rest << 13) * 0x1p112f));
#endif
}

// To nearest, ties to even; a NaN stays one, what is too large becomes infinite.
ZOOM_INLINE void narrow(float value, float& to) {
  to = value;
}

ZOOM_INLINE void narrow(float value, bfloat16& to) {
#if defined(__CUDA_ARCH__)
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
  to = narrowed(value);
#endif
}

ZOOM_INLINE void narrow(float value, float16& to) {
#if defined(__CUDA_ARCH__)
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
  const std::uint32_t all = bits_as<std::uint32_t>(value), sign = all >> 16 & 0x8000, bits = all & 0x7fffffff;
  std::uint32_t result;
  if (value != value) {
    result = 0x7fff;
  } else if (bits >= 0x477ff000) {  // 65520 and beyond
    result = sign | 0x7c00;
  } else if (bits < 0x38800000) {  // below 2^-14: a sum with 0.5 rounds to steps of 2^-24
    result = sign | (bits_as<std::uint32_t>(bits_as<float>(bits) + 0.5f) - 0x3f000000);
  } else {
    result = sign | (bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13;
  }
  to.bits = static_cast<std::uint16_t>(result);
#endif
}

template <class T, int N>
struct alignas(sizeof(T) * N) Stored {
  T element[N];
};

#if defined(__CUDACC__)
template <std::size_t kBytes>
using Word =
    std::conditional_t<kBytes == 16, uint4, std::conditional_t<kBytes == 4, unsigned, unsigned short>>;
#endif

}  // namespace storage

// N elements of memory that the kernel does not write, the address aligned to all of them.
template <int N, class T>
ZOOM_INLINE Pack<N> load(const T* from) {
  storage::Stored<T, N> stored;
#if defined(__CUDA_ARCH__)
  using Word = storage::Word<sizeof stored>;
  const Word word = __ldg(reinterpret_cast<const Word*>(from));
  memcpy(&stored, &word, sizeof stored);
#else
  memcpy(&stored, from, sizeof stored);
#endif
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = storage::widen(stored.element[i]);
  return result;
}

template <int N, class T>
ZOOM_INLINE void store(const Pack<N>& value, T* to) {
  storage::Stored<T, N> stored;
  for (int i = 0; i < N; ++i) storage::narrow(value.lane[i], stored.element[i]);
#if defined(__CUDA_ARCH__)
  storage::Word<sizeof stored> word;
  memcpy(&word, &stored, sizeof stored);
  *reinterpret_cast<storage::Word<sizeof stored>*>(to) = word;
#else
  memcpy(to, &stored, sizeof stored);
#endif
}

// N floats wherever they are.
template <int N>
ZOOM_INLINE Pack<N> gather(const float* from) {
  Pack<N> result;
  for (int i = 0; i < N; ++i) result.lane[i] = load<1>(from + i).lane[0];
  return result;
}

}  // namespace zoom
