"""Shares and means come with their intervals, and say when there is nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from zoom_engine.audit.summary import Sensitivity
from zoom_engine.experiments.estimates import error_bars, estimate, in_words, percent, sensitivity, share, wilson
from zoom_engine.settings.attributes import Attribute


def test_wilson_s_interval() -> None:
    assert wilson(8, 10) == pytest.approx([0.8, 0.4902, 0.9433], abs=1e-4)
    assert wilson(0, 10) == pytest.approx([0.0, 0.0, 0.2775], abs=1e-4)
    assert wilson(0, 0) is None


def test_a_mean_leaves_out_what_was_not_measured() -> None:
    result = estimate([1.0, math.nan, 3.0])
    assert result is not None
    assert result[0] == 2.0
    assert result[1] <= 2.0 <= result[2]
    assert estimate([math.nan]) is None


def test_where_all_images_are_alike_no_interval_is_a_point() -> None:
    """Of 8 flips on 8 images the interval was [100, 100] %, and that of one image its own value."""
    assert share([1.0] * 8 + [math.nan]) == wilson(8, 8) == pytest.approx([1.0, 0.6756, 1.0], abs=1e-4)
    assert share([math.nan]) is None
    assert in_words(estimate([0.3])) == "0.30"
    assert in_words(estimate([0.0, 0.0]), "+.3f") == "+0.000"
    assert [percent([0.5, 0.5, 0.5]), *map(percent, (1, 0.997, 0.9999))] == ["50 %", "100 %", "99.7 %", "99.9 %"]


def test_words() -> None:
    assert in_words([0.5, 0.25, 0.75]) == "0.50 [0.25, 0.75]"
    assert in_words([-0.125, -0.5, -0.001], "+.2f") == "−0.12 [−0.50, +0.00]"
    assert (percent(0.316), percent(0.004), percent([0.5, 0.25, 0.75])) == ("32 %", "0.4 %", "50 % [25, 75]")
    assert (in_words(None), percent(None)) == ("–", "–")
    means, (low, high) = error_bars([[0.5, 0.2, 0.9], None])
    assert (means[0], low[0]) == (0.5, 0.3)
    assert high[0] == pytest.approx(0.4)
    assert math.isnan(means[1])


def test_an_attribute_has_the_figure_that_it_is_ranked_by() -> None:
    row = Sensitivity(
        mode="single",
        attribute=Attribute.parse("a hat"),
        images=12,
        share=0.5,
        first=1.0,
        flip_rate=0.0,
        decisive_flip_rate=0.0,
        label_kept=None,
        ssim=None,
        mean_abs_weight=None,
        mean_change=0.2,
        ci95=(0.1, 0.3),
        effect=0.12,
        effect_ci95=(0.05, 0.2),
    )
    assert sensitivity(row) == [0.12, 0.05, 0.2]
    assert sensitivity(replace(row, effect_ci95=None)) == [0.12, 0.12, 0.12]
    assert sensitivity(replace(row, effect=None)) == [0.2, 0.1, 0.3]
