// The kernels on a device. NVIDIA's compiler sees this file alone.
#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

#include "cuda/launch.hpp"
#include "cuda/operators.hpp"

namespace zoom::cuda {
namespace {

void expect(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

template <class Kernel>
__global__ void __launch_bounds__(kThreads) run(const __grid_constant__ Kernel kernel) {
  extern __shared__ __align__(16) float memory[];
  const Place place{static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                    static_cast<int>(threadIdx.x)};
  typename Kernel::State state;
  kernel.step(0, state, place, memory);
  for (int step = 1; step < kernel.steps(); ++step) {
    __syncthreads();
    kernel.step(step, state, place, memory);
  }
}

// Makes a device this thread's current one, and the one before it again.
class Device {
 public:
  explicit Device(int device) {
    expect(cudaGetDevice(&before_), "no CUDA device");
    if (device != before_) expect(cudaSetDevice(device), "cannot use the CUDA device");
  }
  ~Device() { cudaSetDevice(before_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

 private:
  int before_ = 0;
};

class Launcher {
 public:
  explicit Launcher(const Queue& queue)
      : device_(queue.device), stream_(reinterpret_cast<cudaStream_t>(queue.stream)) {}

  template <class Kernel>
  void operator()(const Kernel& kernel, const Grid& grid) {
    check(grid);
    const dim3 blocks(static_cast<unsigned>(grid.blocks_x), static_cast<unsigned>(grid.blocks_y));
    run<<<blocks, static_cast<unsigned>(grid.threads), static_cast<std::size_t>(grid.floats) * sizeof(float),
          stream_>>>(kernel);
    expect(cudaGetLastError(), "a CUDA kernel could not be launched");
  }

 private:
  Device device_;
  cudaStream_t stream_;
};

}  // namespace
}  // namespace zoom::cuda

#include "cuda/dispatch.inl"

namespace zoom::cuda {

std::string unusable(int device) {
  try {
    const Device current(device);
    cudaFuncAttributes attributes;
    expect(cudaFuncGetAttributes(&attributes, run<Pixelwise<1, SumChunks<1>>>), "no kernel for this device");
    return "";
  } catch (const std::runtime_error& error) {
    cudaGetLastError();
    return error.what();
  }
}

}  // namespace zoom::cuda
