"""Errors of others, shortened to one line."""

from __future__ import annotations

import pytest

from zoom_engine.common.errors import one_line


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
