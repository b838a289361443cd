"""``python bench/paper_cost.py``: what the networks of "paper-avatars" cost at 256², beside those of `random_world`.

Seconds of the processor for a picture: drawn, shown to the target and to the text encoder, forward alone and with
gradients, and to the text encoder in the precision that measures; and what runs each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paper_avatars
import torch
from torch import Tensor
from worlds import random_world

from zoom_engine import load_generator, load_target, load_text_encoder
from zoom_engine.generators import EditableGenerator
from zoom_engine.runtime import choose_synthesizer, compiled_target, compiled_text_encoder
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder

RESOLUTION, PICTURES, REPEATS = 256, 8, 3


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paper_avatars.write(folder, RESOLUTION)
        os.environ[paper_avatars.FOLDER] = scratch
        sys.path.append(scratch)  # where the domain is registered
        ours = (
            load_generator(folder / paper_avatars.GENERATOR),
            load_target(f"{paper_avatars.NAME}:{paper_avatars.TARGET}"),
            load_text_encoder(paper_avatars.NAME),
        )
        world = random_world(RESOLUTION, 1)
        others = (world.generator, world.target, world.text_encoder)
        for name, networks in ((paper_avatars.NAME, ours), ("random", others)):
            for part, (seconds, runs) in costs(*networks, cache=folder).items():
                print(f"{name:14} {part:12} {seconds:7.4f}  {runs}", flush=True)


@torch.no_grad()
def costs(
    generator: EditableGenerator, target: Target, encoder: TextEncoder, *, cache: Path
) -> dict[str, tuple[float, str]]:
    """Seconds of the processor for a picture by part, and what runs it."""
    synthesizer = choose_synthesizer(generator, cache=cache)
    shown, target_runs = compiled_target(target, synthesizer, lower=True)
    searching, searching_runs = compiled_text_encoder(encoder, synthesizer, lower=True)
    measuring, measuring_runs = compiled_text_encoder(encoder, synthesizer, precision=synthesizer.precision)
    codes = generator.sample(range(PICTURES))
    pictures = synthesizer.render(codes)
    return {
        "synthesis": (cpu(lambda: synthesizer.render(codes)), f"{synthesizer.backend} {synthesizer.precision}"),
        "target": (cpu(lambda: shown(pictures)), target_runs),
        "… gradients": (cpu(lambda: gradients(shown, pictures)), ""),
        "encoder": (cpu(lambda: searching.embed_images(pictures)), searching_runs),
        "… gradients ": (cpu(lambda: gradients(searching.embed_images, pictures)), ""),
        "measuring": (cpu(lambda: measuring.embed_images(pictures)), measuring_runs),
    }


@torch.enable_grad()
def gradients(network: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """The gradients of the outputs' squares."""
    leaf = pictures.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(leaf).square().sum(), leaf)
    return gradient


def cpu(call: Callable[[], object]) -> float:
    """Seconds of the processor for a picture, after a call to warm up."""
    call()
    begun = time.process_time()
    for _ in range(REPEATS):
        call()
    return (time.process_time() - begun) / REPEATS / PICTURES


if __name__ == "__main__":
    main()
