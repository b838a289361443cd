"""Signs, leakage and what is left without it, against literal computations on targets that are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from audits import ATTRIBUTES, DRAGGED, LABELS, config_of, searches

from zoom_engine.audit.records import Record
from zoom_engine.statistics.effects import (
    LARGE_SIDE_EFFECT,
    adjusted_changes,
    effects,
    effects_alone,
    has_large_side_effect,
    judged_signed,
    mean_side_effects,
    named,
)
from zoom_engine.statistics.summarise import summarise

UNSEEN = {"label_kept": None, "ssim": None}


def test_a_change_has_the_sign_that_it_has_when_the_attribute_is_added() -> None:
    results, given = effects(config_of(), searches(0.0, 0.3, -0.2)), searches(0.0, 0.3, -0.2)
    for result, signed, one in zip(results, judged_signed(results, at_end=True), given, strict=True):
        assert result.change == one.change
        assert signed == pytest.approx(one.change * (1, 1, -1)[result.column])
        assert np.abs(result.moved).max() == pytest.approx(one.change)  # the point beyond the bounds is not counted


def test_without_one_number_there_is_no_sign() -> None:
    (plain, *_) = searches(0.1, 0.1, 0.1, images=1)
    points = tuple(replace(point, output=(0.6, 0.4)) for point in plain.trajectory)
    several = replace(plain, original_output=(0.5, 0.5), output=(0.6, 0.4), trajectory=points)
    (result,) = effects(config_of(), [several])
    assert judged_signed([result], at_end=True) == [None]
    assert adjusted_changes([result], DRAGGED, at_end=True) == [None]


def test_where_the_largest_change_is_judged_so_are_its_sign_and_what_side_effects_explain() -> None:
    """Strengths to both sides of one attribute, as of brightness, made the others' ends stand beside that."""

    def record(column: int, weights: list[float], outputs: list[float]) -> Record:
        points: list[dict[str, Any]] = [
            {"weights": [w * (c == column) for c in range(3)], "output": [o], "change": abs(o - 0.2), **UNSEEN}
            for w, o in zip(weights, outputs, strict=True)
        ]
        most = max(points, key=lambda point: point["change"])
        told = {"image": 0, "seed": 0, "attribute": ATTRIBUTES[column], "edit_weights": most["weights"]}
        told |= {"original_output": [0.2], "output": most["output"], "change": most["change"], "flipped": False}
        told |= {"trajectory": points, "bounds": [min(weights), max(weights)], "scores": [1, 0, 0, 0, 0], **UNSEEN}
        return Record.from_json(told)

    one_way = record(0, [0, 1, 2], [0.2, 0.6, 0.3])
    alone, both_ways = summarise(config_of(), [one_way]), record(1, [-1, 0, 1], [0.25, 0.2, 0.25])
    beside = summarise(config_of(), [one_way, both_ways])
    for summary, change in ((alone, 0.1), (beside, 0.4)):
        (row,) = (row for row in summary.sensitivity if row.attribute.text == ATTRIBUTES[0])
        assert (row.value, row.signed_change, row.adjusted_mean_change) == pytest.approx((change,) * 3)


def test_the_matrix_holds_the_mean_changes_of_all_scores_when_the_attribute_is_added() -> None:
    given = searches(0.0, 0.0, 0.0)
    matrix = mean_side_effects(config_of(), effects(config_of(), given), given)
    assert matrix is not None
    assert matrix.shape == (3, 5)
    for column in range(3):
        rows = [r for r in given if r.attribute == ATTRIBUTES[column]]
        signed = [np.array(r.scores) * np.sign(sum(r.bounds or ())) for r in rows]
        assert matrix[column] == pytest.approx(np.mean(signed, axis=0))
    assert matrix[:, :3] == pytest.approx(DRAGGED, abs=0.12)
    assert has_large_side_effect(matrix).tolist() == [[False, True, False, True, True], [False] * 5, [False] * 5]
    assert LARGE_SIDE_EFFECT == 0.25
    texts = named(config_of(), matrix)
    assert list(texts) == ATTRIBUTES
    assert list(texts[ATTRIBUTES[0]]) == [*ATTRIBUTES, *LABELS]


def test_older_records_have_no_leakage() -> None:
    older = [replace(record, scores=None) for record in searches(0.1, 0.1, 0.1)]
    assert mean_side_effects(config_of(), effects(config_of(), older), older) is None


def test_the_regression_finds_what_each_attribute_does_by_itself() -> None:
    results = effects(config_of(), searches(0.0, 0.3, -0.1, noise=0.01))
    assert effects_alone(results, 3) == pytest.approx([0.0, 0.3, -0.1], abs=0.02)
    rows, outputs = [], []
    for effect in results:  # literally: one row for each point of each search
        assert effect.scores is not None
        rows += [share * effect.scores[:3] for share in effect.share]
        outputs += effect.moved.tolist()
    literal, *_ = np.linalg.lstsq(np.array(rows), np.array(outputs), rcond=None)
    assert effects_alone(results, 3) == pytest.approx(literal, abs=1e-3)


def test_what_is_dragged_along_is_taken_out_and_what_is_the_attribute_s_own_stays() -> None:
    def means(*effect: float) -> tuple[np.ndarray, np.ndarray]:
        given = searches(*effect)
        results = effects(config_of(), given)
        matrix = mean_side_effects(config_of(), results, given)
        assert matrix is not None
        columns = np.array([effect.column for effect in results])
        adjusted = np.array(adjusted_changes(results, matrix, at_end=True), dtype=np.float64)
        changes = np.array([effect.change for effect in results])
        return tuple(np.array([values[columns == c].mean() for c in range(3)]) for values in (changes, adjusted))

    plain, adjusted = means(0.0, 0.3, 0.0)  # planted on the second, which the first drags along
    assert plain[0] == pytest.approx(0.18, abs=0.03)
    assert adjusted[0] < 0.02
    assert adjusted[1] == pytest.approx(plain[1])
    plain, adjusted = means(0.3, 0.0, 0.0)  # planted on the first
    assert adjusted[0] == pytest.approx(plain[0], abs=0.02)
    assert adjusted[1] == pytest.approx(plain[1])
