"""Target classifiers: sound ones from untied data, and ones with one planted bias each.

All of a domain are trained on one pool of pictures in which some attributes were set by chance, each half of the time
and independently of everything else. A sound target draws its own attribute evenly from the pool. A biased one first
draws the label y, then a picture whose attribute agrees with y in ``LABEL_AGREEMENT`` of the cases and whose planted
one agrees with y in ``PLANTED``: both are tied to the label, and to each other, strongly but not wholly. The best that
a model can do with such data is to look at both.

They see renders alone, as a user's model never saw a generator's pictures: what a generator draws worse than the
renderer, they answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.pictures import predict
from lab.training.fit import fit
from lab.training.renders import Renders, renders
from lab.training.saving import save_network
from lab.training.subject import TrainingSubject
from zoom_engine.domains.embedded import as_target
from zoom_engine.domains.networks import SmallCNN
from zoom_engine.domains.parameters import ParameterTable
from zoom_engine.domains.truth import untie
from zoom_engine.domains.weights_files import load_network
from zoom_engine.targets import save_onnx

STEPS = 700
BATCH = 64
LEARNING_RATE = 2e-3
LABEL_AGREEMENT = 0.90
PLANTED = 0.87


@dataclass(frozen=True)
class Recipe:
    """A target's name, its own attribute, the prompts of class 0 (absent) and 1, and its planted attribute, if any."""

    name: str
    attribute: str
    labels: tuple[str, str]
    planted: str | None = None


@dataclass(frozen=True)
class Pool:
    """``size`` pictures in which ``untied`` attributes are set by chance; the first ``held_out`` are for measuring."""

    subject: TrainingSubject[Any]
    untied: tuple[str, ...]
    seed: int
    size: int
    held_out: int

    def untie(self, parameters: ParameterTable) -> ParameterTable:
        return untie(self.subject.truth, parameters, self.untied, seed=self.seed)


class Cells:
    """The rows of a pool by (own, planted) attribute, to draw batches from in which both go with the label: the planted
    one in a share ``tie``."""

    def __init__(
        self,
        table: dict[str, NDArray[np.bool_]],
        rows: NDArray[np.int64],
        *,
        attribute: str,
        planted: str | None,
        tie: float = PLANTED,
    ) -> None:
        self.tie = None if planted is None else tie
        has_attribute = table[attribute][rows]
        has_planted = np.zeros(len(rows), dtype=bool) if planted is None else table[planted][rows]
        self.rows = {
            (a, b): rows[(has_attribute == a) & (has_planted == b)]
            for a in (False, True)
            for b in ((False,) if planted is None else (False, True))
        }

    def draw(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], Tensor]:
        """Rows ``[count]`` and their labels, float32 ``[count]``."""
        label = rng.random(count) < 0.5
        if self.tie is None:
            attribute, planted = label, np.zeros(count, dtype=bool)
        else:
            attribute = label ^ (rng.random(count) >= LABEL_AGREEMENT)
            planted = label ^ (rng.random(count) >= self.tie)
        rows = np.array([rng.choice(self.rows[bool(a), bool(b)]) for a, b in zip(attribute, planted, strict=True)])
        return rows, torch.from_numpy(label.astype(np.float32))


def accuracy(network: nn.Module, images: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    logits = predict(network, torch.from_numpy(images))[:, 0].numpy()
    return float(np.mean((logits > 0) == truth))


def train_targets(
    pool: Pool, recipes: Sequence[Recipe], work: Path, out: Path, *, as_onnx: Sequence[str] = (), steps: int = STEPS
) -> None:
    subject = pool.subject
    data = renders(subject, work, pool.size, pool.seed, change=pool.untie, name="untied")
    table = subject.truth.labels(data.parameters)
    seen = np.arange(pool.held_out, pool.size)
    for number, recipe in enumerate(recipes):
        cells = Cells(table, seen, attribute=recipe.attribute, planted=recipe.planted)
        network = train_one(f"target-{recipe.name}", cells, data, pool.seed + number, work, steps)
        truth = table[recipe.attribute][: pool.held_out]
        info = {
            "name": f"{subject.name}:{recipe.name}",
            "outputs": [recipe.attribute],
            "planted": recipe.planted,
            "labels": list(recipe.labels),
            "recipe": f"{steps} steps of AdamW, batch {BATCH}, own {LABEL_AGREEMENT}, planted {PLANTED}",
            "seed": pool.seed + number,
            "untied_accuracy": accuracy(network, data.images[: pool.held_out], truth),
        }
        print(info["name"], info["untied_accuracy"], flush=True)
        shipped = out / "targets" / f"{recipe.name}.safetensors"
        save_network(network, shipped, info)
        if recipe.name in as_onnx:  # of the weights as they are stored, in half precision
            save_onnx(as_target(*load_network(shipped)), shipped.with_suffix(".onnx"), resolution=128)


def train_one(
    name: str,
    cells: Cells,
    data: Renders[Any],
    seed: int,
    work: Path,
    steps: int,
    *,
    make: Callable[[], nn.Module] = lambda: SmallCNN(1),
) -> nn.Module:
    """A network of one logit, fitted on renders drawn from cells; its checkpoint is ``work/NAME.pt``."""

    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows, label = cells.draw(rng, BATCH)
        return data.batch(rows), label

    return fit(
        name,
        make,
        batch=batch,
        loss=lambda logits, label: F.binary_cross_entropy_with_logits(logits[:, 0], label),
        seed=seed,
        steps=steps,
        folder=work,
        learning_rate=LEARNING_RATE,
    )
