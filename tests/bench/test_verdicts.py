"""The simulation of verdicts: its truth is what it says, and its rules are those of audits."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zoom_engine.statistics.attribute_tests import attribute_tests

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def verdicts() -> ModuleType:
    import verdicts  # its folder is on the path for a test at a time

    return verdicts


@pytest.mark.parametrize("shape", ["skewed", "flips", "even"])
def test_changes_have_the_means_that_are_asked_for(verdicts: ModuleType, shape: str) -> None:
    random = np.random.default_rng(0)
    drawn = verdicts.changes(random, np.array([0.03, 0.2]), random.standard_normal(40_000), shape)
    assert drawn.mean(axis=0) == pytest.approx([0.03, 0.2], abs=0.01)
    assert ((drawn >= 0) & (drawn <= 1)).all()


def test_the_bars_are_of_every_cell_that_is_named(verdicts: ModuleType) -> None:
    whole = {cell[:4] for cell in verdicts.cells() if cell.shape == "skewed" and not cell.auto}
    assert len(whole) == 3 * 4 * 3 * 3
    assert any(cell.auto for cell in verdicts.cells())
    assert {cell.shape for cell in verdicts.cells()} == set(verdicts.SHAPES)


def test_each_image_is_moved_along_as_many_directions_as_audits_move_it(verdicts: ModuleType) -> None:
    *_, baseline = verdicts._audit(verdicts.Cell(0.1, 0.5, 32, 3), 0, 0)
    tried = np.isfinite(baseline)
    assert set(tried.sum(axis=1)) == {verdicts.an_image(3)}
    assert np.ptp(tried.sum(axis=0)) <= 1


def test_its_rules_are_those_of_audits(verdicts: ModuleType) -> None:
    cell = verdicts.Cell(0.2, 0.5, 48, 4)
    for audit in range(4):
        _, change, _, baseline = verdicts._audit(cell, 3, audit)
        tests, tried = verdicts.tests_of(change, baseline, (48,))
        expected = attribute_tests(change, baseline, verdicts.SMALLEST, "holm")
        compared = any(one.verdict == "sensitive" for one in expected)
        assert tests == expected if compared else [one.verdict for one in tests] == [one.verdict for one in expected]
        assert list(tried) == [48] * 4


def test_audits_that_choose_take_no_more_images_than_they_need(verdicts: ModuleType) -> None:
    _, change, _, baseline = verdicts._audit(verdicts.Cell(0.2, 1.0, 384, 4, auto=True), 0, 0)
    tests, tried = verdicts.tests_of(change, baseline, (24, 48, 384))
    for one, images in zip(tests, tried, strict=True):
        assert one.verdict != "inconclusive" or images == 384
    assert min(tried) < 384


def test_a_cell_counts_what_errs(verdicts: ModuleType) -> None:
    row = verdicts.simulate(verdicts.Cell(0.1, 0.2, 24, 3), audits=10)
    assert row["audits"] == 10
    assert 0 <= row["false_specific"] <= 0.3
    assert row["coverage"] >= 0.7
    auto = verdicts.simulate(verdicts.Cell(0.1, 0.2, 48, 3, auto=True), audits=4)
    assert 24 <= auto["mean_images"] <= 48
    row_of_effect = verdicts.settling(0.4, audits=3)
    assert row_of_effect["median"] < 100
    result = verdicts.report([row, auto], [row_of_effect], 10, 1.0)
    assert result["worst_coverage"] == min(row["coverage"], auto["coverage"])
    assert result["worst_false_specific"] == max(row["false_specific"], auto["false_specific"])


def test_no_results_are_half_written() -> None:
    """A run of hours that is stopped as it writes leaves the results of the run before, or its own."""
    scripts = {script.stem: script.read_text(encoding="utf-8") for script in BENCH.glob("*.py")}
    assert [name for name, text in scripts.items() if "json.write_text(" in text] == []
