"""The edits suite: what injecting N edit directions costs, forward and backward to the edit weights, batch 1.

``once`` adds the edits to the flat style vector, as the engine does; ``per-layer`` hands edit weights and directions to
every layer's operator.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from synthesis import interleaved, network, work_inputs
from torch import Tensor

from zoom_engine import ops
from zoom_engine.generators import StyleGAN2

SUITE = "edits"
BASELINE = "n1"
VARIANTS = ("once", "per-layer")
CASES = tuple(f"{resolution}-n{count}" for resolution in (256, 1024) for count in (1, 5, 40))
CASE = re.compile(r"(\d+)-n(\d+)")

Result = dict[str, Any]


def parse(case: str) -> tuple[int, int]:
    """Resolution and N of a case such as "256-n40"; ValueError for another string."""
    found = CASE.fullmatch(case)
    if found is None:
        raise ValueError(f"'{case}' is no case; write RESOLUTION-nN")
    return int(found[1]), int(found[2])


def run(cases: Sequence[str], variants: Sequence[str], *, repeats: int, memory: int) -> Iterator[Result]:
    """One result for each case and variant; all of one resolution are interleaved. No case needs much of ``memory``."""
    for resolution in dict.fromkeys(parse(case)[0] for case in cases):
        generator = network(resolution)
        styles = work_inputs(generator, 1)
        calls: dict[str, Callable[[], object]] = {}
        for case in cases:
            if parse(case)[0] == resolution:
                directions = torch.randn(parse(case)[1], generator.space.size) / 100
                directions[:, generator.space.fixed_mask()] = 0.0
                for variant in variants:
                    synthesize = once if variant == "once" else per_layer
                    calls[f"{case} {variant}"] = functools.partial(
                        search_step, synthesize, generator, styles, directions
                    )
        seconds, peaks = interleaved(calls, repeats)
        for name, times in seconds.items():
            case, variant = name.split()
            median = statistics.median(times)
            yield {
                "suite": SUITE,
                "case": case,
                "variant": variant,
                "seconds": round(median, 6),
                "fastest": round(min(times), 6),
                "spread": round((max(times) - min(times)) / median, 3),
                "peak_memory": peaks[name],
                "repeats": repeats,
            }


def settle(results: Sequence[Result]) -> None:
    """Add ``ratio``: the median at N = 1 over this one's; 1 where N costs nothing."""
    one = {(parse(r["case"])[0], r["variant"]): r["seconds"] for r in results if parse(r["case"])[1] == 1}
    for row in results:
        best = one.get((parse(row["case"])[0], row["variant"]))
        row["baseline"] = BASELINE
        row["ratio"] = None if best is None else round(best / row["seconds"], 3)
        row["of_floor"] = None


def search_step(
    synthesize: Callable[[StyleGAN2, Tensor, Tensor, Tensor], Tensor],
    generator: StyleGAN2,
    styles: Tensor,
    directions: Tensor,
) -> Tensor:
    """The gradient to the edit weights."""
    weights = torch.full((1, len(directions)), 0.1, requires_grad=True)
    image = synthesize(generator, styles, weights, directions)
    return torch.autograd.grad(image.square().mean(), weights)[0]


def once(generator: StyleGAN2, styles: Tensor, weights: Tensor, directions: Tensor) -> Tensor:
    return generator.synthesis(styles + weights @ directions)


def per_layer(generator: StyleGAN2, styles: Tensor, weights: Tensor, directions: Tensor) -> Tensor:
    """The same image of a network of architecture "skip"; edit directions leave the toRGB alone."""
    x = generator.const.expand(len(styles), -1, -1, -1).contiguous(memory_format=torch.channels_last)
    image: Tensor | None = None
    for layer in generator.space.layers:
        own = slice(layer.start, layer.stop)
        if layer.is_rgb:
            rgb = generator.to_rgb[layer.name](x, styles[:, own])
            image = rgb if image is None else ops.upsample2x(image) + rgb
            continue
        conv = generator.convs[layer.name]
        noise = conv.noise_const * conv.noise_strength
        options = {"up": conv.up, "gain": conv.gain, "clamp": conv.clamp}
        edits = (weights, directions[:, own])
        x, _ = ops.modulated_conv2d(x, conv.weight, styles[:, own], *edits, noise, conv.bias, **options)
    assert image is not None
    return image
