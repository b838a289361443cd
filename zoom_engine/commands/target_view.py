"""What a target sees: generated images after its resize and crop, and how it answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import png_bytes, to_pixels
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.generators import check_generator_options, load_generator, of_one_class
from zoom_engine.runtime import choose_synthesizer
from zoom_engine.targets import TaskView, check_target_options, input_notices, load_target
from zoom_engine.targets.assumptions import plain_images


def write_target_view(
    out: Path,
    *,
    generator: str,
    generator_class: int | None = None,
    generator_options: Mapping[str, object] | None = None,
    target: str,
    target_options: Mapping[str, object] | None = None,
    seeds: Sequence[int] = tuple(range(8)),
    notify: Notify = null_notifier,
) -> list[str]:
    """Write `out` (PNG): side by side what the target's network is fed for the generator's seeds.

    It is turned back into pictures, where a wrong size or crop shows, with the output drawn in where it has a place in
    them.

    Args:
        out: the file.
        generator: draws the images.
        generator_class: of a class-conditional generator.
        generator_options: see `load_generator`.
        target: answers the images.
        target_options: see `load_target`.
        seeds: which images.
        notify: receives lines on what was assumed.

    Returns:
        Lines on what pictures cannot show: the numbers that the network is fed, and its answers to these pictures
            beside those to black, white and noise (a model that is fed a wrong range answers all alike).
    """
    options = check_target_options(target_options)
    trust = {"trust": bool(options.get("trust"))}
    drawn_by = load_generator(generator, **{**trust, **check_generator_options(generator_options, generator)})
    network = of_one_class(drawn_by, generator_class)
    loaded = load_target(target, resolution=network.resolution, **options)
    with torch.no_grad():
        images = choose_synthesizer(network).render(network.sample(seeds))
        fed = loaded.preprocessing(images)
        seen = to_pixels(loaded.preprocessing.picture(fed))
        outputs = loaded(images)
        pictures = [loaded.task.view.overlay(pixels, row, row) for pixels, row in zip(seen, outputs, strict=True)]
        plain = {name: loaded(image)[0] for name, image in plain_images(*images.shape[-2:]).items()}
        predictions, captions = _answers(loaded.task.view, [*outputs, *plain.values()])
    for notice in input_notices(loaded, resolution=network.resolution):
        notify(notice)
    with system_errors(ConfigError, f"cannot write {out}"):
        atomic.write_bytes(out, png_bytes(np.concatenate(pictures, axis=1)))
    others = ", ".join(map(" ".join, zip(plain, captions[len(outputs) :], strict=True)))
    return [
        f"fed: {loaded.preprocessing.in_words}; here numbers from {float(fed.min()):.3g} to {float(fed.max()):.3g}",
        f"answers to these pictures{predictions}: {', '.join(captions[: len(outputs)])}",
        f"answers to others{predictions}: {others}",
    ]


def _answers(view: TaskView, rows: Sequence[Tensor]) -> tuple[str, list[str]]:
    """Return in words what answers are compared with, and the captions of output rows.

    A task may only say how far one output is from another. Each output alone looks the same then, so all are compared
    with the first.
    """
    alone = [view.caption(row, row) for row in rows]
    beside = [view.caption(row, rows[0]) for row in rows]
    return ("", alone) if len(set(alone)) > 1 or beside == alone else (", compared with the first", beside)
