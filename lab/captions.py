"""True captions of rendered pictures: their templates, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.wording import Wording, Words, with_article
from zoom_engine.text.prompts import words_of
from zoom_engine.text.templates import TEMPLATE_SETS

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


def all_templates() -> list[str]:
    """Return those of captions, those that measure, and all sets that an audit may choose."""
    return [*TEMPLATES, *HELD_OUT_TEMPLATES, *(one for templates in TEMPLATE_SETS.values() for one in templates())]


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


def spoken_words(nouns: Sequence[str], phrases: Mapping[str, Wording], *others: str) -> list[str]:
    """All words of captions that are made of these nouns and phrases, and of ``others``, sorted."""
    spoken = [*nouns, *TEMPLATES, "a an who has with without and or", *others]
    spoken += [words for wording in phrases.values() for words in (*wording.present, *wording.absent)]
    return sorted({word for text in spoken for word in words_of(text)})


def sentence(
    chosen: Mapping[str, bool],
    phrases: Mapping[str, Wording],
    nouns: Sequence[str],
    colour_words: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    *,
    coloured: float,
) -> str:
    """What is true of one picture in a sentence: "a black dog with a collar and without stripes on grass".

    ``colour_words`` are adjectives for attributes that phrases say as well, used in a share ``coloured`` of cases.
    """
    noun = pick(rng, nouns)
    adjectives: list[str] = []
    have: list[str] = []
    lack: list[str] = []
    endings: list[str] = []
    for name, is_present in chosen.items():
        wording = phrases[name]
        words = wording.present if is_present else wording.absent
        if wording.kind == "noun":
            noun = pick(rng, words)
        elif wording.kind == "adjective":
            adjectives.append(pick(rng, words))
        elif wording.kind == "place":
            endings.append(pick(rng, words))
        elif is_present and name in colour_words and rng.random() < coloured:
            adjectives.append(pick(rng, colour_words[name]))
        elif is_present or (words and rng.random() < 0.6):
            have.append(pick(rng, words))
        else:
            lack.append(pick(rng, wording.present))
    rng.shuffle(adjectives)
    rng.shuffle(have)
    told = with_article(" ".join([*adjectives, noun]))
    if have:
        told += f" {'who has' if rng.random() < 0.1 else 'with'} {listed(have, 'and')}"
    if lack:
        told += f" {'and ' if have else ''}without {listed(lack, 'or')}"
    return " ".join([told, *endings])


def wording_pairs(texts: Mapping[str, str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the pairs (present, absent) of each attribute, which are written "a / b; c / d"."""
    split = {name: [pair.split(" / ") for pair in pairs.split("; ")] for name, pairs in texts.items()}
    return {name: tuple((present, absent) for present, absent in pairs) for name, pairs in split.items()}


@dataclass(frozen=True)
class Captions:
    """True captions of a domain whose `words` are `Words`.

    Attributes:
        nouns: what its pictures show, the more often the more often it is there.
        adjectives: for attributes that phrases say as well, used in a share `coloured` of cases.
        denied: of the kinds (`Truth.colours`) those that a caption may deny.
        denials: in what share of captions one of them is.
    """

    words: Words
    nouns: tuple[str, ...]
    adjectives: Mapping[str, tuple[str, ...]]
    coloured: float
    denied: tuple[str, ...] = ()
    denials: float = 0.15

    def vocabulary(self) -> list[str]:
        """Return all words that a caption can hold, sorted."""
        adjectives = (word for words in self.adjectives.values() for word in words)
        return spoken_words(self.nouns, self.words.phrases, *adjectives)

    def speakable(self, row: Mapping[str, float], *, kinds: bool) -> dict[str, float]:
        """Leave out of a picture's margins what nobody would deny: kinds, and what is hidden; or all `kinds`."""
        truth = self.words.truth
        silent = {name for hider, covered in truth.hides.items() if row[hider] > -0.1 for name in covered}
        silent |= set(truth.colours)
        left = {name: margin for name, margin in row.items() if margin > 0 or name not in silent}
        return {name: margin for name, margin in left.items() if kinds or name not in truth.colours}

    def draw(
        self, row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
    ) -> tuple[str, dict[str, bool]]:
        """Draw one true caption for the margins `row`, and the attributes that it claims (present or not)."""
        missing = [name for name in self.denied if row[name] <= -0.1]
        deny = bool(most and missing) and rng.random() < self.denials
        chosen = {pick(rng, missing): False} if deny else {}
        chosen |= draw_claims(self.speakable(row, kinds=not deny), rng, most - len(chosen))
        template = pick(rng, templates)
        told = sentence(chosen, self.words.phrases, self.nouns, self.adjectives, rng, coloured=self.coloured)
        return template.format(told), chosen
