"""``python bench/pairs.py --json OUT``: are audits of pairs true where the edits are?

Pictures are renders, and edits are made by the renderer, which changes one parameter and nothing else; they are handed
over as a table of pairs, and each classifier of the domain is audited with it. So whatever an audit gets wrong is its
statistics' own. Attributes are set where they are lacking and taken away elsewhere (strengths 1 and -1); beside them
stand edits that should not matter: the shifts of `SHIFTED` parameters, half of them as attributes (`sound`), half as
controls. The truth is the mean change of the output over `TRUTH_ON` other renders.

- ``intervals``: of all pairs of target and attribute, and of the sound ones, the share whose true effect lies within
  the audit's interval, and the share of audits whose intervals are all true (they are meant to hold at once).
- ``verdicts``: by the true effect how many attributes have which verdict.
- ``sound_called_sensitive``: the share of sound attributes that are called sensitive though their true effect is below
  the smallest that matters.
- ``first``: of audits of targets with a planted bias that is among the attributes, in how many it comes first, the
  target's own attribute left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_audits import seeds_of
from numpy.typing import NDArray
from PIL import Image

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import to_images
from zoom_engine.common.machine import describe_environment
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.domains.weights_files import load_network
from zoom_engine.settings.audit_settings import SMALLEST_EFFECT
from zoom_engine.statistics.table import verdict_in_words

ATTRIBUTES = {
    "avatars": ("beard", "mustache", "smiling", "bangs", "long_hair", "pale_skin", "old", "eyeglasses"),
    "pets": ("pointed_ears", "long_snout", "stripes", "white_blaze", "sleepy", "tongue_out", "collar", "on_grass"),
}
SOUND = ("background_tint", "head_x", "tilt", "light_x")
CONTROLS = ("background_lightness", "background_warmth", "head_y", "light_strength")
SHIFT = 0.3  # of a parameter's range
TRUTH_ON, TRUTH_SEED = 1000, 7_000_000
LARGE = 0.1


class Renders:
    """Pictures of a domain, and each edited: by its name, the strength of each row and the pictures."""

    def __init__(self, name: str, count: int, seed: int) -> None:
        subject: Any = find_domain(name).subject  # type: ignore[union-attr]
        self._subject, truth = subject, subject.truth
        latents = np.random.default_rng(seed).standard_normal((count, 64))
        self._parameters = subject.table.from_latents(latents)
        self.unedited = subject.render(self._parameters)
        self._has = truth.labels(self._parameters)
        self.attributes = ATTRIBUTES[name]

    def edited(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        parameters, render = self._parameters, self._subject.render
        if name in self.attributes:
            strengths = np.where(self._has[name], -1, 1)
            values = parameters.values.copy()
            for wanted in (True, False):
                rows = np.flatnonzero((strengths > 0) == wanted)
                values[rows] = self._subject.truth.intervene(parameters[rows], name, wanted).values
            return strengths, render(type(parameters)(values))
        way, _, parameter = name.partition(" ")
        low, high = (ends[parameters.scheme.column(parameter)] for ends in parameters.scheme.bounds)
        shift = SHIFT * (high - low) * (1 if way == "more" else -1)
        return np.ones(len(parameters), dtype=np.int64), render(
            parameters.replace(**{parameter: np.clip(parameters[parameter] + shift, low, high)})
        )


def names_of(parameters: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{way} {parameter}" for parameter in parameters for way in ("less", "more"))


def write_table(folder: Path, renders: Renders) -> Path:
    """The table of the renders' edits; what an edit leaves as it was is no edit."""

    def rows() -> Iterator[tuple[object, ...]]:
        def saved(number: int, name: str, picture: NDArray[np.uint8]) -> str:
            Image.fromarray(picture).save(folder / f"{number}-{name}.png", compress_level=1)
            return f"{number}-{name}.png"

        for number, picture in enumerate(renders.unedited):
            yield f"image {number}", "", 0, saved(number, "unedited", picture), ""
        for name in (*renders.attributes, *names_of(SOUND), *names_of(CONTROLS)):
            kind = "control" if name in names_of(CONTROLS) else "edit"
            for number, (strength, picture) in enumerate(zip(*renders.edited(name), strict=True)):
                if not np.array_equal(picture, renders.unedited[number]):
                    yield f"image {number}", name, strength, saved(number, name, picture), kind

    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "attribute", "strength", "file", "kind"), *rows()])
    return path


@torch.no_grad()
def truth_of(domain: str, targets: Sequence[str], count: int) -> dict[str, dict[str, float]]:
    """The true effects by target and attribute, over other renders than the audits'."""
    renders, loaded = Renders(domain, count, TRUTH_SEED), {name: find_domain(domain).target(name) for name in targets}  # type: ignore[union-attr]

    def outputs(pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        parts = [to_images(pictures[first : first + 64]) for first in range(0, len(pictures), 64)]
        return {
            name: torch.cat([target(part).sigmoid() for part in parts])[:, 0].numpy() for name, target in loaded.items()
        }

    before = outputs(renders.unedited)
    effects: dict[str, dict[str, float]] = {name: {} for name in targets}
    for name in (*renders.attributes, *names_of(SOUND)):
        _, pictures = renders.edited(name)
        moved = (pictures != renders.unedited).any(axis=(1, 2, 3))
        for target, after in outputs(pictures).items():
            effects[target][name] = float(np.abs(after - before[target])[moved].mean())
    return effects


def told(diagnosis: Diagnosis, effects: dict[str, float]) -> list[dict[str, Any]]:
    """What an audit says of each attribute, beside its true effect; the strongest comes first."""
    return [
        {
            "attribute": row.attribute.text,
            "effect": round(effects[row.attribute.text], 4),
            "value": round(row.value or 0.0, 4),
            "interval": [round(end, 4) for end in row.interval or (0.0, 1.0)],
            "verdict": row.verdict,
            "in_words": verdict_in_words(row),
        }
        for row in diagnosis.sensitivity
    ]


def added_up(
    runs: dict[str, list[dict[str, Any]]], planted: dict[str, str | None], decided: dict[str, str]
) -> dict[str, Any]:
    """The figures over all audits, by the truth's names of what each target decides, and what was planted into it."""
    pairs = [row for rows in runs.values() for row in rows]
    sound = [row for row in pairs if row["attribute"] in names_of(SOUND)]

    def within(row: dict[str, Any]) -> bool:
        low, high = row["interval"]
        return bool(low <= row["effect"] <= high)

    verdicts: dict[str, Counter[str]] = {}
    for row in pairs:
        size = (
            f"{LARGE:g} or more"
            if row["effect"] >= LARGE
            else f"below {SMALLEST_EFFECT:g}"
            if row["effect"] < SMALLEST_EFFECT
            else "between"
        )
        verdicts.setdefault(size, Counter())[row["in_words"]] += 1
    small = [row for row in sound if row["effect"] < SMALLEST_EFFECT]
    first = [
        next(row["attribute"] for row in rows if row["attribute"] != decided[target]) == planted[target]
        for key, rows in runs.items()
        if planted[target := key.partition("@")[0]] in {row["attribute"] for row in rows}
    ]
    return {
        "audits": len(runs),
        "pairs": len(pairs),
        "intervals": {
            "all": round(float(np.mean([within(row) for row in pairs])), 4),
            "sound": round(float(np.mean([within(row) for row in sound])), 4),
            "whole_audits": round(float(np.mean([all(map(within, rows)) for rows in runs.values()])), 4),
        },
        "verdicts": {size: dict(counts) for size, counts in sorted(verdicts.items())},
        "sound_called_sensitive": round(float(np.mean([row["verdict"] == "sensitive" for row in small])), 4),
        "sound": len(small),
        "first": [sum(first), len(first)],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/pairs.py", description=__doc__)
    parser.add_argument("--domains", nargs="+", default=list(ATTRIBUTES), choices=list(ATTRIBUTES))
    parser.add_argument("--targets", nargs="+", help="of them, by default all classifiers")
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--truth-on", type=int, default=TRUTH_ON)
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    runs: dict[str, list[dict[str, Any]]] = {}
    planted: dict[str, str | None] = {}
    decided: dict[str, str] = {}
    for name in given.domains:
        domain: Any = find_domain(name)
        targets = [one for one in domain.classifier_names() if given.targets is None or one in given.targets]
        truth = truth_of(name, targets, given.truth_on)
        for target in targets:
            about = load_network(domain.weights / "targets" / f"{target}.safetensors")[1]
            planted[f"{name}:{target}"], decided[f"{name}:{target}"] = about.get("planted"), str(about["outputs"][0])
        for seed in seeds_of(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                table = write_table(Path(folder), Renders(name, given.images, seed))
                for target in targets:
                    diagnosis = Diagnoser(pairs=table, target=f"{name}:{target}").run()
                    runs[f"{name}:{target}@{seed}"] = told(diagnosis, truth[target])
                    figures = added_up(runs, planted, decided)
                    if given.json:
                        about = {"images": given.images, "truth_on": given.truth_on}
                        told_too = {"environment": describe_environment(), "runs": runs}
                        atomic.write_json(given.json, {**figures, **about, **told_too})
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
