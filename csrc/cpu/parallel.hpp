// A loop over tasks on a few threads of our own.
#pragma once

#include <cstdint>
#include <functional>

namespace zoom::cpu {

// How many of `threads` are worth waking for so many tasks, and for so many grains of work: less than a grain
// each costs more than it saves.
int useful_threads(int threads, std::int64_t tasks, std::int64_t grains);

// Calls task(index, worker) for every index in [0, count), on the calling thread and at most threads - 1
// others; `worker` in [0, threads) tells them apart. Safe from several threads at once (whoever finds the
// workers busy runs alone, so that there are never more threads than asked for) and in a forked child (which
// starts its own workers). `task` must not throw.
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t, int)>& task);

}  // namespace zoom::cpu
