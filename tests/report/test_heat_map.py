"""Which part of the output moves: means over images of each part's largest change, by literal computation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from audits import ATTRIBUTES, manifest

from zoom_engine.audit.records import Point, Record
from zoom_engine.report import write_report
from zoom_engine.report.heat_map import MOST_COLUMNS, HeatMap, heat_map
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import BinaryTask, MultiLabelTask

VIEW = MultiLabelTask(classes=("hat", "beard", "smile")).view
NAMES = {Attribute.parse(text): text.upper() for text in ATTRIBUTES}


def point(column: int, weight: float, output: list[float], *, label_kept: bool | None = None) -> Point:
    weights = [0.0] * len(ATTRIBUTES)
    weights[column] = weight
    return Point(weights=tuple(weights), output=tuple(output), change=0.0, label_kept=label_kept, ssim=None)


def record(image: int, column: int, points: list[Point], bounds: tuple[float, float] | None = None) -> Record:
    original = (0.5, 0.5, 0.5, 0.5)[: len(points[0].output)]
    return Record(
        image=image, seed=image, attribute=ATTRIBUTES[column], edit_weights=points[0].weights, original_output=original,
        output=points[0].output, change=0.0, flipped=False, label_kept=None, ssim=None, trajectory=tuple(points),
        bounds=bounds,
    )  # fmt: skip


def shown(*records: Record, mode: str = "single") -> HeatMap | None:
    return heat_map(Diagnosis(manifest(mode), tuple(records)), VIEW, NAMES)


def test_a_cell_is_the_mean_over_images_of_the_largest_change_of_its_part() -> None:
    result = shown(
        record(0, 0, [point(0, 1.0, [0.9, 0.5, 0.4]), point(0, -1.0, [0.4, 0.6, 0.5])]),
        record(1, 0, [point(0, 1.0, [0.7, 0.5, 0.5])]),
        record(0, 2, [point(2, 1.0, [0.5, 0.1, 0.5])]),
    )
    assert result is not None
    assert result.columns == VIEW.task.classes
    assert [name for name, _ in result.rows] == [ATTRIBUTES[0].upper(), ATTRIBUTES[2].upper()], "as far as measured"
    assert [[cell.text for cell in cells] for _, cells in result.rows] == [
        ["0.30", "0.05", "0.05"],
        ["0.00", "0.40", "0.00"],
    ]
    assert [cell.shade for cell in result.rows[0][1]] == pytest.approx([0.75, 0.125, 0.125])
    assert result.largest == "0.40"


def test_points_outside_the_bounds_or_of_another_label_do_not_count() -> None:
    near = point(0, 2.0, [0.6, 0.5, 0.5], label_kept=True)
    far, lost = point(0, 9.0, [0.5, 1.0, 0.5], label_kept=True), point(0, 1.0, [0.5, 0.5, 1.0], label_kept=False)
    result = shown(record(0, 0, [near, far, lost], bounds=(-3.0, 2.0000004)))
    assert result is not None
    assert [cell.text for cell in result.rows[0][1]] == ["0.10", "0.00", "0.00"]
    older = shown(record(0, 0, [near, far, lost]))
    assert older is not None
    assert [cell.text for cell in older.rows[0][1]] == ["0.10", "0.50", "0.00"]


def test_outputs_of_one_part_have_none() -> None:
    records = (record(0, 0, [point(0, 1.0, [0.9])]),)
    assert heat_map(Diagnosis(manifest(), records), BinaryTask().view, NAMES) is None
    assert shown() is None
    together = replace(record(0, 0, [point(0, 1.0, [0.9, 0.5, 0.4])]), attribute=None)
    assert shown(together, mode="multi") is None, "no attribute moves alone"


def test_of_many_parts_those_that_move_most_are_shown_in_their_own_order() -> None:
    count = MOST_COLUMNS + 5
    view = MultiLabelTask(classes=tuple(f"label {i}" for i in range(count))).view
    moved = np.random.default_rng(0).permutation(count) / 100
    moving = Record(
        image=0, seed=0, attribute=ATTRIBUTES[0], edit_weights=(1.0, 0.0, 0.0), original_output=(0.5,) * count,
        output=tuple(0.5 + moved), change=0.1, flipped=True, label_kept=None, ssim=None,
    )  # fmt: skip
    result = heat_map(Diagnosis(manifest(), (moving,)), view, NAMES)
    assert result is not None
    assert result.columns == tuple(f"label {i}" for i in range(count) if moved[i] >= 0.05)
    assert result.left_out == 5


def test_the_page_of_several_classes_has_the_table_and_one_of_two_has_none(make_audit: Any) -> None:
    names = ("cat", "<dog>", "fox")
    page = write_report(make_audit("three", classes=names)).read_text(encoding="utf-8")
    assert "What moves in the output" in page
    assert page.count('<th scope="col">&lt;dog&gt;</th>') == 1
    assert "How far the probability of each class moves: the largest change" in page
    assert "What moves in the output" not in write_report(make_audit("two")).read_text(encoding="utf-8")
