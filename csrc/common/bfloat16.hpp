// bfloat16: the upper half of a float.
#pragma once

#include <cstdint>
#include <cstring>

#include "common/epilogue.hpp"

namespace zoom {

struct bfloat16 {
  std::uint16_t bits;
};

ZOOM_INLINE float widened(bfloat16 value) {
  const std::uint32_t bits = std::uint32_t{value.bits} << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// To nearest, ties to even; a NaN stays one.
ZOOM_INLINE bfloat16 narrowed(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {static_cast<std::uint16_t>(value != value ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace zoom
