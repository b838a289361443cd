"""Segmentation: every pixel is of one class."""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.classes import PROBABILITY_EPS, checked_probabilities, class_name
from zoom_engine.targets.tasks.described import Described, check_output
from zoom_engine.targets.tasks.task import Parts, Pixels, ResponseAxis, TaskView

SegmentationOutput = Literal["logits", "probabilities", "labels"]
SAME, OTHER = range(2)
ABSENT = -1.0
"""Recorded in place of an IoU, of a class that neither picture has."""
MOST_CLASSES = 256
COLORS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito's, which the colour-blind tell apart; further classes get hues a golden angle apart."""
TINT = 0.5  # how much of the class's colour a picture gets
STRIPES = 20  # hatching lines that cross the picture where the class is another one than before
FINEST = 512  # pixels a side that overlays are drawn at, or the picture's own where it has more


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentationTask(Described):
    """Outputs are the logits of `classes` at each pixel, float32 `[B, C, h, w]`, or the labels, uint8 `[B, h, w]`.

    Attributes:
        classes: names of 2 to 256 classes.
        output: what the network returns: "logits" or "probabilities" `[B, C, h, w]` (`[B, 1, h, w]`, of the second of
            two classes, too), or "labels" `[B, h, w]` or `[B, 1, h, w]`, the index of each pixel's class, without
            gradients.
        threshold: the output flips where its agreement with the areas of the unedited image is below this: the mean
            intersection over union (mIoU) over the classes that the unedited image has, or the IoU of `chosen`.
        chosen: name or index of the one class that counts, or None.
    """

    classes: tuple[str, ...]
    output: SegmentationOutput = "logits"
    threshold: float = 0.75
    chosen: str | int | None = None
    name: ClassVar[str] = "segmentation"

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a TargetError."""
        check_output("segmentation", self.output, SegmentationOutput)
        if not 2 <= len(self.classes) <= MOST_CLASSES:
            raise TargetError(f"segmentation task: needs the names of 2 to {MOST_CLASSES} classes")
        if not 0 < self.threshold < 1:
            raise TargetError(f"segmentation task: threshold must be between 0 and 1, not {self.threshold}")
        known = range(len(self.classes)) if isinstance(self.chosen, int) else self.classes
        if self.chosen is not None and self.chosen not in known:
            raise TargetError(f"segmentation task: chosen is {self.chosen!r}; classes are {', '.join(self.classes)}")

    @property
    def differentiable(self) -> bool:
        """Tell whether gradients can be followed: those of logits can, labels have none."""
        return self.output != "labels"

    @property
    def index(self) -> int | None:
        """Return the index of the class that counts."""
        return self.classes.index(self.chosen) if isinstance(self.chosen, str) else self.chosen

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the logits `[B, C, h, w]` or the labels `[B, h, w]` of a raw output.

        Raises:
            TargetError: it has another shape, or holds no probabilities or labels where it should.
        """
        if self.output == "labels":
            return self._labels(raw)
        count = len(self.classes)
        if raw.ndim != 4 or raw.shape[1] not in (count, 1 if count == 2 else count):
            raise TargetError(f"the target returns {list(raw.shape)}: areas of {count} classes are [B, {count}, h, w]")
        maps = raw.float()
        if self.output == "logits":
            return maps if maps.shape[1] == count else torch.cat([torch.zeros_like(maps), maps], dim=1)
        probabilities = checked_probabilities(maps)
        if probabilities.shape[1] != count:
            probabilities = torch.cat([1 - probabilities, probabilities], dim=1)
        return probabilities.clamp_min(PROBABILITY_EPS).log()

    def _labels(self, raw: Tensor) -> Tensor:
        maps = raw[:, 0] if raw.ndim == 4 and raw.shape[1] == 1 else raw
        if maps.ndim != 3:
            raise TargetError(f"the target returns {list(raw.shape)}: labels are [B, h, w]")
        if bool(((maps < 0) | (maps >= len(self.classes)) | (maps != maps.float().round())).any()):
            low, high = maps.min().item(), maps.max().item()
            raise TargetError(
                f"the target's labels reach from {low:g} to {high:g}; {len(self.classes)} classes are the whole"
                f" numbers 0 to {len(self.classes) - 1}"
            )
        return maps.to(torch.uint8)

    def overlaps(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Compute the intersection over union (Jaccard 1912) of each class's areas, `[B, C]`.

        It is NaN of a class that neither picture has.
        """
        count = len(self.classes)
        rows = torch.arange(len(outputs), device=outputs.device)[:, None] * count * count
        pairs = rows + self._classes_of(outputs) * count + self._classes_of(original)
        table = torch.bincount(pairs.flatten(), minlength=len(outputs) * count * count).view(-1, count, count).float()
        both = table.diagonal(dim1=1, dim2=2)
        return both / (table.sum(1) + table.sum(2) - both)

    def agreement(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the agreement that is compared with the threshold, `[B]` in [0, 1].

        It is the mIoU over the classes of the reference, which is the original (Long, Shelhamer and Darrell, CVPR 2015;
        per class as PASCAL VOC has it: Everingham et al., IJCV 2015). A class that only the output has is not averaged
        over; its pixels lower the IoU of the classes that they were taken from.
        """
        return self.counted(self.overlaps(outputs, original), self._present(original))

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the IoU of each class with the original, `[B, C]`; -1 where neither picture has it."""
        return self.overlaps(outputs, original).nan_to_num(ABSENT)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return what the agreement has left to the threshold, `[B]`, in steps of pixels.

        Its slope is that of the soft agreement (straight through, Bengio 2013, arXiv 1308.3432), as steps have none.
        """
        left = self.agreement(outputs, original) - self.threshold
        if not (outputs.requires_grad and torch.is_grad_enabled()):
            return left
        soft = self._soft_agreement(outputs, original)
        return left + (soft - soft.detach())

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the agreement is below the threshold."""
        return self.margin(outputs, original) < 0

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return 1 − the agreement, `[B]` in [0, 1]."""
        return 1 - self.agreement(outputs, original)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the softplus of what the soft agreement has left, `[B]`, in thresholds."""
        left = self._soft_agreement(outputs, original) - self.threshold
        return F.softplus(left / (1 - self.threshold))

    def _soft_agreement(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Compute a differentiable agreement, `[B]` in [0, 1].

        The soft IoU (Rahman and Wang 2016) of a class is Σ p·y / Σ (p + y − p·y) over pixels, p being its probabilities
        and y its area in the original; of the classes that the original has. A chosen class that it lacks counts by the
        mean of 1 − p over pixels, which falls as the class appears.
        """
        probabilities = self._shares(outputs).flatten(2)
        area = F.one_hot(self._classes_of(original), len(self.classes)).transpose(1, 2).to(probabilities.dtype)
        both = (probabilities * area).sum(2)
        soft = both / (probabilities + area - probabilities * area).sum(2).clamp(min=1e-6)
        present = self._present(original)
        if self.index is None:
            return (soft * present).sum(1) / present.sum(1)
        return torch.where(present, soft, 1 - probabilities.mean(2))[:, self.index]

    def counted(self, overlaps: Tensor, present: Tensor) -> Tensor:
        """Return the agreement of some IoUs, `[B]`: their mean, or that of the chosen class alone.

        Args:
            overlaps: IoU of each class, `[B, C]`; NaN of a class that neither picture has.
            present: classes that the original has, bool `[B, C]`. Only these are averaged over; a chosen class that the
                original lacks has an IoU of 1 until it appears.
        """
        if self.index is not None:
            return overlaps[:, self.index].nan_to_num(1.0)
        return overlaps.where(present, torch.nan).nanmean(1)

    def _present(self, outputs: Tensor) -> Tensor:
        """Return which classes have a pixel, bool `[B, C]`."""
        none = torch.zeros(len(outputs), len(self.classes), dtype=torch.bool, device=outputs.device)
        return none.scatter(1, self._classes_of(outputs), True)

    def _classes_of(self, outputs: Tensor) -> Tensor:
        """Return the class of each pixel, int64 `[B, h · w]`."""
        labels = outputs if self.output == "labels" else outputs.argmax(1)
        return labels.flatten(1).long()

    def _shares(self, outputs: Tensor) -> Tensor:
        """Return the probabilities `[B, C, h, w]`."""
        if self.output == "labels":
            return F.one_hot(outputs.long(), len(self.classes)).permute(0, 3, 1, 2).float()
        return outputs.softmax(1)

    @property
    def view(self) -> SegmentationView:
        """Return how the areas are shown."""
        return SegmentationView(self)


class SegmentationView(TaskView):
    """The view that shows the areas in the colours of their classes."""

    task: SegmentationTask

    @property
    def negligible_change(self) -> float:
        """Return half of the change that flips."""
        return (1 - self.task.threshold) / 2

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return the class that counts."""
        return {"chosen": None if self.task.index is None else self.task.classes[self.task.index]}

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return the agreement, such as "mIoU 0.83"."""
        agreement = self.task.agreement(outputs_row[None], original_row[None])
        return f"{'mIoU' if self.task.index is None else 'IoU'} {agreement.item():.2f}"

    @property
    def caption_label(self) -> str:
        """Return what the agreement is, in words."""
        return f"{self.response_axis.label}: 1 where they are the same; hatched is what became another class"

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """Draw the picture in the colours of its classes, hatched where the class is another one than before.

        It is drawn at 512² where the picture has less, and made small again.
        """
        height, width = pixels.shape[:2]
        finer = max(FINEST // height, 1)
        side = (width * finer, height * finer)
        now, before = (self._drawn(row, side) for row in (outputs_row, original_row))
        picture = np.asarray(Image.fromarray(pixels).resize(side, Image.Resampling.BICUBIC), dtype=np.float32)
        tints = np.array([_rgb(color) for _, color in self.legend], dtype=np.float32)
        picture = (1 - TINT) * picture + TINT * tints[now]
        down, across = np.indices(now.shape)
        period = side[1] / STRIPES
        place = ((down + across) % period) / period
        picture[(now != before) & (place < 0.3)] = 255
        picture[(now != before) & (place >= 0.3) & (place < 0.45)] = 0
        drawn = Image.fromarray(picture.round().astype(np.uint8))
        return np.asarray(drawn.resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8)

    @property
    def legend(self) -> Sequence[tuple[str, str]]:
        """Return the classes' colours."""
        return [(name, COLORS[i] if i < len(COLORS) else _hue(i)) for i, name in enumerate(self.task.classes)]

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the agreement."""
        overlaps, before = torch.tensor([recorded, original], dtype=torch.float64)[:, None]
        return float(self.task.counted(overlaps.where(overlaps != ABSENT, torch.nan), before != ABSENT)[0])

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of the agreement; a tenth of what flips is negligible."""
        if self.task.index is None:
            label = "how well all areas agree with those before the edit, as the mean intersection over union (mIoU)"
        else:
            label = f"how well the area of {self._which} agrees with that before the edit"
            label += ", as intersection over union (IoU)"
        threshold = self.task.threshold
        return ResponseAxis(label, (0.0, 1.0), boundary=threshold, negligible=(1 - threshold) / 10)

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return whether the areas are about the original's: `SAME` or `OTHER`."""
        return OTHER if self.response(recorded, original) < self.task.threshold else SAME

    def state_name(self, state: int) -> str:
        """Return the state in words; "" where the areas are about the same."""
        return ("", "other areas" if self.task.index is None else f"another area of {self._which}")[state]

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the classes, and 1 − IoU of each; 0 of a class that the unedited image lacks, unless it is chosen."""
        counts = [before != ABSENT or i == self.task.index for i, before in enumerate(original)]
        changes = [
            1 - overlap if counted and overlap != ABSENT else 0.0
            for overlap, counted in zip(recorded, counts, strict=True)
        ]
        label = "how far the area of each class changes, as 1 − intersection over union"
        return Parts(self.task.classes, changes, label)

    def change_in_words(self, change: float) -> str:
        """Return how much of the agreement is lost."""
        return f"{change:.2f} {'mIoU' if self.task.index is None else f'IoU of {self._which}'} lost"

    @property
    def flip_in_words(self) -> str:
        """Return the threshold."""
        what = "mIoU" if self.task.index is None else f"IoU of {self._which}"
        return f"the {what} with the areas before the edit falls below {self.task.threshold:g}"

    def mean_in_words(self, change: float) -> str:
        """Return how far the agreement falls."""
        what = "mIoU" if self.task.index is None else f"IoU of {self._which}"
        return f"the {what} with the areas before the edit falls by {change:.2f} on average"

    @property
    def _which(self) -> str:
        return class_name(self.task.classes, self.task.index or 0)

    def _drawn(self, row: Tensor, side: tuple[int, int]) -> Pixels:
        """Return the classes of one image, uint8 `[height, width]`, at the size (width, height) of a picture."""
        labels = row if self.task.output == "labels" else row.argmax(0)
        label_map = Image.fromarray(labels.to(torch.uint8).cpu().numpy())
        return np.asarray(label_map.resize(side, Image.Resampling.NEAREST))


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def _hue(index: int) -> str:
    """Return a colour "#rrggbb": hues a golden angle apart, at three brightnesses."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.65, (0.95, 0.7, 0.5)[index % 3])
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
