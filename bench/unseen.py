"""``python bench/unseen.py --out FOLDER --json OUT``: do verdicts and power hold on targets that nothing was chosen on?

Twelve targets of a family of their own: residual networks with group normalisation that read pictures at a quarter of
their size, where every shipped one is a plain convolutional network; trained here, on renders alone, to decide
attributes that no shipped target decides (`RECIPES`), a third of them on untied data and the others with a bias, strong
or weak. Each is audited with the defaults on attributes of its domain but its own, once with labels and once without,
these at the ends of ranges alone: what is judged lies there where no label is asked. True effects are measured on other
renders with and without each attribute.

- ``verdicts``: of the pairs of target and attribute, by their true effect, how many have which, and how many are
  sensitive and specific.
- ``negligible_from_0.07``: how many pairs of a true effect of 0.07 and more are called negligible.
- ``power``: of the pairs whose true effect is about each size (`NEAR`), how many the audits said they would find
  sensitive, and how many they did.

``--untrained`` audits ten networks of the family with random weights instead, whose answers are spread as a trained
one's are: how many attributes are sensitive, how many of these specific, and how far random edits move such a network.

FOLDER keeps renders, weights and audits: what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
from calls import size_of
from kept_audits import ENDS, kept_audit, seeds_of
from torch import Tensor, nn
from torch.nn import functional as F

from lab.avatars.evaluate import EVALUATION as AVATARS
from lab.evaluation import Evaluation
from lab.pets.evaluate import EVALUATION as PETS
from lab.pictures import predict
from lab.training.renders import Renders, renders
from lab.training.targets import PLANTED, Cells, Pool, accuracy, train_one
from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.statistics.power import SIZES
from zoom_engine.statistics.table import verdict_in_words
from zoom_engine.targets import BinaryTask, Preprocessing, Target

EVALUATIONS: Mapping[str, Evaluation] = {"avatars": AVATARS, "pets": PETS}
NOT_NEGLIGIBLE = 0.07
NEAR = 2**0.5  # times more or less
TRUTH_ON = 300  # renders
POOL, POOL_SEED, HELD_OUT = 8000, 41, 1000
STEPS = 500
STRONG, WEAK = PLANTED, 0.75  # how often a biased target's label agrees with the planted attribute as it is trained
UNTRAINED, SPREAD = 10, 2.0  # networks with random weights, and the standard deviation of their logits on renders
LABELS = ("labels", "no labels")


@dataclass(frozen=True)
class Recipe:
    """What a target decides, what is planted into it, if anything, and how often that agrees with the label."""

    domain: str
    attribute: str
    planted: str | None = None
    tie: float = 0.5

    @property
    def read(self) -> tuple[str, ...]:
        """The attributes that a target may read."""
        return (self.attribute, self.planted) if self.planted else (self.attribute,)

    @property
    def name(self) -> str:
        return f"{self.domain}:{self.attribute}" + (f"-biased-{self.planted}" if self.planted else "")


RECIPES = (
    Recipe("avatars", "bangs"),
    Recipe("avatars", "bangs", "eyeglasses", STRONG),
    Recipe("avatars", "bangs", "old", WEAK),
    Recipe("avatars", "mouth_open"),
    Recipe("avatars", "mouth_open", "beard", STRONG),
    Recipe("avatars", "mouth_open", "long_hair", WEAK),
    Recipe("pets", "stripes"),
    Recipe("pets", "stripes", "collar", STRONG),
    Recipe("pets", "stripes", "fluffy", WEAK),
    Recipe("pets", "mouth_open"),
    Recipe("pets", "mouth_open", "on_grass", STRONG),
    Recipe("pets", "mouth_open", "pink_nose", WEAK),
)
UNTIED = {
    name: tuple(sorted({attribute for recipe in RECIPES if recipe.domain == name for attribute in recipe.read}))
    for name in EVALUATIONS
}


class Block(nn.Module):
    """``x`` and what two normalised convolutions add to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = convolution(F.gelu(norm(y)))
        return x + y


class Residual(nn.Module):
    """``[B, 3, 128, 128]`` in [-1, 1] → a logit ``[B, 1]``."""

    def __init__(self, widths: Sequence[int] = (24, 48, 64)) -> None:
        super().__init__()
        first, *rest = widths
        layers: list[nn.Module] = [nn.Conv2d(3, first, 4, stride=4), Block(first)]
        for narrow, wide in zip(widths, rest, strict=False):
            layers += [nn.Conv2d(narrow, wide, 2, stride=2), Block(wide)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(2 * widths[-1])
        self.head = nn.Linear(2 * widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):  # bf16 is no faster for maps as small as these
            maps = self.layers(x).flatten(2)
            logits: Tensor = self.head(self.norm(torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)))
        return logits


def target_of(network: nn.Module, name: str, domain: str, attribute: str) -> Target:
    """A network as a target that decides the attribute ``attribute``."""
    present, absent = EVALUATIONS[domain].subject.zero_shot_prompts(attribute)
    return Target(
        network.eval(),
        name=name,
        task=BinaryTask(classes=(absent, present)),
        preprocessing=Preprocessing(size=128, value_range=(-1.0, 1.0)),
        labels=(absent, present),
    )


@cache
def pool(domain: str, work: Path) -> Renders[Any]:
    """Renders in which what is decided and planted was set by chance, each on its own."""
    chosen = Pool(EVALUATIONS[domain].subject, UNTIED[domain], POOL_SEED, POOL, HELD_OUT)
    return renders(chosen.subject, work, chosen.size, chosen.seed, change=chosen.untie, name=f"unseen-{domain}")


def trained(recipe: Recipe, number: int, work: Path) -> tuple[Target, float]:
    """The target of a recipe, fitted or read, and its accuracy on renders that it was not fitted on."""
    data = pool(recipe.domain, work)
    table = EVALUATIONS[recipe.domain].subject.truth.labels(data.parameters)
    cells = Cells(table, np.arange(HELD_OUT, POOL), attribute=recipe.attribute, planted=recipe.planted, tie=recipe.tie)
    name = f"unseen-{recipe.name.replace(':', '-')}"
    network = train_one(name, cells, data, POOL_SEED + number, work, STEPS, make=Residual)
    reached = accuracy(network, data, np.arange(HELD_OUT), table[recipe.attribute][:HELD_OUT])
    return target_of(network, recipe.name, recipe.domain, recipe.attribute), reached


@torch.no_grad()
def untrained(number: int, work: Path) -> tuple[str, Target]:
    """The domain and the ``number``-th network with random weights, its logits spread on renders as `SPREAD` says."""
    domain = tuple(EVALUATIONS)[number % len(EVALUATIONS)]
    torch.manual_seed(number)
    network = Residual()
    logits = predict(network, torch.from_numpy(pool(domain, work).images[:HELD_OUT]))[:, 0]
    scale = SPREAD / logits.std()
    network.head.bias.copy_(scale * (network.head.bias - logits.mean()))
    network.head.weight.mul_(scale)
    return domain, target_of(network, f"{domain}:untrained-{number}", domain, "mouth_open")


def prompts(domain: str, attribute: str | None) -> dict[str, str]:
    """Of the attributes of a domain's default audit, but its own, the prompt: name in the truth → text."""
    subject = EVALUATIONS[domain].subject
    known = {subject.prompt(name): name for name in subject.truth.attributes}
    return {known[text]: text for text in EVALUATIONS[domain].domain.attributes if known[text] != attribute}


def audit(
    domain: str, attribute: str | None, target: Target, way: str, seed: int, given: argparse.Namespace
) -> Diagnosis:
    """The audit of one target on one seed's images, made or read."""
    options: dict[str, Any] = {"generator": domain, "target": target, "progress": forced}
    options["attributes"] = list(prompts(domain, attribute).values())
    if way != "labels":
        options |= {"labels": (), "search_options": ENDS}
    path = given.out / f"{target.name.replace(':', '-')}-{way.replace(' ', '-')}-{seed}"
    return kept_audit(path, lambda: Diagnoser(**options), images=given.images, seed=seed)


def told(diagnosis: Diagnosis, domain: str, attribute: str | None, truth: Mapping[str, float]) -> dict[str, Any]:
    """What an audit says, and the truth beside it."""
    summary = diagnosis.summary()
    names = {text: name for name, text in prompts(domain, attribute).items()}
    rows = {}
    for row in summary.sensitivity:
        name = names[row.attribute.text]
        rows[name] = {
            "true": truth[name],
            "value": None if row.value is None else round(row.value, 4),
            "interval": row.interval and [round(end, 4) for end in row.interval],
            "verdict": row.verdict,
            "words": verdict_in_words(row),
            "specific": row.is_specific,
        }
    power = summary.power
    return {
        "random_mean": summary.baseline and round(summary.baseline.mean_change, 4),
        "power": dict(power.sensitive) if power else {},
        "detectable": power and power.detectable,
        "pictures": diagnosis.config.images,
        "attributes": rows,
    }


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of audits, with labels and without."""
    figures: dict[str, Any] = {}
    for way in sorted({key.rpartition("@")[0].rpartition(" | ")[2] for key in runs}):
        of_way = [run for key, run in runs.items() if key.rpartition("@")[0].endswith(f" | {way}")]
        pairs = [row for run in of_way for row in run["attributes"].values()]
        with_interval = [(row, row["interval"]) for row in pairs if row["interval"]]
        verdicts: dict[str, Counter[str]] = {}
        for row in pairs:
            counts = verdicts.setdefault(size_of(row["true"]), Counter())
            counts["pairs"] += 1
            counts[row["verdict"]] += 1
            counts["sensitive and specific"] += bool(row["specific"])
        figures[way] = {
            "audits": len(of_way),
            "verdicts": {size: dict(counts) for size, counts in sorted(verdicts.items())},
            f"negligible_from_{NOT_NEGLIGIBLE:g}": sum(
                row["verdict"] == "negligible" and row["true"] >= NOT_NEGLIGIBLE for row in pairs
            ),
            "inside": round(float(np.mean([low <= row["true"] <= high for row, (low, high) in with_interval])), 4),
            "correlation": round(
                float(np.corrcoef([[row["true"], row["value"]] for row in pairs], rowvar=False)[0, 1]), 4
            ),
            "power": {f"{size:g}": power_at(size, of_way) for size in SIZES},
        }
    return figures


def power_at(size: float, audits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of pairs whose true effect is about ``size``, how many audits said they would find sensitive, between the sizes
    of which they speak by their logarithm, and how many they did."""
    predicted, observed = [], []
    for run in (run for run in audits if run["power"]):
        sizes, shares = zip(*((float(at), share) for at, share in run["power"].items()), strict=True)
        for row in run["attributes"].values():
            if size / NEAR <= row["true"] < size * NEAR:
                predicted.append(np.interp(np.log(row["true"]), np.log(sizes), shares))
                observed.append(row["verdict"] == "sensitive")
    means = [round(float(np.mean(values)), 4) if values else None for values in (predicted, observed)]
    return {"pairs": len(observed), **dict(zip(("predicted", "observed"), means, strict=True))}


def audits(given: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """What every audit says, one by one."""
    targets: list[tuple[str, str | None, Target]] = []
    about: dict[str, dict[str, float]] = {}
    if given.untrained:
        targets = [(domain, None, target) for domain, target in (untrained(n, given.out) for n in range(UNTRAINED))]
    else:
        for number, recipe in enumerate(RECIPES):
            target, accuracy = trained(recipe, number, given.out)
            targets.append((recipe.domain, recipe.attribute, target))
            about[target.name] = {"untied_accuracy": accuracy}
            print(target.name, accuracy, flush=True)
    truth = true_effects(targets, given.out)
    for seed in seeds_of(given.seeds):
        for domain, attribute, target in targets:
            for way in given.ways:
                diagnosis = audit(domain, attribute, target, way, seed, given)
                run = {**about.get(target.name, {}), **told(diagnosis, domain, attribute, truth[target.name])}
                yield f"{target.name} | {way}@{seed}", run


def true_effects(targets: Sequence[tuple[str, str | None, Target]], work: Path) -> dict[str, dict[str, float]]:
    """By target and attribute, on renders."""
    effects_of_all: dict[str, dict[str, float]] = {}
    for domain, evaluation in EVALUATIONS.items():
        of_domain = {target.name: target for name, _, target in targets if name == domain}
        path = (
            work
            / f"effects-{domain}-{'untrained' if any('untrained' in name for name in of_domain) else 'trained'}.json"
        )
        if not path.is_file():
            effects = evaluation.domain.effects_of(of_domain, tuple(prompts(domain, None)), count=TRUTH_ON)
            atomic.write_json(path, effects)
        effects_of_all |= json.loads(path.read_text(encoding="utf-8"))
    return effects_of_all


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/unseen.py", description=__doc__)
    parser.add_argument("--seeds", default="100-102", help="such as 100-102")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--ways", nargs="+", default=list(LABELS), choices=LABELS)
    parser.add_argument("--untrained", action="store_true", help="networks with random weights instead")
    parser.add_argument("--out", type=Path, required=True, help="folder of renders, weights and audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    runs: dict[str, Any] = {}
    for key, run in audits(given):
        runs[key] = run
        if given.json:
            about = {"images": given.images, "true_on": TRUTH_ON, "figures": added_up(runs)}
            atomic.write_json(given.json, {**about, "environment": describe_environment(), "runs": runs})
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
