"""`ZeroShotLabels`: classes that a text encoder tells apart, to notice edits that change the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.objectives import doubtful_labels, label_loss, zero_shot_labels
from zoom_engine.settings.attributes import check_labels


class LabelEncoder(Protocol):
    """The part of a text encoder that labels need, see `zoom_engine.text.TextEncoder`."""

    logit_scale: float

    def embed_texts(self, prompts: Sequence[str]) -> Tensor:
        """Return unit embeddings `[P, D]` of prompts."""

    def embed_images(self, images: Tensor) -> Tensor:
        """Return unit embeddings `[B, D]` of images `[B, 3, R, R]` in [-1, 1]."""


class QuickEncoder(Protocol):
    """The same text encoder in a lower precision.

    `rounding [K, D]` is by how much that moves the embeddings of K pictures; None where it does not.
    """

    rounding: Tensor | None

    def embed_images(self, images: Tensor) -> Tensor:
        """Return unit embeddings `[B, D]` of images `[B, 3, R, R]` in [-1, 1]."""


class ZeroShotLabels:
    """Labels that a text encoder reads from pictures.

    Args:
        text_encoder: reads them.
        prompts: at least two, one per class.
        quick_encoder: makes the low-precision pass, which alone decides where it leaves no doubt about the label.

    Raises:
        ConfigError: there are fewer than two prompts, or equal ones.
    """

    def __init__(
        self,
        text_encoder: LabelEncoder,
        prompts: Sequence[str],
        *,
        quick_encoder: QuickEncoder | None = None,
    ) -> None:
        """Check the prompts and embed them."""
        self.prompts = check_labels(prompts)
        if not self.prompts:
            raise ConfigError("labels: give at least two prompts, one per class")
        self.text_encoder = text_encoder
        self._rounding = None if quick_encoder is None else quick_encoder.rounding
        self.first_encoder = text_encoder if quick_encoder is None or self._rounding is None else quick_encoder
        self._texts = text_encoder.embed_texts(self.prompts).detach()

    def embed(self, images: Tensor) -> Tensor:
        """Return embeddings `[B, D]` of images `[B, 3, R, R]`; differentiable."""
        return self.text_encoder.embed_images(images)

    @torch.no_grad()
    def low_precision_embeddings(self, images: Tensor) -> Tensor:
        """Return the embeddings `[B, D]` of the low-precision pass, or those of the text encoder where there is none.

        They tell labels once they are `rechecked`. Labels with the same encoders and other prompts can share them.
        """
        return self.first_encoder.embed_images(images)

    @torch.no_grad()
    def rechecked(self, embeddings: Tensor, images: Tensor) -> Tensor:
        """Recheck embeddings `[B, D]` of the low-precision pass: replace those that leave a doubt about the label.

        The embeddings returned give the same labels as `embed(images)`.
        """
        if self._rounding is None:
            return embeddings
        doubts = doubtful_labels(embeddings, self._texts.to(embeddings), self._rounding.to(embeddings))
        return embeddings.index_put((doubts,), self.embed(images[doubts])) if bool(doubts.any()) else embeddings

    def read(self, embeddings: Tensor) -> Tensor:
        """Return the labels int64 `[B]`, indices of the prompts."""
        return zero_shot_labels(embeddings, self._texts.to(embeddings))

    @torch.no_grad()
    def of(self, images: Tensor) -> Tensor:
        """Return the labels int64 `[B]` of images."""
        return self.read(self.rechecked(self.low_precision_embeddings(images), images))

    def loss(self, embeddings: Tensor, original_labels: Tensor) -> Tensor:
        """Compute L_attr `[B]` of embeddings that `embed` made, see `label_loss`."""
        return label_loss(embeddings, self._texts.to(embeddings), original_labels, self.text_encoder.logit_scale)
