"""Errors of others, shortened to one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoom_engine.common.errors import TrackingError, imported, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\n  second\tthird "), "first second third"),
        (KeyError(), "KeyError"),
        ("", ""),
        ("\x1b[2J red", "?[2J red"),
    ],
)
def test_any_message_becomes_one_printable_line(error: BaseException | str, line: str) -> None:
    assert one_line(error) == line


def test_of_a_long_message_beginning_and_end_are_kept() -> None:
    line = one_line(RuntimeError("reason first " + "x" * 5000 + " reason last"))
    assert len(line) == 240, "with a path and advice it stays a line"
    assert line.startswith("reason first")
    assert line.endswith("reason last")
    assert one_line("y" * 240) == "y" * 240


def test_a_module_that_is_there_and_lacks_another_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tracker_of_others.py").write_text("import absent_from_everywhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TrackingError, match=r"tracker_of_others cannot be imported \(No module named 'absent_from_"):
        imported("tracker_of_others", TrackingError, "a tracker", install="others")
    with pytest.raises(TrackingError, match=r"^a tracker: absent_from_everywhere is not installed; pip install"):
        imported("absent_from_everywhere.part", TrackingError, "a tracker", install="others")
