"""The result of an audit: its manifest and records, and what they say about each attribute."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zoom_engine.audit.about import About
from zoom_engine.audit.copying import copy_pictures, remove_copy
from zoom_engine.audit.folder import RECORDS, SUMMARY, AuditFolder, read_manifest
from zoom_engine.audit.gallery_file import GALLERY
from zoom_engine.audit.manifest import Config, Manifest
from zoom_engine.audit.records import Record, is_decisive, read_records, sort_key
from zoom_engine.audit.service_file import load_tries
from zoom_engine.audit.summary import Sensitivity, Summary
from zoom_engine.common.errors import AuditError, system_errors
from zoom_engine.common.terminal import WIDTH
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import Mode
from zoom_engine.statistics import views
from zoom_engine.statistics.course import Course, course
from zoom_engine.statistics.summarise import summarise
from zoom_engine.statistics.table import summary_table
from zoom_engine.statistics.views import Counterfactual

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Diagnosis:
    """The manifest and the records of an audit, sorted by (image, attribute).

    Attributes:
        manifest: what determines the records, and where they were made.
        records: the records of the attributes. Records of random baseline directions that are given here move to
            `baseline`.
        path: the audit folder that it was read from, None for an audit in memory.
        baseline: the records of random baseline directions and of control prompts.
        tries: how many requests to a service ended in which way, see `service_file`.

    Raises:
        AuditError: a record belongs to another audit.
    """

    manifest: Manifest
    records: tuple[Record, ...]
    path: Path | None = None
    baseline: tuple[Record, ...] = ()
    tries: Mapping[str, int] = field(default_factory=dict)
    html_view: ClassVar[Callable[[Diagnosis], str] | None] = None
    """What makes the HTML for a notebook: `zoom_engine` and its report set it, without it there is the table alone."""

    def __post_init__(self) -> None:
        """Refuse records of another audit, sort the others, and separate those of random baseline directions."""
        all_records = sorted((*self.records, *self.baseline), key=sort_key)
        for record in all_records:
            try:
                self.config.check(record)
            except ValueError as error:
                raise AuditError(
                    f"the record of image {record.image}, attribute {record.trial[1]!r} is not of this audit ({error}):"
                    " run it again in a new folder"
                ) from None
        object.__setattr__(self, "records", tuple(record for record in all_records if record.baseline is None))
        object.__setattr__(self, "baseline", tuple(record for record in all_records if record.baseline is not None))

    def __repr__(self) -> str:
        """Return the target, the mode and the number of images and records in one line."""
        images = len({record.image for record in self.records})
        return (
            f"Diagnosis(target={self.config.target!r}, mode={self.mode!r}, images={images}, trials={len(self.records)},"
            f" path={None if self.path is None else str(self.path)!r})"
        )

    @classmethod
    def load(cls, path: str | Path) -> Diagnosis:
        """Read an audit folder, finished or not.

        Raises:
            AuditError: the folder holds no audit, or one that cannot be read.
        """
        path = Path(path)
        manifest = read_manifest(path)
        with system_errors(AuditError, f"cannot read {path / RECORDS}"):
            records = read_records(path / RECORDS, manifest.config.check)
        return cls(manifest, tuple(records), path, tries=load_tries(path))

    def save(self, path: str | Path) -> Path:
        """Write manifest, records, summary and pictures as a new audit folder at `path`, and return the path.

        Raises:
            AuditError: `path` already holds something, or cannot be written; or the pictures cannot be copied. What was
                made by then is removed.
        """
        path = Path(path)
        missing = [folder for folder in (path, *path.parents) if not os.path.exists(folder)]
        with AuditFolder.create(path, self.manifest) as to:
            made = os.stat(path)
            try:
                to.append((*self.records, *self.baseline))
                to.count(self.tries)
                if self.path is not None and (self.path / GALLERY).is_file():
                    copy_pictures(self.path, path)
                to.finish(self.summary())
            except BaseException:
                remove_copy(path, made, missing)
                raise
        return path

    @property
    def config(self) -> Config:
        """Return the config of the manifest: what determines the records."""
        return self.manifest.config

    @cached_property
    def about(self) -> About:
        """Return who answers for the model, what it is for, which it is, and which audit this is."""
        return About.of(self.manifest, self.path)

    @property
    def mode(self) -> Mode:
        """Return "single" (one attribute at a time) or "multi" (all together)."""
        return self.config.mode

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Return the attributes in the order of the edit weights."""
        return self.config.attributes

    @property
    def sensitivity(self) -> tuple[Sensitivity, ...]:
        """Return the rows of `summary()`, the most sensitive attribute first."""
        return self._summary.sensitivity

    def summary(self, *, resamples: int = 4000, seed: int = 0) -> Summary:
        """Return what the records add up to, see `summarise`."""
        if (resamples, seed) == (4000, 0):
            return self._summary
        return self._summarised(resamples=resamples, seed=seed)

    @cached_property
    def course(self) -> Course:
        """Return where the audit stands, see `course.Course`; only of a config that `has_course`."""
        return course(self.config, (*self.records, *self.baseline))

    @property
    def goal(self) -> int | None:
        """Return the number of images after which the audit ends, or at the analysis that comes next.

        None where nothing tells the number.
        """
        return self.config.images if self.config.interim_analyses is None else max(self.course.goals)

    @property
    def finished(self) -> bool:
        """Tell whether it was read from a folder whose run has come to its end, and lacks no record since."""
        return self.path is not None and (self.path / SUMMARY).is_file() and not self.missing

    @property
    def missing(self) -> int:
        """Return how many measurements of the audit have no record yet, as far as known; 0 for a complete audit."""
        if self.config.has_course:
            return self.course.missing
        images = self.goal or len({record.image for record in self.records})
        return sum(self.config.measurements(images)) - len(self.records) - len(self.baseline)

    def of(self, attribute: Attribute | None) -> Sequence[Record]:
        """Return the records of one attribute; None stands for all attributes together, as in multi mode."""
        return self._by_attribute.get(None if attribute is None else attribute.text, ())

    def edited(self, attribute: Attribute | None) -> Sequence[Record]:
        """Return the records of one attribute, as `of` does, whose picture was edited at all."""
        return [record for record in self.of(attribute) if record.was_edited]

    @property
    def not_edited(self) -> Mapping[str, int]:
        """Return in how many images the picture stayed as it was, by the attribute or control that was to edit it."""
        controls = () if self.config.edits is None else self.config.edits.controls
        return Counter(
            (record.attribute or "") if record.baseline is None else controls[record.baseline].name
            for record in (*self.records, *self.baseline)
            if not record.was_edited
        )

    @cached_property
    def _summary(self) -> Summary:
        return self._summarised()

    def _summarised(self, **drawn: int) -> Summary:
        """Summarise the records; `drawn` are options of `summarise`."""
        searched = self.manifest.searched
        return replace(
            summarise(self.config, (*self.records, *self.baseline), **drawn),
            tries=self.tries or None,
            trial_seconds=searched.seconds / searched.trials if searched and searched.trials else None,
        )

    @cached_property
    def _by_attribute(self) -> dict[str | None, list[Record]]:
        by_attribute: dict[str | None, list[Record]] = {}
        for record in self.records:
            by_attribute.setdefault(record.attribute, []).append(record)
        return by_attribute

    def is_decisive(self, record: Record) -> bool:
        """Tell whether a record of this audit holds a decisive counterfactual, see `records.is_decisive`."""
        return is_decisive(record, least=self.config.decisive_change)

    def counterfactuals(self) -> list[Counterfactual]:
        """Read the pictures of the audit folder as arrays: typical ones first, extreme ones marked as such.

        Raises:
            AuditError: the audit is in memory only, or its pictures cannot be read.
        """
        return views.counterfactuals(self.path)

    def to_pandas(self, of: Literal["attributes", "records"] = "attributes") -> Any:
        """Return a `pandas.DataFrame` with a row for each attribute, or for each image and attribute, see `views`.

        Raises:
            ConfigError: pandas is missing (`pip install "zoom-engine[tables]"`).
        """
        if of == "attributes":
            return views.attribute_frame(self.config, self._summary)
        return views.record_frame(self.config, self.records)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw bars with intervals on the `axes` of matplotlib, see `views.plot`.

        Raises:
            ConfigError: matplotlib is missing (`pip install "zoom-engine[plots]"`).
        """
        return views.plot(self.config, self._summary, axes)

    def _repr_html_(self) -> str:
        show = type(self).html_view
        return views.html_table(self.config, self._summary, self.missing) if show is None else show(self)

    def table(self, *, width: int = WIDTH, colors: bool = False) -> str:
        """Return the summary as text for a terminal of `width` columns, the most sensitive attribute first.

        A wider one shows more columns of the table. With `colors` verdicts are coloured, by ANSI codes.
        """
        return summary_table(self.summary(), title=self.config.target, width=width, colors=colors)
