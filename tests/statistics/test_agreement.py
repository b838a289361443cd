"""Kendall's W against its definition, and what it says of raters that agree and that do not."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, manifest, single

from zoom_engine.audit.records import Record, to_line
from zoom_engine.report.limits import limits
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.agreement import kendalls_w
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.diagnosis import Diagnosis


def test_the_textbook_example_without_ties() -> None:
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 2, 4, 3], [6, 3, 2, 5, 4, 1]], dtype=float)
    result = kendalls_w(np.stack([ranks, ranks], axis=1))
    sums = ranks.sum(axis=0)
    expected = 12 * ((sums - sums.mean()) ** 2).sum() / (9 * (216 - 6))
    assert result is not None
    assert result.w == pytest.approx(expected)
    assert result.low == result.high == result.w  # of images that are alike there is no other draw


def test_ties_are_corrected_for() -> None:
    """Two raters that agree, ties and all, agree wholly."""
    values = np.array([[0.1, 0.1, 0.5, 0.7], [0.2, 0.2, 0.3, 0.9]])
    result = kendalls_w(np.stack([values, values], axis=1))
    assert result is not None
    assert result.w == pytest.approx(1.0)


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 1.0, 1.0), (0.05, 0.9, 1.0), (30.0, 0.0, 0.75)])
def test_raters_agree_as_far_as_noise_lets_them(noise: float, low: float, high: float) -> None:
    random = np.random.default_rng(0)
    values = np.linspace(0, 1, 6) + noise * random.normal(size=(4, 40, 6))
    result = kendalls_w(values, resamples=500)
    assert result is not None
    assert low <= result.low <= result.w <= result.high <= 1 + 1e-12
    assert result.w <= high + 1e-12


def test_missing_units_are_left_out_and_what_cannot_be_told_is_none() -> None:
    random = np.random.default_rng(1)
    values = np.linspace(0, 1, 5) + 0.1 * random.normal(size=(3, 20, 5))
    holes = values.copy()
    holes[1, 3, 2] = np.nan
    assert kendalls_w(holes, resamples=200) is not None
    holes[1, :, 2] = np.nan
    assert kendalls_w(holes) is None
    assert kendalls_w(values[:1]) is None
    assert kendalls_w(values[:, :, :1]) is None
    assert kendalls_w(values[:, :1]) is None, "an interval without width, of one image"
    assert kendalls_w(np.zeros((2, 4, 3))) is None


def test_many_items_take_little_memory() -> None:
    values = np.linspace(0, 1, 100) + np.random.default_rng(2).normal(size=(4, 40, 100))
    tracemalloc.start()
    result = kendalls_w(values, resamples=2000)  # 80 million pairs
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result is not None
    assert peak < 2**26


def test_an_audit_says_how_far_its_paraphrases_agree() -> None:
    effects = np.array([[0.1, 0.5, 0.3], [0.2, 0.6, 0.3], [0.4, 0.7, 0.3]])
    records = tuple(replace(single(i, c), paraphrases=tuple(effects[:, c])) for i in range(5) for c in range(3))
    diagnosis = Diagnosis(manifest(), records)
    summary = diagnosis.summary()
    expected = kendalls_w(np.repeat(effects[:, None, :], 5, axis=1))
    assert summary.paraphrases == expected
    assert expected is not None
    rows = {row.attribute.text: row for row in summary.sensitivity}
    assert [rows[text].by_paraphrase for text in ATTRIBUTES] == [pytest.approx(tuple(column)) for column in effects.T]
    written = summary.to_json()
    assert written["paraphrases"] == {"w": expected.w, "low": expected.low, "high": expected.high}
    line = f"3 paraphrases of each attribute: Kendall’s W is {expected.w:.2f} ["
    assert line in " ".join(diagnosis.table().split())
    names = {Attribute.parse(text): Attribute.parse(text).name for text in ATTRIBUTES}
    told = dict(limits(summary, diagnosis.manifest, names, counts_of(diagnosis), beyond=None))
    words = told["How much depends on the wording"]
    assert line in words
    assert f"Words matter most for “{ATTRIBUTES[0]}”, whose effect is 0.10 in one and 0.40 in another." in words
    assert Record.from_json(json.loads(to_line(records[0]))) == records[0]
    without = Diagnosis(manifest(), tuple(single(i, c) for i in range(3) for c in range(3)))
    assert without.summary().paraphrases is None
    assert "paraphrases" not in without.table()


def counts_of(diagnosis: Diagnosis) -> Counts:
    return Counts.of(diagnosis.records, least=0.1)
