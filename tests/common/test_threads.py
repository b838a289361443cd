"""What threads share is made once and used in turns; a forked child waits for nobody who is not there."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from children import in_child

from zoom_engine import load_target
from zoom_engine.cli.start import use_threads
from zoom_engine.common.errors import ForkError
from zoom_engine.common.machine import find_device
from zoom_engine.common.threads import Turns, once, quiet, working

pytestmark = pytest.mark.forks

SECONDS = 60.0


@contextmanager
def meanwhile(hold: Callable[[threading.Event, threading.Event], None]) -> Iterator[None]:
    """While another thread is in ``hold``, which sets the first event and waits for the second."""
    entered, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold, args=(entered, leave))
    thread.start()
    assert entered.wait(SECONDS)
    try:
        yield
    finally:
        leave.set()
        thread.join()


def test_what_threads_ask_for_together_is_made_once() -> None:
    both = threading.Barrier(2, timeout=SECONDS)

    @once
    def make(name: str) -> object:
        time.sleep(0.05)
        return object()

    def ask(_: int) -> object:
        both.wait()
        return make("a")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, range(2))
    assert first is second
    assert make("b") is not first


def test_turns_are_free_in_a_forked_child_whoever_held_them() -> None:
    turns = Turns()

    def hold(entered: threading.Event, leave: threading.Event) -> None:
        with turns.taken():
            entered.set()
            leave.wait(SECONDS)

    def take() -> str:
        with turns.taken():
            return "taken"

    with meanwhile(hold):
        assert in_child(take, seconds=10) == "taken"
    with turns.taken():
        assert in_child(take, seconds=10) == "taken"


def test_a_child_forked_beside_another_threads_work_is_refused_in_one_line() -> None:
    def hold(entered: threading.Event, leave: threading.Event) -> None:
        with working():
            entered.set()
            leave.wait(SECONDS)

    def load() -> str:
        return load_target("avatars:mustache").name

    with meanwhile(hold):
        kind, text = in_child(load, seconds=30)
        assert kind == ForkError.__name__
        assert text.startswith("this process was forked while another thread of its parent was auditing")
        assert "spawn" in text
        assert "\n" not in text
        assert load()  # here nothing is wrong
    assert in_child(load, seconds=30) == load()
    with working():  # of the thread that forks: it is there too
        assert in_child(load, seconds=30) == load()


@pytest.mark.usefixtures("two_torch_threads")
def test_torch_computes_in_a_forked_child_of_what_computed_on_several_threads() -> None:
    numbers = torch.ones(1_000_000)
    assert float((numbers + numbers).sum()) == 2_000_000
    assert in_child(lambda: float((numbers + numbers).sum()), seconds=20) == 2_000_000
    assert torch.get_num_threads() == 2


def test_more_threads_than_a_forked_child_has_are_refused_in_one_line() -> None:
    kind, text = in_child(lambda: use_threads(2), seconds=20)
    assert kind == ForkError.__name__
    assert text.startswith("torch computes on one thread in a forked process, not on 2: ")
    assert "\n" not in text
    assert in_child(lambda: use_threads(1), seconds=20) is None


def test_a_gpu_that_the_parent_used_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(ForkError, match="forked after its parent had used a GPU"):
        find_device("cuda:0")
    assert find_device("cpu").type == "cpu"


def test_quiet_threads_leave_warnings_and_logs_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    def hold(entered: threading.Event, leave: threading.Event) -> None:
        with quiet():
            entered.set()
            leave.wait(0.3)  # the others wait for this one

    before = [logging.root.manager.disable, list(warnings.filters), list(logging.root.filters)]
    with meanwhile(hold):
        logging.warning("another thread's")
        with quiet():
            logging.warning("not to be heard")
            warnings.warn("nor this", UserWarning, stacklevel=1)
            logging.error("an error")
    assert [logging.root.manager.disable, list(warnings.filters), list(logging.root.filters)] == before
    assert [record.getMessage() for record in caplog.records] == ["another thread's", "an error"]
    with pytest.raises(UserWarning, match="heard again"):
        warnings.warn("heard again", UserWarning, stacklevel=1)
