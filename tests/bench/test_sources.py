"""Pictures that are drawn as examples show what they are said to, and runs are counted by what they are of."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
OTHER_TASKS = ("keypoints", "segmentation")


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((ROOT / "bench" / "results" / "sources.json").read_text(encoding="utf-8"))
    figures: dict[str, Any] = stored["figures"]
    return figures


def test_examples_and_scorers_find_in_nine_seeds_of_ten_what_words_find_in_ten(figures: dict[str, Any]) -> None:
    for ways in figures.values():
        whole = [name for name, count in ways["words"].items() if count["seeds"] == 10]
        assert len(whole) >= 2
        for name in whole:
            assert ways["words"][name]["first"] == 10
            for way in ("examples", "scorer"):
                assert ways[way][name]["seeds"] == 10
                assert ways[way][name]["first"] >= 9


def test_the_page_tells_how_often_what_was_planted_came_first(figures: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "how-to" / "attributes.md").read_text(encoding="utf-8")
    rows = page[page.index("| planted attribute first, by |") :].partition("\n\n")[0].splitlines()[2:]

    def cell(domain: str, way: str, other_tasks: bool) -> str:
        counts = [count for name, count in figures[domain][way].items() if name.startswith(OTHER_TASKS) is other_tasks]
        seeds = sum(count["seeds"] for count in counts)
        return f"{sum(count['first'] for count in counts)} of {seeds}" if seeds else "–"

    for row, way in zip(rows, ("words", "examples", "scorer", "examples alone", "no encoder"), strict=True):
        cells = [text.strip() for text in row.strip("|").split("|")]
        assert cells[1:] == [cell("avatars", way, False), cell("avatars", way, True), cell("pets", way, False)], way


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
