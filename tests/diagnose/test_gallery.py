"""Which trials of an audit are shown, at which weights, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Record
from zoom_engine.common.files.png import Pixels
from zoom_engine.diagnose.gallery import (
    STRIP_FRAMES,
    Pick,
    build_gallery,
    picks,
    sheet_weights,
    strip_strengths,
    strip_weights,
)
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import BinaryTask, Preprocessing, Target, TaskView, task_from_dict

ATTRIBUTE = "a smiling face"
BINARY = {"task": "binary", "classes": ["without", "with"]}
THREE = {"task": "multiclass", "classes": ["cat", "dog", "fox"]}


def trial(image: int, before: list[float], after: list[float], **more: Any) -> Record:
    """A trial whose search found one point besides the unedited image, at weight 1."""
    change = sum(abs(a - b) for a, b in zip(after, before, strict=True)) / (1 if len(before) == 1 else 2)
    predicted = [int(o[0] >= 0.5) if len(o) == 1 else o.index(max(o)) for o in (before, after)]
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": ATTRIBUTE,
            "edit_weights": [1.0],
            "original_output": before,
            "output": after,
            "change": change,
            "flipped": predicted[0] != predicted[1],
            "label_kept": True,
            "ssim": 0.9,
        }
        | more
    )


def chosen(*trials: Record, task: dict[str, Any] = BINARY, **config: Any) -> list[Pick]:
    config = {
        "mode": "single",
        "search": "scan",
        "attributes": [ATTRIBUTE],
        "target_details": {"task": task},
    } | config
    return picks(Diagnosis(Manifest.of(config), trials), task_from_dict(task).view)


def shown(*trials: Record, **options: Any) -> list[tuple[str, int]]:
    return [(pick.kind, pick.record.image) for pick in chosen(*trials, **options)]


def test_one_outlier_among_images_that_do_not_move_is_not_typical() -> None:
    still = [trial(image, [0.01], [0.01 + image / 1000]) for image in range(1, 9)]
    results = chosen(*still, trial(0, [0.01], [0.94]))
    assert [(pick.kind, pick.record.image, pick.extreme) for pick in results] == [
        ("typical", 5, False),
        ("flip", 0, True),
    ]


def test_typical_is_the_median_change_where_few_images_flip() -> None:
    trials = [trial(image, [0.05], [0.05 + image / 20]) for image in range(1, 11)]
    assert shown(*trials) == [("typical", 5), ("flip", 9), ("extreme", 10), ("clearest", 10)]


def test_typical_is_the_median_of_the_decisive_flips_where_half_of_the_images_flip() -> None:
    trials = [trial(image, [0.3], [0.55 + image / 50]) for image in range(1, 6)]
    assert shown(*trials, trial(0, [0.2], [0.21])) == [("flip", 3), ("clearest", 5)]


def test_both_directions_of_a_flip_are_shown_the_more_frequent_first() -> None:
    falling = [trial(image, [0.9], [0.2 + image / 100]) for image in range(3)]
    results = chosen(*falling, trial(3, [0.1], [0.8]))
    assert [(pick.kind, pick.record.image, pick.direction) for pick in results] == [
        ("flip", 1, (1, 0)),
        ("flip", 3, (0, 1)),
    ], "and the last is the clearest"


def test_a_flip_that_hardly_moves_the_output_is_not_shown_as_one() -> None:
    near = [trial(image, [0.49], [0.5 + image / 1000]) for image in range(1, 4)]
    (pick,) = chosen(*near)
    assert (pick.kind, pick.direction, pick.decisive) == ("typical", (0, 1), False)
    assert shown(*near, decisive_change=0.01)[0][0] == "flip"


def test_directions_of_a_multi_class_flip_are_of_the_classes_predicted_not_of_class_0() -> None:
    to_dog = [trial(image, [0.4, 0.3, 0.3], [0.35 - image / 100, 0.6, 0.05]) for image in range(3)]
    to_fox = trial(3, [0.1, 0.8, 0.1], [0.2, 0.1, 0.7])
    results = chosen(*to_dog, to_fox, task=THREE)
    assert [(pick.record.image, pick.direction) for pick in results if pick.kind == "flip"] == [
        (1, (0, 1)),
        (3, (1, 2)),
    ]


def test_multi_class_moves_are_those_of_the_task() -> None:
    """Class 0 does not move at all; the others swap."""
    (pick,) = chosen(trial(0, [0.2, 0.7, 0.1], [0.2, 0.1, 0.7]), task=THREE)
    assert (pick.kind, pick.decisive, pick.direction) == ("flip", True, (1, 2))


def test_a_typical_unit_is_drawn_where_its_change_was_found() -> None:
    """The record of a trial that flips holds its nearest counterfactual, which may have moved far less."""

    def with_points(image: int, before: float, near: float, far: float) -> Record:
        points = [
            {"weights": [w], "output": [o], "change": abs(o - before), "label_kept": True, "ssim": None}
            for w, o in ((0.0, before), (1.0, near), (4.0, far), (30.0, far))
        ]
        return trial(image, [before], [near], change=abs(far - before), trajectory=points)

    results = chosen(with_points(0, 0.45, 0.52, 0.85), with_points(1, 0.1, 0.2, 0.5), with_points(2, 0.1, 0.2, 0.5))
    assert [(pick.kind, pick.record.image, list(pick.edit_weights)) for pick in results] == [("typical", 1, [4.0])]


def test_the_clearest_flip_is_the_one_that_moves_the_output_furthest_within_its_range() -> None:
    """Its counterfactual is as like the original as can be, so it hardly shows what the edit does."""

    def flipping(image: int, far: float, **more: Any) -> Record:
        points = [
            {"weights": [w], "output": [o], "change": abs(o - 0.4), "label_kept": label_kept, "ssim": None}
            for w, o, label_kept in (
                (0.0, 0.4, True),
                (1.0, 0.55, True),
                (4.0, far, True),
                (5.0, 0.96, False),
                (30.0, 0.99, True),
            )
        ]
        bounds = {"bounds": [0.0, 6.0], "change": far - 0.4}
        return trial(image, [0.4], [0.55], trajectory=points, **bounds, **more)

    results = chosen(flipping(0, 0.8), flipping(1, 0.9), flipping(2, 0.7))
    clearest = results[-1]
    assert (clearest.kind, clearest.record.image, list(clearest.edit_weights)) == ("clearest", 1, [4.0])
    assert (clearest.direction, clearest.decisive, clearest.label_kept) == ((0, 1), True, True)


def test_only_what_the_report_names_first_has_its_clearest_flip() -> None:
    names = [ATTRIBUTE, "an old face"]

    def of(name: str, image: int, after: float) -> Record:
        weights = [float(one == name) for one in names]
        return trial(image, [0.3], [after], attribute=name, edit_weights=weights)

    trials = [of(name, image, 0.6 + 0.05 * image + 0.1 * (name == names[1])) for name in names for image in range(3)]
    results = chosen(*trials, attributes=names)
    assert [(pick.record.attribute, pick.record.image) for pick in results if pick.kind == "clearest"] == [
        (names[1], 2)
    ]


def test_records_of_older_audits_say_by_their_counterfactual_whether_a_flip_is_decisive() -> None:
    old, new = trial(0, [0.45], [0.6]), trial(0, [0.45], [0.6], decisive=False)
    assert shown(old) == [("flip", 0)]
    assert shown(new) == [("typical", 0)]


def test_multi_mode_shows_several_flips_and_nothing_beyond_what_the_generator_draws() -> None:
    trials = [trial(image, [0.1], [0.6 + image / 50], attribute=None) for image in range(9)]
    beyond = trial(9, [0.01], [0.99], attribute=None, natural=False)
    assert shown(*trials, beyond, mode="multi") == [("flip", 4), ("flip", 1), ("flip", 7), ("clearest", 8)]


def test_sheets_show_the_range_that_the_audit_uses_and_its_surroundings() -> None:
    assert sheet_weights(-4.0, 10.0) == [-30.0, -4.0, -2.0, 0.0, 5.0, 10.0, 30.0]
    assert sheet_weights(-30.0, 30.0) == [-30.0, -15.0, 0.0, 15.0, 30.0]
    assert sheet_weights(-30.0, 8.0) == [-30.0, -15.0, 0.0, 4.0, 8.0, 30.0]
    assert sheet_weights(0.0, 8.0) == [-30.0, 0.0, 4.0, 8.0, 30.0]  # one way is no edit
    assert sheet_weights(-8.0, -0.0) == [-30.0, -8.0, -4.0, 0.0, 30.0]


@pytest.mark.parametrize(
    ("shown", "flip", "end", "weights", "place"),
    [
        (10, None, 10, [0, 2, 4, 6, 8, 10], 5),
        (4, 4, 10, [0, 2, 4, 6, 8, 10], 2),
        (-6, -5, -10, [0, -2, -5, -6, -8, -10], 3),
        (0.4, 0.4, 6.4, [0, 0.2, 0.4, 2.4, 4.4, 6.4], 2),
        (0, None, -5, [0, -1, -2, -3, -4, -5], 0),
        (0, None, 0, [0, 0, 0, 0, 0, 0], 0),
    ],
)
def test_a_strip_leads_through_the_whole_range(
    shown: float, flip: float | None, end: float, weights: list[float], place: int
) -> None:
    assert strip_weights(shown, flip, end) == (pytest.approx(weights), place)


@given(st.floats(0.01, 1), st.floats(0.01, 1) | st.none(), st.floats(0.5, 30) | st.floats(-30, -0.5))
def test_a_strip_has_a_picture_of_the_flip_and_of_what_it_is_shown_for(
    shown: float, flip: float | None, end: float
) -> None:
    weights, place = strip_weights(shown * end, None if flip is None else flip * end, end)
    assert len(weights) == STRIP_FRAMES
    assert weights == sorted(weights, key=abs)
    assert (weights[0], weights[-1]) == (0, pytest.approx(end, abs=1e-5))
    assert weights[place] == pytest.approx(shown * end)
    assert flip is None or any(weight == pytest.approx(flip * end, abs=1e-5) for weight in weights)


class Painter:
    """Draws pictures of one colour, that of the code."""

    def __init__(self) -> None:
        self.drawn = 0

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        self.drawn += len(codes)
        edited = codes if edit_weights is None or directions is None else codes + edit_weights @ directions
        return edited.tanh()[:, :, None, None].expand(-1, -1, 8, 8)


class Framed(type(BinaryTask().view)):  # type: ignore[misc]
    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        return pixels


class FramedTask(BinaryTask):
    @property
    def view(self) -> TaskView:
        return Framed(self)


class Red(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1].mean(dim=(2, 3))


def galleries(folder: Path, *, ranges: tuple[float, float], task: BinaryTask) -> tuple[list[int], list[list[bytes]]]:
    """How many pictures two audits of a shared cache drew of sheets, and their files."""
    drawn, files = [], []
    for name in ("first", "second"):
        manifest = Manifest.of(
            {
                "mode": "single",
                "search": "scan",
                "attributes": [ATTRIBUTE],
                "edit_range": "calibrated",
                "calibrated_range": [list(ranges)],
                "target_details": {"task": BINARY},
            }
        )
        painter = Painter()
        target = Target(Red(), name="red", task=task, preprocessing=Preprocessing())
        evaluator = Evaluator(painter, torch.tensor([[0.1, 0.0, -0.1]]), target)
        with AuditFolder.create(folder / name, manifest) as audit:
            styles = torch.tensor([[-0.2, 0.1, 0.0], [0.3, 0.0, 0.1], [0.0, 0.2, 0.4]])
            diagnosis = Diagnosis(manifest, (trial(2, [0.2], [0.3]),))
            build_gallery(
                audit,
                diagnosis,
                evaluator=evaluator,
                styles=styles,
                sheet_styles=styles[:2],
                batch_size=4,
                cache=folder / "cache",
                drawn_by={"generator": "painter"},
            )
        gallery = Gallery.load(folder / name)
        assert len(gallery.pictures) == 1
        drawn.append(painter.drawn - STRIP_FRAMES * len(gallery.strips) - 2)
        (sheet,) = gallery.sheets
        files.append([(folder / name / file).read_bytes() for row in sheet.rows for file in row])
    return drawn, files


def test_sheets_of_the_same_directions_are_drawn_once(tmp_path: Path) -> None:
    drawn, (first, second) = galleries(tmp_path, ranges=(-4.0, 3.0), task=BinaryTask())
    assert drawn == [2 * 7, 0]
    assert first == second
    assert len(set(first)) == len(first) == 2 * 7


def test_a_sheet_whose_range_ends_at_0_shows_the_unedited_picture_there(tmp_path: Path) -> None:
    (drawn, _), (files, _) = galleries(tmp_path, ranges=(0.0, 3.0), task=BinaryTask())
    assert drawn == 2 * 5
    assert len(set(files)) == 2 * 5


def test_sheets_with_the_targets_output_in_them_are_drawn_anew(tmp_path: Path) -> None:
    drawn, _ = galleries(tmp_path, ranges=(-4.0, 3.0), task=FramedTask())
    assert drawn == [2 * 7, 2 * 7]


@pytest.mark.parametrize(
    ("strengths", "shown", "flip", "end", "frames", "index"),
    [
        ([0, 1], 1.0, None, 1.0, [0, 1], 1),
        ([-3, -1, 0, 0.5, 2], 0.5, 0.5, 2.0, [0, 0.5, 2], 1),
        ([-3, -1, 0, 0.5, 2], -1.0, None, -3.0, [0, -1, -3], 1),
        ([0, 1, 2], 0.0, None, 2.0, [0, 1, 2], 0),
        (list(range(101)), 7.0, 3.0, 100.0, [0, 3, 7, 20, 40, 100], 2),
    ],
)
def test_strips_of_given_strengths_show_the_end_what_they_are_shown_for_and_the_flip(
    strengths: list[float], shown: float, flip: float | None, end: float, frames: list[float], index: int
) -> None:
    assert strip_strengths(strengths, shown, flip, end) == (frames, index)
