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
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.directions.calibration import CalibratedRange, score_directions, standstill_gain, text_scores
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.generators import Renderer, StyleRows
from zoom_engine.text import TextEncoder

REACH = 1.25  # of the calibrated bound
_STEPS = (1 / 3, 2 / 3, 1.0)  # of an image's largest weight: where its score is looked at
_CELLS = 64  # limits lie on a lattice this fine: rounding noise in a score does not move an edit weight


class ImageBounds(NamedTuple):
    """The limits of U trials (image, attribute), CPU tensors, float32.

    Attributes:
        limits: `[U, 2]`, the lowest and highest edit weight, one of which is 0.
        moved: `[U, N + L]`, how much the edit to the other limit changes the text scores of all N attributes and of the
            L texts beside them, interpolated between the weights that were tried.
    """

    limits: Tensor
    moved: Tensor


@torch.no_grad()
def image_bounds(
    text_encoder: TextEncoder,
    directions: EditDirections,
    calibrated: CalibratedRange,
    renderer: Renderer,
    styles: StyleRows,
    wanted: Sequence[tuple[int, int]],
    *,
    beside: Tensor | None = None,
    batch_size: int = 32,
    progress: ProgressFactory = silent,
) -> ImageBounds:
    """Measure how far each wanted (image, attribute) is edited, and what that does to the text scores.

    Only one batch of styles and images is in memory at a time.

    Args:
        text_encoder: scores the images.
        directions: N edit directions.
        calibrated: their calibrated range.
        renderer: draws the images.
        styles: float `[I, S]`, of the unedited images.
        wanted: U pairs (image, attribute index).
        beside: float `[L, D]`, further text directions whose scores are measured.
        batch_size: images at a time.
        progress: how work shows itself.
    """
    along = score_directions(text_encoder, directions)
    if beside is not None:
        along = torch.cat([along, beside.to(along)])
    image, attribute = torch.tensor(wanted, dtype=torch.long).view(-1, 2).unbind(1)
    shown, row = torch.unique(image, return_inverse=True)
    with progress(len(shown) + len(_STEPS) * len(wanted), "Bounding the edits", unit="image") as bar:

        def scores_of(images: Tensor, attributes: Tensor, weights: Tensor) -> Tensor:
            """Compute text scores `[B, N + L]` of the images at edit weights `[B]` of one attribute each."""

            def drawn() -> Iterator[Tensor]:
                for part in torch.split(torch.arange(len(images)), batch_size):
                    styles_of_part = styles[images[part].to(styles.device)]
                    alone = F.one_hot(attributes[part], len(directions.attributes)) * weights[part, None]
                    yield renderer.render(styles_of_part, alone, directions.matrix)
                    bar.update(len(part))

            return text_scores(text_encoder, along, drawn())

        unedited = scores_of(shown, torch.zeros_like(shown), torch.zeros(len(shown)))[row]
        score = unedited.gather(1, attribute[:, None])[:, 0]
        has = score > calibrated.splits[attribute]
        sign = torch.where(has, -1.0, 1.0)
        side = (~has).long()
        largest = (REACH * calibrated.bounds[attribute, side].abs()).clamp(max=calibrated.bound)
        distance = sign * (calibrated.goals[attribute, side] - score)  # to the goal; negative beyond it
        remaining = distance.clone()
        share = torch.zeros(len(wanted))
        moved = torch.zeros_like(unedited)
        looked = unedited.clone()
        left = torch.arange(len(wanted))
        for number, (step, before) in enumerate(zip(_STEPS, (0.0, *_STEPS), strict=False), start=1):
            scores = scores_of(image[left], attribute[left], (sign * step * largest)[left])
            distance_now = sign[left] * (
                calibrated.goals[attribute[left], side[left]] - scores[torch.arange(len(left)), attribute[left]]
            )
            distance_before = remaining[left]
            crossed = distance_now <= 0
            way = (distance_before / (distance_before - distance_now).clamp(min=1e-12)).clamp(0, 1)
            least = standstill_gain(distance[left] - distance_before, before, step - before)
            stopped = (
                ~crossed & (before > 0) & (distance_before - distance_now < least)
            )  # further on the edit only blurs
            way = torch.where(crossed, way, torch.where(stopped, 0.0, 1.0))  # of this stretch
            share[left] = before + (step - before) * way
            moved[left] = torch.lerp(looked[left], scores, way[:, None]) - unedited[left]
            looked[left] = scores
            done = crossed | stopped
            bar.update(int(done.sum()) * (len(_STEPS) - number))  # pictures that are not needed
            remaining[left] = distance_now
            left = left[~done]
            if not len(left):
                break
    limit = sign * largest * (share * _CELLS).round().clamp(min=1) / _CELLS
    return ImageBounds(torch.stack([limit.clamp(max=0), limit.clamp(min=0)], dim=1), moved)
