"""The simulation of verdicts: its truth is what it says, and its rules are those of audits."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.attribute_tests import attribute_tests
from zoom_engine.statistics.intervals import Ends

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
    whole = {cell[:4] for cell in verdicts.cells() if cell.shape == "skewed" and not cell.analyses}
    assert len(whole) == 3 * 4 * 3 * 3
    assert any(cell.analyses for cell in verdicts.cells())
    assert {cell.shape for cell in verdicts.cells()} == set(verdicts.SHAPES)


def test_each_image_is_moved_along_as_many_directions_as_audits_move_it(verdicts: ModuleType) -> None:
    *_, baseline = verdicts._audit(verdicts.Cell(0.1, 0.5, 32, 3), 0, 0)
    tried = np.isfinite(baseline)
    assert set(tried.sum(axis=1)) == {verdicts.an_image(3)}
    assert np.ptp(tried.sum(axis=0)) <= 1


def test_its_rules_are_those_of_audits(verdicts: ModuleType) -> None:
    """Drawn in one go for many audits, and still the verdicts that each audit would have given."""
    cell = verdicts.Cell(0.2, 0.5, 60, 4)
    ends = Ends(60, level=confidence(1, 4), draws=40_000)
    for audit in range(4):
        _, change, _, baseline = verdicts._audit(cell, 3, audit)
        results = attribute_tests(change, baseline, verdicts.SMALLEST, "holm")
        assert list(ends.above(change, verdicts.SMALLEST)) == [one.verdict == "sensitive" for one in results]
        specific = [one.specificity == "specific" for one in results]
        assert list(verdicts._is_specific(change, baseline, 1)) == specific


def test_a_cell_counts_what_errs(verdicts: ModuleType) -> None:
    row = verdicts.simulate(verdicts.Cell(0.1, 0.2, 24, 3), audits=10)
    assert row["audits"] == 10
    assert 0 <= row["false_specific"] <= 0.3
    assert row["coverage"] >= 0.7
    looked = verdicts.simulate(verdicts.Cell(0.1, 0.2, 48, 3, analyses=True), audits=4)
    assert looked["specific_from"] > 0.1
    result = verdicts.report([row, looked], 10, 1.0)
    assert result["worst_coverage"] == min(row["coverage"], looked["coverage"])
    assert result["worst_false_specific"] == max(row["false_specific"], looked["false_specific"])


def test_no_results_are_half_written() -> None:
    """A run of hours that is stopped as it writes leaves the results of the run before, or its own."""
    scripts = {script.stem: script.read_text(encoding="utf-8") for script in BENCH.glob("*.py")}
    assert [name for name, text in scripts.items() if "json.write_text(" in text] == []
