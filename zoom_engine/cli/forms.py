"""How the text of an option is read by its type hint, where cyclopts cannot know it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from cyclopts import Parameter

from zoom_engine.common.typed import kinds_of
from zoom_engine.settings.audit_settings import AUTO, LossWeights

MOST_SEEDS = 2_000
_AFTER_NAME = re.compile(r"[^\w.-].*", re.DOTALL)


def read_by(read: Callable[[str], Any], wanted: str, *, repeated: bool = False) -> Parameter:
    """Return an option of one text, or of repeated ones, that may begin with a minus; `wanted` describes its form.

    Of one of the `repeated` a message shows no more than a name, since headers of a service are among them.
    """

    def one(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            told = _AFTER_NAME.sub("", text) if repeated else text
            raise ValueError(f"write {wanted}, not {told!r}") from error

    def convert(_: Any, tokens: Sequence[Any]) -> Any:
        return [one(token.value) for token in tokens] if repeated else one(tokens[0].value)

    return Parameter(converter=convert, n_tokens=1, allow_leading_hyphen=True)


def _seeds(text: str) -> list[int]:
    ends = [part.partition("-") for part in text.split(",")]
    parts = [range(int(first), int(last or first) + 1) for first, _, last in ends]
    if not 0 < sum(part.stop - part.start for part in parts) <= MOST_SEEDS or not all(parts):
        raise ValueError
    return [seed for part in parts for seed in part]


def _sizes(text: str) -> int | tuple[int, int]:
    height, comma, width = text.partition(",")
    return (int(height), int(width)) if comma else int(height)


def _loss_weights(text: str) -> LossWeights:
    target, structure, label = (float(part) for part in text.split(","))
    return LossWeights(target=target, structure=structure, label=label)


def _named(text: str) -> tuple[str, Any]:
    """Read a value as TOML does, or else as a text."""
    name, equals, value = text.partition("=")
    if not (name and equals) or _AFTER_NAME.search(name):
        raise ValueError
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return name, value


def _count(text: str) -> int | str:
    return text if text == AUTO else int(text)


SEEDS = read_by(_seeds, f"seeds such as 0-7 or 3,5,9, {MOST_SEEDS:,} of them at most")
NUMBERS = read_by(lambda text: [float(part) for part in text.split(",")], "numbers such as 0.5 or -1,1")
SIZES = read_by(_sizes, "pixels such as 224 or 192,256 (height, width)")
WEIGHTS = read_by(_loss_weights, "three numbers, of L_target, L_struct and L_attr, such as 50,10,1")
NAMED = read_by(_named, "NAME=VALUE, such as steps=4", repeated=True)
COUNT = read_by(_count, f"a whole number, or {AUTO}")
WHOLE, REAL = read_by(int, "a whole number"), read_by(float, "a number")


def form_of(hint: object) -> tuple[Any, Parameter]:
    """Return the type that cyclopts is given for a setting of this hint, and how it reads the text."""
    kinds = kinds_of(hint)
    if LossWeights in kinds:
        return str, WEIGHTS
    if tuple in kinds:
        return str, SIZES if int in kinds else NUMBERS
    if Mapping in kinds:
        return list[str], NAMED
    if Sequence in kinds:
        return list[str], Parameter()
    if int in kinds and Literal in kinds:
        return int, COUNT
    return str if Literal in kinds else kinds[0], {int: WHOLE, float: REAL}.get(kinds[0], Parameter())
