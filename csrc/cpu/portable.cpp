// Plain C++: what runs where neither AVX2 nor AVX-512 does, and the easiest version to read.
#include <cmath>
#include <cstring>

#include "common/problem.hpp"

namespace zoom::cpu {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 8;
  float lane[kLanes];

  Vec() = default;
  explicit Vec(float value) {
    for (float& v : lane) v = value;
  }

  static float widen(float value) { return value; }
  static float widen(bfloat16 value) {
    const std::uint32_t bits = std::uint32_t{value.bits} << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
  }
  static void narrow(float value, float& to) { to = value; }
  static void narrow(float value, bfloat16& to) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    // To nearest, ties to even; a NaN stays one.
    to.bits = static_cast<std::uint16_t>(value != value ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }

  template <class T>
  static Vec load(const T* from, std::int64_t count = kLanes) {
    Vec result(0.0f);
    for (std::int64_t i = 0; i < count; ++i) result.lane[i] = widen(from[i]);
    return result;
  }
  template <class T>
  void store(T* to, std::int64_t count = kLanes) const {
    for (std::int64_t i = 0; i < count; ++i) narrow(lane[i], to[i]);
  }

  template <class F>
  static Vec each(F f) {
    Vec result;
    for (std::int64_t i = 0; i < kLanes; ++i) result.lane[i] = f(i);
    return result;
  }
};

using I = std::int64_t;
inline Vec operator+(const Vec& a, const Vec& b) {
  return Vec::each([&](I i) { return a.lane[i] + b.lane[i]; });
}
inline Vec operator*(const Vec& a, const Vec& b) {
  return Vec::each([&](I i) { return a.lane[i] * b.lane[i]; });
}
inline Vec fused(const Vec& a, const Vec& b, const Vec& c) {
  return Vec::each([&](I i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
}
inline Vec positive(const Vec& v, const Vec& a, const Vec& b) {
  return Vec::each([&](I i) { return v.lane[i] > 0.0f ? a.lane[i] : b.lane[i]; });
}
inline Vec within(const Vec& v, const Vec& limit, const Vec& a) {
  return Vec::each([&](I i) { return std::fabs(v.lane[i]) > limit.lane[i] ? 0.0f : a.lane[i]; });
}
inline Vec limited(const Vec& v, const Vec& limit) {
  return Vec::each([&](I i) {
    const float below = v.lane[i] > limit.lane[i] ? limit.lane[i] : v.lane[i];
    return below < -limit.lane[i] ? -limit.lane[i] : below;
  });
}

}  // namespace
}  // namespace zoom::cpu

#include "cpu/kernels.inl"

namespace zoom::cpu {
constexpr Kernels kPortable = make_kernels("portable");
}
