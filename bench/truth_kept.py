"""``python bench/truth_kept.py --out FOLDER --json OUT``: how many decisive flips keep the ground truth?

Every shipped classifier is audited with the defaults. Whether a picture shows the attribute that the target decides is
told, before the edit and after it, by a probe of another kind than any network here: colours at `GRID` × `GRID`
places and histograms of the directions of edges (Dalal and Triggs 2005), compared with those of renders whose truth is
known (ridge regression with a Gaussian kernel). It shares no layer, feature or picture with the targets, the text
encoder and the classifier that the model cards ask.

A probe errs, so its own errors are measured where truth is known, and taken out (Rogan and Gladen 1978): ``accuracy``
on renders; ``on_drawings``: on what the generator draws for codes whose render is known; ``still``: how often it sees a
change of the attribute that a target decides in renders in which nothing but the flipped attribute was set, ``moved``:
and where that attribute itself was. With ``seen``, how often it sees one in flips, ``kept`` is
1 − (seen − still) / (moved − still), cut to [0, 1]. Its interval (95 %) is that of a mean in an audit
(`zoom_engine.statistics.intervals`), over images, as the flips of one image stand or fall together: weights of a
Bayesian bootstrap, and one more image whose flips have all lost the truth, or none. So it has a width where no change
is seen. What is not known of ``still`` and ``moved`` is drawn with it.

Audits that FOLDER holds are not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
from kept_audits import kept_audit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lab.avatars.benchmark import BENCHMARK as AVATARS
from lab.benchmark import Benchmark, before_and_after
from lab.pets.benchmark import BENCHMARK as PETS
from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.records import Record
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.truth import untie

BENCHMARKS: Mapping[str, Benchmark] = {"avatars": AVATARS, "pets": PETS}
FITTED_ON, FIT_SEED = 5000, 9800
TRIED_ON, TRY_SEED = 500, 9801
GRID, ANGLES = 8, 8
RIDGE = 1e-3
DRAWS = 4000


def features(images: NDArray[np.uint8] | Tensor) -> Tensor:
    """Of pictures uint8 ``[n, R, R, 3]``: colours at places, and at each place how strong edges of each direction are,
    of unit length together; float64 ``[n, F]``."""
    parts = []
    for part in torch.split(torch.as_tensor(images), 500):
        x = to_float(part)
        grey = x.mean(dim=1, keepdim=True)
        across, down = grey.diff(dim=3)[..., :-1, :], grey.diff(dim=2)[..., :-1]
        strength = (across.square() + down.square()).sqrt()
        angle = (torch.atan2(down, across) / torch.pi * ANGLES).remainder(ANGLES)  # an edge and its opposite are one
        bins = F.relu(
            1 - torch.stack([(angle - k + ANGLES / 2).remainder(ANGLES) - ANGLES / 2 for k in range(ANGLES)]).abs()
        )
        edges = F.adaptive_avg_pool2d((bins * strength)[:, :, 0].transpose(0, 1), 2 * GRID).flatten(1)
        edges = F.normalize(edges.clamp(min=0).sqrt(), dim=1)
        parts.append(torch.cat([F.adaptive_avg_pool2d(x, GRID).flatten(1) / GRID, edges], dim=1).double())
    return torch.cat(parts)


@dataclass(frozen=True)
class Probe:
    """Says of pictures whether they show each of some attributes."""

    seen: Tensor
    width: float
    weights: Tensor

    @classmethod
    def fitted(cls, images: NDArray[np.uint8], truth: NDArray[np.bool_]) -> Probe:
        """From renders and their truth ``[n, A]``."""
        seen = features(images)
        squared = torch.cdist(seen, seen).square()
        width = float(squared.median())
        kernel = torch.exp(-squared / width)
        kernel.diagonal().add_(RIDGE * len(seen))
        return cls(seen, width, torch.linalg.solve(kernel, 2 * torch.from_numpy(truth).double() - 1))

    def __call__(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.bool_]:
        """Whether pictures ``[n, R, R, 3]`` show each attribute, ``[n, A]``."""
        kernel = torch.exp(-torch.cdist(features(images), self.seen).square() / self.width)
        classes: NDArray[np.bool_] = (kernel @ self.weights > 0).numpy()
        return classes


@dataclass(frozen=True)
class Judge:
    """A probe of the attributes ``owns`` of a domain, and what is known of it: the shares of renders and drawings in
    which it is right, how often it sees a change where an attribute was set, and by the attribute set instead."""

    benchmark: Benchmark
    owns: tuple[str, ...]
    probe: Probe
    accuracy: dict[str, float]
    on_drawings: dict[str, float]
    moved: dict[str, float]
    still: dict[str, dict[str, float]]


@cache
def judge_of(domain: str) -> Judge:
    """The probe of what the classifiers of a domain decide, fitted on renders in which that was set by chance."""
    benchmark = BENCHMARKS[domain]
    evaluation, subject = benchmark.evaluation, benchmark.evaluation.subject
    owns = tuple(
        sorted({str(target.attribute) for target in benchmark.targets.values() if target.attribute is not None})
    )

    def seen_of(parameters: Any) -> NDArray[np.bool_]:
        table = subject.truth.labels(parameters)
        return np.stack([table[name] for name in owns], axis=1)

    def renders(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        z = np.random.default_rng(seed).standard_normal((count, LATENT_DIM))
        parameters = untie(subject.truth, subject.table.from_latents(z), owns, seed=seed)
        return subject.render(parameters), seen_of(parameters)

    probe = Probe.fitted(*renders(FITTED_ON, FIT_SEED))
    images, truth = renders(TRIED_ON, TRY_SEED)
    twins, drawn = evaluation.drawn_twins(TRIED_ON)
    drawn_truth = seen_of(twins)
    parameters = subject.parameters(TRIED_ON, TRY_SEED)

    def changes(attribute: str) -> NDArray[np.float64]:
        """How often each of ``owns`` is seen to change where an attribute was set."""
        pair = [probe(subject.render(subject.truth.intervene(parameters, attribute, value))) for value in (True, False)]
        rates: NDArray[np.float64] = (pair[0] != pair[1]).mean(axis=0)
        return rates

    by_attribute = {
        name: changes(name) for name in forced([*benchmark.attributes], "Trying the probe", unit="attribute")
    }
    changes_of = {name: changes(name)[place] for place, name in enumerate(owns)}

    def right(pictures: NDArray[np.uint8] | Tensor, shown: NDArray[np.bool_]) -> dict[str, float]:
        return rounded(dict(zip(owns, (probe(pictures) == shown).mean(axis=0), strict=True)))

    def rounded(values: Mapping[str, float]) -> dict[str, float]:
        return {name: round(float(value), 4) for name, value in values.items()}

    return Judge(
        benchmark,
        owns,
        probe,
        right(images, truth),
        right(drawn, drawn_truth),
        rounded(changes_of),
        {name: rounded({a: row[place] for a, row in by_attribute.items()}) for place, name in enumerate(owns)},
    )


def audit(domain: str, name: str, seed: int, images: int, out: Path) -> tuple[Diagnoser, Diagnosis]:
    """The audit of one classifier, made or read, and what made it."""
    benchmark = BENCHMARKS[domain]
    attributes = [
        text for attribute, text in benchmark.attributes.items() if attribute != benchmark.targets[name].attribute
    ]
    diagnoser = Diagnoser(generator=domain, target=f"{domain}:{name}", attributes=attributes, progress=forced)
    return diagnoser, kept_audit(out / f"{domain}-{name}-{seed}", lambda: diagnoser, images=images, seed=seed)


def told(domain: str, name: str, seed: int, images: int, out: Path) -> dict[str, Any]:
    """Of the decisive flips of an audit how many the probe sees keep what the target decides."""
    judge, attribute = judge_of(domain), str(BENCHMARKS[domain].targets[name].attribute)
    diagnoser, diagnosis = audit(domain, name, seed, images, out)
    flips = [
        r for r in diagnosis.records if r.baseline is None and r.attribute is not None and r.flipped and r.decisive
    ]
    names = {text: attribute for attribute, text in judge.benchmark.attributes.items()}
    place = judge.owns.index(attribute)
    seen: list[bool] = []
    for pair in before_and_after(diagnoser, flips):
        before, after = (judge.probe(pictures)[:, place] for pictures in pair)
        seen.extend((before != after).tolist())
    still = [judge.still[attribute][names[str(record.attribute)]] for record in flips]
    moved = [judge.moved[attribute]] * len(flips)
    shown = [f"{domain} {record.image}" for record in flips]
    by_flip = [list(flip) for flip in zip(shown, seen, still, moved, strict=True)]
    return {
        "attribute": attribute,
        "flips": len(flips),
        "by": _by_attribute(flips, seen, names),
        **shares(by_flip),
        "by_flip": by_flip,
    }


def _by_attribute(flips: Sequence[Record], seen: Sequence[bool], names: Mapping[str, str]) -> dict[str, list[int]]:
    """By attribute the number of flips, and of those in which the probe sees the own attribute change."""
    counted: dict[str, list[int]] = {}
    for record, one in zip(flips, seen, strict=True):
        counts = counted.setdefault(names[str(record.attribute)], [0, 0])
        counts[0] += 1
        counts[1] += one
    return counted


def shares(flips: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Of flips, each with its image, whether a change is seen, and the probe's ``still`` and ``moved``: the means of
    both, the share that keeps the truth, the probe's own errors taken out, and its interval; None without flips."""
    if not flips:
        return dict.fromkeys(("seen", "still", "kept", "interval"))
    images = np.array([flip[0] for flip in flips])
    seen, still, moved = (np.array([flip[part] for flip in flips], dtype=np.float64) for part in (1, 2, 3))
    alone = still.mean()
    share = 1 - (seen.mean() - alone) / (moved.mean() - alone)
    return {
        "seen": round(float(seen.mean()), 4),
        "still": round(float(alone), 4),
        "kept": round(float(share.clip(0.0, 1.0)), 4),
        "interval": [round(end, 4) for end in interval(images, seen, still, moved)],
    }


def interval(
    images: NDArray[Any], seen: NDArray[np.float64], still: NDArray[np.float64], moved: NDArray[np.float64]
) -> tuple[float, float]:
    """The 95 % interval of the share of flips that keep the truth, of flips ``[n]`` as `shares` takes them."""
    random = np.random.default_rng(0)
    names, image = np.unique(images, return_inverse=True)
    weights = random.exponential(size=(DRAWS, len(names) + 1))
    by_flip, more = weights[:, image], weights[:, -1] * len(seen) / len(names)

    def drawn(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the weighted mean of rates may be, each of which was found on `TRIED_ON` renders."""
        values, place = np.unique(rates, return_inverse=True)
        rate = random.beta(TRIED_ON * values + 0.5, TRIED_ON * (1 - values) + 0.5, (DRAWS, len(values)))
        mean: NDArray[np.float64] = (by_flip * rate[:, place]).sum(axis=1) / by_flip.sum(axis=1)
        return mean

    alone, other = drawn(still), drawn(moved)
    low, high = (
        1 - ((by_flip @ seen + lost) / (by_flip.sum(axis=1) + more) - alone) / (other - alone) for lost in (more, 0.0)
    )
    ends = np.quantile(low, 0.025), np.quantile(high, 0.975)
    return float(ends[0].clip(0.0, 1.0)), float(ends[1].clip(0.0, 1.0))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/truth_kept.py", description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after flips audit")
    given = parser.parse_args(arguments)
    runs: dict[str, Any] = {}
    for domain, benchmark in BENCHMARKS.items():
        judge = judge_of(domain)
        print(domain, judge.accuracy, judge.on_drawings, judge.moved, flush=True)
        for name in (name for name, target in benchmark.targets.items() if target.attribute is not None):
            run = told(domain, name, given.seed, given.images, given.out)
            runs[f"{domain}:{name}"] = run
            print(name, {key: run[key] for key in ("flips", "seen", "still", "kept", "interval")}, flush=True)
            if given.json:
                probes = {
                    domain: {
                        key: getattr(judge_of(domain), key) for key in ("accuracy", "on_drawings", "moved", "still")
                    }
                    for domain in sorted({key.partition(":")[0] for key in runs})
                }
                about = {"images": given.images, "seed": given.seed, "probes": probes, "figures": added_up(runs)}
                atomic.write_json(given.json, {**about, "environment": describe_environment(), "runs": runs})
    print(json.dumps(added_up(runs), indent=1))


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Over all audits: flips, the share in which a change is seen, and that which keeps the truth."""
    flips = [flip for run in runs.values() for flip in run["by_flip"]]
    return {"flips": len(flips), **shares(flips)}


if __name__ == "__main__":
    main()
