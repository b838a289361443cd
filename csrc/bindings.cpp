// zoom_engine._core: the native operators for Python. Tensors arrive as views, pointer and strides, and are
// checked here.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <limits>
#include <optional>

#include "cpu/dispatch.hpp"
#include "view.hpp"

namespace py = pybind11;
using zoom::View;

namespace {

zoom::Epilogue make_epilogue(const View& x, const View& scale, const std::optional<View>& noise,
                             const View& bias, bool fir, double slope, double gain,
                             std::optional<double> clamp) {
  zoom::Epilogue op{};
  op.type = x.type;
  op.layout = layout_of(x);
  op.fir = fir;
  op.batch = x.shape[0], op.channels = x.shape[1], op.height = x.shape[2], op.width = x.shape[3];
  op.out_height = op.height - fir, op.out_width = op.width - fir;
  if (op.out_height < 1 || op.out_width < 1) throw py::value_error("x is too small for the filter");
  if (clamp && !(*clamp > 0)) throw py::value_error("clamp must be positive");
  op.activation = {static_cast<float>(slope), static_cast<float>(gain),
                   clamp ? static_cast<float>(*clamp) : std::numeric_limits<float>::infinity()};
  expect_small(scale, "scale", {op.batch, op.channels});
  expect_small(bias, "bias", {op.channels});
  if (noise) expect_small(*noise, "noise", {op.out_height, op.out_width});
  op.x = x.data<const void>();
  op.scale = scale.data<const float>();
  op.bias = bias.data<const float>();
  op.noise = noise ? noise->data<const float>() : nullptr;
  return op;
}

int checked(int threads) {
  if (threads < 1) throw py::value_error("threads must be at least 1");
  return threads;
}

void modulated_epilogue(const View& x, const View& scale, const std::optional<View>& noise, const View& bias,
                        const View& out, bool fir, double slope, double gain, std::optional<double> clamp,
                        int threads) {
  zoom::Epilogue op = make_epilogue(x, scale, noise, bias, fir, slope, gain, clamp);
  expect_image(out, "out", {op.batch, op.channels, op.out_height, op.out_width}, op.type, op.layout);
  op.y = out.data<void>();
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::epilogue_forward(op, threads);
}

void modulated_epilogue_backward(const View& grad, const View& x, const View& scale,
                                 const std::optional<View>& noise, const View& bias, const View& dx,
                                 const View& dscale, bool fir, double slope, double gain,
                                 std::optional<double> clamp, int threads) {
  zoom::Epilogue op = make_epilogue(x, scale, noise, bias, fir, slope, gain, clamp);
  expect_image(grad, "grad", {op.batch, op.channels, op.out_height, op.out_width}, op.type, op.layout);
  expect_image(dx, "dx", x.shape, op.type, op.layout);
  expect_small(dscale, "dscale", {op.batch, op.channels});
  op.grad = grad.data<const void>();
  op.dx = dx.data<void>();
  op.dscale = dscale.data<float>();
  checked(threads);
  const py::gil_scoped_release release;
  zoom::cpu::epilogue_backward(op, threads);
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

void upsample2x(const View& x, const View& out, int threads) {
  const zoom::Upsample op = make_upsample(x, out, true);
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

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native operators of zoom-engine; use them through zoom_engine.ops.";
  m.attr("__version__") = ZOOM_ENGINE_VERSION;

  zoom::bind_view(m);

  m.def("supported_isas", &zoom::cpu::supported, "Instruction sets that this machine can run, best first.");
  m.def("selected_isa", &zoom::cpu::selected, "The instruction set in use.");
  m.def("select_isa", &zoom::cpu::select, py::arg("name"), "Use this instruction set from now on.");

  m.def("modulated_epilogue", &modulated_epilogue, py::kw_only(), py::arg("x"), py::arg("scale"),
        py::arg("noise"), py::arg("bias"), py::arg("out"), py::arg("fir"), py::arg("slope"), py::arg("gain"),
        py::arg("clamp"), py::arg("threads"),
        "out = clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)");
  m.def("modulated_epilogue_backward", &modulated_epilogue_backward, py::kw_only(), py::arg("grad"),
        py::arg("x"), py::arg("scale"), py::arg("noise"), py::arg("bias"), py::arg("dx"), py::arg("dscale"),
        py::arg("fir"), py::arg("slope"), py::arg("gain"), py::arg("clamp"), py::arg("threads"),
        "dx and dscale of modulated_epilogue from the gradient of its output.");
  m.def("upsample2x", &upsample2x, py::kw_only(), py::arg("x"), py::arg("out"), py::arg("threads"),
        "out = [1, 3, 3, 1] filter over the zero-inserted x.");
  m.def("upsample2x_backward", &upsample2x_backward, py::kw_only(), py::arg("grad"), py::arg("dx"),
        py::arg("threads"), "dx of upsample2x from the gradient of its output.");
}
