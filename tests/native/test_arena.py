"""Memory that results leave is used again: never while somebody holds it, and given back when asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import native

pytestmark = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
IMAGE = (2, 16, 128, 128)  # 2 MiB in float32


def image(shape: Sequence[int] = IMAGE, dtype: torch.dtype = torch.float32) -> Tensor:
    return native.empty(shape, dtype=dtype, memory_format=torch.channels_last)


def free_bytes() -> int:
    bytes_: int = native.require().kept_memory()
    return bytes_


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    ops.release_memory()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (3, 17, 129, 131)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_is_laid_out_as_torch_would(shape: tuple[int, ...], dtype: torch.dtype, layout: torch.memory_format) -> None:
    result, wanted = (make(shape, dtype=dtype, memory_format=layout) for make in (native.empty, torch.empty))
    assert (result.shape, result.dtype, result.stride()) == (wanted.shape, wanted.dtype, wanted.stride())
    assert result.is_contiguous(memory_format=layout)
    assert result.data_ptr() % 64 == 0


def test_large_memory_is_used_again_and_starts_on_a_huge_page() -> None:
    first = image()
    address = first.data_ptr()
    assert address % (1 << 21) == 0
    view = first[0]
    del first
    other = image()
    assert other.data_ptr() != address, "a view still held it"
    del view
    assert image().data_ptr() == address


def test_a_small_result_does_not_take_a_large_one_s_memory() -> None:
    large = image((8, *IMAGE[1:]))
    address = large.data_ptr()
    del large
    assert image().data_ptr() != address
    assert free_bytes() >= 8 << 20


def test_release_gives_everything_back() -> None:
    results = [image() for _ in range(3)]
    assert free_bytes() == 0
    del results
    assert free_bytes() == 3 * 2 << 20
    ops.release_memory()
    assert free_bytes() == 0


@pytest.mark.parametrize("sizes", [range(32, 64), range(63, 31, -1)])
def test_sizes_that_change_do_not_pile_up(sizes: range) -> None:
    for rows in sizes:
        pair = [image((rows, *IMAGE[1:])) for _ in range(2)]
        assert free_bytes() == 0, "what other sizes left was not taken, and is kept beside this"
        del pair
        assert free_bytes() <= 2 * 63 << 20


def test_no_more_is_kept_than_half_of_the_machine() -> None:
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    results = [image((1, 1, 1, limit // 4 // 3)) for _ in range(5)]  # never touched: addresses, not memory
    del results
    assert limit // 2 < free_bytes() <= limit


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), max_size=30))
def test_what_is_held_is_never_overwritten(steps: list[tuple[int, int]]) -> None:
    images: dict[int, tuple[Tensor, int]] = {}
    for number, (place, rows) in enumerate(steps):
        images.pop(place, None)
        images[place] = (image((1, 64, rows, 256)).fill_(number), number)
        assert all(bool((tensor == value).all()) for tensor, value in images.values())


def test_threads_never_share() -> None:
    wrong: list[int] = []

    def work(value: int) -> None:
        for _ in range(200):
            tensor = image().fill_(value)
            if not bool((tensor == value).all()):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_safe_in_a_forked_child() -> None:
    tensor = image().fill_(1)
    del tensor
    child = os.fork()
    if child == 0:
        other = image().fill_(2)
        os._exit(0 if float(other.sum()) == 2 * other.numel() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert float(image().fill_(3).sum()) == 3 * image().numel()
