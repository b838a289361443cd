"""Words for pets: prompts for each attribute, and varied true captions to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zoom_engine.domains.pets.attributes import ATTRIBUTES, TRUTH, margins
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.domains.wording import (
    HELD_OUT_TEMPLATES,
    TEMPLATES,
    Wording,
    draw_claims,
    listed,
    pick,
    true_captions,
    with_article,
)
from zoom_engine.text.prompts import words_of

__all__ = ["ATTRIBUTE_PHRASES", "HELD_OUT_TEMPLATES", "TEMPLATES", "captions", "prompt", "zero_shot_prompts"]

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "dog": Wording("noun", ("dog", "puppy", "hound"), ("cat", "kitten", "kitty")),
    "pointed_ears": Wording(
        "with", ("pointed ears", "upright ears", "pricked ears"), ("floppy ears", "drooping ears", "folded ears")
    ),
    "long_snout": Wording("with", ("a long snout", "a long muzzle"), ("a short snout", "a short muzzle")),
    "black_fur": Wording("with", ("black fur", "a black coat"), ()),
    "white_fur": Wording("with", ("white fur", "a white coat"), ()),
    "ginger_fur": Wording("with", ("ginger fur", "orange fur", "a ginger coat"), ()),
    "gray_fur": Wording("with", ("gray fur", "grey fur", "a gray coat"), ()),
    "brown_fur": Wording("with", ("brown fur", "a brown coat"), ()),
    "stripes": Wording("with", ("stripes", "tabby stripes", "striped fur"), ("no stripes",)),
    "eye_patch": Wording("with", ("a patch around one eye", "an eye patch"), ("no patch",)),
    "white_blaze": Wording("with", ("a white blaze", "a white blaze and bib"), ("no blaze",)),
    "fluffy": Wording("adjective", ("fluffy", "long-haired", "furry"), ("short-haired", "smooth")),
    "blue_eyes": Wording("with", ("blue eyes",), ()),
    "big_eyes": Wording("with", ("big eyes", "large eyes"), ("small eyes",)),
    "slit_pupils": Wording("with", ("slit pupils", "vertical pupils"), ("round pupils",)),
    "sleepy": Wording("adjective", ("sleepy", "drowsy", "tired"), ("awake", "alert")),
    "mouth_open": Wording("with", ("an open mouth", "the mouth open"), ("a closed mouth", "the mouth closed")),
    "tongue_out": Wording("with", ("the tongue out", "a hanging tongue"), ("no tongue",)),
    "pink_nose": Wording("with", ("a pink nose",), ("a black nose", "a dark nose")),
    "whiskers": Wording("with", ("whiskers", "long whiskers"), ("no whiskers",)),
    "collar": Wording("with", ("a collar", "a collar and a tag"), ("no collar",)),
    "on_grass": Wording("place", ("on grass", "outdoors", "in a meadow"), ("indoors", "in a room")),
}

NOUNS: tuple[str, ...] = ("pet", "pet", "animal", "creature")

# Attributes whose absence is said with words of its own in prompts.
_OPPOSITES = ("pointed_ears", "long_snout", "big_eyes", "slit_pupils", "mouth_open", "pink_nose")
_COLOR_WORDS = {f"{color}_fur": (color,) for color in ("black", "white", "brown")} | {
    "ginger_fur": ("ginger", "orange"),
    "gray_fur": ("gray", "grey"),
}


def prompt(attribute: str) -> str:
    """The attribute's default prompt: "a pet with a collar", "a fluffy pet", "a dog"."""
    return _phrase(attribute, present=True)


def zero_shot_prompts(attribute: str) -> tuple[str, str]:
    """(positive, negative): what a zero-shot classifier compares: ("a dog", "a cat")."""
    return _phrase(attribute, present=True), _phrase(attribute, present=False)


def _phrase(attribute: str, *, present: bool) -> str:
    TRUTH.check(attribute)
    wording = ATTRIBUTE_PHRASES[attribute]
    words = wording.present if present else wording.absent
    match wording.kind:
        case "noun":
            return with_article(words[0])
        case "adjective":
            return with_article(f"{words[0]} pet")
        case "place":
            return f"a pet {words[0]}"
    if present or attribute in _OPPOSITES:
        return f"a pet with {words[0]}"
    return f"a pet without {wording.present[0]}"


def vocabulary() -> list[str]:
    """All words that a caption can hold, sorted."""
    spoken = [*NOUNS, *TEMPLATES, "a an who has with without and or"]
    spoken += [word for words in _COLOR_WORDS.values() for word in words]
    spoken += [words for wording in ATTRIBUTE_PHRASES.values() for words in (*wording.present, *wording.absent)]
    return sorted({word for text in spoken for word in words_of(text)})


def captions(parameters: Parameters, seed: int, *, templates: Sequence[str] = TEMPLATES, most: int = 4) -> list[str]:
    """One true caption per pet: up to `most` of its attributes in varied words, sometimes none ("a pet").

    Only attributes whose |margin| is at least 0.1 are spoken of. Deterministic in `seed`.
    """
    table = margins(parameters)
    return true_captions({name: table[name] for name in ATTRIBUTES}, draw_caption, seed, templates, most)


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """One true caption for a pet with the margins `row`, and the attributes that it claims (present or not)."""
    chosen = draw_claims(row, rng, most)
    return pick(rng, templates).format(_sentence(chosen, rng)), chosen


def _sentence(chosen: Mapping[str, bool], rng: np.random.Generator) -> str:
    noun, place = pick(rng, NOUNS), ""
    adjectives: list[str] = []
    have: list[str] = []
    lack: list[str] = []
    for name, is_present in chosen.items():
        wording = ATTRIBUTE_PHRASES[name]
        words = wording.present if is_present else wording.absent
        if wording.kind == "noun":
            noun = pick(rng, words)
        elif wording.kind == "adjective":
            adjectives.append(pick(rng, words))
        elif wording.kind == "place":
            place = f" {pick(rng, words)}"
        elif is_present and name in _COLOR_WORDS and rng.random() < 0.4:
            adjectives.append(pick(rng, _COLOR_WORDS[name]))
        elif is_present or (words and rng.random() < 0.6):
            have.append(pick(rng, words))
        else:
            lack.append(pick(rng, wording.present))
    rng.shuffle(adjectives)
    rng.shuffle(have)
    sentence = with_article(" ".join([*adjectives, noun]))
    if have:
        sentence += f" {'who has' if rng.random() < 0.1 else 'with'} {listed(have, 'and')}"
    if lack:
        sentence += f" {'and ' if have else ''}without {listed(lack, 'or')}"
    return sentence + place
