"""An audit as notebooks show it: tables of pandas, HTML, axes of matplotlib, and its pictures as arrays."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.gallery_file import Gallery, StripEntry, read_picture
from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import Summary
from zoom_engine.common.errors import AuditError, ConfigError, imported
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.settings.attributes import short_names
from zoom_engine.statistics.table import (
    beside,
    decimal,
    flipping,
    judged_name,
    keeping,
    signed,
    verdict_in_words,
    with_interval,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST_SIDE = 320  # pixels of a picture in a notebook: some tens of kilobytes
_SHOWN_SIDE = 192


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Pictures of one image on its way from the original to the edited one, and what they stand for.

    Attributes:
        attribute: its text, None for all attributes together.
        seed: the generator's, of the image.
        kind: why it was chosen, see `StripEntry`.
        flipped: whether the prediction flips.
        decisive: whether it flips decisively, see `StripEntry`.
        label_kept: whether the label check passes; None without labels.
        ssim: structural similarity of the edited picture to the original; None where it was not measured.
        weights: the edit weight of each frame; None for the original and where all attributes are edited.
        outputs: what the target says of each frame, in words.
        frames: uint8 `[F, H, W, 3]`, the first is the original.
    """

    attribute: str | None
    seed: int
    kind: str | None
    flipped: bool
    decisive: bool | None
    label_kept: bool | None
    ssim: float | None
    weights: tuple[float | None, ...]
    outputs: tuple[str, ...]
    frames: NDArray[np.uint8] = dataclasses.field(repr=False)

    def _repr_html_(self) -> str:
        pair = (("before", self.outputs[0], self.original), ("after", self.outputs[-1], self.edited))
        figures = "".join(
            f'<figure style="margin: 0"><img src="{picture_url(picture)}" alt="{title}: {html.escape(output)}"'
            f' style="width: {_SHOWN_SIDE}px; max-width: 100%; margin: 0"><figcaption>{title}: {html.escape(output)}'
            "</figcaption></figure>"
            for title, output, picture in pair
        )
        return f'<div style="display: flex; gap: 10px">{figures}</div><p>{html.escape(self.line)}</p>'

    @property
    def line(self) -> str:
        """Return what its record says, in a line."""
        flip = "no flip" if not self.flipped else "flip" if self.decisive is None else "borderline flip"
        weight = self.weights[-1] if self.weights else None
        return ", ".join(
            [
                f"“{self.attribute}”" if self.attribute else "all attributes together",
                f"seed {self.seed}",
                *([self.kind] if self.kind else []),
                "decisive flip" if self.flipped and self.decisive else flip,
                *([] if self.label_kept is None else ["label kept" if self.label_kept else "label not kept"]),
                *([] if self.ssim is None else [f"SSIM {decimal(self.ssim)}"]),
                *([] if weight is None else [f"weight {signed(weight)}"]),
            ]
        )

    @property
    def original(self) -> NDArray[np.uint8]:
        """Return the unedited picture, uint8 `[H, W, 3]`."""
        first: NDArray[np.uint8] = self.frames[0]
        return first

    @property
    def edited(self) -> NDArray[np.uint8]:
        """Return the edited picture, uint8 `[H, W, 3]`."""
        last: NDArray[np.uint8] = self.frames[-1]
        return last


def picture_url(picture: NDArray[np.uint8]) -> str:
    """Return a picture, uint8 `[H, W, 3]`, as a data URL: WebP of at most `_LARGEST_SIDE` pixels a side."""
    from PIL import Image

    from zoom_engine.common.files.webp import webp_uri

    return webp_uri(Image.fromarray(picture), side=_LARGEST_SIDE, quality=84)


def counterfactuals(audit: Path | None) -> list[Counterfactual]:
    """Read the pictures of the audit folder.

    Raises:
        AuditError: there are none, or they cannot be read.
    """
    if audit is None:
        raise AuditError("an audit in memory has no pictures: run it with out=FOLDER")
    return [_counterfactual(audit, strip) for strip in Gallery.load(audit).strips]


def attribute_frame(config: Config, summary: Summary) -> Any:
    """Return a `pandas.DataFrame` with a row for each attribute, the most sensitive first.

    It holds the figures of `Sensitivity`; an interval is two columns, `…_low` and `…_high`.
    """
    rows, names = [], short_names(config.attributes, config.neutral)
    for row in summary.sensitivity:
        values: dict[str, Any] = {"name": names[row.attribute]}
        for name, value in row.to_json().items():
            values |= _flat(name, value)
        rows.append(values)
    return _library("pandas", "tables").DataFrame(rows).set_index("attribute")


def record_frame(config: Config, records: Sequence[Record]) -> Any:
    """Return a `pandas.DataFrame` with a row for each image and attribute.

    It holds all of `Record` except the evaluated points. In single mode `edit_weight` is that of the attribute; in
    multi mode there is one such column for each attribute.
    """
    names = [attribute.text for attribute in config.attributes]
    rows = []
    for record in records:
        values = record.to_json()
        weights = dict(zip(names, values.pop("edit_weights"), strict=True))
        for name in ("trajectory", "scores"):
            values.pop(name, None)
        values["attribute"] = record.attribute
        if record.attribute is None:
            values |= {f"edit_weight: {name}": weight for name, weight in weights.items()}
        else:
            values["edit_weight"] = weights[record.attribute]
        rows.append({key: value for name, value in values.items() for key, value in _flat(name, value).items()})
    return _library("pandas", "tables").DataFrame(rows)


def plot(config: Config, summary: Summary, axes: Axes | None = None) -> Axes:
    """Draw the attributes as horizontal bars with their 95 % intervals on `axes`, by default on new ones.

    How far random edits move the output is shaded; what is sensitive and specific is dark.
    """
    if axes is None:
        axes = _library("matplotlib.pyplot", "plots").subplots(layout="constrained")[1]
    assert axes is not None
    rows = [row for row in summary.sensitivity if row.value is not None]
    names = short_names(config.attributes, config.neutral)
    judged = any(row.verdict for row in rows)
    values = [row.value or 0.0 for row in rows]
    ends = [row.interval or (value, value) for row, value in zip(rows, values, strict=True)]
    errors = [[value - low for value, (low, _) in zip(values, ends, strict=True)], []]
    errors[1] = [high - value for value, (_, high) in zip(values, ends, strict=True)]
    colors = ["#2a6ccb" if row.is_specific or not judged else "#8c959c" for row in rows]
    baseline = summary.baseline
    if baseline is not None:
        axes.axvspan(0.0, baseline.strongest, color="#e6ece4", zorder=0, label=beside(summary).several)
    positions = np.arange(len(rows))
    axes.barh(positions, values, color=colors, zorder=1)
    axes.errorbar(values, positions, xerr=np.clip(errors, 0.0, None), fmt="none", ecolor="#15181b", capsize=3, zorder=2)
    # What users wrote is no formula between two "$".
    axes.set_yticks(positions, [names[row.attribute] for row in rows], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"{judged_name(summary)} of the output" if config.mode == "single" else "share of its own range")
    axes.set_title(config.target, parse_math=False)
    return axes


def html_table(config: Config, summary: Summary, missing: int) -> str:
    """Return the attributes as an HTML table; all text is escaped.

    `missing` measurements have no record yet.
    """
    single = config.mode == "single"
    measure = judged_name(summary) if single else "share of its range"
    head = ["attribute", f"{measure} [95 %]", *(["verdict"] if single else []), "flips", "decisive", "label kept"]
    lines = []
    for row in summary.sensitivity:
        value = with_interval(row.value, row.interval)
        cells = [row.attribute.name, value, *([verdict_in_words(row)] if single else [])]
        cells += [flipping(row.flip_rate), flipping(row.decisive_flip_rate), keeping(row.label_kept)]
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    images = number_of(summary.images, "image")
    lacks = f"{number_of(missing, 'measurement')} {agreeing(missing, 'is', 'are')} missing"
    state = f", not finished: {lacks}" if missing else ""
    caption = html.escape(f"{config.target}: {images}, {config.mode} mode{state}")
    heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _counterfactual(folder: Path, strip: StripEntry) -> Counterfactual:
    return Counterfactual(
        attribute=None if strip.attribute is None else strip.attribute.text,
        seed=strip.seed,
        kind=strip.kind,
        flipped=strip.flipped,
        decisive=strip.decisive,
        label_kept=strip.label_kept,
        ssim=strip.ssim,
        weights=tuple(frame.weight for frame in strip.way),
        outputs=tuple(frame.caption for frame in strip.way),
        frames=_pictures(folder, [frame.file for frame in strip.way]),
    )


def _pictures(folder: Path, files: Sequence[str]) -> NDArray[np.uint8]:
    pictures = [np.asarray(read_picture(folder, name)) for name in files]
    if len({picture.shape for picture in pictures}) > 1:
        raise AuditError(f"the pictures of {folder} differ in size: run the audit again in a new folder")
    return np.stack(pictures)


def _flat(name: str, value: object) -> dict[str, Any]:
    """Return a value as columns of a table: intervals and outputs of several numbers become several columns."""
    if isinstance(value, dict):
        return {key: column for inner, one in value.items() for key, column in _flat(f"{name}_{inner}", one).items()}
    is_interval = name.endswith(("ci95", "bounds", "interval"))
    if value is None and is_interval:
        value = (None, None)
    if not isinstance(value, list | tuple):
        return {name: value}
    if len(value) == 1:
        return {name: value[0]}
    ends = ("low", "high") if is_interval else map(str, range(len(value)))
    return {f"{name}_{end}": one for end, one in zip(ends, value, strict=True)}


def _library(name: str, extra: str) -> Any:
    return imported(name, ConfigError, "an audit cannot be shown so", install=f"zoom-engine[{extra}]")
