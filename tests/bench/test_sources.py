"""Pictures that are drawn as examples show what they are said to, and runs are counted by what they are of."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def sources() -> ModuleType:
    import sources  # its folder is on the path for a test at a time

    return sources


def test_folders_hold_renders_that_have_an_attribute_and_others_for_another_seed(
    sources: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "EXAMPLES", 3)
    for domain, attribute in (("avatars", "eyeglasses"), ("pets", "collar")):
        evaluation = sources.EVALUATIONS[domain]
        with_it, without = sources.folders(evaluation, attribute, 100, tmp_path)
        assert (len(list(with_it.iterdir())), len(list(without.iterdir()))) == (3, 3)
        table = evaluation.subject.truth.labels(sources.parameters(evaluation, 100))[attribute]
        assert all(table[int(path.stem)] for path in with_it.iterdir())
        assert not any(table[int(path.stem)] for path in without.iterdir())
        assert not np.array_equal(
            sources.having(evaluation, attribute, True, 100), sources.having(evaluation, attribute, True, 101)
        )


def test_runs_are_counted_by_domain_way_and_target_and_refusals_by_kind(sources: ModuleType) -> None:
    runs = {
        "pets | examples | 100": {"first": {"dog": True, "cat": False}},
        "pets | examples | 101": {"first": {"dog": True, "cat": True}},
        "pets | refusals | 100": {"encoder": {"random": [True, True, False]}},
        "pets | refusals | 101": {"encoder": {"random": [True]}},
    }
    assert sources.added_up(runs)["pets"] == {
        "examples": {"dog": {"seeds": 2, "first": 2}, "cat": {"seeds": 2, "first": 1}},
        "refusals": {"random (encoder)": {"folders": 4, "refused": 3}},
    }
