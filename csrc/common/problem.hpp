// What one call of an operator works on: plain pointers and sizes, checked by the bindings.
#pragma once

#include <cstdint>

#include "common/epilogue.hpp"

namespace zoom {

enum class Type { float32, bfloat16, float16 };
enum class Layout { nchw, nhwc };

constexpr std::int64_t bytes_of(Type type) {
  return type == Type::float32 ? 4 : 2;
}

// The bits of a bfloat16: the upper half of a float.
struct bfloat16 {
  std::uint16_t bits;
};

// The bits of an IEEE half.
struct float16 {
  std::uint16_t bits;
};

// y [B, C, out_height, out_width] = epilogue(fir ? FIR(x) : x) over x [B, C, height, width]; FIR pads one
// zero on each side and has four taps, so that out = in - 1 along both axes. Tensors of one call share type
// and layout; the small ones are float32.
struct Epilogue {
  Type type;
  Layout layout;
  bool fir;
  std::int64_t batch, channels, height, width, out_height, out_width;
  Activation activation;
  const void* x;
  const float* scale;  // [B, C]
  const float* noise;  // [out_height, out_width] or null
  const float* bias;   // [C]
  void* y;             // forward only
  const void* grad;    // backward only: d loss / d y
  void* dx;            // backward only
  float* dscale;       // backward only: [B, C]
};

// y [B, C, 2 height, 2 width] = FIR(zero-inserted x [B, C, height, width]); backward reads y and writes x.
struct Upsample {
  Type type;
  Layout layout;
  std::int64_t batch, channels, height, width;
  const void* from;
  void* to;
};

}  // namespace zoom
