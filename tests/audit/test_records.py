"""A record comes back from its line, with and without what older versions did not keep."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from audits import single

from zoom_engine.audit.records import Record, to_line
from zoom_engine.errors import AuditError


def test_a_record_comes_back_from_its_line() -> None:
    record = single(3, 1)
    assert record.bounds is None
    assert b"bounds" not in to_line(record)
    for one in (record, replace(record, bounds=(-12.5, 3.0), natural=True)):
        assert Record.from_json(json.loads(to_line(one))) == one


@pytest.mark.parametrize("bounds", [[1.0], [0.0, 1.0, 2.0], ["a", "b"], 3.0])
def test_bounds_that_are_none_are_refused(bounds: object) -> None:
    line = {**single(3, 1).to_json(), "bounds": bounds}
    with pytest.raises((TypeError, ValueError)):
        Record.from_json(line)
    with pytest.raises(AuditError, match="cannot be written"):
        to_line(replace(single(3, 1), bounds=(float("nan"), 1.0)))


def test_random_directions_are_told_from_attributes() -> None:
    record = replace(single(3, 1), attribute=None, null=0)
    assert Record.from_json(json.loads(to_line(record))) == record
    assert record.unit == (3, 0)
    assert b'null":' not in to_line(single(3, 1)).replace(b":null", b"")
    for wrong in ({"null": -1}, {"null": True}, {"null": "1"}, {"attribute": "a smiling face"}):
        with pytest.raises(TypeError, match="random direction"):
            Record.from_json({**record.to_json(), **wrong})
