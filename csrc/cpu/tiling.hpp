// How a convolution is cut into tasks. It depends on shapes and the instruction set alone, so that results do
// not depend on the number of threads.
#pragma once

#include <cstdint>

#include "cpu/convolutions.hpp"

namespace zoom::cpu {

// What differs between the four products.
struct Product {
  std::int64_t halo;    // pixels around a block that it reads
  std::int64_t planes;  // of the panel
  bool filtered;        // up-sampling forward: the product goes through the filter
  bool winograd;        // of squares
};

struct Tiling {
  Product product;
  std::int64_t batch, height, width;  // of the pixels that are made
  std::int64_t limit;                 // pixels, or squares, that a panel may hold
  std::int64_t images, rows, cols;    // of the largest block
  std::int64_t stacks, down, across;  // blocks along the batch and the two axes
  std::int64_t tiles, group_tiles, groups;
  std::int64_t channel_blocks;
  std::int64_t pixels, channels, unit_channels;  // of the kernels

  Tiling(const Product& product, const ModulatedConv& op, const Matrix& matrix, const Convolutions& kernels);

  std::int64_t blocks() const { return stacks * down * across; }
  std::int64_t tasks() const { return blocks() * groups; }
  Block block(std::int64_t index) const;
  // Floats that the panel of any block takes, and the work space behind it.
  std::int64_t panel() const;
  std::int64_t work() const;

 private:
  std::int64_t places() const;  // of a square
};

}  // namespace zoom::cpu
