"""`fit.html`: verdicts, the figures behind them, and photographs beside the nearest generated pictures; one file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoom_engine.commands.fit.fitness import THRESHOLDS, Fitness, found_from, share_in_words
from zoom_engine.commands.fit.verdicts import IMAGES, Verdict
from zoom_engine.common.files.webp import webp_uri
from zoom_engine.report.environment import template
from zoom_engine.report.pictures import Picture
from zoom_engine.report.writer import write_page
from zoom_engine.settings.command_line import arguments_of_attributes

TONES: dict[Verdict, str] = {"fit": "good", "doubtful": "warn", "not fit": "fail"}
SIDE, QUALITY = 128, 80
PARTS = {
    "coverage": "What it draws",
    "answers": "How the model answers it",
    "inversion": "What can be drawn again",
    "words": "What the text encoder reads",
}


@dataclass(frozen=True, eq=False)
class Nearest:
    """A photograph beside the generated picture that is nearest to it in the text encoder's eyes.

    Attributes:
        file: the photograph's name.
        where: why it is shown.
        distance: between both embeddings.
        photograph: uint8 `[side, side, 3]`.
        generated: uint8 `[side, side, 3]`.
    """

    file: str
    where: str
    distance: float
    photograph: NDArray[np.uint8]
    generated: NDArray[np.uint8]

    @property
    def pictures(self) -> tuple[Picture, Picture]:
        """Return both, inlined."""
        return _inlined(self.photograph), _inlined(self.generated)


def write_fit_page(path: Path, fitness: Fitness, nearest: Sequence[Nearest]) -> Path:
    """Write the page, which needs nothing but itself, and return its path.

    Raises:
        AuditError: the file cannot be written.
    """
    html = template("fit.html.j2").render(
        f=fitness,
        tones=TONES,
        parts=[(PARTS.get(name, name), judgement) for name, judgement in fitness.parts.items()],
        nearest=nearest,
        images=IMAGES,
        share_in_words=share_in_words,
        found_from=found_from,
        thresholds=THRESHOLDS,
        command=next_command(fitness),
    )
    return write_page(path, html)


def next_command(fitness: Fitness) -> str:
    """Return the audit of the attributes that are not ruled out, with every option that was given.

    "" where there is none, or where no command line says an option.
    """
    if fitness.overall == "not fit" or fitness.unsaid:
        return ""
    usable = [one.given or "" for one in fitness.attributes if one.judgement.verdict != "not fit"]
    words = [*fitness.audit, *arguments_of_attributes(usable), "--out", "audit"]
    lines = ["zoom-engine diagnose"]
    for place, word in enumerate(words):
        first = word.startswith("--")  # no value does: see `arguments_of`
        if first and place > 2:
            lines.append("   ")
        lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines)


def _inlined(pixels: NDArray[np.uint8]) -> Picture:
    return Picture(webp_uri(Image.fromarray(pixels), side=SIDE, quality=QUALITY), *pixels.shape[1::-1])
