"""Directions tried on images that they were not found on.

Each image is moved to both ends of where codes lie along the direction. Only what keeps the label counts: an edit that
changes the ground truth proves nothing about the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.discovery.natural_space import NaturalSpace
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.text import TextEncoder


@dataclass(frozen=True, eq=False)
class Trial:
    """The results of I images and M directions at the lower and the upper end, CPU tensors.

    Attributes:
        weights: `[I, M, 2]`, how far each image was moved.
        moved: `[I, M, 2]` in [0, 1], the change of the output; 0 where the label is not kept.
        label_kept: bool `[I, M, 2]`.
        embeddings: `[I, M, 2, D]`, of the pictures.
    """

    weights: Tensor
    moved: Tensor
    label_kept: Tensor
    embeddings: Tensor

    @property
    def change(self) -> Tensor:
        """Return `[I, M]`, the larger change of both ends, as a sensitivity is a largest change."""
        return self.moved.amax(dim=2)

    def rows(self, directions: slice) -> Trial:
        """Return the results of some directions."""
        return Trial(*(value[:, directions] for value in vars(self).values()))


@torch.no_grad()
def try_out(
    evaluator: Evaluator,
    encoder: TextEncoder,
    space: NaturalSpace,
    styles: Tensor,
    directions: Tensor,
    *,
    batch_size: int = 32,
) -> Trial:
    """Try unit `directions [M, K]` on images of `styles [I, S]`.

    `evaluator` edits along the basis of `space`; `encoder` is the text encoder that its labels use.
    """
    weights = space.to_ends(space.place(styles), directions)
    originals = evaluator.originals(styles)
    unedited = torch.cat([encoder.embed_images(part).cpu() for part in torch.split(originals.images, batch_size)])
    moved, label_kept = torch.zeros(weights.shape), torch.ones(weights.shape, dtype=torch.bool)
    embeddings = unedited[:, None, None].repeat(1, *weights.shape[1:], 1)
    wanted = weights.nonzero()
    for part in torch.split(wanted, batch_size) if len(wanted) else ():
        image, direction, _ = part.unbind(1)
        place = part.unbind(1)
        rows = image.to(styles.device)
        edits = weights[place][:, None] * directions[direction]
        pictures = evaluator.render(styles[rows], edits.to(styles.device))
        embedded = encoder.embed_images(pictures)
        evaluation = evaluator.evaluate(
            pictures, originals.rows(rows), embeddings=None if evaluator.labels is None else embedded, ssim="none"
        )
        moved[place] = (evaluation.change * evaluation.label_kept).float().cpu()
        label_kept[place] = evaluation.label_kept.cpu()
        embeddings[place] = embedded.cpu()
    return Trial(weights, moved, label_kept, embeddings)
