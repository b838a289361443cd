"""Progress bars: silent unless watched, forced on demand, and honest about resumed work."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest

from zoom_engine.progress import ProgressFactory, forced, interruptible, part_of, progress, silent


@pytest.mark.parametrize("factory", [progress, silent])
def test_silent_without_a_terminal(factory: ProgressFactory, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(factory([3, 4], "Sampling")) == [3, 4]
    with factory(2, "Searching") as bar:
        bar.update(2, note="done")
    assert capsys.readouterr() == ("", "")


def test_forced_shows_description_counts_rate_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    with forced(10, "Searching", unit="unit", initial=4) as bar:
        bar.update(6, note="flip rate 0.31")
    shown = capsys.readouterr().err
    assert "Searching: 100%" in shown
    assert "10/10 units" in shown
    assert "flip rate 0.31" in shown


def test_iterating_goes_on_where_an_earlier_run_stopped() -> None:
    assert list(silent(5, "Sampling", initial=3)) == [3, 4]
    assert list(silent((x for x in "ab"), "Sampling")) == ["a", "b"]


def test_parts_of_a_longer_work_move_its_bar_and_leave_it_open(capsys: pytest.CaptureFixture[str]) -> None:
    with forced(10, "Searching", unit="unit", initial=2) as bar:
        for count in (3, 5):
            with part_of(bar)(count, "Searching") as part:
                part.update(count - 1)
            assert list(part_of(bar)(["x"], "Searching")) == ["x"]
    shown = capsys.readouterr().err
    assert "Searching: 100%" in shown
    assert "10/10 units" in shown
    assert "3/3" not in shown


@pytest.fixture
def heeded() -> Iterator[None]:
    """SIGINT raises, as in a command at a terminal, even where the tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(10_000))  # Python runs the handler between two instructions


class PressesCtrlC:
    """Interrupts the process while Python runs a destructor, which swallows exceptions."""

    def __del__(self) -> None:
        press_ctrl_c()


@pytest.mark.usefixtures("heeded")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_swallowed_by_a_destructor_stops_the_next_step() -> None:
    with interruptible(), silent(3, "Searching") as bar:
        bar.update(1)
        PressesCtrlC()
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            bar.update(1)
    with silent(3, "Searching") as bar:
        bar.update(1)


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_raises_at_once_and_the_handler_before_comes_back() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("heeded")
def test_an_ignored_interrupt_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible(), silent(2, "Searching") as bar:
        press_ctrl_c()
        bar.update(1)
