"""The fused epilogue against its literal definition in float64, on every instruction set of the machine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import composition, reference

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
# The gradient jumps where the leaky ReLU bends and where the clamp cuts: there either side is right.
KINK = 1e-3


@dataclass(frozen=True)
class Case:
    """A problem; tensors are drawn from `seed`."""

    batch: int = 2
    channels: int = 5
    height: int = 6
    width: int = 7
    fir: bool = True
    with_noise: bool = True
    clamp: float | None = 1.5
    dtype: torch.dtype = torch.float32
    channels_last: bool = True
    seed: int = 0

    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor]:
        """x, scale, noise, bias, and the gradient of the output."""
        random = torch.Generator().manual_seed(self.seed)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=random)

        out = (self.height - self.fir, self.width - self.fir)
        x = draw(self.batch, self.channels, self.height, self.width)
        grad = draw(self.batch, self.channels, *out)
        return (
            x.to(self.dtype).contiguous(memory_format=layout),
            draw(self.batch, self.channels),
            draw(*out) if self.with_noise else None,
            draw(self.channels),
            grad.to(self.dtype).contiguous(memory_format=layout),
        )


def error(found: Tensor, expected: Tensor) -> float:
    """Norm-wise relative error (absolute where nothing is expected)."""
    return ((found.double() - expected).norm() / expected.norm().clamp_min(1e-30)).item()


def smooth_gradient(case: Case, margin: float = KINK) -> Tensor:
    """The case's gradient, with zeros within `margin` of where the operator is not differentiable."""
    x, scale, noise, bias, grad = case.tensors()
    wide = None if noise is None else noise.double()
    y = reference.modulated_epilogue(x.double(), scale.double(), wide, bias.double(), fir=case.fir)
    smooth = y.abs() > margin
    if case.clamp is not None:
        smooth &= (y.abs() - case.clamp).abs() > margin
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    return (grad * smooth).contiguous(memory_format=layout)


def expected(case: Case, *tensors: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """y, dx and dscale of the literal definition in float64."""
    x, scale, noise, bias, grad = (None if t is None else t.detach().double() for t in tensors)
    assert x is not None
    assert scale is not None
    assert bias is not None
    x.requires_grad_()
    scale.requires_grad_()
    y = reference.modulated_epilogue(x, scale, noise, bias, fir=case.fir, clamp=case.clamp)
    dx, dscale = torch.autograd.grad(y, (x, scale), grad)
    return y.detach(), dx, dscale


def check(case: Case) -> None:
    x, scale, noise, bias, _ = case.tensors()
    grad = smooth_gradient(case)
    y_true, dx_true, dscale_true = expected(case, x, scale, noise, bias, grad)
    x.requires_grad_()
    scale.requires_grad_()
    y = ops.modulated_epilogue(x, scale, noise, bias, fir=case.fir, clamp=case.clamp)
    dx, dscale = torch.autograd.grad(y, (x, scale), grad)
    tolerance = TOLERANCE[case.dtype]
    assert error(y, y_true) < tolerance
    assert error(dx, dx_true) < tolerance
    assert error(dscale, dscale_true) < tolerance
    assert (y.dtype, dx.dtype, dscale.dtype) == (case.dtype, case.dtype, torch.float32)
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    assert y.is_contiguous(memory_format=layout)
    assert dx.is_contiguous(memory_format=layout)


cases = st.builds(
    Case,
    batch=st.integers(1, 3),
    channels=st.one_of(st.integers(1, 40), st.integers(41, 200)),
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    fir=st.booleans(),
    with_noise=st.booleans(),
    clamp=st.sampled_from([None, 0.7, 256.0]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    seed=st.integers(0, 1000),
)


@pytest.mark.usefixtures("isa")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cases)
def test_agrees_with_the_definition(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("fir", [True, False])
def test_composition_agrees_with_the_definition(fir: bool, channels_last: bool, dtype: torch.dtype) -> None:
    case = Case(channels=33, height=18, width=21, fir=fir, channels_last=channels_last, dtype=dtype, clamp=1.0)
    x, scale, noise, bias, _ = case.tensors()
    # In bfloat16 its steps round, so that a gate flips within their error.
    grad = smooth_gradient(case, margin=KINK if dtype == torch.float32 else 0.1)
    y_true, dx_true, dscale_true = expected(case, x, scale, noise, bias, grad)
    options = {"fir": fir, "slope": 0.2, "gain": 2**0.5, "clamp": case.clamp}
    y = composition.modulated_epilogue(x, scale, noise, bias, **options)  # type: ignore[arg-type]
    dx, dscale = composition.modulated_epilogue_backward(grad, x, scale, noise, bias, **options)  # type: ignore[arg-type]
    assert error(y, y_true) < TOLERANCE[dtype]
    assert error(dx, dx_true) < TOLERANCE[dtype]
    assert error(dscale, dscale_true) < TOLERANCE[dtype]


@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize("clamp", [None, 1.0])
def test_gradcheck(fir: bool, clamp: float | None) -> None:
    case = Case(channels=2, height=4, width=5, fir=fir, clamp=clamp, seed=3)
    x, scale, noise, bias, _ = case.tensors()
    assert noise is not None
    inputs = [t.double().requires_grad_() for t in (x, scale, noise, bias)]
    for function in (reference.modulated_epilogue, ops.modulated_epilogue):
        assert torch.autograd.gradcheck(lambda *t, f=function: f(*t, fir=fir, clamp=clamp), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("fir", [True, False])
def test_opcheck(fir: bool, dtype: torch.dtype) -> None:
    x, scale, noise, bias, grad = Case(dtype=dtype, fir=fir).tensors()
    x, scale = x.requires_grad_(), scale.requires_grad_()
    options = (fir, 0.2, 2**0.5, 256.0)
    operators = torch.ops.zoom_engine
    torch.library.opcheck(operators.modulated_epilogue.default, (x, scale, noise, bias, *options))
    torch.library.opcheck(operators.modulated_epilogue.default, (x, scale, None, bias, *options[:3], None))
    torch.library.opcheck(
        operators.modulated_epilogue_backward.default,
        (grad, x.detach(), scale.detach(), noise, bias, *options),
    )


def test_gradients_of_bias_and_noise() -> None:
    case = Case(channels=20, fir=True, clamp=1.0)
    x, scale, noise, bias, _ = case.tensors()
    assert noise is not None
    grad = smooth_gradient(case)
    wide = [t.double().requires_grad_() for t in (x, scale, noise, bias)]
    y = reference.modulated_epilogue(*wide, fir=True, clamp=1.0)
    true = torch.autograd.grad(y, wide, grad.double())
    leaves = [t.requires_grad_() for t in (x, scale, noise, bias)]
    found = torch.autograd.grad(ops.modulated_epilogue(*leaves, fir=True, clamp=1.0), leaves, grad)
    assert all(error(a, b) < 1e-5 for a, b in zip(found, true, strict=True))


@pytest.mark.usefixtures("isa")
def test_clamped_values_get_no_gradient() -> None:
    x = torch.full((1, 1, 1, 4), 3.0, requires_grad=True)
    y = ops.modulated_epilogue(x, torch.ones(1, 1), None, torch.zeros(1), fir=False, clamp=2.0)
    y.sum().backward()
    assert y.tolist() == [[[[2.0] * 4]]]
    assert x.grad is not None
    assert not x.grad.any()


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nan_is_handed_through(dtype: torch.dtype) -> None:
    x = torch.ones(1, 3, 1, 5, dtype=dtype)
    x[0, 1, 0, 2] = torch.nan
    y = ops.modulated_epilogue(x, torch.ones(1, 3), None, torch.zeros(3), fir=False, clamp=2.0)
    assert y.isnan().nonzero().tolist() == [[0, 1, 0, 2]]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_strange_strides(dtype: torch.dtype) -> None:
    case = Case(channels=6, dtype=dtype, clamp=None, channels_last=False)
    x, scale, noise, bias, _ = case.tensors()
    assert noise is not None
    plain = ops.modulated_epilogue(x, scale, noise, bias, fir=True)
    wide = torch.full((2, 6, 9, 16), torch.nan, dtype=dtype)
    wide[:, :, 1:7, 2:16:2] = x
    odd_noise = noise.t().contiguous().t()
    odd_scale = scale.repeat_interleave(2, dim=1)[:, ::2]
    odd_bias = bias.repeat_interleave(3)[::3]
    strided = ops.modulated_epilogue(wide[:, :, 1:7, 2:16:2], odd_scale, odd_noise, odd_bias, fir=True)
    assert torch.equal(plain, strided)


@pytest.mark.usefixtures("two_torch_threads")
@pytest.mark.parametrize("channels_last", [True, False])
def test_threads_change_nothing(channels_last: bool) -> None:
    case = Case(batch=3, channels=48, height=65, width=65, channels_last=channels_last, clamp=2.0)
    x, scale, noise, bias, grad = case.tensors()
    x.requires_grad_()
    scale.requires_grad_()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        y = ops.modulated_epilogue(x, scale, noise, bias, fir=True, clamp=2.0)
        results.append((y, *torch.autograd.grad(y, (x, scale), grad)))
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@pytest.mark.usefixtures("native")
def test_implementation_is_told() -> None:
    x = torch.zeros(1, 2, 3, 4)
    assert ops.implementation(x) == "native"
    assert ops.implementation(x.bfloat16()) == "native"
    assert ops.implementation(x.double()) == "torch"
    assert ops.implementation(x.to("meta")) == "torch"
    assert ops.implementation(x[:0]) == "torch"


def test_empty_batch() -> None:
    y = ops.modulated_epilogue(torch.zeros(0, 2, 3, 3), torch.ones(0, 2), None, torch.zeros(2), fir=True)
    assert y.shape == (0, 2, 2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(1, 2, 1, 9)}, "at least 2 rows"),
        ({"scale": torch.ones(2, 2)}, "scale must be"),
        ({"bias": torch.ones(3)}, "bias must be"),
        ({"noise": torch.ones(4, 4)}, "noise must be"),
        ({"clamp": 0.0}, "clamp must be positive"),
        ({"clamp": float("nan")}, "clamp must be positive"),
    ],
)
def test_wrong_arguments(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "x": torch.zeros(1, 2, 4, 4),
        "scale": torch.ones(1, 2),
        "noise": None,
        "bias": torch.ones(2),
        "fir": True,
    }
    with pytest.raises(ValueError, match=message):
        ops.modulated_epilogue(**{**arguments, **change})  # type: ignore[arg-type]


def test_traced_by_compile_and_export() -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: Tensor, scale: Tensor, noise: Tensor, bias: Tensor) -> Tensor:
            return ops.upsample2x(ops.modulated_epilogue(x * 2, scale, noise, bias, fir=True, clamp=9.0))

    case = Case(channels=8)
    x, scale, noise, bias, _ = case.tensors()
    assert noise is not None
    layer = Layer()
    eager = layer(x, scale, noise, bias)
    exported = torch.export.export(layer, (x, scale, noise, bias))
    assert torch.equal(exported.module()(x, scale, noise, bias), eager)
    assert "zoom_engine.modulated_epilogue" in str(exported.graph)

    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = x.requires_grad_()
    y = compiled(x, scale, noise, bias)
    assert torch.equal(y, eager)
    assert torch.equal(
        torch.autograd.grad(y.sum(), x)[0], torch.autograd.grad(layer(x, scale, noise, bias).sum(), x)[0]
    )


def test_batch_split_changes_nothing() -> None:
    case = Case(batch=3, channels=19, height=33, width=9)
    x, scale, noise, bias, _ = case.tensors()
    whole = ops.modulated_epilogue(x, scale, noise, bias, fir=True)
    rows = [ops.modulated_epilogue(x[i : i + 1], scale[i : i + 1], noise, bias, fir=True) for i in range(3)]
    assert torch.equal(whole, torch.cat(rows))
