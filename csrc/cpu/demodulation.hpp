// The demodulation of a layer (Karras 2020, equation 3), on at most so many threads. An image's result does
// not depend on the others of its batch.
#pragma once

#include "common/problem.hpp"

namespace zoom::cpu {

void demodulation(const Demodulation& op, int threads);
void demodulation_backward(const Demodulation& op, int threads);

}  // namespace zoom::cpu
