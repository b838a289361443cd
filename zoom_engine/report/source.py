"""An audit folder, finished or not, with what its records add up to: what report and index are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePath

from zoom_engine.audit.about import About
from zoom_engine.audit.folder import RECORDS
from zoom_engine.audit.gallery_file import Gallery, StripEntry
from zoom_engine.audit.gate_file import GateResult, read_gate
from zoom_engine.audit.manifest import Edit, Manifest
from zoom_engine.audit.records import Point, Record
from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError, TargetError, one_line
from zoom_engine.common.plurals import number_of
from zoom_engine.report import sentences
from zoom_engine.report.curves import Side, sides
from zoom_engine.report.first_screen import FirstScreen, first_screen
from zoom_engine.report.pictures import Budget
from zoom_engine.report.provenance import File, files
from zoom_engine.report.strips import Strip, load_frames
from zoom_engine.report.verdicts import amount, foremost
from zoom_engine.settings.attributes import Attribute, short_names
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import Beside, beside
from zoom_engine.targets import BinaryTask, MultiClassTask, Task, TaskView, task_from_dict


class Source:
    """An audit folder, finished or not, with what its records add up to.

    Raises:
        AuditError: something in the folder cannot be read.
    """

    def __init__(self, audit: Path | None, diagnosis: Diagnosis | None = None) -> None:
        """Read the folder, whose records may have been read as a `diagnosis`; without a folder there are no pictures.

        One of the two is needed.
        """
        self.audit = audit or Path()
        self.diagnosis = Diagnosis.load(self.audit) if diagnosis is None else diagnosis
        self.summary = self.diagnosis.summary()
        self.config = self.diagnosis.config
        self.target = self.config.target or "the model"
        self.names = short_names(self.diagnosis.attributes, self.config.neutral)
        self.view = task_of(self.diagnosis.manifest, self.diagnosis.records).view
        counted = audit is None or self.diagnosis.goal is not None  # else nothing but the run's end tells it
        self.finished = not self.diagnosis.missing if counted else self.diagnosis.finished
        gallery, order = Gallery() if audit is None else Gallery.load(audit), self.order
        self.pictures = gallery.pictures
        self.strips = [strip for strip in gallery.strips if strip.attribute in (None, *order)]
        known = (sheet for sheet in gallery.sheets if sheet.attribute in order)
        self.sheets = sorted(known, key=lambda sheet: order.index(sheet.attribute))

    @cached_property
    def order(self) -> list[Attribute]:
        """Return the attributes, most sensitive first."""
        return [row.attribute for row in self.summary.sensitivity]

    def sides(self, attribute: Attribute) -> tuple[Side, Side]:
        """Return what removing and adding the attribute does; of no images in multi mode, where none moves alone."""
        diagnosis = self.diagnosis
        if diagnosis.mode == "multi":
            return Side(()), Side(())
        column = diagnosis.attributes.index(attribute)
        return sides(diagnosis.edited(attribute), column, self.view, self.config.ranges[column])

    @cached_property
    def counts(self) -> dict[Attribute | None, Counts]:
        """Return the counts of images under None whatever the attribute, and in single mode for each attribute too."""
        diagnosis, least = self.diagnosis, self.config.decisive_change
        attributes = () if diagnosis.mode == "multi" else diagnosis.attributes
        counts: dict[Attribute | None, Counts] = {None: Counts.of(diagnosis.records, least=least)}
        return counts | {attribute: Counts.of(diagnosis.of(attribute), least=least) for attribute in attributes}

    @property
    def not_edited(self) -> dict[str, int]:
        """Return in how many images the picture stayed as it was, by the name of what was to edit it."""
        names, counts = {attribute.text: self.names[attribute] for attribute in self.order}, self.diagnosis.not_edited
        return {names.get(text, text): counts[text] for text in dict.fromkeys([*names, *counts]) if text in counts}

    @property
    def expected(self) -> int | None:
        """Return how many measurements the finished audit has, None where the manifest does not say."""
        return None if self.diagnosis.goal is None else self.done + self.diagnosis.missing

    @property
    def done(self) -> int:
        """Return how many measurements there are."""
        return self.summary.trials + len(self.diagnosis.baseline)

    @property
    def progress(self) -> str:
        """Say how far an unfinished audit is."""
        if self.expected is None:
            return number_of(self.done, "measurement")
        return f"{self.done} of {number_of(self.expected, 'measurement')}"

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Return the files that lie beside the report."""
        return files(self.audit)

    @property
    def records_hash(self) -> str:
        """Return the SHA-256 of the records' file, hex: the data that a signature refers to."""
        return next(file.sha256 for file in self.files if file.name == RECORDS)

    @property
    def foot(self) -> str:
        """Return what stands at the foot of each printed page, of characters that cannot end a text of the style."""
        parts = {
            "Audit": self.about.audit_id,
            "model": self.about.model_hash or "without a hash",
            "begun": self.about.date or "on an unknown day",
        }
        return " · ".join(f"{name} {re.sub(r'[^0-9A-Za-z -]', '', text)}" for name, text in parts.items())

    @property
    def about(self) -> About:
        """Return who answers for the model, what it is for, which it is, and which audit this is."""
        return self.diagnosis.about

    @cached_property
    def gate(self) -> GateResult | None:
        """Return the outcome of the gate that the audit was held to last, see `gate_file`; None without one."""
        return None if self.diagnosis.path is None else read_gate(self.audit)

    @cached_property
    def first_screen(self) -> FirstScreen:
        """Return headline, certainty and next step, see `first_screen`."""
        progress = None if self.finished else self.progress
        return first_screen(self.summary, self.config, self.names, self.counts, self.view, progress=progress)

    @property
    def measurement(self) -> str:
        """Say what of the model was measured, on what, under which edits."""
        return sentences.measurement(self.summary, self.config, self.view)

    @property
    def verdict(self) -> sentences.Verdict:
        """Say how far the first place can be trusted, see `sentences.certainty`."""
        return sentences.certainty(self.summary, self.names, self.view, unfinished=not self.finished)

    def amount(self, change: float) -> str:
        """Say a limit in the unit of the task, see `verdicts.amount`."""
        return amount(self.view, change)

    @property
    def beside(self) -> Beside:
        """Return the words for what attributes are compared with."""
        return beside(self.summary)

    @property
    def pictures_shown(self) -> str:
        """Say how many pictures the model was shown, who edited them and where they were named.

        It is of an audit of edits from elsewhere; "" in others.
        """
        edits, diagnosis = self.config.edits, self.diagnosis
        if edits is None:
            return ""
        edited = sum(record.evaluations for record in (*diagnosis.records, *diagnosis.baseline))
        table = diagnosis.manifest.environment.get("pairs")
        named = f" ({one_line(PurePath(table).name, 80)})" if isinstance(table, str) else ""
        of = f"{number_of(edited, 'edited picture')} of {number_of(self.summary.images, 'image')}"
        return f"{sentences.made_by(edits)}{named}: {of}"

    def first_strip(self, attribute: Attribute) -> StripEntry | None:
        """Return the strip that stands for an attribute: its first one, in multi mode the first of all."""
        return next((strip for strip in self.strips if strip.attribute in (None, attribute)), None)

    @property
    def leading(self) -> Attribute | None:
        """Return the attribute that the headline names first, or else the one that moves the output most."""
        first = foremost(self.summary)
        return None if first is None else first.attribute

    @property
    def proof(self) -> StripEntry | None:
        """Return the strip of the leading attribute's clearest decisive flip, or its first where nothing flips so."""
        attribute = self.leading
        if attribute is None:
            return None
        flipping = [strip for strip in self.strips if strip.attribute in (None, attribute) and strip.decisive]
        return max(flipping, key=_clearness, default=self.first_strip(attribute))

    def load(self, strip: StripEntry, budget: Budget, *, ends: bool = False, flips_said: bool = False) -> Strip:
        """Load a strip with its pictures.

        Args:
            strip: of gallery.json.
            budget: of bytes.
            ends: only the original and the picture that it is shown for, beside the first screen.
            flips_said: something beside it says how many images flip, as the first screen may.
        """
        name = "all attributes together" if strip.attribute is None else self.names[strip.attribute]
        counts = self.counts.get(strip.attribute, self.counts[None])
        of_first = ends and self.first_screen.tells_flips and strip.attribute in (None, self.leading)
        strip_note = sentences.strip_note(
            strip,
            counts,
            self._alike(strip),
            self.view,
            least=self.config.decisive_change,
            flips_said=flips_said or of_first,
        )
        edit, record = self.edit_of(strip.attribute), self._record(strip)
        image, bounds = (None, None) if record is None else (record.image, record.bounds)
        frames = load_frames(
            self.audit,
            strip,
            name=name,
            caption_label=self.view.caption_label,
            budget=budget,
            ends=ends,
            edit=edit,
        )
        return Strip(
            number=next(number for number, one in enumerate(self.strips) if one is strip),
            attribute=None if strip.attribute is None else self.order.index(strip.attribute),
            name=name,
            edit=sentences.edit_in_words(strip, name, bounds=bounds, edit=edit),
            image=image,
            source=sentences.image_in_words(self.config, image, strip.seed),
            label_kept=strip.label_kept,
            ssim=strip.ssim,
            note=strip_note,
            kind="extreme" if strip.extreme else strip.kind or "example",
            way=sentences.way(strip, edit),
            flips_at=sentences.flips_at(strip),
            shown=1 if ends else len(strip.way) - 1,
            frames=frames,
            scale="weight" if edit is None else "strength",
        )

    def edit_of(self, attribute: Attribute | None) -> Edit | None:
        """Return the edit of an attribute, of an audit of edits from elsewhere; None in others."""
        edits = self.config.edits
        if edits is None or attribute is None:
            return None
        return edits.attributes[self.diagnosis.attributes.index(attribute)]

    @property
    def verbs(self) -> tuple[str, str]:
        """Return what an edit to each side of 0 does, in words."""
        return sentences.ADDING if self.config.edits is None else sentences.STRENGTHENING

    @property
    def meaning(self) -> Iterator[str]:
        """Yield what the effect of the leading attribute means in the task's own words, as sentences."""
        row = next((row for row in self.summary.sensitivity if row.attribute == self.leading), None)
        if row is None or row.value is None or row.mode == "multi":
            return
        yield sentences.sentence(self.view.mean_in_words(row.value))
        column = self.diagnosis.attributes.index(row.attribute)
        judged = [self._judged(record, column) for record in self.diagnosis.edited(row.attribute)]
        if extent := self.view.extent_in_words(judged):
            yield sentences.sentence(extent)

    def _judged(self, record: Record, column: int) -> tuple[Sequence[float], Sequence[float]]:
        """Return what was recorded at the point that the effect is judged by, and of the unedited image."""

        def far(point: Point) -> float:
            return abs(point.weights[column]) if self.summary.is_judged_at_end else point.change

        judged = max(record.counted(column), key=far, default=None)
        return record.output if judged is None else judged.output, record.original_output

    def _record(self, strip: StripEntry) -> Record | None:
        """Return the record of a strip; None where the records, of an audit that goes on, do not hold it."""
        return next((record for record in self.diagnosis.of(strip.attribute) if record.seed == strip.seed), None)

    def _alike(self, strip: StripEntry) -> int:
        """Return how many images flip decisively as the strip's does."""
        return sum(
            self.diagnosis.is_decisive(record) and direction_of(record, record.output, self.view) == strip.direction
            for record in self.diagnosis.of(strip.attribute)
        )


def _clearness(strip: StripEntry) -> tuple[bool, bool, float]:
    """Return by what flips are ordered: chosen as the clearest, as a flip, and how far the output moves."""
    before, after = strip.frames[0].followed, strip.way[-1].followed
    moved = 0.0 if before is None or after is None else abs(after - before)
    return strip.kind == "clearest", strip.kind == "flip", moved


def task_of(manifest: Manifest, records: Sequence[Record]) -> Task:
    """Return the task of an audited target.

    Where the manifest does not describe it the recorded outputs tell: one number is a probability, several are those of
    classes.

    Raises:
        AuditError: the task is not known here; the message names the package that brought it, where the manifest does.
    """
    task = manifest.config.task
    try:
        if task:
            return task_from_dict(task)
    except TargetError as error:
        package = manifest.brought_by.get(f"task {(task or {}).get('task')}")
        install = f"; it came with {package}: {registry.how_to_install(package)}" if package else ""
        raise AuditError(f"the audit's outputs cannot be read: {error}{install}") from error
    count = len(records[0].original_output) if records else 1
    return BinaryTask() if count == 1 else MultiClassTask(classes=tuple(map(str, range(count))))


def direction_of(record: Record, output: Sequence[float], view: TaskView) -> tuple[int, int]:
    """Return the states of the record's unedited image and of `output`."""
    original = record.original_output
    return view.state(original, original), view.state(output, original)
