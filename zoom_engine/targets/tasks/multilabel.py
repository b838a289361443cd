"""Multi-label classification: outputs are H logits `[B, H]`, each a decision of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.plurals import number_of
from zoom_engine.targets.tasks.classes import (
    PROBABILITY_EPS,
    OfManyClasses,
    OfProbabilities,
    axis_of_probability,
    class_name,
    moved,
    percentage_points,
    probabilities,
)
from zoom_engine.targets.tasks.task import Parts

UNCHANGED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiLabelTask(OfManyClasses):
    """Each of `classes` is a label that a picture has or lacks, decided at probability 0.5.

    The prediction flips where any label does; what moved is the label that moved most. Of one label alone a
    `BinaryTask` with a head speaks.

    Attributes:
        output: "logits" or "probabilities" `[B, H]`.
    """

    name: ClassVar[str] = "multilabel"
    called: ClassVar[str] = "multi-label"
    things: ClassVar[str] = "labels"

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the logits of a raw output, float32 `[B, H]`."""
        rows = self.rows(raw)
        return torch.logit(rows, eps=PROBABILITY_EPS) if self.output == "probabilities" else rows

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the probabilities, `[B, H]`."""
        return probabilities(outputs)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the logit of the original's decision, `[B]`.

        It is that of the label that is nearest to flipping or furthest beyond.
        """
        return torch.where(original >= 0, outputs, -outputs).amin(1)

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the probability of any label crossed 0.5."""
        return ((outputs >= 0) != (original >= 0)).any(1)

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the largest |p(x̂) − p(x)| of all labels, `[B]` in [0, 1]."""
        return (probabilities(outputs) - probabilities(original)).abs().amax(1)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the binary cross-entropy to the opposite of the original's decision, `[B]` (Luo 2023).

        It is that of the label that is nearest to flipping.
        """
        return F.softplus(self.margin(outputs, original))

    @property
    def view(self) -> MultiLabelView:
        """Return how the labels are shown."""
        return MultiLabelView(self)


class MultiLabelView(OfProbabilities):
    """The view that shows the label that moved most."""

    task: MultiLabelTask

    caption_label = (
        "the label whose probability moved most, with its probability; of the unedited picture, how many labels it has"
    )
    response_axis = axis_of_probability("how far the probability moved of the label that moved most")

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return the label that moved most with its probability, such as "smiling 0.83".

        Before anything moved it is how many the picture has, such as "4 labels".
        """
        now, before = outputs_row.sigmoid(), original_row.sigmoid()
        changes = (now - before).abs()
        if not bool(changes.any()):
            count = int((before >= 0.5).sum())
            return number_of(count, "label")
        most = int(changes.argmax())
        return f"{self.task.classes[most]} {now[most].item():.2f}"

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the largest change of a probability."""
        return max(moved(recorded, original))

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return which label flipped, and which way; 0 where all decisions are the original's.

        Of several that flipped it is the one that moved most: 1 + 2 · label, + 1 where the picture has it now.
        """
        flipped = [i for i, pair in enumerate(zip(recorded, original, strict=True)) if _has(pair[0]) != _has(pair[1])]
        if not flipped:
            return UNCHANGED
        changes = moved(recorded, original)
        most = max(flipped, key=changes.__getitem__)
        return 1 + 2 * most + _has(recorded[most])

    def state_name(self, state: int) -> str:
        """Return "“smiling”" or "not “smiling”"; "" for the original's decisions."""
        if state == UNCHANGED:
            return ""
        label, has = divmod(state - 1, 2)
        return f"{'' if has else 'not '}{class_name(self.task.classes, label)}"

    flip_in_words = "the probability of a label crosses 0.5"

    def mean_in_words(self, change: float) -> str:
        """Return how far the label moves that moves most, in percentage points."""
        return f"the probability that moves most moves by {percentage_points(change)} on average"

    def extent_in_words(self, pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
        """Return how many labels change."""
        changed = [sum(_has(now) != _has(before) for now, before in zip(*pair, strict=True)) for pair in pairs]
        mean = sum(changed) / len(changed)
        return f"{mean:.1f} of {len(self.task.classes)} labels change on average"

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the labels, and how far the probability of each moved."""
        label = "how far the probability of each label moves"
        return Parts(self.task.classes, moved(recorded, original), label)


def _has(probability: float) -> bool:
    return probability >= 0.5
