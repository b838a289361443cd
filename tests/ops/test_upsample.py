"""×2 up-sampling against its literal definition, and its adjoint against the definition of an adjoint."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoom_engine import ops
from zoom_engine.ops import composition, reference

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
    true = reference.upsample2x(wide)
    grad = torch.randn(true.shape, generator=random).to(dtype)
    found = ops.upsample2x(x)
    (dx,) = torch.autograd.grad(found, x, grad)
    (dx_true,) = torch.autograd.grad(true, wide, grad.double())
    assert (found.double() - true).norm() < TOLERANCE[dtype] * true.norm()
    assert (dx.double() - dx_true).norm() < TOLERANCE[dtype] * dx_true.norm()
    # One pixel is contiguous in every layout; then the result may have either.
    assert x.shape[2:] == (1, 1) or found.is_contiguous(memory_format=layout)
    assert found.dtype == dx.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_composition_agrees_with_the_definition(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    wide = x.double().requires_grad_()
    true = reference.upsample2x(wide)
    assert (composition.upsample2x(x).double() - true).norm() < TOLERANCE[dtype] * true.norm()
    (dx_true,) = torch.autograd.grad(true.square().sum() / 2, wide)
    dx = composition.upsample2x_backward(true.detach().to(dtype))
    assert (dx.double() - dx_true).norm() < TOLERANCE[dtype] * dx_true.norm()


def test_a_constant_image_stays_constant_inside() -> None:
    y = ops.upsample2x(torch.ones(1, 3, 6, 6))
    assert torch.allclose(y[:, :, 1:-1, 1:-1], torch.ones(1, 3, 10, 10))
    assert torch.allclose(y[0, 0, 0, 0], torch.tensor(0.75 * 0.75))  # outside counts as zero


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adds(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(1)
    x, add = (torch.randn(2, 3, size, size, generator=random).to(dtype) for size in (5, 10))
    true = reference.upsample2x(x.double()) + add.double()
    for found in (ops.upsample2x(x, add), composition.upsample2x(x, add)):
        assert (found.double() - true).norm() < TOLERANCE[dtype] * true.norm()


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
    assert torch.autograd.gradgradcheck(ops.upsample2x, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_opcheck(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 4, 5).to(dtype).contiguous(memory_format=torch.channels_last)
    torch.library.opcheck(torch.ops.zoom_engine.upsample2x.default, (x.requires_grad_(), None))
    add = torch.randn(2, 3, 8, 10).to(dtype)
    torch.library.opcheck(torch.ops.zoom_engine.upsample2x.default, (x, add.requires_grad_()))
    grad = torch.randn(2, 3, 8, 10).to(dtype)
    torch.library.opcheck(torch.ops.zoom_engine.upsample2x_backward.default, (grad.requires_grad_(),))


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match="x must be"):
        ops.upsample2x(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match=r"add must be \[1, 3, 8, 8\]"):
        ops.upsample2x(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
