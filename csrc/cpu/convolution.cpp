#include "cpu/convolution.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/memory.hpp"
#include "cpu/parallel.hpp"
#include "cpu/tiling.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

// Multiplications that are worth a thread.
constexpr Index kGrain = 1 << 20;

Index whole_lines(Index floats) {
  return (floats + 15) / 16 * 16;
}

// The memory of one call: each worker's panel and work space, then `shared` floats.
class Memory {
 public:
  Memory(const Tiling& tiling, int workers, Index shared)
      : panel_(whole_lines(tiling.panel())),
        worker_(panel_ + whole_lines(tiling.work())),
        start_(scratch(worker_ * workers + shared)),
        shared_(start_ + worker_ * workers) {}

  float* panel(int worker) const { return start_ + worker * worker_; }
  float* work(int worker) const { return panel(worker) + panel_; }
  float* shared() const { return shared_; }

 private:
  Index panel_, worker_;
  float *start_, *shared_;
};

Task task_of(const Tiling& tiling, Index index, const Memory& memory, int worker) {
  const Index group = index % tiling.groups;
  Task task{};
  task.block = tiling.block(index / tiling.groups);
  task.first_tile = group * tiling.group_tiles;
  task.last_tile = std::min(tiling.tiles, task.first_tile + tiling.group_tiles);
  task.panel = memory.panel(worker);
  task.work = memory.work(worker);
  return task;
}

int threads_for(const ModulatedConv& op, const Tiling& tiling, int threads) {
  const Index work =
      op.batch * op.height * op.width * op.in_channels * op.out_channels * op.kernel * op.kernel / kGrain;
  return useful_threads(threads, tiling.tasks(), work);
}

// to [images, rows, channels] = the sum of the blocks' shares [stack][part][image of the stack, rows,
// channels].
template <class Store>
void sum_shares(const Tiling& tiling, const double* shares, Index length, Store&& store) {
  const Index parts = tiling.down * tiling.across;
  for (Index image = 0; image < tiling.batch; ++image) {
    const Index stack = image / tiling.images, place = image % tiling.images;
    for (Index i = 0; i < length; ++i) {
      double sum = 0.0;
      for (Index part = 0; part < parts; ++part) {
        sum += shares[((stack * parts + part) * tiling.images + place) * length + i];
      }
      store(image, i, sum);
    }
  }
}

}  // namespace

void convolution_forward(const ModulatedConv& op, const Weights& weights, int threads) {
  const Matrix& matrix = weights.forward();
  const Tiling tiling({op.kernel / 2, 1, op.up, matrix.method == Method::winograd}, op, matrix,
                      weights.kernels);
  threads = threads_for(op, tiling, threads);
  // Where tasks share a pixel, each tile of channels has an rgb of its own: added up in order, as one task
  // does, they do not depend on how the batch cuts tiles into tasks.
  const Index rgb = op.rgb ? op.batch * 3 * op.out_height * op.out_width : 0;
  const bool shares = tiling.groups > 1;
  const Memory memory(tiling, threads, shares ? rgb * tiling.tiles : 0);
  parallel_for(tiling.tasks(), threads, [&](Index index, int worker) {
    Task task = task_of(tiling, index, memory, worker);
    if (op.rgb) {
      task.rgb = shares ? memory.shared() + task.first_tile * rgb : op.rgb;
      task.rgb_tile = shares ? rgb : 0;
    }
    weights.kernels.forward(op, matrix, task);
  });
  if (!shares) return;
  for (Index i = 0; i < rgb; ++i) {
    float sum = memory.shared()[i];
    for (Index tile = 1; tile < tiling.tiles; ++tile) sum += memory.shared()[tile * rgb + i];
    op.rgb[i] = sum;
  }
}

void convolution_backward(const ModulatedConv& op, const Weights& weights, int threads) {
  const Matrix& matrix = weights.backward();
  const Tiling tiling({op.up ? 0 : op.kernel / 2, op.up ? 4 : 1, false, matrix.method == Method::winograd},
                      op, matrix, weights.kernels);
  threads = threads_for(op, tiling, threads);
  const Index images = tiling.blocks() * tiling.images;
  const Index of_scale = 4 * op.out_channels, of_style = op.in_channels;
  const Memory memory(tiling, threads, 2 * images * (of_scale + of_style));
  double* scale_sums = reinterpret_cast<double*>(memory.shared());
  double* style_sums = scale_sums + images * of_scale;
  std::fill_n(scale_sums, images * (of_scale + of_style), 0.0);
  parallel_for(tiling.tasks(), threads, [&](Index index, int worker) {
    Task task = task_of(tiling, index, memory, worker);
    const Index first = index / tiling.groups * tiling.images;
    if (task.first_tile == 0) task.dscale = scale_sums + first * of_scale;
    task.dstyle = style_sums + first * of_style;
    weights.kernels.backward(op, matrix, task);
  });
  sum_shares(tiling, style_sums, of_style, [&](Index image, Index i, double sum) {
    op.dstyle[image * of_style + i] = static_cast<float>(sum);
  });
  sum_shares(tiling, scale_sums, of_scale, [&](Index image, Index i, double sum) {
    const Index at = image * op.out_channels + i;
    if (i < op.out_channels) {
      op.dscale[at] = static_cast<float>(sum / op.scale[at]);
    } else if (op.drgb_weight) {
      op.drgb_weight[image * 3 * op.out_channels + i - op.out_channels] = static_cast<float>(sum);
    }
  });
}

}  // namespace zoom::cpu
