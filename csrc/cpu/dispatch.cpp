#include "cpu/dispatch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

#include "cpu/kernels.hpp"
#include "cpu/parallel.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> found;
#if defined(ZOOM_ENGINE_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("fma")) {
    found.push_back(&kAvx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&kAvx2);
#endif
  found.push_back(&kPortable);
  return found;
}

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> kernels{runnable().front()};
  return kernels;
}

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

// Enough tasks for many threads when there are few images, in bands that are not too thin for the filter's
// halo.
constexpr Index kTasks = 16, kThinnest = 16;
// Below this many elements for each thread, waking it costs more than it saves.
constexpr Index kGrain = 1 << 16;

Plan make_plan(Layout layout, Index batch, Index channels, Index rows) {
  if (layout == Layout::nchw) return {1, rows, batch * channels, 0};
  const Index bands = std::clamp<Index>(divide_up(kTasks, batch), 1, divide_up(rows, kThinnest));
  const Index band_rows = divide_up(rows, bands);
  const Index used = divide_up(rows, band_rows);
  return {used, band_rows, batch * used, 0};
}

Index row_vectors(Layout layout, Index width, Index lanes) {
  return layout == Layout::nhwc ? width : divide_up(width, lanes);
}

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

// Row buffers for every worker of a call, kept by the calling thread for its next one.
float* scratch(Index floats) {
  thread_local std::unique_ptr<float, Free> memory;
  thread_local Index size = 0;
  if (floats > size) {
    memory.reset(
        static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>(divide_up(floats, 16) * 64))));
    size = memory ? floats : 0;
    if (!memory) throw std::bad_alloc();
  }
  return memory.get();
}

template <class Run>
void run(Plan plan, Index floats, Index elements, int threads, Run&& body) {
  plan.scratch = divide_up(floats, 16) * 16;
  const Index useful = std::max<Index>(1, std::min(plan.tasks, elements / kGrain));
  threads = static_cast<int>(std::clamp<Index>(threads, 1, useful));
  float* memory = scratch(plan.scratch * threads);
  parallel_for(plan.tasks, threads,
               [&](Index task, int worker) { body(plan, task, memory + worker * plan.scratch); });
}

}  // namespace

std::vector<std::string> supported() {
  std::vector<std::string> names;
  for (const Kernels* kernels : runnable()) names.emplace_back(kernels->name);
  return names;
}

std::string selected() {
  return current().load()->name;
}

void select(const std::string& name) {
  for (const Kernels* kernels : runnable()) {
    if (name == kernels->name) {
      current() = kernels;
      return;
    }
  }
  throw std::invalid_argument("this machine cannot run the instruction set '" + name + "'");
}

void epilogue_forward(const Epilogue& op, int threads) {
  const Kernels& kernels = *current();
  const Index buffer = (row_vectors(op.layout, op.width, kernels.lanes) + 3) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, op.out_height), buffer,
      op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) { kernels.epilogue_forward(op, plan, task, memory); });
}

void epilogue_backward(const Epilogue& op, int threads) {
  const Kernels& kernels = *current();
  const Index lanes = kernels.lanes;
  const Index blocks = op.layout == Layout::nhwc ? divide_up(op.channels, lanes) : 1;
  const Index row = row_vectors(op.layout, op.width, lanes) + 5;
  const Plan plan = make_plan(op.layout, op.batch, op.channels, op.height);
  const Index width = op.layout == Layout::nhwc ? op.channels : 1;
  std::vector<double> sums(static_cast<std::size_t>(plan.tasks * width), 0.0);
  run(plan, (row + 4 * blocks * row) * lanes, 2 * op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& p, Index task, float* memory) {
        kernels.epilogue_backward(op, p, task, memory, sums.data() + task * width);
      });
  for (Index b = 0; b < op.batch; ++b) {
    for (Index c = 0; c < op.channels; ++c) {
      double sum = 0.0;
      for (Index band = 0; band < plan.bands; ++band) {
        const Index task = op.layout == Layout::nhwc ? b * plan.bands + band : b * op.channels + c;
        sum += sums[static_cast<std::size_t>(task * width + (op.layout == Layout::nhwc ? c : 0))];
      }
      op.dscale[b * op.channels + c] = static_cast<float>(sum);
    }
  }
}

void upsample_forward(const Upsample& op, int threads) {
  const Kernels& kernels = *current();
  const Index buffer = (row_vectors(op.layout, op.width, kernels.lanes) + 3) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, 2 * op.height), buffer,
      4 * op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) { kernels.upsample_forward(op, plan, task, memory); });
}

void upsample_backward(const Upsample& op, int threads) {
  const Kernels& kernels = *current();
  // One vector more than the filter needs: the strided reads of NCHW look two ahead of an even tail.
  const Index buffer = (2 * row_vectors(op.layout, op.width, kernels.lanes) + 4) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, op.height), buffer,
      4 * op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) {
        kernels.upsample_backward(op, plan, task, memory);
      });
}

}  // namespace zoom::cpu
