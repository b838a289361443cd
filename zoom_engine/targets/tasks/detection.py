"""Detection: boxes with scores. Of each picture one is followed, the one found most surely before the edit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.classes import PROBABILITY_EPS, checked_probabilities, class_name
from zoom_engine.targets.tasks.described import Described, check_output
from zoom_engine.targets.tasks.task import Parts, Pixels, ResponseAxis, TaskView

Form = Literal["found", "boxes", "yolo"]
ABSENT, PRESENT, ELSEWHERE = range(3)
MOST_BOXES = 300
"""Boxes of a picture that are kept, those of the highest scores: no detector returns more."""
FARTHEST = 2.0
"""A share of the picture that no box reaches: beyond are pixels."""
BEFORE, NOW = "#56b4e9", "#f07000"
FINEST = 512  # pixels a side that boxes are drawn at, or the picture's own where it has more


class Match(NamedTuple):
    """The box of each row that is taken for the original's.

    Attributes:
        box: its corners, `[B, 4]`.
        score: its score, `[B]`.
        overlap: its overlap with the original's box, `[B]`; 1 where the original found nothing.
        left: what of score and overlap is left to the thresholds, `[B]`.
    """

    box: Tensor
    score: Tensor
    overlap: Tensor
    left: Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionTask(Described):
    """Boxes with scores, of which one is followed.

    Outputs are the boxes of a picture, `[B, 300, 5]`, the highest score first: x and y of the top left and of the
    bottom right corner as shares of the picture, and the score in [0, 1], 0 of what is no box; rows of zeros follow the
    last one.

    The box with the highest score of the unedited picture is what is followed. After an edit it is the box that has
    most left to both thresholds, of its score and of its overlap (intersection over union, IoU) with the box before.

    Attributes:
        classes: names of the classes, in the order of their numbers.
        output: what the network returns. "found": the boxes that it chose itself, `[B, N, 6]` (x and y of two corners,
            score, class; without the class `[B, N, 5]`), or as torchvision does a list with a dict of "boxes" `[n, 4]`,
            "scores" and "labels" `[n]` for each picture; without gradients, as a box that is not chosen has none.
            "boxes": the same `[B, N, 6]`, but of every box that it considered. "yolo": of every box `[B, 4 + C, N]` its
            middle, its width and height, and the probability of each class.
        side: pixels of the input that boxes are in; None where they are shares of the picture.
        chosen: name or number of the class whose boxes count; None where all do.
        score: from which score on a box is found, in (0, 1).
        overlap: down to which IoU with the box before it is the same one, in (0, 1).
    """

    classes: tuple[str, ...] = ()
    output: Form = "found"
    side: int | None = None
    chosen: str | int | None = None
    score: float = 0.5
    overlap: float = 0.5
    name: ClassVar[str] = "detection"

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a TargetError."""
        check_output("detection", self.output, Form)
        for name, value in (("score", self.score), ("overlap", self.overlap)):
            if not 0 < value < 1:
                raise TargetError(f"detection task: {name} must be between 0 and 1, not {value}")
        if self.side is not None and self.side < 1:
            raise TargetError(f"detection task: side is the input's pixels, not {self.side}")
        numbered = isinstance(self.chosen, int) and 0 <= self.chosen < (len(self.classes) or math.inf)
        if self.chosen is not None and not numbered and self.chosen not in self.classes:
            names = ", ".join(self.classes) or "not named, so give its number"
            raise TargetError(f"detection task: chosen is {self.chosen!r}; classes are {names}")

    @property
    def differentiable(self) -> bool:
        """Tell whether gradients can be followed: boxes that the network chose come and go."""
        return self.output != "found"

    @property
    def may_be_empty(self) -> bool:
        """Tell whether the network chose the boxes: of noise none is chosen."""
        return self.output == "found"

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the boxes `[B, 300, 5]` of a raw output.

        Raises:
            TargetError: it has another shape, scores that are no probabilities, or boxes in pixels without `side`.
        """
        boxes, scores = self._boxes_of_classes(raw) if self.output == "yolo" else self._boxes_of_rows(raw)
        scores = checked_probabilities(scores) if scores.numel() else scores
        if self.side is not None:
            boxes = boxes / self.side
        elif bool((boxes.abs() > FARTHEST).any()):
            raise TargetError(
                f"the target's boxes reach to {boxes.abs().max().item():.4g}: say how many pixels its input has with"
                " side (--task-option side=640)"
            )
        scores = torch.where(_area(boxes[..., :2], boxes[..., 2:]) > 0, scores, 0.0)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :MOST_BOXES]
        likeliest = torch.cat([boxes, scores[:, :, None]], dim=2).gather(1, order[:, :, None].expand(-1, -1, 5))
        return F.pad(likeliest, (0, 0, 0, MOST_BOXES - likeliest.shape[1]))

    def match(self, outputs: Tensor, original: Tensor) -> Match:
        """Return which box of each row is the original's."""
        overlaps = self._overlaps(outputs, original)
        left = torch.minimum(outputs[:, :, 4] - self.score, overlaps - self.overlap)
        row, best = torch.arange(len(outputs), device=outputs.device), left.argmax(1)
        return Match(outputs[row, best, :4], outputs[row, best, 4], overlaps[row, best], left[row, best])

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the corners of the box, its score, and its overlap with the original's, `[B, 6]`."""
        match = self.match(outputs, original)
        return torch.cat([match.box, match.score[:, None], match.overlap[:, None]], dim=1)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return what is left to the nearer threshold, `[B]`; where nothing was found, what the highest score lacks."""
        return torch.where(
            self.detected(original), self.match(outputs, original).left, self.score - outputs[:, :, 4].amax(1)
        )

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether no box of enough score is where the original's was.

        Where the original found nothing, tell whether one is anywhere.
        """
        margin = self.margin(outputs, original)
        return torch.where(self.detected(original), margin < 0, margin <= 0)

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return how far score × overlap moved, `[B]` in [0, 1]."""
        match = self.match(outputs, original)
        return (match.score * match.overlap - original[:, 0, 4]).abs()

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the cross-entropy of score × overlap to 0, `[B]`, of the box that has most of it.

        Where nothing was found it is that to 1. It slopes where an overlap of 1 does not.
        """
        sure = (outputs[:, :, 4] * self._overlaps(outputs, original)).amax(1)
        return -(torch.where(self.detected(original), 1 - sure, sure) + PROBABILITY_EPS).log()

    @property
    def number(self) -> int | None:
        """Return the number of the class that counts."""
        return self.classes.index(self.chosen) if isinstance(self.chosen, str) else self.chosen

    def detected(self, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether there is a box of enough score."""
        return original[:, 0, 4] >= self.score

    def in_any_order(self, outputs: Tensor) -> Tensor:
        """Return numbers `[B, 304]` that move no further than scores and boxes do, in whatever order these come.

        By rounding boxes of about the same score change their ranks: of noise hundreds have one. The numbers are the
        scores, and the sum of the corners by how far each score lies above the least that is kept.
        """
        scores = outputs[:, :, 4]
        return torch.cat([scores, ((scores - scores[:, -1:])[:, :, None] * outputs[:, :, :4]).sum(1)], dim=1)

    def _overlaps(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the overlap of each box with the original's, `[B, N]`; 1 where the original found nothing."""
        return torch.where(self.detected(original)[:, None], _overlaps(outputs[:, :, :4], original[:, 0, :4]), 1.0)

    def _boxes_of_rows(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes `[B, N, 4]` and scores `[B, N]` of rows of corners, score and class."""
        if raw.ndim != 3 or raw.shape[2] not in (5, 6) or (raw.shape[2] == 5 and self.number is not None):
            row = "6 (corners, score, class)" if self.number is not None else "6 or 5 (corners, score, class)"
            raise TargetError(f"the target returns {list(raw.shape)}: boxes are [B, N, {row}]")
        rows = raw.float()
        scores = rows[:, :, 4]
        if self.number is not None:
            scores = torch.where(rows[:, :, 5] == self.number, scores, 0.0)
        return rows[:, :, :4], scores

    def _boxes_of_classes(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes `[B, N, 4]` and scores `[B, N]` of columns of middle, size and probabilities."""
        count = raw.shape[1] - 4 if raw.ndim == 3 else 0
        if count < 1 or (self.classes and count != len(self.classes)) or (self.number or 0) >= count:
            wanted = f"4 + {len(self.classes)}" if self.classes else "4 + C"
            raise TargetError(f"the target returns {list(raw.shape)}: boxes of yolo are [B, {wanted}, N]")
        columns = raw.float().transpose(1, 2)
        middle, half, shares = columns[:, :, :2], columns[:, :, 2:4] / 2, columns[:, :, 4:]
        scores = shares.amax(2) if self.number is None else shares[:, :, self.number]
        return torch.cat([middle - half, middle + half], dim=2), scores

    @property
    def view(self) -> DetectionView:
        """Return how the boxes are shown."""
        return DetectionView(self)


class DetectionView(TaskView):
    """The view that shows the box that is followed, and how sure it is."""

    task: DetectionTask

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return the class whose boxes count, and the thresholds by which a box is taken for the one before."""
        number, classes = self.task.number, self.task.classes
        chosen = classes[number] if number is not None and classes else number
        return {"chosen": chosen, "score": self.task.score, "overlap": self.task.overlap}

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return score × overlap, such as "0.83 × 0.91".

        It is the score alone where the box is the same, and "none" where no score is enough.
        """
        match = self.task.match(outputs_row[None], original_row[None])
        score, overlap = match.score.item(), match.overlap.item()
        if bool(match.score < self.task.score):
            return "none"
        return f"{score:.2f}" + (f" × {overlap:.2f}" if overlap < 1 else "")

    @property
    def caption_label(self) -> str:
        """Return what score and overlap are, in words."""
        return (
            f"the score of {self._what}, × how far its box overlaps that before the edit (as intersection over union, 1"
            f" where they are the same); none where no score reaches {self.task.score:g}"
        )

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """Draw over a copy of the picture the box before and, narrower, the box now.

        The picture is drawn at 512² where it has less, and made small again.
        """
        height, width = pixels.shape[:2]
        finer = max(FINEST // height, 1)
        side = (width * finer, height * finer)
        picture = Image.fromarray(pixels).resize(side, Image.Resampling.BICUBIC)
        draw, thick = ImageDraw.Draw(picture), max(side[1] // 64, 2)
        match = self.task.match(outputs_row[None], original_row[None])
        if bool(self.task.detected(original_row[None])):
            _draw(draw, original_row[0, :4], BEFORE, side, 2 * thick)
        if bool(match.score >= self.task.score):
            _draw(draw, match.box[0], NOW, side, thick)
        return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8)

    @property
    def legend(self) -> Sequence[tuple[str, str]]:
        """Return whose box has which colour."""
        return (("the box now", NOW), ("the box before the edit", BEFORE))

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return score × overlap."""
        return recorded[4] * recorded[5]

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of score × overlap."""
        label = (
            f"how surely {self._what} is found where it was, as its score times the overlap (IoU) of its box with that"
            " before the edit"
        )
        return ResponseAxis(label, (0.0, 1.0), negligible=0.01)

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return whether the object is found, and where: `ABSENT`, `PRESENT` or `ELSEWHERE`."""
        score, overlap = torch.tensor(recorded[4:], dtype=torch.float32)  # 0.7 in float32 is less than Python's
        if bool(score < self.task.score):
            return ABSENT
        return PRESENT if bool(overlap >= self.task.overlap) else ELSEWHERE

    def state_name(self, state: int) -> str:
        """Return the state in words."""
        return (f"no {self._what}", self._what, f"{self._what} elsewhere")[state]

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return what of a detection can move, score and place, and how far each did."""
        label = "how far the score moves, and how far the place of the box does, as 1 − intersection over union"
        return Parts(("score", "place"), [abs(recorded[4] - original[4]), 1 - recorded[5]], label)

    def change_in_words(self, change: float) -> str:
        """Return how far score × overlap moves."""
        return f"{change:.2f} of score × overlap"

    @property
    def flip_in_words(self) -> str:
        """Return both thresholds."""
        task = self.task
        gone = f"no box of a score of {task.score:g} or more overlaps the one before by {task.overlap:g} (IoU) or more"
        return f"{gone}, or a first one appears"

    def mean_in_words(self, change: float) -> str:
        """Return how far score × overlap moves."""
        return f"the score of {self._what}, × the overlap with its box before, moves by {change:.2f} on average"

    @property
    def _what(self) -> str:
        only = len(self.task.classes) == 1
        number = 0 if self.task.number is None and only else self.task.number
        return "object" if number is None else class_name(self.task.classes, number)


def _overlaps(boxes: Tensor, box: Tensor) -> Tensor:
    """Compute the IoU (Jaccard 1912), `[B, N]`, of boxes `[B, N, 4]` with one box a row, `[B, 4]`."""
    one = box[:, None]
    both = _area(torch.maximum(boxes[..., :2], one[..., :2]), torch.minimum(boxes[..., 2:], one[..., 2:]))
    either = _area(boxes[..., :2], boxes[..., 2:]) + _area(one[..., :2], one[..., 2:]) - both
    return both / either.clamp(min=1e-12)


def _area(low: Tensor, high: Tensor) -> Tensor:
    """Compute the area of boxes with the corners `low` and `high` `[…, 2]`; 0 of those that are none."""
    return (high - low).clamp(min=0).prod(-1)


def _draw(draw: ImageDraw.ImageDraw, box: Tensor, color: str, side: tuple[int, int], thick: int) -> None:
    """Draw the outline of a box `[4]` in a picture of `side`, between dark ones that show it on every ground."""
    x0, y0, x1, y1 = (
        fraction * side[i % 2] for i, fraction in enumerate(box.detach().float().cpu().clamp(-1, 2).tolist())
    )
    for edge, paint in ((1, "black"), (0, color)):
        draw.rectangle((x0 - edge, y0 - edge, x1 + edge, y1 + edge), outline=paint, width=thick + 2 * edge)
