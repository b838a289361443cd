"""Progress bars with rate and time left, as lines in a file, silent wherever nobody watches.

Long work takes `progress: ProgressFactory = silent` and calls it, over a loop or by hand::

    for seed in progress(seeds, "Sampling", unit="image"):
        ...
    with progress(len(trials), "Searching", unit="trial", initial=finished) as bar:
        bar.update(4, note="flip rate 0.31")

The command line passes `progress` from this module, the API its default (`silent` or `in_notebooks`), tests whatever
they like. Under `interruptible` no bar goes on after Ctrl-C, whatever became of the exception that it raised.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, Protocol, Self, TypeVar

from tqdm import tqdm  # type: ignore[import-untyped]

T = TypeVar("T")
Work = Iterable[Any] | int
_BAR = "{desc}: {percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {unit}s [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
_LINE = _BAR.replace(" {bar}", "")
_SECONDS_PER_LINE = 10.0


_interrupted = threading.Event()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make Ctrl-C raise `KeyboardInterrupt` at once, and again at the next step of a bar if that one was swallowed.

    Python drops an exception that a signal handler happens to raise inside a destructor or the callback of a weak
    reference; the run would then go on as if nobody had pressed. Where SIGINT is ignored (a job in a shell's
    background) it stays so, and outside the main thread, which alone can handle signals, this does nothing.
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

    def __iter__(self) -> Iterator[T]:
        """Yield the items of the work; each step counts when the next is asked for."""
        ...

    def __enter__(self) -> Progress[T]:
        """Begin to show the work."""
        ...

    def __exit__(self, *error: object) -> None:
        """Stop showing the work."""
        ...

    def update(self, count: int = 1, *, note: str = "") -> None:
        """Advance by `count` steps; a `note` is shown beside them."""
        ...


class ProgressFactory(Protocol):
    """A function that makes the `Progress` of a piece of work: the option `progress` of functions with long work."""

    def __call__(self, work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
        """Return the progress of `work`, an iterable or a number of steps.

        Args:
            work: what is gone over, or how many steps there are.
            description: what is being done.
            unit: what one step is called, in the singular.
            initial: how many steps an interrupted run has finished.
        """
        ...


class _Silent:
    """Work that does not show.

    What all work shares is here: to iterate is to advance, and after Ctrl-C nothing advances.
    """

    def __init__(self, work: Work, description: str, *, unit: str = "step", initial: int = 0) -> None:
        self._work: Iterable[Any] = range(initial, work) if isinstance(work, int) else work

    def __iter__(self) -> Iterator[Any]:
        with self:
            for item in self._work:
                yield item
                self.update(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def update(self, count: int = 1, *, note: str = "") -> None:
        if _interrupted.is_set():
            raise KeyboardInterrupt
        self._advance(count, note)

    def _advance(self, count: int, note: str) -> None: ...


class _Tqdm(tqdm):  # type: ignore[misc]
    """A tqdm bar on a monotonic clock.

    A plain one stands still for as long as the machine's clock was put back.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._time = monotonic
        self.last_print_t = self.start_t = monotonic()


class _Bar(_Silent):
    """A tqdm bar, for terminals and notebooks."""

    def __init__(self, work: Work, description: str, *, unit: str = "step", initial: int = 0) -> None:
        super().__init__(work, description, initial=initial)
        total = _total(work)
        self._bar: Any = _Tqdm(
            total=total,
            desc=description,
            unit=unit,
            initial=initial,
            file=sys.stderr,
            dynamic_ncols=True,
            smoothing=0.1,
            leave=None,  # a bar within another one goes when it is done
            mininterval=0.2,
            bar_format=_BAR if total is not None else None,
        )

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def _advance(self, count: int, note: str) -> None:
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)


class _Lines(_Silent):
    """A line at the start, every `_SECONDS_PER_LINE` and at the end, for files: there a bar that redraws is noise."""

    def __init__(
        self, work: Work, description: str, *, unit: str = "step", initial: int = 0, write: Callable[[str], None]
    ) -> None:
        super().__init__(work, description, initial=initial)
        self._write = write
        total = _total(work)
        self._about = {
            "total": total,
            "prefix": description,
            "unit": unit,
            "initial": initial,
            "bar_format": _LINE if total is not None else None,
        }
        self._done, self._note = initial, ""
        self._start = monotonic()
        self._print()

    def __exit__(self, *error: object) -> None:
        if self._printed_done != self._done:
            self._print()

    def _advance(self, count: int, note: str) -> None:
        self._done += count
        self._note = note or self._note
        if monotonic() - self._printed_at >= _SECONDS_PER_LINE:
            self._print()

    def _print(self) -> None:
        self._printed_at, self._printed_done = monotonic(), self._done
        elapsed = self._printed_at - self._start
        line = tqdm.format_meter(self._done, elapsed=elapsed, postfix=self._note, **self._about)
        self._write(line)


class _Several(_Silent):
    """Work that shows in several ways."""

    def __init__(
        self,
        work: Work,
        description: str,
        *,
        unit: str = "step",
        initial: int = 0,
        factories: Sequence[ProgressFactory],
    ) -> None:
        super().__init__(work, description, initial=initial)
        # Only this one goes over the work: the others advance with it.
        self._bars = [factory(work, description, unit=unit, initial=initial) for factory in factories]

    def __exit__(self, *error: object) -> None:
        for bar in self._bars:
            bar.__exit__(*error)

    def _advance(self, count: int, note: str) -> None:
        for bar in self._bars:
            bar.update(count, note=note)


class _Part(_Silent):
    """Work whose steps count in the bar of a longer one."""

    def __init__(self, *work: Any, bar: Progress[Any], **about: Any) -> None:
        super().__init__(*work, **about)
        self._bar = bar

    def _advance(self, count: int, note: str) -> None:
        self._bar.update(count, note=note)


def _total(work: Work) -> int | None:
    return work if isinstance(work, int) else (len(work) if isinstance(work, Sized) else None)


def part_of(bar: Progress[Any]) -> ProgressFactory:
    """Return a factory for the parts of a longer work: their steps go to its `bar`, which stays open after each."""
    return partial(_Part, bar=bar)


def progress(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """Return a bar on stderr for an iterable or a number of steps; silent when stderr is not a terminal.

    `initial` counts the steps that an interrupted run has finished: they show, but do not enter the rate.
    """
    return (_Bar if sys.stderr.isatty() else _Silent)(work, description, unit=unit, initial=initial)


def forced(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """Return a `progress` that shows even when stderr is not a terminal: as plain lines, one every ten seconds."""
    lines = written(lambda line: print(line, file=sys.stderr, flush=True))
    shown: ProgressFactory = _Bar if sys.stderr.isatty() else lines
    return shown(work, description, unit=unit, initial=initial)


def written(write: Callable[[str], None]) -> ProgressFactory:
    """Return a factory whose work shows as plain lines that go to `write`, one every ten seconds."""
    return partial(_Lines, write=write)


def several(*factories: ProgressFactory) -> ProgressFactory:
    """Return a factory whose work shows in all of these ways."""
    return partial(_Several, factories=factories)


def in_notebooks(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """Return a bar under the cell of a notebook that runs the work, silent elsewhere: the default of `Diagnoser`."""
    return (_Bar if _in_kernel() else _Silent)(work, description, unit=unit, initial=initial)


def _in_kernel() -> bool:
    """Return whether this process runs the cells of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def silent(work: Work, description: str, *, unit: str = "step", initial: int = 0) -> Progress[Any]:
    """Return a `progress` that never shows: the default of most of the API."""
    return _Silent(work, description, unit=unit, initial=initial)
