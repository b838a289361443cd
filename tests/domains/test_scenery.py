"""What things stand before: each scene hides those before it, melts into them, and is darker by night."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.domains.canvas import Canvas
from zoom_engine.domains.scenery import Surroundings, paint_glow, paint_shadow, paint_surroundings
from zoom_engine.domains.solids import Camera

STUDIO = Surroundings(0.0, 0.0, 0.0, 0.0, lightness=0.5, warmth=0.0, tint=0.0, horizon=42.0)


def picture(around: Surroundings) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    canvas = Canvas(*[np.zeros((1, 1, 1), dtype=np.float32)] * 3)
    paint_surroundings(canvas, around)
    return canvas.rgb[:, 0]


def test_each_hides_those_before_it_and_melts_into_what_is_there() -> None:
    everything = STUDIO._replace(street=1.0, field=1.0, snow=1.0)
    assert np.array_equal(picture(everything), picture(STUDIO._replace(snow=1.0)))
    assert np.array_equal(picture(everything._replace(snow=0.0)), picture(STUDIO._replace(field=1.0)))
    half = picture(STUDIO._replace(street=1.0, snow=0.5))
    whole = [picture(STUDIO._replace(**{name: 1.0})) for name in ("street", "snow")]
    np.testing.assert_allclose(half, np.mean(whole, axis=0), atol=1e-5)


@pytest.mark.parametrize("name", ["studio", "street", "field", "snow"])
def test_a_night_is_dark_and_colours_are_as_asked(name: str) -> None:
    day = STUDIO if name == "studio" else STUDIO._replace(**{name: 1.0})
    assert picture(day._replace(night=1.0)).mean() < 0.5 * picture(day).mean()
    assert picture(day._replace(lightness=1.0)).mean() > picture(day._replace(lightness=0.0)).mean() + 0.05
    warm, cold = (picture(day._replace(warmth=warmth)).mean(axis=(1, 2)) for warmth in (1.0, -1.0))
    assert warm[0] - warm[2] > cold[0] - cold[2]


def test_windows_of_a_street_are_lit_by_night() -> None:
    street = STUDIO._replace(street=1.0)
    assert (picture(street._replace(night=1.0))[0] > 0.6).sum() > 60


def test_a_shadow_lies_under_a_thing_and_a_glow_around_a_lamp() -> None:
    canvas = Canvas(*[np.zeros((1, 1, 1), dtype=np.float32)] * 3)
    canvas.rgb += 0.5
    camera = Camera((0.0, 9.0, 2.0), (0.0, 0.0, 0.5), focus=200.0, middle=(64.0, 80.0))
    paint_shadow(canvas, camera, (-1.0, 1.0), (-0.5, 0.5))
    for point, shaded in (((0.0, 0.0, 0.0), True), ((0.9, 0.4, 0.0), True), ((2.5, 0.0, 0.0), False)):
        x, y = (int(value) for value in camera.seen(point))
        assert (canvas.rgb[0, 0, y, x] < 0.3) == shaded, point
    paint_glow(canvas, (20.0, 20.0), (1.0, 0.0, 0.0), 1.0)
    assert canvas.rgb[0, 0, 19, 19] > 0.9
    assert canvas.rgb[1, 0, 19, 19] == canvas.rgb[0, 0, 19, 60] == 0.5
