"""Pictures of places: deterministic, smooth, visible where an attribute is set; class maps."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from drawn import at_the_ends, coarse, difference, grown, sampled

from zoom_engine.domains import landscape
from zoom_engine.domains.canvas import Box
from zoom_engine.domains.places import building, renderer
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.parameters import KINDS, SCHEME, Parameters
from zoom_engine.domains.places.renderer import MASK_NAMES, masks, render

CLASS = {name: index for index, name in enumerate(MASK_NAMES)}


buildings, extremes = partial(sampled, Parameters), partial(at_the_ends, Parameters)


def test_rendering_is_independent_of_the_batch() -> None:
    some = buildings(11, seed=1)
    whole = render(some)
    assert whole.dtype == np.uint8
    assert whole.shape == (11, 128, 128, 3)
    for row in (0, 7, 8, 10):
        assert (render(some[row])[0] == whole[row]).all()


def test_boxes_only_save_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Painting every part over a larger rectangle gives the same pictures: no box cuts a part off."""
    some = Parameters(np.concatenate([extremes(6, seed=2).values, buildings(2).values]))
    boxed = render(some)
    for module in (building, landscape, renderer):
        for name, value in list(vars(module).items()):
            if isinstance(value, Box):
                monkeypatch.setattr(module, name, grown(value))
    exact = landscape.box_of
    monkeypatch.setattr(landscape, "box_of", lambda *sides: grown(exact(*sides)))
    assert difference(boxed, render(some)).max() <= 2


def test_planes_stay_finite_float32() -> None:
    some = Parameters(np.concatenate([extremes(8).values, buildings(8).values]))
    painted = renderer._paint(some, classes=False)
    assert painted.rgb.dtype == np.float32
    assert np.isfinite(painted.rgb).all()


@pytest.mark.ci
@pytest.mark.parametrize("name", SCHEME.names)
def test_pictures_are_smooth_in_each_parameter(name: str) -> None:
    """Over a sweep no step of 1/14 of the range makes up more than a fair part of the whole change."""
    low = SCHEME.bounds[0][SCHEME.column(name)]
    one = Parameters.neutral().replace(
        house=0.4, tower=0.3, trees=0.5, path=0.5, people=0.4, water=0.3, blue=0.6, clouds=0.6, tower_x=0.7
    )
    some = Parameters(np.repeat(one.values, 15, axis=0)).replace(**{name: np.linspace(low, 1.0, 15)})
    images = render(some).astype(np.float32)
    path = np.abs(np.diff(images, axis=0)).mean(axis=(1, 2, 3))
    assert path.max() < max(0.34 * path.sum(), 0.6)
    assert path.sum() > 0.03, "the parameter shows"


@pytest.mark.ci
@pytest.mark.parametrize("attribute", TRUTH.attributes)
def test_every_attribute_is_seen(attribute: str) -> None:
    """Setting an attribute changes at least 36 pixels of seven places in eight by a step that the eye sees."""
    some = buildings(8, seed=5).replace(fog=0.0)  # which hides by design
    with_it, without = (render(TRUTH.intervene(some, attribute, value)) for value in (True, False))
    changed = (difference(with_it, without).max(axis=-1) > 24).sum(axis=(1, 2))
    assert np.sort(changed)[1] >= 36


@pytest.mark.parametrize("attribute", ["cross", "scaffolding", "red_roof", "tall_steeple", "people", "trees"])
def test_what_is_set_leaves_the_sky_in_the_corners_alone(attribute: str) -> None:
    change = difference(*(render(TRUTH.intervene(buildings(12, seed=6), attribute, value)) for value in (True, False)))
    assert change[:, :20, :10].max() == change[:, :20, -10:].max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_class_maps_show_what_is_there(kind: str) -> None:
    some = TRUTH.intervene(buildings(6, seed=2), kind, True)
    maps = masks(some)
    assert maps.dtype == np.uint8
    share = [(maps == CLASS[name]).mean(axis=(1, 2)) for name in ("sky", "building", "ground")]
    assert (share[0] > 0.25).all()
    assert ((share[1] > 0.04) & (share[1] < 0.35)).all()
    assert (share[2] > 0.25).all()
    assert (maps[:, 0] == CLASS["sky"]).mean() > 0.9
    assert (maps[:, -1] == CLASS["ground"]).all()


def test_the_lake_mirrors_the_building() -> None:
    """What changes above the shore changes below it too, upside down."""
    still = Parameters.neutral(1).replace(water=1.0, place_x=0.0)
    change = difference(render(still.replace(brick=1.0)), render(still))
    assert change[0, 105:].max() > 24
    assert (difference(render(still), render(still.replace(water=0.0)))[:, :100] == 0).all()


def test_pictures_have_not_drifted() -> None:
    """Weights are trained on these pictures: the mean of 32, on a 4 by 4 grid, stands."""
    mean = coarse(render(buildings(32, seed=99)))
    np.testing.assert_allclose(mean, EXPECTED_MEAN, atol=1.0)


EXPECTED_MEAN = [
    [111.3, 120.5, 119.7, 111.1],
    [121.1, 122.0, 120.7, 123.6],
    [115.9, 113.5, 112.0, 114.7],
    [115.7, 111.7, 113.4, 115.8],
]
