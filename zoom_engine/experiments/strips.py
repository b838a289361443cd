"""Counterfactuals step by step, from the gallery of an audit: what `progress` and `tasks` draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zoom_engine.audit.gallery_file import Gallery, StripEntry
from zoom_engine.common.errors import ConfigError
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study
from zoom_engine.experiments.style import axes_of, caption_tile, figure, framed, pages, show_tiles
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

A_PAGE = 18
LETTERS, FITTING = 6.0, 9  # points of a caption; how many letters of that size a picture is wide


def strips_of(study: Study, folder: Folder, name: str, audit: Diagnosis, count: int) -> list[dict[str, Any]]:
    """Return the `count` clearest strips of an audit, decisive flips that keep their label first; store pictures."""
    if audit.path is None:
        raise ConfigError("an audit without a folder has no pictures")
    entries = sorted(Gallery.load(audit.path).strips, key=_worth, reverse=True)
    described = []
    for entry in entries[:count]:
        files = []
        for frame in entry.frames:
            with Image.open(audit.path / frame.file) as picture:
                files.append(folder.picture(f"{name} {audit.mode} {frame.file}", np.asarray(picture.convert("RGB"))))
        described.append(
            {
                "target": name,
                "mode": audit.mode,
                "attribute": "all together" if entry.attribute is None else study.short(entry.attribute),
                "seed": entry.seed,
                "flipped": entry.flipped,
                "decisive": bool(entry.decisive),
                "label_kept": entry.label_kept,
                "ssim": entry.ssim,
                "captions": [frame.caption for frame in entry.frames],
                "shown": len(entry.way) - 1,
                "files": files,
            }
        )
    return described


def _worth(entry: StripEntry) -> tuple[bool, bool, bool]:
    return bool(entry.decisive), entry.flipped, entry.label_kept is not False


def draw_strips(folder: Folder, strips: Sequence[dict[str, Any]], name: str) -> Iterator[tuple[str, Figure]]:
    """Draw two columns of strips, with a prediction in each picture.

    A frame marks the picture that the strip is shown for.
    """
    for part in pages(strips, A_PAGE):
        drawn = figure(1.03 * -(-len(part) // 2))
        for axes, strip in zip(axes_of(drawn, len(part), 2), part, strict=True):
            step = show_tiles(axes, [[folder.load(file) for file in strip["files"]]])
            longest = max(map(len, strip["captions"]))
            points = LETTERS * min(1.0, FITTING / longest)
            for column, caption in enumerate(strip["captions"]):
                caption_tile(axes, 0, column, step, caption, points=points)
            if strip["shown"]:
                framed(axes, 0, strip["shown"], step)
            axes.set_title(f"{strip['target']}: {strip['attribute']}", fontsize=7.5, pad=3)
        yield name, drawn


def strip_rows(strips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each strip."""
    fields = ("target", "mode", "attribute", "seed", "flipped", "decisive", "label_kept", "ssim")
    return [
        {
            **{key: strip[key] for key in fields},
            "first": strip["captions"][0],
            "last": strip["captions"][strip["shown"]],
        }
        for strip in strips
    ]
