// Memory of images and their gradients. What is done with is kept for the next call: a layer that writes to
// fresh pages spends more than a tenth of its time in the system, which clears them.
#pragma once

#include <cstdint>

#include "cpu/memory.hpp"

namespace zoom::cpu {

// Uninitialised memory, at least `bytes` long; back in the arena when it is destroyed.
class Buffer {
 public:
  explicit Buffer(std::int64_t bytes);  // throws std::bad_alloc
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return memory_.get(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  Floats memory_;
  std::int64_t bytes_, room_;
};

// Bytes that the arena keeps for later, at most half of the machine's memory.
std::int64_t kept_memory();

// Gives them back to the system.
void release_memory();

}  // namespace zoom::cpu
