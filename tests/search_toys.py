"""Small worlds in which the right answers are known: four styles paint a flat picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from networks import Drawing
from torch import Tensor, nn

from zoom_engine.evaluation.evaluator import Evaluation, Evaluator, Originals
from zoom_engine.search import EvaluatedPoint, SearchResult, Trial, searched
from zoom_engine.search.trials import Array
from zoom_engine.targets import BinaryTask, Preprocessing, Target

SIDE = 12
SCALE = 0.02
DIRECTIONS = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.0]])


def run_trials(
    trials: Sequence[Trial],
    *,
    evaluator: Evaluator,
    on_result: Callable[[list[tuple[Trial, SearchResult]]], object],
    **options: Any,
) -> None:
    """`searched`, to its end, for one evaluator."""
    for results in searched(trials, evaluators=[evaluator], **options):
        on_result([(trial, result) for _, trial, result in results])


@torch.no_grad()
def looked_at(where: Evaluator, styles: Tensor, weights: Tensor, originals: Originals, **options: Any) -> Evaluation:
    """What an evaluator says of edits, forward only."""
    return where.evaluate(where.render(styles, weights), originals, **options)


def synthesize(styles: Tensor) -> Tensor:
    """Styles `[B, 4]`: the first three are the mean red, green and blue (times SCALE), the fourth a
    fixed texture's strength."""
    texture = torch.linspace(-1, 1, SIDE)[:, None] * torch.linspace(-1, 1, SIDE)[None]
    colour = styles[:, :3, None, None] * SCALE
    return colour + 0.1 * styles[:, 3, None, None, None].tanh() * texture


class Reads(nn.Module):
    """A network that is a function of the mean colour in units of the styles, `[B, 3]` → logits."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x.mean((2, 3)) / SCALE)


def target(function: Callable[[Tensor], Tensor], *, name: str = "toy") -> Target:
    """A binary target whose logit is `function` of the mean colours."""
    preprocessing = Preprocessing(value_range=(-1, 1))
    return Target(Reads(function), name=name, task=BinaryTask(), preprocessing=preprocessing, content_hash="toy")


def linear(x: Tensor) -> Tensor:
    """Red minus 2, plus a quarter of green: flips where red + green / 4 crosses 2."""
    return x[:, 0] + 0.25 * x[:, 1] - 2


class ColourLabels:
    """A text encoder that tells "green" from "not green" at a mean green of `at`, given in styles."""

    logit_scale = 20.0

    def __init__(self, at: float) -> None:
        self.at = at

    def embed_texts(self, prompts: Sequence[str], *, templates: Sequence[str] = ("{}",)) -> Tensor:
        return torch.tensor([[1.0, 0.0] if prompt == "green" else [0.0, 1.0] for prompt in prompts])

    def embed_images(self, images: Tensor) -> Tensor:
        angle = (images[:, 1].mean((1, 2)) / SCALE - self.at).clamp(-5, 5) * 0.1 + torch.pi / 4
        return torch.stack((angle.sin(), angle.cos()), dim=1)


LABELS = ("green", "not green")


def evaluator(function: Callable[[Tensor], Tensor] = linear, **options: object) -> Evaluator:
    return Evaluator(Drawing(synthesize), DIRECTIONS, target(function), **options)  # type: ignore[arg-type]


def bounds(attribute: int | None, low: float, high: float) -> Array:
    """One attribute free (or, for None, all)."""
    ends = np.zeros((len(DIRECTIONS), 2))
    ends[slice(None) if attribute is None else attribute] = low, high
    return ends


def trial(image: int, attribute: int | None, low: float, high: float, outer: float | None = None) -> Trial:
    return Trial(
        image,
        attribute,
        bounds(attribute, low, high),
        None if outer is None else bounds(attribute, -outer, outer),
    )


def point_at(
    weights: Sequence[float],
    *,
    change: float = 0.0,
    margin: float = 1.0,
    label_kept: bool | None = None,
    ssim: float = 0.9,
) -> EvaluatedPoint:
    """An evaluated point made by hand; it flipped if its margin is negative, decisively if it also changed by 0.1."""
    flipped = margin < 0
    decisive = flipped and change >= 0.1
    return EvaluatedPoint(
        np.array(weights, dtype=float), (0.5,), change, margin, flipped, label_kept, ssim, decisive=decisive
    )
