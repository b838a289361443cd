#include "cpu/dispatch.hpp"

#include <algorithm>
#include <vector>

#include "cpu/isa.hpp"
#include "cpu/memory.hpp"
#include "cpu/parallel.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

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

void epilogue_forward(const Epilogue& op, int threads) {
  const Kernels& kernels = *current().fused;
  const Index buffer = (row_vectors(op.layout, op.width, kernels.lanes) + 3) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, op.out_height), buffer,
      op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) { kernels.epilogue_forward(op, plan, task, memory); });
}

void epilogue_backward(const Epilogue& op, int threads) {
  const Kernels& kernels = *current().fused;
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
  const Kernels& kernels = *current().fused;
  const Index buffer = (row_vectors(op.layout, op.width, kernels.lanes) + 3) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, 2 * op.height), buffer,
      4 * op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) { kernels.upsample_forward(op, plan, task, memory); });
}

void upsample_backward(const Upsample& op, int threads) {
  const Kernels& kernels = *current().fused;
  // One vector more than the filter needs: the strided reads of NCHW look two ahead of an even tail.
  const Index buffer = (2 * row_vectors(op.layout, op.width, kernels.lanes) + 4) * kernels.lanes;
  run(make_plan(op.layout, op.batch, op.channels, op.height), buffer,
      4 * op.batch * op.channels * op.height * op.width, threads,
      [&](const Plan& plan, Index task, float* memory) {
        kernels.upsample_backward(op, plan, task, memory);
      });
}

}  // namespace zoom::cpu
