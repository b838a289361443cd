"""The pictures of a cluster: held-out images at both ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoom_engine.common.files.png import png_bytes, to_pixels
from zoom_engine.discovery.findings import Strip
from zoom_engine.discovery.trial import Trial
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.targets import Target

STRIPS = 4
ENDS = ("less", "unedited", "more")


@torch.no_grad()
def draw_strips(
    evaluator: Evaluator,
    target: Target,
    styles: Tensor,
    seeds: Sequence[int],
    axis: Tensor,
    trial: Trial,
    *,
    up: bool,
    rank: int,
) -> tuple[tuple[Strip, ...], dict[str, bytes]]:
    """Draw images along an axis as a trial moved them.

    The image of the median change comes first, then others evenly up to the largest change.

    Args:
        evaluator: edits along the basis of natural space.
        target: says the captions.
        styles: float `[I, S]`, of the images.
        seeds: of the I images.
        axis: float `[K]`, in natural space.
        trial: the results of the axis alone.
        up: whether the upper end shows more of what the cluster is.
        rank: of the cluster, in the names of the files.

    Returns:
        The strips, and the PNG content of each file by its name.
    """
    order = trial.change[:, 0].argsort().tolist()
    steps = sorted(set(torch.linspace((len(order) - 1) // 2, len(order) - 1, STRIPS).round().long().tolist()))
    strips, drawn = [], {}
    for number, image in enumerate((order[step] for step in steps), start=1):
        low, high = trial.weights[image, 0].tolist()
        weights = (low, 0.0, high) if up else (high, 0.0, low)
        style = styles[image : image + 1].expand(len(ENDS), -1)
        pictures = evaluator.render(style, (torch.tensor(weights)[:, None] * axis).to(style.device))
        outputs = target(pictures)
        files = tuple(f"images/cluster-{rank}-{number}-{end}.png" for end in ENDS)
        for file, pixels, output in zip(files, to_pixels(pictures), outputs, strict=True):
            drawn[file] = png_bytes(target.task.view.overlay(pixels, output, outputs[1]))
        captions = tuple(target.task.view.caption(output, outputs[1]) for output in outputs)
        strips.append(Strip(seed=seeds[image], files=files, captions=captions))
    return tuple(strips), drawn
