#include "cpu/arena.hpp"

#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace zoom::cpu {
namespace {

struct Chunk {
  Floats memory;
  std::int64_t room = 0;
};

class Arena {
 public:
  // The smallest chunk that has `bytes`, unless it wastes more than half of itself; else one with no memory,
  // and the nearest smaller one, if it has more than half, is freed: what is allocated now takes its place,
  // so that batches of many sizes leave no more behind than the largest of them.
  Chunk take(std::int64_t bytes) {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return {};
    auto best = chunks_.end(), nearest = chunks_.end();
    for (auto chunk = chunks_.begin(); chunk != chunks_.end(); ++chunk) {
      const std::int64_t room = chunk->room;
      const bool fits = bytes <= room && room / 2 <= bytes, nearly = bytes / 2 < room && room < bytes;
      if (fits && (best == chunks_.end() || room < best->room)) best = chunk;
      if (nearly && (nearest == chunks_.end() || room > nearest->room)) nearest = chunk;
    }
    if (best == chunks_.end()) {
      if (nearest != chunks_.end()) drop(nearest);
      return {};
    }
    Chunk found = std::move(*best);
    chunks_.erase(best);
    kept_ -= found.room;
    return found;
  }

  // Beyond the limit the chunks that came back first are freed.
  void put(Chunk chunk) {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return;
    kept_ += chunk.room;
    chunks_.push_back(std::move(chunk));
    while (kept_ > limit_) drop(chunks_.begin());
  }

  std::int64_t kept() const {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    return lock ? kept_ : 0;
  }

  void release() {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return;
    chunks_.clear();
    kept_ = 0;
  }

 private:
  void drop(std::vector<Chunk>::iterator chunk) {
    kept_ -= chunk->room;
    chunks_.erase(chunk);
  }

  // Only ever tried: a thread that finds it held does without the arena, and so does a forked child for ever
  // if another thread of its parent held it.
  mutable std::mutex mutex_;
  std::vector<Chunk> chunks_;  // in the order in which they came back
  std::int64_t kept_ = 0;
  const std::int64_t limit_ = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 2;
};

// Never destroyed: tensors may outlive the static objects.
Arena& the_arena() {
  static Arena* const arena = new Arena;
  return *arena;
}

}  // namespace

Buffer::Buffer(std::int64_t bytes) : bytes_(bytes) {
  constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
  Chunk found = the_arena().take(bytes);
  const std::int64_t floats = (bytes + kFloat - 1) / kFloat;
  memory_ = found.memory ? std::move(found.memory) : allocate(floats);
  room_ = std::max(found.room, floats * kFloat);
}

Buffer::~Buffer() {
  the_arena().put({std::move(memory_), room_});
}

std::int64_t kept_memory() {
  return the_arena().kept();
}

void release_memory() {
  the_arena().release();
}

}  // namespace zoom::cpu
