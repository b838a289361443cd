"""One line of records.jsonl: how a finished unit of work is written and read back.

A record is a dict with at least `image` (int) and `attribute` (str, or None for "all attributes together");
the pair names its unit. Lines are strict JSON (no NaN) and end with a newline: a line without one never
counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from zoom_engine.errors import AuditError

Record = dict[str, Any]
Unit = tuple[int, str | None]
DECISIVE_CHANGE = 0.1
"""How far, in [0, 1], a flip must move the output to prove something: a step across the boundary may be as small as
rounding."""


def unit_of(record: Record) -> Unit:
    """The unit that a record belongs to: (image, attribute), attribute None in multi-attribute mode."""
    return record["image"], record["attribute"]


def sort_key(record: Record) -> tuple[int, str]:
    """Orders records the same way whatever order they were finished in."""
    return record["image"], record["attribute"] or ""


def is_natural(record: Record) -> bool:
    """Whether the edit leads no further than what the generator draws, as far as that was measured: a flip out there
    proves nothing."""
    return record.get("natural") is not False


def is_decisive(record: Record, *, least: float = DECISIVE_CHANGE) -> bool:
    """Whether the record holds a natural counterfactual whose output moved by at least `least`.

    Records of older versions do not say so: there the one counterfactual that they hold is measured.
    """
    if not is_natural(record):
        return False
    if "decisive" in record:
        return bool(record["decisive"])
    return bool(record["flipped"]) and output_change(record["output"], record["original_output"]) >= least


def output_change(output: Sequence[float], original: Sequence[float]) -> float:
    """The task's |f(x̂) - f(x)| in [0, 1] of recorded outputs: of one probability its difference, of several classes
    half the sum of the differences (total variation distance)."""
    moved = [abs(a - b) for a, b in zip(output, original, strict=True)]
    return moved[0] if len(moved) == 1 else sum(moved) / 2


def to_line(record: Record) -> bytes:
    """The record as one line of JSON. Raises `AuditError` for NaN, infinity and what JSON cannot hold."""
    try:
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
        _check(json.loads(text))
    except (ValueError, TypeError) as error:
        unit = f"image {record.get('image')}, attribute {record.get('attribute')!r}"
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
                record = json.loads(raw, parse_constant=_refuse_constant)
                _check(record)
            except (ValueError, TypeError) as error:
                raise AuditError(
                    f"{path}, line {number} is damaged ({error}): delete it and run again to redo its unit"
                ) from None
            first = seen.setdefault(unit_of(record), number)
            if first != number:
                raise AuditError(f"{path}, line {number} repeats the unit of line {first}: delete one of the two lines")
            yield record, stop


def read_records(path: Path) -> list[Record]:
    """The complete records of a records.jsonl, sorted; for readers: takes no lock and changes nothing.

    Raises as `scan`.
    """
    return sorted((record for record, _ in scan(path)), key=sort_key)


def _check(record: Any) -> None:
    if not isinstance(record, dict):
        raise TypeError("not an object")
    image, attribute = record.get("image"), record.get("attribute", 0)
    if not isinstance(image, int) or isinstance(image, bool) or not isinstance(attribute, str | None):
        raise TypeError("no image number or no attribute")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
