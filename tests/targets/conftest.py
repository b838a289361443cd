"""A small classifier that the tests of targets share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))  # the files that tests share


@pytest.fixture
def small_cnn() -> nn.Sequential:
    """3×24×24 → one logit, with every kind of layer that `save_onnx` writes in a row."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=2),
        nn.LeakyReLU(0.1),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 6),
        nn.Tanh(),
        nn.Linear(6, 1),
    )
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.running_mean = torch.randn(8) * 0.2  # type: ignore[assignment]
        norm.running_var = torch.rand(8) + 0.5  # type: ignore[assignment]
        network[-1].weight.mul_(20)  # type: ignore[union-attr, operator]
    return network.eval()
