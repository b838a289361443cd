// AMX: products of 32 pixels and 32 channels in tile registers, over the panels and weights of bfloat16
// pairs. Run only where the processor and the system allow it.
#include "cpu/pairs.inl"
#include "cpu/tiles.inl"

#include "cpu/convolutions.inl"

namespace zoom::cpu {
namespace {

struct AmxEngine : Pairs {
  static constexpr Index kPixels = 32, kTile = 32;
  static constexpr Index kUnitChannels = Pairs::kChannels, kBlockVectors = kUnits * kUnitChannels / kLanes;

  // Other code of this thread may configure tiles in its own way, but not while a session lasts.
  struct Session {
    Session() {
      const TileConfig config;
      ZOOM_TILES_CONFIGURE(config);
    }
    ~Session() { ZOOM_TILES_RELEASE(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  // Reads and writes whole tiles of 16 pixels, whatever `count` is.
  static void multiply(const Operand& a, const float* weights, Index count, float* out) {
    count > 16 ? product<true>(a, weights, out) : product<false>(a, weights, out);
  }

 private:
  // Tiles 0 to 3 are the sums, 4 and 5 hold pixels, 6 and 7 weights.
  template <bool kBoth>
  static void product(const Operand& a, const float* weights, float* out) {
    constexpr Index kPixelBytes = kUnits * 4, kTileBytes = kTile * 4;
    ZOOM_TILE_ZERO(0);
    ZOOM_TILE_ZERO(1);
    ZOOM_TILE_ZERO(2);
    ZOOM_TILE_ZERO(3);
    for (Index block = 0; block < a.blocks; ++block) {
      for (Index tap = 0; tap < a.tap_count; ++tap) {
        const float* pixel = a.panel + block * a.stride + a.taps[tap];
        ZOOM_TILE_LOAD(6, weights, kTileBytes);
        ZOOM_TILE_LOAD(7, weights + 16, kTileBytes);
        ZOOM_TILE_LOAD(4, pixel, kPixelBytes);
        ZOOM_TILE_DOT(0, 4, 6);
        ZOOM_TILE_DOT(1, 4, 7);
        if constexpr (kBoth) {
          ZOOM_TILE_LOAD(5, pixel + 16 * kUnits, kPixelBytes);
          ZOOM_TILE_DOT(2, 5, 6);
          ZOOM_TILE_DOT(3, 5, 7);
        }
        weights += kUnits * kTile;
      }
    }
    ZOOM_TILE_STORE(0, out, kTileBytes);
    ZOOM_TILE_STORE(1, out + 16, kTileBytes);
    if constexpr (kBoth) {
      ZOOM_TILE_STORE(2, out + 16 * kTile, kTileBytes);
      ZOOM_TILE_STORE(3, out + 16 * kTile + 16, kTileBytes);
    }
  }
};

}  // namespace

constexpr Convolutions kAmx = make_convolutions<AmxEngine, bfloat16>();

}  // namespace zoom::cpu
