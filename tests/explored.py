"""What tests of the explorer explore: targets of small pictures, and one that fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


def failing(explored: Explored, error: Exception) -> Explored:
    """The same, but its first target raises when it is asked."""

    class Fails(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise error

    first = explored.models[0]
    models = replace(first, target=first.target.replaced(network=Fails()))
    return replace(explored, models=(models, *explored.models[1:]))
