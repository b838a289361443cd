"""The range of an edit of one image: until its own text score is what the images of the other side have on average.

The calibrated range is a mean over images. At its bounds some images have long passed the goal and leave the natural
range (a face that is dark already turns black when "pale skin" is removed), others have not come half of the way. So
each image is followed along the direction and stops where its own score reaches the goal. Those that never reach it
stop where their score barely moves on, as the calibrated bound does, or at `REACH` times that bound. Measured on the
avatars, this makes sensitivities truer: injected effects lie nearer to the true ones, and pictures beyond the natural
range no longer make false ones.

An image that has the attribute (its own score is above the calibrated split) is edited only to lose it, one that lacks
it only to gain it: more of what it has already leaves the natural range at once, and such an edit measures the
generator's artefacts. This is also what the true effect of an attribute compares: with it and without it.

Nothing is drawn here: whoever searches the image draws the edit weights that are asked for, and shows these pictures to
the model under audit as well.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.calibration import CalibratedRange, score_directions, standstill_gain
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import check_finite
from zoom_engine.directions.score_scale import ScoreScale
from zoom_engine.text import TextEncoder

REACH = 1.25  # of the calibrated bound
STEPS = (1 / 3, 2 / 3, 1.0)
"""Of an image's largest weight: where its score is looked at, as long as it takes."""
_CELLS = 66  # limits lie on a lattice this fine, STEPS too: rounding noise in a score does not move an edit weight

Array = NDArray[np.float64]


class ImageBounds:
    """How far images are edited along N edit directions.

    Args:
        text_encoder: scores the images.
        directions: N edit directions.
        calibrated: their calibrated range.
        scale: the units of what edits do to the scores of the N attributes and of L labels; None where nobody asks.
    """

    def __init__(
        self,
        text_encoder: TextEncoder,
        directions: EditDirections,
        calibrated: CalibratedRange,
        scale: ScoreScale | None = None,
    ) -> None:
        """Embed the texts along which scores are measured."""
        along = score_directions(text_encoder, directions)
        if scale is not None:
            along = torch.cat([along, scale.labels.to(along)])
        self.text_encoder = text_encoder
        self._along = along.double().T  # in float32 the last digit of a product depends on what else is in the batch
        self._calibrated, self._scale = calibrated, scale

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Return embeddings `[B, D]` of images `[B, 3, R, R]` in [-1, 1]."""
        return self.text_encoder.embed_images(images)

    def scores(self, embeddings: Tensor) -> Array:
        """Return text scores `[B, N + L]` of images' embeddings `[B, D]`."""
        scores: Array = (check_finite(embeddings.cpu()).double() @ self._along).float().double().numpy()
        return scores

    def of(self, attribute: int, unedited: Array) -> Bounding:
        """Begin on an image whose unedited scores are `unedited [N + L]`."""
        return Bounding(self._calibrated, self._scale, attribute, unedited)


class Bounding:
    """How far one image is edited along one direction, while it is found out.

    Attributes:
        weight: the edit weight whose picture is to be scored next; None once the limits are known.
        limits: the lowest and highest edit weight, one of which is 0.
        moved: `[N + L]`, how much the edit to the other limit changes the text scores, interpolated between the weights
            that were tried.
    """

    def __init__(self, calibrated: CalibratedRange, scale: ScoreScale | None, attribute: int, unedited: Array) -> None:
        """Begin at the unedited image."""
        has = bool(unedited[attribute] > float(calibrated.splits[attribute]))
        side = 0 if has else 1
        self._sign = -1.0 if has else 1.0
        self._goal = float(calibrated.goals[attribute, side])
        self._largest = min(REACH * abs(float(calibrated.bounds[attribute, side])), calibrated.bound)
        self._attribute, self._scale = attribute, scale
        self._unedited = self._last = unedited
        self._before = 0.0  # share of the largest weight that was looked at last
        self._step = 0
        self.limits = (0.0, 0.0)
        self.moved = np.zeros_like(unedited)
        self.weight: float | None = self._sign * STEPS[0] * self._largest

    @property
    def scores(self) -> tuple[float, ...] | None:
        """What the edit to its limit does to text scores, in their units; None without a scale."""
        return None if self._scale is None else self._scale.measure(torch.from_numpy(self.moved)[None])[0]

    def tell(self, scores: Array) -> None:
        """Take the scores `[N + L]` of the picture at `weight`; choose the next one, or the limits."""
        share = STEPS[self._step]
        start, left, now = (self._distance(of) for of in (self._unedited, self._last, scores))
        crossed, stopped = now <= 0, False
        if not crossed and self._step:  # further on the edit only blurs
            stopped = left - now < standstill_gain(start - left, self._before, share - self._before)
        way = 0.0 if stopped else 1.0  # of this stretch
        if crossed:
            way = min(max(left / max(left - now, 1e-12), 0.0), 1.0)
        self._step += 1
        if crossed or stopped or self._step == len(STEPS):
            self._end(self._before + (share - self._before) * way)
            self.moved = self._last + (scores - self._last) * way - self._unedited
            self.weight = None
        else:
            self._before, self._last = share, scores
            self.weight = self._sign * STEPS[self._step] * self._largest

    def _distance(self, scores: Array) -> float:
        """Return the distance to the goal; it is negative beyond it."""
        return self._sign * (self._goal - float(scores[self._attribute]))

    def _end(self, share: float) -> None:
        limit = self._sign * self._largest * max(round(share * _CELLS), 1) / _CELLS
        self.limits = min(limit, 0.0), max(limit, 0.0)
