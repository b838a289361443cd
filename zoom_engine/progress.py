"""Progress bars with rate and time left, silent wherever nobody watches.

Long work takes `progress: ProgressFactory = silent` and calls it, over a loop or by hand::

    for seed in progress(seeds, "Sampling", unit="image"):
        ...

    with progress(len(units), "Searching", unit="unit", initial=finished) as bar:
        bar.update(4, note="flip rate 0.31")

The command line passes `progress` from this module, the API the default `silent`, tests whatever they like.
Under `interruptible` no bar goes on after Ctrl-C, whatever became of the exception that it raised.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sized
from types import FrameType, TracebackType
from typing import Any, Protocol, TypeVar

from tqdm import tqdm  # type: ignore[import-untyped]

T = TypeVar("T")
Work = Iterable[Any] | int
_COUNTS = "{desc}: {percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {unit}s"
_FORMAT = _COUNTS + " [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


_interrupted = threading.Event()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt` at once, and again at the next step of a bar if that one was swallowed.

    Python drops an exception that a signal handler happens to raise inside a destructor or the callback of a
    weak reference; the run would then go on as if nobody had pressed. Where SIGINT is ignored (a job in a
    shell's background) it stays so, and outside the main thread, which alone can handle signals, this does
    nothing.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        _interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        _interrupted.clear()
        signal.signal(signal.SIGINT, before)


class Progress(Protocol[T]):
    """One piece of long work: iterate over it, or advance it by hand inside a `with` block."""

    def __iter__(self) -> Iterator[T]: ...
    def __enter__(self) -> Progress[T]: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def update(self, count: int = 1, *, note: str = "") -> None: ...


class ProgressFactory(Protocol):
    """What functions with long work take as their option `progress`."""

    def __call__(self, work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]: ...


class _Bar:
    """A tqdm bar with the few methods of `Progress`."""

    def __init__(self, work: Work, description: str, unit: str, initial: int, shown: bool) -> None:
        self._work: Iterable[Any] = range(initial, work) if isinstance(work, int) else work
        total = work if isinstance(work, int) else (len(work) if isinstance(work, Sized) else None)
        self._bar: Any = tqdm(
            total=total,
            desc=description,
            unit=unit,
            initial=initial,
            disable=not shown,
            file=sys.stderr,
            dynamic_ncols=True,
            smoothing=0.1,
            leave=None,  # a bar within another one goes when it is done
            mininterval=0.2 if sys.stderr.isatty() else 10.0,
            bar_format=_FORMAT if total is not None else None,
        )

    def __iter__(self) -> Iterator[Any]:
        with self:
            for item in self._work:
                yield item
                self.update(1)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, count: int = 1, *, note: str = "") -> None:
        if _interrupted.is_set():
            raise KeyboardInterrupt
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)


class _Part:
    """Work whose steps count in the bar of a longer one."""

    def __init__(self, work: Iterable[Any], bar: Progress[Any]) -> None:
        self._work, self._bar = work, bar

    def __iter__(self) -> Iterator[Any]:
        for item in self._work:
            yield item
            self.update(1)

    def __enter__(self) -> _Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, count: int = 1, *, note: str = "") -> None:
        self._bar.update(count, note=note)


def part_of(bar: Progress[Any]) -> ProgressFactory:
    """A factory for the parts of a longer work: their steps go to its `bar`, which stays open after each."""

    def progress(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
        return _Part(range(initial, work) if isinstance(work, int) else work, bar)

    return progress


def progress(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """A bar on stderr for an iterable or a number of steps; silent when stderr is not a terminal.

    `initial` counts the steps that an interrupted run has finished: they show, but do not enter the rate.
    """
    return _Bar(work, description, unit, initial, shown=sys.stderr.isatty())


def forced(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """`progress` that shows even when stderr is not a terminal (every ten seconds, for log files)."""
    return _Bar(work, description, unit, initial, shown=True)


def silent(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """`progress` that never shows: the default of the API."""
    return _Bar(work, description, unit, initial, shown=False)
