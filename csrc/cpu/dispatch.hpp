// The operators on the CPU: which instruction set, how many tasks, which threads.
#pragma once

#include <string>
#include <vector>

#include "common/problem.hpp"

namespace zoom::cpu {

// Instruction sets that this machine can run, best first.
std::vector<std::string> supported();
// The one in use: the best until `select` is called.
std::string selected();
// Throws std::invalid_argument for one that `supported` does not list.
void select(const std::string& name);

void epilogue_forward(const Epilogue& op, int threads);
void epilogue_backward(const Epilogue& op, int threads);
void upsample_forward(const Upsample& op, int threads);
void upsample_backward(const Upsample& op, int threads);

}  // namespace zoom::cpu
