// The tile registers of AMX, or an emulation of them. Tiles are named by literals, as the intrinsics demand.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "common/bfloat16.hpp"

namespace zoom::cpu {
namespace {

// Palette 1: eight tiles of 16 rows, 64 bytes each.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

#if defined(ZOOM_ENGINE_EMULATE_AMX)

struct alignas(64) Tile {
  float unit[16][16];
};
thread_local Tile tiles[8];

inline void zero_tile(Tile& tile) {
  for (auto& row : tile.unit) std::memset(row, 0, sizeof row);
}
inline void load_tile(Tile& tile, const float* from, std::int64_t bytes) {
  for (int row = 0; row < 16; ++row) std::memcpy(tile.unit[row], from + row * bytes / 4, 64);
}
inline void store_tile(const Tile& tile, float* to, std::int64_t bytes) {
  for (int row = 0; row < 16; ++row) std::memcpy(to + row * bytes / 4, tile.unit[row], 64);
}
// TDPBF16PS: sums[m][n] += a[m][k] . b[k][n] over k, of pairs of bfloat16.
inline void dot_tiles(Tile& sums, const Tile& a, const Tile& b) {
  const auto half = [](const float& pair, int i) {
    bfloat16 value;
    std::memcpy(&value, reinterpret_cast<const char*>(&pair) + 2 * i, sizeof value);
    return widened(value);
  };
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < 16; ++k) {
      for (int n = 0; n < 16; ++n) {
        for (int i = 0; i < 2; ++i) sums.unit[m][n] += half(a.unit[m][k], i) * half(b.unit[k][n], i);
      }
    }
  }
}

#define ZOOM_TILES_CONFIGURE(config) static_cast<void>(config)
#define ZOOM_TILES_RELEASE() static_cast<void>(0)
#define ZOOM_TILE_ZERO(tile) \
  tiles[tile] = Tile {}
#define ZOOM_TILE_LOAD(tile, from, bytes) load_tile(tiles[tile], from, bytes)
#define ZOOM_TILE_STORE(tile, to, bytes) store_tile(tiles[tile], to, bytes)
#define ZOOM_TILE_DOT(sums, a, b) dot_tiles(tiles[sums], tiles[a], tiles[b])

#else

#define ZOOM_TILES_CONFIGURE(config) _tile_loadconfig(&(config))
#define ZOOM_TILES_RELEASE() _tile_release()
#define ZOOM_TILE_ZERO(tile) _tile_zero(tile)
#define ZOOM_TILE_LOAD(tile, from, bytes) _tile_loadd(tile, from, bytes)
#define ZOOM_TILE_STORE(tile, to, bytes) _tile_stored(tile, to, bytes)
#define ZOOM_TILE_DOT(sums, a, b) _tile_dpbf16ps(sums, a, b)

#endif

}  // namespace
}  // namespace zoom::cpu
