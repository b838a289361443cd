// The up-sampling kernels of one instruction set, and the tasks that they are given. A task is one image (or
// a band of its rows) in NHWC, and one plane in NCHW; tasks of one call are independent. `Plan` depends on
// the shape alone, so results do not depend on the number of threads.
#pragma once

#include <cstdint>

#include "common/problem.hpp"

namespace zoom::cpu {

struct Plan {
  std::int64_t bands;  // per image, 1 in NCHW
  std::int64_t rows;   // per band
  std::int64_t tasks;  // in all
};

using UpsamplingKernel = void (*)(const Upsample&, const Plan&, std::int64_t task, float* scratch);

struct Upsampling {
  std::int64_t lanes;
  UpsamplingKernel forward[2][2], backward[2][2];  // [is it bfloat16][is it NHWC]
};

extern const Upsampling kPortableUpsampling;
#if defined(ZOOM_ENGINE_X86)
extern const Upsampling kAvx2Upsampling, kAvx512Upsampling;
#endif

}  // namespace zoom::cpu
