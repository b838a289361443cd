"""``python bench/fit.py --out FOLDER --json OUT``: does `fit` tell what a generator draws, does a pilot foretell power?

- ``verdicts``: each embedded generator beside renders of its own domain (which it never drew), renders of the other
  one, and squares cut out of photographs of a camera (the three that scikit-learn and matplotlib bring): the verdict,
  and the figures behind it. ``--seeds`` draws the pictures anew.
- ``power``: targets are audited on ``IMAGES`` images (at the ends of ranges, all on the same pictures); of each, six
  pilots of ``PILOT`` of these images and the answers to 256 others foretell the power of an audit of as many images.
  Beside it stands what the other images say by the rule that audits (and `bench/calls.py`) tell their power by. By
  target and size: both powers, how often they lie within ``NEAR`` of each other, and how often the range that is told
  holds it. ``chosen`` are the audits that the constants of `zoom_engine.statistics.power` were chosen on, ``held_out``
  those that were looked at once, after that: other images, and five targets of other tasks.

FOLDER keeps pictures, codes of photographs and the audits' changes: what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
from kept_audits import ENDS, seeds_of
from PIL import Image

from lab.whole_folders import making
from zoom_engine import Diagnoser, Diagnosers, fitness
from zoom_engine.commands.fit.fitness import Fitness
from zoom_engine.commands.fit.pilot import AUDITS, changes_of, foretold, spread_of_outputs, spread_of_pilot
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.domains.avatars.domain import DOMAIN as AVATARS
from zoom_engine.domains.pets.domain import DOMAIN as PETS
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN, SMALLEST_EFFECT
from zoom_engine.statistics.power import Curve, power_of
from zoom_engine.statistics.random_edits import Dispersion

DOMAINS = {"avatars": "avatars:eyeglasses-biased-smiling", "pets": "pets:dog"}
KINDS = (*DOMAINS, "camera")
DOMAINS_BY_NAME = {"avatars": AVATARS, "pets": PETS}
IMAGES, PILOT, GENERATED, NEAR = 48, 8, 256, 0.1
SIZES = (0.1, 0.2)
FURTHER = ("hair-color", "attributes", "age-years", "keypoints-weak-eyeglasses", "segmentation-weak-long-hair")
CHOSEN = (("avatars", 100, 100, ()), ("pets", 100, 200, ()))
"""Domain, seed of the audits, seed of the pictures that are answered, and targets beside the classifiers."""
HELD_OUT = (("avatars", 101, 201, FURTHER),)
CURVED = ("binary", "multiclass", "multilabel", "regression")


def pictures(kind: str, count: int, seed: int, folder: Path) -> Path:
    """A folder of ``count`` pictures of a kind, made or kept."""
    if folder.is_dir():
        return folder
    made = [*camera(count, seed)] if kind == "camera" else renders(kind, count, seed)
    with making(folder) as temporary:
        for number, picture in enumerate(made):
            picture.save(temporary / f"{number:03}.png")
    return folder


def renders(domain: str, count: int, seed: int) -> list[Image.Image]:
    """Pictures by the renderer, which no generator drew."""
    return [Image.fromarray(pixels) for pixels in import_module(f"zoom_engine.domains.{domain}").sample(count, seed)[0]]


def camera(count: int, seed: int) -> list[Image.Image]:
    """Squares of 128 pixels and more, cut at random out of three photographs."""
    from matplotlib import cbook
    from sklearn.datasets import load_sample_images

    hopper = Image.open(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB")
    photographs = [*map(Image.fromarray, load_sample_images().images), hopper]
    random, squares = np.random.default_rng(seed), []
    for number in range(count):
        picture = photographs[number % len(photographs)]
        side = int(random.integers(128, min(picture.size)))
        left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
        squares.append(picture.crop((left, top, left + side, top + side)))
    return squares


def told(result: Fitness) -> dict[str, Any]:
    """What is kept of a fit."""
    assert result.read is not None  # the attributes are words
    verdicts = [one.judgement.verdict for one in result.attributes]
    return {
        "verdict": result.verdict,
        "attributes": {verdict: verdicts.count(verdict) for verdict in ("fit", "doubtful", "not fit")},
        "doubts": {
            one.attribute.text: one.judgement.reasons
            for one in result.attributes
            if one.judgement.verdict != "fit" and result.verdict != "not fit"
        },
        "parts": {name: one.verdict for name, one in result.parts.items()},
        "coverage": round(result.coverage.coverage.value, 4),
        "reference": round(result.coverage.reference_coverage.value, 4),
        "relative": [round(value, 4) for value in (result.coverage.relative.value, *result.coverage.relative.interval)],
        "relative_by_outlines": [
            round(value, 4) for value in (result.outlines.relative.value, *result.outlines.relative.interval)
        ],
        "density": round(result.coverage.density.value, 4),
        "answers_excess": [
            round(value, 4) for value in (result.answers.distance.excess, *result.answers.distance.interval)
        ],
        "inverted": [result.inverted.accepted, result.inverted.tried],
        "reconstruction_error": None if result.inverted.error is None else round(result.inverted.error, 4),
        "random_texts_read": [round(result.read.photographs, 4), round(result.read.generated, 4)],
    }


def verdicts(count: int, inverted: int, audited: int, seeds: Sequence[int], out: Path) -> list[dict[str, Any]]:
    """Each generator beside each kind of pictures."""
    rows = []
    for seed in seeds:
        for domain, target in DOMAINS.items():
            for kind in KINDS:
                folder = pictures(kind, count, seed, out / f"{kind}-{count}-{seed}")
                result = fitness(
                    folder,
                    generator=domain,
                    target=target,
                    inverted=inverted,
                    pilot=audited if kind == domain else 0,
                    out=out / f"fit-{domain}-{kind}-{count}-{seed}",
                    progress=forced,
                )
                rows.append({"generator": domain, "pictures": kind, "seed": seed, **told(result)})
                print(json.dumps(rows[-1]), flush=True)
    return rows


def changes_of_audits(domain: str, seed: int, names: Sequence[str], out: Path) -> Mapping[str, Any]:
    """Changes ``[I, A]`` by attributes and ``[I, J]`` by random directions of each target, kept by its name."""
    path = out / f"power-{domain}-{seed}.npz"
    if not path.is_file():
        options: dict[str, Any] = {"generator": domain, "attributes": list(DOMAINS_BY_NAME[domain].attributes)}
        targets = {name: f"{domain}:{name}" for name in names}
        audits = Diagnosers(target=targets, **options, search_options=ENDS, progress=forced).run(
            images=IMAGES, seed=seed
        )
        arrays: dict[str, Any] = {}
        for name, audit in audits.items():
            arrays[f"{name}|change"], arrays[f"{name}|baseline"] = changes_of(audit)
            arrays[f"{name}|attributes"] = np.array([attribute.text for attribute in audit.attributes])
        out.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as temporary:
            np.savez(temporary, **arrays)
    return dict(np.load(path))


def answers_of(domain: str, seed: int, names: Sequence[str], out: Path) -> Mapping[str, Any]:
    """Outputs ``[GENERATED, …]`` of each target on a seed's unedited pictures, by its name."""
    path = out / f"outs-{domain}-{seed}.npz"
    if not path.is_file():
        embedded = DOMAINS_BY_NAME[domain]
        models = Diagnoser(generator=domain, target=f"{domain}:{names[0]}", attributes=embedded.attributes[:1]).models
        styles = models.styles(range(seed * SEEDS_PER_RUN, seed * SEEDS_PER_RUN + GENERATED))
        targets = {name: embedded.target(name) for name in names}
        seen: dict[str, list[Any]] = {name: [] for name in names}
        with torch.no_grad():
            for first in range(0, GENERATED, 32):
                images = models.synthesizer.render(styles[first : first + 32])
                for name, target in targets.items():
                    seen[name].append(target(images).numpy())
        out.mkdir(parents=True, exist_ok=True)
        joined: dict[str, Any] = {name: np.concatenate(parts) for name, parts in seen.items()}
        with atomic.replacing(path) as temporary:
            np.savez(temporary, **joined)
    return dict(np.load(path))


def power(out: Path) -> list[dict[str, Any]]:
    """Of each target the power that pilots foretell beside that by other images, see the module."""
    rows = []
    for held_out, audits in ((False, CHOSEN), (True, HELD_OUT)):
        for domain, seed, of_answers, further in audits:
            embedded = DOMAINS_BY_NAME[domain]
            names = [*embedded.classifier_names(), *further]
            changes, outputs = (
                changes_of_audits(domain, seed, names, out),
                answers_of(
                    domain, of_answers, [name for name in names if embedded.target(name).task.name in CURVED], out
                ),
            )
            for name in names:
                target = embedded.target(name)
                judged = [text not in target.labels for text in changes[f"{name}|attributes"]]
                moved = np.concatenate([changes[f"{name}|change"][:, judged], changes[f"{name}|baseline"]], axis=1)
                curve = spread_of_outputs(target.task, torch.from_numpy(outputs[name])) if name in outputs else None
                rows.append(
                    {
                        "domain": domain,
                        "target": name,
                        "task": target.task.name,
                        "seed": seed,
                        "held_out": held_out,
                        "by_size": foretold_beside(moved, sum(judged), curve),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return rows


def foretold_beside(moved: Any, attributes: int, curve: Curve | None) -> dict[str, Any]:
    """The figures of a target whose changes are ``moved [I, J]``, by size."""
    told: dict[str, list[tuple[float, ...]]] = {f"{size:g}": [] for size in SIZES}
    order = np.random.default_rng(1).permutation(len(moved))
    for pilot in np.split(order, len(order) // PILOT):
        others = moved[np.setdiff1d(order, pilot)]
        by_others = power_of(
            Dispersion.of_changes(others), IMAGES, attributes, SMALLEST_EFFECT, sizes=SIZES, audits=AUDITS
        )
        spread, unsure = spread_of_pilot(moved[pilot], SMALLEST_EFFECT, curve)
        guess = foretold(spread, unsure, IMAGES, attributes, SMALLEST_EFFECT, SIZES)
        for size, pairs in told.items():
            foretold_share, ends, share = guess.sensitive[size], guess.ranges[size], by_others.sensitive[size]
            assert foretold_share is not None  # no range of known effects was given
            assert ends is not None
            low, high = ends
            pairs.append(
                (
                    share,
                    foretold_share,
                    abs(foretold_share - share) <= NEAR,
                    low <= share <= high,
                    high - low,
                )
            )
    names = ("measured", "foretold", "near", "inside", "width")
    return {
        size: dict(zip(names, np.mean(pairs, axis=0).round(4).tolist(), strict=True)) for size, pairs in told.items()
    }


def added_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By group of targets and size how often what is foretold is near, and its range holds the other."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        which = "held out" if row["held_out"] else "chosen on"
        kind = "with a curve" if row["task"] in CURVED else "without"
        groups.setdefault(f"{which}, {kind}", []).append(row["by_size"])
    return {
        group: {
            "targets": len(of_group),
            **{
                size: {
                    name: round(float(np.mean([one[size][name] for one in of_group])), 3)
                    for name in ("near", "inside", "width")
                }
                for size in of_group[0]
            },
        }
        for group, of_group in groups.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/fit.py", description=__doc__)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--inverted", type=int, default=8)
    parser.add_argument("--audited", type=int, default=8, help="images of the small audit beside own renders")
    parser.add_argument("--seeds", default="40", help="of the pictures, such as 40-42")
    parser.add_argument("--only", choices=("verdicts", "power"))
    parser.add_argument("--out", type=Path, required=True, help="folder of pictures and pilots")
    parser.add_argument("--json", type=Path, help="write the figures here, beside those that are there")
    given = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    if given.only != "power":
        figures["photographs"] = given.photographs
        figures["verdicts"] = verdicts(
            given.photographs, given.inverted, given.audited, seeds_of(given.seeds), given.out
        )
    if given.only != "verdicts":
        rows = power(given.out)
        figures["power"] = {"images": IMAGES, "pilot": PILOT, "near": NEAR, "figures": added_up(rows), "targets": rows}
    figures["environment"] = describe_environment()
    if given.json:
        stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        atomic.write_json(given.json, {**stored, **figures})
    print(json.dumps(figures.get("power", {}).get("figures"), indent=1))


if __name__ == "__main__":
    main()
