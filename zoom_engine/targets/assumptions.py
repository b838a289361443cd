"""Notices on a target whose task was guessed or whose input scale nobody told, and what test pictures show of it.

A network that is fed other numbers than it was trained on still answers, only worse. Two things can betray it in its
outputs where these are logits of classes; both are doubts, never proof:

- Its logits hardly move, even between black, white, noise and coloured blots (within `FLAT`).
- They spread more than `GROWTH` times as far when it is fed -1 to 1 instead of 0 to 1. A network that is linear in its
  input doubles its outputs then, and one that was trained on 0 to 1 has begun to saturate; more than double means that
  the pictures do not yet reach the thresholds that training set.

Measured on the eight avatar targets behind an affine map, all fed 0 to 1: of eight of 0 to 255 all are seen, of eight
of -1 to 1 six, of eight of ImageNet's mean and std five; of eight that are fed rightly one is doubted wrongly. Channels
in the other order show in neither (0 of 8).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.loaders.state_dict import AVERAGED_TAKEN, BESIDE
from zoom_engine.targets.preprocessing import BLACK, WHITE
from zoom_engine.targets.target import Target, probe_images
from zoom_engine.targets.tasks.classes import OfClasses
from zoom_engine.targets.tasks.embedding import EmbeddingTask
from zoom_engine.targets.tasks.guess import TAKEN_FOR_EMBEDDING

Measure = Callable[[], tuple[float, ...]]
FLAT = 0.5
"""The spread of logits below which they count as flat: the odds then change by less than a factor of 1.65."""
GROWTH = 2.2
BLOTS = 32
HOW = "--input-range, --input-mean, --input-std and --input-channels (preprocessing= in Python)"


def input_notices(
    target: Target, *, resolution: int, stored: Callable[[Measure], tuple[float, ...]] = lambda measure: measure()
) -> Iterator[str]:
    """Yield one line for each thing to tell of what `target` is taken for, and of how it is fed.

    There is none where its file, its library or the user said it, but of weights that were chosen among others. All but
    the last come at once, before the target is asked about any picture.

    Args:
        target: one that `Target.check` has passed.
        resolution: of the test pictures, height and width in pixels.
        stored: returns what the pictures show, from where it is stored or by the function that it is given.
    """
    if TAKEN_FOR_EMBEDDING in target.note and isinstance(target.task, EmbeddingTask):
        yield (
            f"target {target.name!r}: {TAKEN_FOR_EMBEDDING}, and pictures for the same down to a cosine similarity of"
            f" {target.task.threshold:g}: give the model's own threshold with --task embedding --task-option"
            " threshold=0.4 (task= in Python), or name its classes (--class)"
        )
    for note in target.note.split("; "):
        if note.startswith(AVERAGED_TAKEN):
            yield f"target {target.name!r}: {note}: to audit the others, save them alone"
        if note.startswith(BESIDE):
            yield f"target {target.name!r}: {note}: what they do to a picture or an output is not audited"
    if not target.assumed:
        return
    yield (
        f"nothing says what target {target.name!r} is to be fed, so this is assumed: {target.preprocessing.in_words}; a"
        f" wrong guess gives wrong rankings without an error: say it by {HOW}"
    )
    if isinstance(target.task, OfClasses):
        difference, growth = stored(partial(_measured, target, resolution))
        if doubt := _doubt(target, difference, growth):
            yield doubt


def plain_images(height: int, width: int) -> dict[str, Tensor]:
    """Return images `[1, 3, height, width]` in [-1, 1] that mean nothing: black, white and noise."""
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    plain = {"black": torch.full_like(noise, BLACK), "white": torch.full_like(noise, WHITE)}
    return {**plain, "noise": BLACK + (WHITE - BLACK) * noise}


@torch.no_grad()
def _measured(target: Target, resolution: int) -> tuple[float, float]:
    """Return by how much the logits of the test pictures differ at most, and their growth (0 where they are flat)."""
    blots = probe_images(resolution, resolution, count=BLOTS)
    images = torch.cat([blots, *plain_images(resolution, resolution).values()])
    buffers = [*target.parameters(), *target.buffers()]
    images = images.to(buffers[0].device) if buffers else images
    outputs = _centred(target(images))
    reach = float((outputs.amax(0) - outputs.amin(0)).max())
    return reach, 0.0 if reach < FLAT else _growth(target, images[:BLOTS], _spread(outputs[:BLOTS]))


def _doubt(target: Target, reach: float, growth: float) -> str:
    """Return what the test pictures show, "" where they show nothing."""
    if reach < FLAT:
        return (
            f"target {target.name!r} hardly tells black, white, noise and coloured blots apart (its logits differ by"
            f" {reach:.2g} at most): it may want larger numbers, such as --input-range 0,255"
        )
    if growth <= GROWTH:
        return ""
    return (
        f"target {target.name!r} may have been trained at more contrast: its outputs on test pictures spread"
        f" {growth:.1f} times as far when it is fed -1 to 1 instead of 0 to 1; try --input-range=-1,1, or the mean and"
        " std that it was trained with"
    )


def _growth(target: Target, images: Tensor, spread: float) -> float:
    """Return how many times as far the outputs spread with -1 to 1 instead of the usual guess, 0 to 1.

    With the usual guess they spread by `spread`. 0 where the target is fed otherwise, or does not take such numbers.
    """
    how = target.preprocessing
    if how != dataclasses.replace(how, value_range=(0.0, 1.0), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)) or not spread:
        return 0.0
    try:
        wider = target.replaced(preprocessing=dataclasses.replace(how, value_range=(-1.0, 1.0)))(images)
    except TargetError:
        return 0.0
    return _spread(_centred(wider)) / spread


def _centred(outputs: Tensor) -> Tensor:
    """Return logits `[B, K]`; of several classes without what all have in common."""
    return outputs - outputs.mean(1, keepdim=True) if outputs.shape[1] > 1 else outputs


def _spread(outputs: Tensor) -> float:
    """Return the standard deviation over the images, the root mean square of the outputs'."""
    return float(outputs.double().var(0).mean().sqrt())
