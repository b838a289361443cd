// Tensors and options as Python hands them over, and the checks of what an operator needs of them.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/problem.hpp"

namespace zoom {

using Sizes = std::vector<std::int64_t>;

constexpr int kCpu = -1;

// Memory of `owner`, which lives as long as the view does.
struct View {
  std::uintptr_t address;
  std::uintptr_t end;  // of the memory that the view reaches
  Type type;
  int device;  // index of a CUDA device, or kCpu
  Sizes shape, strides;
  pybind11::object owner;

  // Throws pybind11::value_error or type_error on what cannot be right; `bytes` is what is left of the memory
  // from `pointer` on.
  View(pybind11::object keep, std::uintptr_t pointer, std::int64_t bytes, const std::string& dtype,
       Sizes sizes, Sizes steps, int cuda_device);

  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(address);
  }
};

// Throws pybind11::type_error for a name that is none.
Type type_of(const std::string& dtype);

// Throws where clamp is not positive; no clamp is an infinite one.
Activation make_activation(double slope, double gain, std::optional<double> clamp);

// Throws unless the view is on that device.
void expect_on(const View& view, const char* name, int device = kCpu);

bool has_layout(const View& view, Layout layout);

// The layout of the image `x`, which must be on `device`, have four axes, and be contiguous or channels-last.
Layout layout_of(const View& x, int device = kCpu);

// Throw unless the view is an image like x: of that shape, type, layout and device.
void expect_image(const View& view, const char* name, const Sizes& shape, Type type, Layout layout,
                  int device = kCpu);

// Throw unless the view is contiguous float32 of that shape on that device.
void expect_small(const View& view, const char* name, const Sizes& shape, int device = kCpu);

// Throws unless the view is float32 [rows, columns] with contiguous rows; returns the distance between two.
std::int64_t expect_rows(const View& view, const char* name, const Sizes& shape, int device = kCpu);

void bind_view(pybind11::module_& m);

}  // namespace zoom
