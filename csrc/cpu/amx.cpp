// AMX: products of 32 pixels and 32 channels in tile registers, over the panels and weights of bfloat16
// pairs. Run only where the processor and the system allow it.
#include "cpu/pairs.inl"
#include "cpu/tiles.inl"

#include "cpu/convolutions.inl"

namespace zoom::cpu {
namespace {

struct AmxEngine : Pairs {
  static constexpr Index kPixels = 64, kTile = 32;
  // The three rows under the taps stay in the first-level cache, beside the weights of a pass.
  static constexpr Index kWidest = 64;
  static constexpr Index kUnitChannels = Pairs::kChannels, kBlockVectors = kUnits * kUnitChannels / kLanes;
  static constexpr Index kPixel = kUnits;  // floats of a pixel that is put
  // Tiles multiply so fast that the transforms may well cost more than they save: not measured.
  static constexpr bool kWinograd = false;

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

  // Reads and writes whole tiles of 16 pixels, whatever `count` is. Weights of a pass stay in the first-level
  // cache while all pixels are multiplied with them; the sums wait in `out`.
  static void multiply(const Operand& a, Index count, float* out) {
    const Index pass = larger(1, kPassBytes / (a.step_count * kUnits * kTile * 4));
    for (Index first = 0; first < a.blocks; first += pass) {
      Operand part = a;
      part.panel += first * a.stride, part.weights += first * a.slice;
      part.blocks = smaller(pass, a.blocks - first);
      for (Index at = 0; at < count; at += 32) {
        (count - at > 16 ? product<true> : product<false>)(part, at, first > 0, out + at * kTile);
      }
    }
  }

 private:
  // Of weights: beside them, the pixels under the taps and the sums fit into 48 KB.
  static constexpr Index kPassBytes = 20480;

  // Tiles 0 to 3 are the sums, 4 and 5 hold pixels, 6 and 7 weights.
  template <bool kBoth>
  static void product(const Operand& a, Index at, bool more, float* out) {
    constexpr Index kPixelBytes = kUnits * 4, kTileBytes = kTile * 4;
    if (more) {
      ZOOM_TILE_LOAD(0, out, kTileBytes);
      ZOOM_TILE_LOAD(1, out + 16, kTileBytes);
      if constexpr (kBoth) {
        ZOOM_TILE_LOAD(2, out + 16 * kTile, kTileBytes);
        ZOOM_TILE_LOAD(3, out + 16 * kTile + 16, kTileBytes);
      }
    } else {
      ZOOM_TILE_ZERO(0);
      ZOOM_TILE_ZERO(1);
      ZOOM_TILE_ZERO(2);
      ZOOM_TILE_ZERO(3);
    }
    for (Index block = 0; block < a.blocks; ++block) {
      for (Index step = 0; step < a.step_count; ++step) {
        const float* pixel = a.panel + block * a.stride + a.steps[step].pixel + at * kUnits;
        const float* weights = a.weights + block * a.slice + a.steps[step].weights;
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
