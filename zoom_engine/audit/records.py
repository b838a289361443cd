"""`Record`: the result of one trial, and the line of records.jsonl that holds it.

Lines are strict JSON (no NaN), in the order of the fields, and end with a newline: a line without one never counted.
Folders come from other people too. So a line that no run can have written is refused, both when it is read and when a
run would write it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zoom_engine.common.errors import AuditError, one_line
from zoom_engine.common.files.json_file import opened, parse_json
from zoom_engine.common.json_object import Count, Interval, read_as, shown
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE

TrialKey = tuple[int, str | int | None]
"""A trial: an image, and an attribute's text, the number of a random baseline direction, or None for all attributes."""
_LEFT_OUT = frozenset(
    ["baseline", "decisive", "natural", "bounds", "scores", "groups", "paraphrases", "paper", "calibrated"]
)
"""The fields that a line leaves out where they are None."""
WEIGHT_SLACK = 1e-5
"""How far recorded edit weights may lie beside bounds that they reached: they are rounded."""
LONGEST_LINE = 1 << 26
"""In bytes: enough for 1,000 points of 6,000 numbers each."""
NOT_EDITED = "not edited"
"""`Record.stop` of an edit from elsewhere that was not made, by the pixels or a mark: it says nothing of the target."""
ROUNDING = 1e-4
"""How far numbers of six digits may be from the limit that they were held to."""
_LARGEST = 3.5e38
"""The largest float32, since all measurements are float32."""
_Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST, description="a number of at most 3.5e38")]
_Change = Annotated[float, Meta(ge=-ROUNDING, le=1 + ROUNDING, description="a number in [0, 1]")]
_Ssim = Annotated[float, Meta(ge=-1 - ROUNDING, le=1 + ROUNDING, description="a number in [-1, 1]")]
_Distance = Annotated[float, Meta(ge=-ROUNDING, le=_LARGEST, description="a number in [0, 3.5e38]")]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A point that a search evaluated: edit weights `[N]`, and what target and label check said there."""

    weights: tuple[_Number, ...]
    output: tuple[_Number, ...]
    change: _Change
    label_kept: bool | None
    ssim: _Ssim | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Within:
    """The result within another range than the audit's own; `decisive` is None in records of older versions."""

    change: _Change
    flipped: bool
    decisive: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """The result of one trial: an image, and one attribute, all attributes together, or one random baseline direction.

    Attributes:
        image: its number.
        seed: the generator's, of the image; for a photograph a number made from its pixels.
        attribute: its text; None for all together, and for a random baseline direction.
        baseline: the number of the baseline direction, from 0: the random ones, then those of control prompts
            (`Config.control_prompts`). `edit_weights` then has one number for each of these directions.
        edit_weights: `[N]`, at the counterfactual, or else of the point of largest change. For this point and for
            change, flipped, label_kept, flip_weight, steps, evaluations, stop and trajectory see
            `zoom_engine.search.SearchResult`. Numbers are rounded to six digits.
        original_output: the target's, for the unedited image.
        output: at the same point as the edit weights.
        change: of the output, in [0, 1].
        flipped: whether there is a counterfactual.
        decisive: whether there is a decisive counterfactual; None in records of older versions, see `is_decisive`.
        label_kept: whether the label check passes; None without labels.
        ssim: structural similarity at the same point; None where it was not measured.
        flip_weight: where the prediction flips.
        steps: of the search.
        evaluations: pictures that the search evaluated.
        stop: why the search ended.
        trajectory: the evaluated points.
        natural: multi mode: whether the edit stays within what the generator draws; None where that was not measured.
        bounds: single mode: the lowest and highest edit weight that the search could take; None in older records.
        scores: single mode, calibrated range: how far the edit to the bound that is not 0 moves the text scores of the
            N attributes, then of the L labels, in natural ranges of each; None in older records and where it was not
            measured.
        groups: whether the unedited image has what each text of `Config.by` says; None without such texts.
        paraphrases: single mode: the change at the bound along the direction of each paraphrase of the attribute,
            followed as far as its own direction, or as near to it as the label is kept; None where there is only one.
        paper: the result within the paper's range, where it is not the audit's own.
        calibrated: the result within the calibrated range, where it is not the audit's own.
    """

    image: Count
    seed: Count
    attribute: str | None
    baseline: Count | None = None
    edit_weights: tuple[_Number, ...]
    original_output: tuple[_Number, ...]
    output: tuple[_Number, ...]
    change: _Change
    flipped: bool
    decisive: bool | None = None
    label_kept: bool | None
    ssim: _Ssim | None
    flip_weight: _Distance | None = None
    steps: Count = 0
    evaluations: Count = 0
    stop: str = ""
    trajectory: tuple[Point, ...] = ()
    natural: bool | None = None
    bounds: Interval | None = None
    scores: tuple[_Number, ...] | None = None
    groups: tuple[bool, ...] | None = None
    paraphrases: tuple[_Number, ...] | None = None
    paper: Within | None = None
    calibrated: Within | None = None

    @property
    def trial(self) -> TrialKey:
        """Return the trial that the record belongs to."""
        return self.image, self.attribute if self.baseline is None else self.baseline

    @property
    def was_edited(self) -> bool:
        """Tell whether the picture was edited at all."""
        return self.stop != NOT_EDITED

    def counted(self, column: int, *, otherwise: Interval = (-math.inf, math.inf)) -> list[Point]:
        """Return the points that keep the label, within the bounds of the search of this attribute or direction.

        Older records have no bounds: theirs are `otherwise`.
        """
        low, high = self.bounds or otherwise
        return [
            point
            for point in self.trajectory
            if point.label_kept is not False and low - WEIGHT_SLACK <= point.weights[column] <= high + WEIGHT_SLACK
        ]

    def within(self, name: str) -> Within | None:
        """Return the result within the range of that name, "paper" or "calibrated"."""
        return {"paper": self.paper, "calibrated": self.calibrated}[name]

    def to_json(self) -> dict[str, Any]:
        """Return the record as its line holds it; what was not measured is left out."""
        values = _plain(self)
        values["trajectory"] = [_plain(point) for point in self.trajectory]
        for name in {"paper", "calibrated"} & values.keys():
            values[name] = _plain(values[name])
        return values

    @classmethod
    def from_json(cls, line: object) -> Record:
        """Check a parsed line and return its record; names that this version does not know are left out.

        What depends on the settings is checked by `Config.check`.

        Raises:
            ValueError: it is no record, or no search finds it: numbers out of their range, flips that contradict each
                other.
        """
        return _consistent(read_as(cls, line))


_LINE = msgspec.json.Decoder(Record)


def _from_line(line: bytes) -> Record:
    """Return the record of a line; what is wrong with it the slower way says in our words."""
    try:
        return _consistent(_LINE.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Record.from_json(parse_json(line))


def _consistent(record: Record) -> Record:
    """Return the record, unless its parts contradict each other."""
    if record.baseline is not None and record.attribute:
        raise ValueError("the number of a random direction stands beside an attribute")
    if record.flip_weight is not None and not record.flipped:
        raise ValueError("'flip_weight' is told of what does not flip")
    if any(
        within is not None and within.decisive and not within.flipped
        for within in (record, record.paper, record.calibrated)
    ):
        raise ValueError("'decisive' is true of what does not flip")
    if record.bounds is not None and record.bounds[0] > record.bounds[1]:
        raise ValueError(f"bounds must be [low, high], not {shown(record.bounds)}")
    outputs, weights = len(record.original_output), len(record.edit_weights)
    if not outputs:
        raise ValueError("it has no output")
    if len(record.output) != outputs or any(len(point.output) != outputs for point in record.trajectory):
        raise ValueError("its outputs are of several lengths")
    if any(len(point.weights) != weights for point in record.trajectory):
        raise ValueError("its edit weights are of several lengths")
    return record


def _plain(value: Record | Point | Within) -> dict[str, Any]:
    values = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: one for name, one in values.items() if one is not None or name not in _LEFT_OUT}


def sort_key(record: Record) -> tuple[int, str, int]:
    """Return a key that sorts records the same way whatever order they were finished in."""
    return record.image, record.attribute or "", -1 if record.baseline is None else record.baseline


def is_natural(record: Record) -> bool:
    """Tell whether the edit stays within what the generator draws, as far as that was measured.

    A flip out there proves nothing.
    """
    return record.natural is not False


def is_decisive(record: Record, *, least: float = DECISIVE_CHANGE) -> bool:
    """Tell whether the record holds a natural counterfactual whose output moved by at least `least`.

    Records of older versions do not say so: there the change at the one counterfactual that they hold counts.
    """
    if not is_natural(record):
        return False
    if record.decisive is not None:
        return record.decisive
    changes_there = (point.change for point in record.trajectory if point.weights == record.edit_weights)
    return record.flipped and next(changes_there, record.change) >= least


def to_line(record: Record) -> bytes:
    """Return the record as one line of JSON.

    Raises:
        AuditError: it holds NaN, infinity, or what JSON cannot hold.
    """
    try:
        text = json.dumps(record.to_json(), allow_nan=False, separators=(",", ":"))
        _from_line(text.encode("ascii"))
    except (ValueError, TypeError) as error:
        trial = f"image {record.image}, attribute {record.trial[1]!r}"
        raise AuditError(f"the record of {trial} cannot be written: {error}") from None
    return text.encode("ascii") + b"\n"


def scan(path: Path, check: Callable[[Record], None] = lambda _: None) -> Iterator[tuple[Record, int]]:
    """Yield every complete record of a records.jsonl in file order, with the byte offset where its line ends.

    An incomplete last line is left out.

    Raises:
        AuditError: a record is damaged or repeated, or `check` refuses it by a ValueError; the line is named.
        OSError: the file cannot be read.
    """
    stop = 0
    seen: dict[TrialKey, int] = {}
    with opened(path) as file:
        for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            if not raw.endswith(b"\n") and len(raw) < LONGEST_LINE:
                return
            stop += len(raw)
            try:
                if not raw.endswith(b"\n"):
                    raise ValueError(f"it has more than {LONGEST_LINE >> 20} MB")
                record = _from_line(raw)
                check(record)
            except (ValueError, TypeError) as error:
                raise AuditError(
                    f"{path}, line {number} is damaged ({one_line(error)}): delete it and run again to redo its trial"
                ) from None
            first = seen.setdefault(record.trial, number)
            if first != number:
                raise AuditError(
                    f"{path}, line {number} repeats the trial of line {first}: delete one of the two lines"
                )
            yield record, stop


def read_records(path: Path, check: Callable[[Record], None] = lambda _: None) -> list[Record]:
    """Return the complete records of a records.jsonl, sorted, without a lock and without a change to the folder.

    Takes and raises the same as `scan`.
    """
    return sorted((record for record, _ in scan(path, check)), key=sort_key)
