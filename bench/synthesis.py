"""The synthesis suite: what each way of running StyleGAN2 costs, in seconds per image and bytes, beside the floor."""

from __future__ import annotations

import functools
import multiprocessing
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch
from floor import floor, peak_bandwidth, peak_operations
from memory import available, peak_of
from textbook import textbook_synthesis
from torch import Tensor

from zoom_engine.common.errors import BackendError
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.generators import StyleGAN2, StyleGAN2Config
from zoom_engine.runtime import choose_synthesizer

SUITE = "synthesis"
BASELINE = "textbook-fp32"
COMPILED = "torch-compile"
FLOORS = ("floor-fp32", "floor-bf16")
RUNTIMES = ("onnxruntime-fp32", "openvino-fp32", "openvino-bf16")
VARIANTS = (BASELINE, "torch-fp32", "torch-bf16", COMPILED, *RUNTIMES, "native-fp32", "native-bf16", *FLOORS)
CASES = tuple(
    f"{resolution}-{work}-b{batch}"
    for resolution in (256, 1024)
    for work in ("forward", "forward_backward")
    for batch in (1, 4, 16)
)
CASE = re.compile(r"(\d+)-(forward|forward_backward)-b(\d+)")

Result = dict[str, Any]


def run(cases: Sequence[str], variants: Sequence[str], *, repeats: int, memory: int) -> Iterator[Result]:
    """One result for each case and variant; the repetitions of a case's variants are interleaved.

    ``seconds`` is the median time per image, ``spread`` (largest − smallest) / median, ``peak_memory`` what the first
    call took in bytes beyond what was resident before it. A variant that cannot run, or would by its memory at
    batch 1 take more than ``memory`` bytes, has seconds None and the reason as ``skipped``. Each case runs in a process
    of its own: what compilers and runtimes keep goes with it, and a case that is killed takes no other along.
    """
    for case in cases:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
            try:
                yield from child.submit(run_case, case, variants, repeats=repeats, memory=memory).result()
            except BrokenProcessPool:
                reason = "the process was killed, most likely for memory"
                yield from (skipped(case, variant, reason) for variant in variants)


def run_case(case: str, variants: Sequence[str], *, repeats: int, memory: int) -> list[Result]:
    """The results of one case, see :func:`run`."""
    resolution, work, batch = parse(case)
    generator = network(resolution)
    alone = work_inputs(generator, 1)
    styles = work_inputs(generator, batch)
    results: list[Result] = []
    calls: dict[str, Callable[[], object]] = {}
    needed: dict[str, int] = {}
    for variant in variants:
        try:
            if variant in FLOORS:
                floors = floor_of(generator, variant, work, batch)
                results.append({"suite": SUITE, "case": case, "variant": variant, **floors})
                continue
            call = work_of(work, runner(generator, variant, work))
            if batch > 1:
                needed[variant] = batch * first_peak(variant, functools.partial(call, alone))
            calls[variant] = functools.partial(call, styles)
        except BackendError as error:
            results.append(skipped(case, variant, str(error)))
    allowed = min(memory, int(0.8 * available()))  # what the variants hold between calls is gone by now
    for variant in [name for name, bytes_ in needed.items() if bytes_ > allowed]:
        del calls[variant]
        reason = f"needs about {needed[variant] / 1e9:.1f} GB, {allowed / 1e9:.1f} are allowed"
        results.append(skipped(case, variant, reason))
    seconds, peaks = interleaved(calls, repeats)
    for variant, times in seconds.items():
        median = statistics.median(times)
        results.append(
            {
                "suite": SUITE,
                "case": case,
                "variant": variant,
                "seconds": round(median / batch, 6),
                "spread": round((max(times) - min(times)) / median, 3),
                "peak_memory": peaks[variant],
                "repeats": repeats,
            }
        )
    return results


def skipped(case: str, variant: str, reason: str) -> Result:
    """The row of a variant that was not measured."""
    return {"suite": SUITE, "case": case, "variant": variant, "seconds": None, "skipped": reason}


def settle(results: Sequence[Result]) -> None:
    """Add what takes several results: ``ratio`` to the baseline at its fastest batch, ``of_floor`` to the floor.

    The latter is above 1 where less is multiplied than the floor counts. None where the baseline, or the floor of that
    precision, was not measured.
    """
    timed = [row for row in results if row["seconds"] is not None]
    fastest: dict[tuple[int, str], float] = {}
    floors = {(row["case"], row["variant"]): row["seconds"] for row in timed if row["variant"] in FLOORS}
    for row in timed:
        if row["variant"] == BASELINE:
            kind = parse(row["case"])[:2]
            fastest[kind] = min(row["seconds"], fastest.get(kind, row["seconds"]))
    for row in timed:
        best = fastest.get(parse(row["case"])[:2])
        bound = floors.get((row["case"], f"floor-{'bf16' if row['variant'].endswith('bf16') else 'fp32'}"))
        row["baseline"] = BASELINE
        row["ratio"] = None if best is None else round(best / row["seconds"], 3)
        row["of_floor"] = None if bound is None else round(bound / row["seconds"], 3)


def floor_of(generator: StyleGAN2, variant: str, work: str, batch: int) -> Result:
    """The floor's seconds per image with the two peaks that were measured for it."""
    precision = variant.split("-")[1]
    require_arithmetic(precision)
    return {
        "seconds": round(floor(generator, work, batch, precision), 6),
        "operations_per_second": round(peak_operations(precision)),
        "bytes_per_second": round(peak_bandwidth()),
    }


def work_inputs(generator: StyleGAN2, batch: int) -> Tensor:
    return generator.styles(generator.mapping(generator.latents(range(batch))))


def first_peak(variant: str, call: Callable[[], object]) -> int:
    """The memory of a first call; compilers make theirs before."""
    if variant == COMPILED:
        call()
    return peak_of(call)


def parse(case: str) -> tuple[int, str, int]:
    """Resolution, work and batch of a case such as "1024-forward-b4"; ValueError for another string."""
    match = CASE.fullmatch(case)
    if match is None:
        raise ValueError(f"'{case}' is no case; write RESOLUTION-forward-bBATCH or RESOLUTION-forward_backward-bBATCH")
    return int(match[1]), match[2], int(match[3])


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of every call, round after round, and the memory of a first round to warm up."""
    peaks = {name: first_peak(name, call) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return seconds, peaks


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
    if variant == COMPILED:
        if shutil.which("c++") is None and shutil.which("g++") is None:
            raise BackendError("torch.compile needs a C++ compiler")
        torch.compiler.reset()  # or the recompilations of earlier cases count
        return torch.compile(functools.partial(generator.synthesis, plain=True), dynamic=False)
    backend, precision = variant.split("-")
    if work == "forward_backward" and variant in RUNTIMES:
        raise BackendError("forward only: gradients stay with torch and the native operators")
    require_arithmetic(precision)
    return choose_synthesizer(generator, backend=backend, precision=precision).render


def require_arithmetic(precision: str) -> None:
    """BackendError for a precision that the processor would only emulate."""
    if precision == "bf16" and not bf16_in_hardware():
        raise BackendError("this processor has no bf16 arithmetic")


def work_of(work: str, synthesize: Callable[[Tensor], Tensor]) -> Callable[[Tensor], object]:
    """The forward pass, or the forward pass and the gradient to the styles."""

    def forward(styles: Tensor) -> object:
        with torch.no_grad():
            return synthesize(styles)

    def forward_backward(styles: Tensor) -> object:
        leaf = styles.clone().requires_grad_(True)
        return torch.autograd.grad(synthesize(leaf).square().mean(), leaf)

    return forward if work == "forward" else forward_backward
