"""The bench of audits around photographs: what it correlates, and over what."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

TRUE = np.random.default_rng(0).random((3, 4, 1)) * np.ones((1, 1, 10))
COUNTED = np.ones((3, 4), dtype=np.bool_)


@pytest.fixture
def photographs() -> ModuleType:
    import photographs  # its folder is on the path for a test at a time

    return photographs


def test_correlations_are_over_what_is_audited_and_counted(
    photographs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "BOOTSTRAP", 50)
    compared = photographs.compared
    audited = np.ones((3, 10), dtype=np.bool_)
    result = compared(0.5 * TRUE, TRUE, COUNTED, audited)
    assert {name: one["value"] for name, one in result.items()} == dict.fromkeys(result, 1.0)
    wrong = TRUE.copy()
    wrong[:, :, 3] = 1 - TRUE[:, :, 3]
    assert compared(wrong, TRUE, COUNTED, audited)["single_pearson"]["value"] < 0.95
    audited[:, 3] = False
    assert compared(wrong, TRUE, COUNTED, audited)["single_pearson"]["value"] == 1.0
    wrong[1, 2] = 5.0
    assert compared(wrong, TRUE, COUNTED, audited)["pairs_pearson"]["value"] < 0.9
    counted = COUNTED.copy()
    counted[1, 2] = False
    result = compared(wrong, TRUE, counted, audited)["pairs_pearson"]
    assert result == {"value": 1.0, "ci95": [1.0, 1.0]}


@pytest.mark.parametrize("domain", ["avatars", "pets"])
def test_what_was_planted_is_among_the_attributes(photographs: ModuleType, domain: str) -> None:
    bench = photographs.benchmark_of(domain)
    chosen = photographs.chosen_attributes(bench)
    assert len(chosen) == photographs.ATTRIBUTES
    assert {target.planted for target in bench.targets.values()} - {None} <= set(chosen)
