"""Audits along differences of prompts: what is told of them, and the committed result."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

RESULT = Path(__file__).parents[2] / "bench" / "results" / "prompted.json"


@pytest.fixture
def prompted() -> ModuleType:
    import prompted  # its folder is on the path for a test at a time

    return prompted


def test_seeds_are_counted_by_target(prompted: ModuleType) -> None:
    def run(first: bool, sensitive: bool) -> dict[str, bool]:
        return {"first": first, "first_adjusted": first, "sensitive": sensitive, "specific": False}

    runs = {"one@100": run(True, True), "one@101": run(False, True), "two@100": run(True, False)}
    assert prompted.added_up(runs) == {
        "one": {"seeds": 2, "first": 1, "first_adjusted": 1, "sensitive": 2, "specific": 0},
        "two": {"seeds": 1, "first": 1, "first_adjusted": 1, "sensitive": 0, "specific": 0},
    }


def test_what_was_planted_comes_first_in_nine_seeds_of_ten_and_random_directions_lie_in_the_prompt() -> None:
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    assert result["baseline"]["method"] == "generator"
    assert (result["baseline"]["share_in_prompt"], result["baseline"]["entries_in_noise"]) == (1.0, 0)
    change = result["baseline"]["pictures_change"]
    assert 0.7 < change["random"] / change["attributes"] < 1.3
    assert set(result["figures"]) == {"dog-biased-collar", "dog-biased-fur", "dog-biased-background"}
    for counts in result["figures"].values():
        assert counts["seeds"] == 10
        assert counts["first"] >= 9
