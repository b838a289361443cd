"""``python bench/prompts.py --domain avatars --json OUT``: what denials and compounds in prompts do, on one of the
embedded domains. OUT keeps what was measured of the other.

Each prompt gets an edit direction and a calibrated range as in an audit; ``effect`` is how far the domain's probe sees
the attribute move from the range's lower end to its upper (mean difference of probabilities over `IMAGES` generated
pictures). Of a denial: its effect, that of the same prompt without it, and ``cosine``, that of their Δt, by which
`directions.denials` tells those that lead the wrong way. Of a compound: of each part the effect that the compound has
on it, as a share of the part's own, with the cosines of their Δt (``cosine``) and of their edits (``edits_cosine``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
import torch.nn.functional as F

from lab.pictures import predict
from zoom_engine.common.files import atomic
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.directions import calibrate_range, find_directions, text_directions
from zoom_engine.directions.denials import LARGEST, affirmed
from zoom_engine.directions.relevance import Sampling, inverse_std
from zoom_engine.directions.unedited import SAMPLES

IMAGES = 32
SIDE = 8  # images of a side that calibrate a range: the effect needs its order of size
SEED = 123

DENIALS: dict[str, dict[str, str]] = {  # denial: attribute; every second one set the bound
    "avatars": {
        "a face that is not smiling": "smiling",
        "a face not smiling": "smiling",
        "a face without eyeglasses": "eyeglasses",
        "a face with no mustache": "mustache",
        "a face without a smile": "smiling",
        "a face that is not angry": "angry",
        "a face that is not old": "old",
        "a face without bangs": "bangs",
        "a face that is not bald": "bald",
        "a face that is not a man": "male",
        "a face with no beard": "beard",
        "a face without an open mouth": "mouth_open",
    },
    "pets": {
        "a pet without a collar": "collar",
        "a pet with no whiskers": "whiskers",
        "a pet with no stripes": "stripes",
        "a pet without black fur": "black_fur",
        "a pet without pointed ears": "pointed_ears",
        "a pet without blue eyes": "blue_eyes",
    },
}
COMPOUNDS: dict[str, dict[str, dict[str, str]]] = {  # compound: part: attribute
    "avatars": {
        "a face with eyeglasses and a beard": {"a face with eyeglasses": "eyeglasses", "a face with a beard": "beard"},
        "a smiling old face with a beard": {
            "a smiling face": "smiling",
            "an old face": "old",
            "a face with a beard": "beard",
        },
        "a face with bangs and lipstick": {"a face with bangs": "bangs", "a face with lipstick": "lipstick"},
        "a smiling face with eyeglasses": {"a smiling face": "smiling", "a face with eyeglasses": "eyeglasses"},
        "a face with black hair and pale skin": {
            "a face with black hair": "black_hair",
            "a face with pale skin": "pale_skin",
        },
    },
    "pets": {
        "a pet with a collar and blue eyes": {"a pet with a collar": "collar", "a pet with blue eyes": "blue_eyes"},
        "a fluffy pet with a collar": {"a fluffy pet": "fluffy", "a pet with a collar": "collar"},
        "a pet with stripes and pointed ears": {
            "a pet with stripes": "stripes",
            "a pet with pointed ears": "pointed_ears",
        },
        "a pet with ginger fur and an open mouth": {
            "a pet with ginger fur": "ginger_fur",
            "a pet with an open mouth": "mouth_open",
        },
    },
}


@torch.no_grad()
def measure(domain: str) -> dict[str, Any]:
    """All figures of one domain, JSON-ready."""
    evaluation = import_module(f"lab.{domain}.evaluate").EVALUATION
    encoder, generator = evaluation.text_encoder(), evaluation.domain.generator()
    drawn = evaluation.domain.synthesizer()
    neutral, attributes = evaluation.domain.neutral, evaluation.subject.truth.attributes
    plain = {prompt: affirmed(prompt) or prompt for prompt in DENIALS[domain]}
    parts = [part for compound in COMPOUNDS[domain].values() for part in compound]
    texts = list(dict.fromkeys([*plain, *plain.values(), *COMPOUNDS[domain], *parts]))
    made: dict[str, Any] = {"synthesizer": drawn, "cache": default_cache(), "progress": forced}
    directions = find_directions(generator, encoder, texts, neutral=neutral, level=1.0, **made)
    sampling = Sampling(SAMPLES, **made)
    bounds = calibrate_range(generator, encoder, directions, side_images=SIDE, sampling=sampling).bounds
    along = text_directions(encoder, texts, neutral=neutral)
    std = Sampling(2048, synthesizer=drawn, cache=default_cache()).statistics(generator).std
    edits = F.normalize(directions.matrix * inverse_std(std, generator.space.fixed_mask()).float(), dim=1)
    styles, _ = evaluation.generated(IMAGES, SEED)
    judge = evaluation.probe()
    moved = np.zeros((len(texts), len(attributes)))
    for row in forced(range(len(texts)), "Editing", unit="prompt"):
        low, high = (
            predict(judge, evaluation.drawn(styles, bounds[row, end].expand(IMAGES), directions.matrix[row])).sigmoid()
            for end in (0, 1)
        )
        moved[row] = (high - low).mean(0).numpy()

    def effect(text: str, attribute: str) -> float:
        return round(float(moved[texts.index(text), attributes.index(attribute)]), 4)

    def cosine(vectors: torch.Tensor, one: str, other: str) -> float:
        return round(float(vectors[texts.index(one)] @ vectors[texts.index(other)]), 4)

    return {
        "denials": [
            {
                "prompt": prompt,
                "affirmed": plain[prompt],
                "set_the_bound": number % 2 == 0,
                "cosine": cosine(along, prompt, plain[prompt]),
                "effect": effect(prompt, attribute),
                "affirmed_effect": effect(plain[prompt], attribute),
            }
            for number, (prompt, attribute) in enumerate(DENIALS[domain].items())
        ],
        "compounds": [
            {
                "prompt": compound,
                "part": part,
                "cosine": cosine(along, compound, part),
                "edits_cosine": cosine(edits, compound, part),
                "share": round(effect(compound, attribute) / effect(part, attribute), 4),
            }
            for compound, of in COMPOUNDS[domain].items()
            for part, attribute in of.items()
        ],
    }


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """How often the bound tells rightly, and how far cosines say what a compound leaves of its parts."""
    denials, compounds = figures["denials"], figures["compounds"]
    right = {
        half: [(row["cosine"] > LARGEST) == (row["effect"] > 0) for row in denials if row["set_the_bound"] == which]
        for half, which in (("set_the_bound", True), ("held_out", False))
    }
    shares = [row["share"] for row in compounds]
    return {
        "bound": LARGEST,
        "told_rightly": {half: [sum(rows), len(rows)] for half, rows in right.items()},
        "parts": len(compounds),
        "share_of_parts": {"mean": round(float(np.mean(shares)), 4), "least": min(shares)},
        "pearson_with_share": {
            name: round(float(np.corrcoef(shares, [row[name] for row in compounds])[0, 1]), 4)
            for name in ("cosine", "edits_cosine")
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", choices=tuple(DENIALS), required=True)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args(arguments)
    stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
    figures = measure(given.domain)
    document = {"summary": summary(figures), **figures, "environment": describe_environment()}
    atomic.write_json(given.json, {**stored, given.domain: document})
    print(json.dumps(document["summary"], indent=2))


if __name__ == "__main__":
    main()
