"""Networks of several outputs, multi-label heads, and the user's word on what outputs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from networks import Function
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, MultiClassTask, MultiLabelTask, load_target
from zoom_engine.targets.tasks import task_from_dict
from zoom_engine.targets.tasks.guess import guess_task

IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def two(m: Tensor) -> dict[str, Tensor]:
    return {"features": m * 2, "logits": (m[:, :1] - m[:, 1:2]) * 50}


def test_one_entry_of_a_dict_or_a_tuple_is_audited() -> None:
    expected = two(((IMAGES + 1) / 2).mean((2, 3)))["logits"]
    for function, output in (
        (two, "logits"),
        (lambda m: tuple(two(m).values()), 1),
        (lambda m: [0, two(m)["logits"]], "1"),
    ):
        torch.testing.assert_close(load_target(Function(function), output=output, resolution=16)(IMAGES), expected)
    for function, output, message in (
        (two, None, "a dict with the entries features, logits, not a tensor: choose one with output"),
        (two, "boxes", "no output 'boxes': the network returns a dict with the entries features, logits"),
        (lambda m: (m, m), 2, "no output 2: the network returns a tuple of 2"),
        (lambda m: m, "logits", "the network returns one tensor"),
    ):
        with pytest.raises(TargetError, match=message) as caught:
            load_target(Function(function), output=output, resolution=16)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_a_head_of_a_multi_label_network_is_a_yes_or_no() -> None:
    network = Function(lambda m: (m - 0.5) * 40)
    target = load_target(network, head="beard", classes=["hat", "beard", "smile"], resolution=16)
    assert target.task == BinaryTask(classes=("not beard", "beard"), output="logit", head=1)
    torch.testing.assert_close(target(IMAGES), (((IMAGES + 1) / 2).mean((2, 3)) - 0.5)[:, 1:2] * 40)
    assert load_target(Function(lambda m: m), head=2, kind="probabilities", resolution=16).task.head == 2  # type: ignore[attr-defined]
    for head, message in ((7, "no head 7: choose one of 0 to 2"), ("nose", "no head 'nose'")):
        with pytest.raises(TargetError, match=message):
            load_target(network, head=head, resolution=16)
    for names in (["hat", "beard"], ["hat"], list("abcd")):
        with pytest.raises(TargetError, match=rf"has 3 outputs, but {len(names)} are named: beside a head name each"):
            load_target(network, head=2, classes=names, resolution=16)
    with pytest.raises(TargetError, match="has no head 5"):
        load_target(network, task=BinaryTask(head=5), resolution=16)
    with pytest.raises(TargetError, match="of which none is a head"):
        load_target(Function(lambda m: m[:, :, None, None].expand(-1, -1, 4, 4)), head=2, resolution=16)
    with pytest.raises(TargetError, match="one logit or one probability"):
        BinaryTask(head=0, output="two-logits")


@pytest.mark.parametrize(
    ("task", "stated", "message"),
    [
        (
            {"task": "multiclass", "classes": ["a", "b", "c"], "output": "logits"},
            {"kind": "probabilities"},
            r"kind='probabilities' .*task multiclass",
        ),
        ("embedding", {"kind": "logits"}, "--task-option output="),
        (
            MultiClassTask(classes=("a", "b", "c")),
            {"classes": ["b", "a", "c"]},
            "name others than the task multiclass",
        ),
        ({"task": "multiclass", "classes": ["a", "b", "c"]}, {"classes": ["c", "b", "a"]}, "name others"),
        ({"task": "multilabel", "classes": ["hat", "beard"]}, {"head": "beard"}, r"head='beard' .*task multilabel"),
        ({"task": "regression", "range": [0, 1]}, {"head": 2}, "--task-option head=NUMBER"),
    ],
)
def test_what_is_said_beside_a_task_is_not_left_out(task: Any, stated: dict[str, Any], message: str) -> None:
    network = Function(lambda m: (m * 30).softmax(1))
    with pytest.raises(TargetError, match=message) as told:
        load_target(network, task=task, resolution=16, **stated)
    assert "\n" not in str(told.value)


def test_how_to_resize_is_not_said_of_pictures_that_nothing_resizes() -> None:
    network, how = Function(lambda m: (m - 0.5) * 40), {"resize": "bicubic"}
    with pytest.raises(TargetError, match="give the size too"):
        load_target(network, preprocessing=how, resolution=16)
    assert load_target(network, preprocessing={**how, "size": 8}, resolution=16).preprocessing.resize == "bicubic"


def test_what_is_said_beside_a_task_may_be_what_it_says_itself() -> None:
    network = Function(lambda m: (m * 30).softmax(1))
    one: dict[str, Any] = {"task": "binary", "output": "probability", "classes": ("not beard", "beard"), "head": 1}
    for head in (1, "1", "beard"):
        assert load_target(network, task=one, kind="probabilities", head=head, resolution=16).task == task_from_dict(
            one
        )


def test_what_is_said_of_outputs_is_said_of_those_of_a_task_that_leaves_it_open() -> None:
    share, shares = Function(lambda m: m[:, :1]), Function(lambda m: (m * 30).softmax(1))
    of_classes = {"task": "multiclass", "classes": ("a", "b", "c")}
    for network, task, output in (
        (share, "binary", "probability"),
        (shares, of_classes, "probabilities"),
        (shares, {**of_classes, "task": "multilabel"}, "probabilities"),
    ):
        target = load_target(network, task=task, kind="probabilities", resolution=16)
        assert target.task.to_dict()["output"] == output


def test_the_users_word_decides_what_outputs_are() -> None:
    one = Function(lambda m: m[:, :1])
    assert load_target(one, kind="logits", resolution=16).task == BinaryTask(output="logit")
    assert load_target(one, kind="probabilities", resolution=16).task == BinaryTask(output="probability")
    shares = Function(lambda m: (m * 30).softmax(1))
    names = ("0", "1", "2")
    assert load_target(shares, resolution=16).task == MultiClassTask(classes=names, output="probabilities")
    assert load_target(shares, kind="logits", resolution=16).task == MultiClassTask(classes=names)
    labels = load_target(Function(lambda m: m), kind="probabilities", classes=("a", "b", "c"), resolution=16)
    assert labels.task == MultiLabelTask(classes=("a", "b", "c"), output="probabilities")
    ends_so = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5), nn.Sigmoid())
    assert load_target(ends_so, resolution=16).task == MultiLabelTask(classes=tuple("01234"), output="probabilities")
    with pytest.raises(TargetError, match="logits or probabilities, not 'odds'"):
        load_target(one, kind="odds", resolution=16)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [2, 40])
def test_numbers_of_0_to_1_are_neither_logits_nor_labels_unless_somebody_says_so(width: int) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, width)
    labels = Function(lambda m: torch.sigmoid(20 * layer(m - 0.5)))  # no module says that it ends so
    with pytest.raises(
        TargetError, match=rf"{width} numbers in \[0, 1\] that do not add up to 1.*--output-kind"
    ) as told:
        load_target(labels, resolution=16)
    assert "\n" not in str(told.value)
    names = tuple(str(index) for index in range(width))
    expected = MultiLabelTask(classes=names, output="probabilities")
    assert load_target(labels, kind="probabilities", resolution=16).task == expected
    assert load_target(labels, kind="logits", resolution=16).task.name in ("binary", "multiclass")


def embedding(width: int) -> nn.Module:
    """A network that ends as those do that recognise faces: rows of length 1."""
    torch.manual_seed(0)
    layer = nn.Linear(3, width)
    return Function(lambda m: nn.functional.normalize(layer(m - 0.5), dim=1))


@pytest.mark.parametrize("width", [2, 4])
def test_a_few_numbers_of_length_one_are_neither_classes_nor_an_embedding_unless_somebody_says_so(width: int) -> None:
    with pytest.raises(
        TargetError, match=f"{width} numbers whose squares add up to 1 .*--task embedding.*--class"
    ) as caught:
        load_target(embedding(width), resolution=16)
    assert "\n" not in str(caught.value)


def test_the_users_word_makes_classes_of_rows_of_length_one() -> None:
    names = [f"person {index}" for index in range(128)]
    assert load_target(embedding(128), classes=names, resolution=16).task == MultiClassTask(classes=tuple(names))
    for stated in ({"task": MultiClassTask(classes=tuple(names))}, {"kind": "logits"}):
        assert isinstance(load_target(embedding(128), resolution=16, **stated).task, MultiClassTask)  # type: ignore[arg-type]
    assert guess_task(torch.eye(3), name="one that is sure").name == "multiclass", "probabilities of length 1"


def test_options_beside_a_complete_target_are_refused() -> None:
    target = load_target(Function(lambda m: m[:, :1] * 9 - 4), resolution=16)
    with pytest.raises(TargetError, match="is complete"):
        load_target(target, classes=["a", "b"])
    with pytest.raises(TargetError, match="a int is no target"):
        load_target(3)  # type: ignore[arg-type]


def test_another_output_of_the_same_file_is_another_target(tmp_path: Path) -> None:
    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = x.mean((2, 3))
            return mean[:, :1] * 9 - 4, mean[:, 1:2] * 9 - 4

    path = tmp_path / "two.pt2"
    batch = {"x": {0: torch.export.Dim("batch")}}
    program = torch.export.export(Two(), (torch.rand(2, 3, 16, 16),), dynamic_shapes=batch)
    torch.export.save(program, str(path))
    first, again, second = (
        load_target(path, output=output, task=BinaryTask(), trust=True).content_hash for output in (0, 0, 1)
    )
    assert first == again != second
