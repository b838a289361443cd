"""What no code can beat that multiplies each weight with each of its pixels: a machine's arithmetic and its memory's
bandwidth, and what a synthesis needs of both. The native operators multiply less (Winograd's 3×3 convolutions)."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from zoom_engine import ops
from zoom_engine.generators import StyleGAN2

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
SIZES = (384, 768, 1024, 2048)  # of matrices; which one is fastest depends on the caches
LAYERS = ((512, 16), (256, 64))  # channels and pixels of 3×3 convolutions
STREAM = 64 * 2**20  # numbers, far more than any cache holds


@functools.cache
def peak_operations(precision: str) -> float:
    """Operations per second, two for each multiplication and addition, of the fastest code that there is.

    Candidates are torch's matrix products, torch's 3×3 convolutions and the native operator's of 1×1.
    """
    dtype, rate = PRECISIONS[precision], 0.0
    for size in SIZES:
        a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
        rate = max(rate, 2 * size**3 / _fastest(functools.partial(torch.mm, a, b, out=torch.empty_like(a))))
    for channels, pixels in LAYERS:
        x = torch.randn(1, channels, pixels, pixels).to(dtype).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3)
        narrow = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        plain = functools.partial(F.conv2d, x, narrow, padding=1)
        point = weight[:, :, 1:2, 1:2].contiguous()
        native = functools.partial(ops.modulated_conv2d, x, point, torch.ones(1, channels))
        for multiplied, call in ((weight, plain), (point, native)):
            rate = max(rate, 2 * multiplied.numel() * pixels**2 / _fastest(call))
    return rate


@functools.cache
def peak_bandwidth() -> float:
    """Bytes per second, read and written, of a sum of two long vectors in place."""
    a, b = torch.ones(STREAM), torch.ones(STREAM)
    return 3 * a.nbytes / _fastest(functools.partial(a.add_, b))


def _fastest(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(8):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def floor(generator: StyleGAN2, work: str, batch: int, precision: str) -> float:
    """Seconds per image: Σ over layers max(operations / peak, bytes / bandwidth).

    A layer reads its input, its weights (shared by the batch) and writes its output once; its toRGB reads nothing more,
    and the picture is read and written once. Strided transposed convolutions count at input resolution, filters and
    activations not at all. The backward pass needs as many operations again; it reads the layer's output, the output's
    gradient and the input, and writes the input's gradient.
    """
    size = torch.empty((), dtype=PRECISIONS[precision]).element_size()
    peak, bandwidth = peak_operations(precision), peak_bandwidth()
    backward = work == "forward_backward"
    seconds = 0.0
    for layer in generator.space.layers:
        pixels = layer.resolution**2
        if layer.is_rgb:
            # The picture of half the size is read and this one written, in float32.
            operations, moved = 2 * 3 * layer.channels * pixels, 4 * 3 * pixels * 1.25
            seconds += max(operations / peak, moved / bandwidth) * (2 if backward else 1)
            continue
        conv: Any = generator.convs[layer.name]
        weights = conv.weight.numel()
        inside = pixels // 4 if conv.up else pixels
        read, written = layer.channels * inside, len(conv.weight) * pixels
        operations = 2 * weights * inside
        shared = weights * size / batch
        seconds += max(operations / peak, ((read + written) * size + shared) / bandwidth)
        if backward:
            seconds += max(operations / peak, ((2 * read + 2 * written) * size + shared) / bandwidth)
    return seconds
