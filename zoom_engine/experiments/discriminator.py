"""How well a trained classifier tells edited pictures from unedited ones: a machine's substitute for people."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

FOLDS = 5
PENALTY = 1.0  # of squared weights, a picture's share of the loss being 1


def told_apart(features: Tensor, edited: Tensor, images: NDArray[np.int64], *, seed: int = 0) -> list[int]:
    """Return for each picture whether a cross-validated classifier was right, 1 or 0.

    It is a logistic regression on standardised features. The pictures of one image are in the same of five folds, so
    that nothing is recognised from training.

    Args:
        features: float `[B, D]`.
        edited: bool `[B]`.
        images: int64 `[B]`, the image that each picture is of.
        seed: of the folds.
    """
    names = np.unique(images)
    folds = dict(
        zip(np.random.default_rng(seed).permutation(names).tolist(), np.arange(len(names)) % FOLDS, strict=True)
    )
    fold = torch.tensor([folds[image] for image in images.tolist()])
    right = torch.zeros(len(features), dtype=torch.long)
    for left_out in range(FOLDS):
        test = fold == left_out
        if bool(test.any()) and bool((~test).any()):
            mean, std = features[~test].mean(dim=0), features[~test].std(dim=0).clamp(min=1e-6)
            weights, bias = _fitted((features[~test] - mean) / std, edited[~test])
            says = ((features[test] - mean) / std) @ weights + bias > 0
            right[test] = (says == edited[test]).long()
    return [int(value) for value in right]


def _fitted(features: Tensor, edited: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights `[D]` and the bias of a penalised logistic regression."""
    features, wanted = features.double(), edited.double()
    weights = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(features @ weights + bias, wanted, reduction="sum")
        loss = loss + PENALTY * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().float(), bias.detach().float()
