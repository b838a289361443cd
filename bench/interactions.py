"""``python bench/interactions.py --out FOLDER --json OUT``: is an effect on some images told from one on all?

Targets are mixtures of classifiers that were trained on renders, as in `planted`: most of the probability is that of
the sound eyeglasses classifier, the rest (`PLANTED`) is planted.

- ``gated``: smiling counts on dark skin alone; elsewhere the planted part stands still. How dark the skin is a ridge
  regression says, from a picture's colours at 8 × 8 places, fitted on renders.
- ``smiling``, ``beard``: twins in which it counts on every skin.

Each is audited with ``by`` "a face with dark skin", at the ends of its attributes' ranges alone and without random
directions and labels: they have no part in what is told apart here, and take most of an audit's time. In how many seeds
the audit finds that smiling moves the gated target further there, and in how many twins it finds any difference. True
effects are measured on renders of dark skin and of others. Audits that FOLDER holds are not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_audits import read_audit, seeds_of
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine import Diagnosers, Diagnosis, load_target
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.domains.avatars.attributes import TRUTH
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.subject import EFFECT_SEED
from zoom_engine.targets import BinaryTask, Target

PLANTED = 0.4
BY = "dark_skin"
ATTRIBUTES = ("smiling", "beard", "bangs")
OPTIONS: dict[str, Any] = {
    "attributes": [prompt(name) for name in ATTRIBUTES],
    "by": [prompt(BY)],
    "labels": (),
    "random_directions": 0,
    "search_options": {"points": 2, "outer_points": 2, "tolerance": None},
}
TWINS = ("smiling", "beard")
TARGETS = ("gated", *TWINS)
FIGURES = ("seeds", "compared", "as_planted", "any", "p_below_5_percent")
TRUTH_ON = 300  # renders
FITTED_ON, FIT_SEED = 600, 9700
GRID, RIDGE, STEEP = 8, 0.1, 20.0


class Darkness(nn.Module):
    """How dark the skin of pictures ``[B, 3, H, W]`` is, in [0, 1] with ½ where truth draws the line."""

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        images, parameters = DOMAIN.subject.sample(FITTED_ON, FIT_SEED)
        read = self.colours(to_float(torch.from_numpy(images))).double()
        margin = torch.from_numpy(np.asarray(TRUTH.margins(parameters)[BY])).double()
        weights = torch.linalg.solve(read.T @ read + RIDGE * torch.eye(read.shape[1]), read.T @ margin)
        self.register_buffer("weights", weights.float())

    @staticmethod
    def colours(x: Tensor) -> Tensor:
        """Mean colours at `GRID` × `GRID` places and a one ``[B, C]``."""
        return F.pad(F.adaptive_avg_pool2d(x, GRID).flatten(1), (0, 1), value=1.0)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(STEEP * (self.colours(x) @ self.weights))


class Planted(nn.Module):
    """The log-odds of a mixture: a sound network's probability, and that of ``seeing`` at its output ``read``, which
    counts as far as the ``gate`` is open; None: on every picture."""

    def __init__(self, sound: nn.Module, seeing: nn.Module, read: int, gate: nn.Module | None) -> None:
        super().__init__()
        self.sound, self.seeing, self.read, self.gate = sound, seeing, read, gate

    def forward(self, x: Tensor) -> Tensor:
        planted = self.seeing(x).sigmoid()[:, self.read]
        if self.gate is not None:
            planted = 0.5 + self.gate(x) * (planted - 0.5)
        probability = (1 - PLANTED) * self.sound(x).sigmoid()[:, 0] + PLANTED * planted
        return torch.logit(probability.clamp(1e-6, 1 - 1e-6))[:, None]


def target_of(name: str) -> Target:
    """The target of that name."""
    sound, seeing = load_target("avatars:eyeglasses"), load_target("avatars:attributes")
    gated = name == "gated"
    read = list(seeing.classes).index("smiling" if gated else name)
    return Target(
        Planted(sound.network, seeing.network, read, Darkness() if gated else None),
        name=f"eyeglasses and {'smiling on dark skin' if gated else name}",
        task=BinaryTask(classes=(sound.classes[0], sound.classes[1])),
        preprocessing=sound.preprocessing,
        labels=sound.labels,
    )


def audits(names: Sequence[str], seeds: Iterable[int], images: int, out: Path) -> Iterator[tuple[str, int, Diagnosis]]:
    """The audits of the named targets on each seed's images, those of a seed made together, or read."""
    made: Diagnosers | None = None
    for seed in seeds:
        folders = {name: out / str(seed) / name for name in names}
        if not all((folder / SUMMARY).is_file() for folder in folders.values()):
            if made is None:
                targets = {name: target_of(name) for name in names}
                made = Diagnosers(generator="avatars", target=targets, **OPTIONS, progress=forced)
            for name, diagnosis in made.run(images=images, seed=seed).items():
                diagnosis.save(folders[name])
        for name, folder in folders.items():
            yield name, seed, read_audit(folder, images=images, seed=seed)


def told(diagnosis: Diagnosis) -> dict[str, Any]:
    """What an audit says of how far dark skin and other skin differ, by attribute."""
    names = {prompt(attribute): attribute for attribute in ATTRIBUTES}
    differences = {}
    for row in diagnosis.sensitivity:
        (one,) = row.differences
        means = {group.group: rounded(group.mean_change) for group in row.groups if group.by == one.by}
        differences[names[row.attribute.text]] = {
            **means,
            "images": [one.has, one.lacks],
            "difference": rounded(one.difference),
            "ci95": one.ci95 and [rounded(end) for end in one.ci95],
            "p_adjusted": rounded(one.p_adjusted),
            "found": one.differs,
        }
    return differences


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def added_up(runs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, int]]:
    """Of each target in how many of its seeds groups were large enough, what is planted is found and nothing else, and
    anything is; and in how many some p-value alone is below 5 %."""
    figures: dict[str, dict[str, int]] = {}
    for key, run in runs.items():
        counts = figures.setdefault(key.partition("@")[0], dict.fromkeys(FIGURES, 0))
        differences = {name: one["difference"] for name, one in run.items() if one["found"]}
        p_values = [one["p_adjusted"] for one in run.values() if one["p_adjusted"] is not None]
        counts["seeds"] += 1
        counts["compared"] += bool(p_values)
        counts["as_planted"] += list(differences) == ["smiling"] and differences["smiling"] > 0
        counts["any"] += bool(differences)
        counts["p_below_5_percent"] += any(p < 0.05 for p in p_values)
    return figures


def true_effects(names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Of targets, by attribute, the mean change by setting it in `TRUTH_ON` renders, of dark skin and of others."""
    targets = {name: target_of(name) for name in names}
    dark = np.asarray(TRUTH.margins(DOMAIN.subject.parameters(TRUTH_ON, EFFECT_SEED))[BY]) > 0
    effects: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for attribute in ATTRIBUTES:
        outputs = DOMAIN.outputs_with_and_without(targets, prompt(attribute), count=TRUTH_ON)
        for name, (with_it, without) in outputs.items():
            change = np.abs(with_it - without)
            means = {"has": change[dark].mean(), "lacks": change[~dark].mean()}
            effects[name][attribute] = {group: round(float(mean), 4) for group, mean in means.items()}
    return effects


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/interactions.py", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args(arguments)
    runs = {
        f"{name}@{seed}": told(diagnosis)
        for name, seed, diagnosis in audits(given.targets, seeds_of(given.seeds), given.images, given.out)
    }
    if given.json:
        about = {"images": given.images, "planted": PLANTED, "by": prompt(BY)}
        about |= {"true_effects": true_effects(given.targets), "environment": describe_environment()}
        atomic.write_json(given.json, {**about, "figures": added_up(runs), "runs": runs})
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
