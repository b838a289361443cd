"""A detector of the avatars' faces that was made by hand, with boxes in every form that detectors return them in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Faces(nn.Module):
    """One box for each picture of `side`, RGB in [0, 1]: of what stands out from the background's colour above the
    shoulders. It is less sure of a face the darker its eyes are: eyeglasses hide faces from it.

    Returns corners as shares of the picture, score and class, `[B, 1, 6]`.
    """

    def __init__(self, side: int = 128) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("coordinates", (torch.arange(side) + 0.5) / side)
        self.register_buffer("above", ((torch.arange(side) + 0.5) / side < 0.72).float()[:, None])

    def forward(self, x: Tensor) -> Tensor:
        edge = self.side // 8
        ground = x[:, :, :edge, :edge].mean((2, 3), keepdim=True) + x[:, :, :edge, -edge:].mean((2, 3), keepdim=True)
        apart = ((x - ground / 2).square().sum(1) + 1e-4).sqrt()
        inside = torch.sigmoid(30 * (apart - 0.2)) * self.above
        sides = []
        for axis in (1, 2):  # of rows summed, and of columns
            share = inside.sum(axis) / inside.sum((1, 2))[:, None]
            middle = (share * self.coordinates).sum(1)
            reach = 1.75 * ((share * (self.coordinates - middle[:, None]).square()).sum(1) + 1e-6).sqrt()
            sides.append((middle - reach, middle + reach))
        (left, right), (top, bottom) = sides
        rows, columns = (slice(int(low * self.side), int(high * self.side)) for low, high in ((0.44, 0.54), (0.3, 0.7)))
        eyes = x[:, :, rows, columns].mean(1)
        dark = torch.sigmoid(40 * (0.25 - eyes)).mean((1, 2))
        score = torch.sigmoid(5 - 25 * dark)
        return torch.stack([left, top, right, bottom, score, 0 * score], dim=1)[:, None]


class Candidates(nn.Module):
    """The same as exports of YOLO have it, `[B, 4 + 2, N]`: middle, size and the probabilities of “face” and “hand”, in
    pixels, among other boxes that are less sure."""

    def __init__(self, side: int = 128) -> None:
        super().__init__()
        self.faces = Faces(side)
        self.register_buffer("off", torch.tensor([0.0, 0.01, -0.02, 0.3]))
        self.register_buffer("less", torch.tensor([1.0, 0.9, 0.8, 0.1]))

    def forward(self, x: Tensor) -> Tensor:
        box = self.faces(x)[:, 0, :, None]
        corners = (box[:, :4] + self.off) * self.faces.side
        middle, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        score = box[:, 4:5] * self.less
        return torch.cat([middle, size, score, 0.1 * score], dim=1)


class Chosen(nn.Module):
    """The same as torchvision's detectors return it: of each picture a dict of the boxes of enough score, in pixels."""

    def __init__(self, side: int = 128) -> None:
        super().__init__()
        self.faces = Faces(side)

    def forward(self, x: Tensor) -> list[dict[str, Any]]:
        rows = [picture[picture[:, 4] > 0.05] for picture in self.faces(x)]
        return [
            {"boxes": row[:, :4] * self.faces.side, "labels": row[:, 5].long() + 1, "scores": row[:, 4]} for row in rows
        ]
