// What one call of a CUDA operator works on: plain pointers and sizes, checked by the bindings. Images are
// channels-last, the small tensors contiguous float32.
#pragma once

#include <cstdint>

#include "common/problem.hpp"

namespace zoom::cuda {

// out [B, H, W, C] = x * style, style [B, C] = styles + edit_weights [B, N] @ edit_directions [N, C], whose
// rows are directions_pitch apart.
struct Modulate {
  Type type;
  std::int64_t batch, channels, pixels, edits, directions_pitch;
  const void* x;
  const float* styles;  // backward: the sum
  const float* edit_weights;
  const float* edit_directions;
  void* out;         // forward only
  float* style;      // forward only: the sum
  const void* grad;  // backward only: d loss / d out
  void* dx;          // backward only
  float* dstyle;     // backward only: [B, C]
  float* workspace;  // backward only: see workspace_floats
};

// y [B, out_height, out_width, C] = epilogue(fir ? FIR(x) : x) over x [B, height, width, C]; FIR
// pads one zero on each side and has four taps, so that out = in - 1 along both axes.
struct Epilogue {
  Type type;
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
  float* workspace;    // backward only: see workspace_floats
};

// to [B, 2H, 2W, C] = FIR(zero-inserted from [B, H, W, C]) + add; the adjoint reads the large image and
// writes the small one. A contiguous (NCHW) image is B * C images of one channel.
struct Upsample {
  Type type;
  std::int64_t batch, channels, height, width;
  const void* from;
  const void* add;  // forward only, or null
  void* to;
};

}  // namespace zoom::cuda
