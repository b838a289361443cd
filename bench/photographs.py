"""``python bench/photographs.py --domain avatars --images 50 --out FOLDER --json OUT``: is what is found around the
inversions of photographs true of the photographs?

The photographs are renders of an embedded domain, of parameters drawn from ``--seed``, never the generator's pictures:
what setting and unsetting an attribute in one of them does to a target is known by rendering it again. Each is inverted
by the ordinary way (codes that FOLDER holds are not looked for again), every classifier of the domain is searched on
the inversions as `diagnose` does, and a photograph that is refused for a target is left out there, on both sides.

Measured is the largest change of the output within the calibrated range, true the change between attribute set and
unset. ``pairs``: correlations of their means over photographs, over the pairs of target and attribute (`ATTRIBUTES` of
them: those that were planted into a target, then the domain's first; without the target's own). ``single``: of the
changes themselves, over photographs too. Intervals of 95 % are over photographs (bootstrap). ``--sheet`` draws
photographs beside inversions.
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
from numpy.typing import NDArray
from PIL import Image

from lab.benchmark import Benchmark, spearman
from zoom_engine import Diagnoser
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import to_pixels
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.diagnose.own_photographs import crops_of, inverter
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.photographs import Yardstick, judged
from zoom_engine.search import SearchResult, Trial
from zoom_engine.settings.audit_settings import RunSettings
from zoom_engine.targets import Target

ATTRIBUTES = 6
BOOTSTRAP = 1000
DOMAINS = ("avatars", "pets")
Array = NDArray[np.float64]


def benchmark_of(domain: str) -> Benchmark:
    """The domain's classifiers and truth."""
    evaluation = import_module(f"lab.{domain}.evaluate").EVALUATION
    return Benchmark(evaluation, evaluation.domain.classifier_names())


def chosen_attributes(bench: Benchmark) -> dict[str, str]:
    """Name in the truth → prompt."""
    planted = [target.planted for target in bench.targets.values() if target.planted is not None]
    names = list(dict.fromkeys([*planted, *bench.attributes]))[:ATTRIBUTES]
    return {name: bench.attributes[name] for name in names}


@torch.no_grad()
def true_changes(bench: Benchmark, targets: Sequence[Target], attributes: Sequence[str], parameters: Any) -> Array:
    """``[T, N, I]``: how far each target's output moves between an attribute set and unset in each render."""
    subject, changes_of = bench.evaluation.subject, np.zeros((len(targets), len(attributes), len(parameters)))
    for column, attribute in enumerate(forced(attributes, "True changes", unit="attribute")):
        pair = [
            to_float(torch.from_numpy(subject.render(subject.truth.intervene(parameters, attribute, value))))
            for value in (True, False)
        ]
        for row, target in enumerate(targets):
            parts = zip(*(torch.split(images, 50) for images in pair), strict=True)
            changes = [target.task.change(target(with_it), target(without)) for with_it, without in parts]
            changes_of[row, column] = torch.cat(changes).numpy()
    return changes_of


def compared(
    audited_changes: Array, true: Array, counted: NDArray[np.bool_], audited: NDArray[np.bool_]
) -> dict[str, Any]:
    """Correlations of ``audited_changes`` and ``true [T, N, I]`` over the pairs ``counted [T, N]``, of each target on
    the photographs that are ``audited [T, I]``."""
    count: int = audited_changes.shape[2]

    def figures(rows: NDArray[np.int64]) -> dict[str, float]:
        weight = audited[:, None, rows].astype(np.float64)
        counts = np.maximum(weight.sum(axis=2), 1)
        mean_audited, mean_true = (
            ((values[:, :, rows] * weight).sum(axis=2) / counts)[counted] for values in (audited_changes, true)
        )
        shown = np.broadcast_to(weight > 0, (*audited_changes.shape[:2], len(rows))) & counted[:, :, None]
        each_audited, each_true = (values[:, :, rows][shown] for values in (audited_changes, true))
        return {
            "pairs_pearson": float(np.corrcoef(mean_audited, mean_true)[0, 1]),
            "pairs_spearman": spearman(mean_audited, mean_true),
            "single_pearson": float(np.corrcoef(each_audited, each_true)[0, 1]),
            "single_spearman": spearman(each_audited, each_true),
        }

    random = np.random.default_rng(0)
    resampled = [figures(random.integers(0, count, count)) for _ in range(BOOTSTRAP)]
    whole: dict[str, Any] = {}
    for name, value in figures(np.arange(count)).items():
        low, high = np.nanquantile([one[name] for one in resampled], [0.025, 0.975])
        whole[name] = {"value": round(value, 4), "ci95": [round(float(low), 4), round(float(high), 4)]}
    return whole


def measure(domain: str, images: int, seed: int, out: Path, sheet: Path | None) -> dict[str, Any]:
    """All figures of one domain, JSON-ready."""
    bench = benchmark_of(domain)
    subject, attributes = bench.evaluation.subject, chosen_attributes(bench)
    latents = np.random.default_rng(seed).standard_normal((images, LATENT_DIM))
    parameters = subject.table.from_latents(latents)
    folder = out / f"{domain}-{seed}-{images}"
    (folder / "photographs").mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(subject.render(parameters)):
        Image.fromarray(pixels).save(folder / "photographs" / f"{number:03}.png")
    targets = [bench.evaluation.domain.target(name) for name in bench.targets]
    diagnoser = Diagnoser(
        generator=domain,
        target=targets[0],
        attributes=list(attributes.values()),
        photos=folder / "photographs",
        progress=forced,
    )
    models = diagnoser.models
    crops = crops_of(models)
    readable = [crop for crop in crops if crop.pixels is not None]
    codes = inverter(models).codes(readable, cache=folder / "inversions", progress=forced)
    directions = diagnoser.edit_directions()
    calibrated = diagnoser.calibrated_range(directions)
    results: list[tuple[int, Trial, SearchResult]] = []
    evaluators = diagnoser.search_targets(targets, codes, directions, calibrated, results.extend)
    changes = np.zeros((len(targets), len(attributes), len(readable)))
    for which, unit, result in results:
        changes[which, unit.attribute or 0, unit.image] = result.change
    yardstick = Yardstick.of(models.generator, models.text_encoder, models.synthesizer)
    judgements = [judged(crops, codes, evaluator=evaluator, yardstick=yardstick) for evaluator in evaluators]
    rows = [index for index, crop in enumerate(crops) if crop.pixels is not None]
    audited = np.array([[judgement.photographs[row].image is not None for row in rows] for judgement in judgements])
    counted = np.array([[name != target.attribute for name in attributes] for target in bench.targets.values()])
    true = true_changes(bench, targets, list(attributes), parameters[rows])
    if sheet is not None:
        draw(sheet, [crop.pixels for crop in readable if crop.pixels is not None], codes, diagnoser)
    counts = np.maximum(audited.sum(axis=1), 1)
    means = [np.einsum("tni,ti->tn", values, audited) / counts[:, None] for values in (changes, true)]
    distances = [one for one in judgements[0].photographs if one.seen is not None]
    return {
        "images": images,
        "seed": seed,
        "inversion": inverter(models).identity,
        "agreement": compared(changes, true, counted, audited),
        "pairs": [
            {
                "target": name,
                "attribute": attribute,
                "measured": round(float(means[0][i, j]), 4),
                "true": round(float(means[1][i, j]), 4),
            }
            for i, name in enumerate(bench.targets)
            for j, attribute in enumerate(attributes)
            if counted[i, j]
        ],
        "audited": {name: int(row.sum()) for name, row in zip(bench.targets, audited, strict=True)},
        "refused": {
            name: {one.file: one.refused for one in judgement.refused}
            for name, judgement in zip(bench.targets, judgements, strict=True)
        },
        "apart": {
            "largest": distances[0].largest,
            **{
                name: np.quantile([getattr(one, name) for one in distances], [0.5, 0.9, 1.0]).round(4).tolist()
                for name in ("seen", "pixels")
            },
        },
        "output_moved": {
            name: round(float(np.mean([one.change for one in judgement.photographs if one.change is not None])), 4)
            for name, judgement in zip(bench.targets, judgements, strict=True)
        },
        "environment": describe_environment(),
    }


@torch.no_grad()
def draw(sheet: Path, photographs: Sequence[NDArray[np.uint8]], codes: torch.Tensor, diagnoser: Diagnoser) -> None:
    """A PNG: rows of ten photographs, each above its inversion."""
    inversions = to_pixels(torch.cat([diagnoser.models.synthesizer.render(code) for code in torch.split(codes, 1)]))
    pairs = [np.concatenate(pair) for pair in zip(photographs, inversions, strict=True)]
    pairs += [np.full_like(pairs[0], 255)] * (-len(pairs) % 10)
    rows = [np.concatenate(pairs[start : start + 10], axis=1) for start in range(0, len(pairs), 10)]
    Image.fromarray(np.concatenate(rows)).save(sheet)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/photographs.py", description=__doc__)
    parser.add_argument("--domain", choices=DOMAINS, required=True)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--seed", type=int, default=RunSettings.seed, help="of the renders' parameters")
    parser.add_argument("--out", type=Path, required=True, help="folder of renders and inversions")
    parser.add_argument("--sheet", type=Path, help="draw photographs above their inversions, a PNG")
    parser.add_argument("--json", type=Path, help="write the figures here, beside those of the other domain")
    given = parser.parse_args(arguments)
    figures = measure(given.domain, given.images, given.seed, given.out, given.sheet)
    if given.json:
        stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        atomic.write_json(given.json, {**stored, given.domain: figures})
    print(json.dumps({name: figures[name] for name in ("agreement", "audited", "refused", "apart")}, indent=1))


if __name__ == "__main__":
    main()
