"""The CUDA operators against their literal definitions in float64: on a device, and everywhere on the CPU.

On the CPU all of csrc/cuda runs but the launch itself (see `cuda_on_cpu`). What it cannot show are the compiler's code,
the hardware's barriers and caches, and speed.
"""

from __future__ import annotations

from typing import Any

import literal_ops
import pytest
import torch
from cuda_on_cpu import Order, install
from networks import relative_error, spread_generator, styles_of
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import cuda

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
KINK = 1e-3  # the gradient jumps at 0 and at the clamp: there either side is right
DTYPES = list(TOLERANCE)
# [B, C, H, W]: one pixel, odd sizes, one element at a time and vectors, several blocks of channels and of pixels.
SHAPES = [
    (1, 1, 1, 1),
    (3, 3, 7, 5),
    (2, 5, 9, 34),
    (1, 8, 4, 4),
    (2, 24, 33, 17),
    (1, 130, 6, 5),
    (2, 640, 5, 4),
    (1, 16, 70, 65),
]


@pytest.fixture(params=[pytest.param("cpu", marks=pytest.mark.ci), pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Where the kernels run."""
    if request.param == "cpu":
        install(monkeypatch, request.getfixturevalue("cuda_extension_on_cpu"))
    elif not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    elif reason := cuda.unusable(torch.cuda.current_device()):
        pytest.skip(reason)
    return torch.device(request.param)


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Order:
    """The order of threads, on the CPU."""
    return install(monkeypatch, request.getfixturevalue("cuda_extension_on_cpu"))


class Draw:
    """Random tensors from one seed, float32 unless said."""

    def __init__(self, device: torch.device, seed: int = 0) -> None:
        self.device, self.random = device, torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, dtype: torch.dtype = torch.float32, layout: str = "channels_last") -> Tensor:
        drawn = torch.randn(shape, generator=self.random).to(self.device, dtype)
        return drawn.contiguous(memory_format=getattr(torch, layout)) if len(shape) == 4 else drawn


def spread(styles: Tensor) -> Tensor:
    return styles[:, :, None, None]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("edits", [0, 1, 40])
@pytest.mark.parametrize("shape", SHAPES)
def test_modulate(device: torch.device, shape: tuple[int, int, int, int], edits: int, dtype: torch.dtype) -> None:
    draw = Draw(device)
    batch, channels = shape[:2]
    x, grad, styles = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype), draw(batch, channels)
    weights, directions = draw(batch, edits), draw(edits, channels)
    out, style = cuda.modulate(x, styles, *((weights, directions) if edits else ()))
    dx, dstyle = cuda.modulate_backward(grad, x, style)
    wide = [tensor.double().requires_grad_() for tensor in (x, styles, weights)]
    edited = wide[1] + wide[2] @ directions.double()
    true = wide[0] * spread(edited)
    dx_true, dstyles_true, dweights_true = torch.autograd.grad(true, wide, grad.double())
    assert relative_error(style, edited.detach()) < 1e-6
    assert relative_error(out, true.detach()) < TOLERANCE[dtype]
    assert relative_error(dx, dx_true) < TOLERANCE[dtype]
    assert relative_error(dstyle, dstyles_true) < 1e-5
    assert not edits or relative_error(dstyle @ directions.T, dweights_true) < 1e-5
    assert (out.dtype, dx.dtype, style.dtype, dstyle.dtype) == (dtype, dtype, torch.float32, torch.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize("with_options", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_epilogue(
    device: torch.device, shape: tuple[int, int, int, int], with_options: bool, fir: bool, dtype: torch.dtype
) -> None:
    """With and without noise and clamp."""
    draw = Draw(device)
    batch, channels, height, width = shape[0], shape[1], shape[2] + fir, shape[3] + fir
    x, scale, bias = draw(batch, channels, height, width, dtype=dtype), draw(batch, channels), draw(channels)
    noise = draw(*shape[2:]) if with_options else None
    clamp = 1.5 if with_options else None
    leaves = [t.double().requires_grad_() for t in (x, scale)]
    wide_noise = None if noise is None else noise.double()
    true = literal_ops.modulated_epilogue(leaves[0], leaves[1], wide_noise, bias.double(), fir=fir, clamp=clamp)
    smooth = (true.abs() > KINK) & ((true.abs() - (clamp or 1e9)).abs() > KINK)
    grad = (draw(*true.shape, dtype=dtype) * smooth).contiguous(memory_format=torch.channels_last)
    gradients = torch.autograd.grad(true, leaves, grad.double())

    options = {"fir": fir, "slope": 0.2, "gain": 2**0.5, "clamp": clamp}
    result = cuda.modulated_epilogue(x, scale, noise, bias, **options)  # type: ignore[arg-type]
    dx, dscale = cuda.modulated_epilogue_backward(grad, x, scale, noise, bias, **options)  # type: ignore[arg-type]
    assert relative_error(result, true.detach()) < TOLERANCE[dtype]
    assert relative_error(dx, gradients[0]) < TOLERANCE[dtype]
    assert relative_error(dscale, gradients[1]) < 1e-5
    assert (result.dtype, dx.dtype, dscale.dtype) == (dtype, dtype, torch.float32)
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["channels_last", "contiguous_format"])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 16, 16), (1, 3, 5, 300)])
def test_upsample(device: torch.device, shape: tuple[int, int, int, int], layout: str, dtype: torch.dtype) -> None:
    draw = Draw(device)
    batch, channels, height, width = shape
    x = draw(*shape, dtype=dtype, layout=layout)
    add, grad = (draw(batch, channels, 2 * height, 2 * width, dtype=dtype, layout=layout) for _ in range(2))
    wide = x.double().requires_grad_()
    true = literal_ops.upsample2x(wide)
    (dx_true,) = torch.autograd.grad(true, wide, grad.double())
    assert relative_error(cuda.upsample2x(x), true.detach()) < TOLERANCE[dtype]
    assert relative_error(cuda.upsample2x(x, add), true.detach() + add.double()) < TOLERANCE[dtype]
    assert relative_error(cuda.upsample2x_backward(grad), dx_true) < TOLERANCE[dtype]
    assert height * width == 1 or cuda.upsample2x(x).is_contiguous(memory_format=getattr(torch, layout))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_are_read_and_rounded_as_torch_does(device: torch.device, dtype: torch.dtype) -> None:
    """All 65,536 of them, times one, and times what makes them subnormal, infinite or a tie."""
    x = torch.arange(65536, dtype=torch.int32, device=device).to(torch.int16).view(dtype).view(8, 8, 32, 32)
    x = x.contiguous(memory_format=torch.channels_last)
    for factor in (1.0, 2.0**-9, 1.0 + 2.0**-9, 3.0e5):
        result, _ = cuda.modulate(x, torch.full((8, 8), factor, device=device))
        expected = (x.float() * factor).to(dtype)
        assert torch.equal(result.isnan(), expected.isnan())
        assert torch.equal(result.nan_to_num(7.0), expected.nan_to_num(7.0))


@pytest.mark.ci
def test_threads_in_any_order_give_the_same(order: Order) -> None:
    """Within a step (between barriers) no thread may need what another one does."""
    draw = Draw(torch.device("cpu"))
    x, grad, scale, style, bias = draw(2, 24, 34, 38), draw(2, 24, 33, 37), draw(2, 24), draw(2, 24), draw(24)
    options = {"fir": True, "slope": 0.2, "gain": 1.0, "clamp": None}
    results = []
    for order.last_first in (False, True):
        filtered = cuda.modulated_epilogue_backward(grad, x, scale, None, bias, **options)  # type: ignore[arg-type]
        results.append([*filtered, *cuda.modulate_backward(x, x, style)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_sums_repeat_bit_by_bit(device: torch.device) -> None:
    draw = Draw(device)
    x, grad, style = draw(2, 64, 40, 40), draw(2, 64, 40, 40), draw(2, 64)
    first, *others = (cuda.modulate_backward(grad, x, style)[1] for _ in range(4))
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("misaligned", [False, True])
@pytest.mark.parametrize("shape", [(2, 8, 9, 35), (1, 3, 5, 4)])
def test_touches_nothing_but_its_outputs(
    device: torch.device, shape: tuple[int, int, int, int], misaligned: bool, dtype: torch.dtype
) -> None:
    """Inputs of ones in memory of large numbers, outputs of NaN: no read or write beyond either goes unseen."""
    margin, memories = 64 + misaligned, []

    def guarded(batch: int, channels: int, height: int, width: int, inner: float) -> Tensor:
        count = batch * channels * height * width
        memory = torch.full((count + 2 * margin,), 12345.0, dtype=dtype, device=device)
        memories.append(memory)
        body = memory[margin : margin + count].fill_(inner)
        return body.view(batch, height, width, channels).permute(0, 3, 1, 2)

    batch, channels, height, width = shape
    small, large = (batch, channels, height - 1, width - 1), (batch, channels, 2 * height, 2 * width)
    x, grad, wide = guarded(*shape, 1.0), guarded(*small, 1.0), guarded(*large, 1.0)
    out, dx, up, down = (guarded(*s, torch.nan) for s in (small, shape, large, shape))
    ones, sums, bias = (torch.ones(s, device=device) for s in ((batch, channels), (batch, channels), (channels,)))
    workspace = torch.empty(cuda._workspace(x, fir=True).shape, device=device)
    common = {"x": x, "scale": ones, "noise": None, "bias": bias}
    options = {"fir": True, "slope": 0.2, "gain": 1.0, "clamp": None}
    cuda._call("modulated_epilogue", {**common, "out": out}, **options)
    results = {"grad": grad, "dx": dx, "dscale": sums, "workspace": workspace}
    cuda._call("modulated_epilogue_backward", {**common, **results}, **options)
    cuda._call("upsample2x", {"x": x, "add": None, "out": up})
    cuda._call("upsample2x_backward", {"grad": wide, "dx": down})
    for tensor, most in ((out, 5), (dx, 4), (up, 1), (down, 4)):
        assert tensor.isfinite().all()
        assert tensor.abs().max() <= most
    edges = torch.cat([torch.cat([memory[:margin], memory[-margin:]]) for memory in memories])
    assert torch.equal(edges, torch.full_like(edges, 12345.0))


@pytest.mark.parametrize("clamp", [None, 0.7])
@pytest.mark.parametrize("layout", ["channels_last", "contiguous_format"])
def test_upsample_operator(device: torch.device, layout: str, clamp: float | None) -> None:
    """The public operator, its gradients and layouts."""
    draw = Draw(device)
    x = draw(2, 8, 8, 8, layout=layout).requires_grad_()
    add = draw(2, 8, 16, 16, layout=layout).requires_grad_()
    bias = draw(8)
    assert ops.implementation(x) == "cuda"
    y = ops.upsample2x(x, add, bias, clamp)
    wide = [tensor.detach().double().requires_grad_() for tensor in (x, add)]
    finished = wide[1] + bias.double()[:, None, None]
    true = literal_ops.upsample2x(wide[0]) + (finished if clamp is None else finished.clamp(-clamp, clamp))
    assert y.is_contiguous(memory_format=getattr(torch, layout))
    assert relative_error(y.detach(), true.detach()) < 1e-5
    gradients = torch.autograd.grad(y.square().sum(), (x, add))
    for result, expected in zip(gradients, torch.autograd.grad(true.square().sum(), wide), strict=True):
        assert relative_error(result, expected) < 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("with_options", [False, True])
def test_modulated_conv(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, with_options: bool, up: bool, dtype: torch.dtype
) -> None:
    """A layer with toRGB; with edits, noise, bias and clamp, or without.

    In 16 bit without bends, beside which an activation that was rounded may have the other derivative.
    """
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    draw, size = Draw(device), 12 if up else 6
    x, weight, styles, rgb_weight = draw(2, 16, 6, 6, dtype=dtype), draw(8, 16, 3, 3) / 12, draw(2, 16), draw(3, 8)
    weight, rgb_weight = weight.to(dtype).float(), rgb_weight.to(dtype).float()
    named = {"styles": styles, "rgb_styles": draw(2, 8)}
    fixed = {}
    if with_options:
        named["edit_weights"] = draw(2, 5)
        along = draw(5, 30)  # whose columns are read where they are
        fixed = {"edit_directions": along[:, 3:19], "rgb_edit_directions": along[:, 19:27]}
        fixed |= {"noise": draw(size, size), "bias": draw(8)}
    options = {"up": up, "slope": 1.0, "clamp": None}
    if dtype == torch.float32:
        options |= {"slope": 0.2, "clamp": 4.0 if with_options else None}
    grad, grad_rgb = draw(2, 8, size, size, dtype=dtype), draw(2, 3, size, size)

    def run(function: Any, kind: torch.dtype | None) -> list[Tensor]:
        leaves = {"x": x, **named}
        leaves = {name: (t if kind is None else t.to(kind)).detach().requires_grad_() for name, t in leaves.items()}
        others = {name: t if kind is None else t.to(kind) for name, t in fixed.items()}
        others |= {"weight": weight.to(kind or weight.dtype), "rgb_weight": rgb_weight.to(kind or rgb_weight.dtype)}
        out, rgb = function(**leaves, **others, **options)
        gradients = torch.autograd.grad((out, rgb), list(leaves.values()), (grad.to(out.dtype), grad_rgb.to(rgb.dtype)))
        return [out.detach(), rgb.detach(), *gradients]

    true = run(literal_ops.modulated_conv2d, torch.float64)
    for result, expected in zip(run(ops.modulated_conv2d, None), true, strict=True):
        assert relative_error(result, expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_opcheck(device: torch.device, dtype: torch.dtype) -> None:
    draw = Draw(device)
    x, weight, styles = draw(2, 16, 4, 3, dtype=dtype), draw(8, 16, 3, 3), draw(2, 16)
    edits, small = (draw(2, 5), draw(5, 16)), (draw(8, 6), draw(8))
    rgb, options = (draw(3, 8), draw(2, 8), draw(5, 8)), (True, 0.2, 2**0.5, 256.0)
    arguments = (*edits, *small, *options, *rgb, False)
    grad, grad_rgb, y = draw(2, 8, 8, 6, dtype=dtype), draw(2, 3, 8, 6), draw(2, 8, 8, 6, dtype=dtype)
    operators = torch.ops.zoom_engine
    torch.library.opcheck(
        operators.modulated_conv2d_backward.default, (grad, grad_rgb, y, x, weight, styles, *arguments)
    )
    leaves = (x.requires_grad_(), weight, styles.requires_grad_())
    torch.library.opcheck(operators.modulated_conv2d.default, (*leaves, *arguments))
    torch.library.opcheck(operators.upsample2x.default, (x, None, None, None))


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_whole_network(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, precision: torch.dtype, tolerance: float
) -> None:
    """Pictures and their gradients to the styles, against float64 on the CPU."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    generator = spread_generator()
    styles = styles_of(generator, 2)
    wide = styles.double().requires_grad_()
    true = generator.double().synthesis(wide, precision=torch.float64, plain=True)
    (gradient_true,) = torch.autograd.grad(true.square().mean(), wide)
    leaf = styles.to(device).requires_grad_()
    result = generator.float().to(device).synthesis(leaf, precision=precision)
    (gradient,) = torch.autograd.grad(result.square().mean(), leaf)
    assert relative_error(result.detach().cpu(), true.detach()) < tolerance
    assert relative_error(gradient.cpu(), gradient_true) < tolerance
