"""Faces come to lie where the generator draws them, by their landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoom_engine.common.errors import PhotographError
from zoom_engine.diagnose.domain import KnownFace, find_domain
from zoom_engine.domains.avatars import Parameters, landmarks, render
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES
from zoom_engine.photographs import FFHQ, FacePoints, read_crops
from zoom_engine.photographs.alignment import by_points, read_landmarks

HEADER = "file,left_eye_x,left_eye_y,right_eye_x,right_eye_y,mouth_x,mouth_y"


def points_of(parameters: Parameters) -> np.ndarray:
    """Left eye, right eye and mouth, complex, in pixels of the render."""
    points = dict(zip(LANDMARK_NAMES, landmarks(parameters)[0], strict=True))
    mouth = (points["mouth_left"] + points["mouth_right"]) / 2
    return np.array([complex(*place) for place in (points["left_pupil"], points["right_pupil"], mouth)])


def test_a_moved_turned_and_enlarged_face_comes_back(tmp_path: Path) -> None:
    parameters = Parameters.from_latents(np.random.default_rng(7).standard_normal((1, 64)))
    face = render(parameters)[0]
    turn, shift = 3.1 * np.exp(0.4j), 150 + 40j  # from the render's pixels to the photograph's
    inverse = 1 / turn
    origin = -shift * inverse
    photograph = Image.fromarray(face).transform(
        (640, 620),
        Image.Transform.AFFINE,
        (inverse.real, -inverse.imag, origin.real, inverse.imag, inverse.real, origin.imag),
        resample=Image.Resampling.BICUBIC,
    )
    photograph.save(tmp_path / "face.png")
    moved = turn * points_of(parameters) + shift
    canonical = FacePoints(*((p.real / 128, p.imag / 128) for p in points_of(parameters)))
    row = ",".join(f"{value:.3f}" for p in moved for value in (p.real, p.imag))
    (tmp_path / "landmarks.csv").write_text(f"{HEADER}\nface.png,{row}\n")
    (crop,) = read_crops(tmp_path, side=128, canonical=canonical)
    assert crop.cut == "landmarks"
    assert crop.pixels is not None
    inner = slice(30, 98)
    error = np.abs(crop.pixels.astype(float) - face)[inner, inner]
    assert error.mean() < 6
    moved = np.abs(np.roll(crop.pixels, 3, axis=1).astype(float) - face)[inner, inner]
    assert moved.mean() > 2 * error.mean()


def test_json_says_the_same_as_csv_and_a_large_picture_is_not_aliased(tmp_path: Path) -> None:
    (tmp_path / "landmarks.csv").write_text(f"{HEADER}\na.png,1,2,3,2,2,4.5\n", encoding="utf-8-sig")
    result = read_landmarks(tmp_path)
    assert result == {"a.png": FacePoints((1, 2), (3, 2), (2, 4.5))}
    (tmp_path / "landmarks.csv").unlink()
    rows = {"a.png": {"left_eye": [1, 2], "right_eye": [3, 2], "mouth": [2, 4.5]}}
    (tmp_path / "landmarks.json").write_text(json.dumps(rows))
    assert read_landmarks(tmp_path) == result
    fine = np.zeros((800, 800, 3), np.uint8)
    fine[:, ::2] = 255
    whole = FacePoints(*((800 * x, 800 * y) for x, y in FFHQ))
    small = by_points(Image.fromarray(fine), whole, FFHQ, 64)
    assert np.abs(small.astype(int) - 127).max() < 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEADER}\na.png,3,2,1,2,2,4\n", "left and right are the picture's"),
        (f"{HEADER}\na.png,1,2,3,2,nan,4\n", "mouth lies in no picture"),
        (f"{HEADER}\na.png,1,nan,3,2,2,4\n", "left_eye lies in no picture"),
        (f"{HEADER}\na.png,1,2,3,2,2,x\n", "could not convert"),
        ("file,left_eye_x\na.png,1\n", "no 'left_eye_y'"),
        ("\xff\xfe", "codec"),
    ],
)
def test_landmarks_that_are_none_are_refused_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "landmarks.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(PhotographError, match=r"^landmarks.csv holds no landmarks \(.*" + says) as refused:
        read_landmarks(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_file_in_two_rows_is_refused_by_its_line(tmp_path: Path) -> None:
    rows = "a\x1b.png,1,2,3,2,2,4\nb.png,1,2,3,2,2,4\na\x1b.png,5,2,7,2,6,4\n"
    (tmp_path / "landmarks.csv").write_text(f"{HEADER}\n{rows}")
    with pytest.raises(PhotographError, match=r"^landmarks.csv, line 4: a\?\.png is in two rows: keep .* one face$"):
        read_landmarks(tmp_path)


def test_a_name_may_have_other_line_breaks_than_the_table(tmp_path: Path) -> None:
    (tmp_path / "landmarks.csv").write_bytes(f"{HEADER}\r\na\u2028b.png,1,2,3,2,2,4\r\n".encode())
    assert list(read_landmarks(tmp_path)) == ["a\u2028b.png"]


def test_a_landmark_that_no_float_holds_is_refused_in_a_line(tmp_path: Path) -> None:
    points = {"left_eye": [1, 2], "right_eye": [3, 10**400], "mouth": [2, 4]}
    (tmp_path / "landmarks.json").write_text(json.dumps({"a.png": points}))
    with pytest.raises(PhotographError, match="too large"):
        read_landmarks(tmp_path)


def test_points_far_from_the_picture_refuse_it_and_no_other(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((50, 50, 3), ord(name[0]), np.uint8)).save(tmp_path / name)
    rows = "a.png,9000,9000,9100,9000,9050,9200\nb.png,10,20,40,20,25,900000\n"
    (tmp_path / "landmarks.csv").write_text(f"{HEADER}\n{rows}")
    results = read_crops(tmp_path, side=32, canonical=FFHQ)
    assert [crop.refused for crop in results] == ["its landmarks are those of no face in it"] * 2


@pytest.mark.parametrize("name", ["avatars", "pets"])
def test_domains_say_where_their_faces_lie(name: str) -> None:
    domain = find_domain(name)
    assert isinstance(domain, KnownFace)
    assert domain.face_points is not None
    left, right, mouth = domain.face_points
    assert left[0] < mouth[0] < right[0]
    assert mouth[1] > max(left[1], right[1])


GOOD = '"left_eye": [1, 2], "right_eye": [5, 2], "mouth": [3, 6]'
HOSTILE_LANDMARKS: dict[str, tuple[str, bytes]] = {
    "deep JSON": ("landmarks.json", b"[" * 100_000),
    "JSON of many digits": ("landmarks.json", b'{"a.png": ' + b"1" * 10_000 + b"}"),
    "a place of many digits": (
        "landmarks.json",
        f'{{"a.png": {{{GOOD.replace("[1, 2]", "[1" + "0" * 400 + ", 2]")}}}}}'.encode(),
    ),
    "an infinite place": ("landmarks.json", f'{{"a.png": {{{GOOD.replace("[1, 2]", "[1e999, 2]")}}}}}'.encode()),
    "a list": ("landmarks.json", b"[1, 2]"),
    "three coordinates": ("landmarks.json", f'{{"a.png": {{{GOOD.replace("[1, 2]", "[1, 2, 3]")}}}}}'.encode()),
    "a face that is null": ("landmarks.json", b'{"a.png": null}'),
    "no UTF-8": ("landmarks.csv", b"file,\xff\xfe"),
    "zeros": ("landmarks.csv", bytes(100)),
    "a quote without end": ("landmarks.csv", f'{HEADER}\n"a.png,1,2,3,4,5,6'.encode()),
    "a field of a megabyte": ("landmarks.csv", f"{HEADER}\n{'a' * 1_000_000},1,2,3,4,5,6".encode()),
    "a field too few": ("landmarks.csv", f"{HEADER}\na.png,1,2".encode()),
    "a number that is none": ("landmarks.csv", f"{HEADER}\na.png,nan,2,3,4,5,6".encode()),
}


@pytest.mark.parametrize(("name", "content"), list(HOSTILE_LANDMARKS.values()), ids=list(HOSTILE_LANDMARKS))
def test_hostile_landmarks_are_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PhotographError, match=rf"^{name} holds no landmarks") as error:
        read_landmarks(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
