"""×2 up-sampling against its literal definition, and its adjoint against the definition of an adjoint."""

from __future__ import annotations

import literal_ops
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoom_engine import ops
from zoom_engine.common.errors import BackendError
from zoom_engine.ops import composition

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


@pytest.mark.usefixtures("isa")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 70), st.integers(1, 19), st.integers(1, 37)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_agrees_with_the_definition(
    shape: tuple[int, int, int, int], dtype: torch.dtype, channels_last: bool, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(shape, generator=random).to(dtype).contiguous(memory_format=layout).requires_grad_()
    wide = x.detach().double().requires_grad_()
    true = literal_ops.upsample2x(wide)
    grad = torch.randn(true.shape, generator=random).to(dtype)
    result = ops.upsample2x(x)
    (dx,) = torch.autograd.grad(result, x, grad)
    (dx_true,) = torch.autograd.grad(true, wide, grad.double())
    # Terms of few pixels may cancel.
    assert (result.double() - true).norm() < TOLERANCE[dtype] * max(
        float(true.detach().norm()), 0.01 * float(x.detach().norm())
    )
    assert (dx.double() - dx_true).norm() < TOLERANCE[dtype] * max(float(dx_true.norm()), 0.01 * float(grad.norm()))
    # One pixel is contiguous in every layout; then the result may have either.
    assert x.shape[2:] == (1, 1) or result.is_contiguous(memory_format=layout)
    assert result.dtype == dx.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_composition_agrees_with_the_definition(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    wide = x.double().requires_grad_()
    true = literal_ops.upsample2x(wide)
    assert (composition.upsample2x(x).double() - true).norm() < TOLERANCE[dtype] * true.norm()
    (dx_true,) = torch.autograd.grad(true.square().sum() / 2, wide)
    dx = composition.upsample2x_backward(true.detach().to(dtype))
    assert (dx.double() - dx_true).norm() < TOLERANCE[dtype] * dx_true.norm()


def test_a_constant_image_stays_constant_inside() -> None:
    y = ops.upsample2x(torch.ones(1, 3, 6, 6))
    assert torch.allclose(y[:, :, 1:-1, 1:-1], torch.ones(1, 3, 10, 10))
    assert torch.allclose(y[0, 0, 0, 0], torch.tensor(0.75 * 0.75))  # outside counts as zero


@pytest.mark.usefixtures("isa")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 9), st.integers(1, 37)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    with_bias=st.booleans(),
    clamp=st.none() | st.floats(0.1, 2.0),
    seed=st.integers(0, 1000),
)
def test_adds(
    shape: tuple[int, int, int, int],
    dtype: torch.dtype,
    channels_last: bool,
    with_bias: bool,
    clamp: float | None,
    seed: int,
) -> None:
    random = torch.Generator().manual_seed(seed)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    batch, channels, height, width = shape
    x = torch.randn(shape, generator=random).to(dtype).contiguous(memory_format=layout)
    add = torch.randn(batch, channels, 2 * height, 2 * width, generator=random).to(dtype).requires_grad_()
    bias = torch.randn(channels, generator=random) if with_bias else None
    wide = add.detach().double().requires_grad_()
    added = wide if bias is None else wide + bias.double()[:, None, None]
    clamped = added if clamp is None else added.clamp(-clamp, clamp)
    true = literal_ops.upsample2x(x.double()) + clamped
    # A rounding is of what is added up: the sum itself may nearly cancel.
    terms = literal_ops.upsample2x(x.double()).norm() + clamped.norm()
    for operator in (ops.upsample2x, composition.upsample2x):
        result = operator(x, add, bias, clamp)
        assert (result.double() - true).norm() < TOLERANCE[dtype] * terms
        if dtype == torch.float32:
            grad = torch.randn(true.shape, generator=random)
            (dadd,) = torch.autograd.grad(result, add, grad)
            (dadd_true,) = torch.autograd.grad(true, wide, grad.double(), retain_graph=True)
            # Next to the clamp a rounding decides whether there is a gradient.
            near = torch.zeros_like(added, dtype=torch.bool) if clamp is None else (added.abs() - clamp).abs() < 1e-5
            assert torch.equal(dadd[~near], dadd_true.float()[~near])


def test_hands_not_a_number_through() -> None:
    add = torch.zeros(1, 1, 4, 4)
    add[0, 0, 1, 2] = torch.nan
    result = ops.upsample2x(torch.ones(1, 1, 2, 2), add, torch.zeros(1), 1.0)
    assert torch.equal(result.isnan(), add.isnan())


def test_a_bias_in_training_gets_its_gradient() -> None:
    x, add = torch.zeros(1, 2, 2, 2), torch.tensor([0.5, 3.0])[:, None, None].expand(1, 2, 4, 4)
    bias = torch.zeros(2, requires_grad=True)
    ops.upsample2x(x, add, bias, 1.0).sum().backward()
    assert bias.grad is not None
    assert bias.grad.tolist() == [16.0, 0.0]  # the second channel is beyond the clamp
    with pytest.raises(BackendError, match="no gradient to bias"):
        torch.ops.zoom_engine.upsample2x(x, add, bias, None).sum().backward()


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_strange_strides(dtype: torch.dtype) -> None:
    x = torch.randn(2, 6, 6, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    wide = torch.full((2, 6, 9, 16), torch.nan, dtype=dtype)
    wide[:, :, 1:7, 2:16:2] = x
    assert torch.equal(ops.upsample2x(wide[:, :, 1:7, 2:16:2]), ops.upsample2x(x))


@pytest.mark.usefixtures("two_torch_threads")
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_threads_change_nothing(layout: torch.memory_format) -> None:
    random = torch.Generator().manual_seed(0)
    x, grad = (torch.randn(3, 48, size, size, generator=random) for size in (33, 66))
    x, grad = x.contiguous(memory_format=layout).requires_grad_(), grad.contiguous(memory_format=layout)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        y = ops.upsample2x(x)
        results.append((y, *torch.autograd.grad(y, x, grad)))
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_empty_batch() -> None:
    assert ops.upsample2x(torch.zeros(0, 2, 3, 4)).shape == (0, 2, 6, 8)


def test_gradcheck_twice() -> None:
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    add = torch.randn(1, 2, 6, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ops.upsample2x, (x, add))
    bias = torch.randn(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, add: ops.upsample2x(x, add, bias, 0.7), (x, add))
    assert torch.autograd.gradgradcheck(ops.upsample2x, x)


@pytest.mark.ci
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_opcheck(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 4, 5).to(dtype).contiguous(memory_format=torch.channels_last)
    torch.library.opcheck(torch.ops.zoom_engine.upsample2x.default, (x.requires_grad_(), None, None, None))
    add = torch.randn(2, 3, 8, 10).to(dtype).requires_grad_()
    for bias, clamp in ((None, None), (torch.randn(3), 0.7)):
        torch.library.opcheck(torch.ops.zoom_engine.upsample2x.default, (x, add, bias, clamp))
    grad = torch.randn(2, 3, 8, 10).to(dtype)
    torch.library.opcheck(torch.ops.zoom_engine.upsample2x_backward.default, (grad.requires_grad_(),))


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match="x must be"):
        ops.upsample2x(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match=r"add must be \[1, 3, 8, 8\]"):
        ops.upsample2x(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="add, which is missing"):
        ops.upsample2x(torch.zeros(1, 3, 4, 4), bias=torch.zeros(3))
    with pytest.raises(ValueError, match=r"bias must be \[3\], got \[2\]"):
        ops.upsample2x(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8), torch.zeros(2))
    with pytest.raises(ValueError, match=r"clamp must be positive, got 0"):
        ops.upsample2x(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8), clamp=0.0)
