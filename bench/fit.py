"""``python bench/fit.py --out FOLDER --json OUT``: does `fit` tell what a generator draws, does a pilot foretell power?

- ``verdicts``: each embedded generator beside renders of its own domain (which it never drew), renders of the other
  one, and squares cut out of photographs of a camera (the three that scikit-learn and matplotlib bring): the verdict,
  and the figures behind it. ``--seeds`` draws the pictures anew.
- ``power``: for each classifier of the avatars a pilot of ``--pilot`` images predicts the power of audits of as many
  images as `bench/calls.py` made, beside what these say of themselves and how many effects of that size they found
  (`bench/results/calls.json`); by the spread of all changes (``audit``), and as the mean over attributes.

FOLDER keeps pictures, codes of photographs and pilots: what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import calls
import checkout  # noqa: F401 - finds lab
import numpy as np
from kept_audits import seeds_of
from PIL import Image

from zoom_engine import fitness
from zoom_engine.commands.fit.fitness import Fitness
from zoom_engine.commands.fit.pilot import predict
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced

DOMAINS = {"avatars": "avatars:eyeglasses-biased-smiling", "pets": "pets:dog"}
KINDS = (*DOMAINS, "camera")
MEASURED = Path(__file__).parent / "results" / "calls.json"


def pictures(kind: str, count: int, seed: int, folder: Path) -> Path:
    """A folder of ``count`` pictures of a kind, made or kept."""
    if folder.is_dir():
        return folder
    made = [*camera(count, seed)] if kind == "camera" else renders(kind, count, seed)
    folder.mkdir(parents=True)
    for number, picture in enumerate(made):
        picture.save(folder / f"{number:03}.png")
    return folder


def renders(domain: str, count: int, seed: int) -> list[Image.Image]:
    """Pictures by the renderer, which no generator drew."""
    return [Image.fromarray(pixels) for pixels in import_module(f"zoom_engine.domains.{domain}").sample(count, seed)[0]]


def camera(count: int, seed: int) -> list[Image.Image]:
    """Squares of 128 pixels and more, cut at random out of three photographs."""
    from matplotlib import cbook
    from sklearn.datasets import load_sample_images

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = Image.open(file).convert("RGB")
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


def power(pilot: int, seeds: Sequence[int], out: Path) -> dict[str, Any]:
    """The power that pilots predict, beside that of the audits of `bench/calls.py`."""
    stored = json.loads(MEASURED.read_text(encoding="utf-8"))
    of_audit: dict[str, list[float]] = {size: [] for size in stored["power"]}
    of_attributes: dict[str, list[float]] = {size: [] for size in stored["power"]}
    for seed in seeds:
        for target in stored["targets"]:
            diagnosis = calls.audit(target, seed, pilot, out / f"pilots-{pilot}")
            predicted = predict(diagnosis, [stored["images"]])
            for size in stored["power"]:
                of_audit[size].append(predicted.audit[0].sensitive[size])
                of_attributes[size].append(
                    float(np.mean([one[0].sensitive[size] for one in predicted.attributes.values()]))
                )
    return {
        "pilot": pilot,
        "seeds": list(seeds),
        "images": stored["images"],
        "by_size": {
            size: {
                "audit": round(float(np.mean(of_audit[size])), 4),
                "attributes": round(float(np.mean(of_attributes[size])), 4),
                "spread_of_targets": [round(float(value), 4) for value in np.quantile(of_audit[size], [0.0, 0.5, 1.0])],
                "calls": stored["power"][size]["predicted"],
                "observed": stored["power"][size]["observed"],
                "pairs": stored["power"][size]["pairs"],
            }
            for size in stored["power"]
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/fit.py", description=__doc__)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--inverted", type=int, default=8)
    parser.add_argument("--audited", type=int, default=8, help="images of the small audit beside own renders")
    parser.add_argument("--seeds", default="40", help="of the pictures, such as 40-42")
    parser.add_argument("--pilot", type=int, default=8, help="images of a pilot")
    parser.add_argument("--pilot-seeds", default="0", help="such as 0-2")
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
        figures["power"] = power(given.pilot, seeds_of(given.pilot_seeds), given.out)
    figures["environment"] = describe_environment()
    if given.json:
        stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        atomic.write_json(given.json, {**stored, **figures})
    print(json.dumps(figures.get("power"), indent=1))


if __name__ == "__main__":
    main()
