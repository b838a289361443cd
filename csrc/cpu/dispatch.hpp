// The operators without a convolution on the CPU, on at most so many threads.
#pragma once

#include "common/problem.hpp"

namespace zoom::cpu {

void epilogue_forward(const Epilogue& op, int threads);
void epilogue_backward(const Epilogue& op, int threads);
void upsample_forward(const Upsample& op, int threads);
void upsample_backward(const Upsample& op, int threads);

}  // namespace zoom::cpu
