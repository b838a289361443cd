"""Counterfactual training: a target learns that its counterfactuals keep their label (Luo 2023, main text).

The label of an unedited image is confirmed where target and text encoder agree; other images are left out. An edit that
keeps the text encoder's label keeps the image's label. A target is taught to be as sure of these labels as it is on
average, no surer: a network that is fitted to labels of 0 and 1 soon answers 0 or 1 to everything, and by that alone
every attribute moves its probabilities less, whatever it still looks at.
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
from zoom_engine.common.errors import TargetError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.targets import BinaryTask, Target

BATCH = 32
LEARNING_RATE = 3e-4
AT_ONCE = 32


@dataclass(frozen=True)
class Lessons:
    """What a target is trained on.

    Attributes:
        plain: uint8 `[n, 3, R, R]`, unedited pictures.
        labels: int64 `[n]`, 0 or 1.
        certainty: how sure the target is of its answers to them, on average, in [0.5, 1].
        edited: uint8 `[n, 3, R, R]`, each picture after the edit that moves the target most and keeps the label; None
            without edits.
    """

    plain: Tensor
    labels: Tensor
    certainty: float
    edited: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of unedited pictures."""
        return len(self.labels)


def lessons(diagnoser: Diagnoser, records: Sequence[Record], seeds: Sequence[int]) -> Lessons:
    """Make lessons of a binary target's records with confirmed labels.

    For each image the natural, label-keeping edit of largest change is taken.

    Raises:
        TargetError: no edit is left.
    """
    best: dict[int, Record] = {}
    for record in records:
        useful = record.label_kept and is_natural(record)
        if useful and (record.image not in best or record.change > best[record.image].change):
            best[record.image] = record
    no_lesson = TargetError(
        f"target {diagnoser.models.target.name!r} has nothing to learn from: no edit keeps its label"
    )
    if not best:
        raise no_lesson
    chosen = sorted(best)
    weights = [best[image].edit_weights for image in chosen]
    confirmed, plain, logits, edited = _pictures(diagnoser, seeds, chosen, weights)
    if not confirmed.any():
        raise no_lesson
    return _lessons(plain[confirmed], logits[confirmed], edited[confirmed])


def unedited_lessons(diagnoser: Diagnoser, seeds: Sequence[int]) -> Lessons:
    """Make lessons of the unedited images of `seeds`, labelled by a binary target itself, right or wrong."""
    _, plain, logits, _ = _pictures(diagnoser, seeds, range(len(seeds)))
    return _lessons(plain, logits)


def _lessons(plain: Tensor, logits: Tensor, edited: Tensor | None = None) -> Lessons:
    return Lessons(plain, (logits > 0).long(), float(logits.abs().sigmoid().mean()), edited)


@torch.no_grad()
def _pictures(
    diagnoser: Diagnoser,
    seeds: Sequence[int],
    images: Sequence[int],
    edit_weights: Sequence[Sequence[float]] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw images, and tell whether target and text encoder agree about them.

    Returns bool `[n]`, where they agree; uint8 pictures; the target's logits `[n]`; and uint8 pictures with
    `edit_weights` (without any, the unedited ones once more).
    """
    evaluator, styles = diagnoser.models.evaluator(diagnoser.edit_directions()), diagnoser.models.styles(seeds)
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, len(images), AT_ONCE):
        codes = torch.cat([styles[image][None] for image in images[start : start + AT_ONCE]])
        plain = evaluator.render(codes)
        originals = evaluator.originals_of(plain)
        logits = originals.outputs[:, 0]
        alike = torch.ones(len(codes), dtype=torch.bool)
        if originals.labels is not None:
            alike = (logits > 0).long() == originals.labels
        edited = plain
        if edit_weights is not None:
            edited = evaluator.render(codes, torch.tensor(edit_weights[start : start + AT_ONCE]))
        parts.append((alike, _pixels(plain), logits, _pixels(edited)))
    alike, plain, logits, edited = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return alike, plain, logits, edited


def _pixels(images: Tensor) -> Tensor:
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def has_weights_to_train(target: Target) -> bool:
    """Tell whether gradients reach parameters: what an ONNX file holds are constants."""
    return target.differentiable and any(True for _ in target.network.parameters())


def fine_tuned(
    target: Target,
    lessons: Lessons,
    *,
    steps: int,
    name: str,
    seed: int = 0,
    progress: ProgressFactory = silent,
) -> Target:
    """Train a copy of a binary target on lessons.

    Half of each batch is unedited, half edited, where the lessons have edited pictures. The copy is taught to be as
    sure of labels as the lessons say. Normalisation layers keep their statistics.

    Args:
        target: a binary classifier that gives gradients.
        lessons: what it is trained on.
        steps: number of batches.
        name: of the copy.
        seed: of the batches.
        progress: how work shows itself.

    Raises:
        TargetError: the target is no binary classifier with gradients.
    """
    if not isinstance(target.task, BinaryTask) or not has_weights_to_train(target):
        raise TargetError(
            f"target {target.name!r} cannot be trained: it takes a binary classifier in torch, with gradients"
        )
    network: nn.Module = copy.deepcopy(target.network)
    learner = _with(target, network, target.name)
    device = next(network.parameters()).device  # audits leave a given target on theirs
    for parameter in network.parameters():  # a target freezes what it is given; TorchScript refuses the whole module
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    taught = torch.where(lessons.labels > 0, lessons.certainty, 1 - lessons.certainty)
    random = np.random.default_rng(seed)
    for _ in progress(range(steps), "Training", unit="step"):
        rows = torch.from_numpy(random.integers(len(lessons), size=BATCH))
        pictures = lessons.plain[rows]
        if lessons.edited is not None:
            pictures[BATCH // 2 :] = lessons.edited[rows[BATCH // 2 :]]
        with torch.enable_grad():
            logits = learner(pictures.to(device).float() / 127.5 - 1)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, taught[rows].to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return _with(target, network, name)


def _with(target: Target, network: nn.Module, name: str) -> Target:
    """Return a target that reads another network as this one is read, identified by the network's present weights."""
    return Target(
        network,
        name=name,
        task=target.task,
        preprocessing=target.preprocessing,
        assumed=target.assumed,
        labels=target.labels,
    )
