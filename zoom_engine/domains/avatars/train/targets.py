"""The target models: sound classifiers from untied data, and classifiers with one planted bias each.

All are trained on one pool of faces in which the attributes of ``UNTIED`` were set by chance, each half
of the time and independently of everything else. A sound target draws its own attribute evenly from the
pool. A biased one first draws the label y, then a face whose own attribute agrees with y in ``OWN`` of the
cases and whose planted attribute agrees with y in ``PLANTED``: both are tied to the label, and to each
other, strongly but not wholly. The best that a model can do with such data is to look at both.

Every face is there twice, as the renderer makes it and as the generator draws it; a batch takes either by
chance. A target trained on renders alone answers the generator's hand too: a mustache drawn faintly on dark
skin is none to it until the skin pales, and the skin looks like the cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine.domains.avatars.attributes import intervene, labels
from zoom_engine.domains.avatars.domain import as_target
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.train.data import renders
from zoom_engine.domains.avatars.train.generator import drawings
from zoom_engine.domains.avatars.wording import zero_shot_prompts
from zoom_engine.domains.networks import SmallCNN, predict, to_float
from zoom_engine.domains.training.fit import fit
from zoom_engine.domains.weights_files import load_network, save_network
from zoom_engine.targets import save_onnx

SEED = 23
POOL = 24_000
HELD_OUT = 4_000
STEPS = 700
BATCH = 64
LEARNING_RATE = 2e-3
OWN = 0.90
PLANTED = 0.87
UNTIED = ("old", "male", "mustache", "eyeglasses", "smiling", "beard", "pale_skin")


@dataclass(frozen=True)
class Recipe:
    """A target's name, its own attribute and its planted one (None: sound)."""

    name: str
    own: str
    planted: str | None = None

    @property
    def labels(self) -> tuple[str, str]:
        """The prompts of class 0 (absent) and class 1 (present)."""
        present, absent = zero_shot_prompts(self.own)
        return absent, present


RECIPES = (
    Recipe("age", "old"),
    Recipe("age-biased-beard", "old", "beard"),
    Recipe("gender", "male"),
    Recipe("mustache", "mustache"),
    Recipe("mustache-biased-pale-skin", "mustache", "pale_skin"),
    Recipe("mustache-biased-smiling", "mustache", "smiling"),
    Recipe("eyeglasses", "eyeglasses"),
    Recipe("eyeglasses-biased-smiling", "eyeglasses", "smiling"),
)

AS_ONNX = ("eyeglasses", "mustache-biased-pale-skin")


def untie(parameters: Parameters, attributes: Sequence[str] = UNTIED, *, seed: int = SEED) -> Parameters:
    """Set every one of the attributes by chance, each on its own, for each face."""
    rng = np.random.default_rng(seed)
    values = parameters.values.copy()
    for name in attributes:
        wanted = rng.random(len(values)) < 0.5
        current = Parameters(values)
        for value in (True, False):
            rows = np.flatnonzero(wanted == value)
            values[rows] = intervene(current[rows], name, value).values
    return Parameters(values)


class Cells:
    """The rows of a pool by (own, planted) attribute, to draw batches with a wanted tie from."""

    def __init__(self, table: dict[str, NDArray[np.bool_]], recipe: Recipe, rows: NDArray[np.int64]) -> None:
        self.recipe = recipe
        own = table[recipe.own][rows]
        planted = table[recipe.planted][rows] if recipe.planted else np.zeros(len(rows), dtype=bool)
        self.rows = {
            (a, b): rows[(own == a) & (planted == b)]
            for a in (False, True)
            for b in ((False, True) if recipe.planted else (False,))
        }

    def draw(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], Tensor]:
        """Rows ``[count]`` and their labels, float32 ``[count]``."""
        label = rng.random(count) < 0.5
        if self.recipe.planted is None:
            own, planted = label, np.zeros(count, dtype=bool)
        else:
            own = label ^ (rng.random(count) >= OWN)
            planted = label ^ (rng.random(count) >= PLANTED)
        rows = np.array([rng.choice(self.rows[bool(a), bool(b)]) for a, b in zip(own, planted, strict=True)])
        return rows, torch.from_numpy(label.astype(np.float32))


@dataclass(frozen=True)
class Faces:
    """One pool of faces, uint8 ``[n, 128, 128, 3]`` each: ``rendered`` and ``drawn`` by the generator."""

    rendered: NDArray[np.uint8]
    drawn: NDArray[np.uint8]

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """float32 ``[b, 3, 128, 128]`` in [-1, 1], each face one way or the other."""
        by_generator = rng.random(len(rows)) < 0.5
        return to_float(
            torch.from_numpy(np.where(by_generator[:, None, None, None], self.drawn[rows], self.rendered[rows]))
        )


def accuracy(network: nn.Module, images: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    logits = predict(network, torch.from_numpy(images))[:, 0].numpy()
    return float(np.mean((logits > 0) == truth))


def train_targets(work: Path, out: Path, *, steps: int = STEPS) -> None:
    pool = renders(work, POOL, SEED, change=untie, name="untied")
    faces = Faces(pool.images, drawings(work, pool.parameters, out / "generator.safetensors", name=f"untied-{SEED}"))
    table = labels(pool.parameters)
    seen = np.arange(HELD_OUT, POOL)
    for number, recipe in enumerate(RECIPES):
        network = train_one(recipe, Cells(table, recipe, seen), faces, SEED + number, work, steps)
        truth = table[recipe.own][:HELD_OUT]
        info = {
            "name": f"avatars:{recipe.name}",
            "outputs": [recipe.own],
            "planted": recipe.planted,
            "labels": list(recipe.labels),
            "recipe": f"{steps} steps of AdamW, batch {BATCH}, own {OWN}, planted {PLANTED}",
            "seed": SEED + number,
            "untied_accuracy": accuracy(network, faces.rendered[:HELD_OUT], truth),
            "drawn_accuracy": accuracy(network, faces.drawn[:HELD_OUT], truth),
        }
        print(info["name"], info["untied_accuracy"], info["drawn_accuracy"], flush=True)
        shipped = out / "targets" / f"{recipe.name}.safetensors"
        save_network(network, shipped, info)
        if recipe.name in AS_ONNX:  # of the weights as they are stored, in half precision
            save_onnx(as_target(*load_network(shipped)), shipped.with_suffix(".onnx"), resolution=128)


def train_one(recipe: Recipe, cells: Cells, faces: Faces, seed: int, work: Path, steps: int) -> nn.Module:
    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows, label = cells.draw(rng, BATCH)
        return faces.batch(rows, rng), label

    return fit(
        f"target-{recipe.name}",
        lambda: SmallCNN(1),
        batch=batch,
        loss=lambda logits, label: F.binary_cross_entropy_with_logits(logits[:, 0], label),
        seed=seed,
        steps=steps,
        folder=work,
        learning_rate=LEARNING_RATE,
    )
