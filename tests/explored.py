"""What tests of the explorer explore: targets of small pictures, and one that fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from networks import Function

from zoom_engine.commands.explore.sources import Explored
from zoom_engine.targets import Target, load_target

ATTRIBUTES = ["a smiling face", "a face with a beard", "an old face"]
LABELS = ["a dark face", "a light face"]


def light(name: str = "light", **options: Any) -> Target:
    """Whether a picture is light."""
    given: dict[str, Any] = {"task": "binary", "kind": "logits", "labels": LABELS, **options}
    return load_target(Function(lambda colours: 40 * (colours.mean(1, keepdim=True) - 0.36)), name=name, **given)


def corners(**options: Any) -> Target:
    """Two key points, one of which moves with a picture's colour."""

    def points(colours: torch.Tensor) -> torch.Tensor:
        moving = 0.3 + 0.4 * colours[:, :2]
        return torch.stack([moving, torch.full_like(moving, 0.5)], dim=1)

    task = {"task": "keypoints", "points": ["one", "other"], **options}
    return load_target(Function(points), name="corners", task=task)


class Painter(torch.nn.Module):
    """A decoder: a code of 8 numbers paints a smooth picture."""

    code_size = 8

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(8, 3 * 4 * 4)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        small = self.layer(codes).tanh().view(-1, 3, 4, 4)
        return torch.nn.functional.interpolate(small, size=(32, 32), mode="bilinear")


def black_box() -> Target:
    """The same as `light`, without gradients."""

    def lightness(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return 1 / (1 + np.exp(-40 * (pictures.mean((1, 2, 3)) / 255 - 0.36)))

    return load_target(lightness, name="black box", task={"task": "binary", "output": "probability"}, labels=[])


def failing(explored: Explored, error: Exception) -> Explored:
    """The same, but its first target raises when it is asked."""

    class Fails(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise error

    first = explored.models[0]
    models = replace(first, target=first.target.replaced(network=Fails()))
    return replace(explored, models=(models, *explored.models[1:]))
