"""The smallest edit of each image that flips the target, or moves it most: no attribute says where to look.

As in DeepFool (Moosavi-Dezfooli 2016, arXiv 1511.04599), the margin is linearised at the current point, and the
shortest edit that brings it to 0 is taken, counted from the unedited image. The way there has steps no longer than
`STEP`. Lengths are those of `natural_space`, so the shortest edit is the most natural one. The ground truth is left
alone: edits stay at right angles to `label_axes`, the directions along which the labels' text scores change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoom_engine.discovery.natural_space import NaturalSpace
from zoom_engine.evaluation.evaluator import Evaluator

STEPS = 8
STEP = 0.75
LONGEST = 2.5  # further than an attribute needs: nothing flips there but by leaving what is natural
OVERSHOOT = 0.05  # beyond the boundary, as a share of the unedited image's margin
_LEAST = 0.02  # a shorter step leads nowhere


def smallest_edits(
    evaluator: Evaluator, space: NaturalSpace, styles: Tensor, label_axes: Tensor
) -> tuple[Tensor, Tensor]:
    """Find the smallest edits `[I, K]` in natural space, and whether they flip the target (bool `[I]`).

    Args:
        evaluator: edits along the basis of `space`.
        space: the natural space, of K dimensions.
        styles: float `[I, S]`, of the images.
        label_axes: float `[J, K]`, orthonormal rows that edits are at right angles to.

    Raises:
        TargetError: as `Evaluator.value_and_slopes`.
    """
    coordinates = space.place(styles)
    originals = evaluator.originals(styles)
    count = len(styles)
    at, best = torch.zeros_like(coordinates), torch.zeros_like(coordinates)
    lowest = torch.full((count,), torch.inf)
    aim = torch.zeros(count)
    flipped = torch.zeros(count, dtype=torch.bool)
    active = torch.arange(count)
    for step in range(STEPS):
        rows = active.to(styles.device)
        evaluation, slopes = evaluator.value_and_slopes(
            styles[rows], at[active].to(styles.device), originals.rows(rows)
        )
        margin, slope = evaluation.margin.cpu(), slopes[:, 0].cpu()
        if step == 0:
            aim = -OVERSHOOT * margin.abs()
        better = (margin < lowest[active]) & evaluation.label_kept.cpu()
        lowest[active[better]] = margin[better]
        best[active[better]] = at[active[better]]
        done = evaluation.flipped.cpu()
        flipped[active[done & better]] = True
        slope = slope - (slope @ label_axes.T) @ label_axes
        steep = slope.square().sum(dim=1)
        here = at[active]
        factor = ((slope * here).sum(dim=1) - margin + aim[active]) / steep.clamp(min=1e-20)
        move = factor[:, None] * slope - here
        move = here + move * (STEP / move.norm(dim=1).clamp(min=STEP))[:, None]
        move = move * (LONGEST / move.norm(dim=1).clamp(min=LONGEST))[:, None]
        move = space.projected(coordinates[active], move)
        stuck = ((move - here).norm(dim=1) < _LEAST) | ~(steep > 0)
        on = ~(done | stuck)
        at[active[on]] = move[on]
        active = active[on]
        if not len(active):
            break
    return best, flipped
