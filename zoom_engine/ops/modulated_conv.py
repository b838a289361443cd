"""A whole layer of StyleGAN2's synthesis as one operator: edits, modulation, convolution and all that follows it.

`zoom_engine::modulated_conv2d` and its backward have a schema, fake kernels and an autograd formula, so `torch.compile`
and `torch.export` trace them. Between forward and backward only the input and the output are kept: the activation's
derivative, the clamp's mask and the gradient of the demodulation follow from the output.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError
from zoom_engine.ops import composition, cuda_layer, native
from zoom_engine.ops.dispatch import implementation
from zoom_engine.ops.layer import SCHEMA, Layer
from zoom_engine.ops.operator import operator
from zoom_engine.ops.packed import Packed, packed

OTHERS = ("weight", "edit_directions", "noise", "bias", "rgb_weight", "rgb_edit_directions")  # without native gradients


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    edit_weights: Tensor | None = None,
    edit_directions: Tensor | None = None,
    noise: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    up: bool = False,
    slope: float = 0.2,
    gain: float = 2**0.5,
    clamp: float | None = None,
    rgb_weight: Tensor | None = None,
    rgb_styles: Tensor | None = None,
    rgb_edit_directions: Tensor | None = None,
    rgb_only: bool = False,
) -> tuple[Tensor, Tensor]:
    """Compute `clamp(leaky_relu(demodulated convolution of x + noise + bias) * gain)`, and its toRGB (Karras 2020).

    The style `s = styles + edit_weights @ edit_directions` scales the input channels of the weight, per sample.
    Differentiable in x, the styles and the edit weights. Where a gradient to anything else is wanted, as in training,
    `composition.modulated_conv2d` runs instead.

    Args:
        x: `[B, Cin, H, W]`, best channels-last.
        weight: `[Cout, Cin, K, K]` float32, K 1 or 3. The native operators keep a packed copy as long as it lives.
        styles: `[B, Cin]`.
        edit_weights: `[B, N]`, with `edit_directions`; or neither.
        edit_directions: `[N, Cin]`, best columns of a row-major matrix.
        noise: `[H', W']`, already times the noise strength, or None.
        bias: `[Cout]` or None.
        up: double the size by a transposed convolution of stride 2 and the [1, 3, 3, 1] filter of gain 4; needs K = 3.
        slope: of the leaky ReLU below zero, positive.
        gain: factor after the leaky ReLU, positive.
        clamp: largest absolute value of the activations, or None. Values beyond it get no gradient.
        rgb_weight: `[3, Cout]`, with `rgb_styles`: the toRGB that reads these activations; or neither.
        rgb_styles: `[B, Cout]`.
        rgb_edit_directions: `[N, Cout]`, by which the edit weights edit `rgb_styles` too, or None.
        rgb_only: nobody reads `out`, which may then be left empty, `[B, 0, H', W']`.

    Returns:
        out `[B, Cout, H', W']` in the dtype of `x`, channels-last, where `H' = 2H` with `up`, else H; rgb `[B, 3, H',
        W']`, contiguous, float32 (float64 for such an `x`), without bias; `[B, 0, H', W']` where no toRGB was asked
        for.

    Raises:
        ValueError: shapes that do not fit together, or a slope, gain or clamp that is not positive.
    """
    if edit_weights is not None and edit_weights.shape[1:] == (0,):
        edit_weights = edit_directions = rgb_edit_directions = None
    rgb = (rgb_weight, rgb_styles, rgb_edit_directions)
    layer = Layer(x, weight, styles, edit_weights, edit_directions, noise, bias, up, slope, gain, clamp, *rgb, rgb_only)
    layer.check()
    if torch.is_grad_enabled():
        if any(t is not None and t.requires_grad for t in (getattr(layer, name) for name in OTHERS)):
            return composition.modulated_conv2d(**layer.composed())
        differentiated = (x, styles, edit_weights, rgb_styles)
        layer = layer._replace(rgb_only=rgb_only and not any(t is not None and t.requires_grad for t in differentiated))
    result: tuple[Tensor, Tensor] = _forward(*layer)
    return result


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.to(torch.float32).contiguous()


def _view(tensor: Tensor | None) -> Any:
    return None if tensor is None else native.view(tensor)


def _channels_last(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last)


def _modulated(
    styles: Tensor, edit_weights: Tensor | None, edit_directions: Tensor | None, energy: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute the edited styles `[B, C]`, and their demodulation `[B, Cout]` by `energy [Cout, C]` if given.

    Both are float32.
    """
    style = torch.empty(styles.shape, dtype=torch.float32)
    scale = style.new_empty((len(style), 0 if energy is None else len(energy)))
    native.require().modulation(
        styles=_view(native.rows_of(styles)),
        edit_weights=_view(_contiguous(edit_weights)),
        edit_directions=_view(native.rows_of(edit_directions)),
        energy=_view(energy),
        style=native.view(style),
        scale=None if energy is None else native.view(scale),
        threads=torch.get_num_threads(),
    )
    return style, scale


class _Operands(NamedTuple):
    """The extension's inputs besides images, each float32 and contiguous."""

    packed: Packed
    style: Tensor
    scale: Tensor
    noise: Tensor | None
    bias: Tensor | None
    rgb_weight: Tensor | None

    @classmethod
    def of(cls, layer: Layer) -> _Operands:
        weights = packed(layer.weight, up=layer.up, dtype=layer.x.dtype)
        style, scale = _modulated(layer.styles, layer.edit_weights, layer.edit_directions, weights.energy)
        rgb_weight, rgb_style = None, layer.rgb_styles
        if layer.rgb_weight is not None and rgb_style is not None:
            if layer.rgb_edit_directions is not None:
                rgb_style, _ = _modulated(rgb_style, layer.edit_weights, layer.rgb_edit_directions)
            rgb_weight = (rgb_style[:, None] * layer.rgb_weight).float().contiguous()
        return cls(weights, style, scale, _contiguous(layer.noise), _contiguous(layer.bias), rgb_weight)

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the arguments of both calls of the extension."""
        return {
            "weight": self.packed.handle,
            "style": native.view(self.style),
            "scale": native.view(self.scale),
            "noise": _view(self.noise),
            "bias": _view(self.bias),
            "rgb_weight": _view(self.rgb_weight),
            "slope": layer.slope,
            "gain": layer.gain,
            "clamp": layer.clamp,
            "threads": torch.get_num_threads(),
        }


def _empty(layer: Layer, code: str) -> tuple[Tensor, Tensor]:
    empty = native.empty if code == "native" else functools.partial(torch.empty, device=layer.x.device)
    batch, channels, height, width = layer.out_shape
    shape = (batch, 0 if layer.rgb_only else channels, height, width)
    out = empty(shape, dtype=layer.x.dtype, memory_format=torch.channels_last)
    return out, empty(layer.rgb_shape, dtype=torch.promote_types(layer.x.dtype, torch.float32))


def _empties(*arguments: Any) -> tuple[Tensor, Tensor]:
    return _empty(Layer(*arguments), "torch")


def _empty_gradients(grad: Tensor | None, grad_rgb: Tensor | None, y: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    layer = Layer(*arguments)
    rest = (layer.styles, layer.edit_weights, None if grad_rgb is None else layer.rgb_styles)
    return (
        torch.empty_like(layer.x, memory_format=torch.channels_last),
        *(layer.styles.new_empty((0, 0) if tensor is None else tensor.shape) for tensor in rest),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    layer = Layer(*inputs)
    if layer.rgb_only:
        raise BackendError("modulated_conv2d with rgb_only keeps nothing that a gradient could be computed from")
    ctx.set_materialize_grads(False)
    ctx.options = tuple(None if isinstance(value, Tensor) else value for value in inputs)
    ctx.save_for_backward(output[0], *(value if isinstance(value, Tensor) else None for value in inputs))


def _gradients(ctx: Any, grad: Tensor | None, grad_rgb: Tensor | None) -> tuple[Tensor | None, ...]:
    wanted = Layer(*ctx.needs_input_grad)
    if any(getattr(wanted, name) for name in OTHERS):
        raise BackendError(
            "zoom_engine::modulated_conv2d has no gradients to weights, edit directions, noise and bias: call"
            " zoom_engine.ops.modulated_conv2d, which composes the layer from torch's operators then"
        )
    y, *tensors = ctx.saved_tensors
    layer = Layer(*(b if a is None else a for a, b in zip(tensors, ctx.options, strict=True)))
    if layer.rgb_weight is None:
        grad_rgb = None  # of a picture without channels
    if grad is None and grad_rgb is None:
        return (None,) * len(layer)
    dx, dstyles, dedit_weights, drgb_styles = _backward(grad, grad_rgb, y, *layer)
    gradients = {"x": dx, "styles": dstyles}
    if layer.edit_weights is not None:
        gradients["edit_weights"] = dedit_weights
    if grad_rgb is not None:
        gradients["rgb_styles"] = drgb_styles
    return tuple(gradients.get(name) for name in Layer._fields)


@operator(
    "modulated_conv2d", f"({SCHEMA}) -> (Tensor out, Tensor rgb)", fake=_empties, gradients=_gradients, save=_save
)
def _forward(*arguments: Any) -> tuple[Tensor, Tensor]:
    layer = Layer(*arguments)
    code = implementation(layer.x)
    out, rgb = _empty(layer, code)
    if code == "cuda":
        y, picture = cuda_layer.forward(layer)
        return out if layer.rgb_only else y, rgb if picture is None else picture
    if code == "torch":
        y, y_rgb = composition.modulated_conv2d(**layer.composed())
        return out if layer.rgb_only else _channels_last(y), y_rgb.contiguous()
    operands = _Operands.of(layer)
    native.require().modulated_conv2d(
        x=native.view(_channels_last(layer.x)),
        out=None if layer.rgb_only else native.view(out),
        rgb=None if operands.rgb_weight is None else native.view(rgb),
        **operands.arguments(layer),
    )
    return out, rgb


@operator(
    "modulated_conv2d_backward",
    f"(Tensor? grad, Tensor? grad_rgb, Tensor y, {SCHEMA}) ->"
    " (Tensor dx, Tensor dstyles, Tensor dedit_weights, Tensor drgb_styles)",
    fake=_empty_gradients,
)
def _backward(
    grad: Tensor | None, grad_rgb: Tensor | None, y: Tensor, *arguments: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients to x, styles, edit weights and the toRGB's styles, `[0, 0]` where there are none."""
    layer = Layer(*arguments)
    code = implementation(layer.x)
    if code == "native":
        dx, *rest = _native_backward(grad, grad_rgb, y, layer)
    else:
        backward = cuda_layer.backward if code == "cuda" else composition.modulated_conv2d_backward
        dx, dstyles, drgb_styles = backward(grad, grad_rgb, y, layer.edited())
        dedit_weights = None if layer.edit_directions is None else dstyles @ layer.edit_directions.t()
        if dedit_weights is not None and drgb_styles is not None and layer.rgb_edit_directions is not None:
            dedit_weights = dedit_weights + drgb_styles @ layer.rgb_edit_directions.t()
        rest = [dstyles, dedit_weights, drgb_styles]
    like = layer.styles
    dstyles, dedit_weights, drgb_styles = (like.new_empty((0, 0)) if t is None else t.to(like.dtype) for t in rest)
    return _channels_last(dx), dstyles, dedit_weights, drgb_styles


def _native_backward(
    grad: Tensor | None, grad_rgb: Tensor | None, y: Tensor, layer: Layer
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    operands = _Operands.of(layer)
    dx = native.empty(layer.x.shape, dtype=layer.x.dtype, memory_format=torch.channels_last)
    dstyle, dscale = torch.empty_like(operands.style), torch.empty_like(operands.scale)
    drgb_weight = None if operands.rgb_weight is None or grad_rgb is None else torch.empty_like(operands.rgb_weight)
    native.require().modulated_conv2d_backward(
        grad=_view(None if grad is None else _channels_last(grad)),
        grad_rgb=_view(_contiguous(grad_rgb)),
        x=native.view(_channels_last(layer.x)),
        y=native.view(_channels_last(y)),
        dx=native.view(dx),
        dstyle=native.view(dstyle),
        dscale=native.view(dscale),
        drgb_weight=_view(drgb_weight),
        **operands.arguments(layer),
    )
    dedit_weights = None if layer.edit_weights is None else torch.zeros(layer.edit_weights.shape, dtype=torch.float32)
    native.require().modulation_backward(
        dscale=native.view(dscale),
        style=native.view(operands.style),
        energy=native.view(operands.packed.energy),
        scale=native.view(operands.scale),
        edit_directions=_view(native.rows_of(layer.edit_directions)),
        dstyle=native.view(dstyle),
        dedit_weights=_view(dedit_weights),
        threads=torch.get_num_threads(),
    )
    if layer.rgb_weight is None or drgb_weight is None:
        return dx, dstyle, dedit_weights, None
    drgb_styles = (drgb_weight * layer.rgb_weight).sum(dim=1).float()
    if layer.rgb_edit_directions is not None:
        native.require().modulation_backward(
            edit_directions=_view(native.rows_of(layer.rgb_edit_directions)),
            dstyle=native.view(drgb_styles),
            dedit_weights=_view(dedit_weights),
            threads=torch.get_num_threads(),
        )
    return dx, dstyle, dedit_weights, drgb_styles
