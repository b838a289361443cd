// The x2 up-sampling and its adjoint on the CPU, on at most so many threads.
#pragma once

#include "common/problem.hpp"

namespace zoom::cpu {

void upsample_forward(const Upsample& op, int threads);
void upsample_backward(const Upsample& op, int threads);

}  // namespace zoom::cpu
