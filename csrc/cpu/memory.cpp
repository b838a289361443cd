#include "cpu/memory.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <new>

namespace zoom::cpu {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t{1} << 21;

}  // namespace

void Free::operator()(float* memory) const {
  std::free(memory);
}

Floats allocate(std::int64_t floats) {
  const std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
  const std::size_t unit = bytes >= kHugePage ? kHugePage : kLine;
  const std::size_t size = (bytes + unit - 1) / unit * unit;
  void* memory = std::aligned_alloc(unit, size);
  if (!memory) throw std::bad_alloc();
#if defined(__linux__)
  // Advice: where it is refused, small pages serve.
  if (unit == kHugePage) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return Floats(static_cast<float*>(memory));
}

float* scratch(std::int64_t floats) {
  thread_local Floats memory;
  thread_local std::int64_t size = 0;
  if (floats > size) {
    size = 0;
    memory.reset();
    memory = allocate(floats);
    size = floats;
  }
  return memory.get();
}

}  // namespace zoom::cpu
