"""An audit that finds out how many images it takes: what interim analyses cost, and what they may be trusted with."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from simulated import ATTRIBUTES, simulated

from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.summary import InterimAnalysis
from zoom_engine.common.errors import AuditError
from zoom_engine.settings.interim_analyses import FIRST_ANALYSIS, InterimPlan, confidence, planned_analyses
from zoom_engine.statistics.attribute_tests import LEVEL, attribute_tests
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.intervals import mean_intervals
from zoom_engine.statistics.table import analyses_in_words, summary_table

Array = NDArray[np.float64]


@given(st.integers(1, 100_000))
def test_interim_analyses_double_and_their_shares_add_up(most: int) -> None:
    planned = planned_analyses(most)
    assert planned[-1] == most
    assert planned[0] == min(FIRST_ANALYSIS, most)
    assert all(a < b <= 2 * a for a, b in pairwise(planned))
    assert len(planned) * (1 - confidence(len(planned))) == pytest.approx(LEVEL)


def test_what_settles_an_attribute() -> None:
    by_itself, by_width = InterimPlan((24, 48), None), InterimPlan((24, 48), 0.05)
    wide, narrow, narrower = (0.1, 0.4), (0.1, 0.2), (0.1, 0.15)
    assert by_itself.all_known([("sensitive", wide), ("negligible", wide), ("inconclusive", narrow)])
    assert not by_itself.all_known([("sensitive", wide), ("inconclusive", wide)])
    assert not by_itself.all_known([(None, None)])
    assert not by_width.all_known([("sensitive", narrow)])
    assert by_width.all_known([("inconclusive", narrower), ("sensitive", narrower)])


def changes(audits: int, images: int, columns: int, mean: float) -> Array:
    """Of audits `[audits, images, columns]`, as those of classifiers are: most images hardly move, a few move far."""
    random = np.random.default_rng([audits, images])
    flips = random.random((audits, images, columns)) < mean / 0.5
    return np.where(flips, random.beta(5, 5, flips.shape), random.beta(1, 400, flips.shape)) + 0.0


@pytest.mark.parametrize(("mean", "width"), [(0.02, 0.06), (0.1, 0.2), (0.3, 0.25)])
def test_the_interval_that_an_audit_stops_at_holds_its_mean(mean: float, width: float) -> None:
    """It stops where intervals happen to be narrow: of 400 audits no more than 5 % may miss, chance allowed for."""
    planned, count = planned_analyses(96), 400
    drawn = changes(count, planned[-1], 1, mean)[:, :, 0].T
    true = float(changes(4000, 100, 1, mean).mean())
    low, high = np.zeros(count), np.ones(count)
    going_on = np.ones(count, dtype=bool)
    for images in planned:
        ends = mean_intervals(drawn[:images], level=confidence(len(planned)), draws=1500)
        low, high = (np.where(going_on, new, old) for new, old in zip(ends, (low, high), strict=True))
        going_on &= high - low > width
    stopped_early = 1 - going_on.mean()
    assert stopped_early > 0.1, "the rule must have had something to choose"
    missed = np.mean((low > true) | (high < true))
    assert missed <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / count)


@pytest.mark.ci
@pytest.mark.slow(8)
def test_looking_again_and_again_finds_what_is_not_in_no_more_than_5_of_100_audits() -> None:
    planned, count, mean = planned_analyses(96), 60, 0.05
    drawn = changes(count, planned[-1], 4, mean)
    true = float(changes(4000, 100, 1, mean).mean())
    ever, unpaid = 0, 0
    for audit in drawn:
        for paid in (len(planned), 1):
            result = any(
                one.verdict != "inconclusive"
                for images in planned
                for one in attribute_tests(audit[:images], audit[:images, :0], true, "holm", analyses=paid)
            )
            ever, unpaid = (ever + result, unpaid) if paid > 1 else (ever, unpaid + result)
    assert ever <= 2 * count * LEVEL
    assert ever <= unpaid, "interim analyses that nobody pays for find more"


def audit(images: int, *, width: float | None = None, done: int | None = None, **options: Any) -> Diagnosis:
    """An audit of interim analyses after 24, 48 and 96 images that came as far as so many."""
    result = simulated(images=images, baseline=0.005, **options)
    config = {name: value for name, value in result.config.content.items() if name != "images"}
    manifest = Manifest.of({**config, "interim_analyses": [24, 48, 96], **({} if width is None else {"width": width})})
    return Diagnosis(manifest, (*result.records, *result.baseline)[:done])


def test_an_audit_ends_where_nothing_is_left_to_find_out() -> None:
    large = audit(48, means=(0.3, 0.3, 0.3, 0.3))
    assert large.summary().interim_analysis == InterimAnalysis(2, (24, 48, 96), 1 - 0.05 / 3, None, "known")
    assert {row.verdict for row in large.sensitivity} == {"sensitive"}
    assert (large.goes_on, large.missing, large.goal) == (False, 0, 48)
    assert (
        "ended at interim analysis 2 of 3, where every attribute was sensitive, negligible, or known to 0.1"
        in analyses_in_words(large.summary())
    )
    assert large.summary().to_json()["interim_analysis"]["ended"] == "known"
    assert analyses_in_words(large.summary()) in " ".join(summary_table(large.summary()).split())


def test_an_audit_goes_on_where_something_is() -> None:
    unsure = audit(24)
    assert unsure.summary().interim_analysis == InterimAnalysis(2, (24, 48, 96), 1 - 0.05 / 3, None, None)
    assert unsure.goes_on
    assert unsure.missing == 24 * (len(ATTRIBUTES) + 2), "up to the next interim analysis"
    assert "sensitive" in {row.verdict for row in unsure.sensitivity}, "this interim analysis is paid for"
    last = audit(96, width=0.01)
    assert last.summary().interim_analysis == InterimAnalysis(3, (24, 48, 96), 1 - 0.05 / 3, 0.01, "most images")
    assert not last.goes_on
    assert "at the last of 3 interim analyses, before every attribute was known to 0.01" in analyses_in_words(
        last.summary()
    )


def test_an_audit_with_one_interim_analysis_speaks_of_one() -> None:
    content = {**audit(24).config.content, "interim_analyses": [24]}
    only = simulated(images=24, baseline=0.005)
    result = Diagnosis(Manifest.of(content), (*only.records, *only.baseline)).summary()
    assert result.interim_analysis is not None
    assert result.interim_analysis.ended == "most images"
    assert analyses_in_words(result) == (
        "The audit ended at its only interim analysis, before every attribute was sensitive, negligible, or known to"
        " 0.1."
    )


def test_between_two_interim_analyses_nothing_is_decided() -> None:
    between = audit(30, means=(0.3, 0.3, 0.3, 0.3))
    assert {row.verdict for row in between.sensitivity} == {"inconclusive"}
    analysis = between.summary().interim_analysis
    assert analysis is not None
    assert (analysis.number, analysis.ended) == (2, None)
    assert between.missing == 18 * (len(ATTRIBUTES) + 2)
    torn = audit(24, done=30)
    assert torn.summary().interim_analysis == InterimAnalysis(1, (24, 48, 96), 1 - 0.05 / 3, None, None)


def test_an_interim_analysis_costs_width_and_p_values() -> None:
    fixed, looked = simulated(images=96, baseline=0.005), audit(96)
    for before, after in zip(fixed.sensitivity, looked.sensitivity, strict=True):
        assert before.interval is not None
        assert after.interval is not None
        assert after.interval[0] <= before.interval[0] <= before.interval[1] <= after.interval[1]
        assert before.p_value == after.p_value
        assert after.p_adjusted == pytest.approx(min(1.0, 3 * (before.p_adjusted or 0.0)))
    assert fixed.summary().interim_analysis is None
    assert "interim_analysis" not in fixed.summary().to_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"interim_analyses": []},
        {"interim_analyses": [24, 24]},
        {"interim_analyses": [0, 24]},
        {"interim_analyses": ["24"]},
        {"interim_analyses": [24], "width": 0.0},
    ],
)
def test_interim_analyses_of_other_people_are_checked(wrong: dict[str, Any]) -> None:
    config = {"mode": "single", "attributes": ["a smiling face"]}
    with pytest.raises(AuditError, match="is damaged"):
        Manifest.of({**config, **wrong})
