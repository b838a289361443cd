// The packed weights of a convolution as its kernels see them: plain data.
#pragma once

#include <cstdint>

namespace zoom::cpu {

// A panel is [block of channels][plane][pixel][kUnits], in units of four bytes: a float, or two bfloat16
// neighbours in channels. A pixel of a block is one cache line in every instruction set.
constexpr std::int64_t kUnits = 16;

// One weight of the kernel, and which pixel of the panel it multiplies, seen from the pixel that it adds to.
struct Tap {
  std::int8_t ky, kx, plane, dy, dx;
};

// How a convolution becomes products: `direct` multiplies every tap with the pixels under it; `winograd`
// transforms squares of 4 x 4 pixels and the kernels, multiplies those, and transforms the product back to 2
// x 2 pixels (F(2 x 2, 3 x 3) of Lavin & Gray, 2016): 16 multiplications where there are 36.
// Up-sampling has squares of its own, of 25 multiplications.
enum class Method { direct, winograd };

// [tile of output channels][part][block of input channels][tap of the part][kUnits][channels of the tile]
// (two input channels each with bfloat16), zeros where there are no channels. A part is a set of taps that is
// added up on its own: an up-sampling convolution has four, by row and column parity of its result, and
// `winograd` 16 of one tap each, its transformed kernel (ky and kx are 0 to 3).
struct Matrix {
  Method method;  // winograd for a kernel of 3, where the kernels can
  const float* data;
  std::int64_t in_channels, out_channels;
  std::int64_t blocks;     // of input channels
  std::int64_t slice;      // units of one block and one tap
  std::int64_t tile_size;  // units of one tile of output channels
  int parts;
  int begin[17];  // of each part's taps, and the end
  Tap taps[16];
};

}  // namespace zoom::cpu
