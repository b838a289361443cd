"""Networks that were saved for a batch of one image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OneByOne(nn.Module):
    """Feeds a network whose batch is fixed to 1 image by image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.network(x[i : i + 1]) for i in range(len(x))])
