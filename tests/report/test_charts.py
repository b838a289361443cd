"""Curves, axes and names against literal computations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.audit.records import Point, Record
from zoom_engine.report.charts import LEAST_SHOWN, axis_for, bar_for, curve_plot, ends_for
from zoom_engine.report.curves import Side, response_curve, sides
from zoom_engine.report.sentences import direction, effect
from zoom_engine.settings.attributes import Attribute, short_name
from zoom_engine.statistics.table import signed
from zoom_engine.targets import BinaryTask, KeypointsTask, MultiClassTask, RegressionTask

BINARY = BinaryTask(classes=("no", "yes")).view
THREE = MultiClassTask(classes=("a", "b", "c")).view


def record(image: int, points: dict[float, list[float]], original: list[float]) -> Record:
    trajectory = [
        Point(weights=(0.0, weight), output=tuple(output), change=0.0, label_kept=None, ssim=None)
        for weight, output in points.items()
    ]
    return Record(
        image=image,
        seed=image,
        attribute="x",
        edit_weights=(0.0, 0.0),
        original_output=tuple(original),
        output=tuple(original),
        change=0.0,
        flipped=False,
        label_kept=None,
        ssim=None,
        trajectory=tuple(trajectory),
    )


def test_the_curve_is_the_mean_over_images_of_interpolated_outputs() -> None:
    records = [
        record(0, {-10.0: [0.1], 10.0: [0.9]}, [0.5]),
        record(1, {10.0: [0.6], -10.0: [0.2], 5.0: [0.2]}, [0.4]),
        record(2, {-10.0: [0.3], 10.0: [0.3]}, [0.3]),
    ]
    curve = response_curve(records, 1, BINARY)
    assert curve is not None
    assert curve.weights[0] == -10
    assert curve.weights[-1] == 10
    at = {float(w): i for i, w in enumerate(curve.weights)}
    assert curve.mean[at[0.0]] == pytest.approx((0.5 + 0.4 + 0.3) / 3)
    assert curve.mean[at[5.0]] == pytest.approx((0.7 + 0.2 + 0.3) / 3)
    assert curve.low[at[5.0]] == pytest.approx(np.percentile([0.7, 0.2, 0.3], 25))


def test_the_curve_ends_where_fewer_than_half_of_the_images_reach() -> None:
    records = [record(0, {30.0: [0.9]}, [0.5])] + [record(i, {10.0: [0.6]}, [0.5]) for i in (1, 2)]
    curve = response_curve(records, 1, BINARY)
    assert curve is not None
    assert 9 <= curve.weights[-1] <= 10
    assert response_curve([], 1, BINARY) is None
    assert response_curve([record(0, {}, [0.5])], 1, BINARY) is None


def test_what_adding_and_removing_do_is_the_change_at_the_end_of_each_images_own_range() -> None:
    gains = replace(record(0, {5.0: [0.6], 8.0: [0.9], 30.0: [0.1]}, [0.5]), bounds=(0.0, 8.0))
    loses = replace(record(1, {-4.0: [0.2], 30.0: [0.9]}, [0.5]), bounds=(-4.0, 0.0))
    older = record(2, {-6.0: [0.4], 6.0: [0.7], 30.0: [0.9]}, [0.5])
    removing, adding = sides([gains, loses, older], 1, BINARY, (-6.0, 6.0))
    assert (removing.changes, adding.changes) == (pytest.approx((-0.3, -0.1)), pytest.approx((0.4, 0.2)))
    assert (removing.mean, adding.images) == (pytest.approx(-0.2), 2)
    assert (adding.beyond(0.3), removing.beyond(0.05)) == ((1, 0), (0, 2))
    far = gains.trajectory[1]
    lost = replace(gains, trajectory=(gains.trajectory[0], replace(far, label_kept=False)))
    assert sides([lost], 1, BINARY, (-6.0, 6.0))[1].changes == pytest.approx((0.1,)), "where the label is kept"
    unlabelled = replace(gains, trajectory=(replace(far, label_kept=False),))
    assert sides([unlabelled], 1, BINARY, (-6.0, 6.0))[1].changes == (0.0,)
    assert sides([replace(gains, trajectory=())], 1, BINARY, (-6.0, 6.0))[1].images == 0


def test_multi_class_curves_follow_the_class_first_predicted() -> None:
    curve = response_curve([record(0, {10.0: [0.7, 0.2, 0.1]}, [0.1, 0.8, 0.1])], 1, THREE)
    assert curve is not None
    assert curve.mean[0] == pytest.approx(0.8)
    assert curve.mean[-1] == pytest.approx(0.2)


@given(st.lists(st.floats(0, 1e6), max_size=6))
def test_axes_hold_their_values_with_few_round_ticks(values: list[float]) -> None:
    axis = axis_for(values)
    assert axis.end >= max(values, default=0) * (1 - 1e-9)
    assert axis.end <= max(values, default=0) * 2.5 or max(values, default=0) <= LEAST_SHOWN
    assert 2 <= len(axis.ticks) <= 6
    assert axis.ticks[0] == (0.0, "0")
    assert axis.ticks[-1][0] == 100.0
    assert float(axis.ticks[-1][1]) == pytest.approx(axis.end, rel=1e-4)


def test_bars_are_in_per_cent_of_the_axis() -> None:
    axis = axis_for([0.4])
    bar = bar_for(axis, 0.1, [0.05, 0.2])
    assert axis.end == pytest.approx(0.4)
    assert (bar.length, bar.low, bar.high) == pytest.approx((25, 12.5, 50))
    assert bar_for(axis, None, None).length == 0


def test_an_axis_without_an_end_holds_the_mean_of_few_images_and_single_points() -> None:
    view = KeypointsTask(points=("pupil",)).view
    moved = [0.9, 0.9, *[0.0] * 10]
    curve = response_curve([record(i, {30.0: [0.05 + far, 0.5]}, [0.05, 0.5]) for i, far in enumerate(moved)], 1, view)
    assert curve is not None
    assert curve.high.max() == 0
    assert curve.mean.max() == pytest.approx(0.15)
    assert ends_for(view.response_axis, [curve]) == (0.0, pytest.approx(0.15))
    assert ends_for(view.response_axis, [curve], [(0.0, 0.0), (30.0, 0.9)]) == (0.0, pytest.approx(1.0))


def test_the_axis_of_a_range_holds_numbers_beyond_it() -> None:
    view = RegressionTask(range=(0.0, 100.0)).view
    axis = view.response_axis
    for outputs, ends in (([40.0, 60.0], (0, 100)), ([-18.0, 60.0], (-20, 100)), ([40.0, 131.0], (0, 140))):
        curve = response_curve(
            [record(0, dict(zip((-30.0, 30.0), ([o] for o in outputs), strict=True)), [50.0])], 1, view
        )
        assert curve is not None
        assert ends_for(axis, [curve]) == ends
    assert ends_for(axis, [curve], [(30.0, 139.0)]) == (0, 140)


def test_curves_stay_inside_their_drawing() -> None:
    curve = response_curve([record(0, {-30.0: [-0.1], 30.0: [1.2]}, [0.5])], 1, BINARY)
    assert curve is not None
    plot = curve_plot(curve, calibrated=[-40.0, 12.0], boundary=0.5, axis=(0.0, 1.0), bound=30.0)
    points = [tuple(map(float, point.split())) for point in plot.line[1:].split("L")]
    assert all(
        plot.left <= x <= plot.width - plot.right and plot.top <= y <= plot.height - plot.bottom for x, y in points
    )
    assert plot.range is not None
    assert plot.range[0] == plot.left
    assert plot.zero < plot.range[1] < plot.width - plot.right
    assert [label for _, label in plot.weights] == ["−30", "−15", "0", "+15", "+30"]


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("a face with pale skin", "pale skin"),
        ("a smiling face", "smiling"),
        ("an old face", "old"),
        ("A face with a beard|a bearded face", "a beard"),
        ("a face wearing eyeglasses", "wearing eyeglasses"),
        ("eyeglasses", "eyeglasses"),
        ("a church at night", "a church at night"),
        ("a face", "a face"),
        ("a face with", "with"),
    ],
)
def test_short_names(attribute: str, name: str) -> None:
    assert short_name(Attribute.parse(attribute), "a face") == name


def side(*changes: float) -> Side:
    return Side(changes)


def test_effects_in_words() -> None:
    assert effect(side(-0.3, -0.1), side(0.41), negligible=0.01) == "Adding it: +0.41; removing it: −0.2 on average."
    assert effect(side(0.0), side(0.004), negligible=0.01) == "Hardly any change on average."
    assert effect(side(), side(0.3), negligible=0.01) == "Adding it: +0.3 on average."
    assert effect(side(-0.4), side(0.2), negligible=0.5) == "Hardly any change on average.", "half a year"
    assert effect(side(-0.4), side(12.34), negligible=0.5) == "Adding it: +12.3; removing it: −0.4 on average."
    assert effect(side(0.004), side(0.012), negligible=0.001) == "Adding it: +0.012; removing it: +0.004 on average."
    assert effect(side(), side(), negligible=0.01) == "Not measured yet."
    assert effect(side(0.0), side(0.412), negligible=0.0) == "Adding it: +0.41; removing it: 0 on average."


def test_directions_in_words() -> None:
    told = direction(side(-0.2, -0.3, 0.1), side(0.41), "the output", negligible=0.01)
    assert told == (
        "Adding it raises the output by 0.41 (1 image); removing it lowers the output by 0.13 on average (3 images, 1"
        " of them the other way)."
    )
    told = direction(side(-0.2, 0.2), side(0.001, 0.0), "the output", negligible=0.01)
    assert told == (
        "Adding it hardly moves the output on average (2 images); removing it moves the output both ways (of 2 images 1"
        " up, 1 down)."
    )
    assert direction(side(), side(), "the output", negligible=0.01) == ""
    told = direction(side(0.0, 0.0), side(0.2, 0.412, 0.0), "the output", negligible=0.0)  # as axes have by default
    assert told == (
        "Adding it raises the output by 0.20 on average (3 images); removing it hardly moves the output on average (2"
        " images)."
    )


@given(st.floats(-1e4, 1e4))
def test_signed_numbers_read_back(value: float) -> None:
    text = signed(value, 2)
    assert math.isclose(float(text.replace("−", "-")), round(value, 2), abs_tol=0.01)
    assert "." not in text or not text.endswith("0")
