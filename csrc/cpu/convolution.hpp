// The modulated convolution on the CPU, on at most so many threads.
#pragma once

#include "common/problem.hpp"
#include "cpu/weights.hpp"

namespace zoom::cpu {

// `op` has the type, kernel and channels of `weights`, which were packed for the instruction set in use.
void convolution_forward(const ModulatedConv& op, const Weights& weights, int threads);
void convolution_backward(const ModulatedConv& op, const Weights& weights, int threads);

}  // namespace zoom::cpu
