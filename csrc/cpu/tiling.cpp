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
// Squares are transformed again in every task, and the products of one tile of channels lie beside the panel.
// Backward through the filter the border costs more than memory does.
constexpr Index kTasksOfSquares = 4, kSquaresBytes = 300 << 10, kSquaresBytesDown = 768 << 10,
                kSquaresAcross = 16;
constexpr Index kPlaces = 16, kProductsUp = 9, kPlacesDown = 25, kProductsDown = 9;
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
  Index of_image;
  if (product.winograd) {
    // With up-sampling a strip of squares, of which there is one more on either side.
    const Index bytes = product.planes > 1 ? kSquaresBytesDown : kSquaresBytes;
    limit = std::max<Index>(1, bytes / (places() * 4 * (channel_blocks * kUnits + channels)));
    cols = product.filtered ? even(width, kWidestFiltered)
                            : 2 * even(divide_up(width, 2), std::min(limit, kSquaresAcross));
    rows = product.filtered ? height : 2 * even(divide_up(height, 2), std::max<Index>(1, limit / (cols / 2)));
    const Index more = product.filtered ? 2 : 0;
    of_image = divide_up(width + more, 2) * divide_up(height + more, 2);
  } else {
    limit = kPanelBytes / (product.planes * channel_blocks * kUnits * 4);
    cols = even(width, product.filtered ? kWidestFiltered : kernels.widest);
    rows = even(height, std::max(limit / cols, product.filtered ? kFewestFiltered : kFewestRows));
    of_image = rows * cols;
  }
  images = rows >= height && cols >= width ? even(batch, std::clamp<Index>(limit / of_image, 1, batch)) : 1;
  stacks = divide_up(batch, images), down = divide_up(height, rows), across = divide_up(width, cols);
  tiles = divide_up(matrix.out_channels, channels);
  const Index tasks = product.winograd ? kTasksOfSquares : product.planes > 1 ? kTasksOfPlanes : kTasks;
  group_tiles = divide_up(tiles, std::clamp<Index>(divide_up(tasks, blocks()), 1, tiles));
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
  b.halo = product.halo, b.below = b.right = product.halo;
  if (product.winograd) {
    Index squares;
    if (product.filtered) {
      // Squares begin a pixel before the block, and read one more before that.
      b.square_cols = divide_up(b.cols + 2, 2), b.square_rows = divide_up(b.rows + 2, 2);
      b.halo = 2, b.right = 2 * b.square_cols - 1 - b.cols;
      // Of the widest block: a narrow one would take more rows, and more memory than there is.
      b.strip = std::clamp<Index>(limit / divide_up(cols + 2, 2), 1, b.images * b.square_rows);
      b.pitch = 2 * b.square_cols;
      b.phase = (2 * b.strip + 2) * b.pitch * channels;
      squares = b.strip * b.square_cols;
    } else if (product.planes > 1) {
      b.square_rows = divide_up(b.rows, 2), b.square_cols = divide_up(b.cols, 2);
      squares = b.images * b.square_rows * b.square_cols;
    } else {
      b.square_rows = divide_up(b.rows, 2), b.square_cols = divide_up(b.cols, 2);
      b.below += b.rows % 2, b.right += b.cols % 2;
      b.pitch = 2 * b.square_cols + 2;
      b.image_pitch = (2 * b.square_rows + 2) * b.pitch;
      b.origin = b.pitch + 1;
      squares = b.images * b.square_rows * b.square_cols;
    }
    // Odd numbers of lines, or what is read together would share sets of the first-level cache.
    squares |= 1;
    b.plane = channel_blocks * squares | 1;
    b.stride = squares * kUnits;
    return b;
  }
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

Index Tiling::places() const {
  return product.planes > 1 ? kPlacesDown : kPlaces;
}

Index Tiling::panel() const {
  const Block b = block(0);
  return product.winograd ? places() * b.plane * kUnits : channel_blocks * b.stride;
}

Index Tiling::work() const {
  const Block b = block(0);
  if (product.winograd) {
    // Pixels under the squares, or products.
    const Index squares = b.stride / kUnits, pixel = kUnits * unit_channels;
    if (product.filtered) {
      const Index read = (2 * b.strip + 1) * (2 * b.square_cols + 1) * pixel;
      return group_tiles * 4 * b.phase + std::max(read, kProductsUp * (squares + 1) * channels);
    }
    if (product.planes > 1) {
      const Index across = 4 * b.square_cols + 1, read = (across * (4 * b.square_rows + 6) + 3) * pixel;
      return std::max(read, (kProductsDown * (squares + 1) + 2 * b.square_cols) * channels);
    }
    const Index read = b.images * b.image_pitch * pixel;
    return std::max(read, (kPlaces * (squares + 1) + 2 * b.square_cols) * channels);
  }
  if (product.filtered) return 4 * b.phase;
  // Backward through the filter: a row of gradients, and four filtered ones.
  const Index lines = product.planes > 1 ? (10 * b.cols + 8) * kUnits * unit_channels : 0;
  return std::max(pixels * channels, lines);
}

}  // namespace zoom::cpu
