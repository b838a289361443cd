"""A record comes back from its line, with and without what older versions did not keep."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audits import single

from zoom_engine.audit.records import Record, read_records, to_line
from zoom_engine.common.errors import AuditError


def test_a_record_comes_back_from_its_line() -> None:
    record = single(3, 1)
    assert record.bounds is None
    assert b"bounds" not in to_line(record)
    for one in (record, replace(record, bounds=(-12.5, 3.0), natural=True)):
        assert Record.from_json(json.loads(to_line(one))) == one


@pytest.mark.parametrize("bounds", [[1.0], [0.0, 1.0, 2.0], ["a", "b"], 3.0])
def test_bounds_that_are_none_are_refused(bounds: object) -> None:
    line = {**single(3, 1).to_json(), "bounds": bounds}
    with pytest.raises(ValueError, match="bounds must be"):
        Record.from_json(line)
    with pytest.raises(AuditError, match="cannot be written"):
        to_line(replace(single(3, 1), bounds=(float("nan"), 1.0)))


def test_random_directions_are_told_from_attributes() -> None:
    record = replace(single(3, 1), attribute=None, baseline=0)
    assert Record.from_json(json.loads(to_line(record))) == record
    assert record.trial == (3, 0)
    assert b'"baseline"' not in to_line(single(3, 1))
    for wrong in ({"baseline": -1}, {"baseline": True}, {"baseline": "1"}, {"attribute": "a smiling face"}):
        with pytest.raises(ValueError, match=r"^baseline must be a whole number|random direction"):
            Record.from_json({**record.to_json(), **wrong})


LINE = json.loads(to_line(single(3, 1))) | {"flipped": True, "decisive": True, "change": 0.6}
POINT = {"weights": [0.0, 0.0, 0.0], "output": [0.2], "change": 0.0, "label_kept": None, "ssim": None}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an image before the first": ({"image": -7}, "^image must be a whole number"),
    "an image that is true": ({"image": True}, "^image must be a whole number"),
    "an image that is a fraction": ({"image": 1.5}, "^image must be a whole number"),
    "a seed that is none": ({"seed": -1}, "^seed must be a whole number"),
    "a seed of many digits": ({"seed": 10**400}, "^seed must be a whole number"),
    "a change of 1e308": ({"change": 1e308}, r"^change must be a number in \[0, 1\], not 1e\+308"),
    "a change of 1.95": ({"change": 1.95}, "^change must be a number"),
    "a change below 0": ({"change": -0.5}, "^change must be a number"),
    "a change in words": ({"change": "0.5"}, "^change must be a number"),
    "a change that is true": ({"change": True}, "^change must be a number"),
    "no change": ({"change": None}, "^change must be a number"),
    "a flip of 1": ({"flipped": 1}, "^flipped must be true or false"),
    "a flip of null": ({"flipped": None}, "^flipped must be true or false"),
    "decisive without a flip": ({"flipped": False, "decisive": True}, "'decisive' is true of what does not flip"),
    "a flip weight without a flip": ({"flipped": False, "decisive": False, "flip_weight": 2.0}, "what does not flip"),
    "a flip weight below 0": ({"flip_weight": -2.0}, "^flip_weight must be a number"),
    "a label in words": ({"label_kept": "yes"}, "^label_kept must be true or false"),
    "an SSIM of 7": ({"ssim": 7.0}, "^ssim must be a number"),
    "steps before the first": ({"steps": -1}, "^steps must be a whole number"),
    "a stop that is a list": ({"stop": []}, "^stop must be a text"),
    "weights in words": ({"edit_weights": ["1", "2", "3"]}, r"edit_weights\[0\] must be a number"),
    "weights that are true": ({"edit_weights": [True, False, True]}, r"edit_weights\[0\] must be a number"),
    "an output beyond floats": ({"output": [float("inf")]}, r"output\[0\] must be a number of at most 3.5e38"),
    "an output of many digits": ({"output": [10**400]}, r"output\[0\] must be a number of at most 3.5e38"),
    "outputs of two lengths": ({"original_output": [0.2, 0.1]}, "outputs are of several lengths"),
    "no outputs": ({"original_output": [], "output": []}, "it has no output"),
    "bounds the wrong way round": ({"bounds": [3.0, -3.0]}, r"^bounds must be \[low, high\]"),
    "a range in words": ({"paper": "wide"}, "^paper must be an object"),
    "a range that contradicts itself": (
        {"paper": {"change": 0.5, "flipped": False, "decisive": True}},
        "does not flip",
    ),
    "a trajectory that is a text": ({"trajectory": "long"}, "^trajectory must be a list"),
    "a point that is a number": ({"trajectory": [7]}, r"^trajectory\[0\] must be an object, not 7"),
    "a point of another size": ({"trajectory": [{**POINT, "weights": [0.0]}]}, "edit weights are of several lengths"),
    "a point that changes by 2": (
        {"trajectory": [{**POINT, "change": 2}]},
        r"^trajectory\[0\]\.change must be a number",
    ),
}


@pytest.mark.parametrize(("edit", "says"), list(WRONG.values()), ids=list(WRONG))
def test_what_no_search_finds_is_refused(edit: dict[str, Any], says: str) -> None:
    Record.from_json({**LINE, "trajectory": [POINT]})
    with pytest.raises(ValueError, match=says):
        Record.from_json(LINE | edit)


def test_whole_numbers_of_many_digits_are_floats_that_arrays_hold() -> None:
    many = 10**30
    point = {**POINT, "weights": [many, 0, 0], "output": [many]}
    edit = {"bounds": [0, many], "edit_weights": [many, 0, 0], "flip_weight": many, "scores": [many], "output": [many]}
    record = Record.from_json(LINE | {**edit, "trajectory": [point]})
    for numbers in (record.bounds, record.scores, [record.flip_weight], record.trajectory[0].weights, record.output):
        assert np.array(numbers).dtype == np.float64


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[" * 100_000, "nested deeper than 50 levels"),
        (b'{"image":' * 500 + b"0" + b"}" * 500, "nested deeper than 50 levels"),
        (b"[" + b"[]," * 2_000_001 + b"0]", "more than 2,000,000 arrays"),
        (b'{"image": ' + b"1" * 10_000 + b"}", "damaged"),
        (b'{"image": 1, "attribute": "\xff"}', "it is no UTF-8, from byte 27 on"),
        (b'{"image": Infinity}', "Infinity is not JSON"),
        (b'{"bounds": [-1e999, 1]}', "-1e999 is no number that a float holds"),
        (b" " * (1 << 26), "it has more than 64 MB"),
    ],
    ids=["deep lists", "deep objects", "many lists", "many digits", "no UTF-8", "infinity", "1e999", "long"],
)
def test_a_hostile_line_is_named_in_one(line: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(to_line(single(0, 0)) + line + b"\n")
    with pytest.raises(AuditError, match=r"records\.jsonl, line 2 is damaged") as error:
        read_records(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700


def test_a_pipe_in_the_place_of_records_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "records.jsonl")
    with pytest.raises(OSError, match="no file"):
        read_records(tmp_path / "records.jsonl")
