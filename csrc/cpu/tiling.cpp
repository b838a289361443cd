#include "cpu/tiling.hpp"

#include <algorithm>

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

// A panel of this size stays in the second-level cache beside the weights of one tile.
constexpr Index kPanelBytes = 1 << 19;
// Of a block: enough that the border costs little.
constexpr Index kFewestRows = 4;
// What is filtered after the product has a halo of products, not only of reads.
constexpr Index kWidestFiltered = 64, kFewestFiltered = 32;
// Tasks for many threads where there are few blocks: each packs the panel again, and a panel of several
// planes is expensive.
constexpr Index kTasks = 16, kTasksOfPlanes = 4;
// Pixels of a strip of rows that is made before it is filtered.
constexpr Index kStrip = 64;

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

// The size of equal pieces, none longer than `longest`.
Index even(Index length, Index longest) {
  return divide_up(length, divide_up(length, longest));
}

}  // namespace

Tiling::Tiling(const Product& p, const ModulatedConv& op, const Matrix& matrix, const Convolutions& kernels)
    : product(p),
      batch(op.batch),
      height(op.height),
      width(op.width),
      channel_blocks(matrix.blocks),
      pixels(kernels.pixels),
      channels(kernels.channels),
      unit_channels(kernels.unit_channels) {
  const Index pixel_bytes = product.planes * channel_blocks * kUnits * 4;
  const Index limit = kPanelBytes / pixel_bytes;
  cols = even(width, product.filtered ? kWidestFiltered : kernels.widest);
  rows = even(height, std::max(limit / cols, product.filtered ? kFewestFiltered : kFewestRows));
  images =
      rows == height && cols == width ? even(batch, std::clamp<Index>(limit / (rows * cols), 1, batch)) : 1;
  stacks = divide_up(batch, images), down = divide_up(height, rows), across = divide_up(width, cols);
  tiles = divide_up(matrix.out_channels, channels);
  group_tiles = divide_up(
      tiles, std::clamp<Index>(divide_up(product.planes > 1 ? kTasksOfPlanes : kTasks, blocks()), 1, tiles));
  groups = divide_up(tiles, group_tiles);
}

Block Tiling::block(Index index) const {
  Block b{};
  b.image = index / (down * across) * images;
  b.top = index / across % down * rows;
  b.left = index % across * cols;
  b.images = std::min(images, batch - b.image);
  b.rows = std::min(rows, height - b.top);
  b.cols = std::min(cols, width - b.left);
  if (product.planes > 1) {
    // The panel holds every row and column that the taps reach, and nothing is shared.
    b.pitch = b.cols + 1;
    b.image_pitch = (b.rows + 1) * b.pitch;
    b.plane = b.images * b.image_pitch;
  } else {
    const bool whole = b.cols == width;
    b.pitch = b.cols + product.halo * (whole ? 1 : 2);
    b.image_pitch = (b.rows + product.halo) * b.pitch;
    // Filtered products are made for the halo as well, so that taps reach one pixel farther.
    b.origin = product.halo * (product.filtered ? 2 : 1) * (b.pitch + 1);
    b.plane = b.origin + b.images * b.image_pitch + product.halo;
  }
  b.stride = (product.planes * b.plane + pixels) * kUnits;
  b.strip = std::clamp<Index>(divide_up(kStrip, b.pitch), 2, b.images * (b.rows + 1) + 1);
  b.phase = ((b.strip + 2) * b.pitch + pixels) * channels;
  return b;
}

Index Tiling::panel() const {
  return channel_blocks * block(0).stride;
}

Index Tiling::work() const {
  const Block b = block(0);
  if (product.filtered) return 4 * b.phase;
  // Backward through the filter: a row of gradients, and four filtered ones.
  const Index lines = product.planes > 1 ? (10 * b.cols + 8) * kUnits * unit_channels : 0;
  return std::max(pixels * channels, lines);
}

}  // namespace zoom::cpu
