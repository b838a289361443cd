// The operators on a device. Each call only enqueues kernels on `stream` (a cudaStream_t of that device): it
// neither allocates nor waits, so a CUDA graph can capture it. Throws std::runtime_error with CUDA's reason.
#pragma once

#include <cstdint>
#include <string>

#include "cuda/problem.hpp"

namespace zoom::cuda {

struct Queue {
  int device;
  std::uintptr_t stream;
};

void modulate(const Modulate& call, const Queue& queue);
void modulate_backward(const Modulate& call, const Queue& queue);
void modulated_epilogue(const Epilogue& call, const Queue& queue);
void modulated_epilogue_backward(const Epilogue& call, const Queue& queue);
void upsample2x(const Upsample& call, const Queue& queue);
void upsample2x_backward(const Upsample& call, const Queue& queue);

// Floats of workspace that a backward pass over x [B, C, H, W] needs.
std::int64_t workspace_floats(std::int64_t batch, std::int64_t channels, std::int64_t height,
                              std::int64_t width, bool fir);

// Why the kernels cannot run on this device, or "".
std::string unusable(int device);

}  // namespace zoom::cuda
