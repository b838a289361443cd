"""A picture of what moved published models most: of each an unedited face, and the same face edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lab.published.models import MODELS
from lab.published.wording import short_name
from zoom_engine import Diagnosis
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.targets import BinaryTask

SIDE, GAP, LINE, COLUMNS = 112, 10, 15, 3
WHITE, BLACK = (255, 255, 255), (20, 20, 20)
SIZE = 11
"""Of the letters, in pixels."""
QUALITY = 85
"""Of the picture as WebP."""


def pairs_picture(audits: Mapping[str, Diagnosis], folder: Path) -> Image.Image:
    """Return a sheet of pairs, with the model, the attribute that moved it most and what it says before and after.

    Args:
        audits: by model.
        folder: of the audits' folders, each of its model's name.
    """
    cells = [cell for name, diagnosis in audits.items() if (cell := _pair(name, diagnosis, folder / name)) is not None]
    width, height = 2 * SIDE + GAP, SIDE + 3 * LINE + GAP
    rows = max(-(-len(cells) // COLUMNS), 1)
    sheet = Image.new("RGB", (COLUMNS * width + GAP, rows * height + GAP), WHITE)
    for index, cell in enumerate(cells):
        row, column = divmod(index, COLUMNS)
        sheet.paste(cell, (GAP + column * width, GAP + row * height))
    return sheet


def _pair(name: str, diagnosis: Diagnosis, audit: Path) -> Image.Image | None:
    """Return one pair: of the strongest attribute that has a typical strip; None where none has."""
    strips = {str(strip.attribute): strip for strip in reversed(Gallery.load(audit).strips) if strip.attribute}
    attribute = next((row.attribute for row in diagnosis.sensitivity if str(row.attribute) in strips), None)
    if attribute is None:
        return None
    strip = strips[str(attribute)]
    before, after = strip.frames[0], strip.frames[-1 if strip.shown is None else strip.shown]
    cell = Image.new("RGB", (2 * SIDE, SIDE + 3 * LINE), WHITE)
    for index, frame in enumerate((before, after)):
        with Image.open(audit / frame.file) as picture:
            cell.paste(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), (index * SIDE, 0))
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(SIZE)
    task = MODELS[name].task if name in MODELS else None
    what = f"{task.classes[1]} " if isinstance(task, BinaryTask) else ""
    lines = (name, short_name(attribute.text), f"{what}{before.caption} to {after.caption}")
    for index, line in enumerate(lines):
        draw.text((2, SIDE + index * LINE), line, BLACK, font=font)
    return cell
