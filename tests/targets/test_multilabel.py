"""Several labels at once, each a decision of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import Function
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, MultiLabelTask, Task, load_target, save_onnx, task_from_dict

TASK = MultiLabelTask(classes=("hat", "beard", "smile"))
LOGITS = st.lists(st.floats(-6, 6).map(lambda x: round(x, 2)), min_size=3, max_size=3)


@given(before=LOGITS, after=LOGITS)
def test_each_label_is_a_decision_and_the_one_that_moves_most_speaks(before: list[float], after: list[float]) -> None:
    original, edited = torch.tensor([before]), torch.tensor([after])
    p, q = ([1 / (1 + math.exp(-x)) for x in row] for row in (after, before))
    assert TASK.recorded(edited, original)[0].tolist() == pytest.approx(p, abs=1e-6)
    moved = [abs(a - b) for a, b in zip(p, q, strict=True)]
    assert TASK.change(edited, original).item() == pytest.approx(max(moved), abs=1e-6)
    assert TASK.view.parts(p, q).changes == pytest.approx(moved)
    assert TASK.view.response(p, q) == pytest.approx(max(moved))
    turned = [i for i in range(3) if (after[i] >= 0) != (before[i] >= 0)]
    assert bool(TASK.flipped(edited, original)) == bool(turned)
    margin = TASK.margin(edited, original).item()
    assert margin <= 0 if turned else margin >= 0
    state = TASK.view.state(p, q)
    assert (state != TASK.view.state(q, q)) == bool(turned)
    if turned:
        most = max(turned, key=lambda i: moved[i])
        assert TASK.view.state_name(state) == f"{'' if after[most] >= 0 else 'not '}“{TASK.classes[most]}”"


def test_words() -> None:
    assert isinstance(TASK, Task)
    original, edited = torch.tensor([2.0, 0.1, -3.0]), torch.tensor([2.0, -0.1, 1.0])
    assert TASK.view.caption(original, original) == "2 labels"
    assert TASK.view.caption(edited, original) == "smile 0.73"
    assert TASK.view.state_name(TASK.view.state([0.9, 0.5, 0.1], [0.9, 0.5, 0.1])) == ""
    assert TASK.view.parts([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]).names == TASK.classes
    assert task_from_dict(TASK.to_dict()) == TASK
    assert MultiLabelTask(classes=("0", "1")).view.state_name(2) == "class 0"


def test_the_loss_turns_the_label_that_is_nearest_to_turning() -> None:
    original = torch.tensor([[3.0, -1.0, 2.0]])
    leaf = original.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(TASK.loss(leaf, original).sum(), leaf)
    assert slope[0, 1] < 0
    assert not slope[0, [0, 2]].any()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"output": "odds"}, "output must be 'logits' or"), ({"classes": ["hat"]}, "two labels"), ({"head": 1}, "head")],
)
def test_impossible_options_are_refused_in_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint) as caught:
        task_from_dict({"task": "multilabel", "classes": ["hat", "beard"], **options})
    assert "\n" not in str(caught.value)


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TargetError, match="2 numbers per image for 3 labels"):
        TASK.outputs(torch.zeros(1, 2))
    with pytest.raises(TargetError, match="no probabilities"):
        MultiLabelTask(classes=TASK.classes, output="probabilities").outputs(torch.full((1, 3), 4.0))


IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_modules_onnx_files_and_functions_are_the_same_target(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    from_module = load_target(network, task="multilabel", classes=TASK.classes, resolution=16)
    assert from_module.task == TASK
    save_onnx(from_module, tmp_path / "labels.onnx", resolution=16)
    read = load_target(tmp_path / "labels.onnx", resolution=16)
    assert read.task == TASK
    torch.testing.assert_close(read(IMAGES), from_module(IMAGES), atol=1e-5, rtol=1e-5)
    for head in (TASK.classes[1], 1):  # the file names its labels
        alone = load_target(tmp_path / "labels.onnx", head=head, resolution=16)
        assert alone.task == BinaryTask(classes=(f"not {TASK.classes[1]}", TASK.classes[1]), head=1)

    def probabilities(pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0).sigmoid().numpy()

    called = load_target(probabilities, classes=TASK.classes, resolution=16)
    assert called.task == MultiLabelTask(classes=TASK.classes, output="probabilities")
    torch.testing.assert_close(called(IMAGES), from_module(IMAGES), atol=2e-2, rtol=0)
    with pytest.raises(TargetError, match="3 numbers per image for 2 labels"):
        load_target(Function(lambda m: m), task="multilabel", classes=["a", "b"], resolution=16)
