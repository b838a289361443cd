"""One standard word for each thing: identifiers have none of the private words that stood in their place.

`docs/reference/glossary.md` explains the words.
"""

from __future__ import annotations

import functools
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
MODULES_THAT_STAY = re.compile(r"\b(domains|lab)\.places\b")
"""The domain of places, where it is imported from."""

PROSE = {
    r"--null\b": "--random-directions",
    r"--wordings\b": "--paraphrases",
    r"called, below or undecided": "sensitive, negligible or inconclusive",
    r"\bdrag(s|ged)?\b": "has a side effect",
    r"\bhired\b": "started",
    r"\bleakage\b": "side effects",
    r"\bnull direction": "random direction, baseline direction",
    r"\bphrasings?\b": "paraphrase",
    r"\bspiked\b": "injected",
    r"\bundecided\b": "inconclusive",
    r"\buntold\b": "null notifier",
    r"\bprompts? that names? nothing visible": "control prompt",
}
"""What neither pages nor messages, docstrings and comments say, and what they say in its place."""
PROSE_THAT_STAYS = {
    "bench/control_prompts.py": "it says what a control prompt is",
}


@functools.cache
def identifiers(path: Path) -> dict[str, list[int]]:
    """The identifiers of a file with their lines; names of tests are sentences, and left out."""
    lines: dict[str, list[int]] = {}
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.string == "places" and MODULES_THAT_STAY.search(token.line):
            continue
        if token.type == tokenize.NAME and not token.string.startswith("test_"):
            lines.setdefault(token.string, []).append(token.start[0])
    return lines


@functools.cache
def parts_of(name: str) -> list[str]:
    """Return the words that an identifier is made of, in lower case."""
    return [part.lower() for part in re.split(r"_+|(?<=[a-z0-9])(?=[A-Z])", name) if part]


def code() -> list[Path]:
    python_files = (
        path for folder in CODE for path in (ROOT / folder).rglob("*.py*") if path.suffix in (".py", ".pyi")
    )
    return sorted(python_files)


def test_identifiers_are_split_into_their_words() -> None:
    assert parts_of("_null_perImage") == ["null", "per", "image"]
    assert parts_of("NullDirections") == ["null", "directions"]
    assert parts_of("DEFAULT_NULL") == ["default", "null"]


@pytest.mark.ci
def test_no_part_of_an_identifier_is_a_word_of_the_left_column() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} ({part} is {PARTS[part]})"
        for path in code()
        for name, lines in identifiers(path).items()
        for part in parts_of(name)
        if part in PARTS and name not in PARTS_THAT_STAY
        for line in lines
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.ci
def test_no_identifier_is_a_word_of_the_left_column() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} ({NAMES[name]})"
        for path in code()
        for name, lines in identifiers(path).items()
        if name in NAMES
        for line in lines
    ]
    assert not wrong, "\n".join(wrong)


def texts() -> Iterator[Path]:
    """Yield the pages, the templates of reports, and all code but that of tests."""
    yield from sorted(ROOT.glob("*.md"))
    for folder, patterns in {
        "docs": "md",
        "lab": "md py",
        "export": "md py",
        "bench": "py",
        "zoom_engine": "py j2",
    }.items():
        for pattern in patterns.split():
            yield from sorted((ROOT / folder).rglob(f"*.{pattern}"))


def test_no_page_or_message_says_a_word_of_the_left_column() -> None:
    any_of_them = re.compile("|".join(PROSE), re.I)
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]} ({PROSE[pattern]})"
        for path in texts()
        if str(path.relative_to(ROOT)) not in PROSE_THAT_STAYS
        if any_of_them.search(text := path.read_text(encoding="utf-8"))
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern in PROSE
        if (match := re.search(pattern, line, re.I))
    ]
    assert not wrong, "\n".join(wrong)
