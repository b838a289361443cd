"""The reference's search, literally: what an audit's throughput is counted against.

One image at a time; the textbook's synthesis, with a weight of its own for each sample (`textbook.py`); all of it in
float32 by torch; the text encoder asked in every step; every step taken; the last evaluated point is the result.
Written from the method's description (Luo 2023, and the released settings: α 50, γ 0.005, no L_struct), not from its
code. Two of that code's faults are not copied, as they cost no time: there L_attr is always 0, and gradients add up
from image to image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from textbook import textbook_synthesis
from torch import Tensor

from zoom_engine.evaluation.objectives import label_loss, zero_shot_labels
from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.generator import shown
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder

STEPS, BOUND = 100, 30.0
TARGET_WEIGHT, LABEL_WEIGHT = 50.0, 0.005
RATE_SINGLE, RATE_MULTI = 0.2, 0.1


@dataclass(frozen=True, eq=False)
class Reference:
    """What is searched: ``directions [N, S]`` of a StyleGAN2, the target, and a text encoder with its label prompts."""

    generator: StyleGAN2
    directions: Tensor
    target: Target
    text_encoder: TextEncoder
    labels: Sequence[str]

    def render(self, style: Tensor, weights: Tensor) -> Tensor:
        """The image ``[1, 3, R, R]`` in [-1, 1] of ``style [1, S]`` at edit weights ``[N]``; differentiable."""
        return shown(textbook_synthesis(self.generator, style + weights @ self.directions))


class ReferenceSearch:
    """One image: along ``attribute`` alone, or (None) along all directions together.

    ``sign`` takes PGD's step, else it is SGD's. ``weights [N]`` are the next point's; ``flipped`` says of the point
    evaluated last whether it crosses the boundary and keeps its label, by the text encoder.
    """

    def __init__(self, reference: Reference, style: Tensor, attribute: int | None, *, sign: bool = False) -> None:
        self._reference, self._style, self._sign = reference, style[None], sign
        count = len(reference.directions)
        self._free = torch.ones(count) if attribute is None else torch.eye(count)[attribute]
        self._free = self._free.to(style.device)
        self._rate = RATE_MULTI if attribute is None else RATE_SINGLE
        self._labels = reference.text_encoder.embed_texts(reference.labels)
        self.weights = torch.zeros(count, device=style.device)
        self.flipped = False
        with torch.no_grad():
            image = reference.render(self._style, self.weights)
            self._original = reference.target(image)
            self._label = zero_shot_labels(reference.text_encoder.embed_images(image), self._labels)

    def step(self) -> None:
        """w ← clip(w − η ∇L, ±30), or of the gradient's sign, with L = α·L_target + γ·L_attr."""
        encoder, task = self._reference.text_encoder, self._reference.target.task
        weights = self.weights.clone().requires_grad_(True)
        image = self._reference.render(self._style, weights)
        output, embedding = self._reference.target(image), encoder.embed_images(image)
        loss = TARGET_WEIGHT * task.loss(output, self._original)
        loss = loss + LABEL_WEIGHT * label_loss(embedding, self._labels, self._label, encoder.logit_scale)
        (gradient,) = torch.autograd.grad(loss.sum(), weights)
        with torch.no_grad():
            move = gradient.sign() if self._sign else gradient
            self.weights = (self.weights - self._rate * self._free * move).clamp(-BOUND, BOUND)
            keeps_label = zero_shot_labels(embedding, self._labels) == self._label
            self.flipped = bool((task.flipped(output, self._original) & keeps_label).item())

    def run(self, steps: int) -> None:
        """So many steps; there is no reason to stop early."""
        for _ in range(steps):
            self.step()
