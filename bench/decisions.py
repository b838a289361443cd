"""``python bench/decisions.py [--json OUT]``: do a target's decisions stay when a runtime makes the pictures?

For every target of the avatars, 2,000 pictures drawn and judged by torch in float32, and drawn by the runtime and
judged as the engine does beside it. At least a fifth of them have a probability in 0.2 to 0.8: random styles seldom
give such pictures, so some are made, between two of different classes.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoom_engine import load_target
from zoom_engine.common.errors import BackendError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.generators import StyleGAN2, load_stylegan2
from zoom_engine.runtime import Synthesizer, choose_synthesizer, compiled_target
from zoom_engine.targets import Target

NEAR = (0.2, 0.8)
RUNTIMES = ("native-bf16", "openvino-bf16", "onnxruntime-fp32")
IMAGES = 2000
NEAR_BOUNDARY = 0.22  # the share of pictures that is made to lie near the decision boundary
POOL = range(10_000, 10_100)
PART = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Decisions by a runtime beside those by torch.")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--targets", help="of the avatars, separated by commas")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), help="separated by commas")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args(arguments)
    domain = find_domain("avatars")
    assert domain is not None
    targets = (
        options.targets.split(",")
        if options.targets
        else [*filter(lambda name: domain.target(name).labels, domain.target_names())]
    )
    print(f"{'target':28} {'runtime':18} {'unchanged':>9} {'near 0.5':>9} {'error':>8} {'moved by':>8}")
    results: list[dict[str, Any]] = []
    for result in measure(targets, options.runtimes.split(","), options.images):
        results.append(result)
        print(line(result), flush=True)
        if options.json is not None:  # what is measured stays, whatever comes after
            atomic.write_json(options.json, {"machine": describe_environment(), "results": results})
    return 0


class Pictures:
    """What torch and each runtime that runs here make of the same styles; ``skipped`` says why the others do not."""

    def __init__(self, generator: StyleGAN2, runtimes: Sequence[str]) -> None:
        self.made = {"torch": choose_synthesizer(generator, backend="torch", precision="fp32")}
        self.skipped: dict[str, str] = {}
        for name in runtimes:
            backend, precision = name.split("-")
            try:
                self.made[name] = choose_synthesizer(generator, backend=backend, precision=precision)
            except BackendError as reason:
                self.skipped[name] = str(reason)

    def judge(
        self, styles: Tensor, targets: dict[str, Target]
    ) -> tuple[dict[str, dict[str, Tensor]], dict[str, float]]:
        """Probabilities ``[B, 1]`` by target and runtime, and ‖images − torch's‖² by runtime (torch: ‖images‖²)."""
        outputs: dict[str, dict[str, list[Tensor]]] = {name: {key: [] for key in self.made} for name in targets}
        judges = {
            (name, key): compiled_target(target, made)[0]
            for name, target in targets.items()
            for key, made in self.made.items()
        }
        squares = dict.fromkeys(self.made, 0.0)
        for part in torch.split(styles, PART):
            wanted = torch.zeros(())
            for key, renderer in self.made.items():
                images = renderer.render(part)
                squares[key] += float((images - wanted).double().square().sum())
                wanted = images if key == "torch" else wanted
                for name in targets:
                    judge = judges[name, key]
                    outputs[name][key].append(judge(images).sigmoid()[:, 0])
        return {name: {key: torch.cat(p) for key, p in rows.items()} for name, rows in outputs.items()}, squares


@torch.no_grad()
def measure(names: Sequence[str], runtimes: Sequence[str], images: int) -> Iterator[dict[str, Any]]:
    """One result for each of the avatars' targets ``names`` and each runtime.

    ``unchanged`` is the share of equal decisions, ``near_boundary`` that of pictures whose probability by torch is in
    0.2 to 0.8, ``error`` the relative error of all pictures together, ``moved_by`` the largest change of a probability.
    A runtime that cannot run here has ``skipped``, the reason, instead.
    """
    generator = load_stylegan2("avatars")
    targets = {name: load_target(f"avatars:{name}") for name in names}
    pictures = Pictures(generator, runtimes)
    count = math.ceil(images * NEAR_BOUNDARY)
    random = generator.sample(range(images - count))
    shared, shared_squares = pictures.judge(random, targets)
    quick = choose_synthesizer(generator, precision="fp32")
    for name, target in targets.items():
        beside, near_squares = pictures.judge(near_boundary(generator, target, quick, count), {name: target})
        probabilities_of = {key: torch.cat([shared[name][key], beside[name][key]]) for key in pictures.made}
        squares = {key: shared_squares[key] + near_squares[key] for key in pictures.made}
        wanted = probabilities_of.pop("torch")
        near = ((wanted > NEAR[0]) & (wanted < NEAR[1])).float().mean()
        for runtime, probabilities in probabilities_of.items():
            yield {
                "target": name,
                "runtime": runtime,
                "images": images,
                "unchanged": round(float(((probabilities > 0.5) == (wanted > 0.5)).float().mean()), 5),
                "near_boundary": round(float(near), 4),
                "error": float(f"{math.sqrt(squares[runtime] / squares['torch']):.3g}"),
                "moved_by": float(f"{float((probabilities - wanted).abs().max()):.3g}"),
            }
        yield from ({"target": name, "runtime": key, "skipped": why} for key, why in pictures.skipped.items())


def near_boundary(generator: StyleGAN2, target: Target, renderer: Synthesizer, count: int) -> Tensor:
    """Style vectors ``[count, S]`` of pictures whose probability is 0.2 to 0.8, evenly in the logit, by bisection."""

    judge = compiled_target(target, renderer)[0]

    def logits(styles: Tensor) -> Tensor:
        return torch.cat([judge(renderer.render(part))[:, 0] for part in torch.split(styles, PART)])

    pool = generator.sample(POOL)
    classes = logits(pool) >= 0
    low, high = pool[~classes], pool[classes]
    picks = torch.Generator().manual_seed(0)
    a = low[torch.randint(len(low), (count,), generator=picks)]
    b = high[torch.randint(len(high), (count,), generator=picks)]
    goal = math.log(NEAR[1] / NEAR[0]) * (2 * torch.rand(count, generator=picks) - 1)
    for _ in range(12):
        middle = (a + b) / 2
        above = (logits(middle) >= goal)[:, None]
        a, b = torch.where(above, a, middle), torch.where(above, middle, b)
    return (a + b) / 2


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    head = f"{result['target']:28} {result['runtime']:18}"
    if "skipped" in result:
        return f"{head} skipped: {result['skipped']}"
    numbers = f"{result['unchanged']:9.2%} {result['near_boundary']:9.1%}"
    return f"{head} {numbers} {result['error']:8.1e} {result['moved_by']:8.3f}"


if __name__ == "__main__":
    sys.exit(main())
