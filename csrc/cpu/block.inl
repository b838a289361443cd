// Walking a block: its taps, tiles of its pixels, runs of a tile within a row, and channels that may be
// missing.
#pragma once

#include "cpu/convolutions.hpp"
#include "cpu/multiply.inl"
#include "cpu/vectors.inl"

namespace zoom::cpu {
namespace {

// Calls tile(first, count) for equal shares of [begin, end), none longer than `longest`.
template <class Tile>
ZOOM_INLINE void for_each_tile(Index begin, Index end, Index longest, Tile&& tile) {
  for (Index tiles = (end - begin + longest - 1) / longest; tiles > 0; --tiles) {
    const Index count = (end - begin + tiles - 1) / tiles;
    tile(begin, count);
    begin += count;
  }
}

// `part` of a tile of channels at pixels of a block; `steps` is memory for its taps, of which a kernel has 9.
inline Operand operand(const Matrix& matrix, Index tile, int part, const Task& task, Step* steps) {
  const Block& block = task.block;
  Index count = 0;
  for (int t = matrix.begin[part]; t < matrix.begin[part + 1]; ++t) {
    const Tap& tap = matrix.taps[t];
    steps[count] = {(tap.plane * block.plane + tap.dy * block.pitch + tap.dx) * kUnits, count * matrix.slice};
    ++count;
  }
  const float* weights =
      matrix.data + tile * matrix.tile_size + matrix.begin[part] * matrix.blocks * matrix.slice;
  return {task.panel, weights, matrix.blocks, block.stride, count * matrix.slice, steps, count};
}

// Calls run(image, row, first column, count, first pixel of the tile) for the pixels of the tile [first,
// first + count) that are no border; pixel 0 is the block's first one.
template <class Run>
ZOOM_INLINE void for_each_run(const Block& block, Index first, Index count, Run&& run) {
  for (Index done = 0; done < count;) {
    const Index at = first + done, in_image = at % block.image_pitch;
    const Index row = in_image / block.pitch, col = in_image % block.pitch;
    const Index length = smaller(count - done, block.pitch - col);
    if (row < block.rows && col < block.cols) {
      run(at / block.image_pitch, row, col, smaller(length, block.cols - col), done);
    }
    done += length;
  }
}

// The whole product of a task with a matrix of one part. Calls take(tile of channels, image, row, col, count,
// product [count][kTile]) for runs of pixels.
template <class Engine, class Take>
ZOOM_INLINE void multiply_block(const Matrix& matrix, const Task& task, Take&& take) {
  const Block& block = task.block;
  Step steps[9];
  const Index pixels = (block.images - 1) * block.image_pitch + (block.rows - 1) * block.pitch + block.cols;
  for (Index tile = task.first_tile; tile < task.last_tile; ++tile) {
    Operand product = operand(matrix, tile, 0, task, steps);
    for_each_tile(0, pixels, Engine::kPixels, [&](Index first, Index count) {
      product.panel = task.panel + (block.origin + first) * kUnits;
      Engine::multiply(product, count, task.work);
      for_each_run(block, first, count, [&](Index image, Index row, Index col, Index length, Index at) {
        take(tile, image, row, col, length, task.work + at * Engine::kTile);
      });
    });
  }
}

// Vectors of a block of `kVectors` vectors of channels; those beyond `live` channels are zero.
template <int kVectors, class T>
ZOOM_INLINE void load_channels(Vec* to, const T* from, Index live) {
  for (int i = 0; i < kVectors; ++i) {
    const Index rest = live - i * kLanes;
    to[i] = rest > 0 ? load(from + i * kLanes, rest) : Vec(0.0f);
  }
}

// A result of this size is not in the caches any more when it is read again: whole lines of it are written
// past them, which saves reading what is overwritten.
constexpr Index kPastCaches = 8 << 20;

template <int kVectors, class T>
constexpr bool kIsLine = Vec::kStoresLines && kVectors == 2 && sizeof(T) == 2;

template <int kVectors, class T>
ZOOM_INLINE bool past_caches(const T* result, Index pixels, Index channels) {
  return kIsLine<kVectors, T> && pixels * channels * Index{sizeof(T)} >= kPastCaches &&
         channels % (kVectors * kLanes) == 0 && reinterpret_cast<std::uintptr_t>(result) % 64 == 0;
}

template <int kVectors, class T, class V = Vec>
ZOOM_INLINE void store_channels(T* to, const Vec* from, Index live, bool past = false) {
  if constexpr (kIsLine<kVectors, T>) {
    if (live >= kVectors * kLanes) return V::store_line(to, from, past);
  }
  for (int i = 0; i < kVectors; ++i) {
    const Index rest = live - i * kLanes;
    if (rest > 0) store(to + i * kLanes, from[i], rest);
  }
}

// The same for float32 parameters that may be missing.
template <int kVectors>
ZOOM_INLINE void load_parameter(Vec* to, const float* from, Index live) {
  if (from) return load_channels<kVectors>(to, from, live);
  for (int i = 0; i < kVectors; ++i) to[i] = Vec(0.0f);
}

}  // namespace
}  // namespace zoom::cpu
