"""Weights are packed once for each form that is asked for, anew when they change, and forgotten when they go."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
import torch

from zoom_engine import ops
from zoom_engine.ops import native, packed

pytestmark = pytest.mark.usefixtures("native")


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The storage of every packing from now on."""
    seen: list[str] = []
    plain = native.require().PackedWeight

    def counted(**arguments: Any) -> Any:
        seen.append(arguments["storage"])
        return plain(**arguments)

    monkeypatch.setattr(native.require(), "PackedWeight", counted)
    return seen


def run(weight: torch.Tensor, dtype: torch.dtype = torch.float32, *, up: bool = False) -> torch.Tensor:
    x = torch.ones(1, weight.shape[1], 4, 4, dtype=dtype)
    styles = torch.ones(1, weight.shape[1], requires_grad=True)
    out, _ = ops.modulated_conv2d(x, weight, styles, up=up)
    out.sum().backward()
    return out.detach()


def test_once_for_each_form(packings: list[str]) -> None:
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3), requires_grad=False)
    for _ in range(3):
        run(weight)
    assert packings == ["float32"]
    run(weight, torch.bfloat16)
    run(weight, up=True)
    run(weight)
    assert packings == ["float32", "bfloat16", "float32"]


@pytest.mark.usefixtures("isa")
def test_each_instruction_set_has_its_own(packings: list[str]) -> None:
    weight = torch.randn(4, 3, 3, 3)
    run(weight)
    before = ops.isa()
    for name in ops.supported_isas():
        ops.select_isa(name)
        run(weight)
        run(weight)
    ops.select_isa(before)
    assert len(packings) == len(ops.supported_isas())


def test_changed_weights_are_packed_anew(packings: list[str]) -> None:
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3), requires_grad=False)
    before = run(weight)
    weight.mul_(-1)
    assert not torch.equal(run(weight), before)
    weight.data = torch.randn(4, 3, 3, 3)
    after = run(weight)
    assert torch.equal(after, run(weight.clone()))
    assert len(packings) == 4


def test_forgotten_with_the_weights() -> None:
    gc.collect()
    before = len(packed._cache)
    weight = torch.randn(4, 3, 3, 3)
    run(weight)
    assert len(packed._cache) == before + 1
    del weight
    gc.collect()
    assert len(packed._cache) == before


def test_inference_tensors(packings: list[str]) -> None:
    with torch.inference_mode():
        weight = torch.randn(4, 3, 3, 3)
        x, styles = torch.ones(1, 3, 4, 4), torch.ones(1, 3)
        first, _ = ops.modulated_conv2d(x, weight, styles)
        again, _ = ops.modulated_conv2d(x, weight, styles)
    assert torch.equal(first, again)
    assert len(packings) == 1


def test_many_threads_pack_once(packings: list[str]) -> None:
    weight = torch.randn(64, 64, 3, 3)
    threads = [threading.Thread(target=run, args=(weight,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert packings == ["float32"]
