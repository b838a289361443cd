"""`_core.modulation` and its gradients against their definition in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import modulation, native

pytestmark = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])

EDITS = ("edit_weights", "edit_directions")
SCALE = ("energy", "scale")


def run(name: str, threads: int = 1, **tensors: Tensor | None) -> None:
    views = {key: None if value is None else native.view(value) for key, value in tensors.items()}
    getattr(native.require(), name)(**views, threads=threads)


def forward(operands: dict[str, Any], threads: int = 1) -> tuple[Tensor, Tensor]:
    """The edited styles, and their demodulation."""
    styles, energy = operands["styles"], operands["energy"]
    style, scale = torch.full(styles.shape, torch.nan), torch.full((len(styles), len(energy)), torch.nan)
    run("modulation", threads, **{k: operands[k] for k in ("styles", *EDITS, "energy")}, style=style, scale=scale)
    return style, scale


def backward(operands: dict[str, Any], style: Tensor, scale: Tensor, threads: int = 1) -> tuple[Tensor, Tensor]:
    """What becomes of a gradient of ones to the edited styles, and of one of twos to the edit weights."""
    dstyle, dedit_weights = torch.ones(style.shape), torch.full(operands["edit_weights"].shape, 2.0)
    read = {key: operands[key] for key in ("dscale", "energy", "edit_directions")}
    run("modulation_backward", threads, **read, style=style, scale=scale, dstyle=dstyle, dedit_weights=dedit_weights)
    return dstyle, dedit_weights


def drawn(batch: int, cin: int, cout: int, edits: int, seed: int = 0) -> dict[str, Any]:
    """Styles and directions are columns of larger matrices."""
    random = torch.Generator().manual_seed(seed)
    return {
        "styles": torch.randn(batch, cin + 9, generator=random)[:, 4:-5],
        "edit_weights": torch.randn(batch, edits, generator=random),
        "edit_directions": torch.randn(edits, cin + 9, generator=random)[:, 4:-5] / edits**0.5,
        "energy": torch.randn(cout, cin, generator=random).square() + 0.01,
        "dscale": torch.randn(batch, cout, generator=random),
    }


def rows_of(operands: dict[str, Any], rows: slice) -> dict[str, Any]:
    return {k: v if k in ("energy", "edit_directions") else v[rows].contiguous() for k, v in operands.items()}


@given(
    batch=st.integers(1, 17),
    cin=st.integers(1, 70),
    cout=st.integers(1, 40),
    edits=st.integers(1, 32),
    seed=st.integers(0, 1000),
)
def test_agrees_with_the_definition(batch: int, cin: int, cout: int, edits: int, seed: int) -> None:
    operands = drawn(batch, cin, cout, edits, seed)
    wide = {k: v.double() for k, v in operands.items()}
    edited = modulation.edited(wide["styles"], wide["edit_weights"], wide["edit_directions"]).requires_grad_()
    true = modulation.demodulation(edited, wide["energy"])
    (dstyle_true,) = torch.autograd.grad(true, edited, wide["dscale"])
    style, scale = forward(operands)
    dstyle, dedit_weights = backward(operands, style, scale)
    assert torch.allclose(style.double(), edited.detach(), atol=1e-5)
    # Terms of an edited style may cancel.
    of_style = modulation.demodulation(style.double(), wide["energy"])
    assert torch.allclose(scale.double(), of_style, rtol=1e-5)
    assert ((dstyle.double() - 1) - dstyle_true).norm() < 1e-4 * max(float(dstyle_true.norm()), 1.0)
    dweights_true = dstyle.double() @ wide["edit_directions"].t()
    assert (dedit_weights.double() - 2 - dweights_true).norm() < 1e-5 * max(float(dstyle.norm()), 1.0)


def test_either_part_alone() -> None:
    operands = drawn(3, 20, 10, 5)
    both, scale = forward(operands)
    edited = torch.full((3, 20), torch.nan)
    styles = operands["styles"]
    edits = {name: operands[name] for name in EDITS}
    run("modulation", styles=styles, **edits, **dict.fromkeys(SCALE), style=edited)
    assert torch.equal(edited, both)
    style, again = torch.full((3, 20), torch.nan), torch.full((3, 10), torch.nan)
    run("modulation", styles=both, **dict.fromkeys(EDITS), energy=operands["energy"], style=style, scale=again)
    assert torch.equal(style, both)
    assert torch.equal(again, scale)
    dstyle, dedit_weights = torch.ones(3, 20), torch.zeros(3, 5)
    directions = operands["edit_directions"]
    run("modulation_backward", edit_directions=directions, dstyle=dstyle, dedit_weights=dedit_weights)
    assert torch.allclose(dedit_weights, directions.sum(dim=1).expand(3, 5), atol=1e-5)
    assert torch.equal(dstyle, torch.ones(3, 20))


def test_neither_threads_nor_the_batch_change_a_bit() -> None:
    operands = drawn(9, 512, 512, 32)
    results = forward(operands)
    gradients = backward(operands, *results)
    parallel = forward(operands, threads=3)
    assert all(torch.equal(a, b) for a, b in zip(parallel, results, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(backward(operands, *results, threads=3), gradients, strict=True))
    for i in range(9):
        row = slice(i, i + 1)
        alone = rows_of(operands, row)
        values = forward(alone)
        assert all(torch.equal(a, b[row]) for a, b in zip(values, results, strict=True))
        assert all(torch.equal(a, b[row]) for a, b in zip(backward(alone, *values), gradients, strict=True))


FORWARD: dict[str, Any] = {
    "styles": torch.ones(2, 3),
    "edit_weights": torch.ones(2, 5),
    "edit_directions": torch.ones(5, 3),
    "energy": torch.ones(4, 3),
    "style": torch.ones(2, 3),
    "scale": torch.ones(2, 4),
}
BACKWARD: dict[str, Any] = {
    "dscale": torch.ones(2, 4),
    "style": torch.ones(2, 3),
    "energy": torch.ones(4, 3),
    "scale": torch.ones(2, 4),
    "edit_directions": torch.ones(5, 3),
    "dstyle": torch.ones(2, 3),
    "dedit_weights": torch.ones(2, 5),
}


@pytest.mark.parametrize(
    ("good", "change", "message"),
    [
        (FORWARD, {"styles": torch.ones(2, 3, 1)}, "style must have two axes"),
        (FORWARD, {"styles": torch.ones(3, 2).t()}, "styles must have contiguous rows"),
        (FORWARD, {"style": torch.ones(2, 4)}, "style has the wrong shape"),
        (FORWARD, {"energy": torch.ones(4, 3, 1)}, "energy must have two axes"),
        (FORWARD, {"energy": torch.ones(4, 2)}, "energy has the wrong shape"),
        (FORWARD, {"energy": None}, "energy and scale belong together"),
        (FORWARD, {"edit_weights": None}, "edit_weights and edit_directions belong together"),
        (FORWARD, {"edit_weights": torch.ones(2, 4)}, "edit_weights has the wrong shape"),
        (FORWARD, {"edit_directions": torch.ones(5, 4)}, "edit_directions has the wrong shape"),
        (FORWARD, {"edit_directions": torch.ones(3, 5).t()}, "edit_directions must have contiguous rows"),
        (FORWARD, {"threads": 0}, "threads must be"),
        (FORWARD, {"styles": FORWARD["style"]}, "style shares memory with styles"),
        (BACKWARD, {"dscale": torch.ones(2, 3)}, "dscale has the wrong shape"),
        (BACKWARD, {"dscale": None}, "dscale, style, energy and scale belong together"),
        (BACKWARD, {"dedit_weights": None}, "edit_directions and dedit_weights belong together"),
        (BACKWARD, {"dedit_weights": torch.ones(2, 4)}, "dedit_weights has the wrong shape"),
        (BACKWARD, {"dstyle": BACKWARD["style"]}, "dstyle shares memory with style"),
    ],
)
def test_bad_calls_are_refused(good: dict[str, Any], change: dict[str, Any], message: str) -> None:
    name = "modulation" if good is FORWARD else "modulation_backward"
    run(name, **good)
    with pytest.raises(ValueError, match=message):
        run(name, **{**good, **change})
