"""Text for a terminal: tables fit its width, lines break between words, and nothing that a name holds is obeyed."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from zoom_engine.common.terminal import Column, fit, labelled, printable, ruled, tinted, wrapped

COLUMNS = (
    Column("attribute", text=True, name=True),
    Column("mean change [95 %]", text=True),
    Column("verdict", text=True, colored=True),
    Column("of the sum", rank=2),
    Column("flips", rank=1),
)
VALUES = ("0.423 [0.391, 0.461]", "sensitive, specific", "86 %", "16 %")
NAMES = {
    "long": "a face with a very long beard that goes on and on and on " * 20,
    "one word": "x" * 500,
    "wide": "日本語の笑顔" * 30,
    "combining": "e\u0301" * 200,
    "emoji": "😀 " * 90,
    "hostile": "a\x1b[31mred\x07\r\x1b]0;title\x07\u202eevil\n\t\ud800" * 4,
    "empty": "",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80, 81, 120])
@pytest.mark.parametrize("colors", [False, True])
def test_a_table_is_no_wider_than_its_terminal(name: str, width: int, colors: bool) -> None:
    rows = [(NAMES[name], *VALUES), ("a smiling face", *VALUES)]
    lines = ruled(COLUMNS, rows, width=width, colors=colors, below={0: f"because of {NAMES[name]}"})
    plain = [line.replace("\x1b[1;31m", "").replace("\x1b[0m", "") for line in lines]
    assert all(line.isprintable() for line in plain)
    rule, _, _, row, *below, other, last = plain
    assert rule == last == "─" * cell_len(rule)
    assert all("0.423 [0.391, 0.461]  sensitive, specific" in line for line in (row, other))
    assert max(map(cell_len, (rule, row, other))) <= width
    assert all(line.startswith("  ") for line in below)


def test_columns_are_left_out_by_their_rank_and_never_cut() -> None:
    def heads(width: int) -> str:
        return " ".join(ruled(COLUMNS, [("a smiling face", *VALUES)], width=width)[1].split())

    whole = "attribute mean change [95 %] verdict of the sum flips"
    assert heads(200) == heads(76) == whole
    assert heads(75) == whole.replace(" of the sum", "")
    assert heads(64) == "attribute mean change [95 %] verdict flips"
    assert heads(63) == heads(10) == "attribute mean change [95 %] verdict"


def test_names_take_what_a_wide_terminal_leaves() -> None:
    name = "a face with a " + "long " * 12 + "beard"
    assert name in "\n".join(ruled(COLUMNS, [(name, *VALUES)], width=200))
    assert name not in "\n".join(ruled(COLUMNS, [(name, *VALUES)], width=100))


def test_numbers_are_right_aligned_beside_wide_names() -> None:
    columns = [Column("name", text=True, name=True), Column("count")]
    lines = ruled(columns, [("日本", "7"), ("abc", "12345")])
    assert lines[1:-1] == ["name  count", "───────────", "日本      7", "abc   12345"]


def test_names_are_cut_after_a_word() -> None:
    assert fit("a face with a beard", 15) == "a face with a…"
    assert fit("a face with a beard", 19) == "a face with a beard"
    assert fit("日本語の笑顔", 8) == "日本語…"
    assert fit("abcdefghijk", 5) == "abcd…"


def test_lines_break_between_words_and_paths_stay_whole() -> None:
    text = "The audit is written to /a/very/long/path/that/nobody/can/break and ends 12 % of it, second line"
    lines = wrapped(text, width=30, hanging=2).split("\n")
    assert " ".join(line.strip() for line in lines) == text
    assert "  /a/very/long/path/that/nobody/can/break" in lines
    assert all(cell_len(line) <= 30 or "/a/very" in line for line in lines)
    assert not any(line.strip().startswith("%") for line in lines), "a number stays beside its %"
    assert max(map(len, wrapped("word " * 200, width=500).split("\n"))) <= 100


def test_what_a_name_holds_begins_no_line_of_its_own() -> None:
    assert wrapped("audit a\nPASS (4 pass)") == "audit a?PASS (4 pass)"


def test_labels_stand_beside_their_texts() -> None:
    text = labelled([("threads", "2 of 2 cores"), ("", "and one more line that is too long for it")], width=30)
    assert text == "threads: 2 of 2 cores\n         and one more line\n         that is too long for\n         it"


def test_verdicts_have_colours_by_what_they_say() -> None:
    assert tinted("x", "sensitive, specific") == tinted("x", "FAIL (1 fails)") == "\x1b[1;31mx\x1b[0m"
    assert tinted("x", "sensitive, unspecific") == tinted("x", "inconclusive") == "\x1b[33mx\x1b[0m"
    assert tinted("x", "negligible") == tinted("x", "pass") == "\x1b[32mx\x1b[0m"
    assert tinted("x") == tinted("x", "-") == "x"


def test_control_characters_are_shown_as_question_marks() -> None:
    assert printable("a\x1b[31m\u202eb\n日本") == "a?[31m?b?日本"
