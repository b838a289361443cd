"""What recorded outputs mean is said by the task that recorded them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.targets import BinaryTask, MultiClassTask, Task, task_from_dict

TASKS: tuple[BinaryTask | MultiClassTask, ...] = (
    BinaryTask(classes=("no", "yes")),
    MultiClassTask(classes=("a", "b", "c")),
)
LOGITS = st.lists(st.floats(-6, 6).map(lambda x: round(x, 2)), min_size=3, max_size=3)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@given(before=LOGITS, after=LOGITS)
def test_states_differ_where_the_prediction_flips(task: Task, before: list[float], after: list[float]) -> None:
    width = 1 if task.name == "binary" else 3
    original, edited = torch.tensor([before[:width]]), torch.tensor([after[:width]])
    first, second = (task.recorded(output, original)[0].tolist() for output in (original, edited))
    if min(abs(float(task.margin(output, output)[0])) for output in (original, edited)) > 1e-3:
        differ = task.view.state(second, first) != task.view.state(first, first)
        assert differ == bool(task.flipped(edited, original)[0])
    axis = task.view.response_axis
    assert axis.ends is not None
    assert axis.ends[0] <= task.view.response(second, first) <= axis.ends[1]
    if axis.boundary is not None and abs(task.view.response(first, first) - axis.boundary) > 1e-3:
        assert (task.view.response(first, first) > axis.boundary) == bool(task.view.state(first, first))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_comes_back_from_its_description(task: Task) -> None:
    assert task_from_dict(task.to_dict()) == task


def test_a_caption_of_several_classes_names_the_class_predicted_now_a_curve_follows_the_first() -> None:
    task = TASKS[1]
    assert "predicts for the picture" in task.view.caption_label
    assert "before the edit" in task.view.response_axis.label
    assert task.view.response([0.7, 0.2, 0.1], [0.1, 0.8, 0.1]) == 0.2
    assert task.view.response_axis.boundary is None
    assert task.view.state_name(2) == "“c”"


def test_a_binary_caption_is_the_probability_of_class_1() -> None:
    task = TASKS[0]
    assert task.view.caption_label == task.view.response_axis.label == "the probability of “yes”"
    assert task.view.response_axis.boundary == 0.5
    assert task.view.state([0.5], [0.1]) == 1


def test_classes_without_names_are_numbered() -> None:
    assert MultiClassTask(classes=("0", "1", "2")).view.state_name(2) == "class 2"
    assert BinaryTask().view.caption_label == "the model’s output"
