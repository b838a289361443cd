// Memory of the kernels: 64-byte aligned, on huge pages where the system gives them (alignment and fewer page
// walks are worth a factor of two to a matrix product).
#pragma once

#include <cstdint>
#include <memory>

namespace zoom::cpu {

struct Free {
  void operator()(float* memory) const;
};
using Floats = std::unique_ptr<float[], Free>;

// Throws std::bad_alloc. Not initialised.
Floats allocate(std::int64_t floats);

// The calling thread's own memory, at least `floats` long, kept for its next call and freed with the thread.
float* scratch(std::int64_t floats);

}  // namespace zoom::cpu
