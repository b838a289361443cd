"""The harness of fuzzing, without fuzzing: its seeds are read, mutations are none of them, crashes are told as such."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import mutations
from judging import LONGEST_MESSAGE, judged
from readers import READERS

from zoom_engine.common.errors import ConfigError, ZoomError

NOT_WHOLE = [name for name in READERS if not name.endswith("whole")]


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_fuzzing_begins_with_is_no_crash_and_some_is_read(name: str) -> None:
    read, seeds, *_ = READERS[name]
    accepted = 0
    for data in seeds():
        assert judged(read, data) is None
        try:
            read(data)
            accepted += 1
        except ZoomError:
            pass
    assert accepted or name in ("safetensors", "toml"), "no seed is all kinds of file at once"


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_mutations_make_other_files(name: str) -> None:
    _, seeds, mutation, _ = READERS[name]
    rng, all_seeds = random.Random(0), list(seeds())
    changed = [mutation(rng.choice(all_seeds), rng, lambda piece: piece[:-1]) for _ in range(40)]
    assert len({*changed} - {*all_seeds}) > 10


def _raises(error: Exception) -> Callable[[bytes], None]:
    def read(_: bytes) -> None:
        raise error

    return read


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (KeyError("a"), "KeyError: the harness"),
        (ConfigError("a\nb"), "not printable: the harness"),
        (ConfigError("\x1b[2J"), "not printable: the harness"),
        (ConfigError("a" * (LONGEST_MESSAGE + 1)), "too long: the harness"),
    ],
)
def test_what_is_no_line_for_a_terminal_is_a_crash(error: Exception, place: str) -> None:
    result = judged(_raises(error), b"")
    assert result is not None
    assert result.place == place
    assert judged(_raises(ConfigError("a line")), b"") is None


def test_a_value_is_changed_and_what_it_was_made_of_is_not() -> None:
    root = {"a": [1, {"b": "c"}], "d": None}
    made = [mutations.changed_value(root, random.Random(seed)) for seed in range(50)]
    assert root == {"a": [1, {"b": "c"}], "d": None}
    assert sum(one != root for one in made) > 40
