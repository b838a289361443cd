"""Key points: K places in the picture, as coordinates or as heat maps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.described import Described, check_output
from zoom_engine.targets.tasks.task import Parts, Pixels, ResponseAxis, TaskView

Form = Literal["normalised", "pixels", "heatmaps"]
Order = Literal["points", "axes"]
IN_PLACE, MOVED = range(2)
SHARPNESS = 10.0  # of the soft peak of a heat map, which only gradients see
PUSH = 0.1  # of a displacement's length: the slope where nothing moved yet, away from the points' middle
MOST_POINTS = 1024
FARTHEST = 10.0
"""Sides of the picture that no point is away from it: beyond are pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeypointsTask(Described):
    """Outputs are x and y of every point as shares of the picture, `[B, 2·K]`: (0, 0) is its top left corner.

    Attributes:
        output: what the network returns: "normalised" coordinates `[B, K, 2]` or `[B, 2·K]`, the same in "pixels" of
            its input of `side`, or "heatmaps" `[B, K, h, w]`, whose peaks count.
        side: pixels, for "pixels".
        order: of a row `[B, 2·K]`: "points", x and y of each in turn, or "axes", x of all and then y of all.
        points: their names, for words; () where several have none.
        between: the indices of two points whose distance, in the unedited picture, displacements are measured by (of
            faces the eyes); None measures by the diagonal of the box around all points, of a single point by the
            picture's side.
        threshold: from which displacement on, in that measure, the output flips: of `point`, or the mean of all.
        point: index of the one that counts, or None.
    """

    output: Form = "normalised"
    side: int | None = None
    order: Order = "points"
    points: tuple[str, ...] = ()
    between: tuple[int, int] | None = None
    threshold: float = 0.1
    point: int | None = None
    name: ClassVar[str] = "keypoints"

    def __post_init__(self) -> None:
        """Refuse options that do not go together, or are out of their ranges, by a TargetError."""
        check_output("keypoints", self.output, Form)
        if self.order not in get_args(Order):
            raise TargetError(f"keypoints task: order is {self.order!r}; choose one of {', '.join(get_args(Order))}")
        if (self.output == "pixels") != (self.side is not None and self.side > 0):
            raise TargetError("keypoints task: coordinates in pixels need side, the input's pixels, and others none")
        if not 0 < self.threshold < math.inf:
            raise TargetError(f"keypoints task: threshold must be greater than 0, not {self.threshold}")
        if self.between is not None and (len(set(self.between)) != 2 or min(self.between) < 0):
            raise TargetError("keypoints task: between are the indices of two different points")
        if self.point is not None and self.point < 0:
            raise TargetError(f"keypoints task: point is the index of one point, 0 or more, not {self.point}")

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the points `[B, 2·K]` of a raw output.

        Of heat maps they are the peaks; gradients are those of the soft peak.

        Raises:
            TargetError: it has another shape, another number of points than are named or needed, or coordinates in
                pixels where they should be shares.
        """
        if self.output == "heatmaps":
            coordinates = _peaks(raw)
        else:
            flat = raw.flatten(1).float()
            if raw.ndim not in (2, 3) or flat.shape[1] % 2 or (raw.ndim == 3 and raw.shape[2] != 2):
                raise TargetError(f"the target returns {list(raw.shape)}: key points are [B, K, 2] or [B, 2·K]")
            if self.order == "axes" and raw.ndim == 2:
                flat = flat.view(len(flat), 2, -1).transpose(1, 2).flatten(1)
            coordinates = flat / self.side if self.side else flat
        count = coordinates.shape[1] // 2
        if not 1 <= count <= MOST_POINTS or (self.points and len(self.points) != count):
            raise TargetError(f"the target returns {count} points, named are {len(self.points)}")
        if count == 1 and not self.points:
            raise TargetError("the target returns one point: name it (--task-option 'points=[\"pupil\"]')")
        if max((*(self.between or ()), self.point or 0)) >= count:
            raise TargetError(f"the target returns {count} points: an index of them is too large")
        if self.output == "normalised" and bool((coordinates.abs() > FARTHEST).any()):
            raise TargetError(
                f"the target's points reach to {coordinates.abs().max().item():.4g}, and shares of the picture to about"
                " 1: say how many pixels its input has (--task-option output=pixels --task-option side=192)"
            )
        return coordinates

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the coordinates, `[B, 2·K]`."""
        return outputs

    def displacements(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return how far each point moved, `[B, K]`, in the task's measure."""
        squares = _pairs(outputs - original).square().sum(2)
        lengths = torch.where(squares > 0, (squares + 1e-12).sqrt(), squares)  # 0 has a slope of 0, not of NaN
        return lengths / self._measure(original)[:, None]

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return what is left to the threshold, `[B]`, in the task's measure."""
        return self.threshold - self.counted(self.displacements(outputs, original))

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the points that count moved by the threshold or more."""
        return self.margin(outputs, original) <= 0

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the displacement that counts, `[B]` in [0, 1], in the task's measure; 1 where it is more."""
        return self.counted(self.displacements(outputs, original)).clamp(max=1)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the softplus of what is left, `[B]`, in thresholds.

        A length has no slope at 0: a push away from the points' middle gives one.
        """
        points = _pairs(original)
        outward = F.normalize(points - points.mean(1, keepdim=True) + 1e-6, dim=2)
        along = (_pairs(outputs - original) * outward).sum(2) / self._measure(original)[:, None]
        moved = self.counted(self.displacements(outputs, original) + PUSH * along)
        return F.softplus((self.threshold - moved) / self.threshold)

    def counted(self, displacements: Tensor) -> Tensor:
        """Return of displacements `[B, K]` the one that counts, or their mean, `[B]`."""
        return displacements.mean(1) if self.point is None else displacements[:, self.point]

    def _measure(self, original: Tensor) -> Tensor:
        """Return the length that counts as 1, `[B]`, as a share of the picture; at least a hundredth of it."""
        points = _pairs(original)
        if self.between is None and points.shape[1] == 1:
            return points.new_ones(len(points))
        if self.between is not None:
            ends = points[:, self.between[0]] - points[:, self.between[1]]
        else:
            ends = points.amax(1) - points.amin(1)
        return ends.square().sum(1).sqrt().clamp(min=0.01)

    @property
    def view(self) -> KeypointsView:
        """Return how the points are shown."""
        return KeypointsView(self)


class KeypointsView(TaskView):
    """The view that shows where the points are, and how far they moved."""

    task: KeypointsTask

    @property
    def negligible_change(self) -> float:
        """Return half of the displacement that flips, at most 1."""
        return min(self.task.threshold / 2, 1.0)

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return what displacements are measured by, and the point that counts."""
        return {"between": self.task.between and sorted(self.task.between), "point": self.task.point}

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return how far the points moved, such as "moved 3.4 %"."""
        moved = self.task.counted(self.task.displacements(outputs_row[None], original_row[None]))
        return f"moved {100 * float(moved[0]):.1f} %"

    @property
    def caption_label(self) -> str:
        """Return what the displacement is, in words."""
        return f"{self.response_axis.label}; lines lead from where they were"

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """Draw over a copy of the picture the points, and a line from where each was before.

        The picture is drawn at four times its size and made small again.
        """
        side = 4 * pixels.shape[0]
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        draw, radius = ImageDraw.Draw(picture), max(side / 90, 4.0)
        rows = (_pairs(row[None].detach().float().cpu())[0].clamp(-1, 2) * side for row in (original_row, outputs_row))
        for (x0, y0), (x, y) in zip(*(row.tolist() for row in rows), strict=True):
            draw.line((x0, y0, x, y), fill=(255, 255, 255), width=max(round(radius / 2), 1))
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=(255, 70, 0), outline=(255, 255, 255), width=max(round(radius / 3), 1))
        reduced = picture.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.LANCZOS)
        return np.asarray(reduced, dtype=np.uint8)

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the displacement that counts."""
        return float(self.task.counted(self._displacements(recorded, original))[0])

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of the displacement, without an end; a tenth of what flips is negligible."""
        threshold = self.task.threshold
        label = f"how far the {self._which} moved, in {self._measure}"
        return ResponseAxis(label, boundary=threshold, negligible=threshold / 10)

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return whether the points are in place: `IN_PLACE` or `MOVED`."""
        return MOVED if self.response(recorded, original) >= self.task.threshold else IN_PLACE

    def state_name(self, state: int) -> str:
        """Return the state in words; "" where the points are in place."""
        return ("", "another place")[state]

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the points, and how far each moved, in the task's measure; no parts of a single point."""
        moved: list[float] = self._displacements(recorded, original)[0].tolist()
        if len(moved) < 2:
            return Parts()
        names = [name.replace("_", " ") for name in self.task.points] or [f"point {i}" for i in range(len(moved))]
        return Parts(names, moved, f"how far each point moves, in {self._measure}")

    def change_in_words(self, change: float) -> str:
        """Return a change in [0, 1] in the task's measure."""
        return f"{100 * change:.1f} % of {self._measure}"

    @property
    def flip_in_words(self) -> str:
        """Return the displacement that flips."""
        moves = "move" if self.task.point is None else "moves"
        return f"the {self._which} {moves} by {100 * self.task.threshold:g} % or more of {self._measure}"

    def mean_in_words(self, change: float) -> str:
        """Return a mean displacement in the task's measure."""
        moves = "move" if self.task.point is None else "moves"
        return f"the {self._which} {moves} by {self.change_in_words(change)} on average"

    def extent_in_words(self, pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
        """Return the displacement in pixels of the network's input, or as a share of the picture's side."""
        now, before = (torch.tensor(numbers, dtype=torch.float64) for numbers in zip(*pairs, strict=True))
        share = float(self.task.counted(_pairs(now - before).square().sum(2).sqrt()).mean())
        side, moves = self.task.side, "move" if self.task.point is None else "moves"
        far = (
            f"{share * side:.1f} of the input’s {side} pixels" if side else f"{100 * share:.1f} % of the picture’s side"
        )
        return f"the {self._which} {moves} by {far} on average"

    def _displacements(self, recorded: Sequence[float], original: Sequence[float]) -> Tensor:
        """Compute the displacements `[1, K]` of recorded numbers."""
        pair = (torch.tensor([numbers], dtype=torch.float32) for numbers in (recorded, original))
        return self.task.displacements(*pair)

    @property
    def _which(self) -> str:
        point, points = self.task.point, self.task.points
        if point is None:
            return "points"
        return points[point] if points else f"point {point}"

    @property
    def _measure(self) -> str:
        points = self.task.points
        if self.task.between is None:
            return "the picture’s side" if len(points) == 1 else "the diagonal of the points’ box"
        names = [points[i] if points else f"point {i}" for i in self.task.between]
        return f"the distance from {names[0]} to {names[1]}"


def _pairs(flat: Tensor) -> Tensor:
    """Return `[B, 2·K]` as `[B, K, 2]`."""
    return flat.reshape(len(flat), -1, 2)


def _peaks(maps: Tensor) -> Tensor:
    """Return the peaks `[B, 2·K]` of heat maps `[B, K, h, w]`: the middle of the largest cell.

    Gradients are those of the softmax's mean place.

    Raises:
        TargetError: the maps have another shape.
    """
    if maps.ndim != 4:
        raise TargetError(f"the target returns {list(maps.shape)}: heat maps are [B, K, h, w]")
    rows, columns = maps.shape[2:]
    flat = maps.float().flatten(2)
    largest = flat.amax(2, keepdim=True)
    spread = (largest - flat.mean(2, keepdim=True)).clamp(min=1e-12).detach()
    shares = ((flat - largest) / spread * SHARPNESS).softmax(2)
    x = (torch.arange(columns, device=maps.device) + 0.5).repeat(rows) / columns
    y = (torch.arange(rows, device=maps.device) + 0.5).repeat_interleave(columns) / rows
    soft = torch.stack([(shares * x).sum(2), (shares * y).sum(2)], dim=2)
    peak = flat.argmax(2)
    hard = torch.stack([x[peak], y[peak]], dim=2)
    return (soft + (hard - soft).detach()).flatten(1)
