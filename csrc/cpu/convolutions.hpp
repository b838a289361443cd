// The convolution kernels of one instruction set and one storage type, and the tasks that they are given:
// plain data, filled in by tiling.cpp.
#pragma once

#include <cstdint>

#include "common/problem.hpp"
#include "cpu/matrix.hpp"

namespace zoom::cpu {

// The pixels that one task makes, at the resolution of its matrix product, and the panel that it reads. Rows
// of the panel lie one after another, `pitch` pixels apart, border included. Where rows are whole, the zero
// pixel behind one is also the one before the next; the zero row between two images is shared as well. So a
// tap is a constant distance, and tiles of pixels run across rows and images; what they make of the border is
// dropped.
//
// Method::winograd has a panel of squares, one after another without a border, each place of a square in a
// plane of its own. The pixels that they are made of lie in the work space, for one block of channels at a
// time, in rows as above with a border on either side.
struct Block {
  std::int64_t image, images, top, left, rows, cols;
  std::int64_t halo, below, right;  // read around the block: rows above and columns left, and the others
  std::int64_t pitch, image_pitch, origin;  // panel pixels; `origin` is the first pixel that is made
  std::int64_t plane;                       // panel pixels of a plane
  std::int64_t stride;                      // floats from a block of channels to the next
  std::int64_t strip;  // up-sampling: rows (of squares) that are made before they are filtered,
  std::int64_t phase;  // and floats from one parity of the strip to the next
  std::int64_t square_rows, square_cols;  // of an image, with Method::winograd
};

struct Task {
  Block block;
  std::int64_t first_tile, last_tile;  // tiles of output channels
  float* panel;
  float* work;            // behind the panel
  float* rgb;             // forward: [B, 3, out_height, out_width] of the first tile
  std::int64_t rgb_tile;  // floats from a tile's rgb to the next; 0: all add to one
  double* dstyle;         // backward: [images, Cin], the block's share; each task adds its own channels
  double* dscale;  // backward: [images, 1 + 3, Cout]: d loss / d scale times scale, then drgb_weight; null
                   // unless the task is the block's first
};

struct Convolutions {
  std::int64_t pixels;         // of the largest tile: a product may write as many pixels, and read them
  std::int64_t channels;       // output channels of a tile
  std::int64_t widest;         // columns of a block
  std::int64_t unit_channels;  // input channels in a unit of the panel: 1 float or 2 bfloat16
  bool winograd;               // has Method::winograd
  void (*forward)(const ModulatedConv&, const Matrix&, const Task&);
  void (*backward)(const ModulatedConv&, const Matrix&, const Task&);
};

extern const Convolutions kPortableFloat, kPortableWidened;
#if defined(ZOOM_ENGINE_X86)
extern const Convolutions kAvx2Float, kAvx2Widened, kAvx512Float, kAvx512Widened, kAvx512Pairs;
#endif
#if defined(ZOOM_ENGINE_AMX)
extern const Convolutions kAmx;
#endif

}  // namespace zoom::cpu
