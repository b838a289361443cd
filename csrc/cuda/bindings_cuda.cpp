// zoom_engine._cuda: the CUDA operators for Python, an extension of its own so that zoom_engine._core is the
// same file with and without CUDA. Tensors arrive as views and are checked here.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "cuda/launch.hpp"
#include "view.hpp"

namespace py = pybind11;
using zoom::kCpu;
using zoom::Layout;
using zoom::Sizes;
using zoom::View;

namespace {

constexpr std::int64_t kMostPixels = 1 << 30, kMostChannels = 1 << 18;

using MaybeView = std::optional<View>;

template <class T>
T* pointer(const MaybeView& view) {
  return view ? view->data<T>() : nullptr;
}

// Throws unless x is an image [B, C, H, W] on a CUDA device that the kernels' 32-bit places can address.
void expect_device_image(const View& x) {
  if (x.device == kCpu) throw py::value_error("x must be on a CUDA device");
  layout_of(x, x.device);
  if (x.shape[2] > kMostPixels / x.shape[3] || x.shape[1] > kMostChannels) {
    throw py::value_error("x has more than 2^30 pixels or 2^18 channels");
  }
}

void expect_channels_last(const View& x) {
  expect_device_image(x);
  if (!has_layout(x, Layout::nhwc)) throw py::value_error("x must be channels-last");
}

void expect_like(const View& view, const char* name, const Sizes& shape, const View& x) {
  expect_image(view, name, shape, x.type, Layout::nhwc, x.device);
}

void expect_workspace(const View& workspace, const View& x, bool fir) {
  const std::int64_t floats =
      zoom::cuda::workspace_floats(x.shape[0], x.shape[1], x.shape[2], x.shape[3], fir);
  expect_small(workspace, "workspace", workspace.shape, x.device);
  if (workspace.shape.size() != 1 || workspace.shape[0] < floats) {
    throw py::value_error("workspace must be one axis of at least " + std::to_string(floats) + " floats");
  }
}

zoom::cuda::Modulate make_modulate(const View& x, const View& styles) {
  expect_channels_last(x);
  expect_small(styles, "styles", {x.shape[0], x.shape[1]}, x.device);
  zoom::cuda::Modulate call{};
  call.type = x.type;
  call.batch = x.shape[0], call.channels = x.shape[1], call.pixels = x.shape[2] * x.shape[3];
  call.x = x.data<const void>();
  call.styles = styles.data<const float>();
  return call;
}

void modulate(const View& x, const View& styles, const MaybeView& edit_weights,
              const MaybeView& edit_directions, const View& out, const View& style, std::uintptr_t stream) {
  zoom::cuda::Modulate call = make_modulate(x, styles);
  if (edit_weights.has_value() != edit_directions.has_value()) {
    throw py::value_error("edit_weights and edit_directions belong together");
  }
  if (edit_weights) {
    if (edit_weights->shape.size() != 2) throw py::value_error("edit_weights must have two axes");
    call.edits = edit_weights->shape[1];
    expect_small(*edit_weights, "edit_weights", {call.batch, call.edits}, x.device);
    call.directions_pitch =
        expect_rows(*edit_directions, "edit_directions", {call.edits, call.channels}, x.device);
  }
  expect_like(out, "out", x.shape, x);
  expect_small(style, "style", styles.shape, x.device);
  call.edit_weights = pointer<const float>(edit_weights);
  call.edit_directions = pointer<const float>(edit_directions);
  call.out = out.data<void>();
  call.style = style.data<float>();
  const py::gil_scoped_release release;
  zoom::cuda::modulate(call, {x.device, stream});
}

void modulate_backward(const View& grad, const View& x, const View& style, const View& dx, const View& dstyle,
                       const View& workspace, std::uintptr_t stream) {
  zoom::cuda::Modulate call = make_modulate(x, style);
  expect_like(grad, "grad", x.shape, x);
  expect_like(dx, "dx", x.shape, x);
  expect_small(dstyle, "dstyle", style.shape, x.device);
  expect_workspace(workspace, x, false);
  call.grad = grad.data<const void>();
  call.dx = dx.data<void>();
  call.dstyle = dstyle.data<float>();
  call.workspace = workspace.data<float>();
  const py::gil_scoped_release release;
  zoom::cuda::modulate_backward(call, {x.device, stream});
}

zoom::cuda::Epilogue make_epilogue(const View& x, const View& scale, const MaybeView& noise, const View& bias,
                                   bool fir, double slope, double gain, std::optional<double> clamp) {
  expect_channels_last(x);
  zoom::cuda::Epilogue call{};
  call.type = x.type;
  call.fir = fir;
  call.batch = x.shape[0], call.channels = x.shape[1], call.height = x.shape[2], call.width = x.shape[3];
  call.out_height = call.height - fir, call.out_width = call.width - fir;
  if (call.out_height < 1 || call.out_width < 1) throw py::value_error("x is too small for the filter");
  call.activation = zoom::make_activation(slope, gain, clamp);
  expect_small(scale, "scale", {call.batch, call.channels}, x.device);
  expect_small(bias, "bias", {call.channels}, x.device);
  if (noise) expect_small(*noise, "noise", {call.out_height, call.out_width}, x.device);
  call.x = x.data<const void>();
  call.scale = scale.data<const float>();
  call.noise = pointer<const float>(noise);
  call.bias = bias.data<const float>();
  return call;
}

void modulated_epilogue(const View& x, const View& scale, const MaybeView& noise, const View& bias,
                        const View& out, bool fir, double slope, double gain, std::optional<double> clamp,
                        std::uintptr_t stream) {
  zoom::cuda::Epilogue call = make_epilogue(x, scale, noise, bias, fir, slope, gain, clamp);
  expect_like(out, "out", {call.batch, call.channels, call.out_height, call.out_width}, x);
  call.y = out.data<void>();
  const py::gil_scoped_release release;
  zoom::cuda::modulated_epilogue(call, {x.device, stream});
}

void modulated_epilogue_backward(const View& grad, const View& x, const View& scale, const MaybeView& noise,
                                 const View& bias, const View& dx, const View& dscale, const View& workspace,
                                 bool fir, double slope, double gain, std::optional<double> clamp,
                                 std::uintptr_t stream) {
  zoom::cuda::Epilogue call = make_epilogue(x, scale, noise, bias, fir, slope, gain, clamp);
  expect_like(grad, "grad", {call.batch, call.channels, call.out_height, call.out_width}, x);
  expect_like(dx, "dx", x.shape, x);
  expect_small(dscale, "dscale", scale.shape, x.device);
  expect_workspace(workspace, x, fir);
  call.grad = grad.data<const void>();
  call.dx = dx.data<void>();
  call.dscale = dscale.data<float>();
  call.workspace = workspace.data<float>();
  const py::gil_scoped_release release;
  zoom::cuda::modulated_epilogue_backward(call, {x.device, stream});
}

zoom::cuda::Upsample make_upsample(const View& small, const View& large) {
  expect_device_image(small);
  expect_device_image(large);
  const Layout layout = layout_of(small, small.device);
  const Sizes doubled = {small.shape[0], small.shape[1], 2 * small.shape[2], 2 * small.shape[3]};
  expect_image(large, "the large image", doubled, small.type, layout, small.device);
  zoom::cuda::Upsample call{};
  call.type = small.type;
  call.batch = small.shape[0], call.channels = small.shape[1];
  call.height = small.shape[2], call.width = small.shape[3];
  if (layout == Layout::nchw) call.batch *= call.channels, call.channels = 1;
  return call;
}

void upsample2x(const View& x, const MaybeView& add, const View& out, std::uintptr_t stream) {
  zoom::cuda::Upsample call = make_upsample(x, out);
  if (add) expect_image(*add, "add", out.shape, x.type, layout_of(x, x.device), x.device);
  call.from = x.data<const void>();
  call.add = pointer<const void>(add);
  call.to = out.data<void>();
  const py::gil_scoped_release release;
  zoom::cuda::upsample2x(call, {x.device, stream});
}

void upsample2x_backward(const View& grad, const View& dx, std::uintptr_t stream) {
  zoom::cuda::Upsample call = make_upsample(dx, grad);
  call.from = grad.data<const void>();
  call.to = dx.data<void>();
  const py::gil_scoped_release release;
  zoom::cuda::upsample2x_backward(call, {dx.device, stream});
}

}  // namespace

PYBIND11_MODULE(_cuda, m) {
  m.doc() =
      "CUDA operators of zoom-engine; use them through zoom_engine.ops. Each enqueues kernels on `stream` "
      "(the "
      "handle of a CUDA stream, 0 for the default one) and returns.";
  zoom::bind_view(m);

  m.def("unusable", &zoom::cuda::unusable, py::arg("device"),
        "Why the kernels cannot run on this device, in one line, or an empty string.");
  m.def("workspace_floats",
        py::overload_cast<std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool>(
            &zoom::cuda::workspace_floats),
        py::kw_only(), py::arg("batch"), py::arg("channels"), py::arg("height"), py::arg("width"),
        py::arg("fir"), "Floats of `workspace` that a backward pass over x [B, C, H, W] needs.");
  m.def("modulate", &modulate, py::kw_only(), py::arg("x"), py::arg("styles"), py::arg("edit_weights"),
        py::arg("edit_directions"), py::arg("out"), py::arg("style"), py::arg("stream"),
        "out = x * style, style = styles + edit_weights @ edit_directions");
  m.def("modulate_backward", &modulate_backward, py::kw_only(), py::arg("grad"), py::arg("x"),
        py::arg("style"), py::arg("dx"), py::arg("dstyle"), py::arg("workspace"), py::arg("stream"),
        "dx and dstyle of modulate from the gradient of its out.");
  m.def("modulated_epilogue", &modulated_epilogue, py::kw_only(), py::arg("x"), py::arg("scale"),
        py::arg("noise"), py::arg("bias"), py::arg("out"), py::arg("fir"), py::arg("slope"), py::arg("gain"),
        py::arg("clamp"), py::arg("stream"), "out = clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)");
  m.def("modulated_epilogue_backward", &modulated_epilogue_backward, py::kw_only(), py::arg("grad"),
        py::arg("x"), py::arg("scale"), py::arg("noise"), py::arg("bias"), py::arg("dx"), py::arg("dscale"),
        py::arg("workspace"), py::arg("fir"), py::arg("slope"), py::arg("gain"), py::arg("clamp"),
        py::arg("stream"), "dx and dscale of modulated_epilogue from the gradient of its output.");
  m.def("upsample2x", &upsample2x, py::kw_only(), py::arg("x"), py::arg("add"), py::arg("out"),
        py::arg("stream"), "out = [1, 3, 3, 1] filter over the zero-inserted x, plus add.");
  m.def("upsample2x_backward", &upsample2x_backward, py::kw_only(), py::arg("grad"), py::arg("dx"),
        py::arg("stream"), "dx of upsample2x from the gradient of its output.");
}
