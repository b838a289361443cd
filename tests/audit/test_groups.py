"""Sensitivities among parts of the images, against literal means."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, manifest, single

from zoom_engine.attributes import Attribute
from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.records import Record, to_line

BY = ["a face with glasses", "a face with a hat"]
TASK = {"task": {"task": "binary", "classes": ["no mustache", "mustache"]}}


def audit(images: int = 30, **more: object) -> Diagnosis:
    records = [
        replace(single(i, c), groups=(i % 3 == 0, False), original_output=(0.9 if i % 5 == 0 else 0.2,))
        for i in range(images)
        for c in range(3)
    ]
    return Diagnosis(manifest(by=BY, target_details=TASK, **more), tuple(records))


def test_groups_are_means_over_their_own_images() -> None:
    for row in audit().sensitivity:
        records = audit().of(row.attribute)
        told = {(one.by, one.group): one for one in row.groups}
        assert list(told) == [
            (BY[0], "has"),
            (BY[0], "lacks"),
            (BY[1], "lacks"),  # no image has a hat
            ("prediction", "mustache"),
            ("prediction", "no mustache"),
        ]
        for key, belongs in {
            (BY[0], "has"): lambda i: i % 3 == 0,
            (BY[0], "lacks"): lambda i: i % 3 != 0,
            ("prediction", "mustache"): lambda i: i % 5 == 0,
        }.items():
            changes = [record.change for record in records if belongs(record.image)]
            assert told[key].images == len(changes)
            assert told[key].mean_change == pytest.approx(np.mean(changes))
            assert told[key].ci95[0] < told[key].mean_change < told[key].ci95[1]
        assert told[(BY[1], "lacks")].ci95 == row.ci95
    written = audit().summary().to_json()["sensitivity"][0]["groups"]
    assert list(written[0]) == ["by", "group", "images", "mean_change", "ci95"]
    json.dumps(written, allow_nan=False)


def test_the_table_tells_groups_apart_where_texts_were_given() -> None:
    text = audit().table()
    row = audit().sensitivity[0].groups[0]
    line = next(line for line in text.splitlines() if line.startswith("  has “a face with glasses” (10)"))
    assert line.split()[-3:] == [f"{row.mean_change:.3f}", f"[{row.ci95[0]:.3f},", f"{row.ci95[1]:.3f}]"]
    without = Diagnosis(manifest(target_details=TASK), tuple(single(i, c) for i in range(4) for c in range(3)))
    assert "predicted" not in without.table()
    assert {group.by for row in without.sensitivity for group in row.groups} == {"prediction"}


def test_unfinished_audits_and_other_tasks_have_the_groups_that_are_known() -> None:
    (one,) = Diagnosis(manifest(by=BY), (replace(single(0, 0), groups=(True, True)),)).of(
        Attribute.parse(ATTRIBUTES[0])
    )
    rows = Diagnosis(manifest(by=BY), (one,)).sensitivity
    known = next(row for row in rows if row.mean_change is not None)
    assert [(group.by, group.group, group.ci95) for group in known.groups] == [(text, "has", None) for text in BY]
    assert all(group.mean_change is None for row in rows if row is not known for group in row.groups)


def test_a_record_keeps_its_groups() -> None:
    record = replace(single(0, 0), groups=(True, False))
    assert Record.from_json(json.loads(to_line(record))) == record
    assert b"groups" not in to_line(single(0, 0))
    for wrong in ([1, 0], "yes", [None]):
        with pytest.raises(TypeError, match="'groups'"):
            Record.from_json({**json.loads(to_line(record)), "groups": wrong})
