"""`Record`: what an audit knows of one unit of work, and the line of records.jsonl that holds it.

Lines are strict JSON (no NaN), in the order of the fields, and end with a newline: a line without one never counted.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from zoom_engine.errors import AuditError

Unit = tuple[int, str | int | None]
"""An image, and an attribute's text, the number of a null direction, or None for all attributes together."""
_LEFT_OUT = frozenset(["null", "decisive", "natural", "bounds", "scores", "groups", "wordings", "paper", "calibrated"])
"""Of a line, where they are None."""
DECISIVE_CHANGE = 0.1
"""How far, in [0, 1], a flip must move the output to prove something: a step across the boundary may be as small as
rounding."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One point that a search tried: edit weights `[N]`, and what target and label check said there."""

    weights: tuple[float, ...]
    output: tuple[float, ...]
    change: float
    label_kept: bool | None
    ssim: float | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Within:
    """What was found within another range than the audit's own; `decisive` is None in records of older versions."""

    change: float
    flipped: bool
    decisive: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A finished unit: an image, and one attribute or None for all together, or one null direction.

    null: the number of the null direction, from 0, the audit's random ones before those of `Config.nothing`; all of
        them have edit_weights then, and attribute is None.
    seed: the generator's, of the image; of a photograph, a number of its pixels.
    edit_weights `[N]`, output, ssim: of one point: the counterfactual, else the point of largest change, see
        `zoom_engine.search.SearchResult` for these and for change, flipped, label_kept, flip_weight, steps,
        evaluations, stop and trajectory. Numbers are rounded to six digits.
    decisive: there is a decisive counterfactual; None in records of older versions, see `is_decisive`.
    bounds: single mode: the lowest and highest edit weight that the search could take; None in older records.
    scores: single mode, calibrated range: how far the edit to the bound that is not 0 moves the text scores of the N
        attributes, then of the labels, in natural ranges of each; None in older records and where it was not measured.
    groups: whether the unedited image has what each text of `Config.by` says; None where there is none.
    wordings: single mode: the change at the bound along the direction of each phrasing of the attribute, as far as its
        own; None where there is one alone.
    natural: multi mode: the edit stays within what the generator draws; None where that was not measured.
    paper, calibrated: within that range, where it is not the audit's own.
    """

    image: int
    seed: int
    attribute: str | None
    null: int | None = None
    edit_weights: tuple[float, ...]
    original_output: tuple[float, ...]
    output: tuple[float, ...]
    change: float
    flipped: bool
    decisive: bool | None = None
    label_kept: bool | None
    ssim: float | None
    flip_weight: float | None = None
    steps: int = 0
    evaluations: int = 0
    stop: str = ""
    trajectory: tuple[Point, ...] = ()
    natural: bool | None = None
    bounds: tuple[float, float] | None = None
    scores: tuple[float, ...] | None = None
    groups: tuple[bool, ...] | None = None
    wordings: tuple[float, ...] | None = None
    paper: Within | None = None
    calibrated: Within | None = None

    @property
    def unit(self) -> Unit:
        """What the record belongs to."""
        return self.image, self.attribute if self.null is None else self.null

    def within(self, name: str) -> Within | None:
        """What was found within the range of that name, "paper" or "calibrated"."""
        return {"paper": self.paper, "calibrated": self.calibrated}[name]

    def to_json(self) -> dict[str, Any]:
        """The record as its line holds it; what was not measured is left out."""
        values = _plain(self)
        values["trajectory"] = [_plain(point) for point in self.trajectory]
        for name in {"paper", "calibrated"} & values.keys():
            values[name] = _plain(values[name])
        return values

    @classmethod
    def from_json(cls, line: Any) -> Record:
        """The record of a parsed line; names that this version does not know are left out.

        Raises TypeError or ValueError for what is no record.
        """
        if not isinstance(line, dict):
            raise TypeError("not an object")
        image, attribute = line.get("image"), line.get("attribute", 0)
        if not isinstance(image, int) or isinstance(image, bool) or not isinstance(attribute, str | None):
            raise TypeError("no image number or no attribute")
        null = line.get("null")
        if null is not None and (not isinstance(null, int) or isinstance(null, bool) or null < 0 or attribute):
            raise TypeError("no number of a random direction, or one beside an attribute")
        values = _known(cls, line)
        for name in ("edit_weights", "original_output", "output"):
            values[name] = _numbers(values, name)
        if values.get("bounds") is not None:
            low, high = _numbers(values, "bounds")
            values["bounds"] = (low, high)
        for name in ("scores", "wordings"):
            if values.get(name) is not None:
                values[name] = _numbers(values, name)
        if values.get("groups") is not None:
            values["groups"] = _booleans(values["groups"])
        values["trajectory"] = tuple(_point(point) for point in values.get("trajectory") or ())
        for name in ("paper", "calibrated"):
            if values.get(name) is not None:
                values[name] = Within(**_known(Within, values[name]))
        return cls(**values)


def _plain(value: Record | Point | Within) -> dict[str, Any]:
    values = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: one for name, one in values.items() if one is not None or name not in _LEFT_OUT}


def _known(of: type, line: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the fields of ``of``. Raises ValueError for one that is missing."""
    values = {field.name: line[field.name] for field in dataclasses.fields(of) if field.name in line}
    for field in dataclasses.fields(of):
        if field.name not in values and field.default is dataclasses.MISSING:
            raise ValueError(f"no '{field.name}'")
    return values


def _point(line: Mapping[str, Any]) -> Point:
    values = _known(Point, line)
    return Point(**{**values, **{name: _numbers(values, name) for name in ("weights", "output")}})


def _numbers(values: Mapping[str, Any], name: str) -> tuple[float, ...]:
    found = values[name]
    if not isinstance(found, list) or not all(isinstance(one, int | float) for one in found):
        raise TypeError(f"'{name}' is no list of numbers")
    return tuple(found)


def _booleans(found: Any) -> tuple[bool, ...]:
    if not isinstance(found, list) or not all(isinstance(one, bool) for one in found):
        raise TypeError("'groups' is no list of true and false")
    return tuple(found)


def sort_key(record: Record) -> tuple[int, str, int]:
    """Orders records the same way whatever order they were finished in."""
    return record.image, record.attribute or "", -1 if record.null is None else record.null


def is_natural(record: Record) -> bool:
    """Whether the edit leads no further than what the generator draws, as far as that was measured: a flip out there
    proves nothing."""
    return record.natural is not False


def is_decisive(record: Record, *, least: float = DECISIVE_CHANGE) -> bool:
    """Whether the record holds a natural counterfactual whose output moved by at least `least`.

    Records of older versions do not say so: there the change at the one counterfactual that they hold counts.
    """
    if not is_natural(record):
        return False
    if record.decisive is not None:
        return record.decisive
    there = (point.change for point in record.trajectory if point.weights == record.edit_weights)
    return record.flipped and next(there, record.change) >= least


def to_line(record: Record) -> bytes:
    """The record as one line of JSON. Raises `AuditError` for NaN, infinity and what JSON cannot hold."""
    try:
        text = json.dumps(record.to_json(), allow_nan=False, separators=(",", ":"))
        Record.from_json(json.loads(text))
    except (ValueError, TypeError) as error:
        unit = f"image {record.image}, attribute {record.unit[1]!r}"
        raise AuditError(f"the record of {unit} cannot be written: {error}") from None
    return text.encode("ascii") + b"\n"


def scan(path: Path) -> Iterator[tuple[Record, int]]:
    """Every complete record of a records.jsonl with the byte offset where its line ends, in file order.

    An incomplete last line is left out. Raises `AuditError` that names the line for a damaged or a repeated
    record, `OSError` when the file cannot be read.
    """
    stop = 0
    seen: dict[Unit, int] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                return
            stop += len(raw)
            try:
                record = Record.from_json(json.loads(raw, parse_constant=_refuse_constant))
            except (ValueError, TypeError) as error:
                raise AuditError(
                    f"{path}, line {number} is damaged ({error}): delete it and run again to redo its unit"
                ) from None
            first = seen.setdefault(record.unit, number)
            if first != number:
                raise AuditError(f"{path}, line {number} repeats the unit of line {first}: delete one of the two lines")
            yield record, stop


def read_records(path: Path) -> list[Record]:
    """The complete records of a records.jsonl, sorted; for readers: takes no lock and changes nothing.

    Raises as `scan`.
    """
    return sorted((record for record, _ in scan(path)), key=sort_key)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
