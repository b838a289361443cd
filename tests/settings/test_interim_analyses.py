"""The plan of interim analyses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.audit.manifest import Manifest
from zoom_engine.common.errors import AuditError
from zoom_engine.settings.interim_analyses import FIRST_ANALYSIS, MOST_IMAGES, planned_analyses


@given(st.integers(1, 20_000))
def test_analyses_follow_each_other_by_at_most_a_third(most: int) -> None:
    planned = planned_analyses(most)
    assert planned[-1] == most
    assert planned[0] == min(FIRST_ANALYSIS, most)
    assert all(a < b <= a + max(8, a / 3) for a, b in pairwise(planned))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_longer_plan_begins_as_a_shorter_one_does(most: int, more: int) -> None:
    """But for the last number of the shorter one: so an audit continues with more images."""
    shorter, longer = sorted((planned_analyses(most), planned_analyses(more)), key=lambda planned: planned[-1])
    assert longer[: len(shorter) - 1] == shorter[:-1]


def test_the_default_plan_has_few_analyses() -> None:
    assert planned_analyses(MOST_IMAGES) == (24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384)


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
