"""Sensitivities among parts of the images, against literal means."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, manifest, single

from zoom_engine.audit.records import Record, to_line
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import differences_in_words

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
        assert told[(BY[1], "lacks")].mean_change == row.value
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


def told_apart(effect_of: Callable[[int], float], *, count: int = 40, **more: object) -> Diagnosis:
    """An audit in which every other image has glasses, and one attribute moves the output as `effect_of` says."""
    records = [
        replace(single(i, c), groups=(i % 2 == 0, i < 3), paper=None, change=effect_of(i) if c == 0 else 0.1)
        for i in range(count)
        for c in range(3)
    ]
    return Diagnosis(manifest(by=BY, **{"images": count, **more}), tuple(records))


def test_a_difference_between_groups_is_found_and_said() -> None:
    diagnosis = told_apart(lambda i: 0.4 + 0.001 * i if i % 2 == 0 else 0.04)
    for row in diagnosis.sensitivity:
        glasses, hat = row.differences
        has, lacks = (group for group in row.groups if group.by == BY[0])
        assert (glasses.by, glasses.has, glasses.lacks) == (BY[0], has.images, lacks.images)
        assert glasses.difference == pytest.approx(has.mean_change - lacks.mean_change)
        assert glasses.differs == (row.attribute.text == ATTRIBUTES[0])
        assert (hat.has, hat.p_value, hat.ci95, hat.differs) == (3, None, None, False)
    words = " ".join(diagnosis.table().split())
    one = next(row for row in diagnosis.sensitivity if row.attribute.text == ATTRIBUTES[0]).differences[0]
    assert (
        "A smiling face moves the output further in images that have “a face with glasses”: 0.42, against 0.04 in those"
        f" that lack it; adjusted p {one.p_adjusted:.4f}."
    ) in words
    assert one.p_adjusted < 0.01
    assert (
        "Images that have “a face with a hat” are not compared with those that lack it: 3 have it, 37 lack it, and 5 of"
        " each are needed." in words
    )
    row = next(line for line in diagnosis.table().splitlines() if line.startswith("  with minus without"))
    assert row.split()[-3:] == [f"{one.difference:.3f}", f"[{one.ci95[0]:.3f},", f"{one.ci95[1]:.3f}]"]
    written = diagnosis.summary().to_json()["sensitivity"][0]["differences"]
    assert list(written[0]) == ["by", "has", "lacks", "difference", "ci95", "p_value", "p_adjusted", "differs"]
    json.dumps(written, allow_nan=False)


def test_of_many_texts_the_table_says_what_is_found_alone() -> None:
    diagnosis = told_apart(lambda i: 0.4 + 0.001 * i if i % 2 == 0 else 0.04 + 0.001 * i)
    texts = [*diagnosis.config.by, "an old face", "a face with a scarf"]
    records = tuple(replace(record, groups=(*record.groups, False, False)) for record in diagnosis.records)
    many = Diagnosis(replace(diagnosis.manifest, config=replace(diagnosis.config, by=tuple(texts))), records).table()
    assert "moves the output further in images that have “a face with glasses”" in " ".join(many.split())
    assert "  with minus without" in diagnosis.table()
    assert "  has" not in many


def test_the_sentence_begins_with_the_images_that_are_moved_further() -> None:
    (told,) = differences_in_words(told_apart(lambda i: 0.02 if i % 2 == 0 else 0.5 + 0.001 * i).summary())
    assert "in images that lack “a face with glasses”: 0.52, against 0.02 in those that have it; adjusted" in told


def test_alike_groups_and_unfinished_audits_say_nothing_of_a_difference() -> None:
    assert "moves the output further" not in told_apart(lambda i: 0.4 + 0.001 * (i // 2)).table()
    whole = told_apart(lambda i: 0.4 if i % 2 == 0 else 0.04)
    unfinished = Diagnosis(whole.manifest, whole.records[:-1])
    assert "moves the output further" in whole.table()
    assert "moves the output further" not in unfinished.table()
    assert unfinished.sensitivity[0].differences[0].p_adjusted < 0.01


def test_the_interim_analyses_of_an_audit_are_paid_for_in_its_differences() -> None:
    random = np.random.default_rng(0).random(24)
    one, analyses = (
        told_apart(lambda i: 0.2 + 0.3 * (i % 2) * random[i], count=24, **more).sensitivity[0].differences[0]
        for more in ({}, {"interim_analyses": [24, 48, 96, 192], "width": None, "images": None})
    )
    assert analyses.p_adjusted == pytest.approx(min(1.0, 4 * one.p_adjusted))
    assert analyses.ci95[0] < one.ci95[0] < one.ci95[1] < analyses.ci95[1]


def test_a_record_keeps_its_groups() -> None:
    record = replace(single(0, 0), groups=(True, False))
    assert Record.from_json(json.loads(to_line(record))) == record
    assert b"groups" not in to_line(single(0, 0))
    for wrong in ([1, 0], "yes", [None]):
        with pytest.raises(ValueError, match=r"^groups"):
            Record.from_json({**json.loads(to_line(record)), "groups": wrong})
