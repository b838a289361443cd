"""Answers on probes: rounding leaves them the same, another function does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoom_engine.common.probes import same_answers, short_answers

RANDOM = np.random.default_rng(0)
NARROW, MAPS = RANDOM.normal(size=(8, 3)), RANDOM.normal(size=(8, 4, 32, 32))


@pytest.mark.parametrize("outputs", [NARROW, NARROW * 1e-6, NARROW[:, :1] - 12.0, MAPS, MAPS * 1e5])
def test_rounding_leaves_answers_the_same(outputs: Any) -> None:
    before = short_answers(outputs)
    moved = outputs * (1 + 1e-5 * RANDOM.uniform(-1, 1, outputs.shape))
    assert same_answers(before, short_answers(moved))
    assert np.shape(before)[0] == 8
    assert np.shape(before)[1] <= 8


@pytest.mark.parametrize("outputs", [NARROW, NARROW * 1e-6, MAPS, MAPS * 1e5])
def test_another_gain_order_or_offset_is_another_answer(outputs: Any) -> None:
    before = short_answers(outputs)
    for other in (outputs * 1.1, -outputs, outputs + np.ptp(outputs), np.flip(outputs, axis=-1), outputs[::-1]):
        assert not same_answers(before, short_answers(other))
        assert not same_answers(short_answers(other), before)


def test_a_pixel_at_a_border_of_areas_may_fall_on_either_side() -> None:
    areas = (MAPS[:, :1] > 0).astype(np.int64)
    moved = areas.copy()
    moved[3, 0, 5, 5] = 1 - moved[3, 0, 5, 5]
    moved[4, 0, 7, 9] = 1 - moved[4, 0, 7, 9]
    assert same_answers(short_answers(areas), short_answers(moved))
    assert not same_answers(short_answers(areas), short_answers(1 - areas))


@pytest.mark.parametrize("hostile", [None, [], [[]], [[1.0], [1.0, 2.0]], "text", {"a": 1}, [["x"]], [[None]]])
def test_what_holds_no_answers_is_the_same_as_none(hostile: Any) -> None:
    assert not same_answers(hostile, [[1.0], [2.0]])
    assert not same_answers([[1.0], [2.0]], hostile)
