"""Progress bars: silent unless watched, forced on demand, and honest about resumed work."""

from __future__ import annotations

import pytest

from zoom_engine.progress import ProgressFactory, forced, progress, silent


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
