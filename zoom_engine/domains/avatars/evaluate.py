"""``python -m zoom_engine.domains.avatars.evaluate``: measure every quality figure of the shipped weights.

The judge of generator and edits is the probe, a classifier trained on renders that no search ever sees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.audit.settings import METHODS
from zoom_engine.directions import Sampling, find_directions, regression_relevance
from zoom_engine.directions.find import DEFAULT_SAMPLES
from zoom_engine.domains.avatars.attributes import ATTRIBUTES, CLEAR_MARGIN, exclusions, intervene, labels, margins
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.parameters import LATENT_DIM, parameters_from_latents
from zoom_engine.domains.avatars.renderer import masks, render, sample
from zoom_engine.domains.avatars.train.tasks import recipes
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.avatars.word_quality import balanced, word_quality
from zoom_engine.domains.avatars.wording import HELD_OUT_TEMPLATES, prompt, zero_shot_prompts
from zoom_engine.domains.networks import SmallCNN, predict, to_float, to_uint8
from zoom_engine.domains.weights_files import load_network
from zoom_engine.errors import DirectionError
from zoom_engine.files import atomic
from zoom_engine.files.cache import default_cache
from zoom_engine.progress import forced
from zoom_engine.runtime import (
    Synthesizer,
    choose_synthesizer,
    compiled_network,
    compiled_target,
    compiled_text_encoder,
    describe_environment,
)
from zoom_engine.targets import KeypointsTask, MultiLabelTask, RegressionTask, SegmentationTask, Task
from zoom_engine.targets.target import probe_images

TEXT_SEED, RENDER_SEED, SAMPLE_SEED, EFFECT_SEED, TASK_SEED = 9001, 9100, 9200, 9300, 9400
UNITS = {
    "keypoints": "mean distance, in the pupils'",
    "segmentation": "1 − mIoU",
    "regression": "years",
    "multilabel": "wrong labels",
    "multiclass": "wrong pictures",
}
WEIGHT_GRID = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 18.0, 24.0, 30.0)
# Sampled relevance renders every channel twice per sample: 8 of them are 21,000 pictures here.
SAMPLES: dict[str, int | None] = {"regression": None, "sampled": 8, "gradient": None}
WANTED_CHANGE, ALLOWED_CHANGE = 0.80, 0.15
NEIGHBOURS = 3


def probe() -> SmallCNN:
    """The judge, in evaluation mode."""
    network = load_network(WEIGHTS / "probe.safetensors")[0]
    assert isinstance(network, SmallCNN)
    return network


def generated(count: int, seed: int, *, batch_size: int = 100) -> tuple[Tensor, Tensor]:
    """``(styles [n, S], images uint8 [n, 128, 128, 3])`` of random latents at ψ = 1."""
    generator = DOMAIN.generator()
    z = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, generator.z_dim)).astype(np.float32))
    styles = generator.styles(generator.mapping(z))
    return styles, drawn(styles, at_once=batch_size)


@torch.no_grad()
def drawn(
    styles: Tensor, weights: Tensor | None = None, direction: Tensor | None = None, *, at_once: int = 100
) -> Tensor:
    """Images uint8 ``[n, 128, 128, 3]`` of styles ``[n, S]``, edited by ``weights [n]`` along ``direction [S]``."""
    parts = []
    for rows in torch.split(torch.arange(len(styles)), at_once):
        edits = (None, None) if weights is None or direction is None else (weights[rows, None], direction[None])
        parts.append(to_uint8(synthesizer().render(styles[rows], *edits)))
    return torch.cat(parts)


@cache
def synthesizer() -> Synthesizer:
    """The engine's own choice of backend, compiled once: the edits ask for pictures hundreds of times."""
    return choose_synthesizer(DOMAIN.generator(), cache=default_cache())


def text_quality(count: int = 2000) -> dict[str, Any]:
    """Balanced zero-shot accuracy per attribute on held-out renders that are clearly on one side.

    ``accuracy`` averages the prompts' embeddings over templates that training never saw, ``worst_template`` is the
    lowest figure of a single one. ``word_forms`` has the same for the other forms of the words, see `word_quality`.
    """
    encoder, _ = compiled_text_encoder(DOMAIN.text_encoder(), synthesizer())
    images, parameters = sample(count, TEXT_SEED)
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(images), 100)
        embedded = torch.cat(
            [encoder.embed_images(to_float(part)) for part in forced(parts, "Embedding", unit="batch")]
        )
    table = margins(parameters)
    rows: dict[str, Any] = {}
    for attribute in ATTRIBUTES:
        prompts = zero_shot_prompts(attribute)
        single = [
            balanced(embedded, encoder.embed_texts(prompts, templates=[t]), table[attribute])
            for t in HELD_OUT_TEMPLATES
        ]
        together = balanced(embedded, encoder.embed_texts(prompts, templates=HELD_OUT_TEMPLATES), table[attribute])
        rows[attribute] = {"accuracy": together, "worst_template": min(single)}
    relevance = regression_relevance(
        DOMAIN.generator(),
        encoder,
        sampling=Sampling(DEFAULT_SAMPLES["regression"], synthesizer=synthesizer()),
        cache=default_cache(),
        progress=forced,
    )
    forms = word_quality(encoder, relevance, embedded, table, neutral=DOMAIN.neutral)
    return {"renders": count, "margin": CLEAR_MARGIN, "seed": TEXT_SEED, "attributes": rows, "word_forms": forms}


def precision_recall(real: Tensor, fake: Tensor, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi 2019) of feature sets ``[n, D]`` and ``[m, D]``.

    A sample counts as covered where it lies within the distance of any point of the other set to that point's
    k-th neighbour.
    """

    def radii(points: Tensor) -> Tensor:
        found = [torch.cdist(part, points).kthvalue(neighbours + 1, dim=1).values for part in torch.split(points, 500)]
        return torch.cat(found)

    def covered(points: Tensor, others: Tensor, radius: Tensor) -> float:
        inside = [(torch.cdist(part, others) <= radius).any(dim=1) for part in torch.split(points, 500)]
        return float(torch.cat(inside).float().mean())

    return covered(fake, real, radii(real)), covered(real, fake, radii(fake))


def generator_quality(count: int = 10_000) -> dict[str, Any]:
    """Precision and recall in probe features, and attribute frequencies as the probe sees them, at ψ = 1."""
    judge = probe()
    real, _ = sample(count, RENDER_SEED)
    _, fake = generated(count, SAMPLE_SEED)
    real_images = torch.from_numpy(real)
    real_features, fake_features = (_features(judge, images) for images in (real_images, fake))
    precision, recall = precision_recall(real_features, fake_features)
    frequencies = {
        name: {"renders": round(float(a), 4), "samples": round(float(b), 4)}
        for name, a, b in zip(
            ATTRIBUTES,
            (judge.head(real_features) > 0).float().mean(0),
            (judge.head(fake_features) > 0).float().mean(0),
            strict=True,
        )
    }
    worst = max(abs(row["renders"] - row["samples"]) for row in frequencies.values())
    return {
        "samples": count,
        "neighbours": NEIGHBOURS,
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "largest_frequency_gap": round(worst, 4),
        "frequencies": frequencies,
        "psnr_db": _psnr(),
    }


def _psnr(count: int = 500) -> float:
    """Mean PSNR between generator and renderer for the same latents, which the distillation aims at."""
    z = np.random.default_rng(SAMPLE_SEED + 1).standard_normal((count, LATENT_DIM)).astype(np.float32)
    truth = torch.from_numpy(render(parameters_from_latents(z))).float()
    generator = DOMAIN.generator()
    images = drawn(generator.styles(generator.mapping(torch.from_numpy(z)))).float()
    error = (images - truth).square().mean(dim=(1, 2, 3))
    return round(float((10 * torch.log10(255.0**2 / error)).mean()), 2)


@torch.no_grad()
def _features(judge: SmallCNN, images: Tensor) -> Tensor:
    return torch.cat([judge.features(to_float(part)) for part in torch.split(images, 200)])


def edit_quality(method: str, *, choose_on: int = 64, measure_on: int = 256) -> dict[str, Any]:
    """What each edit direction changes, as the probe sees it.

    A face without the attribute is edited by +w, one that has it by -w. The weight w of each attribute is chosen on
    other samples than those it is measured on: the one of ``WEIGHT_GRID`` with the most wanted change (more than 90 %
    counts no further), less twice the worst unwanted change above 8 %. ``row`` holds the change of every attribute.
    An attribute that the method finds no channel for has ``refused`` instead, the reason.
    """
    judge, _ = compiled_network(probe(), probe_images(128, 128), synthesizer())
    directions = _directions_by(method)
    chosen_styles, chosen_images = generated(choose_on, SAMPLE_SEED + 2)
    styles, images = generated(measure_on, SAMPLE_SEED + 3)
    before_chosen, before = predict(judge, chosen_images) > 0, predict(judge, images) > 0
    rows: dict[str, Any] = {}
    for index, name in enumerate(forced(ATTRIBUTES, f"Edits by {method}", unit="attribute")):
        direction = directions[name]
        if isinstance(direction, str):
            rows[name] = {"refused": direction}
            continue
        outside = [i for i, other in enumerate(ATTRIBUTES) if i != index and other not in exclusions(name)]

        def changed(at: float, base: Tensor, has: Tensor, direction: Tensor = direction, index: int = index) -> Tensor:
            weights = torch.where(has[:, index], -at, at)
            return ((predict(judge, drawn(base, weights, direction)) > 0) != has).float().mean(0)

        weight = _choose_weight(lambda at: changed(at, chosen_styles, before_chosen), index, outside)
        rates = changed(weight, styles, before)
        rows[name] = {
            "weight": weight,
            "changed": round(float(rates[index]), 4),
            "worst_other": round(float(rates[outside].max()), 4),
            "which_other": ATTRIBUTES[outside[int(rates[outside].argmax())]],
            "row": {other: round(float(rate), 4) for other, rate in zip(ATTRIBUTES, rates, strict=True)},
        }
    found = {name: row for name, row in rows.items() if "refused" not in row}
    good = [n for n, row in found.items() if row["changed"] >= WANTED_CHANGE and row["worst_other"] <= ALLOWED_CHANGE]
    return {
        "method": method,
        "choose_on": choose_on,
        "measure_on": measure_on,
        "passing": good,
        "attributes": rows,
    }


def _directions_by(method: str) -> dict[str, Tensor | str]:
    """The edit direction ``[S]`` of each attribute, or why there is none."""
    encoder, _ = compiled_text_encoder(DOMAIN.text_encoder(), synthesizer())

    def find(names: Sequence[str]) -> Tensor:
        return find_directions(
            DOMAIN.generator(),
            encoder,
            [prompt(name) for name in names],
            neutral=DOMAIN.neutral,
            method=method,
            samples=SAMPLES[method],
            synthesizer=synthesizer(),
            cache=default_cache(),
            progress=forced,
        ).matrix

    try:
        return dict(zip(ATTRIBUTES, find(ATTRIBUTES), strict=True))
    except DirectionError:
        pass  # one is refused: which ones, and why, the calls one by one say from what is cached by now
    directions: dict[str, Tensor | str] = {}
    for name in ATTRIBUTES:
        try:
            directions[name] = find([name])[0]
        except DirectionError as reason:
            directions[name] = str(reason)
    return directions


def _choose_weight(changed: Callable[[float], Tensor], index: int, outside: list[int]) -> float:
    best, best_score = WEIGHT_GRID[0], -1.0
    for weight in WEIGHT_GRID:
        rates = changed(weight)
        wanted, unwanted = float(rates[index]), float(rates[outside].max())
        score = min(wanted, 0.9) - 2 * max(unwanted - 0.08, 0.0)
        if score > best_score + 0.01:
            best, best_score = weight, score
    return best


@torch.no_grad()
def true_effects(names: Sequence[str] | None = None, *, count: int = 300) -> dict[str, dict[str, float]]:
    """Mean |f(render(do(a=1))) − f(render(do(a=0)))| of targets (all classifiers, where none are named) and every
    attribute, over ``count`` avatars; of outputs that are no probability the task's change."""
    _, parameters = sample(count, EFFECT_SEED)
    effects: dict[str, dict[str, float]] = {name: {} for name in names or DOMAIN.classifier_names()}
    targets = {name: compiled_target(DOMAIN.target(name), synthesizer())[0] for name in effects}
    for attribute in forced(ATTRIBUTES, "True effects", unit="attribute"):
        pair = [to_float(torch.from_numpy(render(intervene(parameters, attribute, value)))) for value in (True, False)]
        for name, row in effects.items():
            target = targets[name]
            changes = [
                target.task.change(target(with_it), target(without))
                for with_it, without in zip(*(torch.split(images, 50) for images in pair), strict=True)
            ]
            row[attribute] = round(float(torch.cat(changes).mean()), 4)
    return effects


def target_quality() -> dict[str, Any]:
    """Accuracy on untied held-out renders (from the weights' own metadata) and true effects."""
    effects = true_effects()
    found: dict[str, Any] = {}
    for name, row in effects.items():
        _, info = load_network(WEIGHTS / "targets" / f"{name}.safetensors")
        found[name] = {
            "untied_accuracy": info["untied_accuracy"],
            "drawn_accuracy": info["drawn_accuracy"],
            "own": info["outputs"][0],
            "planted": info["planted"],
            "planted_effect": row[info["planted"]] if info["planted"] else None,
            "effects": row,
        }
    return found


def task_quality(names: Sequence[str] = (), *, count: int = 400, effects_of: int = 100) -> dict[str, Any]:
    """Of the targets of other tasks (all, where none are named): errors on ``count`` renders that training never saw,
    and true effects over ``effects_of`` avatars.

    ``error`` is in ``unit``, a mean over the renders; ``error_planted`` over those that have the attribute that was
    planted into the target or into its weak twin.
    """
    images, parameters = sample(count, TASK_SEED)
    pictures, table = torch.from_numpy(images), labels(parameters)
    truth = {recipe.name: recipe for recipe in recipes(parameters, torch.from_numpy(masks(parameters)), parameters)}
    effects = true_effects(names or tuple(truth), count=effects_of)
    found: dict[str, Any] = {}
    for name, recipe in truth.items():
        if name not in effects:
            continue
        twin = truth[name.partition("-weak-")[0]]
        target = DOMAIN.target(name)
        parts = zip(torch.split(pictures, 50), torch.split(twin.truth, 50), strict=True)
        with torch.no_grad():
            errors = torch.cat([_errors(target.task, target(to_float(part)), wanted) for part, wanted in parts])
        planted = recipe.planted or next(
            (r.planted for r in truth.values() if r.name.startswith(f"{name}-weak-")), None
        )
        having = None if planted is None else torch.from_numpy(table[planted])
        found[name] = {
            "task": target.task.name,
            "planted": recipe.planted,
            "unit": UNITS[target.task.name],
            "error": round(float(errors.mean()), 4),
            "split_by": planted,
            "error_planted": None if having is None else round(float(errors[having].mean()), 4),
            "error_without": None if having is None else round(float(errors[~having].mean()), 4),
            "effects": effects[name],
        }
    return found


def _errors(task: Task, outputs: Tensor, truth: Tensor) -> Tensor:
    """``[B]``: how wrong outputs are, in the task's ``UNITS``; ``truth`` as `recipes` have it."""
    match task:
        case KeypointsTask():
            return task.displacements(outputs, truth).mean(1)
        case SegmentationTask():
            areas = F.one_hot(truth.long(), len(task.classes)).permute(0, 3, 1, 2).float()
            return 1 - task.agreement(outputs, areas)
        case RegressionTask():
            return (outputs - truth).abs()[:, 0]
        case MultiLabelTask():
            return ((outputs > 0) != (truth > 0.5)).float().mean(1)
        case _:
            return (outputs.argmax(1) != truth).float()


def contact_sheet(path: Path, *, rows: int = 6, columns: int = 12) -> None:
    """A PNG of renders (left half) and generator samples (right half), for the model card."""
    from PIL import Image

    real, _ = sample(rows * columns // 2, RENDER_SEED + 1)
    _, fake = generated(rows * columns // 2, SAMPLE_SEED + 4)
    halves = [images.reshape(rows, columns // 2, 128, 128, 3) for images in (real, fake.numpy())]
    grid = np.concatenate(halves, axis=1).transpose(0, 2, 1, 3, 4).reshape(rows * 128, columns * 128, 3)
    Image.fromarray(grid).save(path)


PARTS = ("text", "generator", "edits", "targets", "tasks")


def measure(part: str, methods: Sequence[str] = METHODS, names: Sequence[str] = ()) -> dict[str, Any]:
    """The figures of one of ``PARTS``; ``methods`` are the kinds of edit direction that "edits" compares, ``names`` the
    targets that "tasks" measures (all, where there are none)."""
    if part == "edits":
        return {method: edit_quality(method) for method in methods}
    if part == "tasks":
        return task_quality(names)
    whole = {"text": text_quality, "generator": generator_quality, "targets": target_quality}
    return whole[part]()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zoom_engine.domains.avatars.evaluate", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure; all by default")
    parser.add_argument("--directions", nargs="+", choices=METHODS, default=METHODS, help="kinds for the edits")
    parser.add_argument("--targets", nargs="+", default=(), help="those of other tasks to measure; all by default")
    parser.add_argument("--json", type=Path, help="write the figures here; other parts of a file that is there stay")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of renders and samples here (PNG)")
    options = parser.parse_args()
    figures: dict[str, Any] = {
        name: measure(name, options.directions, options.targets) for name in options.parts or PARTS
    }
    if options.sheet:
        contact_sheet(options.sheet)
    if options.json:
        before = json.loads(options.json.read_text(encoding="utf-8")) if options.json.is_file() else {}
        figures["environments"] = dict.fromkeys(figures, describe_environment())
        merged = {
            part: {**before.get(part, {}), **figures.get(part, {})} for part in ("edits", "tasks", "environments")
        }
        atomic.write_json(options.json, {**before, **figures, **{part: rows for part, rows in merged.items() if rows}})
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
