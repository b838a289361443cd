"""Which code runs an operator, and that it answers for what the compiled code does not take."""

from __future__ import annotations

import literal_ops
import pytest
import torch

from zoom_engine import ops


@pytest.mark.usefixtures("native")
def test_implementation_is_told() -> None:
    x = torch.zeros(1, 2, 3, 4)
    assert ops.implementation(x) == "native"
    assert ops.implementation(x.bfloat16()) == "native"
    assert ops.implementation(x.half()) == "torch"
    assert ops.implementation(x.double()) == "torch"
    assert ops.implementation(x.to("meta")) == "torch"
    assert ops.implementation(x[:0]) == "torch"


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 5e-3), (torch.float64, 1e-12)])
def test_torch_takes_other_types(dtype: torch.dtype, tolerance: float) -> None:
    random = torch.Generator().manual_seed(0)
    x, weight, styles = (torch.randn(*shape, generator=random) for shape in ((2, 5, 4, 6), (3, 5, 3, 3), (2, 5)))
    x = x.to(dtype).requires_grad_()
    weight, styles = (t.to(torch.promote_types(dtype, torch.float32)) for t in (weight, styles))
    result, _ = ops.modulated_conv2d(x, weight, styles, slope=1.0)
    wide = x.detach().double().requires_grad_()
    true, _ = literal_ops.modulated_conv2d(wide, weight.double(), styles.double(), slope=1.0)
    for one, other in ((result, true), (ops.upsample2x(x), literal_ops.upsample2x(wide))):
        assert one.dtype == dtype
        assert (one.double() - other).norm() < tolerance * other.norm()
        (gradient,) = torch.autograd.grad(one.double().square().sum(), x)
        (expected,) = torch.autograd.grad(other.square().sum(), wide)
        assert (gradient.double() - expected).norm() < tolerance * expected.norm()
