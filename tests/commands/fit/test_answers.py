"""Answers to photographs and to generated pictures, task by task: how far apart, in its unit, and which decisions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zoom_engine.commands.fit.answers import Answers, compare_answers
from zoom_engine.targets import (
    BinaryTask,
    EmbeddingTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    SegmentationTask,
    Task,
)


def compared(task: Task, photographs: torch.Tensor, generated: torch.Tensor) -> Answers:
    target: Any = SimpleNamespace(task=task)
    return compare_answers(target, photographs, generated)


def test_of_a_class_the_fractions_of_both_are_told_and_the_probability_moves() -> None:
    random = torch.Generator().manual_seed(0)
    few, many = (torch.randn(60, 1, generator=random) * 0.1 + shift for shift in (-4.0, 4.0))
    photographs = torch.cat([few[:45], many[:15]])
    result = compared(BinaryTask(classes=("cat", "dog")), photographs, torch.cat([few[:15], many[:45]]))
    assert {one.name: (one.photographs, one.generated) for one in result.decisions} == {
        "“cat”": (0.75, 0.25),
        "“dog”": (0.25, 0.75),
    }
    assert result.distance.excess == pytest.approx(0.5, abs=0.15)
    same = compared(BinaryTask(classes=("cat", "dog")), photographs, photographs.flip(0))
    assert abs(same.distance.excess) < 0.05


def test_a_number_is_compared_in_its_unit_and_by_quantiles() -> None:
    task = RegressionTask(range=(0.0, 80.0), unit="years")
    ages = torch.linspace(20, 60, 201)[:, None]
    result = compared(task, ages, ages + 8)
    assert result.distance.excess == pytest.approx(0.1, abs=0.03)
    assert "years" in result.worded
    assert result.unit == "years"
    middle = result.decisions[1]
    assert (middle.name, middle.photographs, middle.generated) == ("50% lie below", 40.0, 48.0)
    assert not middle.share


def test_of_labels_each_has_its_fraction_and_of_classes_those_that_are_chosen() -> None:
    labels = torch.tensor([[5.0, -5.0], [5.0, 5.0]]).repeat(4, 1)
    result = compared(MultiLabelTask(classes=("old", "smiling")), labels, labels[:1].repeat(8, 1))
    assert [(one.name, one.photographs, one.generated) for one in result.decisions] == [
        ("old", 1.0, 1.0),
        ("smiling", 0.5, 0.0),
    ]
    logits = torch.eye(3)[[0, 0, 0, 1]].repeat(2, 1) * 9
    result = compared(MultiClassTask(classes=("a", "b", "c")), logits, logits)
    assert [one.name for one in result.decisions] == ["“a”", "“b”"]


def test_areas_are_compared_in_both_directions() -> None:
    """The mIoU is over the classes of one of the two pictures: of a class that only the other shows it says nothing."""
    task = SegmentationTask(classes=("wall", "sky", "tree"), output="labels")
    plain = torch.zeros(8, 4, 4, dtype=torch.uint8)
    plain[:, 2:] = 1
    wooded = plain.clone()
    wooded[:, 0] = 2  # half of the wall: mIoU (1/2 + 1)/2 from the plain one, (1/2 + 1 + 0)/3 from this one
    cost = (0.25 + 0.5) / 2
    for photographs, generated in ((plain, wooded), (wooded, plain)):
        result = compared(task, photographs, generated)
        assert result.distance.excess == result.distance.distance == pytest.approx(cost)
        assert result.distance.reference == 0


def test_an_embedding_has_a_distance_and_no_decisions() -> None:
    random = torch.Generator().manual_seed(0)
    one = torch.nn.functional.normalize(torch.randn(20, 8, generator=random), dim=1)
    result = compared(EmbeddingTask(), one, -one)
    assert result.decisions == ()
    assert 0 <= result.distance.distance <= 1
