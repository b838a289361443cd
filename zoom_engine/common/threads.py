"""What the threads of a process share, and what a forked child of it may still use.

Everything that is kept for the whole process (models of a domain, compiled networks, packed weights) is made once,
whichever thread asks first. A forked child has the memory of its parent and one of its threads: locks that other
threads had taken stay locked for ever there, and code that waits for a runtime's threads waits for ever. So locks are
new in a child, runtimes are started again, and torch, whose OpenMP threads cannot be started again, computes on the one
thread that there is.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from weakref import WeakSet

from zoom_engine.common.errors import ForkError

T = TypeVar("T")
Made = TypeVar("Made", bound=Callable[..., Any])


class Forked(Protocol):
    """A thing that has to know that it is in a forked child."""

    def forked(self) -> None:
        """Prepare for life in the child, before anything else runs there; must not wait for anybody."""


_told: WeakSet[Forked] = WeakSet()
_at_work: dict[int, int] = {}
"""How deep each thread is in `working`; none touches another's."""
_beside_work = False
"""This process was forked while another thread was at work."""
_of_one_thread = False
"""This process was forked after torch was loaded."""


def tell_of_forks(thing: Forked) -> None:
    """Have `forked` of a `thing` called in each forked child, as long as it lives."""
    _told.add(thing)


def leave_behind(*things: object) -> None:
    """Keep `things` for ever, past the end of the interpreter: letting go of a runtime waits for its threads."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _in_child() -> None:
    global _beside_work, _of_one_thread
    this_thread = threading.get_ident()
    _beside_work = _beside_work or bool(_at_work.keys() - {this_thread})
    for other in _at_work.keys() - {this_thread}:
        del _at_work[other]
    for thing in list(_told):
        thing.forked()
    if torch := _torch():
        torch.set_num_threads(1)
        _of_one_thread = True


os.register_at_fork(after_in_child=_in_child)


def check_number_of_threads(threads: int) -> None:
    """Refuse more threads than torch can have in a forked child: it would wait for the others for ever.

    Raises:
        ForkError: `threads` is more than one in such a child.
    """
    if _of_one_thread and threads > 1:
        raise ForkError(
            f"torch computes on one thread in a forked process, not on {threads}: leave out the number of threads, or"
            " start the process with spawn or forkserver"
        )


def _torch() -> Any:
    """Return torch, where something has imported it whole."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "set_num_threads") else None


class Turns:
    """A lock that a thread may take again, and that is free in a forked child."""

    def __init__(self) -> None:
        """Make the lock, free."""
        self._lock = threading.RLock()
        tell_of_forks(self)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the lock; other threads wait."""
        with self._lock:  # this one is let go of in a child too that was forked here
            yield

    def forked(self) -> None:
        """Replace the lock by a free one."""
        self._lock = threading.RLock()


class PerProcess(Generic[T]):
    """A runtime with threads of its own: made now, and again in a forked child that uses it."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Call `make` for the runtime of this process."""
        self._make, self._turns = make, Turns()
        self._made: T | None = make()
        tell_of_forks(self)

    def __call__(self) -> T:
        """Return the runtime of this process."""
        with self._turns.taken():
            if self._made is None:
                self._made = self._make()
            return self._made

    def rest(self) -> None:
        """Give back the runtime's memory, until the next call makes another."""
        with self._turns.taken():
            self._made = None

    def forked(self) -> None:
        """Leave the parent's runtime behind, so that the next call makes another."""
        leave_behind(self._made)
        self._made = None


def once(make: Made) -> Made:
    """Decorate like `functools.cache`, for what must not be made twice: of threads that ask at once, one makes it."""
    turns, cached = Turns(), functools.cache(make)

    @functools.wraps(make)
    def made(*args: object) -> Any:
        with turns.taken():
            return cached(*args)

    return made  # type: ignore[return-value]


class _SignalStack(ctypes.Structure):
    """Linux's stack_t."""

    _fields_: ClassVar = [("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


_NO_STACK = 2  # SS_DISABLE


@contextlib.contextmanager
def keeping_signal_stack() -> Iterator[None]:
    """Keep the thread's stack for signals as it is.

    OpenVINO's processor plug-in brings a stack of its own, and takes it away with the last of what was compiled. Where
    two come and go, or one goes in another thread, the thread would keep a stack that no longer exists, and the next
    signal, as of Ctrl-C or of a child that ends, would end the process without a word.
    """
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), _SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        if libc.sigaltstack(ctypes.byref(before), None) != 0:  # it is too small for what the processor keeps by now
            libc.sigaltstack(ctypes.byref(_SignalStack(None, _NO_STACK, 0)), None)


numbers_of_threads = Turns()
"""Taken while torch's number of threads for new threads is temporarily another one."""


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Mark work that holds locks of others' libraries: an audit, or what it loads. A decorator too.

    Raises:
        ForkError: this process was forked while another thread was at work.
    """
    if _beside_work:
        raise ForkError(
            "this process was forked while another thread of its parent was auditing or loading models, and would wait"
            " for that thread's locks: start it with spawn or forkserver, or fork while nothing is audited"
        )
    this_thread = threading.get_ident()
    if torch := _torch():
        with numbers_of_threads.taken():
            torch.get_num_threads()  # a thread takes its number when it is first asked for
    _at_work[this_thread] = _at_work.get(this_thread, 0) + 1
    try:
        yield
    finally:
        _at_work[this_thread] -= 1
        if not _at_work[this_thread]:
            del _at_work[this_thread]


_filters = Turns()


@contextlib.contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Silence warnings meanwhile, and of this thread's log messages all but errors.

    This is about handlers of the root logger and those of `loggers`. Other threads log as ever.
    """
    this_thread = threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != this_thread or record.levelno > logging.WARNING

    loggers_and_handlers: list[logging.Filterer] = [logging.root, *logging.root.handlers]
    loggers_and_handlers += [handler for name in loggers for handler in logging.getLogger(name).handlers]
    if logging.lastResort is not None:
        loggers_and_handlers.append(logging.lastResort)
    for place in loggers_and_handlers:
        place.addFilter(of_others)
    try:
        # Filters of warnings belong to the process, so threads that set them take turns.
        with _filters.taken(), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for place in loggers_and_handlers:
            place.removeFilter(of_others)
