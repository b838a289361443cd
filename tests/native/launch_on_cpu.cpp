// csrc/cuda/launch.cu for the CPU: runs every step of every thread of every block, one after the other, and
// takes the CPU's memory for a device's. A queue's stream says in which order a block's threads run: 0 first
// to last, otherwise last to first. Where the two give different results, a barrier is missing.
#include <limits>
#include <stdexcept>
#include <vector>

#include "cuda/launch.hpp"
#include "cuda/operators.hpp"

namespace zoom::cuda {
namespace {

class Launcher {
 public:
  explicit Launcher(const Queue& queue) : backward_(queue.stream != 0) {}

  template <class Kernel>
  void operator()(const Kernel& kernel, const Grid& grid) {
    check(grid);
    if (grid.threads > 1024 || grid.floats * sizeof(float) > 48 * 1024) {
      throw std::logic_error("no device takes such a block");
    }
    struct alignas(16) Quad {
      float value[4];
    };
    std::vector<Quad> memory(static_cast<std::size_t>(grid.floats) / 4 + 1);
    for (std::int64_t y = 0; y < grid.blocks_y; ++y) {
      for (std::int64_t x = 0; x < grid.blocks_x; ++x) {
        const float nan = std::numeric_limits<float>::quiet_NaN();
        for (Quad& quad : memory) quad = {{nan, nan, nan, nan}};
        std::vector<typename Kernel::State> states(static_cast<std::size_t>(grid.threads));
        for (int step = 0; step < kernel.steps(); ++step) {
          for (int i = 0; i < grid.threads; ++i) {
            const int thread = backward_ ? grid.threads - 1 - i : i;
            kernel.step(step, states[static_cast<std::size_t>(thread)],
                        Place{static_cast<int>(x), static_cast<int>(y), thread}, memory[0].value);
          }
        }
      }
    }
  }

 private:
  bool backward_;
};

}  // namespace
}  // namespace zoom::cuda

#include "cuda/dispatch.inl"

namespace zoom::cuda {

std::string unusable(int device) {
  return device == 0 ? "" : "there is one make-believe device";
}

}  // namespace zoom::cuda
