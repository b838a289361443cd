"""Work on pictures one at a time, with as many at once as torch has threads.

A network that looks at one picture leaves most of a second thread idle, and the last digits of its output would depend
on the number of threads. With one thread for each picture neither happens.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from zoom_engine.common.threads import numbers_of_threads, once

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], parts: Sequence[T]) -> list[R]:
    """Apply `work` to each of `parts` and return the results in order, as many at once as torch has threads.

    Each runs on one thread. Where grad mode matters, `work` sets it: threads do not inherit it. What it raises is
    raised.
    """
    return list(_pool(torch.get_num_threads(), os.getpid()).map(work, parts))


@once
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return threads of this `process` whose torch computes on one thread each."""
    all_here = threading.Barrier(threads + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread takes torch's number when first it is asked for, later than we say ours
        torch.set_num_threads(1)
        all_here.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="picture", initializer=begin)
    with numbers_of_threads.taken():
        for _ in range(threads):  # a thread starts when there is something to do
            pool.submit(int)
        all_here.wait()
        torch.set_num_threads(threads)  # of this thread, and of those to come: torch keeps one number for new ones
    return pool
