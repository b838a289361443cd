"""The target's answers to photographs and to generated pictures: how far apart they are, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zoom_engine.statistics.intervals import Array
from zoom_engine.statistics.two_samples import Distance, distance
from zoom_engine.targets import MultiLabelTask, RegressionTask, Target

_AT_ONCE = 1 << 24  # numbers of outputs that are compared at a time
_COMPARED = 256
_LARGE = 1 << 12  # entries of an output from which on it is a map: fewer are compared then
_COMPARED_MAPS = 48
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Decision:
    """A decision of the target, or a quantile of its number: what it is, and the figures on both kinds of pictures.

    Attributes:
        name: of the class, the label or the quantile.
        photographs: the fraction of photographs, or the number.
        generated: the same of generated pictures.
        share: whether these are fractions.
    """

    name: str
    photographs: float
    generated: float
    share: bool = True


@dataclass(frozen=True)
class Answers:
    """The answers to photographs beside those to generated pictures.

    Attributes:
        distance: in units of the task's change, in [0, 1].
        decisions: those that either kind gets; empty where an answer says something of two pictures only.
        worded: the excess of the distance in words, "4.2 years".
        unit: of decisions that are numbers.
    """

    distance: Distance
    decisions: tuple[Decision, ...]
    worded: str
    unit: str = ""


def compare_answers(target: Target, photographs: Tensor, generated: Tensor, *, seed: int = 0) -> Answers:
    """Compare outputs `[N, …]` on photographs with outputs `[M, …]` on generated pictures."""
    large = photographs[0].numel() >= _LARGE
    most, random = _COMPARED_MAPS if large else _COMPARED, torch.Generator().manual_seed(seed)
    compared, drawn = (  # by chance: files lie in the order of their names, which may be that of days
        outputs[torch.randperm(len(outputs), generator=random)[:most]] for outputs in (photographs, generated)
    )
    apart = distance(_changes(target, compared, compared), _changes(target, compared, drawn), seed=seed)
    view = target.task.view
    excess = max(0.0, apart.excess)
    worded = view.change_in_words(excess) or f"{excess:.2f} of at most 1"
    unit = getattr(target.task, "unit", "")
    return Answers(apart, tuple(_decisions(target, photographs, generated)), worded, unit)


def _changes(target: Target, rows: Tensor, columns: Tensor) -> Array:
    """Return the task's change between each of `rows` and each of `columns`, `[N, M]`.

    It is the mean of both ways, because neither picture is the other's original, and the mIoU is over the classes of
    that.
    """
    size = max(1, _AT_ONCE // max(1, columns.numel()))
    changes = []
    for part in torch.split(rows, size):
        one = part.repeat_interleave(len(columns), dim=0)
        other = columns.repeat(len(part), *[1] * (columns.ndim - 1))
        both = (target.task.change(one, other) + target.task.change(other, one)) / 2
        changes.append(both.reshape(len(part), -1))
    matrix: Array = torch.cat(changes).double().numpy()
    return matrix.clip(0.0, 1.0)


def _decisions(target: Target, photographs: Tensor, generated: Tensor) -> list[Decision]:
    task = target.task
    kinds = [task.recorded(outputs, outputs).double().numpy() for outputs in (photographs, generated)]
    if isinstance(task, MultiLabelTask):
        shares = [(recorded >= 0.5).mean(axis=0) for recorded in kinds]
        return [Decision(name, float(a), float(b)) for name, a, b in zip(task.classes, *shares, strict=True)]
    if isinstance(task, RegressionTask):
        quantiles = [np.quantile(recorded[:, 0], QUANTILES) for recorded in kinds]
        names = (f"{quantile:.0%} lie below" for quantile in QUANTILES)
        return [Decision(name, float(a), float(b), share=False) for name, a, b in zip(names, *quantiles, strict=True)]
    states = [np.array([task.view.state(row, row) for row in recorded.tolist()]) for recorded in kinds]
    made = sorted({state for kind in states for state in kind.tolist()})
    named = [
        Decision(name, float((states[0] == state).mean()), float((states[1] == state).mean()))
        for state in made
        if (name := task.view.state_name(state))
    ]
    return sorted(named, key=lambda one: -max(one.photographs, one.generated))
