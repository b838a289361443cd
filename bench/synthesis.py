"""The synthesis suite: what each way of running StyleGAN2 costs, in seconds per image."""

from __future__ import annotations

import functools
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from textbook import textbook_synthesis
from torch import Tensor

from zoom_engine.errors import BackendError
from zoom_engine.generators import StyleGAN2, StyleGAN2Config
from zoom_engine.runtime import bf16_in_hardware, choose_synthesizer

SUITE = "synthesis"
BASELINE = "textbook-fp32"
RUNTIMES = ("onnxruntime-fp32", "openvino-fp32", "openvino-bf16")
VARIANTS = (BASELINE, "torch-fp32", "torch-bf16", "native-fp32", "native-bf16", *RUNTIMES)
CASES = tuple(
    f"{resolution}-{work}-b{batch}"
    for resolution in (256, 1024)
    for work in ("forward", "forward_backward")
    for batch in (1, 4, 16)
)
CASE = re.compile(r"(\d+)-(forward|forward_backward)-b(\d+)")

Result = dict[str, Any]


def run(cases: Sequence[str], variants: Sequence[str], repeats: int) -> Iterator[Result]:
    """One result for each case and variant; the repetitions of a case's variants are interleaved.

    ``seconds`` is the median time per image, ``spread`` (largest − smallest) / median, ``ratio`` the baseline's seconds
    over these (None where the baseline was not run). Skipped variants have ``skipped``, the reason, instead.
    """
    for case in cases:
        resolution, work, batch = parse(case)
        generator = network(resolution)
        styles = generator.styles(generator.mapping(generator.latents(range(batch))))
        calls: dict[str, Callable[[], object]] = {}
        skipped: list[Result] = []
        for variant in variants:
            try:
                calls[variant] = functools.partial(work_of(work, runner(generator, variant, work)), styles)
            except BackendError as reason:
                skipped.append({"suite": SUITE, "case": case, "variant": variant, "skipped": str(reason)})
        seconds = interleaved(calls, repeats)
        baseline = statistics.median(seconds[BASELINE]) if BASELINE in seconds else None
        for variant, times in seconds.items():
            median = statistics.median(times)
            yield {
                "suite": SUITE,
                "case": case,
                "variant": variant,
                "seconds": round(median / batch, 6),
                "baseline": BASELINE,
                "ratio": None if baseline is None else round(baseline / median, 3),
                "spread": round((max(times) - min(times)) / median, 3),
                "repeats": repeats,
            }
        yield from skipped


def parse(case: str) -> tuple[int, str, int]:
    """Resolution, work and batch of a case such as "1024-forward-b4"; ValueError for another string."""
    found = CASE.fullmatch(case)
    if found is None:
        raise ValueError(f"'{case}' is no case; write RESOLUTION-forward-bBATCH or RESOLUTION-forward_backward-bBATCH")
    return int(found[1]), found[2], int(found[3])


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every call, round after round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def network(resolution: int, *, base: int | None = None) -> StyleGAN2:
    """Random weights with noise and biases at work; without a base 1024² is config-f, smaller ones have 16384."""
    base = base or (32768 if resolution >= 1024 else 16384)
    sizes = [4 * 2**i for i in range(resolution.bit_length() - 2)]
    torch.manual_seed(0)
    generator = StyleGAN2(StyleGAN2Config(resolution, tuple(min(512, base // size) for size in sizes)))
    for name, parameter in generator.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, 1.0 if "affine" in name else 0.0, 0.3)
        elif name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, 0.2)
        elif name.endswith("affine.weight"):
            torch.nn.init.normal_(parameter, 0.0, 0.05)
    return generator.eval().requires_grad_(False)


def runner(generator: StyleGAN2, variant: str, work: str) -> Callable[[Tensor], Tensor]:
    """What makes images for ``variant``. Raises BackendError where it cannot, or where it would say nothing."""
    if variant == BASELINE:
        return functools.partial(textbook_synthesis, generator)
    backend, precision = variant.split("-")
    if work == "forward_backward" and variant in RUNTIMES:
        raise BackendError("forward only: gradients stay with torch and the native operators")
    if precision == "bf16" and not bf16_in_hardware():
        raise BackendError("this processor has no bf16 arithmetic")
    return choose_synthesizer(generator, backend=backend, precision=precision)


def work_of(work: str, synthesize: Callable[[Tensor], Tensor]) -> Callable[[Tensor], object]:
    """The forward pass, or the forward pass and the gradient to the styles."""

    def forward(styles: Tensor) -> object:
        with torch.no_grad():
            return synthesize(styles)

    def forward_backward(styles: Tensor) -> object:
        leaf = styles.clone().requires_grad_(True)
        return torch.autograd.grad(synthesize(leaf).square().mean(), leaf)

    return forward if work == "forward" else forward_backward
