"""Varied true captions of avatars, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import TEMPLATES, draw_claims, listed, pick, spoken_words, true_captions
from zoom_engine.domains.avatars.attributes import ATTRIBUTES, HAIR_ATTRIBUTES, margins
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES
from zoom_engine.domains.wording import with_article

NOUNS: tuple[str, ...] = ("face", "face", "person", "avatar", "character")

# Absent wordings that speak of hair: untrue of a bald head.
_NEEDS_HAIR = frozenset({"long_hair", "curly_hair"})


def vocabulary() -> list[str]:
    """All words that a caption can hold, sorted."""
    return spoken_words(NOUNS, ATTRIBUTE_PHRASES, "the face of hair")


def captions(parameters: Parameters, seed: int, *, templates: Sequence[str] = TEMPLATES, most: int = 4) -> list[str]:
    """One true caption per avatar: up to `most` of its attributes in varied words, sometimes none ("a face").

    Only attributes whose |margin| is at least 0.1 are spoken of. Deterministic in `seed`.
    """
    table = margins(parameters)
    return true_captions({name: table[name] for name in ATTRIBUTES}, draw_caption, seed, templates, most)


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """One true caption for an avatar with the margins `row`, and the attributes that it claims (present or not)."""
    chosen = draw_claims(row, rng, most)
    return pick(rng, templates).format(_sentence(chosen, has_hair=row["bald"] <= -0.1, rng=rng)), chosen


def _sentence(chosen: Mapping[str, bool], *, has_hair: bool, rng: np.random.Generator) -> str:
    noun = pick(rng, NOUNS)
    gender = None
    adjectives: list[str] = []
    have: list[str] = []
    lack: list[str] = []
    merged = _hair_phrase(chosen, has_hair=has_hair) if rng.random() < 0.6 else None
    for name, is_present in chosen.items():
        wording = ATTRIBUTE_PHRASES[name]
        if merged is not None and name in merged[1]:
            continue
        words = wording.present if is_present else wording.absent
        if wording.kind == "noun":
            gender = pick(rng, words)
        elif wording.kind == "adjective":
            if name == "bald" and not is_present:
                if not any(other in HAIR_ATTRIBUTES for other in chosen):
                    have.append("hair")
            else:
                adjectives.append(pick(rng, words))
        elif is_present:
            have.append(pick(rng, words))
        elif not words or (name in _NEEDS_HAIR and not has_hair) or rng.random() < 0.4:
            lack.append(pick(rng, wording.present))
        else:
            have.append(pick(rng, words))
    if merged is not None:
        have.append(merged[0])
    rng.shuffle(adjectives)
    rng.shuffle(have)
    if gender is None:
        subject = with_article(" ".join([*adjectives, noun]))
    elif rng.random() < 0.25:
        subject = f"the face of {with_article(' '.join([*adjectives, gender]))}"
    else:
        subject = with_article(" ".join([*adjectives, gender]))
    who = gender is not None and not subject.startswith("the") and rng.random() < 0.1
    verb = "who has" if who else "with"
    parts = [subject]
    if have:
        parts.append(f"{verb} {listed(have, 'and')}")
    if lack:
        parts.append(f"{'and ' if have else ''}without {listed(lack, 'or')}")
    return " ".join(parts)


def _hair_phrase(chosen: Mapping[str, bool], *, has_hair: bool) -> tuple[str, frozenset[str]] | None:
    """ "long curly black hair" where two or more of these were chosen, and the attributes it speaks for."""
    if not has_hair:
        return None
    words: list[str] = []
    used: list[str] = []
    for name, yes, no in (("long_hair", "long", "short"), ("curly_hair", "curly", "straight")):
        if name in chosen:
            words.append(yes if chosen[name] else no)
            used.append(name)
    for name in HAIR_ATTRIBUTES:
        if name.split("_")[0] in ("black", "brown", "blond", "red", "gray") and chosen.get(name):
            words.append(name.split("_")[0])
            used.append(name)
    return (" ".join([*words, "hair"]), frozenset(used)) if len(words) >= 2 else None
