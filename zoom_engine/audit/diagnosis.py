"""The result of an audit: what the records say about each attribute, and how sure that is.

Sensitivity, flip rate, SSIM and intervals are functions of the records alone, so they can be had again from
any audit folder. Definitions: ZOOM (Luo 2023); the percentile bootstrap is Efron's (1979).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine.audit.folder import RECORDS, AuditFolder, read_manifest
from zoom_engine.audit.intervals import Array, bootstrap_means, column_means, interval, share_first
from zoom_engine.audit.records import DECISIVE_CHANGE, Record, is_decisive, read_records, sort_key
from zoom_engine.audit.table import summary_table
from zoom_engine.errors import AuditError

PAPER_BOUND = 30.0
"""Edit weights of the paper's figures lie within ± this."""

RANGES = ("paper", "calibrated")
"""Keys under which a record may hold `change` and `flipped` within the range that the audit did not use."""


@dataclass(frozen=True)
class Diagnosis:
    """An audit's manifest and its records, sorted by (image, attribute).

    Of the manifest it reads `config`: `attributes` (list of str, in the order of the records' edit weights),
    `mode` ("single" or "multi") and `search` (str). `path` is the audit folder it came from, if any.
    """

    manifest: dict[str, Any]
    records: tuple[Record, ...]
    path: Path | None = None

    def __post_init__(self) -> None:
        config = self.manifest.get("config", {})
        attributes = config.get("attributes")
        if config.get("mode") not in ("single", "multi") or not attributes:
            raise AuditError("the manifest's config needs 'mode' (single or multi) and 'attributes'")
        known = {None} if config["mode"] == "multi" else set(attributes)
        for record in self.records:
            if record.attribute not in known or len(record.edit_weights) != len(attributes):
                raise AuditError(
                    f"the record of image {record.image}, attribute {record.attribute!r} is not of "
                    "this audit: run it again in a new folder"
                )
        object.__setattr__(self, "records", tuple(sorted(self.records, key=sort_key)))

    @classmethod
    def load(cls, path: str | Path) -> Diagnosis:
        """Read an audit folder, finished or not. Raises `AuditError`."""
        path = Path(path)
        manifest = read_manifest(path)
        try:
            records = read_records(path / RECORDS)
        except OSError as error:
            raise AuditError(f"cannot read {path / RECORDS}: {(error.strerror or str(error)).lower()}") from error
        return cls(manifest, tuple(records), path)

    def save(self, path: str | Path) -> Path:
        """Write manifest, records, summary and pictures as a new audit folder at `path`.

        Raises `AuditError` when `path` already holds something.
        """
        path = Path(path)
        with AuditFolder.create(path, {key: value for key, value in self.manifest.items() if key != "format"}) as to:
            to.append(self.records)
            if self.path is not None and (self.path / "gallery.json").is_file():
                to.write("gallery.json", (self.path / "gallery.json").read_bytes())
                shutil.copytree(self.path / "images", path / "images", dirs_exist_ok=True)
            to.finish(self.summary())
        return path

    @property
    def mode(self) -> str:
        """ "single" (one attribute at a time) or "multi" (all together)."""
        return str(self.manifest["config"]["mode"])

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes' texts in the order of the edit weights."""
        return tuple(self.manifest["config"]["attributes"])

    @property
    def sensitivity(self) -> list[dict[str, Any]]:
        """The rows of `summary()`, most sensitive first."""
        return list(self.summary()["sensitivity"])

    def summary(self, *, resamples: int = 4000, seed: int = 0) -> dict[str, Any]:
        """What summary.json holds: strict JSON values, None where a figure does not exist.

        Top level: `mode`, `search`, `images` (how many have a record), `units` (records), `flip_rate` (share
        of images that some edit flips), `decisive_flip_rate` (that some edit flips decisively: the output moves by
        at least the audit's `decisive_change`, and the edit stays within what the generator draws), `label_kept` (share
        of units whose edit keeps the zero-shot label; None without label prompts), `natural` (multi mode: share of
        units whose edit stays so; None where that was not measured), `ssim` (mean over flipping counterfactuals; None
        without any) and `sensitivity`, one row per attribute, sorted. A row:

        - `attribute`; `share`: its part of the histogram, all sum to 1
        - single mode, sorts: `mean_change`, the mean over images of |f(x̂) - f(x)| in [0, 1]; `ci95`, its
          95 % bootstrap interval over images (None for fewer than two)
        - multi mode, sorts: `range_share`, the mean |edit weight| in units of the attribute's own range on that
          side, in [0, 1], with `range_share_ci95`; `mean_change` and `ci95` are None
        - `flip_rate`, `decisive_flip_rate`, `label_kept`, `ssim`, `mean_abs_weight` (raw): over its units; in multi
          mode over the images whose edit uses the attribute at all
        - `first`: the share of resampled audits in which it is the most sensitive one
        - `paper` or `calibrated` (single mode): `mean_change`, `ci95`, `share`, `flip_rate` and
          `decisive_flip_rate` within that range, if the records hold them

        `resamples` and `seed` belong to the bootstrap; equal ones give equal intervals.
        """
        rows = _single_rows(self, resamples, seed) if self.mode == "single" else _multi_rows(self, resamples, seed)
        flipped = [record for record in self.records if record.flipped]
        images = {record.image for record in self.records}
        return {
            "mode": self.mode,
            "search": self.manifest["config"].get("search"),
            "images": len(images),
            "units": len(self.records),
            "flip_rate": len({record.image for record in flipped}) / len(images) if images else None,
            "decisive_flip_rate": (
                len({record.image for record in flipped if self.is_decisive(record)}) / len(images) if images else None
            ),
            "label_kept": _mean(record.label_kept for record in self.records),
            "natural": _mean(record.natural for record in self.records),
            "ssim": _mean(record.ssim for record in flipped),
            "sensitivity": rows,
        }

    def is_decisive(self, record: Record) -> bool:
        """Whether a record of this audit holds a decisive counterfactual, see `records.is_decisive`."""
        return is_decisive(record, least=self.manifest["config"].get("decisive_change", DECISIVE_CHANGE))

    def ranges(self) -> Array:
        """Lowest and highest edit weight that the audit's search may take, per attribute: float64 `[N, 2]`."""
        config = self.manifest["config"]
        if config.get("edit_range") == "calibrated" and config.get("calibrated_range"):
            return np.array(config["calibrated_range"], dtype=np.float64)
        bound = float(config.get("bound", PAPER_BOUND))
        return np.tile([-bound, bound], (len(self.attributes), 1))

    def table(self) -> str:
        """The summary as text of about 100 columns for a terminal, most sensitive attribute first."""
        return summary_table(self.summary(), title=str(self.manifest["config"].get("target", "")))


def _single_rows(diagnosis: Diagnosis, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Rows of single mode, by falling mean change."""
    attributes, records = diagnosis.attributes, diagnosis.records
    column: dict[str | None, int] = {attribute: index for index, attribute in enumerate(attributes)}

    columns = [column[record.attribute] for record in records]

    def matrix(values: Iterable[Any]) -> Array:
        return _matrix(records, columns, len(attributes), values)

    change = _measured(matrix(record.change for record in records), resamples, seed)
    flipped = column_means(matrix(record.flipped for record in records))
    decisive = column_means(matrix(diagnosis.is_decisive(record) for record in records))
    label_kept = column_means(matrix(record.label_kept for record in records))
    ssim = column_means(matrix(record.ssim if record.flipped else None for record in records))
    weights = (abs(record.edit_weights[i]) for record, i in zip(records, columns, strict=True))
    weight = column_means(matrix(weights))
    others = {}
    for name in RANGES:
        within = [record.within(name) for record in records]
        if any(within):
            others[name] = (
                _measured(matrix(one and one.change for one in within), resamples, seed),
                column_means(matrix(one and one.flipped for one in within)),
                column_means(matrix(one and one.decisive for one in within)),
            )
    rows = []
    for index, attribute in enumerate(attributes):
        row = {"attribute": attribute, **change[index]}
        row["flip_rate"] = _plain(flipped[index])
        row["decisive_flip_rate"] = _plain(decisive[index])
        row["label_kept"] = _plain(label_kept[index])
        row["ssim"] = _plain(ssim[index])
        row["mean_abs_weight"] = _plain(weight[index])
        for name, (measured, flips, decisive_flips) in others.items():
            row[name] = {key: value for key, value in measured[index].items() if key != "first"}
            row[name]["flip_rate"] = _plain(flips[index])
            row[name]["decisive_flip_rate"] = _plain(decisive_flips[index])
        rows.append(row)
    known = [row for row in rows if row["mean_change"] is not None]
    missing = [row for row in rows if row["mean_change"] is None]
    return sorted(known, key=lambda row: row["mean_change"], reverse=True) + missing


def _multi_rows(diagnosis: Diagnosis, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Rows of multi mode, by falling share of the range that edits take: raw weights of two attributes do not
    compare, since one may vary three times as far as the other."""
    attributes, records = diagnosis.attributes, diagnosis.records
    weights = np.array([record.edit_weights for record in records], dtype=np.float64)
    weights = weights.reshape(len(records), len(attributes))
    low, high = np.abs(diagnosis.ranges()).T
    shares = np.abs(weights) / np.where(weights < 0, low, high).clip(min=1e-12)
    raw = column_means(np.abs(weights))
    rows = []
    for index, measured in enumerate(_measured(shares, resamples, seed)):
        using = [record for record, used in zip(records, weights[:, index] != 0, strict=True) if used]
        rows.append(
            {
                "attribute": attributes[index],
                "mean_change": None,
                "ci95": None,
                "share": measured["share"],
                "first": measured["first"],
                "flip_rate": _mean(record.flipped for record in using),
                "decisive_flip_rate": _mean(diagnosis.is_decisive(record) for record in using),
                "label_kept": _mean(record.label_kept for record in using),
                "ssim": _mean(record.ssim for record in using if record.flipped),
                "range_share": measured["mean_change"],
                "range_share_ci95": measured["ci95"],
                "mean_abs_weight": _plain(raw[index]),
            }
        )
    return sorted(rows, key=lambda row: row["range_share"] or 0.0, reverse=True)


def _measured(values: Array, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Per column of `values` [I, A]: mean, interval, share of the means' sum, how often it comes first."""
    means = column_means(values)
    resampled = bootstrap_means(values, resamples=resamples, seed=seed)
    low, high = interval(resampled)
    first = share_first(resampled)
    total = float(np.nansum(means))
    enough = np.isfinite(values).sum(axis=0) >= 2
    return [
        {
            "mean_change": _plain(means[i]),
            "ci95": [float(low[i]), float(high[i])] if enough[i] else None,
            "share": (_plain(means[i]) or 0.0) / total if total > 0 else 0.0,
            "first": float(first[i]),
        }
        for i in range(values.shape[1])
    ]


def _matrix(records: Sequence[Record], columns: Sequence[int], width: int, values: Iterable[Any]) -> Array:
    """One value per record as float64 [I, width], a row per image; NaN where there is none."""
    row = {image: index for index, image in enumerate(sorted({record.image for record in records}))}
    matrix = np.full((len(row), width), np.nan)
    for record, column, value in zip(records, columns, values, strict=True):
        if value is not None:
            matrix[row[record.image], column] = value
    return matrix


def _mean(values: Iterable[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
