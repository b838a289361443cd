"""Pictures of cars: deterministic, smooth, visible where an attribute is set; key points where they say."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from drawn import at_the_ends, coarse, difference, sampled

from zoom_engine.domains.cars.attributes import ATTRIBUTES, TRUTH
from zoom_engine.domains.cars.geometry import KEY_POINTS, Car, key_points
from zoom_engine.domains.cars.parameters import SCHEME, Parameters
from zoom_engine.domains.cars.renderer import render

cars, extremes = partial(sampled, Parameters), partial(at_the_ends, Parameters)


def test_a_picture_is_that_of_its_row_alone_even_at_the_ends_of_all_ranges() -> None:
    rows = Parameters(np.concatenate([extremes(6).values, cars(4).values]))
    with np.errstate(all="raise", under="ignore"):
        images = render(rows)
    assert images.dtype == np.uint8
    assert images.shape == (10, 128, 128, 3)
    assert (images[3:5] == render(rows[3:5])).all()


@pytest.mark.ci
@pytest.mark.parametrize("name", SCHEME.names)
def test_pictures_are_smooth_in_each_parameter(name: str) -> None:
    """Over a sweep no step of a sixth of the range makes up more than a fair part of the whole change."""
    low = SCHEME.bounds[0][SCHEME.column(name)]
    one = Parameters.neutral().replace(kind_compact=0.5, dirt=0.4, street=0.3, turn=0.4, spoiler=0.5, wheel_size=0.5)
    swept = Parameters(np.repeat(one.values, 7, axis=0)).replace(**{name: np.linspace(low, 1.0, 7)})
    path = np.abs(np.diff(render(swept).astype(np.float32), axis=0)).mean(axis=(1, 2, 3))
    assert path.max() < max(0.6 * path.sum(), 0.5)
    assert path.sum() > 0.03, "the parameter shows"


@pytest.mark.ci
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_is_seen(attribute: str) -> None:
    """Setting an attribute changes at least 36 pixels of a car by a step that the eye sees."""
    rows = cars(4, seed=5)
    with_it, without = (render(TRUTH.intervene(rows, attribute, value)) for value in (True, False))
    changed = (difference(with_it, without).max(axis=-1) > 24).sum(axis=(1, 2))
    assert np.sort(changed)[1] >= 36, "all but one of four"


@pytest.mark.parametrize("attribute", ["red", "spoiler", "driver", "big_wheels", "sports"])
def test_an_attribute_of_the_car_leaves_the_background_alone(attribute: str) -> None:
    rows = cars(3, seed=6).replace(night=0.0)
    change = difference(*(render(TRUTH.intervene(rows, attribute, value)) for value in (True, False)))
    assert change[:, :24].max() == 0
    assert change[:, 122:].max() == 0


def test_the_whole_car_is_in_the_picture() -> None:
    """Of the shares of a picture that change when everything about a car changes none lies at its edge."""
    one = Parameters.neutral()
    for turn in (-1.0, 1.0):
        long = [TRUTH.intervene(one.replace(turn=turn, length=1.0, spoiler=1.0), kind, True) for kind in TRUTH.colours]
        images = render(Parameters(np.concatenate([row.values for row in long])))
        change = difference(images, render(Parameters(np.concatenate([row.replace(red=1.0).values for row in long]))))
        assert change[:, :, :2].max() == 0
        assert change[:, :, -2:].max() == 0


def test_key_points_lie_on_wheels_and_lamps() -> None:
    rows = cars(12, seed=3).replace(dirt=0.0, night=0.0, street=0.0, field=0.0, snow=0.0, open_top=0.0)
    points = key_points(rows)
    assert points.shape == (12, len(KEY_POINTS), 2)
    assert points.dtype == np.float32
    assert (points[:, 0, 0] < points[:, 1, 0] - 30).all(), "cars point to the left"
    lit, unlit = render(rows.replace(night=1.0)), render(rows)
    for row, (car, at) in enumerate(zip(rows, points, strict=True)):
        (front, rear), (head, _, tail, _) = at[:2], at[2:]
        for x, y in (front, rear):
            hub = unlit[row, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].astype(int)
            assert np.ptp(hub.mean(axis=(0, 1))) < 40, "hubs are grey"
            radius = Car(car).radius * 222.0 / 9.0
            tyre = unlit[row, int(y + 0.88 * radius), int(x)]
            assert tyre.max() < 90, "below is the tyre"
        lamps = [head] * (float(car["turn"][0]) > 0.2) + [tail] * (float(car["turn"][0]) < -0.2)
        for x, y in lamps:
            spot = lit[row, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].astype(int)
            assert spot[..., 0].max() > 200, "lamps shine by night"


def test_pictures_have_not_drifted() -> None:
    """Weights are trained on these pictures: the mean of 16, on a 4 by 4 grid, stands."""
    mean = coarse(render(cars(16, seed=99)))
    np.testing.assert_allclose(mean, EXPECTED_MEAN, atol=1.0)


EXPECTED_MEAN = [
    [120.7, 124.1, 123.3, 120.3],
    [115.1, 115.8, 103.5, 107.1],
    [99.2, 57.8, 46.9, 79.9],
    [102.7, 103.9, 103.8, 106.1],
]
