// Kernels that treat each pixel alone: modulation, and the epilogue without the filter. A thread keeps the
// constants of its channels in registers and walks over pixels, so that each tensor is read or written once.
#pragma once

#include "cuda/kernel.hpp"
#include "cuda/problem.hpp"

namespace zoom::cuda {

// Op says what happens to a pixel:
//   Element, kSums        type of the tensors; whether it makes a sum over the pixels of an image
//   float* sum            where that goes, [B, chunks, C] (absent where it makes none)
//   at(image, channel, writes)                     constants of N channels; `writes`: this thread may store
//   them pixel(constants, pixel, offset, sum of the thread)
template <int N, class Op>
struct Pixelwise {
  struct State {};

  Op op;
  Tile tile;
  int pixels, chunk, chunks;  // of an image; pixels of a chunk

  int floats() const { return Op::kSums ? BlockSum<N>{tile}.floats() : 0; }

  ZOOM_INLINE int steps() const { return Op::kSums ? BlockSum<N>{tile}.halvings() + 2 : 1; }

  ZOOM_INLINE void step(int step, State&, const Place& place, float* memory) const {
    if (step == 0) {
      walk(place, memory);
    } else if constexpr (Op::kSums) {
      const BlockSum<N> sum{tile};
      if (step < steps() - 1) {
        sum.halve(step - 1, memory, place);
      } else {
        sum.take(memory, place, op.sum, static_cast<std::int64_t>(place.block_x) * tile.channels);
      }
    }
  }

  ZOOM_INLINE void walk(const Place& place, float* memory) const {
    const int image = place.block_x / chunks, first = place.block_x % chunks * chunk;
    const int last = pixels < first + chunk ? pixels : first + chunk;
    const int vector = tile.vector(place), row = tile.row(place);
    Pack<N> sum(0.0f);
    if (vector < tile.vectors) {
      const auto constants = op.at(image, vector * N, first == 0 && row == 0);
      const std::int64_t base = static_cast<std::int64_t>(image) * pixels * tile.channels + vector * N;
#pragma unroll 4
      for (int pixel = first + row; pixel < last; pixel += tile.across) {
        op.pixel(constants, pixel, base + static_cast<std::int64_t>(pixel) * tile.channels, sum);
      }
    }
    if constexpr (Op::kSums) BlockSum<N>{tile}.put(memory, place, sum);
  }
};

template <class T, int N>
struct ModulateForward {
  using Element = T;
  static constexpr bool kSums = false;
  Modulate call;

  ZOOM_INLINE Pack<N> at(int image, int channel, bool writes) const {
    const std::int64_t channels = call.channels, place = image * channels + channel;
    Pack<N> style = gather<N>(call.styles + place);
    for (int edit = 0; edit < call.edits; ++edit) {
      const Pack<N> weight(load<1>(call.edit_weights + image * call.edits + edit).lane[0]);
      style = fused(weight, gather<N>(call.edit_directions + edit * call.directions_pitch + channel), style);
    }
    if (writes) {
      for (int i = 0; i < N; ++i) call.style[place + i] = style.lane[i];
    }
    return style;
  }

  ZOOM_INLINE void pixel(const Pack<N>& style, int, std::int64_t offset, Pack<N>&) const {
    store(load<N>(static_cast<const T*>(call.x) + offset) * style, static_cast<T*>(call.out) + offset);
  }
};

template <class T, int N>
struct ModulateBackward {
  using Element = T;
  static constexpr bool kSums = true;
  Modulate call;
  float* sum;

  ZOOM_INLINE Pack<N> at(int image, int channel, bool) const {
    return gather<N>(call.styles + image * call.channels + channel);
  }

  ZOOM_INLINE void pixel(const Pack<N>& style, int, std::int64_t offset, Pack<N>& total) const {
    const Pack<N> grad = load<N>(static_cast<const T*>(call.grad) + offset);
    total = fused(grad, load<N>(static_cast<const T*>(call.x) + offset), total);
    store(grad * style, static_cast<T*>(call.dx) + offset);
  }
};

// What the epilogue knows of N channels.
template <int N>
struct EpilogueConstants {
  Pack<N> scale, bias;

  ZOOM_INLINE EpilogueConstants(const Epilogue& call, int image, int channel)
      : scale(gather<N>(call.scale + image * call.channels + channel)),
        bias(gather<N>(call.bias + channel)) {}

  ZOOM_INLINE Pack<N> shift(const Epilogue& call, int pixel) const {
    return call.noise ? bias + Pack<N>(load<1>(call.noise + pixel).lane[0]) : bias;
  }

  ZOOM_INLINE Pack<N> forward(const Epilogue& call, const Pack<N>& u, int pixel) const {
    return epilogue(u, scale, shift(call, pixel), call.activation);
  }

  // d loss / d u from d loss / d y, and what it adds to the sum of dscale (where `counts`).
  ZOOM_INLINE Pack<N> backward(const Epilogue& call, const Pack<N>& grad, const Pack<N>& u, int pixel,
                               bool counts, Pack<N>& sum) const {
    const Pack<N> dv = epilogue_gradient(grad, u, scale, shift(call, pixel), call.activation);
    if (counts) sum = fused(dv, u, sum);
    return dv * scale;
  }
};

template <class T, int N>
struct EpilogueForward {
  using Element = T;
  static constexpr bool kSums = false;
  Epilogue call;

  ZOOM_INLINE EpilogueConstants<N> at(int image, int channel, bool) const { return {call, image, channel}; }

  ZOOM_INLINE void pixel(const EpilogueConstants<N>& constants, int pixel, std::int64_t offset,
                         Pack<N>&) const {
    const Pack<N> u = load<N>(static_cast<const T*>(call.x) + offset);
    store(constants.forward(call, u, pixel), static_cast<T*>(call.y) + offset);
  }
};

template <class T, int N>
struct EpilogueBackward {
  using Element = T;
  static constexpr bool kSums = true;
  Epilogue call;
  float* sum;

  ZOOM_INLINE EpilogueConstants<N> at(int image, int channel, bool) const { return {call, image, channel}; }

  ZOOM_INLINE void pixel(const EpilogueConstants<N>& constants, int pixel, std::int64_t offset,
                         Pack<N>& total) const {
    const Pack<N> u = load<N>(static_cast<const T*>(call.x) + offset);
    const Pack<N> grad = load<N>(static_cast<const T*>(call.grad) + offset);
    store(constants.backward(call, grad, u, pixel, true, total), static_cast<T*>(call.dx) + offset);
  }
};

// The second pass of a sum: [B, chunks, C] to [B, C].
template <int N>
struct SumChunks {
  using Element = float;
  static constexpr bool kSums = true;
  const float* from;
  float* sum;

  struct Nothing {};
  ZOOM_INLINE Nothing at(int, int, bool) const { return {}; }

  ZOOM_INLINE void pixel(const Nothing&, int, std::int64_t offset, Pack<N>& total) const {
    total = total + load<N>(from + offset);
  }
};

}  // namespace zoom::cuda
