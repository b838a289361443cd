"""The small convolutional networks of the embedded targets, and of the probe that looks at edits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _block(cin: int, cout: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(cout),
        nn.ReLU(),
    ]


class SmallCNN(nn.Module):
    """`[B, 3, R, R]` in [-1, 1] → `[B, outputs]` logits; five stride-2 stages, then a pooled linear head."""

    def __init__(self, outputs: int, *, width: int = 16) -> None:
        """Build the network; `width` is the number of channels of the first stage."""
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.stages = nn.ModuleList()
        previous = 3
        for index, cout in enumerate(widths):
            layers = _block(previous, cout, 2)
            if index >= 2:
                layers += _block(cout, cout, 1)
            self.stages.append(nn.Sequential(*layers))
            previous = cout
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(4 * previous, 8 * width)
        self.activation = nn.ReLU()
        self.head = nn.Linear(8 * width, outputs)

    def maps(self, x: Tensor, *, most: int | None = None) -> list[Tensor]:
        """Return the activations after each stage, from half the resolution downward, for perceptual losses.

        Those of the first `most` stages alone, if that is given.
        """
        features: list[Tensor] = []
        for stage in self.stages[:most]:
            x = stage(x)
            features.append(x)
        return features

    def features(self, x: Tensor) -> Tensor:
        """Return what the head reads, `[B, 8 · width]`."""
        for stage in self.stages:
            x = stage(x)
        features: Tensor = self.activation(self.hidden(self.flatten(self.pool(x))))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits `[B, outputs]`."""
        logits: Tensor = self.head(self.features(x))
        return logits


class SmallUNet(nn.Module):
    """`[B, 3, R, R]` in [-1, 1] → logits `[B, outputs, R, R]`; R is a multiple of 16.

    Four stride-2 stages down, three back up with the activations of the same resolution beside them (Ronneberger 2015);
    the logits are made at half the resolution and doubled.
    """

    def __init__(self, outputs: int, *, width: int = 12) -> None:
        """Build the network; `width` is the number of channels of the first stage."""
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        previous = 3
        for index, cout in enumerate(widths):
            layers = _block(previous, cout, 2)
            if index:
                layers += _block(cout, cout, 1)
            self.down.append(nn.Sequential(*layers))
            previous = cout
        for beside in widths[-2::-1]:
            cout = max(beside, 2 * width)
            self.up.append(nn.Sequential(*_block(previous + beside, cout, 1)))
            previous = cout
        self.head = nn.Conv2d(previous, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits `[B, outputs, R, R]`."""
        features: list[Tensor] = []
        for stage in self.down:
            x = stage(x)
            features.append(x)
        for stage, beside in zip(self.up, features[-2::-1], strict=True):
            x = stage(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), beside], dim=1))
        logits: Tensor = F.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits


def to_float(images: Tensor) -> Tensor:
    """Return images uint8 `[n, R, R, 3]` as float32 `[n, 3, R, R]` in [-1, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
