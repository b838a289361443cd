"""Progress bars: silent unless watched, forced on demand, and honest about resumed work."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import pytest

from zoom_engine.common.progress import ProgressFactory, forced, in_notebooks, part_of, progress, silent


@pytest.mark.parametrize("factory", [progress, silent])
def test_silent_without_a_terminal(factory: ProgressFactory, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(factory([3, 4], "Sampling")) == [3, 4]
    with factory(2, "Searching") as bar:
        bar.update(2, note="done")
    assert capsys.readouterr() == ("", "")


def test_forced_shows_description_counts_rate_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    with forced(10, "Searching", unit="trial", initial=4) as bar:
        bar.update(6, note="flip rate 0.31")
    shown = capsys.readouterr().err
    assert "Searching: 100%" in shown
    assert "10/10 trials" in shown
    assert "flip rate 0.31" in shown


def test_iterating_goes_on_where_an_earlier_run_stopped() -> None:
    assert list(silent(5, "Sampling", initial=3)) == [3, 4]
    assert list(silent((x for x in "ab"), "Sampling")) == ["a", "b"]


def test_parts_of_a_longer_work_move_its_bar_and_leave_it_open(capsys: pytest.CaptureFixture[str]) -> None:
    with forced(10, "Searching", unit="trial", initial=2) as bar:
        for count in (3, 5):
            with part_of(bar)(count, "Searching") as part:
                part.update(count - 1)
            assert list(part_of(bar)(["x"], "Searching")) == ["x"]
    shown = capsys.readouterr().err
    assert "Searching: 100%" in shown
    assert "10/10 trials" in shown
    assert "3/3" not in shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def nested(factory: ProgressFactory, stream: io.StringIO) -> str:
    """What a bar within another one, which takes no ten seconds, leaves on stderr."""
    with contextlib.redirect_stderr(stream), factory(3, "Searching", unit="trial") as bar:
        for _ in factory(range(500), "Bounding", unit="image"):
            pass
        bar.update(3, note="flip rate 0.31")
    return stream.getvalue()


def test_a_file_holds_plain_lines_the_first_and_the_last_state() -> None:
    text = nested(forced, io.StringIO())
    assert "\x1b" not in text
    assert "\r" not in text
    assert [line.partition(" [")[0] for line in text.splitlines()] == [
        "Searching:   0% 0/3 trials",
        "Bounding:   0% 0/500 images",
        "Bounding: 100% 500/500 images",
        "Searching: 100% 3/3 trials",
    ]
    assert text.endswith(", flip rate 0.31]\n")


def test_a_file_gets_a_line_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("zoom_engine.common.progress.monotonic", lambda: now)
    with forced(30, "Sampling", initial=5) as bar:
        for _ in range(23):
            now += 1
            bar.update()
    shown = capsys.readouterr().err.splitlines()
    assert [line.partition("% ")[2].partition(" ")[0] for line in shown] == ["5/30", "15/30", "25/30", "28/30"]
    assert "[00:10<00:15,  1.00step/s]" in shown[1]


@pytest.mark.parametrize("factory", [forced, progress])
def test_a_terminal_has_bars(factory: ProgressFactory) -> None:
    text = nested(factory, Terminal())
    assert "##########" in text
    assert "\r" in text
    assert text.endswith("\n")


PRESSED = """
import gc, os, signal
from zoom_engine.common.progress import interruptible, silent

def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(10_000))  # Python runs the handler between two instructions

class PressesCtrlC:  # while Python runs a destructor, which swallows exceptions
    def __del__(self):
        press_ctrl_c()

def interrupted(run):
    try:
        run()
    except KeyboardInterrupt:
        return True
    return False

signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, even in a shell's background
"""


def alone(code: str) -> None:
    """Run `code` in a process of its own: a test's process has threads of other libraries, and ended at a Ctrl-C."""
    done = subprocess.run([sys.executable, "-c", PRESSED + textwrap.dedent(code)], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.decode()) == (0, "done\n"), done.stderr.decode()


def test_an_interrupt_swallowed_by_a_destructor_stops_the_next_step() -> None:
    alone(
        """
        with interruptible(), silent(3, "Searching") as bar:
            bar.update(1)
            PressesCtrlC()
            gc.collect()
            assert interrupted(lambda: bar.update(1))
        with silent(3, "Searching") as bar:
            bar.update(1)
        print("done")
        """
    )


def test_an_interrupt_raises_at_once_and_the_handler_before_comes_back() -> None:
    alone(
        """
        def run():
            with interruptible():
                press_ctrl_c()
        assert interrupted(run)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        print("done")
        """
    )


def test_an_ignored_interrupt_stays_ignored() -> None:
    alone(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interruptible(), silent(2, "Searching") as bar:
            press_ctrl_c()
            bar.update(1)
        print("done")
        """
    )


def test_a_clock_that_is_put_back_does_not_stop_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, hours = Terminal(), iter([1e6])
    monkeypatch.setattr("tqdm.std.time", lambda: next(hours, 0.0))
    with contextlib.redirect_stderr(stream), forced(4, "Searching", unit="trial") as bar:
        bar.update(1)
        time.sleep(0.25)
        bar.update(1)
        assert "2/4 trials [00:0" in stream.getvalue()


def test_a_notebook_shows_a_bar_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        stream = io.StringIO()
        with contextlib.redirect_stderr(stream), in_notebooks(4, "Searching", unit="trial") as bar:
            bar.update(4)
        return stream.getvalue()

    assert shown() == ""
    shell = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    assert shown() == "", "IPython in a terminal"
    shell.kernel = object()
    assert "Searching: 100%" in shown()
