"""Corruptions of photographs, each beside a literal definition or a property that it must have."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from zoom_engine.common.errors import ConfigError
from zoom_engine.edits.contract import check_editor
from zoom_engine.edits.corruptions import CORRUPTIONS, Corruptions, to_light, to_values, white_of

Picture = NDArray[np.uint8]
SIZES = [(16, 16), (17, 40), (63, 31), (1, 1), (1, 7), (2, 5), (300, 16)]


def edited(picture: Picture, attribute: str, strength: float, seed: int = 0) -> Picture:
    (result,) = Corruptions().edit([picture], attribute, strength, [seed])
    return np.asarray(result)


def scene(height: int = 64, width: int = 96, *, low: int = 40, high: int = 200) -> Picture:
    """Smooth colours within limits, so that neither clipping nor aliasing hides anything."""
    y, x = np.mgrid[0:height, 0:width] / 16
    waves = np.stack([np.sin(x + y), np.cos(x - 0.5 * y), np.sin(0.7 * x) * np.cos(y)], -1)
    return np.rint(low + (waves + 1) / 2 * (high - low)).astype(np.uint8)


def flat(value: int, size: tuple[int, int] = (32, 48)) -> Picture:
    return np.full((*size, 3), value, np.uint8)


def noise(size: tuple[int, int], seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def difference(one: Picture, other: Picture) -> NDArray[np.float64]:
    return np.abs(one.astype(float) - other.astype(float))


def test_it_holds_the_contract_of_editors() -> None:
    check_editor(Corruptions())


@pytest.mark.parametrize("attribute", CORRUPTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_stays_as_it_is_at_every_strength(attribute: str, size: tuple[int, int]) -> None:
    picture = noise(size)
    ends = [CORRUPTIONS[attribute].lowest, CORRUPTIONS[attribute].highest]
    for strength in (*Corruptions().strengths(attribute), *filter(None, ends)):
        result = edited(picture, attribute, strength)
        assert result.shape == picture.shape
        assert result.dtype == np.uint8


@pytest.mark.parametrize("attribute", [name for name in CORRUPTIONS if name != "JPEG"])
def test_next_to_nothing_changes_next_to_nothing(attribute: str) -> None:
    picture = scene()
    for sign in (1, -1) if CORRUPTIONS[attribute].lowest < 0 else (1,):
        # A rectangle has a pixel at least, whatever its area.
        assert (difference(edited(picture, attribute, sign * 1e-6), picture) > 1).mean() <= 1 / picture[..., 0].size


@pytest.mark.parametrize("attribute", CORRUPTIONS)
def test_a_stronger_edit_changes_more(attribute: str) -> None:
    picture = scene(low=80, high=160) if attribute in ("brightness", "contrast", "colour cast") else noise((64, 96))
    strengths = Corruptions().strengths(attribute)
    for side in ([s for s in strengths if s > 0], [-s for s in strengths if s < 0][::-1]):
        sign = 1 if side and side[0] in strengths else -1
        moved = [difference(edited(picture, attribute, sign * strength), picture).mean() for strength in side]
        if attribute in ("rotation", "scale", "crop"):  # what is moved far enough differs no more when moved farther
            assert all(change > 1 for change in moved)
        else:
            assert moved == sorted(moved)
            assert not side or moved[0] > 0


@pytest.mark.parametrize("attribute", [name for name in CORRUPTIONS if name not in ("colour cast", "noise")])
def test_grey_stays_grey(attribute: str) -> None:
    picture = np.repeat(scene()[..., :1], 3, -1)
    for strength in Corruptions().strengths(attribute):
        result = edited(picture, attribute, strength)
        assert (result == result[..., :1]).all()


@pytest.mark.parametrize("attribute", ["noise", "crop", "occlusion"])
def test_the_seed_alone_says_what_chance_does(attribute: str) -> None:
    picture, strength = scene(), Corruptions().strengths(attribute)[-1]
    assert np.array_equal(edited(picture, attribute, strength, 7), edited(picture, attribute, strength, 7))
    assert not np.array_equal(edited(picture, attribute, strength, 7), edited(picture, attribute, strength, 8))


@pytest.mark.parametrize("stops", [-3, -1, -0.5, 0.5, 1, 2])
def test_a_stop_is_twice_the_linear_light(stops: float) -> None:
    picture = scene(low=20, high=110)
    light = [to_light(it.astype(float)).mean() for it in (picture, edited(picture, "brightness", stops))]
    assert light[1] / light[0] == pytest.approx(2**stops, rel=0.01)


def test_light_is_as_the_standard_says() -> None:
    # IEC 61966-2-1: 18 % grey is at 46.1 % of the values, 50 % of the values at 21.4 % of the light.
    assert to_light(np.array([0.0, 127.5, 255.0])) == pytest.approx([0, 0.2140, 1], abs=1e-4)
    assert to_values(np.array([0.18])) / 255 == pytest.approx(0.4613, abs=1e-3)
    values = np.arange(256.0)
    assert to_values(to_light(values)) == pytest.approx(values, abs=1e-2)


@pytest.mark.parametrize("percent", [-100, -50, -25, 20])
def test_contrast_scales_what_differs_from_the_mean_grey(percent: float) -> None:
    picture = scene(low=60, high=180)
    result = edited(picture, "contrast", percent)
    middle = (picture.reshape(-1, 3).mean(0) * [0.299, 0.587, 0.114]).sum()
    literal = middle + (1 + percent / 100) * (picture.astype(float) - middle)
    assert np.abs(result - literal).max() <= 0.5
    assert result.mean(-1).std() == pytest.approx(picture.mean(-1).std() * (1 + percent / 100), abs=0.3)
    grey = result.reshape(-1, 3).mean(0) @ [0.299, 0.587, 0.114]
    assert grey == pytest.approx(middle, abs=0.5)


def test_contrast_is_torchvisions() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    picture = noise((40, 30))
    theirs = functional.adjust_contrast(torch.from_numpy(picture).permute(2, 0, 1), 1.5).permute(1, 2, 0).numpy()
    assert difference(edited(picture, "contrast", 50), theirs).max() <= 2  # they round the mean down, and the result


def test_a_warmer_light_is_redder_and_no_brighter() -> None:
    picture = flat(128)
    for mired, order in ((80, (2, 1, 0)), (-80, (0, 1, 2))):
        result = edited(picture, "colour cast", mired)[0, 0].astype(float)
        assert tuple(np.argsort(result)) == order
        luminance = to_light(result) @ [0.2126, 0.7152, 0.0722]
        assert luminance == pytest.approx(float(to_light(np.array(128.0))), rel=0.01)


def test_colours_of_black_bodies_are_those_of_the_tables() -> None:
    # x, y of Planckian radiators (CIE 15, 2 degrees): illuminant A at 2856 K; 2000 K; 5000 K; 6500 K; 10000 K.
    for kelvin, x, y in (
        (2000, 0.5267, 0.4133),
        (2856, 0.4476, 0.4074),
        (5000, 0.3451, 0.3516),
        (6500, 0.3135, 0.3237),
        (10000, 0.2807, 0.2884),
    ):
        white = white_of(kelvin)
        assert white[:2] / white.sum() == pytest.approx([x, y], abs=1e-3)


@pytest.mark.parametrize("percent", [1.0, 2.0, 4.0])
def test_blur_is_a_gaussian_of_that_width(percent: float) -> None:
    side = 200
    point = np.zeros((side, side + 30, 3), np.uint8)
    point[90:110, 100:120] = 255
    sigma = percent / 100 * side
    taps = np.arange(-50, 51)
    kernel = np.exp(-(taps**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    literal = np.apply_along_axis(np.convolve, 0, point[..., 0].astype(float), kernel, "same")
    literal = np.apply_along_axis(np.convolve, 1, literal, kernel, "same")
    assert np.abs(edited(point, "blur", percent)[..., 0] - literal).max() < 6


def test_a_flat_picture_is_blurred_to_itself() -> None:
    assert np.array_equal(edited(flat(200), "blur", 50), flat(200))


@pytest.mark.parametrize("levels", [4, 16, 32])
def test_noise_has_that_width_and_no_mean(levels: float) -> None:
    moved = edited(flat(128, (200, 200)), "noise", levels).astype(float) - 128
    assert moved.std() == pytest.approx(levels, rel=0.02)
    assert abs(moved.mean()) < 0.02 * levels
    across = np.corrcoef(moved.reshape(-1, 3).T)
    assert np.abs(across - np.eye(3)).max() < 0.02


def test_a_seeds_noise_grows_with_its_strength() -> None:
    picture = flat(128)
    weak, strong = (edited(picture, "noise", levels, 5).astype(float) - 128 for levels in (10, 20))
    assert np.abs(2 * weak - strong).max() <= 1.5


@pytest.mark.parametrize("lost", [10, 30, 70, 99])
def test_jpeg_is_pillows_file_of_the_quality_that_is_left(lost: int) -> None:
    picture = noise((33, 50))
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100 - lost)
    assert np.array_equal(edited(picture, "JPEG", lost), np.asarray(Image.open(file)))


@pytest.mark.parametrize("parts", [2, 4])
def test_a_whole_turn_in_right_angles_comes_back(parts: int) -> None:
    picture = noise((37, 37))
    result = picture
    for _ in range(parts):
        result = edited(result, "rotation", 360 / parts)
    assert np.array_equal(result, picture)


def test_a_right_angle_is_counterclockwise() -> None:
    picture = noise((20, 20))
    assert np.array_equal(edited(picture, "rotation", 90), np.rot90(picture))


@pytest.mark.parametrize("parts", [5, 12])
def test_a_whole_turn_in_parts_comes_back_within_the_middle(parts: int) -> None:
    picture = scene(96, 96)
    result = picture
    for _ in range(parts):
        result = edited(result, "rotation", 360 / parts)
    inner = slice(32, 64)
    assert difference(result, picture)[inner, inner].mean() < 2


def test_a_turn_does_not_darken() -> None:
    picture = scene(96, 96)
    for degrees in (-30, 5, 77):
        turned_back = edited(edited(picture, "rotation", degrees), "rotation", -degrees)[24:72, 24:72]
        assert abs(turned_back.astype(float).mean() - picture[24:72, 24:72].mean()) < 0.1


@pytest.mark.parametrize("size", [(64, 64), (41, 80), (80, 41)])
@pytest.mark.parametrize("degrees", [-30.0, 5.0, 45.0, 120.0])
def test_a_turn_is_what_its_definition_says_mirrored_corners_too(size: tuple[int, int], degrees: float) -> None:
    picture = scene(*size)
    height, width = size
    y, x = np.mgrid[0:height, 0:width] + 0.5
    turn = math.radians(degrees)
    x, y = x - width / 2, y - height / 2
    source_x = math.cos(turn) * x - math.sin(turn) * y + width / 2 - 0.5
    source_y = math.sin(turn) * x + math.cos(turn) * y + height / 2 - 0.5
    wanted = bilinear(picture, source_y, source_x)
    error = np.abs(edited(picture, "rotation", degrees) - wanted)
    assert np.quantile(error, 0.99) < 4
    assert error.mean() < 1


@pytest.mark.parametrize("percent", [-50.0, -25.0, 25.0, 100.0])
@pytest.mark.parametrize("size", [(64, 64), (41, 80)])
def test_a_scale_is_what_its_definition_says_mirrored_sides_too(size: tuple[int, int], percent: float) -> None:
    picture = scene(*size)
    height, width = size
    y, x = np.mgrid[0:height, 0:width] + 0.5
    factor = 1 + percent / 100
    source_x = (x - width / 2) / factor + width / 2 - 0.5
    source_y = (y - height / 2) / factor + height / 2 - 0.5
    error = np.abs(edited(picture, "scale", percent) - bilinear(picture, source_y, source_x))
    assert np.quantile(error, 0.99) < 8
    assert error.mean() < 2


def test_a_tenth_of_the_size_takes_no_hundred_pictures_and_is_the_same() -> None:
    picture = scene(300, 400)
    padded = np.pad(picture, ((1350, 1350), (1800, 1800), (0, 0)), mode="symmetric")
    literal = np.asarray(Image.fromarray(padded).resize((400, 300), Image.Resampling.BICUBIC))
    tracemalloc.start()
    try:
        shrunk = edited(picture, "scale", -90.0)
        assert tracemalloc.get_traced_memory()[1] < 20 * picture.nbytes
    finally:
        tracemalloc.stop()
    assert not difference(shrunk, literal)[2:-2, 2:-2].any()


def bilinear(picture: Picture, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The picture at places between pixels, and mirrored beyond its sides."""

    def at(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        return picture[mirrored(rows, picture.shape[0]), mirrored(columns, picture.shape[1])].astype(float)

    def mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)

    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = (y - top)[..., None], (x - left)[..., None]
    upper = at(top, left) * (1 - right) + at(top, left + 1) * right
    lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right
    result: NDArray[np.float64] = upper * (1 - down) + lower * down
    return result


def test_a_crop_enlarges_a_window_of_that_share() -> None:
    height, width = 80, 120
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([2 * x, 3 * y, 0 * x], -1).astype(np.uint8)
    windows = []
    for percent in (10.0, 40.0):
        result = edited(picture, "crop", percent, 3).astype(float)
        left, right = result[40, 1, 0] / 2, result[40, -2, 0] / 2
        top, bottom = result[1, 60, 1] / 3, result[-2, 60, 1] / 3
        assert right - left == pytest.approx((width - 3) * (1 - percent / 100), abs=1)
        assert bottom - top == pytest.approx((height - 3) * (1 - percent / 100), abs=1)
        windows.append((left, top, right, bottom))
    large, small = windows
    assert all(outer <= inner + 1 for outer, inner in zip(large[:2], small[:2], strict=True))
    assert all(outer >= inner - 1 for outer, inner in zip(large[2:], small[2:], strict=True))


@pytest.mark.parametrize("percent", [2, 10, 40, 100])
@pytest.mark.parametrize("size", [(100, 150), (33, 64)])
def test_an_occlusion_covers_that_share_of_the_area(size: tuple[int, int], percent: float) -> None:
    covered = (edited(flat(10, size), "occlusion", percent) == 128).all(-1)
    rows, columns = np.nonzero(covered)
    assert covered.mean() == pytest.approx(percent / 100, rel=0.15 if min(size) < 50 else 0.05)
    assert covered[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_a_larger_occlusion_covers_a_smaller_one() -> None:
    areas = [(edited(flat(10, (90, 70)), "occlusion", percent, 4) == 128).all(-1) for percent in (2, 10, 40)]
    for small, large in itertools.pairwise(areas):
        assert large[small].all()


def test_options_are_strengths_and_an_empty_list_leaves_one_out() -> None:
    editor = Corruptions(brightness=[-1, 1], jpeg=[70], colour_cast=[])
    assert editor.strengths("brightness") == (-1.0, 1.0)
    assert editor.strengths("JPEG") == (70.0,)
    assert "colour cast" not in editor.attributes
    assert editor.describe()["strengths"]["JPEG"] == [70.0]
    check_editor(Corruptions(blur=(0.5,)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Corruptions(blur=[0]), "none of them 0"),
        (lambda: Corruptions(blur=[2, 1]), "ascending"),
        (lambda: Corruptions(blur=[-1, 1]), "0 to 50"),
        (lambda: Corruptions(jpeg=[100]), "0 to 99"),
        (lambda: Corruptions(blur=["strong"]), "list of strengths"),
        (lambda: Corruptions(blur=[math.nan]), "list of strengths"),
        (lambda: Corruptions(blur=3), "must be a list"),
        (lambda: Corruptions(**{field.name: [] for field in dataclasses.fields(Corruptions)}), "leave all of them out"),
        (lambda: Corruptions(blurr=[3]), "did you mean 'blur'"),
        (lambda: Corruptions().strengths("smile"), "cannot change 'smile'"),
        (lambda: Corruptions().edit([flat(0)], "smile", 1.0, [0]), "cannot change 'smile'"),
    ],
)
def test_what_is_no_strength_or_no_corruption_is_one_line(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)
