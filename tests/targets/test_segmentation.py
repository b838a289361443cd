"""Areas: agreement of label maps, by literal counting; loss, overlay, and every form that a network may return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import Preprocessing, SegmentationTask, Target, Task, load_target, save_onnx, task_from_dict

CLASSES = ("wall", "sky", "tree", "sea")
TASK = SegmentationTask(classes=CLASSES)
LABELS = SegmentationTask(classes=CLASSES, output="labels")
MAPS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 3, (2, 1, 5, 4)))


def logits_of(labels: np.ndarray) -> Tensor:
    """Logits `[B, C, h, w]` whose largest are those of `labels` `[B, h, w]`."""
    return torch.from_numpy(np.eye(len(CLASSES), dtype=np.float32)[labels]).permute(0, 3, 1, 2) * 4


def literal_overlaps(now: np.ndarray, before: np.ndarray) -> list[float]:
    """The IoU of each class by sets of pixels; NaN where neither has it."""
    results = []
    for label in range(len(CLASSES)):
        one, other = (set(zip(*np.nonzero(labels == label), strict=True)) for labels in (now, before))
        results.append(len(one & other) / len(one | other) if one | other else float("nan"))
    return results


def literal_mean_iou(now: np.ndarray, before: np.ndarray) -> float:
    """The mean IU of Long, Shelhamer and Darrell (CVPR 2015): 1/n_cl · Σ_i n_ii / (t_i + Σ_j n_ji − n_ii).

    n_ij is the number of pixels of class i that are predicted as class j, and t_i = Σ_j n_ij. The sum is over the n_cl
    classes in the ground truth, here `before`.
    """
    n = np.zeros((len(CLASSES), len(CLASSES)))
    for true, predicted in zip(before.flat, now.flat, strict=True):
        n[true, predicted] += 1
    t = n.sum(1)
    return float(np.mean([n[i, i] / (t[i] + n[:, i].sum() - n[i, i]) for i in range(len(CLASSES)) if t[i]]))


@given(maps=MAPS)
def test_agreement_is_the_mean_overlap_of_the_classes_of_the_original(maps: np.ndarray) -> None:
    now, before = maps
    overlaps = literal_overlaps(now[0], before[0])
    present = [label in before for label in range(len(CLASSES))]
    mean = literal_mean_iou(now[0], before[0])
    assert np.isnan(overlaps[3])
    for task, outputs in ((TASK, map(logits_of, (now, before))), (LABELS, map(torch.from_numpy, (now, before)))):
        after, original = (task.outputs(raw) for raw in outputs)
        np.testing.assert_allclose(task.overlaps(after, original)[0], overlaps, atol=1e-6)
        assert task.change(after, original).item() == pytest.approx(1 - mean, abs=1e-6)
        row, unedited = (task.recorded(one, original)[0].tolist() for one in (after, original))
        assert row[3] == -1
        assert task.view.response(row, unedited) == pytest.approx(mean, abs=1e-6)
        changes = np.where(present, 1 - np.array(overlaps), 0.0)
        np.testing.assert_allclose(task.view.parts(row, unedited).changes, changes, atol=1e-6)
        if abs(mean - 0.75) > 1e-6:
            assert bool(task.flipped(after, original)) == (mean < 0.75) == bool(task.view.state(row, unedited))
    whole = TASK.recorded(logits_of(now), logits_of(now))[0].tolist()
    assert set(whole) <= {1.0, -1.0}
    assert TASK.view.state(whole, whole) == 0


@pytest.mark.parametrize("task", [TASK, LABELS], ids=["logits", "labels"])
def test_a_stray_pixel_of_a_new_class_is_a_small_change(task: SegmentationTask) -> None:
    before = np.zeros((1, 20, 20), int)
    before[0, 10:] = 1
    now = before.copy()
    now[0, 0, 0] = 2  # one pixel of 200 is taken from class 0
    after, original = (logits_of(one) if task is TASK else torch.from_numpy(one).byte() for one in (now, before))
    assert task.change(after, original).item() == pytest.approx(1 - (199 / 200 + 1) / 2, abs=1e-6)
    assert not task.flipped(after, original)
    row, unedited = (task.recorded(one, original)[0].tolist() for one in (after, original))
    assert task.view.state(row, unedited) == task.view.state(unedited, unedited)
    assert task.view.parts(row, unedited).changes == pytest.approx([1 / 200, 0, 0, 0], abs=1e-6)
    back = task.change(original, after).item()
    assert back == pytest.approx(1 - (199 / 200 + 1 + 0) / 3, abs=1e-6), "a class of the original that vanishes counts"


def test_one_class_can_be_the_one_that_counts() -> None:
    before = np.zeros((1, 4, 4), int)
    before[0, :2] = 1
    now = before.copy()
    now[0, 0, :] = 2
    for chosen in ("sky", 1):
        sky = SegmentationTask(classes=CLASSES, chosen=chosen)
        assert sky.change(logits_of(now), logits_of(before)).item() == pytest.approx(0.5)
        assert sky.view.caption(logits_of(now)[0], logits_of(before)[0]) == "IoU 0.50"
        assert sky.view.state_name(1) == "another area of “sky”"
        assert sky.view.change_in_words(0.5) == "0.50 IoU of “sky” lost"
    nowhere = SegmentationTask(classes=CLASSES, chosen="sea")
    assert not nowhere.flipped(logits_of(now), logits_of(before)), "it is in neither picture"
    assert nowhere.flipped(logits_of(now * 0 + 3), logits_of(before)), "it appears"
    row, unedited = (nowhere.recorded(logits_of(one), logits_of(before))[0].tolist() for one in (now * 0 + 3, before))
    assert nowhere.view.state(row, unedited) == 1
    assert nowhere.view.parts(row, unedited).changes[3] == 1
    assert TASK.view.caption(logits_of(now)[0], logits_of(before)[0]) == "mIoU 0.75"
    assert TASK.view.state_name(1) == "other areas"


@pytest.mark.parametrize("chosen", [None, "sky", "sea"])
def test_the_loss_leads_away_from_the_original(chosen: str | None) -> None:
    task = SegmentationTask(classes=CLASSES, chosen=chosen)
    random = torch.Generator().manual_seed(1)
    original = torch.randn(1, 4, 6, 5, generator=random)
    original[:, 3] -= 9  # no sea
    leaf = original.clone()
    losses = []
    for _ in range(200):
        leaf = leaf.detach().requires_grad_(True)
        loss = task.loss(leaf, original).sum()
        (slope,) = torch.autograd.grad(loss, leaf)
        assert slope.isfinite().all()
        losses.append(loss.item())
        leaf = leaf - 0.2 * slope.sign()
    assert losses[-1] < losses[0]
    assert task.flipped(leaf, original)


@pytest.mark.parametrize("chosen", [None, "sky", "sea"])
def test_the_margin_is_a_count_and_slopes_as_the_loss_does(chosen: str | None) -> None:
    task = SegmentationTask(classes=CLASSES, chosen=chosen)
    original, other = torch.randn(2, 3, 4, 6, 5, generator=torch.Generator().manual_seed(3))
    for outputs in (original, other):
        leaf = outputs.clone().requires_grad_(True)
        margin = task.margin(leaf, original)
        np.testing.assert_allclose(margin.detach(), task.agreement(outputs, original) - task.threshold, atol=1e-6)
        (slope,) = torch.autograd.grad(margin.sum(), leaf)
        loss = task.loss(leaf, original)
        (push,) = torch.autograd.grad(loss.sum(), leaf)
        softplus = (1 - task.threshold) / (1 - (-loss.detach()).exp())
        np.testing.assert_allclose(slope, push * softplus[:, None, None, None], rtol=1e-4, atol=1e-9)
        assert slope.flatten(1).any(1).all()


@pytest.mark.parametrize("classes", [3, 4])
def test_the_soft_overlap_of_sure_outputs_is_the_overlap(classes: int) -> None:
    """Also where the output has a class that the original lacks."""
    random = np.random.default_rng(2)
    now, before = random.integers(0, 4, (1, 8, 8)), random.integers(0, classes, (1, 8, 8))
    sure = 30 * logits_of(now)
    wanted = literal_mean_iou(now[0], before[0])
    loss = TASK.loss(sure, logits_of(before)).item()
    assert loss == pytest.approx(np.log1p(np.exp((wanted - 0.75) / 0.25)), abs=1e-4)
    labels = LABELS.loss(torch.from_numpy(now).byte(), torch.from_numpy(before).byte())
    assert labels.item() == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize("side", [128, 512])
def test_areas_are_tinted_and_what_changed_is_hatched(side: int) -> None:
    grey = np.full((side, side, 3), 128, np.uint8)
    before = np.zeros((1, 8, 8), int)
    before[0, :, 4:] = 1
    now = before.copy()
    now[0, 4:, :4] = 2
    drawn = TASK.view.overlay(grey, logits_of(now)[0], logits_of(before)[0]).astype(int)
    assert drawn.shape == grey.shape
    quarter = side // 4
    sky = (128 + np.array([0xE6, 0x9F, 0x00])) // 2
    np.testing.assert_allclose(drawn[quarter, 3 * quarter], sky, atol=2)
    np.testing.assert_allclose(drawn[quarter, quarter], [64] * 3, atol=2)
    changed = drawn[side // 2 + 8 : side - 8, 8 : side // 2 - 8].reshape(-1, 3)
    assert (changed.min(1) > 210).mean() > 0.1, "white stripes"
    assert (changed.max(1) < 110).mean() > 0.02, "with black edges"
    tree = (128 + np.array([0x56, 0xB4, 0xE9])) // 2
    assert (np.abs(changed - tree).max(1) < 16).mean() > 0.2, "on what it became"
    assert (grey == 128).all(), "the picture itself is left alone"
    assert dict(TASK.view.legend) == {"wall": "#000000", "sky": "#e69f00", "tree": "#56b4e9", "sea": "#009e73"}
    many = SegmentationTask(classes=tuple(map(str, range(60))))
    assert len({color for _, color in many.view.legend}) == 60


def test_all_forms_of_an_output_are_the_same_areas() -> None:
    two = SegmentationTask(classes=("ground", "figure"))
    shares = SegmentationTask(classes=("ground", "figure"), output="probabilities")
    marks = SegmentationTask(classes=("ground", "figure"), output="labels")
    one = torch.randn(2, 1, 6, 7)
    wanted = (one[:, 0] > 0).byte()
    both = torch.cat([torch.zeros_like(one), one], dim=1)
    for task, raw in (
        (two, one), (two, both), (shares, one.sigmoid()), (shares, both.softmax(1)), (marks, wanted),
        (marks, wanted[:, None].float()),
    ):  # fmt: skip
        outputs = task.outputs(raw)
        result = outputs if task is marks else outputs.argmax(1)
        assert torch.equal(result.byte(), wanted), task.output
    torch.testing.assert_close(shares.outputs(one.sigmoid()).softmax(1), two.outputs(one).softmax(1))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"output": "boxes"}, "output must be 'logits', 'probabilities' or"),
        ({"classes": ["one"]}, "2 to 256 classes"),
        ({"threshold": 1}, "between 0 and 1"),
        ({"chosen": "fire"}, "chosen is 'fire'; classes are wall"),
        ({"chosen": 4}, "chosen is 4"),
        ({"colour": 1}, "colour"),
    ],
)
def test_impossible_options_are_refused_in_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint) as caught:
        task_from_dict({"task": "segmentation", "classes": list(CLASSES), **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "raw", "complaint"),
    [
        (TASK, torch.zeros(2, 3, 4, 4), r"areas of 4 classes are \[B, 4, h, w\]"),
        (TASK, torch.zeros(2, 1, 4, 4), "areas of 4 classes"),
        (TASK, torch.zeros(2, 4), "areas of 4 classes"),
        (SegmentationTask(classes=CLASSES, output="probabilities"), torch.full((1, 4, 2, 2), 3.0), "no probabilities"),
        (LABELS, torch.full((1, 2, 2), 4), "from 4 to 4; 4 classes are the whole numbers 0 to 3"),
        (LABELS, torch.full((1, 2, 2), 0.5), "from 0.5 to 0.5"),
        (LABELS, torch.zeros(1, 2), r"labels are \[B, h, w\]"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(task: SegmentationTask, raw: Tensor, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint):
        task.outputs(raw)


def test_it_is_a_task_and_comes_back_from_its_description() -> None:
    assert isinstance(TASK, Task)
    chosen = SegmentationTask(classes=CLASSES, chosen="sky", threshold=0.5)
    assert task_from_dict(chosen.to_dict()) == chosen
    assert (TASK.view.negligible_change, *TASK.view.response_axis[2:]) == (0.125, 0.75, 0.025)


class Segmenter(nn.Module):
    """Which colour channel is brightest, with a neighbourhood."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(self.layers(x) * 5, scale_factor=2.0, mode="bilinear")


IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_modules_onnx_files_and_functions_of_areas_are_the_same_target(tmp_path: Path) -> None:
    from_module = load_target(Segmenter(), task=TASK, preprocessing=Preprocessing(size=32), resolution=32)
    assert from_module(IMAGES).shape == (3, 4, 32, 32)
    save_onnx(from_module, tmp_path / "areas.onnx", resolution=32)
    read = load_target(tmp_path / "areas.onnx", resolution=32)
    assert read.task == TASK
    assert read.differentiable
    torch.testing.assert_close(read(IMAGES), from_module(IMAGES), atol=1e-4, rtol=1e-4)
    network = Segmenter()

    def labels(pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0).argmax(1).numpy()

    called = load_target(labels, classes=CLASSES, resolution=32)
    assert called.task == LABELS
    agreement = LABELS.agreement(called(IMAGES), from_module(IMAGES).argmax(1))
    assert (agreement > 0.95).all(), "but for rounding to bytes"


class Labels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.mean(1) > 2).long()  # nothing ever is


class Mask(nn.Module):
    """Says of each pixel whether it is bright."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1) > 0.5


def test_a_mask_of_true_and_false_is_a_map_of_two_labels() -> None:
    for task in (None, {"task": "segmentation", "output": "labels"}):
        target = load_target(Mask(), classes=("dark", "bright"), resolution=16, task=task)
        assert target.task.to_dict()["output"] == "labels"
        outputs = target(torch.linspace(-1, 1, 16).expand(2, 3, 16, 16))
        assert outputs[0, 0].tolist() == [0] * 8 + [1] * 8


def test_labels_have_no_gradients_and_may_be_the_same_on_noise(tmp_path: Path) -> None:
    task = SegmentationTask(classes=CLASSES[:2], output="labels")
    target = load_target(Labels(), task=task, resolution=16)
    assert isinstance(target, Target)
    assert not target.differentiable
    assert "gradient" in target.note
    save_onnx(target, tmp_path / "labels.onnx", resolution=16)
    read = load_target(tmp_path / "labels.onnx", resolution=16)
    assert read.task == task
    assert not read.differentiable
    assert read(IMAGES[:, :, :16, :16]).shape == (3, 16, 16)


@pytest.mark.parametrize("last", [(nn.Softmax(1),), (nn.Sigmoid(),), (nn.Softmax(1), nn.Upsample(scale_factor=2.0))])
def test_areas_of_a_network_that_ends_in_probabilities_are_guessed_as_these(last: tuple[nn.Module, ...]) -> None:
    """Taken for logits, the shares of a sure pixel were 0.58 and 0.21, which gradients follow."""
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), *last)
    target = load_target(network, classes=CLASSES[:3], resolution=16)
    assert target.task == SegmentationTask(classes=CLASSES[:3], output="probabilities")


def test_areas_are_guessed_where_a_class_is_named_for_each_channel() -> None:
    assert load_target(Segmenter(), classes=CLASSES, resolution=32).task == TASK
    for classes in (None, CLASSES[:3]):
        with pytest.raises(TargetError, match=r"returns \[8, 4, 32, 32\]: name a class for each channel"):
            load_target(Segmenter(), classes=classes, resolution=32)
    assert load_target(Segmenter(), task="segmentation", classes=CLASSES, resolution=32).task == TASK
    with pytest.raises(TargetError, match="classes"):
        load_target(Segmenter(), task="segmentation", resolution=32)
