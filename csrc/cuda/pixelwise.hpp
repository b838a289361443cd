// Kernels that treat each pixel alone: modulation, and the epilogue without the filter. A thread keeps the
// constants of its channels in registers and walks over pixels, so that each tensor is read or written once.
#pragma once

#include "cuda/kernel.hpp"
#include "cuda/problem.hpp"

namespace zoom::cuda {

// Op says what happens to a pixel:
//   Element, kSums        type of the tensors; how many sums over the pixels of an image it makes
//   float* sums[]         where they go, [B, chunks, C] each, or null (absent where kSums is 0)
//   at(image, channel, writes)                     constants of N channels; `writes`: this thread may store
//   them pixel(constants, pixel, offset, sums of the thread)
template <int N, class Op>
struct Pixelwise {
  static constexpr int kSlots = Op::kSums > 0 ? Op::kSums : 1;
  struct State {};

  Op op;
  Tile tile;
  int pixels, chunk, chunks;  // of an image; pixels of a chunk

  int floats() const { return Op::kSums > 0 ? BlockSum<N, kSlots>{tile}.floats() : 0; }

  ZOOM_INLINE int steps() const { return Op::kSums > 0 ? BlockSum<N, kSlots>{tile}.halvings() + 2 : 1; }

  ZOOM_INLINE void step(int step, State&, const Place& place, float* memory) const {
    if (step == 0) {
      walk(place, memory);
    } else if constexpr (Op::kSums > 0) {
      const BlockSum<N, kSlots> sum{tile};
      if (step < steps() - 1) {
        sum.halve(step - 1, memory, place);
      } else {
        sum.take(memory, place, op.sums, static_cast<std::int64_t>(place.block_x) * tile.channels);
      }
    }
  }

  ZOOM_INLINE void walk(const Place& place, float* memory) const {
    const int image = place.block_x / chunks, first = place.block_x % chunks * chunk;
    const int last = pixels < first + chunk ? pixels : first + chunk;
    const int vector = tile.vector(place), row = tile.row(place);
    Pack<N> sums[kSlots];
    for (int which = 0; which < kSlots; ++which) sums[which] = Pack<N>(0.0f);
    if (vector < tile.vectors) {
      const auto constants = op.at(image, vector * N, first == 0 && row == 0);
      const std::int64_t base = static_cast<std::int64_t>(image) * pixels * tile.channels + vector * N;
#pragma unroll 4
      for (int pixel = first + row; pixel < last; pixel += tile.across) {
        op.pixel(constants, pixel, base + static_cast<std::int64_t>(pixel) * tile.channels, sums);
      }
    }
    if constexpr (Op::kSums > 0) BlockSum<N, kSlots>{tile}.put(memory, place, sums);
  }
};

template <class T, int N>
struct ModulateForward {
  using Element = T;
  static constexpr int kSums = 0;
  Modulate call;

  ZOOM_INLINE Pack<N> at(int image, int channel, bool writes) const {
    const std::int64_t channels = call.channels, place = image * channels + channel;
    Pack<N> style = gather<N>(call.styles + place);
    for (int edit = 0; edit < call.edits; ++edit) {
      const Pack<N> weight(load<1>(call.edit_weights + image * call.edits + edit).lane[0]);
      style = fused(weight, gather<N>(call.edit_directions + edit * channels + channel), style);
    }
    if (writes && call.style) {
      for (int i = 0; i < N; ++i) call.style[place + i] = style.lane[i];
    }
    return style;
  }

  ZOOM_INLINE void pixel(const Pack<N>& style, int, std::int64_t offset, Pack<N> (&)[1]) const {
    store(load<N>(static_cast<const T*>(call.x) + offset) * style, static_cast<T*>(call.out) + offset);
  }
};

template <class T, int N>
struct ModulateBackward {
  using Element = T;
  static constexpr int kSums = 1;
  Modulate call;
  float* sums[1];

  ZOOM_INLINE Pack<N> at(int image, int channel, bool) const {
    return gather<N>(call.styles + image * call.channels + channel);
  }

  ZOOM_INLINE void pixel(const Pack<N>& style, int, std::int64_t offset, Pack<N> (&sum)[1]) const {
    const Pack<N> grad = load<N>(static_cast<const T*>(call.grad) + offset);
    sum[0] = fused(grad, load<N>(static_cast<const T*>(call.x) + offset), sum[0]);
    store(grad * style, static_cast<T*>(call.dx) + offset);
  }
};

// What the epilogue knows of N channels.
template <int N>
struct EpilogueConstants {
  Pack<N> scale, bias, next;

  ZOOM_INLINE EpilogueConstants(const Epilogue& call, int image, int channel)
      : scale(gather<N>(call.scale + image * call.channels + channel)),
        bias(gather<N>(call.bias + channel)),
        next(call.next_style ? gather<N>(call.next_style + image * call.channels + channel) : Pack<N>(1.0f)) {
  }

  ZOOM_INLINE Pack<N> shift(const Epilogue& call, int pixel) const {
    return call.noise ? bias + Pack<N>(load<1>(call.noise + pixel).lane[0]) : bias;
  }

  ZOOM_INLINE Pack<N> forward(const Epilogue& call, const Pack<N>& u, int pixel) const {
    return epilogue(u, scale, shift(call, pixel), call.activation) * next;
  }

  // d loss / d u from d loss / d y, and what it adds to the sums of dscale and dnext_style (where `counts`).
  ZOOM_INLINE Pack<N> backward(const Epilogue& call, const Pack<N>& grad, const Pack<N>& u, int pixel,
                               bool counts, Pack<N> (&sums)[2]) const {
    const Pack<N> moved = shift(call, pixel);
    const Pack<N> dv = epilogue_gradient(grad * next, u, scale, moved, call.activation);
    if (counts) {
      sums[0] = fused(dv, u, sums[0]);
      if (call.next_style) sums[1] = fused(grad, epilogue(u, scale, moved, call.activation), sums[1]);
    }
    return dv * scale;
  }
};

template <class T, int N>
struct EpilogueForward {
  using Element = T;
  static constexpr int kSums = 0;
  Epilogue call;

  ZOOM_INLINE EpilogueConstants<N> at(int image, int channel, bool) const { return {call, image, channel}; }

  ZOOM_INLINE void pixel(const EpilogueConstants<N>& constants, int pixel, std::int64_t offset,
                         Pack<N> (&)[1]) const {
    const Pack<N> u = load<N>(static_cast<const T*>(call.x) + offset);
    store(constants.forward(call, u, pixel), static_cast<T*>(call.y) + offset);
  }
};

template <class T, int N>
struct EpilogueBackward {
  using Element = T;
  static constexpr int kSums = 2;
  Epilogue call;
  float* sums[2];

  ZOOM_INLINE EpilogueConstants<N> at(int image, int channel, bool) const { return {call, image, channel}; }

  ZOOM_INLINE void pixel(const EpilogueConstants<N>& constants, int pixel, std::int64_t offset,
                         Pack<N> (&sum)[2]) const {
    const Pack<N> u = load<N>(static_cast<const T*>(call.x) + offset);
    const Pack<N> grad = load<N>(static_cast<const T*>(call.grad) + offset);
    store(constants.backward(call, grad, u, pixel, true, sum), static_cast<T*>(call.dx) + offset);
  }
};

// The second pass of every sum: [B, chunks, C] to [B, C].
template <int N>
struct SumChunks {
  using Element = float;
  static constexpr int kSums = 1;
  const float* from;
  float* sums[1];

  struct Nothing {};
  ZOOM_INLINE Nothing at(int, int, bool) const { return {}; }

  ZOOM_INLINE void pixel(const Nothing&, int, std::int64_t offset, Pack<N> (&sum)[1]) const {
    sum[0] = sum[0] + load<N>(from + offset);
  }
};

}  // namespace zoom::cuda
