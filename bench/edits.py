"""The edits suite: what injecting N edit directions costs, forward and backward to the edit weights.

``once`` adds the edits to the flat style vector by one product of torch's; ``per-layer`` is what the engine does: each
layer's operator adds its share.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from synthesis import interleaved, network, work_inputs, work_of
from torch import Tensor

from zoom_engine.generators import StyleGAN2

SUITE = "edits"
BASELINE = "once"
VARIANTS = (BASELINE, "per-layer")
CASES = tuple(
    f"256-{work}-b{batch}-n{count}"
    for work in ("forward", "forward_backward")
    for batch in (1, 8)
    for count in (1, 12, 32)
)
CASE = re.compile(r"(\d+)-(forward|forward_backward)-b(\d+)-n(\d+)")

Result = dict[str, Any]


def parse(case: str) -> tuple[int, str, int, int]:
    """Resolution, work, batch and N of a case such as "256-forward-b8-n12"; ValueError for another string."""
    match = CASE.fullmatch(case)
    if match is None:
        raise ValueError(f"'{case}' is no case; write RESOLUTION-forward[_backward]-bBATCH-nN")
    return int(match[1]), match[2], int(match[3]), int(match[4])


def run(cases: Sequence[str], variants: Sequence[str], *, repeats: int, memory: int) -> Iterator[Result]:
    """One result for each case and variant; a case's variants are interleaved. None needs much of ``memory``."""
    for case in cases:
        resolution, work, batch, count = parse(case)
        generator = network(resolution)
        styles, weights = work_inputs(generator, batch), torch.full((batch, count), 0.1)
        directions = torch.randn(count, generator.space.size) / 100
        directions[:, generator.space.fixed_mask()] = 0.0
        calls: dict[str, Callable[[], object]] = {}
        for variant in variants:
            synthesize = functools.partial(once if variant == BASELINE else per_layer, generator, styles, directions)
            calls[variant] = functools.partial(work_of(work, synthesize), weights)
        seconds, peaks = interleaved(calls, repeats)
        for variant, times in seconds.items():
            median = statistics.median(times)
            yield {
                "suite": SUITE,
                "case": case,
                "variant": variant,
                "seconds": round(median / batch, 6),
                "fastest": round(min(times) / batch, 6),
                "spread": round((max(times) - min(times)) / median, 3),
                "peak_memory": peaks[variant],
                "repeats": repeats,
            }


def settle(results: Sequence[Result]) -> None:
    """Add ``ratio``: the time of ``once`` over this one's."""
    baseline = {row["case"]: row["seconds"] for row in results if row["variant"] == BASELINE}
    for row in results:
        best = baseline.get(row["case"])
        row["baseline"] = BASELINE
        row["ratio"] = None if best is None else round(best / row["seconds"], 3)
        row["of_floor"] = None


def once(generator: StyleGAN2, styles: Tensor, directions: Tensor, weights: Tensor) -> Tensor:
    return generator.synthesis(styles + weights @ directions)


def per_layer(generator: StyleGAN2, styles: Tensor, directions: Tensor, weights: Tensor) -> Tensor:
    return generator.synthesis(styles, edit_weights=weights, directions=directions)
