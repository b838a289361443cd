// zoom_engine._core: the native operators for Python. Tensors arrive as views, pointer and strides, and are
// checked here.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cpu/arena.hpp"
#include "cpu/convolution.hpp"
#include "cpu/isa.hpp"
#include "cpu/modulation.hpp"
#include "cpu/upsample.hpp"
#include "view.hpp"

namespace py = pybind11;
using zoom::Layout;
using zoom::make_activation;
using zoom::Sizes;
using zoom::Type;
using zoom::View;

namespace {

std::unique_ptr<zoom::cpu::Buffer> make_buffer(std::int64_t bytes) {
  if (bytes < 1) throw py::value_error("bytes must be at least 1");
  return std::make_unique<zoom::cpu::Buffer>(bytes);
}

int checked(int threads) {
  if (threads < 1) throw py::value_error("threads must be at least 1");
  return threads;
}

using MaybeView = std::optional<View>;

// The view, or null where it is missing.
const View* given(const View& view) {
  return &view;
}
const View* given(const MaybeView& view) {
  return view ? &*view : nullptr;
}

// Tensors of one call by name, for checks between them.
using Named = std::vector<std::pair<const char*, const View*>>;

void expect_apart(const Named& written, const Named& read) {
  const auto check = [](const auto& a, const auto& b) {
    if (a.second && b.second && a.second->address < b.second->end && b.second->address < a.second->end) {
      throw py::value_error(std::string(a.first) + " shares memory with " + b.first);
    }
  };
  for (std::size_t i = 0; i < written.size(); ++i) {
    for (const auto& input : read) check(written[i], input);
    for (std::size_t j = 0; j < i; ++j) check(written[i], written[j]);
  }
}

template <class T, class V>
T* small(const V& maybe, const char* name, const Sizes& shape) {
  const View* view = given(maybe);
  if (!view) return nullptr;
  expect_small(*view, name, shape);
  return view->data<T>();
}

zoom::Upsample make_upsample(const View& small, const View& large, bool forward) {
  zoom::Upsample op{};
  op.type = small.type;
  op.layout = layout_of(forward ? small : large);
  if (small.shape.size() != 4) throw py::value_error("the small image must have four axes");
  op.batch = small.shape[0], op.channels = small.shape[1], op.height = small.shape[2],
  op.width = small.shape[3];
  expect_image(large, "the large image", {op.batch, op.channels, 2 * op.height, 2 * op.width}, op.type,
               op.layout);
  expect_image(small, "the small image", small.shape, op.type, op.layout);
  op.from = (forward ? small : large).data<const void>();
  op.to = (forward ? large : small).data<void>();
  return op;
}

void upsample2x(const View& x, const View& out, const MaybeView& add, const MaybeView& bias,
                std::optional<double> clamp, int threads) {
  zoom::Upsample op = make_upsample(x, out, true);
  op.clamp = make_activation(1.0, 1.0, clamp).clamp;
  if (add) {
    expect_image(*add, "add", out.shape, op.type, op.layout);
    op.add = add->data<const void>();
  } else if (bias || clamp) {
    throw py::value_error("bias and clamp are those of add, which is missing");
  }
  op.bias = small<const float>(bias, "bias", {op.channels});
  expect_apart({{"out", given(out)}}, {{"x", given(x)}, {"add", given(add)}, {"bias", given(bias)}});
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::upsample_forward(op, threads);
}

void upsample2x_backward(const View& grad, const View& dx, int threads) {
  const zoom::Upsample op = make_upsample(dx, grad, false);
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::upsample_backward(op, threads);
}

// The scale's part of a modulation, if it has one, and that of the edits.
template <class V>
zoom::Modulation make_modulation(const V& style, const MaybeView& energy, const MaybeView& scale,
                                 const Sizes& shape, const MaybeView& edit_directions) {
  if (shape.size() != 2) throw py::value_error("style must have two axes");
  zoom::Modulation op{};
  op.batch = shape[0], op.in_channels = shape[1];
  op.style = small<float>(style, "style", shape);
  if (energy.has_value() != scale.has_value()) throw py::value_error("energy and scale belong together");
  if (energy) {
    if (energy->shape.size() != 2) throw py::value_error("energy must have two axes");
    op.out_channels = energy->shape[0];
    op.energy = small<const float>(energy, "energy", {op.out_channels, op.in_channels});
    op.scale = small<float>(scale, "scale", {op.batch, op.out_channels});
  }
  if (edit_directions) {
    op.edits = edit_directions->shape[0];
    op.directions_pitch = expect_rows(*edit_directions, "edit_directions", {op.edits, op.in_channels});
    op.edit_directions = edit_directions->data<const float>();
  }
  return op;
}

void modulation(const View& styles, const MaybeView& edit_weights, const MaybeView& edit_directions,
                const MaybeView& energy, const View& style, const MaybeView& scale, int threads) {
  zoom::Modulation op = make_modulation(style, energy, scale, styles.shape, edit_directions);
  op.styles_pitch = expect_rows(styles, "styles", styles.shape);
  op.styles = styles.data<const float>();
  if (edit_weights.has_value() != edit_directions.has_value()) {
    throw py::value_error("edit_weights and edit_directions belong together");
  }
  op.edit_weights = small<const float>(edit_weights, "edit_weights", {op.batch, op.edits});
  expect_apart({{"style", given(style)}, {"scale", given(scale)}},
               {{"styles", given(styles)},
                {"edit_weights", given(edit_weights)},
                {"edit_directions", given(edit_directions)},
                {"energy", given(energy)}});
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::modulation(op, threads);
}

void modulation_backward(const MaybeView& dscale, const MaybeView& style, const MaybeView& energy,
                         const MaybeView& scale, const MaybeView& edit_directions, const View& dstyle,
                         const MaybeView& dedit_weights, int threads) {
  zoom::Modulation op = make_modulation(style, energy, scale, dstyle.shape, edit_directions);
  if (dscale.has_value() != scale.has_value() || style.has_value() != scale.has_value()) {
    throw py::value_error("dscale, style, energy and scale belong together");
  }
  if (dedit_weights.has_value() != edit_directions.has_value()) {
    throw py::value_error("edit_directions and dedit_weights belong together");
  }
  op.dscale = small<const float>(dscale, "dscale", {op.batch, op.out_channels});
  op.dstyle = small<float>(dstyle, "dstyle", dstyle.shape);
  op.dedit_weights = small<float>(dedit_weights, "dedit_weights", {op.batch, op.edits});
  expect_apart({{"dstyle", given(dstyle)}, {"dedit_weights", given(dedit_weights)}},
               {{"dscale", given(dscale)},
                {"style", given(style)},
                {"energy", given(energy)},
                {"scale", given(scale)},
                {"edit_directions", given(edit_directions)}});
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::modulation_backward(op, threads);
}

// The weights of one convolution, packed.
std::unique_ptr<zoom::cpu::Weights> pack_weights(const View& weight, bool up, const std::string& storage) {
  const Type type = zoom::type_of(storage);
  if (type == Type::float16) throw py::type_error("dtype must be 'float32' or 'bfloat16', got 'float16'");
  if (weight.shape.size() != 4) throw py::value_error("weight must have four axes");
  expect_small(weight, "weight", weight.shape);
  const Sizes& size = weight.shape;
  if (size[2] != size[3] || (size[2] != 3 && (size[2] != 1 || up))) {
    throw py::value_error("weight must be 3x3, or 1x1 without up");
  }
  const py::gil_scoped_release release;
  return std::make_unique<zoom::cpu::Weights>(weight.data<const float>(), size[0], size[1], size[2], up,
                                              type);
}

template <class T, class V>
T* image(const V& maybe, const char* name, const Sizes& shape, Type type) {
  const View* view = given(maybe);
  if (!view) return nullptr;
  expect_on(*view, name);
  if (view->shape.size() != 4) throw py::value_error(std::string(name) + " must have four axes");
  if (view->shape != shape) throw py::value_error(std::string(name) + " has the wrong shape");
  if (view->type != type)
    throw py::type_error(std::string(name) + " has another dtype than the packed weight");
  if (!has_layout(*view, Layout::nhwc)) throw py::value_error(std::string(name) + " must be channels-last");
  return view->data<T>();
}

zoom::ModulatedConv make_convolution(const View& x, const zoom::cpu::Weights& weight, const View& style,
                                     const View& scale, const MaybeView& noise, const MaybeView& bias,
                                     const MaybeView& rgb_weight, double slope, double gain,
                                     std::optional<double> clamp) {
  if (&weight.isa != &zoom::cpu::current()) {
    throw py::value_error(std::string("the weight was packed for ") + weight.isa.name + ", but " +
                          zoom::cpu::selected() + " is selected: pack it again");
  }
  if (x.shape.size() != 4) throw py::value_error("x must have four axes");
  zoom::ModulatedConv op{};
  op.type = weight.storage;
  op.up = weight.up;
  op.kernel = weight.kernel;
  op.in_channels = weight.forward().in_channels, op.out_channels = weight.forward().out_channels;
  op.batch = x.shape[0], op.height = x.shape[2], op.width = x.shape[3];
  op.out_height = op.height << op.up, op.out_width = op.width << op.up;
  op.activation = make_activation(slope, gain, clamp);
  op.x = image<const void>(x, "x", {op.batch, op.in_channels, op.height, op.width}, op.type);
  op.style = small<const float>(style, "style", {op.batch, op.in_channels});
  op.scale = small<const float>(scale, "scale", {op.batch, op.out_channels});
  op.noise = small<const float>(noise, "noise", {op.out_height, op.out_width});
  op.bias = small<const float>(bias, "bias", {op.out_channels});
  op.rgb_weight = small<const float>(rgb_weight, "rgb_weight", {op.batch, 3, op.out_channels});
  return op;
}

void modulated_conv2d(const View& x, const zoom::cpu::Weights& weight, const View& style, const View& scale,
                      const MaybeView& noise, const MaybeView& bias, const MaybeView& rgb_weight,
                      const MaybeView& out, const MaybeView& rgb, double slope, double gain,
                      std::optional<double> clamp, int threads) {
  zoom::ModulatedConv op =
      make_convolution(x, weight, style, scale, noise, bias, rgb_weight, slope, gain, clamp);
  op.out = image<void>(out, "out", {op.batch, op.out_channels, op.out_height, op.out_width}, op.type);
  op.rgb = small<float>(rgb, "rgb", {op.batch, 3, op.out_height, op.out_width});
  if (!out && !rgb) throw py::value_error("one of out and rgb must be given");
  if (rgb && !rgb_weight) throw py::value_error("rgb needs rgb_weight");
  expect_apart({{"out", given(out)}, {"rgb", given(rgb)}}, {{"x", given(x)},
                                                            {"style", given(style)},
                                                            {"scale", given(scale)},
                                                            {"noise", given(noise)},
                                                            {"bias", given(bias)},
                                                            {"rgb_weight", given(rgb_weight)}});
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::convolution_forward(op, weight, threads);
}

// The largest y that an activation with this clamp has not clamped, among values of the type.
float below_clamp(float clamp, Type type) {
  const float stored = type == Type::float32 ? clamp : zoom::widened(zoom::narrowed(clamp));
  return std::isinf(clamp) ? clamp : std::nextafter(stored, 0.0f);
}

void modulated_conv2d_backward(const MaybeView& grad, const MaybeView& grad_rgb, const View& x, const View& y,
                               const zoom::cpu::Weights& weight, const View& style, const View& scale,
                               const MaybeView& noise, const MaybeView& bias, const MaybeView& rgb_weight,
                               const View& dx, const View& dstyle, const View& dscale,
                               const MaybeView& drgb_weight, double slope, double gain,
                               std::optional<double> clamp, int threads) {
  zoom::ModulatedConv op =
      make_convolution(x, weight, style, scale, noise, bias, rgb_weight, slope, gain, clamp);
  if (!(slope > 0) || !(gain > 0)) throw py::value_error("slope and gain must be positive");
  op.activation.clamp = below_clamp(op.activation.clamp, op.type);
  const Sizes out_shape{op.batch, op.out_channels, op.out_height, op.out_width};
  op.y = image<const void>(y, "y", out_shape, op.type);
  op.grad = image<const void>(grad, "grad", out_shape, op.type);
  op.grad_rgb = small<const float>(grad_rgb, "grad_rgb", {op.batch, 3, op.out_height, op.out_width});
  op.dx = image<void>(dx, "dx", x.shape, op.type);
  op.dstyle = small<float>(dstyle, "dstyle", {op.batch, op.in_channels});
  op.dscale = small<float>(dscale, "dscale", {op.batch, op.out_channels});
  op.drgb_weight = small<float>(drgb_weight, "drgb_weight", {op.batch, 3, op.out_channels});
  if (!grad && !grad_rgb) throw py::value_error("one of grad and grad_rgb must be given");
  if (grad_rgb && !rgb_weight) throw py::value_error("grad_rgb needs rgb_weight");
  if (drgb_weight && !grad_rgb) throw py::value_error("drgb_weight needs grad_rgb");
  expect_apart({{"dx", given(dx)},
                {"dstyle", given(dstyle)},
                {"dscale", given(dscale)},
                {"drgb_weight", given(drgb_weight)}},
               {{"grad", given(grad)},
                {"grad_rgb", given(grad_rgb)},
                {"x", given(x)},
                {"y", given(y)},
                {"style", given(style)},
                {"scale", given(scale)},
                {"noise", given(noise)},
                {"bias", given(bias)},
                {"rgb_weight", given(rgb_weight)}});
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::convolution_backward(op, weight, threads);
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native operators of zoom-engine; use them through zoom_engine.ops.";
  m.attr("__version__") = ZOOM_ENGINE_VERSION;

  zoom::bind_view(m);

  m.def("supported_isas", &zoom::cpu::supported, "Instruction sets that this machine can run, best first.");
  m.def("selected_isa", &zoom::cpu::selected, "The instruction set in use.");
  m.def("select_isa", &zoom::cpu::select, py::arg("name"), "Use this instruction set from now on.");

  py::class_<zoom::cpu::Buffer>(m, "Buffer", py::buffer_protocol(),
                                "Uninitialised memory, kept for later buffers when nobody holds it any more.")
      .def(py::init(&make_buffer), py::arg("bytes"))
      .def_buffer([](zoom::cpu::Buffer& buffer) {
        return py::buffer_info(static_cast<std::uint8_t*>(buffer.data()), buffer.bytes());
      });
  m.def("kept_memory", &zoom::cpu::kept_memory, "Bytes that are kept for later buffers.");
  m.def("release_memory", &zoom::cpu::release_memory,
        "Give what is kept for later buffers back to the system.");

  m.def("upsample2x", &upsample2x, py::kw_only(), py::arg("x"), py::arg("out"), py::arg("add"),
        py::arg("bias"), py::arg("clamp"), py::arg("threads"),
        "out = [1, 3, 3, 1] filter over the zero-inserted x, + add + bias within +-clamp.");
  m.def("upsample2x_backward", &upsample2x_backward, py::kw_only(), py::arg("grad"), py::arg("dx"),
        py::arg("threads"), "dx of upsample2x from the gradient of its output.");

  m.def("modulation", &modulation, py::kw_only(), py::arg("styles"), py::arg("edit_weights"),
        py::arg("edit_directions"), py::arg("energy"), py::arg("style"), py::arg("scale"), py::arg("threads"),
        "style = styles + edit_weights @ edit_directions, scale = (style^2 @ energy^T + 1e-8)^-1/2.");
  m.def("modulation_backward", &modulation_backward, py::kw_only(), py::arg("dscale") = py::none(),
        py::arg("style") = py::none(), py::arg("energy") = py::none(), py::arg("scale") = py::none(),
        py::arg("edit_directions"), py::arg("dstyle"), py::arg("dedit_weights"), py::arg("threads"),
        "dstyle += the gradient to style from the one of scale, then dedit_weights += dstyle @ "
        "edit_directions^T.");

  py::class_<zoom::cpu::Weights>(
      m, "PackedWeight",
      "Weights [Cout, Cin, K, K] of one convolution for images of type `storage`, packed "
      "for the instruction set that is selected now.")
      .def(py::init(&pack_weights), py::kw_only(), py::arg("weight"), py::arg("up"),
           py::arg("storage") = "float32");

  m.def("modulated_conv2d", &modulated_conv2d, py::kw_only(), py::arg("x"), py::arg("weight"),
        py::arg("style"), py::arg("scale"), py::arg("noise"), py::arg("bias"), py::arg("rgb_weight"),
        py::arg("out"), py::arg("rgb"), py::arg("slope"), py::arg("gain"), py::arg("clamp"),
        py::arg("threads"),
        "With u = convolution(x * style), up-sampled and filtered if so packed: out = clamp(leaky_relu(u * "
        "scale + "
        "noise + bias) * gain), rgb = sum of rgb_weight * out over channels.");
  m.def("modulated_conv2d_backward", &modulated_conv2d_backward, py::kw_only(), py::arg("grad"),
        py::arg("grad_rgb"), py::arg("x"), py::arg("y"), py::arg("weight"), py::arg("style"),
        py::arg("scale"), py::arg("noise"), py::arg("bias"), py::arg("rgb_weight"), py::arg("dx"),
        py::arg("dstyle"), py::arg("dscale"), py::arg("drgb_weight"), py::arg("slope"), py::arg("gain"),
        py::arg("clamp"), py::arg("threads"),
        "Gradients of modulated_conv2d from those of out (which is y) and rgb.");
}
