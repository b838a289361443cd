"""Class maps and key points agree with the pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from zoom_engine.domains.avatars.attributes import intervene, labels
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.parameters import LATENT_DIM, Parameters, parameters_from_latents
from zoom_engine.domains.avatars.renderer import MASK_NAMES, masks, render

CLASS = {name: index for index, name in enumerate(MASK_NAMES)}
POINT = {name: index for index, name in enumerate(LANDMARK_NAMES)}


def faces(n: int, seed: int = 0) -> Parameters:
    return parameters_from_latents(np.random.default_rng(seed).standard_normal((n, LATENT_DIM)))


def plain(parameters: Parameters) -> Parameters:
    """The same faces with nothing that hides another part."""
    return parameters.replace(eyeglasses=0.0, bangs=0.0, beard=0.0, mustache=0.0, baldness=1.0)


def at(maps: np.ndarray, points: np.ndarray, name: str) -> np.ndarray:
    x, y = np.floor(points[:, POINT[name]]).astype(int).T
    return maps[np.arange(len(maps)), y, x]


def test_shapes_and_names() -> None:
    people = faces(3)
    maps, points = masks(people), landmarks(people)
    assert maps.dtype == np.uint8
    assert maps.shape == (3, 128, 128)
    assert maps.max() < len(MASK_NAMES) == 7
    assert points.dtype == np.float32
    assert points.shape == (3, len(LANDMARK_NAMES), 2)
    assert len(set(LANDMARK_NAMES)) == len(LANDMARK_NAMES) >= 20


def test_landmarks_lie_on_the_face() -> None:
    people = plain(faces(40, seed=1))
    maps, points = masks(people), landmarks(people)
    assert (points > 0).all()
    assert (points < 128).all()
    for side in ("left", "right"):
        assert (at(maps, points, f"{side}_pupil") == CLASS["eyes"]).all()
        assert (at(maps, points, f"{side}_nostril") == CLASS["skin"]).all()
        assert (at(maps, points, f"{side}_cheek") == CLASS["skin"]).all()
        assert (at(maps, points, f"{side}_brow_middle") == CLASS["brows"]).mean() > 0.9
    assert (at(maps, points, "nose_tip") == CLASS["skin"]).all()
    assert (at(maps, points, "chin") == CLASS["skin"]).all()
    mouth = 0.5 * (points[:, POINT["upper_lip"]] + points[:, POINT["lower_lip"]])
    x, y = np.floor(mouth).astype(int).T
    assert (maps[np.arange(len(maps)), y, x] == CLASS["mouth"]).all()


def test_eye_points_bound_the_eye_pixels() -> None:
    """The box around an eye's pixels is the box around its corners and lids, to about a pixel."""
    people = plain(faces(30, seed=2)).replace(tilt=0.0, brow_angle=0.0)
    maps, points = masks(people), landmarks(people)
    for row in range(len(people)):
        ys, xs = np.nonzero(maps[row] == CLASS["eyes"])
        left = xs < points[row, POINT["nose_bridge"], 0]
        for side, chosen in (("left", left), ("right", ~left)):
            corners = sorted(points[row, POINT[f"{side}_eye_{end}"], 0] for end in ("outer", "inner"))
            lids = (points[row, POINT[f"{side}_eye_{end}"], 1] for end in ("top", "bottom"))
            np.testing.assert_allclose([xs[chosen].min(), xs[chosen].max() + 1], corners, atol=2.1)
            np.testing.assert_allclose([ys[chosen].min(), ys[chosen].max() + 1], list(lids), atol=2.1)


def test_left_is_left_and_up_is_up_under_tilt_and_shift() -> None:
    points = landmarks(faces(60, seed=3))

    def part(name: str, axis: int) -> np.ndarray:
        return points[:, POINT[name], axis]

    for part_name in ("pupil", "nostril", "cheek", "eye_outer", "brow_middle"):
        assert (part(f"left_{part_name}", 0) < part(f"right_{part_name}", 0)).all()
    assert (part("mouth_left", 0) < part("mouth_right", 0)).all()
    chain = ("nose_bridge", "nose_tip", "upper_lip", "lower_lip", "chin")
    for upper, lower in pairwise(chain):
        assert (part(upper, 1) < part(lower, 1)).all()


def test_landmarks_turn_with_the_tilt_and_keep_their_distances() -> None:
    one = faces(1, seed=4)
    points = landmarks(Parameters(np.repeat(one.values, 3, axis=0)).replace(tilt=[-1.0, 0.0, 1.0]))
    across = points[:, POINT["right_pupil"]] - points[:, POINT["left_pupil"]]
    np.testing.assert_allclose(np.degrees(np.arctan2(across[:, 1], across[:, 0])), [-5.0, 0.0, 5.0], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), np.linalg.norm(across[1]), rtol=1e-5)


@pytest.mark.parametrize(("attribute", "mask"), [("eyeglasses", "glasses"), ("mouth_open", "mouth")])
def test_an_attribute_shows_in_its_class(attribute: str, mask: str) -> None:
    people = faces(24, seed=5).replace(mustache=0.0)
    areas = [(masks(intervene(people, attribute, value)) == CLASS[mask]).sum(axis=(1, 2)) for value in (True, False)]
    assert (areas[0] > areas[1] + 15).all()
    if mask == "glasses":
        assert (areas[1] == 0).all()


def test_hair_pixels_are_those_that_hair_colour_paints() -> None:
    """Dyeing the hair changes the pixels of hair and brows strongly, and hardly one away from them."""
    people = faces(24, seed=6).replace(lipstick=0.0, baldness=0.0, age=0.0)
    people = people.replace(**{name: np.round(people[name]) for name in ("beard", "mustache", "eyeglasses")})
    dark, light = (intervene(people, name, True) for name in ("black_hair", "blond_hair"))
    maps = masks(dark)
    assert (maps == masks(light)).all()
    change = np.abs(render(dark).astype(np.int16) - render(light).astype(np.int16)).max(axis=-1)
    painted = (maps == CLASS["hair"]) | (maps == CLASS["brows"])
    near = painted.copy()
    for _ in range(3):
        grown = near.copy()
        grown[:, 1:] |= near[:, :-1]
        grown[:, :-1] |= near[:, 1:]
        grown[:, :, 1:] |= near[:, :, :-1]
        grown[:, :, :-1] |= near[:, :, 1:]
        near = grown
    assert (change[~near] > 12).mean() < 5e-4  # tips of brows and beards too thin to be classed
    assert np.quantile(change[maps == CLASS["hair"]], 0.02) > 20


def test_background_is_free_of_the_face() -> None:
    """Skin tone, eye colour and lipstick leave (all but the edge of) the background as it was."""
    people = faces(16, seed=7)
    maps = masks(people)
    inner = maps == CLASS["background"]
    for shift in (1, 2):
        for axis in (1, 2):
            inner &= np.roll(maps, shift, axis) == CLASS["background"]
            inner &= np.roll(maps, -shift, axis) == CLASS["background"]
    inner[:, 108:] = False  # soft shadow of a beard on the neck
    plain_image, painted = render(people), render(people.replace(skin_tone=0.5, eye_color=0.5, lipstick=1.0))
    change = np.abs(plain_image.astype(np.int16) - painted.astype(np.int16)).max(axis=-1)
    assert change[inner].max() <= 2


def test_bald_heads_have_no_hair_pixels_but_beards() -> None:
    people = intervene(faces(24, seed=8), "bald", True).replace(beard=0.0, mustache=0.0)
    assert labels(people)["bald"].all()
    assert (masks(people) != CLASS["hair"]).all()
