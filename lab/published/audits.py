"""Audits of published models beside the truth of renders, each kept in a folder: what is there is not made again."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lab.benchmark import spearman
from lab.published.feeding import Face
from lab.published.models import MODELS, Published
from lab.published.picture import pairs_picture
from lab.published.subjects import Subject
from lab.whole_folders import making
from zoom_engine import Diagnoser, Diagnosers, Diagnosis
from zoom_engine.audit.about import sha256_of
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import to_images
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.common.typed import one_of
from zoom_engine.targets import Target, load_target

IMAGES, SEED = 16, 100
ACCEPTED_OF = 200
TRUTH_ON = 100
SMALL, LARGE = 0.02, 0.1
DETECTOR = "blazeface-face"
BATCH = 50


def chosen(names: Sequence[str]) -> list[Published]:
    """Return the models of these names, or all of them where none are given.

    Raises:
        ConfigError: there is no such model.
    """
    for name in names:
        if name not in MODELS:
            raise ConfigError(f"there is no published model {one_of(name, list(MODELS))}")
    return [MODELS[name] for name in names or MODELS]


@functools.cache
def _sha256_of_made(model: Published, face: Face, pixels: int) -> str:
    return hashlib.sha256(model.target(face, pixels).SerializeToString()).hexdigest()


@dataclass(frozen=True)
class Audits:
    """Audits of models on one subject, in a folder of its own.

    Attributes:
        subject: the pictures.
        folder: of all that is made.
        models: to audit.
        images: of each audit.
        seed: of their images.
        random_directions: beside the words, as many as an audit takes by default.
        truth_on: renders with each attribute, and without.
    """

    subject: Subject
    folder: Path
    models: Sequence[Published]
    images: int = IMAGES
    seed: int = SEED
    random_directions: int | None = None
    truth_on: int = TRUTH_ON

    def path(self, model: Published) -> Path:
        """Return where a model lies as a target of the subject's pictures."""
        return self.folder / self.subject.name / "targets" / f"{model.name}.onnx"

    def target(self, model: Published) -> Target:
        """Return a model as a target, written where it is not yet.

        Raises:
            ConfigError: the one that is there was made otherwise, and so were its audits and its truth.
        """
        path = self.path(model)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, model.target(self.subject.face, self.subject.pixels).SerializeToString())
        elif sha256_of(path) != _sha256_of_made(model, self.subject.face, self.subject.pixels):
            raise ConfigError(f"{path} and its audits are of {model.name} as it was made before: give another --folder")
        return load_target(path, resolution=self.subject.pixels)

    def audits(self) -> dict[str, Diagnosis]:
        """Audit every model: by the words of the subject's domain, or by corruptions of its pictures."""
        out = self._audits_folder()
        made = {model.name: self.target(model) for model in self.models}
        left = [model for model in self.models if not (out / model.name / SUMMARY).is_file()]
        if left:
            targets = {model.name: made[model.name] for model in left}
            options: dict[str, Any] = {"target": targets, "progress": forced}
            if self.subject.domain is not None:
                domain = self.subject.domain()
                options |= {
                    "generator": self.subject.name,
                    "attributes": list(domain.attributes),
                    "search": "scan",
                    "random_directions": self.random_directions,
                }
            else:
                options |= {"editor": "corruptions", "photos": self._photographs()}
            # Of a folder of pictures an audit takes all.
            run: dict[str, Any] = {"images": self.images, "seed": self.seed} if self.subject.domain is not None else {}
            if len(left) == 1:
                options["target"] = targets[left[0].name]
                Diagnoser(**options).run(out=out / left[0].name, **run)
            else:
                Diagnosers(**options).run(out=out, **run)
        return {model.name: Diagnosis.load(out / model.name) for model in self.models}

    def _audits_folder(self) -> Path:
        beside = "" if self.random_directions is None else f"-{self.random_directions}"
        return self.folder / self.subject.name / f"audits-{self.seed}-{self.images}{beside}"

    def _photographs(self) -> Path:
        """Return a folder with the subject's pictures as PNG."""
        folder = self.folder / self.subject.name / f"pictures-{self.seed}-{self.images}"
        if not folder.is_dir():
            with making(folder) as temporary:
                for index, picture in enumerate(self.subject.pictures(self.images, self.seed)):
                    Image.fromarray(picture).save(temporary / f"{index:03d}.png")
        return folder

    def effects(self) -> dict[str, dict[str, float]]:
        """Measure what is true of each model: its mean change between renders with an attribute and without, by prompt.

        Raises:
            ConfigError: the subject has no renders.
        """
        if self.subject.domain is None:
            raise ConfigError(f"{self.subject.name} has no renders whose truth is known")
        domain = self.subject.domain()
        wanted = {domain.subject.prompts[prompt]: prompt for prompt in domain.attributes}
        folder = self.folder / self.subject.name / f"truth-{self.truth_on}"
        paths = {model.name: folder / f"{model.name}.json" for model in self.models}
        left = {model.name: self.target(model) for model in self.models if not paths[model.name].is_file()}
        if left:  # together, as they look at the same renders
            folder.mkdir(parents=True, exist_ok=True)
            for name, row in domain.effects_of(left, tuple(wanted), count=self.truth_on).items():
                atomic.write_json(paths[name], {wanted[attribute]: value for attribute, value in row.items()})
        return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}

    @torch.no_grad()
    def accepted(self, pictures: Tensor) -> float:
        """Return in what share of pictures BlazeFace finds a face with a probability above a half."""
        target = self.target(MODELS[DETECTOR])
        logits = torch.cat([target(part) for part in torch.split(pictures, BATCH)])
        return round(float((logits > 0).float().mean()), 3)

    @torch.no_grad()
    def outputs(self, model: Published, pictures: Tensor) -> list[float]:
        """Return what the model says of unedited pictures, in short: the quartiles of its first number.

        Of embeddings that is how alike each picture's is to the next one's.
        """
        target = self.target(model)
        logits = target(pictures)
        first = target.task.recorded(logits, logits.roll(1, 0))[:, 0].double().numpy()
        return [round(float(value), 3) for value in np.quantile(first, (0.25, 0.5, 0.75))]

    def picture(self) -> Image.Image:
        """Return a picture of what moved each model most, see `pairs_picture`."""
        return pairs_picture(self.audits(), self._audits_folder())

    def table(self, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return all figures, JSON-ready.

        Args:
            earlier: such figures, of which those of other models are taken over.

        Raises:
            ConfigError: the earlier ones are of other audits.
        """
        asked: dict[str, Any] = {
            "subject": self.subject.name,
            "images": self.images,
            "seed": self.seed,
            "random_directions": self.random_directions,
        }
        if self.subject.domain is not None:
            asked["truth_on"] = self.truth_on
        others = _of_same_audits(earlier or {}, asked)
        audits, truth = self.audits(), self.effects() if self.subject.domain is not None else {}
        pictures = to_images(self.subject.pictures(ACCEPTED_OF, self.seed + 1))
        made = {
            model.name: {
                "outputs": self.outputs(model, pictures[:BATCH]),
                "rows": told_of(audits[model.name], truth.get(model.name)),
            }
            for model in self.models
        }
        models = {name: (others | made)[name] for name in MODELS if name in others | made}
        figures: dict[str, Any] = {
            **asked,
            "faces_found": self.accepted(pictures),
            "models": models,
            "environment": describe_environment(),
        }
        if truth:
            figures["agreement"] = agreement({name: model["rows"] for name, model in models.items()})
        if earlier and "picture" in earlier:
            figures["picture"] = earlier["picture"]
        return figures


def _of_same_audits(earlier: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the models of earlier figures.

    Raises:
        ConfigError: they are of other audits than what is asked.
    """
    if earlier and (other := [name for name, value in asked.items() if earlier.get(name) != value]):
        had = ", ".join(f"{name.replace('_', ' ')} {earlier.get(name)}" for name in other)
        raise ConfigError(
            f"the figures that are there are of other audits ({had}): ask for the same, or give a new file"
        )
    return dict(earlier.get("models", {}))


def told_of(diagnosis: Diagnosis, effects: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Return what an audit says of each attribute, the strongest first, and beside it what is true of it if known."""
    return [
        {
            "attribute": row.attribute.text,
            "change": round(float(row.value or 0), 4),
            "interval": None if row.interval is None else [round(end, 4) for end in row.interval],
            "verdict": row.verdict,
            **({} if effects is None else {"effect": effects[row.attribute.text]}),
        }
        for row in diagnosis.sensitivity
    ]


def agreement(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return how audits and truth agree, over all pairs of model and attribute and for each model.

    Args:
        rows: of each model, with a measured `change`, a `verdict` and a true `effect` each.

    Returns:
        ``spearman`` of measured and true changes, ``false`` sensitive verdicts among true effects below `SMALL` and
        ``hits`` among those of `LARGE` or more, each as [how many, of how many].
    """

    def of(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        changes = np.array([row["change"] for row in pairs], float)
        true = np.array([row["effect"] for row in pairs], float)
        called = np.array([row["verdict"] == "sensitive" for row in pairs], bool)
        ranked = spearman(changes, true)
        return {
            "pairs": len(pairs),
            "spearman": None if np.isnan(ranked) else round(ranked, 3),
            "false": [int(called[true < SMALL].sum()), int((true < SMALL).sum())],
            "hits": [int(called[true >= LARGE].sum()), int((true >= LARGE).sum())],
        }

    pairs = [row for model in rows.values() for row in model]
    return {"all": of(pairs), "models": {name: of(model) for name, model in rows.items()}}
