"""Edits of many images, clustered by what they do: in natural space, and in what the text encoder sees of them.

An edit and its opposite are the same attribute, added to one image and taken from another. So clusters are axes: an
edit belongs to the axis with the largest |cosine|, and an axis is the first principal direction of its edits (axial
k-means). Both views count equally: the vector of an edit holds its direction in natural space and the direction in
which it changes the picture's embedding, each of unit length. Both change sign together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SAME = 0.5  # |cosine| of two axes that are one
_STARTS, _ROUNDS = 16, 50
_LEAST_MEMBERS = 3


def cluster(moves: Tensor, differences: Tensor, count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Cluster edits into at most `count` axes.

    Edits of length 0 belong to none. Axes that nearly coincide are merged; an axis with fewer than three edits is
    dropped.

    Args:
        moves: float `[I, K]`, edits in natural space.
        differences: float `[I, D]`, how they change the embeddings of the pictures.
        count: the most axes.
        seed: seed of the starting points.

    Returns:
        The axes `[M, K]` (unit vectors of natural space), the one with most edits first, and for each edit the number
            of its axis, int64 `[I]`, −1 for an edit that belongs to none.
    """
    moving = moves.norm(dim=1) > 1e-6
    which = torch.full((len(moves),), -1, dtype=torch.long)
    both = torch.cat([F.normalize(moves, dim=1), F.normalize(differences, dim=1)], dim=1)[moving].double()
    if not len(both):
        return moves[:0], which
    count = max(1, min(count, len(both) // _LEAST_MEMBERS))
    random = torch.Generator().manual_seed(seed)
    _, membership = max((_axial(both, count, random) for _ in range(_STARTS)), key=lambda solution: solution[0])
    membership = _merged(both, membership, moves.shape[1])
    groups = [group for group in sorted(set(membership.tolist())) if int((membership == group).sum()) >= _LEAST_MEMBERS]
    groups.sort(key=lambda group: -int((membership == group).sum()))
    named = torch.full_like(membership, -1)
    for number, group in enumerate(groups):
        named[membership == group] = number
    which[moving] = named
    axes = [F.normalize(_axis(both[named == number])[: moves.shape[1]], dim=0) for number in range(len(groups))]
    return torch.stack(axes).to(moves) if axes else moves[:0], which


def _axis(rows: Tensor) -> Tensor:
    """Return the first principal direction of rows, without centring them."""
    first: Tensor = torch.linalg.svd(rows, full_matrices=False)[2][0]
    return first


def _axial(rows: Tensor, count: int, random: torch.Generator) -> tuple[float, Tensor]:
    """Return how well `count` axes fit unit rows (the sum of squared cosines), and the axis of each row."""
    axes = rows[torch.randperm(len(rows), generator=random)[:count]]
    membership = torch.full((len(rows),), -1)
    for _ in range(_ROUNDS):
        nearest = (rows @ axes.T).abs().argmax(dim=1)
        if bool((nearest == membership).all()):
            break
        membership = nearest
        axes = torch.stack(
            [_axis(rows[membership == k]) if bool((membership == k).any()) else axes[k] for k in range(count)]
        )
    return float((rows @ axes.T).square().amax(dim=1).sum()), membership


def _merged(rows: Tensor, membership: Tensor, width: int) -> Tensor:
    """Merge those clusters of `membership` whose axes coincide in natural space, the first `width` columns."""
    while True:
        groups = sorted(set(membership.tolist()))
        axes = torch.stack([F.normalize(_axis(rows[membership == group])[:width], dim=0) for group in groups])
        likeness = (axes @ axes.T).abs().fill_diagonal_(0)
        if float(likeness.max()) < SAME:
            return membership
        a, b = divmod(int(likeness.argmax()), len(groups))
        membership = torch.where(membership == groups[b], groups[a], membership)
