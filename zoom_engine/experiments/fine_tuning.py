"""Counterfactual training: a target learns that its counterfactuals keep their label (Luo 2023, main text).

The label of an unedited image is what target and text encoder both say of it; images that they call differently are
left out. An edit that keeps the text encoder's label keeps the image's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine.audit.records import Record, is_natural
from zoom_engine.diagnoser import Diagnoser
from zoom_engine.errors import TargetError
from zoom_engine.evaluator import Evaluator
from zoom_engine.progress import ProgressFactory, silent
from zoom_engine.targets import BinaryTask, Target

BATCH = 32
LEARNING_RATE = 3e-4
AT_ONCE = 32


@dataclass(frozen=True)
class Lessons:
    """Pictures uint8 ``[n, 3, R, R]`` each with the labels ``[n]`` of both (0 or 1): unedited, and what each became by
    the edit that moves the target most while the label is kept."""

    plain: Tensor
    edited: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@torch.no_grad()
def lessons(diagnoser: Diagnoser, records: Sequence[Record], seeds: Sequence[int]) -> Lessons:
    """Those of a binary target's records: of each image the natural, label-keeping edit of largest change."""
    best: dict[int, Record] = {}
    for record in records:
        useful = record.label_kept and is_natural(record)
        if useful and (record.image not in best or record.change > best[record.image].change):
            best[record.image] = record
    evaluator = diagnoser.evaluator(diagnoser.edit_directions())
    styles, chosen = diagnoser.styles(seeds), sorted(best)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in (chosen[start : start + AT_ONCE] for start in range(0, len(chosen), AT_ONCE)):
        own = torch.cat([styles[row][None] for row in rows])
        weights = torch.tensor([best[row].edit_weights for row in rows])
        parts.append(_agreed(evaluator, own, weights))
    if not parts or not sum(len(labels) for _, _, labels in parts):
        raise TargetError(f"target {diagnoser.target.name!r} has nothing to learn from: no edit keeps its label")
    return Lessons(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _agreed(evaluator: Evaluator, styles: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Plain and edited pictures and labels, of the rows that target and text encoder call alike."""
    plain = evaluator.render(styles)
    originals = evaluator.originals_of(plain, embeddings=evaluator.embed(plain))
    said = (originals.outputs[:, 0] > 0).long()
    alike = said == originals.labels if originals.labels is not None else torch.ones(len(said), dtype=torch.bool)
    edited = evaluator.render(styles, weights)
    return _pixels(plain[alike]), _pixels(edited[alike]), said[alike]


def _pixels(images: Tensor) -> Tensor:
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def fine_tuned(
    target: Target,
    lessons: Lessons,
    *,
    counterfactuals: bool,
    steps: int,
    seed: int = 0,
    progress: ProgressFactory = silent,
) -> Target:
    """A copy of a binary target, trained for ``steps`` batches: half of each plain, half counterfactuals; without
    ``counterfactuals``, the control, all of it plain. Normalisation layers keep their statistics.

    Raises TargetError for a target that is no binary classifier with gradients.
    """
    if not isinstance(target.task, BinaryTask) or not target.differentiable:
        raise TargetError(
            f"target {target.name!r} cannot be trained: it takes a binary classifier that gives gradients"
        )
    network: nn.Module = copy.deepcopy(target.network)
    network.eval().requires_grad_(True)
    learner = Target(
        network,
        name=target.name,
        task=target.task,
        preprocessing=target.preprocessing,
        assumed=target.assumed,
        labels=target.labels,
    )
    network.requires_grad_(True)  # a target freezes what it is given
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    random = np.random.default_rng(seed)
    for _ in progress(range(steps), "Training", unit="step"):
        rows = torch.from_numpy(random.integers(len(lessons), size=BATCH))
        half = BATCH // 2 if counterfactuals else BATCH
        pictures = torch.cat([lessons.plain[rows[:half]], lessons.edited[rows[half:]]])
        with torch.enable_grad():
            logits = learner(pictures.float() / 127.5 - 1)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, lessons.labels[rows].float())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    what = "repaired" if counterfactuals else "control"
    return Target(
        network,
        name=f"{target.name} ({what})",
        task=target.task,
        preprocessing=target.preprocessing,
        assumed=target.assumed,
        labels=target.labels,
    )
