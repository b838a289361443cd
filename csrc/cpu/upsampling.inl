// The up-sampling, written once over `Vec`, a vector of floats. Each instruction set's file defines Vec in an
// unnamed namespace and then includes this one, so that nothing compiled with its flags can be linked into
// another's code. No standard library here, for the same reason: the linker keeps one copy of an inline
// function and may keep the one that this machine cannot run.
//
// Both layouts share one row kernel. A row of a plane is a sequence of vectors: in NHWC vector k is pixel k
// over a block of kLanes channels, in NCHW it is kLanes neighbouring pixels of one channel. The filter runs
// down the columns into a row buffer of floats that has zeros on both sides, then along the buffer with taps
// `step` floats apart (kLanes, or 1 in NCHW). So each input is read from memory once (and three times more
// from cache), each output written once, and nothing else is stored.
#pragma once

#include "cpu/upsampling.hpp"
#include "cpu/vectors.inl"

namespace zoom::cpu {
namespace {

// One plane in NCHW, one image in NHWC.
template <class T>
struct Rows {
  T* data;
  Index pitch;   // elements from a row to the next
  Index stride;  // elements from a vector to the next
  T* row(Index i) const { return data + i * pitch; }
};

// What differs between the layouts.
template <bool kNhwc>
struct Walk {
  Index batch, plane;  // the image, and the first channel of the task
  Index first, last;   // rows of the task
  Index blocks;        // blocks of channels in the task
  Index channels;

  Walk(const Plan& plan, Index task, Index all_channels, Index rows) : channels(all_channels) {
    if constexpr (kNhwc) {
      batch = task / plan.bands;
      plane = 0;
      first = task % plan.bands * plan.rows;
      last = smaller(rows, first + plan.rows);
      blocks = vectors(channels);
    } else {
      batch = task / channels;
      plane = task % channels;
      first = 0;
      last = rows;
      blocks = 1;
    }
  }

  template <class T>
  Rows<T> rows(T* data, Index height, Index width) const {
    if constexpr (kNhwc) {
      return {data + batch * height * width * channels, width * channels, channels};
    } else {
      return {data + (batch * channels + plane) * height * width, width, kLanes};
    }
  }

  static Index length(Index width) { return kNhwc ? width : vectors(width); }
  static constexpr Index step() { return kNhwc ? kLanes : 1; }
  Index offset(Index block) const { return block * kLanes; }
  // Valid lanes of vector k in a row of `width` pixels.
  Index live(Index block, Index k, Index width) const {
    return kNhwc ? channels - block * kLanes : width - k * kLanes;
  }
};

// buffer <- rows top .. top + 3 of a plane through the filter; rows outside [0, height) are zero. The buffer
// gets one vector of zeros before and two behind.
template <bool kNhwc, class T>
void filter_columns(const Walk<kNhwc>& walk, const Rows<const T>& x, Index top, Index height, Index width,
                    Index block, float* buffer) {
  const Index length = walk.length(width);
  const T* row[4];
  for (Index a = 0; a < 4; ++a) {
    row[a] = top + a < 0 || top + a >= height ? nullptr : x.row(top + a) + walk.offset(block);
  }
  zero(buffer, kLanes);
  float* out = buffer + kLanes;
  if (row[0] && row[3]) {
    for (Index k = 0; k < length; ++k) {
      const Index at = k * x.stride, live = walk.live(block, k, width);
      fir4(load(row[0] + at, live), load(row[1] + at, live), load(row[2] + at, live), load(row[3] + at, live))
          .store(out + k * kLanes);
    }
  } else {
    for (Index k = 0; k < length; ++k) {
      const Index at = k * x.stride, live = walk.live(block, k, width);
      Vec v[4];
      for (Index a = 0; a < 4; ++a) v[a] = row[a] ? load(row[a] + at, live) : Vec(0.0f);
      fir4(v[0], v[1], v[2], v[3]).store(out + k * kLanes);
    }
  }
  zero(out + length * kLanes, 2 * kLanes);
}

// What is added to a row of the large image.
template <class T>
struct Addend {
  const T* row = nullptr;  // null where there is nothing to add
  Vec bias = Vec(0.0f), limit;

  template <bool kNhwc>
  Addend(const Upsample& op, const Walk<kNhwc>& walk, Index i, Index block) : limit(op.clamp) {
    if (op.add) {
      row = walk.rows(static_cast<const T*>(op.add), 2 * op.height, 2 * op.width).row(i) + walk.offset(block);
    }
    if (op.bias) {
      bias = kNhwc ? load(op.bias + walk.offset(block), walk.live(block, 0, 0)) : Vec(op.bias[walk.plane]);
    }
  }

  ZOOM_INLINE Vec onto(Vec sum, Index at, Index live) const {
    return row ? sum + limited(load(row + at, live) + bias, limit) : sum;
  }
};

template <class T, bool kNhwc>
void upsample_forward(const Upsample& op, const Plan& plan, Index task, float* scratch) {
  const Walk<kNhwc> walk(plan, task, op.channels, 2 * op.height);
  const Rows<const T> x = walk.rows(static_cast<const T*>(op.from), op.height, op.width);
  const Rows<T> y = walk.rows(static_cast<T*>(op.to), 2 * op.height, 2 * op.width);
  const Index length = walk.length(op.width);
  for (Index i = walk.first; i < walk.last; ++i) {
    const Index near_row = i / 2, far_row = i % 2 ? near_row + 1 : near_row - 1;
    for (Index block = 0; block < walk.blocks; ++block) {
      const T* near = x.row(near_row) + walk.offset(block);
      const T* far = far_row < 0 || far_row >= op.height ? nullptr : x.row(far_row) + walk.offset(block);
      zero(scratch, kLanes);
      for (Index k = 0; k < length; ++k) {
        const Index at = k * x.stride, live = walk.live(block, k, op.width);
        fir2(load(near + at, live), far ? load(far + at, live) : Vec(0.0f)).store(scratch + (k + 1) * kLanes);
      }
      zero(scratch + (length + 1) * kLanes, 2 * kLanes);
      T* to = y.row(i) + walk.offset(block);
      const Addend<T> addend(op, walk, i, block);
      for (Index k = 0; k < length; ++k) {
        const float* at = scratch + (k + 1) * kLanes;
        const Vec even = fir2(Vec::load(at), Vec::load(at - walk.step()));
        const Vec odd = fir2(Vec::load(at), Vec::load(at + walk.step()));
        if constexpr (kNhwc) {
          const Index live = walk.live(block, k, op.width);
          const Index first = 2 * k * y.stride, second = first + y.stride;
          store(to + first, addend.onto(even, first, live), live);
          store(to + second, addend.onto(odd, second, live), live);
        } else {
          float evens[kLanes], odds[kLanes], pairs[2 * kLanes];
          even.store(evens);
          odd.store(odds);
          for (Index j = 0; j < kLanes; ++j) pairs[2 * j] = evens[j], pairs[2 * j + 1] = odds[j];
          const Index live = 2 * walk.live(block, k, op.width);
          const Index first = 2 * k * kLanes, second = first + kLanes;
          store(to + first, addend.onto(Vec::load(pairs), first, live), live);
          if (live > kLanes) {
            const Index rest = live - kLanes;
            store(to + second, addend.onto(Vec::load(pairs + kLanes), second, rest), rest);
          }
        }
      }
    }
  }
}

template <class T, bool kNhwc>
void upsample_backward(const Upsample& op, const Plan& plan, Index task, float* scratch) {
  const Walk<kNhwc> walk(plan, task, op.channels, op.height);
  const Rows<const T> grad = walk.rows(static_cast<const T*>(op.from), 2 * op.height, 2 * op.width);
  const Rows<T> dx = walk.rows(static_cast<T*>(op.to), op.height, op.width);
  const Index length = walk.length(op.width);
  for (Index i = walk.first; i < walk.last; ++i) {
    for (Index block = 0; block < walk.blocks; ++block) {
      filter_columns(walk, grad, 2 * i - 1, 2 * op.height, 2 * op.width, block, scratch);
      T* to = dx.row(i) + walk.offset(block);
      for (Index k = 0; k < length; ++k) {
        const float* at = scratch + (2 * k + 1) * kLanes - walk.step();
        if constexpr (kNhwc) {
          store(to + k * dx.stride, filter_row(at, walk.step()), walk.live(block, k, op.width));
        } else {
          const Index live = smaller(kLanes, walk.live(block, k, op.width));
          float taps[4][kLanes], sums[kLanes];
          for (Index j = 0; j < live; ++j) {
            for (Index a = 0; a < 4; ++a) taps[a][j] = at[2 * j + a];
          }
          for (Index j = live; j < kLanes; ++j) taps[0][j] = taps[1][j] = taps[2][j] = taps[3][j] = 0.0f;
          fir4(Vec::load(taps[0]), Vec::load(taps[1]), Vec::load(taps[2]), Vec::load(taps[3])).store(sums);
          store(to + k * kLanes, Vec::load(sums), live);
        }
      }
    }
  }
}

constexpr Upsampling make_upsampling() {
  return {kLanes,
          {{upsample_forward<float, false>, upsample_forward<float, true>},
           {upsample_forward<bfloat16, false>, upsample_forward<bfloat16, true>}},
          {{upsample_backward<float, false>, upsample_backward<float, true>},
           {upsample_backward<bfloat16, false>, upsample_backward<bfloat16, true>}}};
}

}  // namespace
}  // namespace zoom::cpu
