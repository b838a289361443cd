// Convolution weights, packed for one instruction set.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "cpu/isa.hpp"
#include "cpu/matrix.hpp"
#include "cpu/memory.hpp"

namespace zoom::cpu {

class Weights {
 public:
  // weight [out_channels, in_channels, kernel, kernel], for images of type `storage`. Packs for the
  // instruction set that is selected now.
  Weights(const float* weight, std::int64_t out_channels, std::int64_t in_channels, std::int64_t kernel,
          bool up, Type storage);

  const Isa& isa;
  const Convolutions& kernels;
  const Type storage;
  const std::int64_t kernel;
  const bool up;

  const Matrix& forward() const { return forward_.matrix; }
  // From output to input; packed when first asked for, from any thread.
  const Matrix& backward() const;

 private:
  struct Packed {
    Matrix matrix{};
    Floats memory;
  };
  template <class Get>
  Packed pack(Matrix matrix, Get&& get) const;
  float unpacked(std::int64_t out, std::int64_t in, int ky, int kx) const;

  Packed forward_;
  mutable Packed backward_;
  mutable std::once_flag once_;
};

}  // namespace zoom::cpu
