#include "view.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <utility>

namespace py = pybind11;

namespace zoom {
namespace {

bool has_strides(const View& view, const std::vector<std::size_t>& order) {
  std::int64_t expected = 1;
  for (const std::size_t axis : order) {
    if (view.shape[axis] != 1 && view.strides[axis] != expected) return false;
    expected *= view.shape[axis];
  }
  return true;
}

void expect_floats(const View& view, const char* name, const Sizes& shape, int device) {
  expect_on(view, name, device);
  if (view.shape != shape) throw py::value_error(std::string(name) + " has the wrong shape");
  if (view.type != Type::float32) throw py::type_error(std::string(name) + " must be float32");
}

}  // namespace

Type type_of(const std::string& dtype) {
  if (dtype == "float32") return Type::float32;
  if (dtype == "bfloat16") return Type::bfloat16;
  if (dtype == "float16") return Type::float16;
  throw py::type_error("dtype must be 'float32', 'bfloat16' or 'float16', got '" + dtype + "'");
}

View::View(py::object keep, std::uintptr_t pointer, std::int64_t bytes, const std::string& dtype, Sizes sizes,
           Sizes steps, int cuda_device)
    : address(pointer),
      end(pointer),
      type(type_of(dtype)),
      device(cuda_device),
      shape(std::move(sizes)),
      strides(std::move(steps)),
      owner(std::move(keep)) {
  if (device < kCpu) throw py::value_error("device must be the index of a CUDA device, or -1 for the CPU");
  if (device == kCpu && type == Type::float16) throw py::type_error("float16 runs on CUDA devices only");
  const std::int64_t size = bytes_of(type);
  if (shape.size() != strides.size() || shape.empty()) {
    throw py::value_error("shape and strides must have the same, non-zero length");
  }
  if (pointer == 0 || pointer % static_cast<std::uintptr_t>(size) != 0) {
    throw py::value_error("the pointer is null or not aligned to its type");
  }
  std::int64_t last = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 1 || strides[i] < 0) {
      throw py::value_error("sizes must be positive, strides not negative");
    }
    std::int64_t reach;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      throw py::value_error("sizes and strides overflow");
    }
  }
  if (last >= bytes / size) throw py::value_error("the view reaches beyond its memory");
  end = address + static_cast<std::uintptr_t>((last + 1) * size);
}

Activation make_activation(double slope, double gain, std::optional<double> clamp) {
  if (clamp && !(*clamp > 0)) throw py::value_error("clamp must be positive");
  return {static_cast<float>(slope), static_cast<float>(gain),
          clamp ? static_cast<float>(*clamp) : std::numeric_limits<float>::infinity()};
}

void expect_on(const View& view, const char* name, int device) {
  if (view.device == device) return;
  throw py::value_error(std::string(name) + " must be on " +
                        (device == kCpu ? "the CPU" : "CUDA device " + std::to_string(device)));
}

bool has_layout(const View& view, Layout layout) {
  return has_strides(view, layout == Layout::nchw ? std::vector<std::size_t>{3, 2, 1, 0}
                                                  : std::vector<std::size_t>{1, 3, 2, 0});
}

Layout layout_of(const View& x, int device) {
  expect_on(x, "x", device);
  if (x.shape.size() != 4) throw py::value_error("x must have four axes");
  if (has_layout(x, Layout::nchw)) return Layout::nchw;
  if (has_layout(x, Layout::nhwc)) return Layout::nhwc;
  throw py::value_error("x must be contiguous or channels-last");
}

void expect_image(const View& view, const char* name, const Sizes& shape, Type type, Layout layout,
                  int device) {
  expect_on(view, name, device);
  if (view.shape != shape) throw py::value_error(std::string(name) + " has the wrong shape");
  if (view.type != type) throw py::type_error(std::string(name) + " has another dtype than x");
  if (!has_layout(view, layout)) throw py::value_error(std::string(name) + " has another layout than x");
}

void expect_small(const View& view, const char* name, const Sizes& shape, int device) {
  expect_floats(view, name, shape, device);
  std::vector<std::size_t> order;
  for (std::size_t axis = shape.size(); axis > 0; --axis) order.push_back(axis - 1);
  if (!has_strides(view, order)) throw py::value_error(std::string(name) + " must be contiguous");
}

std::int64_t expect_rows(const View& view, const char* name, const Sizes& shape, int device) {
  expect_floats(view, name, shape, device);
  if (!has_strides(view, {1})) throw py::value_error(std::string(name) + " must have contiguous rows");
  return view.strides[0];
}

void bind_view(py::module_& m) {
  py::class_<View>(m, "View", "Strided memory of `owner`: checked once here, and kept alive.",
                   py::module_local())
      .def(py::init<py::object, std::uintptr_t, std::int64_t, const std::string&, Sizes, Sizes, int>(),
           py::kw_only(), py::arg("owner"), py::arg("pointer"), py::arg("bytes"), py::arg("dtype"),
           py::arg("shape"), py::arg("strides"), py::arg("device") = kCpu);
}

}  // namespace zoom
