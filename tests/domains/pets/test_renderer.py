"""Pictures of pets: deterministic, smooth, visible where an attribute is set; masks and key points."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from drawn import at_the_ends, coarse, difference, grown, sampled
from numpy.typing import NDArray

from zoom_engine.domains.canvas import Box
from zoom_engine.domains.pets import renderer
from zoom_engine.domains.pets.attributes import ATTRIBUTES, intervene, labels
from zoom_engine.domains.pets.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.pets.layers import ears, face, head, scene
from zoom_engine.domains.pets.parameters import PARAMETER_NAMES, SCHEME, Parameters
from zoom_engine.domains.pets.renderer import MASK_NAMES, masks, render, sample

CLASS = {name: index for index, name in enumerate(MASK_NAMES)}
POINT = {name: index for index, name in enumerate(LANDMARK_NAMES)}


pets, extremes = partial(sampled, Parameters), partial(at_the_ends, Parameters)


def test_sample_draws_from_the_stated_generator() -> None:
    images, parameters = sample(5, 12)
    assert images.dtype == np.uint8
    assert images.shape == (5, 128, 128, 3)
    assert parameters == pets(5, seed=12)
    assert (images == render(parameters)).all()


def test_rendering_is_independent_of_the_batch() -> None:
    animals = pets(19, seed=1)
    whole = render(animals)
    for row in (0, 7, 8, 18):
        assert (render(animals[row])[0] == whole[row]).all()


def test_boxes_only_save_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Painting every part over a larger rectangle gives the same pictures: no box cuts a part off."""
    animals = Parameters(np.concatenate([extremes(24, seed=2).values, pets(8).values]))
    boxed = render(animals)
    for module in (ears, face, head, scene):
        for name, value in list(vars(module).items()):
            if isinstance(value, Box):
                monkeypatch.setattr(module, name, grown(value))
    wider = render(animals)
    assert difference(boxed, wider).max() <= 2


def test_planes_stay_finite_float32() -> None:
    portrait = renderer._portrait(Parameters(np.concatenate([extremes(8).values, pets(8).values])), classes=False)
    assert portrait.rgb.dtype == np.float32
    assert np.isfinite(portrait.rgb).all()


@pytest.mark.ci
@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_pictures_are_smooth_in_each_parameter(name: str) -> None:
    """Over a fine sweep no step of 1/40 of the range makes up more than a fair part of the whole change."""
    low = SCHEME.bounds[0][SCHEME.column(name)]
    one = Parameters.neutral().replace(
        fur_ginger=0.2, collar=0.5, patch=0.6, patch_side=1.0, outdoors=0.4, ear_fold=0.5
    )
    animals = Parameters(np.repeat(one.values, 41, axis=0)).replace(**{name: np.linspace(low, 1.0, 41)})
    images = render(animals).astype(np.float32)
    path = np.abs(np.diff(images, axis=0)).mean(axis=(1, 2, 3))
    assert path.max() < max(0.2 * path.sum(), 0.5)
    assert path.sum() > 0.03, "the parameter shows"


@pytest.mark.ci
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_is_seen(attribute: str) -> None:
    """Setting an attribute changes at least 36 pixels of nine pets in ten by a step that the eye sees."""
    animals = pets(20, seed=5).replace(sleepy=0.0)  # lids hide pupils
    with_it, without = (render(intervene(animals, attribute, value)) for value in (True, False))
    changed = (difference(with_it, without).max(axis=-1) > 24).sum(axis=(1, 2))
    assert np.quantile(changed, 0.1) >= 36


@pytest.mark.parametrize("attribute", ["collar", "pink_nose", "slit_pupils", "tongue_out", "white_blaze"])
def test_an_attribute_of_the_pet_leaves_the_background_alone(attribute: str) -> None:
    change = difference(*(render(intervene(pets(16, seed=6), attribute, value)) for value in (True, False)))
    assert change[:, :10].max() <= (255 if attribute == "white_blaze" else 0)  # which takes white fur away
    if attribute != "white_blaze":
        assert change[:, :, :16].max() == 0


def test_masks_show_what_is_there() -> None:
    animals = pets(12, seed=2)
    maps = masks(animals)
    assert maps.dtype == np.uint8
    collared = labels(animals)["collar"]
    clear = np.abs(animals["collar"] - 0.5) > 0.3
    seen = (maps == CLASS["collar"]).sum(axis=(1, 2))
    assert (seen[clear & collared] > 200).all()
    assert (seen[clear & ~collared] == 0).all()
    for name in ("background", "fur", "ears", "eyes", "nose"):
        assert ((maps == CLASS[name]).sum(axis=(1, 2)) > 20).all(), name


def test_landmarks_lie_where_they_say() -> None:
    animals = pets(40, seed=3)
    maps, points = masks(animals), landmarks(animals)
    assert points.shape == (40, len(LANDMARK_NAMES), 2)
    assert points.dtype == np.float32

    def at(name: str) -> NDArray[np.uint8]:
        x, y = np.floor(points[:, POINT[name]]).astype(int).T
        return maps[np.arange(len(maps)), y, x]

    for side in ("left", "right"):
        assert (at(f"{side}_pupil") == CLASS["eyes"]).all()
        assert (at(f"{side}_nostril") == CLASS["nose"]).all()
    assert (at("nose") == CLASS["nose"]).all()
    assert (at("forehead") == CLASS["fur"]).all()
    assert (points[:, POINT["left_pupil"], 0] < points[:, POINT["right_pupil"], 0]).all()


def test_pictures_have_not_drifted() -> None:
    """The shipped weights were trained on these pictures: the mean of 64, on a 4 by 4 grid, stands."""
    mean = coarse(render(pets(64, seed=99)))
    np.testing.assert_allclose(mean, EXPECTED_MEAN, atol=1.0)


EXPECTED_MEAN = [
    [178.9, 173.2, 174.3, 179.7],
    [159.5, 121.1, 126.5, 155.0],
    [122.8, 122.2, 124.9, 121.5],
    [95.9, 112.9, 113.2, 97.0],
]
