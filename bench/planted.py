"""``python bench/planted.py --out FOLDER --json OUT``: is a planted bias told from side effects?

Targets are put together from classifiers that were trained on renders, so that nothing of them is made of the text
scores that an audit sees: the probability is a mixture, most of it of the sound eyeglasses classifier, the rest
(`PLANTED`) of networks that see the planted attributes.

- ``beard``, ``mustache``, ``gray_hair``: a bias on an attribute that goes with another in what the generator draws
  (beard and mustache, gray and old). In how many seeds the planted attribute comes first, by mean change and by the
  adjusted one.
- ``two``: smiling and pale skin at once. In how many seeds both are sensitive.

The truth is measured on renders with and without each attribute. Audits that FOLDER holds are gone on with, and not
made again when they are finished.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from kept_audits import kept_audit, seeds_of
from torch import Tensor, nn

from zoom_engine import Diagnoser, Diagnosis, load_target
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.targets import BinaryTask, Target

PLANTED = 0.4
ATTRIBUTES = ("beard", "mustache", "smiling", "bangs", "long_hair", "pale_skin", "old", "gray_hair")
GIVEN: dict[str, tuple[str, ...]] = {
    "beard": ("beard",),
    "mustache": ("mustache",),
    "gray_hair": ("gray_hair",),
    "two": ("smiling", "pale_skin"),
}
"""Of each target the attributes that are planted."""
TRUTH_ON = 300  # renders


class Mixture(nn.Module):
    """The log-odds of a mixture of probabilities: each network's, read at one of its outputs, by its share."""

    def __init__(self, parts: Sequence[tuple[nn.Module, int, bool, float]]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(network for network, *_ in parts)
        self.reads = [tuple(rest) for _, *rest in parts]

    def forward(self, x: Tensor) -> Tensor:
        probability = x.new_zeros(len(x))
        for network, (output, among, weight) in zip(self.networks, self.reads, strict=True):
            logits = network(x)
            probability = probability + weight * (logits.softmax(dim=1) if among else logits.sigmoid())[:, output]
        return torch.logit(probability.clamp(1e-6, 1 - 1e-6))[:, None]


def target_of(name: str) -> Target:
    """The target of that name: a part sees eyeglasses, the rest what is planted."""
    sound = load_target("avatars:eyeglasses")
    weight = PLANTED / len(GIVEN[name])
    parts = [(sound.network, 0, False, 1 - PLANTED), *(seeing(planted, weight) for planted in GIVEN[name])]
    return Target(
        Mixture(parts),
        name=f"eyeglasses and {' and '.join(GIVEN[name])}",
        task=BinaryTask(classes=(sound.classes[0], sound.classes[1])),
        preprocessing=sound.preprocessing,
        labels=sound.labels,
    )


def seeing(attribute: str, weight: float) -> tuple[nn.Module, int, bool, float]:
    """A network trained on renders that sees an attribute, the output that says so, and whether it is one of several
    classes."""
    among = attribute == "gray_hair"
    target = load_target(f"avatars:{'hair-color' if among else 'attributes'}")
    (output,) = (place for place, told in enumerate(target.classes) if attribute.startswith(told.replace(" ", "_")))
    return target.network, output, among, weight


def audit(name: str, seed: int, images: int, out: Path) -> Diagnosis:
    """The audit of one target on one seed's images, made or read."""
    attributes = [prompt(attribute) for attribute in ATTRIBUTES]

    def diagnoser() -> Diagnoser:
        return Diagnoser(generator="avatars", target=target_of(name), attributes=attributes, progress=forced)

    return kept_audit(out / f"{name}-{seed}", diagnoser, images=images, seed=seed)


def told(name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """What an audit says of what was planted."""
    names = {prompt(attribute): attribute for attribute in ATTRIBUTES}
    rows = {names[row.attribute.text]: row for row in diagnosis.sensitivity}
    planted = GIVEN[name]
    adjusted = {attribute: row.adjusted_mean_change or 0.0 for attribute, row in rows.items()}
    changes = {attribute: row.value or 0.0 for attribute, row in rows.items()}
    return {
        "sensitive": sorted(attribute for attribute, row in rows.items() if row.verdict == "sensitive"),
        "specific": sorted(attribute for attribute, row in rows.items() if row.is_specific),
        "all_sensitive": all(rows[attribute].verdict == "sensitive" for attribute in planted),
        "first": max(changes, key=lambda attribute: changes[attribute]) in planted,
        "first_adjusted": max(adjusted, key=lambda attribute: adjusted[attribute]) in planted,
        "changes": {attribute: round(change, 4) for attribute, change in changes.items()},
        "adjusted": {attribute: round(change, 4) for attribute, change in adjusted.items()},
    }


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Of each target in how many seeds the planted attributes are sensitive, and come first."""
    counts: dict[str, dict[str, int]] = {}
    for key, run in runs.items():
        count = counts.setdefault(
            key.rpartition("@")[0], {"seeds": 0, "all_sensitive": 0, "first": 0, "first_adjusted": 0}
        )
        count["seeds"] += 1
        for name in ("all_sensitive", "first", "first_adjusted"):
            count[name] += bool(run[name])
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/planted.py", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--targets", nargs="+", default=list(GIVEN), choices=list(GIVEN))
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    truth = DOMAIN.true_effects(
        {name: target_of(name) for name in given.targets},
        [prompt(attribute) for attribute in ATTRIBUTES],
        count=TRUTH_ON,
    )
    runs: dict[str, Any] = {}
    for seed in seeds_of(given.seeds):
        for name in given.targets:
            runs[f"{name}@{seed}"] = told(name, audit(name, seed, given.images, given.out))
            if given.json:
                about = {"images": given.images, "planted": PLANTED, "true_effects": truth}
                figures = {**about, "figures": added_up(runs), "environment": describe_environment(), "runs": runs}
                atomic.write_json(given.json, figures)
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
