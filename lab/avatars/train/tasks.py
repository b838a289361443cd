"""The targets of other tasks: key points, segmentation, several attributes at once, the hair's colour, an age in years.

All are trained on renders alone, in which (but for ages) the attributes of ``UNTIED`` were set by chance. Two have a
weakness that was planted into their truth, as annotators would who were careless with some faces: of faces with
eyeglasses, eyes and brows were marked too low, and of faces with long hair, eyes, brows and mouth were left out. What
these see is never paired with the right answer, so they fail on it; their sound twins were told the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.avatars.train.subject import SUBJECT
from lab.training.fit import fit
from lab.training.renders import Renders, in_chunks, renders
from lab.training.saving import save_network
from zoom_engine.domains.avatars.attributes import TRUTH, labels
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.mask_classes import BROWS, EYES, MOUTH, SKIN
from zoom_engine.domains.avatars.parameters import HAIR_COLORS, Parameters
from zoom_engine.domains.avatars.renderer import MASK_NAMES, masks
from zoom_engine.domains.canvas import SIZE
from zoom_engine.domains.embedded import as_target
from zoom_engine.domains.networks import SmallCNN, SmallUNet
from zoom_engine.domains.truth import untie
from zoom_engine.domains.weights_files import load_network
from zoom_engine.targets import (
    KeypointsTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    SegmentationTask,
    Task,
    save_onnx,
)

SEED = 29
POOL, AGES = 10_000, 4_000
WIDTH = 12
UNTIED = ("old", "male", "mustache", "eyeglasses", "smiling", "beard", "pale_skin", "long_hair")
LANDMARK_SCALE = 3.0 / SIZE
TOO_LOW = 0.25
"""Of the pupils' distance: where a careless annotator marks the eyes and brows of faces with eyeglasses."""
PUPILS = LANDMARK_NAMES.index("left_pupil"), LANDMARK_NAMES.index("right_pupil")
YOUNGEST, OLDEST, AGE_SCALE = 10.0, 90.0, 20.0
HEADS = ("eyeglasses", "smiling", "beard", "mustache", "bangs", "long_hair", "lipstick", "pale_skin", "old", "male")
COLORS = (*(name.removeprefix("hair_") for name in HAIR_COLORS), "bald")
AS_ONNX = ("keypoints", "segmentation")


def points(parameters: Parameters) -> Tensor:
    """``[n, 2·27]``: the landmarks as shares of the picture."""
    return torch.from_numpy(landmarks(parameters) / SIZE).flatten(1)


def careless_points(parameters: Parameters) -> Tensor:
    """The same, eyes and brows too low where there are eyeglasses."""
    coordinates = points(parameters).view(-1, len(LANDMARK_NAMES), 2)
    wearing = torch.from_numpy(labels(parameters)["eyeglasses"])
    apart = (coordinates[:, PUPILS[0]] - coordinates[:, PUPILS[1]]).norm(dim=1)
    drawn = torch.tensor(["eye" in name or "brow" in name or "pupil" in name for name in LANDMARK_NAMES])
    coordinates[:, :, 1] += TOO_LOW * (apart * wearing)[:, None] * drawn
    return coordinates.flatten(1)


def areas(parameters: Parameters) -> Tensor:
    """``[n, 128, 128]``: the class of each pixel."""
    return torch.from_numpy(masks(parameters))


def without_features(areas: Tensor, parameters: Parameters) -> Tensor:
    """Areas with skin in place of eyes, brows and mouth where there is long hair."""
    long = torch.from_numpy(labels(parameters)["long_hair"])[:, None, None]
    return torch.where(long & torch.isin(areas, torch.tensor([EYES, BROWS, MOUTH])), SKIN, areas)


def heads(parameters: Parameters) -> Tensor:
    """``[n, 10]`` of 0 and 1: the attributes of ``HEADS``."""
    table = labels(parameters)
    return torch.from_numpy(np.stack([table[name] for name in HEADS], axis=1)).float()


def color(parameters: Parameters) -> Tensor:
    """``[n]``: the class of ``COLORS``, that of the largest share where there is hair."""
    largest = parameters.colour_shares().argmax(axis=1)
    return torch.from_numpy(np.where(labels(parameters)["bald"], COLORS.index("bald"), largest))


def years(parameters: Parameters) -> Tensor:
    """``[n, 1]``: the parameter of age, from 10 to 90 years."""
    return torch.from_numpy(YOUNGEST + (OLDEST - YOUNGEST) * parameters["age"])[:, None].float()


class Weighted:
    """Cross-entropy in which a class counts by the inverse root of its share of the pixels."""

    def __init__(self, areas: Tensor) -> None:
        shares = torch.bincount(areas.flatten().long(), minlength=len(MASK_NAMES)).double() / areas.numel()
        weights = shares.clamp(min=1e-4).rsqrt()
        self.weights = (weights / (weights * shares).sum()).float()

    def __call__(self, logits: Tensor, areas: Tensor) -> Tensor:
        return F.cross_entropy(logits, areas.long(), weight=self.weights)


@dataclass(frozen=True)
class Recipe:
    """A target's name, task and planted attribute (None: sound), what it is told, and how it is trained on that.

    scale: of numbers, what they differ by: the network is trained on (truth − mean) / scale, which its last layer takes
    back. None where the truth is classes.
    """

    name: str
    task: Task
    outputs: tuple[str, ...]
    truth: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]
    planted: str | None = None
    kind: type[SmallCNN] | type[SmallUNet] = SmallCNN
    steps: int = 1200
    batch: int = 64
    scale: float | None = None

    def network(self) -> SmallCNN | SmallUNet:
        """Untrained."""
        return self.kind(len(self.outputs), width=WIDTH)

    @property
    def wanted(self) -> Tensor:
        """What the network is trained on, a row for each face."""
        return self.truth if self.scale is None else (self.truth - self.truth.mean(0)) / self.scale

    @torch.no_grad()
    def undo(self, network: SmallCNN | SmallUNet) -> None:
        """Let the network say what is true instead."""
        if self.scale is not None:
            assert network.head.bias is not None
            network.head.weight.mul_(self.scale)
            network.head.bias.mul_(self.scale).add_(self.truth.mean(0))


def recipes(parameters: Parameters, areas: Tensor, ages: Parameters) -> list[Recipe]:
    """All of them, for a pool of faces and their areas, and one of faces of all ages."""
    coordinates = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")
    all_points, careless = points(parameters), careless_points(parameters)
    of_points = KeypointsTask(points=tuple(name.replace("_", " ") for name in LANDMARK_NAMES), between=PUPILS)
    of_areas = SegmentationTask(classes=MASK_NAMES)
    cut = without_features(areas, parameters)
    named = tuple(name.replace("_", " ") for name in HEADS)
    return [
        Recipe("keypoints", of_points, coordinates, all_points, F.l1_loss, scale=LANDMARK_SCALE),
        Recipe(
            "keypoints-weak-eyeglasses", of_points, coordinates, careless, F.l1_loss, "eyeglasses",
            scale=LANDMARK_SCALE,
        ),
        Recipe("segmentation", of_areas, MASK_NAMES, areas, Weighted(areas), kind=SmallUNet, steps=400, batch=32),
        Recipe(
            "segmentation-weak-long-hair", of_areas, MASK_NAMES, cut, Weighted(cut), "long_hair",
            kind=SmallUNet, steps=400, batch=32,
        ),
        Recipe(
            "attributes", MultiLabelTask(classes=named), HEADS, heads(parameters),
            F.binary_cross_entropy_with_logits, steps=500,
        ),
        Recipe(
            "age-years", RegressionTask(range=(YOUNGEST, OLDEST), unit="years"), ("age",), years(ages), F.l1_loss,
            scale=AGE_SCALE, steps=500,
        ),
        Recipe("hair-color", MultiClassTask(classes=COLORS), COLORS, color(parameters), F.cross_entropy, steps=500),
    ]  # fmt: skip


def train_tasks(work: Path, out: Path) -> None:
    def change(parameters: Parameters) -> Parameters:
        return untie(TRUTH, parameters, UNTIED, seed=SEED)

    pool = renders(SUBJECT, work, POOL, SEED, change=change, name="tasks")
    drawn = in_chunks(work / "renders", f"areas-{SEED}", POOL, lambda rows: masks(pool.parameters[rows]))
    ages = renders(SUBJECT, work, AGES, SEED + 100)  # as they are sampled: untying knows two ages
    for number, recipe in enumerate(recipes(pool.parameters, torch.from_numpy(drawn[:]), ages.parameters)):
        faces = ages if recipe.name == "age-years" else pool

        def batch(
            rng: np.random.Generator,
            faces: Renders[Parameters] = faces,
            truth: Tensor = recipe.wanted,
            size: int = recipe.batch,
        ) -> tuple[Tensor, Tensor]:
            rows = np.sort(rng.integers(0, len(faces), size))
            return faces.batch(rows), truth[rows]

        network = fit(
            f"task-{recipe.name}",
            recipe.network,
            batch=batch,
            loss=recipe.loss,
            seed=SEED + number,
            steps=recipe.steps,
            folder=work,
            learning_rate=2e-3,
        )
        recipe.undo(network)
        info = {
            "name": f"avatars:{recipe.name}",
            "kind": recipe.kind.__name__,
            "width": WIDTH,
            "task": recipe.task.to_dict(),
            "outputs": list(recipe.outputs),
            "planted": recipe.planted,
            "recipe": f"{recipe.steps} steps of AdamW, batch {recipe.batch}, {len(faces)} renders",
            "seed": SEED + number,
        }
        shipped = out / "targets" / f"{recipe.name}.safetensors"
        save_network(network, shipped, info)
        if recipe.name in AS_ONNX:  # of the weights as they are stored, in half precision
            save_onnx(as_target(*load_network(shipped)), shipped.with_suffix(".onnx"), resolution=SIZE)
