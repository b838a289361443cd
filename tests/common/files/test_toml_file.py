"""TOML files are read, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.toml_file import read_toml


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "9" * 5_000, "digits"),
        ("a = 0x" + "f" * 5_000, "an integer of 20000 bits, 63 are the most"),
        ("[[rule]]\na = [1, -9223372036854775809]", "an integer of 64 bits"),
        ("a = " + "[" * 5_000 + "]" * 5_000, "recursion"),
        ("a = '\x1b'", "character"),
        ("b = 1\na" + ".a" * 400_000 + " = 1", "line 2 has more than 500 dots"),  # an hour, if it were read
        ('"\u2028".' * 600 + "a = 1", "line 1 has more than 500 dots"),
    ],
)
def test_what_is_no_toml_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigError, match=says) as refused:
        read_toml(tmp_path / "a.toml")
    assert str(refused.value).isprintable()


def test_integers_of_64_bits_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = [9223372036854775807, -9223372036854775808]")
    assert read_toml(tmp_path / "a.toml") == {"a": [2**63 - 1, -(2**63)]}
