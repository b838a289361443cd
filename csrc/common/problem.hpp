// What one call of an operator works on: plain pointers and sizes, checked by the bindings.
#pragma once

#include <cstdint>

#include "common/bfloat16.hpp"
#include "common/epilogue.hpp"

namespace zoom {

enum class Type { float32, bfloat16, float16 };
enum class Layout { nchw, nhwc };

constexpr std::int64_t bytes_of(Type type) {
  return type == Type::float32 ? 4 : 2;
}

// The bits of an IEEE half.
struct float16 {
  std::uint16_t bits;
};

// y [B, C, 2 height, 2 width] = FIR(zero-inserted x [B, C, height, width]) + limited(add + bias, clamp);
// backward reads y and writes x.
struct Upsample {
  Type type;
  Layout layout;
  std::int64_t batch, channels, height, width;
  const void* from;
  void* to;
  const void* add;    // forward only: as y, or null
  const float* bias;  // forward only: [C] or null
  float clamp;        // forward only: infinite where there is none
};

// style = styles + edit_weights @ edit_directions and scale = (style^2 @ energy^T + epsilon)^-1/2, where
// energy holds the squares of the weights, summed over their taps; no out_channels: without the scale.
// Backward, dstyle
// += d loss / d style by way of the scale, then dedit_weights += dstyle @ edit_directions^T.
struct Modulation {
  std::int64_t batch, in_channels, out_channels, edits;
  std::int64_t styles_pitch, directions_pitch;  // from row to row
  const float* styles;                          // forward only: [B, Cin]
  const float* edit_weights;                    // forward only: [B, N]
  const float* edit_directions;                 // [N, Cin]
  const float* energy;                          // [Cout, Cin]
  float* style;                                 // [B, Cin]; backward it is read, as is the scale
  float* scale;                                 // [B, Cout]

  const float* dscale;   // backward only: [B, Cout]
  float* dstyle;         // backward only: [B, Cin]
  float* dedit_weights;  // backward only: [B, N]
};

// One layer of the generator. With x' = x * style, u = convolution(x') (kernel 1 or 3, stride 1, same size)
// or, `up`, FIR(transposed convolution(x'), stride 2, kernel 3), and v = u * scale + noise + bias:
//   out = y = clamp(leaky_relu(v) * gain),  rgb = sum over channels of rgb_weight * y.
// Images are NHWC of one type, everything else is float32; noise, bias, rgb_weight, out, rgb, grad, grad_rgb
// and drgb_weight may be null.
struct ModulatedConv {
  Type type;
  bool up;
  std::int64_t kernel, batch, in_channels, out_channels, height, width, out_height, out_width;
  Activation activation;
  const void* x;            // [B, Cin, height, width]
  const float* style;       // [B, Cin]
  const float* scale;       // [B, Cout]
  const float* noise;       // [out_height, out_width]
  const float* bias;        // [Cout]
  const float* rgb_weight;  // [B, 3, Cout]

  void* out;   // forward only: [B, Cout, out_height, out_width]
  float* rgb;  // forward only: [B, 3, out_height, out_width], NCHW

  const void* y;          // backward only, from here on: what forward made
  const void* grad;       // d loss / d y by way of `out`
  const float* grad_rgb;  // d loss / d rgb
  void* dx;               // [B, Cin, height, width]
  float* dstyle;          // [B, Cin]
  float* dscale;          // [B, Cout]
  float* drgb_weight;     // [B, 3, Cout]
};

}  // namespace zoom
