"""Bodies of planes: where rays meet them, which is nearer, and how they cover pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from zoom_engine.domains.canvas import Array, Canvas
from zoom_engine.domains.solids import Camera, Colours, Easel, Hit, Light, Plane, both_sides, corners, prism

CAMERA = Camera((0.0, 10.0, 5.0), (0.0, 0.0, 1.0), focus=200.0, middle=(64.0, 70.0))
SQUARE = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]


def box(x: float, y: float, size: float) -> tuple[list[Plane], list[tuple[float, float, float]]]:
    """Return the planes of a cube on the ground, and its corners."""
    outline = [(x + size * a, y + size * b) for a, b in SQUARE]
    planes = prism(outline, (0, 1), ["wall"] * 4, 0.0)
    planes += prism(
        [(x - size, 0.0), (x + size, 0.0), (x + size, 2 * size), (x - size, 2 * size)],
        (0, 2),
        ["floor", "", "roof", ""],
        0.0,
    )
    return planes, corners((x - size, x + size), (y - size, y + size), (0.0, 2 * size))


def painted(red: float) -> Colours:
    """Return colours that are red to this amount alone."""
    return lambda hit: [np.full_like(hit.point[0], red), np.zeros(1), np.zeros(1)]


def shown(easel: Easel) -> NDArray[np.float32]:
    rest = np.zeros((1, 1, 1), dtype=np.float32)
    canvas = Canvas(rest, rest, rest)
    easel.show(canvas)
    return canvas.rgb[:, 0]


def test_a_camera_sees_its_target_in_the_middle_and_up_above() -> None:
    assert CAMERA.seen((0.0, 0.0, 1.0)) == pytest.approx((64.0, 70.0))
    assert CAMERA.seen((1.0, 0.0, 1.0))[0] < 64.0, "from y > 0 the x axis points to the left"
    assert CAMERA.seen((0.0, 0.0, 2.0))[1] < 70.0
    x, y = CAMERA.seen((0.7, -0.4, 0.3))
    pixel = np.array([[x]], dtype=np.float32), np.array([[y]], dtype=np.float32)
    assert CAMERA.at_height(0.3, *pixel)[0].item() == pytest.approx(0.7, abs=1e-4)
    assert CAMERA.at_height(0.3, *pixel)[1].item() == pytest.approx(-0.4, abs=1e-4)


def test_rays_meet_a_body_where_it_is() -> None:
    planes, points = box(0.2, 0.1, 0.8)
    met: list[Array] = []

    def colours(hit: Hit) -> list[Array]:
        met.extend(hit.point)
        np.testing.assert_allclose(sum(n * n for n in hit.normal), 1.0, atol=1e-4)
        np.testing.assert_allclose(sum(hit.parts.values()), 1.0, atol=1e-4)
        assert hit.part("roof").max() > 0.95
        assert hit.part("wall").max() > 0.95
        assert hit.part("cellar").shape == hit.point[0].shape
        return hit.point

    easel = Easel(CAMERA, points)
    easel.solid(planes, points, colours)
    x, y, z = met
    on = np.minimum(np.abs(np.maximum(np.abs(x - 0.2), np.abs(y - 0.1)) - 0.8), np.abs(z - 1.6))
    assert on.max() < 2e-3, "every ray ends on a face"
    assert max(np.abs(x - 0.2).max(), np.abs(y - 0.1).max()) < 0.802
    assert -0.002 < z.min() < 0.1
    seen = np.array([CAMERA.seen(point) for point in points])
    covered = np.argwhere(shown(easel).sum(axis=0) > 0)[:, ::-1] + 0.5
    assert np.abs(covered.min(axis=0) - seen.min(axis=0)).max() < 1.1
    assert np.abs(covered.max(axis=0) - seen.max(axis=0)).max() < 1.1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_body_is_seen_whichever_is_painted_first(order: tuple[int, int]) -> None:
    bodies = [box(0.0, 2.0, 0.5), box(0.0, -2.0, 0.9)]
    easel = Easel(CAMERA, [*bodies[0][1], *bodies[1][1]])
    for index in order:
        easel.solid(*bodies[index], painted(float(index)))
    x, y = (int(v) for v in CAMERA.seen((0.0, 2.5, 0.5)))
    assert shown(easel)[0, y, x] == 0.0, "the first stands before the second"
    x, y = (int(v) for v in CAMERA.seen((0.0, -1.1, 1.7)))
    assert shown(easel)[0, y, x] == 1.0, "which is taller"


def test_corners_are_cut_the_more_the_sharper_they_are() -> None:
    planes = prism(SQUARE, (0, 2), ["a", "b", "", "d"], 0.1)
    assert sorted(plane.part for plane in planes) == ["a", "b", "d", "edge", "edge"], "not where an edge is open"
    for plane in planes:
        assert plane.normal[1] == 0.0
        assert np.hypot(plane.normal[0], plane.normal[2]) == pytest.approx(1.0)
        assert plane.depth([np.zeros(1)] * 3) > 0, "the middle is inside of all"
    less = 2**0.5 - 0.1 * (4 - 2 * 2**0.5)
    assert [plane.offset for plane in planes if plane.part == "edge"] == pytest.approx([less, less])
    assert both_sides([Plane((0.6, 0.8, 0.0), 1.0, "side")])[1] == Plane((0.6, -0.8, 0.0), 1.0, "side")


def test_what_faces_the_light_is_brighter_and_lacquer_mirrors_the_sky() -> None:
    light = Light((0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.2, 0.2, 0.2), (0.0, 0.0, 1.0))
    towards, away = (light.matt((0.5, 0.5, 0.5), (0.0, side, 0.0))[0].item() for side in (1.0, -1.0))
    assert towards > away > 0.0
    up, way = np.array([[0.0], [0.0], [1.0]]), np.array([[0.0], [-0.9], [-0.44]])
    red, _, blue = light.glossy((0.5, 0.0, 0.0), Hit([*way], [*up], {}, [*way]), 0.6)
    assert blue.item() > 0.1
    assert red.item() < light.matt((0.5, 0.0, 0.0), [*up])[0].item()
