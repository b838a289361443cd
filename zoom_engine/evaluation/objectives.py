"""SSIM, and the two losses of Luo 2023 that do not depend on the task: L_struct and L_attr."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import ConfigError

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
SURE = 6  # standard deviations
VIEWED = 256  # pixels of a side, as the structure loss looks at a picture


@functools.cache
def _gaussian() -> tuple[float, ...]:
    taps = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    return tuple(tap / sum(taps) for tap in taps)


def _blur(maps: Tensor) -> Tensor:
    """Blur `[B, 4, C, H, W]` by the window, axis by axis: `[B, 4, C, H - 10, W - 10]`."""
    # Depthwise and channels last: 20 times as fast on a CPU as one convolution over 4 · B · C single planes.
    planes = maps.flatten(1, 2).contiguous(memory_format=torch.channels_last)
    count = planes.shape[1]
    taps = torch.tensor(_gaussian(), dtype=maps.dtype, device=maps.device).repeat(count, 1, 1, 1)
    blurred = F.conv2d(F.conv2d(planes, taps, groups=count), taps.transpose(2, 3).contiguous(), groups=count)
    return blurred.reshape(*maps.shape[:3], *blurred.shape[2:])


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Compute the structural similarity of each pair of images, mean over positions and RGB (Wang 2004).

    The window is an 11×11 Gaussian of σ 1.5 that stays inside the image; K1 = 0.01, K2 = 0.03. It is differentiable in
    both images.

    Args:
        x: float `[B, C, H, W]` in [-1, 1], H and W at least 11; mapped to [0, 1] first, so that the dynamic range is 1.
        y: the same.

    Returns:
        `[B]`, at most 1 and equal to 1 for equal images.

    Raises:
        ConfigError: the images are smaller than the window.
    """
    if min(x.shape[-2:]) < WINDOW:
        raise ConfigError(
            f"SSIM needs images of at least {WINDOW}×{WINDOW} pixels, not {x.shape[-2]}×{x.shape[-1]}:"
            " set the structure loss to 0 or use a larger generator"
        )
    x, y = (x + 1) / 2, (y + 1) / 2
    # The two variances are only ever added, so one blur of x² + y² serves both.
    mean_x, mean_y, square, product = _blur(torch.stack((x, y, x * x + y * y, x * y), dim=1)).unbind(1)
    means, mean_square = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    c1, c2 = K1**2, K2**2
    similarity = ((2 * means + c1) * (2 * (product - means) + c2)) / ((mean_square + c1) * (square - mean_square + c2))
    return similarity.mean(dim=(1, 2, 3))


def structure_loss(images: Tensor, originals: Tensor) -> Tensor:
    """Compute L_struct `[B]` = 1 − SSIM (Luo 2023): 0 for an untouched picture; arguments as for `ssim`.

    Larger pictures are first averaged over squares to about 256 pixels on the shorter side, as the authors of SSIM
    advise for what is seen from a distance (Wang, Bovik, Sheikh and Simoncelli, ssim.m, "suggested usage").
    """
    square = _square_viewed(images)
    if square > 1:
        images, originals = F.avg_pool2d(images, square), F.avg_pool2d(originals, square)
    return 1 - ssim(images, originals)


def is_viewed_whole(images: Tensor) -> bool:
    """Tell whether the structure loss looks at images as they are, so that it is 1 − SSIM of every pixel."""
    return _square_viewed(images) == 1


def _square_viewed(images: Tensor) -> int:
    return max(1, round(min(images.shape[-2:]) / VIEWED))


def zero_shot_labels(image_embeddings: Tensor, label_embeddings: Tensor) -> Tensor:
    """Return CLIP's zero-shot labels: the index int64 `[B]` of the nearest label embedding.

    Image embeddings are `[B, D]`, label embeddings `[P, D]`, all of unit norm.
    """
    return (image_embeddings @ label_embeddings.T).argmax(dim=1)


def doubtful_labels(image_embeddings: Tensor, label_embeddings: Tensor, rounding: Tensor) -> Tensor:
    """Return whose zero-shot label might differ without rounding, bool `[B]`.

    A label is doubtful where, for some other label, the nearest one leads by less than six times the standard deviation
    by which rounding moves that lead.

    Args:
        image_embeddings: `[B, D]`, rounded.
        label_embeddings: `[P, D]`.
        rounding: `[K, D]`, by how much rounding moved the embeddings of K other pictures.
    """
    scores, moved = image_embeddings @ label_embeddings.T, rounding @ label_embeddings.T
    leads = scores.amax(dim=1, keepdim=True) - scores
    spread = (moved[:, :, None] - moved[:, None, :]).square().mean(dim=0).sqrt()
    nearest = scores.argmax(dim=1)
    others = torch.arange(scores.shape[1], device=scores.device) != nearest[:, None]
    return ((leads <= SURE * spread[nearest]) & others).any(dim=1)


def label_loss(image_embeddings: Tensor, label_embeddings: Tensor, original_label: Tensor, scale: float) -> Tensor:
    """Compute L_attr `[B]`: cross-entropy of the zero-shot label of x̂ to the label of x, in nats.

    Source: Luo 2023, supplement A.2.

    Args:
        image_embeddings: `[B, D]` of the edited images, unit norm.
        label_embeddings: `[P, D]` of the label prompts, unit norm, P at least 2 (with one prompt this would always be
            0).
        original_label: int64 `[B]`, the zero-shot label of each original image.
        scale: the encoder's logit scale (inverse temperature).
    """
    return F.cross_entropy(scale * (image_embeddings @ label_embeddings.T), original_label, reduction="none")
