// The table of functions that each instruction set fills in. A task is one image (or a band of its rows) in
// NHWC, and one plane in NCHW; tasks of one call are independent. `Plan` depends on the shape alone, so
// results do not depend on the number of threads.
#pragma once

#include <cstdint>

#include "common/problem.hpp"

namespace zoom::cpu {

struct Plan {
  std::int64_t bands;    // per image, 1 in NCHW
  std::int64_t rows;     // per band
  std::int64_t tasks;    // in all
  std::int64_t scratch;  // floats that each task needs
};

struct Kernels {
  std::int64_t lanes;
  void (*epilogue_forward)(const Epilogue&, const Plan&, std::int64_t task, float* scratch);
  // `sums` [task, C] (NHWC) or [task] (NCHW): the task's share of dscale.
  void (*epilogue_backward)(const Epilogue&, const Plan&, std::int64_t task, float* scratch, double* sums);
  void (*upsample_forward)(const Upsample&, const Plan&, std::int64_t task, float* scratch);
  void (*upsample_backward)(const Upsample&, const Plan&, std::int64_t task, float* scratch);
};

extern const Kernels kPortable;
#if defined(ZOOM_ENGINE_X86)
extern const Kernels kAvx2, kAvx512;
#endif

}  // namespace zoom::cpu
