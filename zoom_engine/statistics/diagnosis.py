"""The result of an audit: its manifest and its records, and what these say about each attribute."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoom_engine.audit.folder import RECORDS, SUMMARY, AuditFolder, read_manifest
from zoom_engine.audit.manifest import Config, Manifest
from zoom_engine.audit.photographs_file import PHOTOGRAPHS
from zoom_engine.audit.records import Record, is_decisive, read_records, sort_key
from zoom_engine.audit.service_file import load_tries
from zoom_engine.audit.summary import Sensitivity, Summary
from zoom_engine.common.errors import AuditError, system_errors
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import Mode
from zoom_engine.statistics import views
from zoom_engine.statistics.summarise import summarise
from zoom_engine.statistics.table import summary_table
from zoom_engine.statistics.views import Counterfactual

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Diagnosis:
    """An audit's manifest and its records, sorted by (image, attribute).

    `null` are those of null directions, taken out of the `records` that were given; `path` is the audit folder it
    came from, if any; `tries` are those of a service, see `service_file`. Raises `AuditError` for a record of another
    audit.
    """

    manifest: Manifest
    records: tuple[Record, ...]
    path: Path | None = None
    null: tuple[Record, ...] = ()
    tries: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        every = sorted((*self.records, *self.null), key=sort_key)
        for record in every:
            try:
                self.config.check(record)
            except ValueError as error:
                raise AuditError(
                    f"the record of image {record.image}, attribute {record.unit[1]!r} is not of this audit ({error}):"
                    " run it again in a new folder"
                ) from None
        object.__setattr__(self, "records", tuple(record for record in every if record.null is None))
        object.__setattr__(self, "null", tuple(record for record in every if record.null is not None))

    def __repr__(self) -> str:
        images = len({record.image for record in self.records})
        return (
            f"Diagnosis(target={self.config.target!r}, mode={self.mode!r}, images={images}, units={len(self.records)},"
            f" path={None if self.path is None else str(self.path)!r})"
        )

    @classmethod
    def load(cls, path: str | Path) -> Diagnosis:
        """Read an audit folder, finished or not. Raises `AuditError`."""
        path = Path(path)
        manifest = read_manifest(path)
        with system_errors(AuditError, f"cannot read {path / RECORDS}"):
            records = read_records(path / RECORDS, manifest.config.check)
        return cls(manifest, tuple(records), path, tries=load_tries(path))

    def save(self, path: str | Path) -> Path:
        """Write manifest, records, summary and pictures as a new audit folder at `path`.

        Raises `AuditError` when `path` already holds something.
        """
        path = Path(path)
        with AuditFolder.create(path, self.manifest) as to:
            to.append((*self.records, *self.null))
            to.count(self.tries)
            if self.path is not None and (self.path / "gallery.json").is_file():
                to.write("gallery.json", (self.path / "gallery.json").read_bytes())
                if (self.path / PHOTOGRAPHS).is_file():
                    to.write(PHOTOGRAPHS, (self.path / PHOTOGRAPHS).read_bytes())
                shutil.copytree(self.path / "images", path / "images", dirs_exist_ok=True)
            to.finish(self.summary())
        return path

    @property
    def config(self) -> Config:
        """That of the manifest: what determines the records."""
        return self.manifest.config

    @property
    def mode(self) -> Mode:
        """ "single" (one attribute at a time) or "multi" (all together)."""
        return self.config.mode

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """In the order of the edit weights."""
        return self.config.attributes

    @property
    def sensitivity(self) -> tuple[Sensitivity, ...]:
        """Those of `summary()`, most sensitive first."""
        return self._summary.sensitivity

    def summary(self, *, resamples: int = 4000, seed: int = 0) -> Summary:
        """What the records add up to, see `summarise`."""
        if (resamples, seed) == (4000, 0):
            return self._summary
        found = summarise(self.config, (*self.records, *self.null), resamples=resamples, seed=seed)
        return replace(found, tries=self.tries or None)

    @property
    def goal(self) -> int | None:
        """After how many images the audit ends; where it finds that out itself, after how many it may end next. None
        where nothing says."""
        look = self._summary.look
        return self.config.images if look is None else look.planned[look.number - 1]

    @property
    def goes_on(self) -> bool:
        """The audit finds out itself how many images it takes, and is at no look that ends it."""
        return self._summary.look is not None and self._summary.look.ended is None

    @property
    def finished(self) -> bool:
        """It lies in a folder that a run has brought to its end."""
        return self.path is not None and (self.path / SUMMARY).is_file()

    @property
    def missing(self) -> int:
        """How many measurements of the audit have no record yet; 0 where it is whole."""
        images = self.goal or len({record.image for record in self.records})
        return sum(self.config.measurements(images)) - len(self.records) - len(self.null)

    def of(self, attribute: Attribute | None) -> Sequence[Record]:
        """The records of one attribute; those of multi mode are of None."""
        return self._by_attribute.get(None if attribute is None else attribute.text, ())

    @cached_property
    def _summary(self) -> Summary:
        return replace(summarise(self.config, (*self.records, *self.null)), tries=self.tries or None)

    @cached_property
    def _by_attribute(self) -> dict[str | None, list[Record]]:
        found: dict[str | None, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.attribute, []).append(record)
        return found

    def is_decisive(self, record: Record) -> bool:
        """Whether a record of this audit holds a decisive counterfactual, see `records.is_decisive`."""
        return is_decisive(record, least=self.config.decisive_change)

    def counterfactuals(self) -> list[Counterfactual]:
        """The pictures of the audit's folder as arrays, with what they stand for: typical ones first, extreme ones
        called so. Raises `AuditError` for an audit in memory."""
        return views.counterfactuals(self.path)

    def to_pandas(self, of: Literal["attributes", "records"] = "attributes") -> Any:
        """A `pandas.DataFrame` with a row for each attribute, or for each image and attribute, see `views`. Raises
        ConfigError where pandas is missing (`pip install "zoom-engine[tables]"`)."""
        if of == "attributes":
            return views.attribute_frame(self.config, self._summary)
        return views.record_frame(self.config, self.records)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Bars with intervals on the `axes` of matplotlib, see `views.plot`. Raises ConfigError where it is missing
        (`pip install "zoom-engine[plots]"`)."""
        return views.plot(self.config, self._summary, axes)

    def _repr_html_(self) -> str:
        return views.html_table(self.config, self._summary, self.missing)

    def table(self) -> str:
        """The summary as text of about 100 columns for a terminal, most sensitive attribute first."""
        return summary_table(self.summary(), title=self.config.target)
