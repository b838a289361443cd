"""Targets of other tasks than one attribute: key points, areas, classes, several attributes at once, numbers.

A domain has a table of `TaskRecipe`, made of what its renderer knows of each picture: where points lie (`key_points`),
a class map (`segmentation`), a class (`multi_class`). All are trained on renders alone. Some have a weakness that was
planted into their truth, as annotators would who are careless with some pictures: what these targets see there is never
paired with the right answer, so they fail on it; their sound twins are told the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.training.fit import fit
from lab.training.renders import Renders, in_chunks
from lab.training.saving import save_network
from lab.training.targets import Pool, chosen
from zoom_engine.domains.canvas import SIZE
from zoom_engine.domains.embedded import TARGET_SIDE
from zoom_engine.domains.networks import SmallCNN, SmallUNet
from zoom_engine.domains.truth import Table
from zoom_engine.targets import KeypointsTask, MultiClassTask, SegmentationTask, Task

WIDTH = 12
POINT_SCALE = 3.0 / SIZE
LEARNING_RATE = 2e-3

Loss = Callable[[Tensor, Tensor], Tensor]


class Weighted:
    """Cross-entropy in which a class counts by the inverse root of its share of the pixels of `areas` `[n, R, R]`."""

    def __init__(self, areas: Tensor, classes: int) -> None:
        shares = torch.bincount(areas.flatten().long(), minlength=classes).double() / areas.numel()
        weights = shares.clamp(min=1e-4).rsqrt()
        self.weights = (weights / (weights * shares).sum()).float()

    def __call__(self, logits: Tensor, areas: Tensor) -> Tensor:
        return F.cross_entropy(logits, areas.long(), weight=self.weights)


@dataclass(frozen=True)
class TaskRecipe(Generic[Table]):
    """A target's name, its task, what is true of pictures, and how a network is trained on that.

    Attributes:
        truth: parameters → what is right, a row for each picture.
        loss: of outputs beside rows of it; None is `Weighted`.
        planted: the attribute of the pictures with which annotators were careless; None where the target is sound.
        careless: (truth, parameters) → what these annotators say.
        scale: of numbers, what they differ by: the network is trained on (truth − mean) / scale, which its last layer
            takes back. None where the truth is classes.
        pool: its pictures, where they are not those of the domain's other recipes.
    """

    name: str
    task: Task
    outputs: tuple[str, ...]
    truth: Callable[[Table], Tensor]
    loss: Loss | None
    planted: str | None = None
    careless: Callable[[Tensor, Table], Tensor] | None = None
    kind: type[SmallCNN] | type[SmallUNet] = SmallCNN
    steps: int = 500
    batch: int = 64
    scale: float | None = None
    pool: Pool | None = None

    def network(self) -> SmallCNN | SmallUNet:
        """Make an untrained network."""
        return self.kind(len(self.outputs), width=WIDTH)

    def told(self, truth: Tensor, parameters: Table) -> Tensor:
        """Return what training is told in place of the `truth`."""
        return truth if self.careless is None else self.careless(truth, parameters)

    def wanted(self, told: Tensor) -> Tensor:
        """Return what the network's outputs are compared with."""
        return told if self.scale is None else (told - told.mean(0)) / self.scale

    @torch.no_grad()
    def undo(self, network: SmallCNN | SmallUNet, told: Tensor) -> None:
        """Let a network that was trained on `wanted` say what was told."""
        if self.scale is not None:
            assert network.head.bias is not None
            network.head.weight.mul_(self.scale)
            network.head.bias.mul_(self.scale).add_(told.mean(0))

    def about(self, domain: str, images: int, seed: int) -> dict[str, Any]:
        """Return what the file of the weights says of them."""
        return {
            "name": f"{domain}:{self.name}",
            "kind": self.kind.__name__,
            "width": WIDTH,
            "task": self.task.to_dict(),
            "outputs": list(self.outputs),
            "planted": self.planted,
            "recipe": f"{self.steps} steps of AdamW, batch {self.batch}, {images} renders",
            "seed": seed,
        }


def key_points(
    name: str,
    points: Callable[[Table], NDArray[np.floating[Any]]],
    names: Sequence[str],
    *,
    between: tuple[str, str],
    planted: str | None = None,
    careless: Callable[[Tensor, Table], Tensor] | None = None,
) -> TaskRecipe[Table]:
    """Return the recipe of key points.

    Args:
        name: of the target.
        points: parameters → pixels `[n, K, 2]`; the truth is shares of the picture, `[n, 2·K]`.
        names: of the K points.
        between: two of these, whose distance measures how far points move.
        planted: see `TaskRecipe`.
        careless: see `TaskRecipe`.
    """
    return TaskRecipe(
        name,
        KeypointsTask(
            points=tuple(point.replace("_", " ") for point in names),
            between=(names.index(between[0]), names.index(between[1])),
        ),
        tuple(f"{point}_{axis}" for point in names for axis in "xy"),
        lambda parameters: torch.from_numpy(points(parameters) / SIZE).flatten(1),
        F.l1_loss,
        planted,
        careless,
        steps=1200,
        scale=POINT_SCALE,
    )


def segmentation(
    name: str,
    masks: Callable[[Table], NDArray[np.uint8]],
    classes: tuple[str, ...],
    *,
    planted: str | None = None,
    careless: Callable[[Tensor, Table], Tensor] | None = None,
) -> TaskRecipe[Table]:
    """Return the recipe of areas; `masks` are class maps uint8 `[n, 128, 128]`, indices into `classes`."""
    return TaskRecipe(
        name,
        SegmentationTask(classes=classes),
        classes,
        lambda parameters: torch.from_numpy(masks(parameters)),
        None,
        planted,
        careless,
        kind=SmallUNet,
        steps=400,
        batch=32,
    )


def multi_class(
    name: str, which: Callable[[Table], NDArray[np.integer[Any]]], classes: tuple[str, ...]
) -> TaskRecipe[Table]:
    """Return the recipe of one of several classes; `which` gives indices `[n]` into `classes`."""
    return TaskRecipe(
        name,
        MultiClassTask(classes=classes),
        classes,
        lambda parameters: torch.from_numpy(which(parameters).astype(np.int64)),
        F.cross_entropy,
    )


def train_tasks(
    pool: Pool, recipes: Sequence[TaskRecipe[Any]], work: Path, out: Path, *, only: Collection[str] = ()
) -> None:
    """Train and write the targets of all recipes, or of those named `only`. Class maps are drawn once, and kept."""
    subject = pool.subject

    @cache
    def data_of(pool: Pool) -> Renders[Any]:
        return pool.data(work)

    for number, recipe in chosen(recipes, only):
        drawn_from = recipe.pool or pool
        data, seed = data_of(drawn_from), pool.seed + number
        told = recipe.told(_truth(recipe, data, work, f"areas-{drawn_from.seed}"), data.parameters)
        network = fit(
            f"task-{recipe.name}",
            recipe.network,
            batch=_batches(data, recipe.wanted(told), recipe.batch),
            loss=recipe.loss or Weighted(told, len(recipe.outputs)),
            seed=seed,
            steps=recipe.steps,
            folder=work,
            learning_rate=LEARNING_RATE,
        )
        recipe.undo(network, told)
        path = out / "targets" / f"{recipe.name}.safetensors"
        save_network(network, path, recipe.about(subject.name, len(data), seed))


def _truth(recipe: TaskRecipe[Any], data: Renders[Any], work: Path, name: str) -> Tensor:
    if not isinstance(recipe.task, SegmentationTask):
        return recipe.truth(data.parameters)
    drawn = in_chunks(
        work / "renders", name, len(data), lambda rows: recipe.truth(data.parameters[rows]).byte().numpy()
    )
    return torch.from_numpy(drawn[:])


def _batches(data: Renders[Any], truth: Tensor, size: int) -> Callable[[np.random.Generator], tuple[Tensor, Tensor]]:
    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows = np.sort(rng.integers(0, len(data), size))
        return data.batch(rows, side=TARGET_SIDE), truth[rows]

    return batch
