"""Detection: which box is the original's by literal search, loss, overlay, and every form that detectors return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from detectors import Candidates, Chosen, Faces
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.common.probes import same_answers
from zoom_engine.common.threads import quiet
from zoom_engine.targets import DetectionTask, Target, Task, load_target, save_onnx, task_from_dict
from zoom_engine.targets.entry import stacked_boxes

TASK = DetectionTask(classes=("face",), output="boxes")
YOLO = DetectionTask(classes=("face", "hand"), chosen="face", output="yolo", side=64)
FOUND = DetectionTask(classes=("nothing", "face"), chosen="face", side=64)
Box = tuple[float, float, float, float, float]


@st.composite
def boxes(draw: st.DrawFn) -> list[Box]:
    """A few boxes on a coarse grid, so that some overlap and some are the same; x0, y0, x1, y1, score."""
    results = []
    for _ in range(draw(st.integers(0, 4))):
        x, y = (draw(st.integers(0, 3)) / 8 for _ in "xy")
        width, height = (draw(st.integers(1, 5)) / 8 for _ in "wh")
        results.append((x, y, x + width, y + height, draw(st.integers(0, 20)) / 20))
    return results


def rows(*pictures: list[Box]) -> Tensor:
    """Boxes of each picture as `[B, N, 6]`, filled up with zeros."""
    count = max(map(len, pictures))
    filled = [[(*box, 0.0) for box in results] + [(0.0,) * 6] * (count - len(results)) for results in pictures]
    return torch.tensor(filled).reshape(len(pictures), count, 6)


def literal_overlap(one: Box, other: Box) -> float:
    width, height = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    both = max(width, 0) * max(height, 0)
    area, area2 = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (area + area2 - both)


@given(before=boxes(), now=boxes())
def test_the_object_is_found_where_a_sure_box_overlaps_the_surest_of_before(before: list[Box], now: list[Box]) -> None:
    original, outputs = TASK.outputs(rows(before)), TASK.outputs(rows(now))
    assert outputs.shape == (1, 300, 5)
    surest = max(before, key=lambda box: box[4], default=(0.0,) * 5)
    row, first = (TASK.recorded(output, original)[0].tolist() for output in (outputs, original))
    np.testing.assert_allclose(first, [*surest, 1], atol=1e-6)
    if surest[4] >= 0.5:
        left = [min(box[4] - 0.5, literal_overlap(box, surest) - 0.5) for box in now]
        margin = max(left, default=-0.5)
        best = [box for box, value in zip(now, left, strict=True) if value > margin - 1e-6]
        strengths = [box[4] * literal_overlap(box, surest) for box in best] or [0.0]
    else:
        margin = 0.5 - max((box[4] for box in now), default=0.0)
        strengths = [max((box[4] for box in now), default=0.0)]
    assert TASK.margin(outputs, original).item() == pytest.approx(margin, abs=1e-6)
    result = TASK.view.response(row, first)
    assert any(result == pytest.approx(strength, abs=1e-6) for strength in strengths)
    assert TASK.change(outputs, original).item() == pytest.approx(abs(result - surest[4]), abs=1e-6)
    if abs(margin) > 1e-6:
        states = TASK.view.state(row, first), TASK.view.state(first, first)
        assert bool(TASK.flipped(outputs, original)) == (margin < 0) == (states[0] != states[1])
    assert not TASK.flipped(original, original)
    assert TASK.change(original, original) == 0


def test_states_parts_and_captions_say_what_became_of_it() -> None:
    face = (0.25, 0.25, 0.75, 0.75, 0.9)
    original = TASK.outputs(rows([face]))
    for now, state, caption in (
        ([face], "“face”", "0.90"),
        ([(*face[:4], 0.6)], "“face”", "0.60"),
        ([(*face[:4], 0.4)], "no “face”", "none"),
        ([(0.25, 0.25, 0.75, 0.625, 0.8)], "“face”", "0.80 × 0.75"),
        ([(0.0, 0.0, 0.25, 0.25, 0.8)], "“face” elsewhere", "0.80 × 0.00"),
        ([], "no “face”", "none"),
    ):
        outputs = TASK.outputs(rows(now))
        row, first = (TASK.recorded(output, original)[0].tolist() for output in (outputs, original))
        assert TASK.view.state_name(TASK.view.state(row, first)) == state
        assert TASK.view.caption(outputs[0], original[0]) == caption
        assert TASK.view.parts(row, row).names == ("score", "place")
        score, overlap = (now[0][4], literal_overlap(now[0], face)) if now else (0, 0)
        np.testing.assert_allclose(TASK.view.parts(row, first).changes, [abs(score - 0.9), 1 - overlap], atol=1e-6)
    faint = TASK.outputs(rows([(0.1, 0.1, 0.2, 0.2, 0.3)]))
    assert TASK.flipped(original, faint), "it appears"
    assert TASK.view.caption(faint[0], faint[0]) == "none"
    assert TASK.view.change_in_words(0.31) == "0.31 of score × overlap"
    assert "“face”" in TASK.view.response_axis.label
    assert "none where no score reaches 0.5" in TASK.view.caption_label
    assert DetectionTask(chosen=3).view.state_name(1) == "class 3"
    assert DetectionTask().view.state_name(0) == "no object"


@pytest.mark.parametrize("score", [0.3, 0.6, 0.7, 0.9])
def test_a_score_on_the_threshold_is_enough_in_words_and_pictures_too(score: float) -> None:
    task = DetectionTask(output="boxes", score=score)
    outputs = task.outputs(rows([(0.25, 0.25, 0.75, 0.75, score)]))
    assert task.detected(outputs)
    row = task.recorded(outputs, outputs)[0].tolist()
    assert task.view.state_name(task.view.state(row, row)) == "object"
    assert task.view.caption(outputs[0], outputs[0]) == f"{score:.2f}"
    plain = np.zeros((64, 64, 3), np.uint8)
    assert (task.view.overlay(plain, outputs[0], outputs[0])[..., 0] > 180).any(), "the box now is orange"


@pytest.mark.parametrize("is_found", [True, False])
def test_the_loss_leads_away_from_what_was_found(is_found: bool) -> None:
    random = torch.Generator().manual_seed(2)
    corners, logits = torch.rand(1, 6, 2, generator=random) / 2, torch.full((1, 6), -2.0)
    logits[0, :3] = 3.0 if is_found else -1.0
    leaf = torch.cat([corners, corners + 0.4, logits[:, :, None], torch.zeros(1, 6, 1)], dim=2)

    def outputs_of(leaf: Tensor) -> Tensor:
        return TASK.outputs(torch.cat([leaf[:, :, :4], leaf[:, :, 4:5].sigmoid(), leaf[:, :, 5:]], dim=2))

    original, losses = outputs_of(leaf).detach(), []
    for _ in range(200):
        leaf = leaf.detach().requires_grad_(True)
        outputs = outputs_of(leaf)
        loss = TASK.loss(outputs, original).sum()
        (slope,) = torch.autograd.grad(loss, leaf)
        assert slope.isfinite().all()
        assert slope[:, :, 4].any(), "the score has a slope where the overlap is 1"
        losses.append(loss.item())
        if TASK.flipped(outputs, original):
            break
        leaf = leaf - 0.05 * slope.sign()
    assert losses[-1] < losses[0]
    assert TASK.flipped(outputs, original)


@pytest.mark.parametrize("side", [128, 512])
def test_the_box_before_is_drawn_and_over_it_the_box_now(side: int) -> None:
    grey = np.full((side, side, 3), 128, np.uint8)
    original = TASK.outputs(rows([(0.25, 0.25, 0.75, 0.75, 0.9)]))[0]
    shifted, lost = TASK.outputs(rows([(0.25, 0.4, 0.75, 0.9, 0.7)], [(0.25, 0.25, 0.75, 0.75, 0.2)]))
    (now, orange), (before, blue) = TASK.view.legend
    assert (now, before) == ("the box now", "the box before the edit")

    def has(picture: np.ndarray, color: str) -> np.ndarray:
        """Which rows of a column through the middle have about that colour."""
        far = np.abs(picture[:, side // 2].astype(int) - np.array(list(bytes.fromhex(color[1:])))).max(1)
        return np.flatnonzero(far < 40) / side

    drawn = TASK.view.overlay(grey, shifted, original)
    assert drawn.shape == grey.shape
    np.testing.assert_allclose(has(drawn, orange)[[0, -1]], [0.4, 0.9], atol=0.03)
    np.testing.assert_allclose(has(drawn, blue)[[0, -1]], [0.25, 0.75], atol=0.03)
    assert not has(TASK.view.overlay(grey, lost, original), orange).size, "there is no box now"
    assert has(TASK.view.overlay(grey, original, original), orange).size
    assert (TASK.view.overlay(grey, lost, lost) == 128).all(), "nothing was found"
    far_off = TASK.outputs(rows([(-1.5, 0.2, 0.1, 0.9, 0.9)]))[0]
    assert (TASK.view.overlay(grey, far_off, far_off) != 128).any(), "of a box that reaches far outside too"


IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(4)) * 0.2 - 1
IMAGES[:, :, 10:50, 16:40] += torch.tensor([1.5, 1.2, 0.9])[:, None, None, None]
LIT = {"value_range": (0.0, 1.0)}


def test_networks_files_and_functions_of_every_form_are_the_same_target(tmp_path: Path) -> None:
    from_module = load_target(Faces(64), task=TASK, preprocessing=LIT, resolution=64)
    wanted = from_module(IMAGES)
    assert (wanted[:, 0, 4] > 0.7).all()
    np.testing.assert_allclose(wanted[:, 0, :4], [[0.25, 0.16, 0.63, 0.72]] * 3, atol=0.05)
    yolo = load_target(Candidates(64), task=YOLO, preprocessing=LIT, resolution=64)
    chosen = load_target(Chosen(64), task=FOUND, preprocessing=LIT, resolution=64)
    for target in (from_module, yolo):
        save_onnx(target, tmp_path / f"{target.task.to_dict()['output']}.onnx", resolution=64)
    files = [load_target(tmp_path / f"{name}.onnx", resolution=64) for name in ("boxes", "yolo")]
    assert [file.task for file in files] == [TASK, YOLO]
    network = Chosen(64)

    def listed(pictures: np.ndarray) -> list[dict[str, np.ndarray]]:
        with torch.no_grad():
            results = network(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0)
        return [{name: part.numpy() for name, part in boxes_of_image.items()} for boxes_of_image in results]

    called = load_target(listed, task=FOUND, resolution=64)
    for target, exactly in ((yolo, 1e-5), (chosen, 1e-5), (files[0], 1e-4), (files[1], 1e-4), (called, 0.02)):
        results = target(IMAGES)
        torch.testing.assert_close(results[:, 0], wanted[:, 0], atol=exactly, rtol=0)
        assert target.differentiable == (target in (from_module, yolo, *files))
        assert not target.task.change(results, wanted).gt(2 * exactly).any()
    leaf = IMAGES.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(files[1].task.loss(files[1](leaf), wanted).sum(), leaf)
    assert slope.flatten(1).any(1).all()


class Hides(nn.Module):
    """Finds nothing in what is not nearly white, as a detector finds nothing in noise."""

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        return [
            {
                "boxes": torch.tensor([[0.2, 0.2, 0.5, 0.5]] * n).reshape(n, 4),
                "scores": torch.full((n,), 0.9),
                "labels": torch.ones(n).long(),
            }
            for n in (x.mean((1, 2, 3)) > 0.98).long().tolist()
        ]


def test_noise_need_hold_nothing_to_find() -> None:
    target = load_target(Hides(), task="detection", resolution=16)
    assert isinstance(target, Target)
    assert not target.differentiable
    assert not target(torch.zeros(2, 3, 16, 16)).any()
    assert target(torch.ones(2, 3, 16, 16))[:, 0, 4].tolist() == pytest.approx([0.9, 0.9])
    with pytest.raises(TargetError, match="the same output for different images"):
        load_target(Hides(), task=TASK, resolution=16)


class Rounds(nn.Module):
    """A detector of thousands of unsure boxes, whose last digits depend on the machine and on how many images come."""

    def __init__(self, machine: int) -> None:
        super().__init__()
        self.machine = machine

    def forward(self, x: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0)
        rows = torch.rand(1, 4000, 6, generator=random).repeat(len(x), 1, 1)
        rows[:, :, 2:4] = rows[:, :, :2] + rows[:, :, 2:4] / 4
        rows[:, :, 4] = 1e-3 * (rows[:, :, 4] + x.mean((1, 2, 3))[:, None])
        return rows * (1 + 1e-6 * torch.randn(rows.shape, generator=random.manual_seed(self.machine + len(x))))


def test_boxes_of_about_the_same_score_come_in_any_order() -> None:
    answers, others = (
        Target(Rounds(machine), name="rounds", task=TASK, differentiable=False).check(16) for machine in (0, 100)
    )
    assert answers is not None, "the same answers each time"
    assert same_answers(answers, others)


def test_a_detector_of_torchvision_is_a_target() -> None:
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    torch.manual_seed(0)
    network = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3, detections_per_img=8)
    target = load_target(network, task={"task": "detection", "side": 64}, resolution=64, preprocessing=LIT)
    outputs = target(IMAGES)
    assert (outputs[:, 0, 4] > 0.3).all(), "of three classes, by weights that know nothing"
    assert outputs[:, :8, :4].max() <= 1
    assert not outputs[:, 8:].any()


def test_boxes_in_pixels_are_told_from_shares() -> None:
    with pytest.raises(TargetError, match=r"reach to .*: say how many pixels its input has with side \(--task-option"):
        load_target(Candidates(64), task=DetectionTask(output="yolo"), resolution=64)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_a_list_of_boxes_is_not_traced() -> None:
    with pytest.raises(TargetError, match="cannot be traced"):
        torch.jit.trace(lambda x: stacked_boxes([{"boxes": x, "scores": x[:, 0]}]), torch.zeros(2, 4))


def test_what_boxes_are_is_not_guessed() -> None:
    with pytest.raises(TargetError, match="--task detection"):
        load_target(Candidates(64), resolution=64)
    with pytest.raises(TargetError, match="--task detection"):
        load_target(Hides(), resolution=16)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"output": "masks"}, "output must be 'found', 'boxes' or 'yolo'"),
        ({"score": 1}, "score must be between 0 and 1"),
        ({"overlap": 0}, "overlap must be between 0 and 1"),
        ({"side": 0}, "input's pixels, not 0"),
        ({"chosen": "cat"}, "chosen is 'cat'; classes are face"),
        ({"chosen": 1}, "chosen is 1"),
        ({"classes": [], "chosen": "cat"}, "give its number"),
        ({"colour": 1}, "colour"),
    ],
)
def test_impossible_options_are_refused_in_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint) as caught:
        task_from_dict({"task": "detection", "classes": ["face"], **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "raw", "complaint"),
    [
        (TASK, torch.zeros(1, 3), r"boxes are \[B, N, 6 or 5"),
        (TASK, torch.zeros(1, 3, 4), r"boxes are \[B, N, 6 or 5"),
        (FOUND, torch.zeros(1, 3, 5), r"boxes are \[B, N, 6 \(corners"),
        (YOLO, torch.zeros(1, 7, 9), r"\[B, 4 \+ 2, N\]"),
        (DetectionTask(output="yolo"), torch.zeros(1, 4, 9), r"\[B, 4 \+ C, N\]"),
        (DetectionTask(output="yolo", chosen=5), torch.zeros(1, 9, 9), r"\[B, 4 \+ C, N\]"),
        (TASK, torch.full((1, 2, 6), 1.5), "no probabilities"),
        (TASK, torch.tensor([[[0, 0, 300, 300, 0.5, 0]]]), "reach to 300: say how many pixels"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(task: DetectionTask, raw: Tensor, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint):
        task.outputs(raw)


def test_a_list_of_other_shapes_is_refused() -> None:
    with pytest.raises(TargetError, match=r"not \[2, 4\], \[3\], \[3\]"):
        stacked_boxes([{"boxes": torch.zeros(2, 4), "scores": torch.zeros(3)}])


@pytest.mark.parametrize("labels", [["face"], None])
def test_labels_that_are_no_numbers_are_refused_in_a_line(labels: object) -> None:
    picture = {"boxes": torch.zeros(1, 4), "scores": torch.zeros(1), "labels": labels}
    with pytest.raises(TargetError, match=r"^boxes, scores and labels \(the numbers of classes\)"):
        stacked_boxes([picture])


def test_more_boxes_than_are_kept_are_the_surest() -> None:
    raw = torch.zeros(1, 400, 6)
    raw[0, :, 2:4], raw[0, :, 4] = 0.5, torch.linspace(0, 0.9, 400)
    outputs = TASK.outputs(raw)
    assert outputs.shape == (1, 300, 5)
    assert outputs[0, 0, 4] == pytest.approx(0.9)
    assert (outputs[0, :, 4].diff() <= 0).all()


def test_a_box_without_an_area_is_none() -> None:
    outputs = TASK.outputs(rows([(0.5, 0.2, 0.5, 0.8, 0.9), (0.6, 0.2, 0.4, 0.8, 0.8), (0.4, 0.2, 0.6, 0.8, 0.7)]))
    assert outputs[0, 0].tolist() == pytest.approx([0.4, 0.2, 0.6, 0.8, 0.7])
    assert not outputs[0, 1:, 4].any()
    assert not TASK.flipped(outputs, outputs)


def test_it_is_a_task_and_comes_back_from_its_description() -> None:
    for task in (TASK, YOLO, FOUND):
        assert isinstance(task, Task)
        assert task_from_dict(task.to_dict()) == task


class Bright(nn.Module):
    """Chooses the bright places of one picture: `[1, N, 6]`, of each picture another N."""

    def forward(self, x: Tensor) -> Tensor:
        at = torch.nonzero(nn.functional.avg_pool2d(x.mean(1, keepdim=True), 8)[0, 0] > 0.5).float().flip(1) / 8
        score = torch.full_like(at[:, :1], 0.9)
        return torch.cat([at, at + 0.125, score, 0 * score], dim=1)[None]


def test_a_file_of_one_image_may_choose_as_many_boxes_as_there_are(tmp_path: Path) -> None:
    file = str(tmp_path / "bright.onnx")
    with quiet():
        names: dict[str, Any] = {"input_names": ["x"], "output_names": ["boxes"], "dynamic_axes": {"boxes": {1: "n"}}}
        torch.onnx.export(Bright(), (torch.rand(1, 3, 64, 64),), file, dynamo=False, **names)
    target = load_target(file, task="detection")
    pictures = torch.full((3, 3, 64, 64), -1.0)
    pictures[1, :, :8, :8] = pictures[2, :, 8:16, :] = 1.0
    boxes = target(pictures)
    assert (boxes[:, :, 4] > 0).sum(dim=1).tolist() == [0, 1, 8]
    torch.testing.assert_close(boxes[1, 0], torch.tensor([0.0, 0.0, 0.125, 0.125, 0.9]))
