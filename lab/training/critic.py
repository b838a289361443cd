"""A critic of patches: it learns to tell renders from what the generator draws, which learns to draw what it takes for
renders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 5e-4
ALONE = 100  # steps that it learns before anything is asked of it


class Critic(nn.Module):
    """Tells renders from generated pictures, patch by patch; its hinge is what StyleGAN's loss is to whole pictures.

    The form of PatchGAN (Isola 2017). It learns alone for `ALONE` steps before anything is asked of it.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """``[b, 1, R/8, R/8]``: above 0 what looks rendered."""
        scores: Tensor = self.layers(images)
        return scores


def criticise(critic: Critic, optimizer: torch.optim.Optimizer, generated: Tensor, rendered: Tensor) -> float:
    """Move the critic by one step of the hinge loss on a batch of both, and return the loss."""
    loss = F.relu(1 - critic(rendered)).mean() + F.relu(1 + critic(generated)).mean()
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    return float(loss.detach())
