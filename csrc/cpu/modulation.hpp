// The styles of a layer, edited, and its demodulation (Karras 2020, equation 3), on at most so many threads.
// An image's result does not depend on the others of its batch.
#pragma once

#include "common/problem.hpp"

namespace zoom::cpu {

void modulation(const Modulation& op, int threads);
void modulation_backward(const Modulation& op, int threads);

}  // namespace zoom::cpu
