"""Tasks: what outputs mean, by definition and by property."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, MultiClassTask, task_from_dict

CLASSES = ("cat", "dog", "fox")
logits = st.floats(-20, 20, width=32)


@given(st.lists(st.tuples(logits, logits), min_size=1, max_size=6))
def test_binary(rows: list[tuple[float, float]]) -> None:
    task = BinaryTask()
    outputs, original = (torch.tensor([[row[side]] for row in rows]) for side in (0, 1))
    for index, (new, old) in enumerate(rows):
        p, q = (1 / (1 + math.exp(-value)) for value in (new, old))
        assert task.recorded(outputs, original)[index].item() == pytest.approx(p, abs=1e-6)
        assert task.recorded(outputs, original)[index].tolist() == pytest.approx([p], abs=1e-6)
        assert task.change(outputs, original)[index].item() == pytest.approx(abs(p - q), abs=1e-6)
        flipped = (new >= 0) != (old >= 0)
        assert bool(task.flipped(outputs, original)[index]) is flipped
        margin = task.margin(outputs, original)[index].item()
        assert margin <= 0 if flipped else margin >= 0
        opposite = 0.0 if old >= 0 else 1.0
        literal = -(opposite * math.log(p + 1e-300) + (1 - opposite) * math.log(1 - p + 1e-300))
        assert task.loss(outputs, original)[index].item() == pytest.approx(literal, rel=1e-3, abs=1e-5)
        assert (
            task.view.caption(outputs[index], outputs[index]) == f"{task.recorded(outputs, original)[index].item():.2f}"
        )


@given(st.lists(st.tuples(*[logits] * 6), min_size=1, max_size=5))
def test_multiclass(rows: list[tuple[float, ...]]) -> None:
    task = MultiClassTask(classes=CLASSES)
    outputs, original = torch.tensor([row[:3] for row in rows]), torch.tensor([row[3:] for row in rows])
    p, q = outputs.softmax(1), original.softmax(1)
    torch.testing.assert_close(task.change(outputs, original), (p - q).clamp_min(0).sum(1), atol=1e-5, rtol=1e-5)
    flipped, margin = task.flipped(outputs, original), task.margin(outputs, original)
    assert torch.equal(flipped, outputs.argmax(1) != original.argmax(1))
    assert (margin[flipped] <= 0).all()
    assert (margin[~flipped] >= 0).all()
    runner_up = original.argsort(dim=1, descending=True)[:, 1]
    if len(set(original[0].tolist())) == 3:
        expected = -p.clamp_min(1e-30).log()[0, runner_up[0]]
        assert task.loss(outputs, original)[0].item() == pytest.approx(expected.item(), rel=1e-3, abs=1e-4)
    assert task.view.caption(outputs[0], outputs[0]).split()[0] in CLASSES
    assert float(task.recorded(outputs, original)[0].sum()) == pytest.approx(1, abs=1e-5)


def test_multiclass_toward_a_class() -> None:
    task = MultiClassTask(classes=CLASSES, toward=2)
    outputs = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    original = torch.tensor([[5.0, 1.0, 0.0], [0.0, 1.0, 5.0]])
    log_p = outputs.log_softmax(1)
    torch.testing.assert_close(task.loss(outputs, original), torch.stack((-log_p[0, 2], -log_p[1, 1])))


def test_the_loss_pulls_away_from_the_original() -> None:
    for task, original in (
        (BinaryTask(), torch.tensor([[2.0], [-2.0]])),
        (MultiClassTask(classes=CLASSES), torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])),
    ):
        outputs = original.clone()
        for _ in range(300):
            outputs.requires_grad_(True)
            (gradient,) = torch.autograd.grad(task.loss(outputs, original).sum(), outputs)
            outputs = (outputs - 0.5 * gradient).detach()
        assert task.flipped(outputs, original).all()
        assert (task.margin(outputs, original) < 0).all()


@pytest.mark.parametrize("count", [3, 1000, 21841])
def test_the_probabilities_of_many_classes_are_recorded_as_they_are(count: int) -> None:
    task = MultiClassTask(classes=tuple(map(str, range(count))), output="probabilities")
    given = torch.zeros(1, count)
    given[0, :2] = torch.tensor([0.6, 0.4])
    outputs = task.outputs(given)
    assert torch.allclose(task.recorded(outputs, outputs), given, rtol=0, atol=2e-6)


def test_the_forms_of_a_binary_output_agree() -> None:
    logit = torch.tensor([-3.0, 0.5, 2.0])
    forms: dict[str, torch.Tensor] = {
        "logit": logit[:, None],
        "two-logits": torch.stack((torch.full((3,), 1.0), logit + 1), 1),
        "probability": logit.sigmoid(),
        "two-probabilities": torch.stack((1 - logit.sigmoid(), logit.sigmoid()), 1),
    }
    for output, raw in forms.items():
        task = BinaryTask(output=output)  # type: ignore[arg-type]
        torch.testing.assert_close(task.outputs(raw), logit[:, None], rtol=1e-4, atol=1e-4)
    multi = MultiClassTask(classes=CLASSES, output="probabilities")
    p = torch.tensor([[0.2, 0.5, 0.3]])
    torch.testing.assert_close(multi.recorded(multi.outputs(p), multi.outputs(p)), p)
    assert BinaryTask(output="probability").outputs(torch.tensor([0.0, 1.0])).isfinite().all()


@pytest.mark.parametrize(
    ("task", "raw", "message"),
    [
        (BinaryTask(), torch.zeros(2, 3), "3 numbers per image"),
        (BinaryTask(output="two-logits"), torch.zeros(2, 1), "1 numbers per image"),
        (BinaryTask(output="probability"), torch.tensor([0.5, 1.5]), "no probabilities"),
        (MultiClassTask(classes=CLASSES), torch.zeros(2, 4), "4 numbers per image for 3 classes"),
        (
            MultiClassTask(classes=CLASSES, output="probabilities"),
            torch.tensor([[-1.0, 1, 1]]),
            "no probabilities",
        ),
    ],
)
def test_outputs_that_a_task_cannot_read(task: Any, raw: torch.Tensor, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        task.outputs(raw)


def test_tasks_survive_json() -> None:
    for task in (
        BinaryTask(classes=("no", "yes"), output="two-logits"),
        MultiClassTask(classes=CLASSES, toward=1),
    ):
        assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
    with pytest.raises(TargetError, match="unknown task 'depth'"):
        task_from_dict({"task": "depth"})
    for described, message in (
        ({"task": "regression", "range": [0, 1], "unt": "years"}, "unknown option 'unt'; did you mean 'unit'"),
        ({"task": "regression", "unit": "years"}, r"option 'range' is missing: give it \(--task-option range=…\)"),
        ({"task": "multiclass"}, r"option 'classes' is missing: give it \(--class\)"),
    ):
        with pytest.raises(TargetError, match=message):
            task_from_dict(described)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (BinaryTask, {"output": "logits"}, "choose one of logit"),
        (BinaryTask, {"classes": ("a", "b", "c")}, "two classes"),
        (MultiClassTask, {"classes": CLASSES, "output": "logit"}, "choose one of logits"),
        (MultiClassTask, {"classes": ("a",)}, "at least two"),
        (MultiClassTask, {"classes": CLASSES, "toward": 3}, "numbered 0 to 2"),
    ],
)
def test_options_are_checked(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        kind(**options)


def test_a_recorded_number_is_the_same_in_any_batch() -> None:
    """In float32 torch computes the last rows of a batch otherwise: some numbers ended in another digit."""
    logits = torch.randn(32 * 200, 1, generator=torch.Generator().manual_seed(0)) * 3

    def recorded(size: int) -> list[float]:
        parts = [BinaryTask().recorded(part, part) for part in torch.split(logits, size)]
        return [round(value, 6) for part in parts for value in part.flatten().tolist()]

    assert recorded(32) == recorded(7)
