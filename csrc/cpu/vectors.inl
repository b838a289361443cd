// What every kernel needs beside `Vec`, which the including file has defined.
#pragma once

#include "common/epilogue.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;
constexpr Index kLanes = Vec::kLanes;

inline Index smaller(Index a, Index b) {
  return a < b ? a : b;
}
inline Index larger(Index a, Index b) {
  return a > b ? a : b;
}
inline Index vectors(Index count) {
  return (count + kLanes - 1) / kLanes;
}

template <class T>
ZOOM_INLINE Vec load(const T* from, Index live) {
  return live >= kLanes ? Vec::load(from) : Vec::load(from, live);
}

template <class T>
ZOOM_INLINE void store(T* to, Vec value, Index live) {
  if (live >= kLanes) {
    value.store(to);
  } else {
    value.store(to, live);
  }
}

ZOOM_INLINE void zero(float* to, Index count) {
  for (Index i = 0; i < count; i += kLanes) Vec(0.0f).store(to + i);
}

ZOOM_INLINE void copy(const float* from, float* to, Index count) {
  for (Index i = 0; i < count; i += kLanes) Vec::load(from + i).store(to + i);
}

// Four vectors `step` floats apart through the filter.
ZOOM_INLINE Vec filter_row(const float* at, Index step) {
  return fir4(Vec::load(at), Vec::load(at + step), Vec::load(at + 2 * step), Vec::load(at + 3 * step));
}

// to[i] += lane i.
ZOOM_INLINE void add_lanes(double* to, Vec lanes, Index live) {
  float lane[kLanes];
  lanes.store(lane);
  if (live >= kLanes) {
    for (Index i = 0; i < kLanes; ++i) to[i] += lane[i];
  } else {
    for (Index i = 0; i < live; ++i) to[i] += lane[i];
  }
}

}  // namespace
}  // namespace zoom::cpu
