"""`zoom_engine._core` on its own: it refuses wrong views, and touches nothing outside the right ones."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import native

pytestmark = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
POISON = 12345.0
MARGIN = 64


def core() -> Any:
    return native.require()


def guarded(shape: tuple[int, ...], dtype: torch.dtype, channels_last: bool, inner: float) -> tuple[Tensor, Tensor]:
    """A tensor filled with `inner` inside memory that is poisoned on both sides, and that memory."""
    count = torch.Size(shape).numel()
    memory = torch.full((count + 2 * MARGIN,), POISON, dtype=dtype)
    body = memory[MARGIN : MARGIN + count]
    if channels_last:
        batch, channels, height, width = shape
        tensor = body.view(batch, height, width, channels).permute(0, 3, 1, 2)
    else:
        tensor = body.view(shape)
    return tensor.fill_(inner), memory


def assert_untouched(memory: Tensor) -> None:
    edges = torch.cat([memory[:MARGIN], memory[-MARGIN:]])
    assert torch.equal(edges, torch.full_like(edges, POISON))


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 35), st.integers(1, 20), st.integers(2, 36)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    isa=st.sampled_from(ops.supported_isas() or ["portable"]),
)
def test_writes_all_of_its_outputs_and_nothing_else(
    shape: tuple[int, int, int, int], dtype: torch.dtype, channels_last: bool, isa: str
) -> None:
    batch, channels, height, width = shape
    large = (batch, channels, 2 * height, 2 * width)
    # Inputs are small and surrounded by large numbers: a read beyond an edge shows in the result.
    x, _ = guarded(shape, dtype, channels_last, 1.0)
    grad, _ = guarded(large, dtype, channels_last, 1.0)
    add, _ = guarded(large, dtype, channels_last, 1.0)
    bias, _ = guarded((channels,), torch.float32, False, 1.0)
    out, out_memory = guarded(large, dtype, channels_last, torch.nan)
    dx, dx_memory = guarded(shape, dtype, channels_last, torch.nan)
    before = ops.isa()
    ops.select_isa(isa)
    try:
        views = {"x": native.view(x), "add": native.view(add), "bias": native.view(bias)}
        core().upsample2x(**views, clamp=1.5, out=native.view(out), threads=1)
        core().upsample2x_backward(grad=native.view(grad), dx=native.view(dx), threads=1)
    finally:
        ops.select_isa(before)
    for result, most in ((out, 2.5), (dx, 4)):
        assert result.isfinite().all()
        assert result.abs().max() <= most
    for memory in (out_memory, dx_memory):
        assert_untouched(memory)


GOOD = {
    "owner": None,
    "pointer": 4096,
    "bytes": 4 * 24,
    "dtype": "float32",
    "shape": [2, 3, 4],
    "strides": [12, 4, 1],
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"dtype": "float64"}, TypeError, "dtype must be"),
        ({"dtype": "float16"}, TypeError, "float16 runs on CUDA"),
        ({"device": -2}, ValueError, "index of a CUDA device"),
        ({"pointer": 0}, ValueError, "null or not aligned"),
        ({"pointer": 4098}, ValueError, "null or not aligned"),
        ({"bytes": 4 * 24 - 1}, ValueError, "beyond its memory"),
        ({"strides": [13, 4, 1]}, ValueError, "beyond its memory"),
        ({"strides": [12, 4]}, ValueError, "same, non-zero length"),
        ({"strides": [12, 4, -1]}, ValueError, "not negative"),
        ({"shape": [2, 0, 4]}, ValueError, "must be positive"),
        ({"shape": [2**62, 3, 4], "strides": [2**62, 4, 1]}, ValueError, "overflow"),
        ({"pointer": "x"}, TypeError, "incompatible"),
    ],
)
def test_bad_views_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    core().View(**GOOD)
    with pytest.raises(error, match=message):
        core().View(**{**GOOD, **change})


SHARED = torch.ones(1, 2, 8, 10)


def arguments(**change: Any) -> dict[str, Any]:
    images = {"x": torch.ones(1, 2, 4, 5), "out": torch.ones(1, 2, 8, 10), "add": torch.ones(1, 2, 8, 10)}
    merged = {**images, "bias": torch.ones(2), "clamp": 1.0, "threads": 1, **change}
    return {name: native.view(value) if isinstance(value, Tensor) else value for name, value in merged.items()}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"out": torch.ones(1, 2, 8, 9)}, ValueError, "the large image has the wrong shape"),
        ({"out": torch.ones(1, 2, 8, 10).bfloat16()}, TypeError, "the large image has another dtype"),
        ({"out": torch.ones(1, 8, 10, 2).permute(0, 3, 1, 2)}, ValueError, "the large image has another layout"),
        ({"x": torch.ones(1, 2, 4, 10)[..., ::2]}, ValueError, "contiguous or channels-last"),
        ({"x": torch.ones(2, 4, 5)}, ValueError, "four axes"),
        ({"threads": 0}, ValueError, "threads must be"),
        ({"add": torch.ones(1, 2, 4, 5)}, ValueError, "add has the wrong shape"),
        ({"add": torch.ones(1, 2, 8, 10).bfloat16()}, TypeError, "add has another dtype"),
        ({"add": None}, ValueError, "add, which is missing"),
        ({"bias": torch.ones(3)}, ValueError, "bias has the wrong shape"),
        ({"clamp": 0.0}, ValueError, "clamp must be positive"),
        ({"out": SHARED, "add": SHARED}, ValueError, "out shares memory with add"),
    ],
)
def test_bad_calls_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    core().upsample2x(**arguments())
    with pytest.raises(error, match=message):
        core().upsample2x(**arguments(**change))


def big_call(threads: int) -> Tensor:
    """The gradient of a larger image: bands of rows with a halo, for several threads."""
    grad = torch.linspace(-3, 3, 4 * 64 * 66 * 66).view(4, 66, 66, 64).permute(0, 3, 1, 2)
    dx = torch.empty(4, 33, 33, 64).permute(0, 3, 1, 2)
    core().upsample2x_backward(grad=native.view(grad), dx=native.view(dx), threads=threads)
    return dx


def test_safe_from_many_threads() -> None:
    expected = big_call(1)
    wrong: list[int] = []

    def work(index: int) -> None:
        wrong.extend(index for _ in range(10) if not torch.equal(big_call(3), expected))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_safe_in_a_forked_child() -> None:
    """The child has none of its parent's worker threads: it must neither wait for them nor crash."""
    expected = big_call(2)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(big_call(2), expected) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert torch.equal(big_call(2), expected)


def test_more_threads_than_work() -> None:
    assert torch.equal(big_call(64), big_call(1))
