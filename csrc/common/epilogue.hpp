// The arithmetic of the operators, written once for every target.
//
// V is a vector of floats (csrc/cpu) or a plain float (a CUDA thread, a literal test). It needs + and *, and
// the free functions fused(a, b, c) = a * b + c, positive(v, a, b) = v > 0 ? a : b, within(v, limit, a) = |v|
// > limit ? 0 : a, and limited(v, limit) = min(max(v, -limit), limit) that hands NaN through.
#pragma once

#if defined(__CUDACC__)
#define ZOOM_INLINE __host__ __device__ __forceinline__
#else
#define ZOOM_INLINE inline __attribute__((always_inline))
#endif

namespace zoom {

// Options of the fused epilogue y = clamp(leaky_relu(u * scale + noise + bias) * gain). No clamp is an
// infinite one.
struct Activation {
  float slope, gain, clamp;
};

// One axis of the [1, 3, 3, 1] / 8 filter times 2: the gain of a x2 up-sampling (Karras 2020).
constexpr float kOuterTap = 0.25f, kInnerTap = 0.75f;

template <class V>
ZOOM_INLINE V fir4(V a, V b, V c, V d) {
  return fused(b + c, V(kInnerTap), (a + d) * V(kOuterTap));
}

// The two non-zero taps that meet at one place of a zero-inserted signal.
template <class V>
ZOOM_INLINE V fir2(V near, V far) {
  return fused(near, V(kInnerTap), far * V(kOuterTap));
}

template <class V>
ZOOM_INLINE V epilogue(V u, V scale, V shift, const Activation& f) {
  const V v = fused(u, scale, shift);
  return limited(v * positive(v, V(f.gain), V(f.gain * f.slope)), V(f.clamp));
}

// d loss / d (u * scale + noise + bias), from d loss / d y.
template <class V>
ZOOM_INLINE V epilogue_gradient(V grad, V u, V scale, V shift, const Activation& f) {
  const V v = fused(u, scale, shift);
  const V slope = positive(v, V(f.gain), V(f.gain * f.slope));
  return within(v * slope, V(f.clamp), grad * slope);
}

// The same from y = clamp(leaky_relu(v) * gain) as it was stored; f.clamp is the largest y that was not
// clamped. Needs gain > 0 and slope > 0, as has the next one.
template <class V>
ZOOM_INLINE V epilogue_gradient_from(V y, V grad, const Activation& f) {
  return within(y, V(f.clamp), grad * positive(y, V(f.gain), V(f.gain * f.slope)));
}

// v from such a y.
template <class V>
ZOOM_INLINE V before_activation(V y, const Activation& f) {
  return y * positive(y, V(1.0f / f.gain), V(1.0f / (f.gain * f.slope)));
}

}  // namespace zoom
