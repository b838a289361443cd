"""`ZeroShotLabels`: classes that a text encoder tells apart, so that an edit which changes the ground truth is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.objectives import doubtful_labels, label_loss, zero_shot_labels
from zoom_engine.settings.attributes import check_labels


class LabelEncoder(Protocol):
    """The part of a text encoder that labels need (see `zoom_engine.text.TextEncoder`)."""

    logit_scale: float

    def embed_texts(self, prompts: Sequence[str]) -> Tensor: ...

    def embed_images(self, images: Tensor) -> Tensor: ...


class QuickEncoder(Protocol):
    """The same text encoder in a lower precision, which moves the embeddings of some pictures by `rounding` `[K, D]`;
    None where it does not."""

    rounding: Tensor | None

    def embed_images(self, images: Tensor) -> Tensor: ...


class ZeroShotLabels:
    """What a text encoder reads off pictures.

    Args:
        text_encoder: reads them.
        prompts: at least two, one per class.
        quick_encoder: looks at pictures first, and alone where what it sees leaves no doubt about the label.

    Raises ConfigError for fewer than two prompts, and for equal ones.
    """

    def __init__(
        self,
        text_encoder: LabelEncoder,
        prompts: Sequence[str],
        *,
        quick_encoder: QuickEncoder | None = None,
    ) -> None:
        self.prompts = check_labels(prompts)
        if not self.prompts:
            raise ConfigError("labels: give at least two prompts, one per class")
        self.text_encoder = text_encoder
        self._rounding = None if quick_encoder is None else quick_encoder.rounding
        self.first_encoder = text_encoder if quick_encoder is None or self._rounding is None else quick_encoder
        self._texts = text_encoder.embed_texts(self.prompts).detach()

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings `[B, D]` of images `[B, 3, R, R]`; differentiable."""
        return self.text_encoder.embed_images(images)

    @torch.no_grad()
    def glance(self, images: Tensor) -> Tensor:
        """The same by `first_encoder`, the quick one if there is one: they tell labels once they are `settled`. Others
        with these encoders and other prompts can share them."""
        return self.first_encoder.embed_images(images)

    @torch.no_grad()
    def settled(self, embeddings: Tensor, images: Tensor) -> Tensor:
        """Of `glance(images)` embeddings `[B, D]` that tell the labels of `embed(images)`: it makes those that leave a
        doubt."""
        if self._rounding is None:
            return embeddings
        doubts = doubtful_labels(embeddings, self._texts.to(embeddings), self._rounding.to(embeddings))
        return embeddings.index_put((doubts,), self.embed(images[doubts])) if bool(doubts.any()) else embeddings

    def read(self, embeddings: Tensor) -> Tensor:
        """The labels `[B]` (int64, places among the prompts)."""
        return zero_shot_labels(embeddings, self._texts.to(embeddings))

    @torch.no_grad()
    def of(self, images: Tensor) -> Tensor:
        """The labels of images, as `read` has them."""
        return self.read(self.settled(self.glance(images), images))

    def loss(self, embeddings: Tensor, original_labels: Tensor) -> Tensor:
        """L_attr `[B]` of embeddings that `embed` made, see `label_loss`."""
        return label_loss(embeddings, self._texts.to(embeddings), original_labels, self.text_encoder.logit_scale)
