#include "cpu/upsample.hpp"

#include <algorithm>

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
// Elements that are worth a thread.
constexpr Index kGrain = 1 << 16;

Plan make_plan(Layout layout, Index batch, Index channels, Index rows) {
  if (layout == Layout::nchw) return {1, rows, batch * channels};
  const Index bands = std::clamp<Index>(divide_up(kTasks, batch), 1, divide_up(rows, kThinnest));
  const Index band_rows = divide_up(rows, bands);
  const Index used = divide_up(rows, band_rows);
  return {used, band_rows, batch * used};
}

Index row_vectors(Layout layout, Index width, Index lanes) {
  return layout == Layout::nhwc ? width : divide_up(width, lanes);
}

// Runs the kernel of the call's type and layout on planes of so many rows, each task with so many floats of
// scratch memory.
void run(const Upsample& op, const UpsamplingKernel (&kernels)[2][2], Index rows, Index floats, int threads) {
  const UpsamplingKernel kernel = kernels[op.type == Type::bfloat16][op.layout == Layout::nhwc];
  const Plan plan = make_plan(op.layout, op.batch, op.channels, rows);
  const Index elements = 4 * op.batch * op.channels * op.height * op.width;
  threads = useful_threads(threads, plan.tasks, elements / kGrain);
  floats = divide_up(floats, 16) * 16;
  float* memory = scratch(floats * threads);
  parallel_for(plan.tasks, threads,
               [&](Index task, int worker) { kernel(op, plan, task, memory + worker * floats); });
}

}  // namespace

void upsample_forward(const Upsample& op, int threads) {
  const Upsampling& kernels = *current().upsampling;
  const Index buffer = (row_vectors(op.layout, op.width, kernels.lanes) + 3) * kernels.lanes;
  run(op, kernels.forward, 2 * op.height, buffer, threads);
}

void upsample_backward(const Upsample& op, int threads) {
  const Upsampling& kernels = *current().upsampling;
  // One vector more than the filter needs: the strided reads of NCHW look two ahead of an even tail.
  const Index buffer = (2 * row_vectors(op.layout, op.width, kernels.lanes) + 4) * kernels.lanes;
  run(op, kernels.backward, op.height, buffer, threads);
}

}  // namespace zoom::cpu
