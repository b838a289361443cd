"""One standard word for each thing: identifiers have none of the private words that stood in their place.

`docs/reference/glossary.md` explains the words.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("zoom_engine", "lab", "bench", "docs", "export", "tests")

PARTS = {
    "drags": "side effects",
    "glance": "the low-precision pass",
    "hardly": "the negligible threshold",
    "hire": "start",
    "hired": "started",
    "iterate": "an evaluated point",
    "iterates": "evaluated points",
    "leak": "a side effect",
    "leakage": "side effects",
    "leaks": "side effects",
    "looks": "interim analyses",
    "news": "the next event",
    "null": "random directions, baseline directions",
    "nulls": "baseline directions",
    "phrasing": "a paraphrase",
    "phrasings": "paraphrases",
    "spike": "an injected effect",
    "spiked": "injected effects",
    "standing": "a test result",
    "standings": "test results",
    "telling": "a notifier",
    "undecided": "inconclusive",
    "untold": "the null notifier",
    "voice": "the output",
    "wordings": "paraphrases",
}
"""Words that no part of an identifier is, and what stands in their place."""
PARTS_THAT_STAY = {
    "null_notifier": "the glossary's word for a notifier that tells nobody",
}
NAMES = {
    "Unit": "Trial",
    "each": "the noun of the thing",
    "every": "the noun of the thing",
    "evidence": "a test result",
    "found": "the noun of the thing: results, matches, directions",
    "held": "what is held: cached, reserved",
    "kept": "what is kept: cached, retained, label_kept",
    "measured": "what was measured: measurements, changes",
    "nothing": "control prompts",
    "own": "what is meant: of_target, of_attribute",
    "places": "indices, positions",
    "said": "the text, the answer",
    "settled": "rechecked, converged",
    "there": "what is there: existing, present",
    "verified": "re-evaluated in float32",
}
"""Words that no identifier is as a whole, and what stands in their place."""
NAMES_THAT_STAY: dict[str, str] = {}

ROOMS_WITH_OLD_PARTS: frozenset[str] = frozenset()
"""Rooms whose identifiers still have such words as a part; to be emptied."""
ROOMS_WITH_OLD_NAMES = frozenset(["tests"])
"""Rooms where such words still are identifiers; to be emptied."""


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:2]) if parts[0] == "zoom_engine" and len(parts) > 2 else parts[0]


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of each identifier; names of tests are sentences, and left out."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and not token.string.startswith("test_"):
            yield token.start[0], token.string


def parts_of(name: str) -> list[str]:
    """Return the words that an identifier is made of, in lower case."""
    return [part.lower() for part in re.split(r"_+|(?<=[a-z0-9])(?=[A-Z])", name) if part]


def files(rooms_left: frozenset[str]) -> list[Path]:
    every = (path for folder in CODE for path in (ROOT / folder).rglob("*.py*") if path.suffix in (".py", ".pyi"))
    return sorted(path for path in every if room_of(path) not in rooms_left)


def test_identifiers_are_split_into_their_words() -> None:
    assert parts_of("_null_perImage") == ["null", "per", "image"]
    assert parts_of("NullDirections") == ["null", "directions"]
    assert parts_of("DEFAULT_NULL") == ["default", "null"]


def test_no_part_of_an_identifier_is_a_word_of_the_left_column() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} ({part} is {PARTS[part]})"
        for path in files(ROOMS_WITH_OLD_PARTS)
        for line, name in identifiers(path)
        for part in parts_of(name)
        if part in PARTS and name not in PARTS_THAT_STAY
    ]
    assert not wrong, "\n".join(wrong)


def test_no_identifier_is_a_word_of_the_left_column() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} ({NAMES[name]})"
        for path in files(ROOMS_WITH_OLD_NAMES)
        for line, name in identifiers(path)
        if name in NAMES and name not in NAMES_THAT_STAY
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("rooms", [ROOMS_WITH_OLD_PARTS, ROOMS_WITH_OLD_NAMES])
def test_rooms_that_are_left_out_exist(rooms: frozenset[str]) -> None:
    assert all((ROOT / room).is_dir() for room in rooms)
