"""`_core.demodulation` and its gradient against their definition in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import modulation, native

pytestmark = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])


def scale_of(style: Tensor, energy: Tensor, threads: int = 1) -> Tensor:
    scale = torch.full((len(style), len(energy)), torch.nan)
    views = {"style": native.view(style), "energy": native.view(energy), "scale": native.view(scale)}
    native.require().demodulation(**views, threads=threads)
    return scale


def gradient_of(dscale: Tensor, style: Tensor, energy: Tensor, scale: Tensor, threads: int = 1) -> Tensor:
    """What is added to a gradient of ones."""
    dstyle = torch.ones_like(style)
    named = {"dscale": dscale, "style": style, "energy": energy, "scale": scale, "dstyle": dstyle}
    views = {name: native.view(value) for name, value in named.items()}
    native.require().demodulation_backward(**views, threads=threads)
    return dstyle - 1


@given(batch=st.integers(1, 17), cin=st.integers(1, 70), cout=st.integers(1, 40), seed=st.integers(0, 1000))
def test_agrees_with_the_definition(batch: int, cin: int, cout: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    style = torch.randn(batch, cin, generator=random)
    energy = torch.randn(cout, cin, generator=random).square() + 0.01
    dscale = torch.randn(batch, cout, generator=random)
    wide = style.double().requires_grad_()
    true = modulation.demodulation(wide, energy.double())
    (dstyle,) = torch.autograd.grad(true, wide, dscale.double())
    scale = scale_of(style, energy)
    assert torch.allclose(scale.double(), true.detach(), rtol=1e-5)
    found = gradient_of(dscale, style, energy, scale)
    assert (found.double() - dstyle).norm() < 1e-5 * max(float(dstyle.norm()), 1.0)


def test_neither_threads_nor_the_batch_change_a_bit() -> None:
    random = torch.Generator().manual_seed(0)
    style, energy = torch.randn(9, 512, generator=random), torch.rand(512, 512, generator=random)
    dscale = torch.randn(9, 512, generator=random)
    scale = scale_of(style, energy)
    gradient = gradient_of(dscale, style, energy, scale)
    assert torch.equal(scale_of(style, energy, threads=3), scale)
    assert torch.equal(gradient_of(dscale, style, energy, scale, threads=3), gradient)
    for i in range(9):
        row = slice(i, i + 1)
        assert torch.equal(scale_of(style[row], energy), scale[row])
        assert torch.equal(gradient_of(dscale[row], style[row], energy, scale[row]), gradient[row])


def test_bad_calls_are_refused() -> None:
    style, energy = torch.ones(2, 3), torch.ones(4, 3)
    with pytest.raises(ValueError, match="style has the wrong shape"):
        scale_of(torch.ones(2, 4), energy)
    with pytest.raises(ValueError, match="energy must have two axes"):
        scale_of(style, torch.ones(4, 3, 1))
    with pytest.raises(ValueError, match="style must have two axes"):
        scale_of(torch.ones(2, 3, 1), energy)
    with pytest.raises(ValueError, match="dscale has the wrong shape"):
        gradient_of(torch.ones(2, 3), style, energy, torch.ones(2, 4))
    with pytest.raises(ValueError, match="threads must be"):
        scale_of(style, energy, threads=0)
    view = native.view(torch.ones(3, 3))
    with pytest.raises(ValueError, match="scale shares memory with style"):
        native.require().demodulation(style=view, energy=view, scale=view, threads=1)
