// Plain C++: what runs where neither AVX2 nor AVX-512 does, and the easiest version to read.
#include <cmath>

#include "common/problem.hpp"

namespace zoom::cpu {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 8;
  static constexpr bool kStoresLines = false;
  float lane[kLanes];

  Vec() = default;
  explicit Vec(float value) {
    for (float& v : lane) v = value;
  }

  static float widen(float value) { return value; }
  static float widen(bfloat16 value) { return widened(value); }
  static void narrow(float value, float& to) { to = value; }
  static void narrow(float value, bfloat16& to) { to = narrowed(value); }

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

  float sum() const {
    float total = 0.0f;
    for (const float v : lane) total += v;
    return total;
  }
  // Lane i is the sum of all lanes of rows[i].
  static Vec sums(const Vec* rows) {
    float all[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i) all[i] = rows[i].sum();
    return load(all);
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
inline Vec operator-(const Vec& a, const Vec& b) {
  return Vec::each([&](I i) { return a.lane[i] - b.lane[i]; });
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

#include "cpu/convolutions.inl"
#include "cpu/upsampling.inl"

namespace zoom::cpu {

constexpr Upsampling kPortableUpsampling = make_upsampling();

using Engine = VectorEngine<FloatDot, 2, 2>;
constexpr Convolutions kPortableFloat = make_convolutions<Engine, float>();
constexpr Convolutions kPortableWidened = make_convolutions<Engine, bfloat16>();

}  // namespace zoom::cpu
