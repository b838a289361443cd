"""The course of an audit: which attributes stop after how many images, and how often their verdicts err."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from simulated import ATTRIBUTES, simulated

from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import InterimAnalysis
from zoom_engine.settings.interim_analyses import planned_analyses
from zoom_engine.statistics.attribute_tests import attribute_tests
from zoom_engine.statistics.course import size_tests
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import analyses_in_words, summary_table

Array = NDArray[np.float64]
PLANNED = planned_analyses(96)
MEANS = (0.001, 0.001, 0.002, 0.5)


def changes(audits: int, images: int, columns: int, mean: float) -> Array:
    """Of audits `[audits, images, columns]`, as those of classifiers are: most images hardly move, a few move far."""
    random = np.random.default_rng([audits, images, columns])
    rare = random.random((audits, images, columns)) < (mean - 0.0025) / 0.5
    return np.where(rare, random.beta(5, 5, rare.shape), random.beta(1, 399, rare.shape))


def test_an_effect_is_told_by_two_tests() -> None:
    random = np.random.default_rng(2)
    change = np.column_stack([random.beta(4, 6, 96), random.beta(1, 99, 96), random.beta(1, 9, 96)])
    result = size_tests(change, 0.1, (96,))
    assert result.verdicts == ("sensitive", "negligible", "inconclusive")
    assert result.stopped == (96, 96, None)
    assert result.next_analysis is None


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(24, 96))
def test_an_attribute_that_has_stopped_keeps_its_verdict(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    means = random.uniform(0.001, 0.4, 5)
    change = random.beta(2 * means, 2 * (1 - means), (96, 5))
    early, late = (size_tests(change[:count], 0.1, PLANNED) for count in (images, 96))
    for before, after, stopped in zip(early.verdicts, late.verdicts, early.stopped, strict=True):
        assert stopped is None or before == after
    again = change.copy()
    for column, stopped in enumerate(late.stopped):
        again[stopped or 96 :, column] = np.nan  # what nobody drew
    recorded = np.isfinite(again)
    assert size_tests(again, 0.1, PLANNED, recorded=recorded) == late


def test_an_analysis_waits_for_all_images_of_the_attributes_that_have_not_stopped() -> None:
    change = np.column_stack([np.full(40, 0.5), np.full(40, 0.1)])
    assert size_tests(change[:24], 0.1, PLANNED).stopped == (24, None)
    assert size_tests(change[:24], 0.1, PLANNED).next_analysis == 32
    recorded = np.ones((32, 2), dtype=bool)
    recorded[30, 1] = False
    assert size_tests(change[:32], 0.1, PLANNED, recorded=recorded).next_analysis == 32
    recorded[30] = False, True
    assert size_tests(change[:32], 0.1, PLANNED, recorded=recorded).next_analysis == 40, "the first one has stopped"


def test_an_attribute_stops_where_its_interval_is_narrow_enough() -> None:
    change = np.random.default_rng(0).beta(5, 45, (96, 2))
    result = size_tests(change, 0.1, PLANNED, width=0.25)
    assert set(result.stopped) <= set(PLANNED)
    assert size_tests(change, 0.1, PLANNED, width=0.001).stopped == (None, None)


@pytest.mark.parametrize("attributes", [1, 4, 12])
def test_verdicts_on_what_is_exactly_at_the_limit_are_rare(attributes: int) -> None:
    """Of 200 audits with 13 analyses, each verdict is false in 5 % at most; the bar allows for chance."""
    drawn = changes(200, 384, attributes, 0.1)
    results = [size_tests(audit, float(0.0025 + 0.0975), planned_analyses(384)) for audit in drawn]
    for verdict in ("sensitive", "negligible"):
        assert np.mean([verdict in result.verdicts for result in results]) <= 0.07


def test_an_interval_never_contradicts_its_verdict() -> None:
    for audit in changes(40, 96, 6, 0.08):
        means = np.linspace(0.2, 2.5, 6)
        audit = (audit * means).clip(0, 1)
        for one in attribute_tests(audit, audit[:, :0], 0.1, "holm", sizes=size_tests(audit, 0.1, PLANNED)):
            assert one.interval is not None
            low, high = one.interval
            reads = "sensitive" if low >= 0.1 else "negligible" if high <= 0.1 else "inconclusive"
            assert reads == one.verdict


def audit(
    images: int, *, width: float | None = None, planned: tuple[int, ...] = (24, 48, 96), **options: Any
) -> Diagnosis:
    """An audit with these analyses that searched every attribute on so many images, and random edits on as many."""
    result = simulated(images=images, baseline=0.005, **{"means": MEANS, "smallest_effect": 0.1, **options})
    config = {name: value for name, value in result.config.content.items() if name != "images"}
    planned_config = {**config, "interim_analyses": list(planned), **({} if width is None else {"width": width})}
    return Diagnosis(Manifest.of(planned_config), (*result.records, *result.baseline))


def stopping(diagnosis: Diagnosis) -> Diagnosis:
    """The audit without what it would not have searched."""
    goals = dict(zip(ATTRIBUTES, diagnosis.course.goals, strict=True))

    def is_wanted(record: Record) -> bool:
        return record.image < goals[record.attribute or ""]

    return replace(diagnosis, records=tuple(filter(is_wanted, diagnosis.records)))


def test_each_attribute_has_as_many_images_as_it_needs() -> None:
    result = stopping(audit(96))
    images = {row.attribute.text: row.images for row in result.sensitivity}
    assert images == {"a smiling face": 48, ATTRIBUTES[1]: 48, "a face with a beard": 48, ATTRIBUTES[3]: 24}
    assert {row.verdict for row in result.sensitivity} == {"negligible", "sensitive"}
    assert result.missing == 0
    assert result.goal == 48
    summary = result.summary()
    assert summary.interim_analysis == InterimAnalysis(2, (24, 48, 96), None, "settled")
    assert summary.images == 48
    assert "until it is sensitive or negligible, 96 images at most. All did by 48 images." in analyses_in_words(summary)
    assert analyses_in_words(summary) in " ".join(summary_table(summary).split())
    assert summary.to_json()["sensitivity"][0]["images"] == 24


def test_an_audit_continues_with_what_is_not_settled() -> None:
    unsure = audit(24)
    assert unsure.course.goals == (48, 48, 48, 24)
    assert unsure.missing == 3 * 24, "random edits wait for the attributes"
    assert {row.verdict for row in unsure.sensitivity} == {"inconclusive"}, "an unfinished audit decides nothing"
    assert unsure.summary().interim_analysis == InterimAnalysis(2, (24, 48, 96), None, None)
    last = audit(96, means=(0.1, 0.001, 0.001, 0.5))
    analysis = stopping(last).summary().interim_analysis
    assert analysis == InterimAnalysis(3, (24, 48, 96), None, "most images")
    assert "1 of 4 attributes took all of them." in analyses_in_words(stopping(last).summary())
    by_width = audit(96, width=0.001).summary()
    assert by_width.interim_analysis is not None
    assert by_width.interim_analysis.ended == "most images"
    assert "until its interval is at most 0.001 wide" in analyses_in_words(by_width)


def test_random_edits_are_drawn_for_sensitive_attributes_alone() -> None:
    sound = audit(48, means=(0.001, 0.001, 0.001, 0.002))
    without = Diagnosis(sound.manifest, sound.records)
    assert (without.missing, without.course.baseline_images) == (0, 0)
    biased = stopping(audit(48))
    assert biased.course.baseline_images == 48
    bare = Diagnosis(biased.manifest, biased.records)
    assert bare.missing == 2 * 48
    assert bare.summary().interim_analysis is not None
    few = audit(48, random_images=8)
    assert few.course.baseline_images == 8
    still = audit(48, means=(0.0,) * 4)
    assert still.course.baseline_images == 48, "a target that nothing moves may read no pictures"


def test_a_number_of_images_is_that_of_every_attribute() -> None:
    fixed = simulated(images=96, means=MEANS, smallest_effect=0.1)
    assert {row.images for row in fixed.sensitivity} == {96}
    assert fixed.summary().interim_analysis is None
    assert "interim_analysis" not in fixed.summary().to_json()
    assert fixed.course.goals == (96,) * 4
