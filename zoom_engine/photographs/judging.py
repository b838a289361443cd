"""The check that an inversion shows its photograph, by distances that the inversion did not minimise.

There are two. One is the distance of the text encoder's embeddings of both pictures mirrored (Euclidean; the inversion
followed those of the pictures as they are, and can meet them with pictures that show something else). The other is that
of pixels of 64² (root mean square). The unit of each is the median over pairs of unedited pictures: at `LARGEST` of it
a photograph and its inversion are a quarter as far apart as two pictures that have nothing to do with each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.audit.photographs_file import Photograph
from zoom_engine.common.errors import PhotographError
from zoom_engine.common.plurals import digits_beside, number_of
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.generators import EditableGenerator, Renderer
from zoom_engine.photographs.crops import Crop
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE
from zoom_engine.text import TextEncoder

LARGEST = 0.25
PAIRS = 32
VIEWED = 64  # pixels of a side


@dataclass(frozen=True)
class Yardstick:
    """The median distances between two unedited pictures, `seen` by `text_encoder` and of `pixels`."""

    text_encoder: TextEncoder
    seen: float
    pixels: float

    @classmethod
    @torch.no_grad()
    def of(
        cls, generator: EditableGenerator, text_encoder: TextEncoder, renderer: Renderer, *, seed: int = 0
    ) -> Yardstick:
        """Measure the distances of pictures drawn from `seed`."""
        codes = generator.draw(2 * PAIRS, torch.Generator().manual_seed(seed))[1]
        images = torch.cat([renderer.render(code) for code in torch.split(codes, 1)])
        distances = [_distances(text_encoder, images[i : i + 1], images[i + 1 : i + 2]) for i in range(0, 2 * PAIRS, 2)]
        seen, pixels = torch.tensor(distances).median(dim=0).values.tolist()
        return cls(text_encoder, seen, pixels)

    @torch.no_grad()
    def apart(self, photograph: Tensor, inversion: Tensor) -> tuple[float, float]:
        """Return the two distances between pictures `[1, 3, R, R]`, in units of the medians."""
        seen, pixels = _distances(self.text_encoder, photograph, inversion)
        return seen / max(self.seen, 1e-9), pixels / max(self.pixels, 1e-9)


@dataclass(frozen=True)
class Audited:
    """The result of the check.

    Attributes:
        photographs: every file, refused or not.
        codes: `[I, S]`, of those that are audited.
        seeds: of those that are audited.
    """

    photographs: tuple[Photograph, ...]
    codes: Tensor
    seeds: tuple[int, ...]

    @property
    def files(self) -> list[str]:
        """The names of those that are audited."""
        return [photograph.file for photograph in self.photographs if photograph.image is not None]

    @property
    def refused(self) -> list[Photograph]:
        """Those that are not audited."""
        return [photograph for photograph in self.photographs if photograph.refused is not None]


def judged(crops: Sequence[Crop], codes: Tensor, *, evaluator: Evaluator, yardstick: Yardstick) -> Audited:
    """Compare inversions with their photographs and refuse those that do not show them, see `compared`.

    Raises:
        PhotographError: none is left.
    """
    audited = compared(crops, codes, evaluator=evaluator, yardstick=yardstick)
    if not audited.seeds:
        photographs = audited.photographs
        told = "; ".join(f"{one.file} {one.refused}" for one in photographs[:3])
        more = f"; and {len(photographs) - 3} more" if len(photographs) > 3 else ""
        raise PhotographError(f"none of {number_of(len(photographs), 'photograph')} can be audited: {told}{more}")
    return audited


def compared(crops: Sequence[Crop], codes: Tensor, *, evaluator: Evaluator, yardstick: Yardstick) -> Audited:
    """Compare inversions with their photographs; there may be none that shows its photograph.

    An inversion is refused that lies further off than `LARGEST`, that moves the target's output by the decisive change,
    flip or not, or whose label is not kept: what is found around such an inversion does not hold for the photograph.
    This depends on the target and its settings, so it is checked in every run, whatever inversions are kept.

    Args:
        crops: the photographs, refused ones too.
        codes: `[I, S]`, of the readable ones, in their order.
        evaluator: evaluates the target.
        yardstick: the units of the distances.
    """
    photographs: list[Photograph] = []
    rows: list[int] = []
    readable = iter(range(len(codes)))
    seeds: list[int] = []
    for crop in crops:
        if crop.pixels is None:
            photographs.append(Photograph(file=crop.file, refused=crop.refused))
            continue
        row = next(readable)
        photograph = _compared(crop, codes[row : row + 1], evaluator, yardstick)
        if photograph.refused is None:
            photograph = dataclasses.replace(photograph, image=len(rows), seed=crop.seed)
            rows.append(row)
            seeds.append(crop.seed)
        photographs.append(photograph)
    return Audited(tuple(photographs), codes[rows], tuple(seeds))


@torch.no_grad()
def _compared(crop: Crop, code: Tensor, evaluator: Evaluator, yardstick: Yardstick) -> Photograph:
    """Compare a photograph with the picture of its `code [1, S]`."""
    device = evaluator.directions.device
    photograph, inversion = crop.image.to(device), evaluator.render(code.to(device))
    if not bool(inversion.isfinite().all()):
        return Photograph(file=crop.file, cut=crop.cut, refused="has an inversion that is no picture")
    seen, pixels = yardstick.apart(photograph, inversion)
    before = evaluator.originals_of(photograph)
    after = evaluator.evaluate(inversion, before, ssim="none")
    view = evaluator.target.task.view
    outputs = [view.caption(row, before.outputs[0]) for row in (before.outputs[0], after.outputs[0])]
    refused = None
    if max(seen, pixels) > LARGEST:
        error = f"{max(seen, pixels):.{digits_beside(LARGEST, max(seen, pixels), 2)}f}"
        refused = f"is not what the generator draws: reconstruction error {error}, limit {LARGEST:g}"
    elif bool(after.decisive) or float(after.change) >= (evaluator.decisive_change or DECISIVE_CHANGE):
        # With a decisive change of 0 every flip is one, but no inversion leaves an output alone to the last digit.
        refused = (
            f"changes the target's answer when the generator draws it: {outputs[0]} becomes {outputs[1]}, a change of"
            f" {float(after.change):.2f} (decisive from {evaluator.decisive_change:g} on); frame it as the generator's"
            " pictures are, or leave it out"
        )
    elif not bool(after.label_kept):
        refused = "loses its label when the generator draws it"
    return Photograph(
        file=crop.file,
        refused=refused,
        cut=crop.cut,
        seen=round(seen, 4),
        pixels=round(pixels, 4),
        largest=LARGEST,
        output=outputs[0],
        inverted_output=outputs[1],
        change=round(float(after.change), 6),
        flipped=bool(after.flipped),
        label_kept=None if evaluator.labels is None else bool(after.label_kept),
    )


def _distances(text_encoder: TextEncoder, one: Tensor, other: Tensor) -> tuple[float, float]:
    seen = text_encoder.embed_images(one.flip(3)) - text_encoder.embed_images(other.flip(3))
    side = min(VIEWED, one.shape[-1])
    low = [F.interpolate(image, size=side, mode="area") for image in (one, other)]
    return float(seen.norm()), float((low[0] - low[1]).square().mean().sqrt())
