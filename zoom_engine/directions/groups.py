"""Unedited images told apart by what a text says: by its text score against the neutral prompt, as for edit directions.

The score that separates those that have it from those that lack it is Otsu's, over a sample of unedited images, as in
`calibration`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.directions.calibration import split_in_two, text_scores
from zoom_engine.directions.relevance import Sampling, text_directions
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.generators import EditableGenerator, Renderer, StyleRows
from zoom_engine.text import TextEncoder


@dataclass(frozen=True)
class TextGroups:
    """The groups that G texts make, CPU tensors, float32.

    Attributes:
        along: `[G, D]`, the text directions.
        splits: `[G]`, the scores above which an image has what the text says.
    """

    along: Tensor
    splits: Tensor

    def of(
        self,
        text_encoder: TextEncoder,
        renderer: Renderer,
        styles: StyleRows,
        images: Sequence[int],
        *,
        batch_size: int = 32,
    ) -> dict[int, tuple[bool, ...]]:
        """Return for each of the `images`, rows of `styles`, whether it has what each text says."""

        def drawn() -> Iterator[Tensor]:
            for part in torch.split(torch.tensor(images, dtype=torch.long), batch_size):
                yield renderer.render(styles[part.to(styles.device)])

        if not images:
            return {}
        has = text_scores(text_encoder, self.along, drawn()) > self.splits
        return {image: tuple(row) for image, row in zip(images, has.tolist(), strict=True)}


def text_groups(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    texts: Sequence[str],
    *,
    neutral: str,
    templates: Sequence[str],
    sampling: Sampling,
) -> TextGroups:
    """Return the groups that `texts` make, with splits measured on the pictures of `sampling`."""
    along = text_directions(text_encoder, texts, neutral=neutral, templates=templates)
    unedited = unedited_embeddings(generator, text_encoder, sampling, doing="Scoring unedited images")
    return TextGroups(along, split_in_two(unedited @ along.T).splits)
