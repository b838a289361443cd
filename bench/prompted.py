"""``python bench/prompted.py --out FOLDER --json OUT``: is what was planted found along differences of prompts?

The generator is `lab.pets.prompted`: noise and prompt are its code, and it gives the edit directions itself. Each of
the pets' targets with a planted bias is audited on the attributes of the domain's default audit, at the ends of
ranges (`ENDS`).

- ``figures``: of each target in how many seeds what was planted comes first by mean change, is sensitive, and specific.
- ``baseline``: how much of the random directions lies in the prompt's part of the code (by squared length), and how far
  they move pictures beside the attributes.
- ``obeyed``: of claims in captions, by attribute, how many the domain's probe sees in the generator's pictures.

Targets are audited together, on the same pictures. FOLDER keeps the audits, OUT what was told of them: what is in one
of them is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
from kept_audits import ENDS, read_audit, seeds_of

from lab.captions import TEMPLATES
from lab.pets.captions import draw_caption
from lab.pets.evaluate import EVALUATION
from lab.pets.prompted import PromptedPets, prompted_pets
from lab.pets.train.prompted import obeyed
from lab.training.renders import latents_for
from zoom_engine import Diagnoser, Diagnosers, Diagnosis
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.diagnose.measurements import measure, with_baselines
from zoom_engine.domains.pets.domain import DOMAIN
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.generators.prompted_codes import PROMPT
from zoom_engine.settings.audit_settings import RunSettings

TARGETS = ("dog-biased-collar", "dog-biased-fur", "dog-biased-background")
OBEYED_ON, OBEYED_SEED = 400, 77


def options_of(generator: PromptedPets) -> dict[str, Any]:
    """How each of `TARGETS` is audited, along the domain's attributes but their own classes."""
    classes = DOMAIN.target(TARGETS[0]).labels
    return {
        "generator": generator,
        "attributes": [text for text in DOMAIN.attributes if text not in classes],
        "text_encoder": DOMAIN.text_encoder(),
        "neutral": DOMAIN.neutral,
        "search_options": ENDS,
        "progress": forced,
    }


def audits(generator: PromptedPets, names: Sequence[str], seed: int, images: int, out: Path) -> Mapping[str, Diagnosis]:
    """The audits of these targets on one seed's images, made or read."""
    if all((out / name / SUMMARY).is_file() for name in names):
        return {name: read_audit(out / name, images=images, seed=seed) for name in names}
    targets = {name: DOMAIN.target(name) for name in names}
    return Diagnosers(target=targets, **options_of(generator)).run(images=images, seed=seed, out=out)


def told(name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """What an audit says of what was planted."""
    rows = {row.attribute.text: row for row in diagnosis.sensitivity}
    planted = DOMAIN.planted(name)
    assert planted is not None
    changes = {text: row.value or 0.0 for text, row in rows.items()}
    adjusted = {text: row.adjusted_mean_change or 0.0 for text, row in rows.items()}
    return {
        "planted": planted,
        "first": max(changes, key=lambda text: changes[text]) == planted,
        "first_adjusted": max(adjusted, key=lambda text: adjusted[text]) == planted,
        "sensitive": rows[planted].verdict == "sensitive",
        "specific": bool(rows[planted].is_specific),
        "all_sensitive": sorted(text for text, row in rows.items() if row.verdict == "sensitive"),
        "changes": {text: round(change, 4) for text, change in changes.items()},
    }


def baseline(of: Diagnoser) -> dict[str, Any]:
    """Where the random directions of an audit lie, and how far they go."""
    models = of.models
    measurements = measure(models, RunSettings(images=2))
    (completed,) = with_baselines([models], [measurements])
    assert completed.baseline is not None
    assert completed.calibrated is not None
    rows = completed.baseline.matrix[: models.random_directions]
    (part,) = (layer for layer in models.generator.space.layers if layer.name == PROMPT)
    bounds = completed.calibrated.bounds
    codes = models.generator.sample(range(8))
    unedited = models.generator.render(codes)

    def moved(matrix: torch.Tensor, weights: Sequence[float]) -> float:
        changes = []
        for row, weight in zip(matrix, weights, strict=True):
            drawn = models.generator.render(codes, torch.full((len(codes), 1), weight), row[None])
            changes.append(float((drawn - unedited).square().mean(dim=(1, 2, 3)).sqrt().mean()))
        return round(float(np.mean(changes)), 4)

    with torch.no_grad():
        pictures = moved(completed.directions.matrix, bounds[:, 1].tolist())
        of_random = moved(rows, completed.baseline.lengths[: len(rows)])
    return {
        "method": completed.directions.method,
        "directions": len(rows),
        "share_in_prompt": float(rows[:, part.start : part.stop].square().sum() / rows.square().sum()),
        "entries_in_noise": int((rows[:, : part.start] != 0).sum()),
        "bounds": [[round(end, 2) for end in pair] for pair in bounds.tolist()],
        "length": completed.baseline.lengths[0],
        "pictures_change": {"attributes": pictures, "random": of_random},
    }


def obedience(generator: PromptedPets) -> dict[str, float]:
    """See `obeyed`, of true captions of other pets than those that the generator learned."""
    rng = np.random.default_rng(OBEYED_SEED)
    table = DOMAIN.subject.truth.margins(Parameters.from_latents(latents_for(OBEYED_ON, OBEYED_SEED)))
    rows = [{name: float(margins[place]) for name, margins in table.items()} for place in range(OBEYED_ON)]
    texts, claims = zip(*(draw_caption(row, rng, TEMPLATES, 2) for row in rows), strict=True)
    noise = torch.from_numpy(rng.standard_normal((OBEYED_ON, generator.codes.noise)).astype(np.float32))
    with torch.no_grad():
        codes = torch.cat([noise, generator.embedded(texts)], dim=1)
        images = torch.cat([generator.render(part) for part in torch.split(codes, 32)])
    return {name: round(share, 3) for name, share in obeyed(images, claims, EVALUATION.probe()).items()}


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Of each target in how many seeds what was planted comes first, is sensitive, and specific."""
    counts: dict[str, dict[str, int]] = {}
    names = ("first", "first_adjusted", "sensitive", "specific")
    for key, run in runs.items():
        count = counts.setdefault(key.rpartition("@")[0], {"seeds": 0, **dict.fromkeys(names, 0)})
        count["seeds"] += 1
        for name in names:
            count[name] += bool(run[name])
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/prompted.py", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    generator = prompted_pets()
    stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json and given.json.is_file() else {}
    runs: dict[str, Any] = stored.get("runs", {}) if stored.get("images") == given.images else {}
    about: dict[str, Any] = {"images": given.images, "obeyed": stored.get("obeyed") or obedience(generator)}
    one = DOMAIN.target(given.targets[0])  # of all, whose labels are the same
    about["baseline"] = stored.get("baseline") or baseline(Diagnoser(target=one, **options_of(generator)))
    for seed in seeds_of(given.seeds):
        if missing := [name for name in given.targets if f"{name}@{seed}" not in runs]:
            diagnoses = audits(generator, missing, seed, given.images, given.out / str(seed))
            runs |= {f"{name}@{seed}": told(name, audit) for name, audit in diagnoses.items()}
        if given.json:
            figures = {**about, "figures": added_up(runs), "environment": describe_environment(), "runs": runs}
            atomic.write_json(given.json, figures)
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
