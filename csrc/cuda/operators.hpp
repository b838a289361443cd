// Each operator as the kernels that it launches: which vector width, how many blocks, what goes where.
// `launch` takes a kernel and its grid; on a device it is csrc/cuda/launch.cu's. Plans depend on shapes and
// alignment alone, not on the device, so that results do not either.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <stdexcept>

#include "cuda/filter.hpp"
#include "cuda/pixelwise.hpp"
#include "cuda/upsample.hpp"

namespace zoom::cuda {

// Blocks that fill today's largest GPUs (148 multiprocessors, 8 blocks of 256 threads each) about once.
constexpr std::int64_t kBlocks = 1024;
// Pixels of a thread, at least: fewer leave little to hide latencies with, and with sums many chunks to add
// up.
constexpr std::int64_t kLeastPixels = 2, kLeastSummed = 8;
// Rows of a strip: more reuse what was read, fewer make more blocks.
constexpr std::int64_t kLeastRows = 4, kMostRows = 16;
// Threads along the channels: a row of pixels is contiguous anyway; the filter shares its columns.
constexpr int kWideTile = 64, kFilterTile = 8;

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Throws std::invalid_argument where the grid is larger than CUDA's limits.
inline void check(const Grid& grid) {
  if (grid.blocks_x > 2147483647 || grid.blocks_y > 65535) {
    throw std::invalid_argument("the tensors are too large for one call: take fewer images at once");
  }
}

struct Chunks {
  std::int64_t pixels, count;  // of a chunk; chunks of an image
};

inline Chunks chunks_of(const Tile& tile, std::int64_t batch, std::int64_t pixels, std::int64_t least) {
  const std::int64_t wanted = divide_up(kBlocks, batch * tile.blocks());
  const std::int64_t count = std::clamp<std::int64_t>(pixels / (tile.across * least), 1, wanted);
  const std::int64_t chunk = divide_up(divide_up(pixels, count), tile.across) * tile.across;
  return {chunk, divide_up(pixels, chunk)};
}

inline Strips strips_of(const Tile& tile, std::int64_t batch, std::int64_t height, std::int64_t width,
                        int halo) {
  Strips result{};
  result.columns = tile.across - halo;
  result.tiles = static_cast<int>(divide_up(width, result.columns));
  const std::int64_t wanted = divide_up(kBlocks, batch * tile.blocks() * result.tiles);
  result.rows = static_cast<int>(std::clamp(divide_up(height, wanted), kLeastRows, kMostRows));
  result.strips = static_cast<int>(divide_up(height, result.rows));
  return result;
}

template <int N>
Tile filter_tile(std::int64_t channels) {
  return Tile::of<N>(channels, kFilterTile);
}

template <int N>
Chunks summed_chunks(std::int64_t batch, std::int64_t channels, std::int64_t pixels) {
  return chunks_of(Tile::of<N>(channels, kWideTile), batch, pixels, kLeastSummed);
}

template <int N>
Strips summed_strips(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width) {
  return strips_of(filter_tile<N>(channels), batch, height, width, 3);
}

// Floats of workspace that a backward pass over x [B, C, H, W] needs at most.
template <int N>
std::int64_t floats_of(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
                       bool fir) {
  std::int64_t parts;
  if (fir) {
    const Strips strips = summed_strips<N>(batch, channels, height, width);
    parts = static_cast<std::int64_t>(strips.strips) * strips.tiles;
  } else {
    parts = summed_chunks<N>(batch, channels, height * width).count;
  }
  return batch * parts * channels;
}

template <int N, class Op, class Launch>
void pixelwise(const Op& op, const Tile& tile, std::int64_t batch, std::int64_t pixels, const Chunks& chunks,
               Launch& launch) {
  const Pixelwise<N, Op> kernel{op, tile, static_cast<int>(pixels), static_cast<int>(chunks.pixels),
                                static_cast<int>(chunks.count)};
  launch(kernel, Grid{batch * chunks.count, tile.blocks(), tile.threads(), kernel.floats()});
}

// [batch, parts, C] to [batch, C].
template <class Launch>
void sum_parts(const float* from, float* to, std::int64_t batch, std::int64_t parts, std::int64_t channels,
               Launch& launch) {
  pixelwise<1>(SumChunks<1>{from, to}, Tile::of<1>(channels, kFilterTile), batch, parts, Chunks{parts, 1},
               launch);
}

// Where the sum of one pass goes: to its place if an image is one part, else to the workspace and from there.
struct Sum {
  float *last, *first;
  std::int64_t batch, parts, channels;

  Sum(float* output, float* workspace, std::int64_t images, std::int64_t parts_of_image, std::int64_t width)
      : last(output),
        first(parts_of_image == 1 ? output : workspace),
        batch(images),
        parts(parts_of_image),
        channels(width) {}

  template <class Launch>
  void finish(Launch& launch) const {
    if (parts > 1) sum_parts(first, last, batch, parts, channels, launch);
  }
};

template <class T, int N, class Launch>
void modulate(const Modulate& call, Launch& launch) {
  const Tile tile = Tile::of<N>(call.channels, kWideTile);
  pixelwise<N>(ModulateForward<T, N>{call}, tile, call.batch, call.pixels,
               chunks_of(tile, call.batch, call.pixels, kLeastPixels), launch);
}

template <class T, int N, class Launch>
void modulate_backward(const Modulate& call, Launch& launch) {
  const Chunks chunks = summed_chunks<N>(call.batch, call.channels, call.pixels);
  const Sum sum(call.dstyle, call.workspace, call.batch, chunks.count, call.channels);
  pixelwise<N>(ModulateBackward<T, N>{call, sum.first}, Tile::of<N>(call.channels, kWideTile), call.batch,
               call.pixels, chunks, launch);
  sum.finish(launch);
}

template <class T, int N, class Launch>
void modulated_epilogue(const Epilogue& call, Launch& launch) {
  if (!call.fir) {
    const std::int64_t pixels = call.height * call.width;
    const Tile tile = Tile::of<N>(call.channels, kWideTile);
    pixelwise<N>(EpilogueForward<T, N>{call}, tile, call.batch, pixels,
                 chunks_of(tile, call.batch, pixels, kLeastPixels), launch);
    return;
  }
  const Tile tile = filter_tile<N>(call.channels);
  const Strips strips = strips_of(tile, call.batch, call.out_height, call.out_width, 0);
  launch(FilterForward<T, N>{call, tile, strips},
         Grid{call.batch * strips.strips * strips.tiles, tile.blocks(), tile.threads(), 0});
}

template <class T, int N, class Launch>
void modulated_epilogue_backward(const Epilogue& call, Launch& launch) {
  if (!call.fir) {
    const std::int64_t pixels = call.height * call.width;
    const Chunks chunks = summed_chunks<N>(call.batch, call.channels, pixels);
    const Sum sum(call.dscale, call.workspace, call.batch, chunks.count, call.channels);
    pixelwise<N>(EpilogueBackward<T, N>{call, sum.first}, Tile::of<N>(call.channels, kWideTile), call.batch,
                 pixels, chunks, launch);
    sum.finish(launch);
    return;
  }
  const Tile tile = filter_tile<N>(call.channels);
  const Strips strips = summed_strips<N>(call.batch, call.channels, call.height, call.width);
  const std::int64_t parts = static_cast<std::int64_t>(strips.strips) * strips.tiles;
  const Sum sum(call.dscale, call.workspace, call.batch, parts, call.channels);
  const FilterBackward<T, N> kernel{call, tile, strips, sum.first};
  launch(kernel, Grid{call.batch * parts, tile.blocks(), tile.threads(), kernel.floats()});
  sum.finish(launch);
}

inline Rows rows_of(const Upsample& call, int threads, int pixels) {
  const int width = static_cast<int>(call.width), across = threads * pixels;
  return {static_cast<int>(call.height), width, (width + across - 1) / across, threads};
}

template <bool kUp, class T, int N, class Launch>
void resample(const Upsample& call, Launch& launch) {
  if (call.channels == 1) {
    const int threads = static_cast<int>(std::clamp<std::int64_t>(divide_up(call.width, N), 32, kThreads));
    const Rows rows = rows_of(call, threads, N);
    launch(ResamplePlanes<T, N, kUp>{call, rows},
           Grid{call.batch * call.height * rows.pieces, 1, threads, 0});
  } else {
    const Tile tile = Tile::of<N>(call.channels, kWideTile);
    const Rows rows = rows_of(call, tile.across, 1);
    launch(ResamplePixels<T, N, kUp>{call, tile, rows},
           Grid{call.batch * call.height * rows.pieces, tile.blocks(), tile.threads(), 0});
  }
}

template <class T, int N, class Launch>
void upsample2x(const Upsample& call, Launch& launch) {
  resample<true, T, N>(call, launch);
}

template <class T, int N, class Launch>
void upsample2x_backward(const Upsample& call, Launch& launch) {
  resample<false, T, N>(call, launch);
}

// True if the images (null ones aside) and their rows of `extent` elements allow loads of whole vectors.
inline bool takes_vectors(std::int64_t extent, int vector, std::initializer_list<const void*> images) {
  return extent % vector == 0 && std::all_of(images.begin(), images.end(), [](const void* image) {
           return reinterpret_cast<std::uintptr_t>(image) % 16 == 0;
         });
}

}  // namespace zoom::cuda
