// Instruction sets: which this machine can run, and which one is in use.
#pragma once

#include <string>
#include <vector>

#include "cpu/convolutions.hpp"
#include "cpu/upsampling.hpp"

namespace zoom::cpu {

struct Isa {
  const char* name;
  const Upsampling* upsampling;
  const Convolutions* float32;
  const Convolutions* bfloat16;

  const Convolutions& convolutions(Type type) const { return type == Type::float32 ? *float32 : *bfloat16; }
};

// The one in use: the best until `select` is called.
const Isa& current();

// Names of those that this machine can run, best first.
std::vector<std::string> supported();
std::string selected();
// Throws std::invalid_argument for one that `supported` does not list.
void select(const std::string& name);

}  // namespace zoom::cpu
