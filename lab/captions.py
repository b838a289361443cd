"""True captions of rendered pictures: their templates, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DrawCaption = Callable[
    [Mapping[str, float], np.random.Generator, Sequence[str], int], tuple[str, dict[str, bool]]
]  # margins, random numbers, templates, most claims → a true caption and what it claims

TEMPLATES: tuple[str, ...] = (
    "{}", "{}", "a photo of {}", "a picture of {}", "a portrait of {}", "an image of {}", "a drawing of {}",
    "this is {}", "a close-up of {}", "a headshot of {}", "a cropped photo of {}", "a good photo of {}",
    "an illustration of {}", "we see {}", "a view of {}",
)  # fmt: skip
HELD_OUT_TEMPLATES: tuple[str, ...] = (
    "a snapshot of {}",
    "a bright photo of {}",
    "here is {}",
    "a rendering of {}",
)

_COUNTS = (0.06, 0.30, 0.28, 0.20, 0.16)


def true_captions(
    margins: Mapping[str, NDArray[np.floating[Any]]],
    draw_caption: DrawCaption,
    seed: int,
    templates: Sequence[str],
    most: int,
) -> list[str]:
    """One true caption for each picture, by its `margins` [n] of every attribute; deterministic in `seed`."""
    rng = np.random.default_rng(seed)
    rows = np.stack(list(margins.values()), axis=1)
    named = ({name: float(margin) for name, margin in zip(margins, row, strict=True)} for row in rows)
    return [draw_caption(row, rng, templates, most)[0] for row in named]


def draw_claims(row: Mapping[str, float], rng: np.random.Generator, most: int) -> dict[str, bool]:
    """Up to `most` attributes that are clear in a picture with the margins `row`, and whether they are present."""
    present = [name for name, margin in row.items() if margin >= 0.1]
    absent = [name for name, margin in row.items() if margin <= -0.1]
    count = int(rng.choice(most + 1, p=_counts(most)))
    chosen: dict[str, bool] = {}
    while len(chosen) < count and (present or absent):
        positive = bool(present) and (not absent or rng.random() < 0.72)
        pool = present if positive else absent
        chosen[pool.pop(int(rng.integers(len(pool))))] = positive
    return chosen


def _counts(most: int) -> list[float]:
    weights = [*_COUNTS[: most + 1], *[0.12] * max(0, most + 1 - len(_COUNTS))]
    total = sum(weights)
    return [weight / total for weight in weights]


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def listed(words: Sequence[str], conjunction: str) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
