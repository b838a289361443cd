"""Embeddings: vectors whose angle says whether two pictures show the same, as of faces, or of products in a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.common.plurals import with_minus
from zoom_engine.targets.tasks.described import Described, rows_of
from zoom_engine.targets.tasks.task import ResponseAxis, TaskView

SAME, ANOTHER = range(2)
PUSH = 0.1  # of the way moved: the slope where nothing moved yet, at right angles to the vector


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingTask(Described):
    """Outputs are vectors brought to length 1, `[B, K]`.

    The change is the cosine distance, 1 − cosine similarity, to the unedited picture's vector: 0 for the same vector, 1
    where the two stand at right angles or further apart, as those of pictures do that have nothing in common.

    Attributes:
        threshold: below this cosine similarity to the unedited picture's vector the output flips: it shows another one.
            0.5, an angle of 60°, lies within the 0.3 to 0.6 that published face recognisers are used with; a model's
            own, at which it is in use, belongs here.
    """

    threshold: float = 0.5
    name: ClassVar[str] = "embedding"

    def __post_init__(self) -> None:
        """Refuse a threshold at which nothing or all is the same, by a TargetError."""
        if not -1 < self.threshold < 1:
            raise TargetError(
                "embedding task: threshold is a cosine similarity, greater than -1 and less than 1, not"
                f" {self.threshold}"
            )

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the vectors `[B, K]`, of length 1, of a raw output `[B, K]` or `[B, K, 1, …]`.

        A vector of zeros has no direction and stays as it is.

        Raises:
            TargetError: there is more or less than one vector for a picture.
        """
        if raw.ndim < 2 or sum(size > 1 for size in raw.shape[1:]) != 1:
            raise TargetError(
                f"the target returns {list(raw.shape)}: an embedding is one vector of several numbers for each picture,"
                " [B, K]; choose it with output (--output), or pool it in the model"
            )
        return F.normalize(rows_of(raw).double(), dim=1).float()

    def similarity(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the cosine similarity `[B]`, of vectors of length 1 the same as 1 − ‖a − b‖² / 2, exactly 1 of one."""
        return 1 - (outputs - original).double().square().sum(1).float() / 2

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the cosine similarity and the Euclidean distance to the original's vector, `[B, 2]`.

        Vectors would fill the records. Both measures are in use, and as a similarity falls whatever moves, one number
        alone would be taken for an output that an attribute raises or lowers.
        """
        similarity = self.similarity(outputs, original)
        return torch.stack([similarity, (2 - 2 * similarity).sqrt()], dim=1)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return how far the cosine similarity lies above the threshold, `[B]`."""
        return self.similarity(outputs, original) - self.threshold

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the cosine similarity lies below the threshold."""
        return self.margin(outputs, original) < 0

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the cosine distance, `[B]` in [0, 1]; 1 where it is more."""
        return (1 - self.similarity(outputs, original)).clamp(max=1)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the softplus of what is left of the way between the vectors, `[B]`, in ways that flip.

        A length has no slope at 0: a push gives one, towards a direction that depends on the original alone.
        """
        aside = original.roll(1, 1)
        aside = F.normalize(aside - (aside * original).sum(1, keepdim=True) * original, dim=1)
        difference = outputs - original
        way = (difference.square().sum(1) + 1e-12).sqrt() + PUSH * (difference * aside).sum(1)
        least = (2 * (1 - self.threshold)) ** 0.5
        return F.softplus((least - way) / least)

    @property
    def view(self) -> EmbeddingView:
        """Return how vectors are shown."""
        return EmbeddingView(self)


class EmbeddingView(TaskView):
    """The view that says whether two pictures show the same, and how alike their vectors are."""

    task: EmbeddingTask

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return none: the cosine distance has one scale alone."""
        return {}

    @property
    def negligible_change(self) -> float:
        """Return a tenth of the distance that flips, 0.05 by default."""
        return min((1 - self.task.threshold) / 10, 1.0)

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return "same" or "another" with the cosine similarity, such as "same (0.83)"."""
        similarity = float(self.task.similarity(outputs_row[None], original_row[None])[0])
        return f"{('same', 'another')[self._state(similarity)]} ({with_minus(f'{similarity:z.2f}')})"

    @property
    def caption_label(self) -> str:
        """Return what the caption says, in words."""
        return "“same” or “another”, and the cosine similarity to the unedited picture’s vector"

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the cosine distance."""
        return 1 - float(recorded[0])

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of the cosine distance, without an end; a hundredth of what flips is negligible."""
        least = 1 - self.task.threshold
        label = "the cosine distance to the unedited picture’s vector"
        return ResponseAxis(label, boundary=least, negligible=least / 100)

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return whether both pictures show the same: `SAME` or `ANOTHER`."""
        return self._state(float(recorded[0]))

    def state_name(self, state: int) -> str:
        """Return the state in words; "" where both pictures show the same."""
        return ("", "another")[state]

    def change_in_words(self, change: float) -> str:
        """Return how much cosine similarity a change in [0, 1] takes."""
        return f"{change:.2f} cosine similarity lost{' or more' if change >= 1 else ''}"

    @property
    def flip_in_words(self) -> str:
        """Return the threshold."""
        return f"the cosine similarity to the unedited picture falls below {self.task.threshold:g}"

    def mean_in_words(self, change: float) -> str:
        """Return how far the cosine similarity falls."""
        return f"the cosine similarity to the unedited picture falls by {change:.2f} on average"

    def _state(self, similarity: float) -> int:
        return ANOTHER if torch.tensor(similarity) < self.task.threshold else SAME
