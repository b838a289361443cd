// Why not OpenMP: torch brings its own copy of libgomp, a second one would keep a second set of threads
// spinning, and libgomp hangs in a child forked after its first use. These workers sleep between calls.
#include "cpu/parallel.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace zoom::cpu {
namespace {

class Pool {
 public:
  // False if another thread holds the workers: nothing has been run then.
  bool run(std::int64_t count, int threads, const std::function<void(std::int64_t, int)>& task) {
    std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region) return false;
    const int helpers = start(threads - 1);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = &task;
      count_ = count;
      next_ = 0;
      wanted_ = helpers;
      running_ = helpers;
      ++generation_;
    }
    wake_.notify_all();
    work(task, count, 0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [&] { return running_ == 0; });
    return true;
  }

 private:
  // Grows the set of workers to `wanted`, as far as the system lets it; returns how many of them to use.
  int start(int wanted) {
    for (; started_ < wanted; ++started_) {
      try {
        std::thread(&Pool::serve, this, started_ + 1, generation_).detach();
      } catch (const std::system_error&) {
        break;
      }
    }
    return started_ < wanted ? started_ : wanted;
  }

  void serve(int worker, std::uint64_t seen) {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      if (worker > wanted_) continue;
      const auto* task = task_;
      const std::int64_t count = count_;
      lock.unlock();
      work(*task, count, worker);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  void work(const std::function<void(std::int64_t, int)>& task, std::int64_t count, int worker) {
    for (std::int64_t i = next_++; i < count; i = next_++) task(i, worker);
  }

  std::mutex region_, mutex_;
  std::condition_variable wake_, done_;
  std::atomic<std::int64_t> next_{0};
  const std::function<void(std::int64_t, int)>* task_ = nullptr;
  std::int64_t count_ = 0;
  std::uint64_t generation_ = 0;
  int started_ = 0, wanted_ = 0, running_ = 0;
};

// Never destroyed: its workers outlive main, and a forked child leaves its parent's behind.
std::atomic<Pool*> pool{nullptr};

Pool* the_pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { pool = nullptr; });
  static_cast<void>(registered);
  Pool* existing = pool;
  if (existing) return existing;
  Pool* fresh = new Pool;
  if (pool.compare_exchange_strong(existing, fresh)) return fresh;
  delete fresh;
  return existing;
}

}  // namespace

int useful_threads(int threads, std::int64_t tasks, std::int64_t grains) {
  const std::int64_t most = std::max<std::int64_t>(1, std::min(tasks, grains));
  return static_cast<int>(std::clamp<std::int64_t>(threads, 1, most));
}

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t, int)>& task) {
  if (threads > count) threads = static_cast<int>(count);
  if (threads > 1 && the_pool()->run(count, threads, task)) return;
  for (std::int64_t i = 0; i < count; ++i) task(i, 0);
}

}  // namespace zoom::cpu
