// What a kernel is here: a struct of its arguments with
//
//   State                                  what a thread keeps in registers,
//   int steps() const                      how many steps a block takes, with a barrier between any two,
//   void step(int, State&, Place, float*)  one step of one thread; the last argument is the block's memory.
//
// Nothing in it is CUDA's: csrc/cuda/launch.cu runs a kernel on a device, tests/native/launch_on_cpu.cpp runs
// every step of every thread of every block on the CPU, which is how the kernels are tested without a device.
// Threads meet in the block's memory alone (no shuffles, no atomics), so results repeat bit by bit.
#pragma once

#include <cstdint>

#include "common/pack.hpp"

namespace zoom::cuda {

constexpr int kThreads = 256;

struct Place {
  int block_x, block_y, thread;
};

struct Grid {
  std::int64_t blocks_x, blocks_y;
  int threads;
  int floats;  // of the block's memory
};

// The threads of a block: `lanes` of them side by side along the channels, N channels each, times `across`.
struct Tile {
  int channels, vectors, lanes, across;

  template <int N>
  static Tile of(std::int64_t channels, int most_lanes) {
    Tile tile{};
    tile.channels = static_cast<int>(channels);
    tile.vectors = tile.channels / N;
    tile.lanes = tile.vectors < most_lanes ? tile.vectors : most_lanes;
    tile.across = kThreads / tile.lanes;
    return tile;
  }

  ZOOM_INLINE int threads() const { return lanes * across; }
  std::int64_t blocks() const { return (vectors + lanes - 1) / lanes; }

  ZOOM_INLINE int vector(const Place& place) const { return place.block_y * lanes + place.thread % lanes; }
  ZOOM_INLINE int row(const Place& place) const { return place.thread / lanes; }
};

// A sum over a block's `across`: every thread puts its own, then come `halvings` with a barrier before each,
// and after one more barrier the first row of threads gets the totals.
template <int N>
struct BlockSum {
  Tile tile;

  int floats() const { return tile.threads() * N; }

  ZOOM_INLINE int halvings() const {
    int count = 0;
    for (int rows = tile.across; rows > 1; rows = (rows + 1) / 2) ++count;
    return count;
  }

  ZOOM_INLINE Pack<N>* slot(float* memory, int thread) const {
    return reinterpret_cast<Pack<N>*>(memory) + thread;
  }

  ZOOM_INLINE void put(float* memory, const Place& place, const Pack<N>& sum) const {
    *slot(memory, place.thread) = sum;
  }

  ZOOM_INLINE void halve(int turn, float* memory, const Place& place) const {
    int rows = tile.across;
    for (int i = 0; i < turn; ++i) rows = (rows + 1) / 2;
    const int half = (rows + 1) / 2;
    if (tile.row(place) >= rows - half) return;
    Pack<N>* mine = slot(memory, place.thread);
    *mine = *mine + *slot(memory, place.thread + half * tile.lanes);
  }

  // to + offset <- the totals.
  ZOOM_INLINE void take(float* memory, const Place& place, float* to, std::int64_t offset) const {
    if (tile.row(place) > 0 || tile.vector(place) >= tile.vectors) return;
    const Pack<N> total = *slot(memory, place.thread);
    for (int i = 0; i < N; ++i) to[offset + tile.vector(place) * N + i] = total.lane[i];
  }
};

}  // namespace zoom::cuda
