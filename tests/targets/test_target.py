"""Loading modules: what is guessed, what is checked, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from networks import Function
from registered import a_domain, register
from torch import nn

from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError, TargetError, ZoomError
from zoom_engine.common.probes import same_answers
from zoom_engine.targets import BinaryTask, MultiClassTask, Preprocessing, Target, load_target
from zoom_engine.targets.target import raw_outputs

LOGIT = BinaryTask()


def test_a_module_is_copied_frozen_and_kept_in_eval_mode(small_cnn: nn.Sequential) -> None:
    small_cnn.train()
    target = load_target(small_cnn, task=LOGIT, preprocessing=Preprocessing(size=24), name="cnn")
    target.train()
    assert not any(module.training for module in target.modules())
    assert not any(parameter.requires_grad for parameter in target.parameters())
    assert small_cnn.training
    assert all(parameter.requires_grad for parameter in small_cnn.parameters())
    images = torch.rand(3, 3, 48, 48) * 2 - 1
    before = target(images)
    with torch.no_grad():
        small_cnn[-1].bias.add_(100)  # type: ignore[union-attr, operator]
    torch.testing.assert_close(target(images), before)
    assert before.shape == (3, 1)


def test_the_forward_pass_is_network_after_preprocessing(small_cnn: nn.Sequential) -> None:
    preprocessing = Preprocessing(size=24, mean=(0.5,), std=(0.25,), channel_order="BGR")
    target = load_target(small_cnn, task=LOGIT, preprocessing=preprocessing)
    images = torch.rand(2, 3, 30, 30) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(target(images), small_cnn(preprocessing(images)))


def test_content_hash_follows_weights_and_preprocessing(small_cnn: nn.Sequential) -> None:
    def digest(**options: Any) -> str:
        return load_target(small_cnn, task=LOGIT, preprocessing=Preprocessing(size=24, **options)).content_hash

    first = digest()
    assert first == digest()
    assert first != digest(channel_order="BGR")
    with torch.no_grad():
        small_cnn[0].weight[0, 0, 0, 0] += 1e-3  # type: ignore[union-attr, index]
    assert first != digest()


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Linear(3, 1)], BinaryTask()),
        ([nn.Linear(3, 1), nn.Sigmoid()], BinaryTask(output="probability")),
        ([nn.Linear(3, 2)], BinaryTask(output="two-logits")),
        ([nn.Linear(3, 2), nn.Softmax(1)], BinaryTask(output="two-probabilities")),
        ([nn.Linear(3, 4)], MultiClassTask(classes=("0", "1", "2", "3"))),
        (
            [nn.Linear(3, 4), nn.Softmax(1), nn.Identity()],
            MultiClassTask(classes=("0", "1", "2", "3"), output="probabilities"),
        ),
    ],
)
def test_the_task_is_guessed(layers: list[nn.Module], expected: Any) -> None:
    layers = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *layers]
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear):
                positions = torch.arange(layer.weight.numel()).view_as(layer.weight)
                layer.weight.copy_(8 * torch.sin(2.0 * positions + 1))
                layer.bias.fill_(-0.2)
    assert load_target(nn.Sequential(*layers), resolution=16).task == expected


def test_a_guess_that_may_be_wrong_is_refused() -> None:
    with pytest.raises(TargetError, match="may be a logit or a probability") as caught:
        load_target(Function(lambda m: m[:, :1] * 0.5 + 0.1), resolution=16)
    assert "kind='probabilities'" in str(caught.value)
    with pytest.raises(TargetError, match="3 are named"):
        load_target(Function(lambda m: m[:, :1] * 9 - 4), classes=["a", "b", "c"], resolution=16)
    with pytest.raises(TargetError, match="4 numbers per image for 2 classes"):
        load_target(Function(lambda m: torch.cat((m, m[:, :1]), 1) * 9), classes=["a", "b"], resolution=16)


def test_who_means_two_of_many_classes_is_told_the_way_and_it_works() -> None:
    many = Function(lambda m: torch.cat([m * 9, m.flip(1) * 7], 1))
    for options in ({"classes": ["a", "b"]}, {"task": "binary"}):
        with pytest.raises(TargetError, match=r"6 numbers.*returns the . you mean, such as python:FILE\.py:NAME"):
            load_target(many, resolution=16, **options)
    two = load_target(Function(lambda m: many.function(m)[:, [0, 4]]), classes=["a", "b"], resolution=16)
    assert two.task == BinaryTask(classes=("a", "b"), output="two-logits")
    with pytest.raises(TargetError, match=r"for 7 classes: name one for each \(--class\)$"):
        load_target(many, classes=list("abcdefg"), resolution=16)


BROKEN: list[tuple[str, Any, str]] = [
    ("NaN", lambda m: m[:, :1] * torch.nan, "NaN or infinite"),
    ("infinite", lambda m: m[:, :1] / 0, "NaN or infinite"),
    ("constant", lambda m: m[:, :1] * 0 + 3, "same output for different images"),
    ("dead", lambda m: (m[:, :1] > 0.5).float() * 4 - 2 + 0 * m[:, :1], "does not answer to its input"),
    ("detached", lambda m: m[:, :1].detach() * 9, "gives no gradients"),
    ("mixing", lambda m: (m - m.mean(0))[:, :1] * 30 + 1, "comes alone"),
    ("wide", lambda m: m * 9, "3 numbers per image"),
    ("tuple", lambda m: (m[:, :1], m), "returns a tuple"),
    ("scalar", lambda m: m.sum(), "first axis must be the image"),
    ("strings", lambda m: ["cat"], "returns a list"),
]


@pytest.mark.parametrize(("function", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_cannot_be_audited_is_refused_in_one_line(function: Any, message: str) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        load_target(Function(function), task=LOGIT, name="broken", resolution=16)
    assert "\n" not in str(caught.value)
    assert "broken" in str(caught.value)


def test_a_network_that_calls_sys_exit_is_one_line(small_cnn: nn.Sequential) -> None:
    def end(images: torch.Tensor) -> torch.Tensor:
        raise SystemExit(3)

    with pytest.raises(TargetError, match=r"calls sys\.exit\(3\): let it raise an error"):
        load_target(Function(end), task=LOGIT, preprocessing=Preprocessing(size=24))


def test_a_wrong_input_size_is_one_line_that_says_what_to_set(small_cnn: nn.Sequential) -> None:
    network = nn.Sequential(*list(small_cnn)[:8], nn.Flatten(), nn.Linear(8 * 6 * 6, 1))
    for task in (LOGIT, None):
        with pytest.raises(TargetError, match="set preprocessing size") as caught:
            load_target(network, task=task, resolution=32)
        assert "\n" not in str(caught.value)
    load_target(network, task=LOGIT, preprocessing=Preprocessing(size=24), resolution=32)


@pytest.mark.parametrize(
    "error", [AssertionError("Wrong image height!"), KeyError("a"), ZeroDivisionError(), AttributeError()]
)
def test_whatever_a_network_raises_is_one_line(error: Exception) -> None:
    """torchvision's vision transformers assert their size."""

    def fails(pictures: torch.Tensor) -> torch.Tensor:
        raise error

    with pytest.raises(TargetError, match=r"^target 'Function' fails on an input of 3×32×32: .*set preprocessing size"):
        load_target(Function(fails), task=LOGIT, resolution=32)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError(), TargetError("the service is busy")])
def test_memory_that_ends_and_errors_that_are_told_already_stay_what_they_are(error: Exception) -> None:
    def fails(pictures: torch.Tensor) -> torch.Tensor:
        raise error

    with pytest.raises(type(error)) as caught:
        raw_outputs(Function(fails), torch.zeros(1, 3, 8, 8), "toy")
    assert caught.value is error


def test_labels_and_names() -> None:
    target = load_target(
        Function(lambda m: m[:, :1] * 9 - 4), labels=["a cat", "a dog"], classes=["dog", "cat"], resolution=16
    )
    assert (target.labels, target.classes, target.name) == (("a cat", "a dog"), ("dog", "cat"), "Function")
    described = target.describe()
    assert described["task"] == {"task": "binary", "classes": ["dog", "cat"], "output": "logit", "head": None}
    assert described["labels"] == ["a cat", "a dog"]
    assert load_target(target) is target


@pytest.mark.parametrize("option", ["labels", "classes"])
def test_a_text_is_no_list_of_texts(option: str) -> None:
    """Its letters were the labels."""
    with pytest.raises(TargetError, match="lists of texts, not the text 'a cat'"):
        load_target(Function(lambda m: m * 9 - 4), **{option: "a cat"}, resolution=16)


def test_other_labels_make_another_target_and_leave_the_callers_alone() -> None:
    target = Target(
        Function(lambda m: m[:, :1] * 9 - 4), name="own", task=LOGIT, labels=("red", "blue"), note="by the caller"
    )
    other = load_target(target, labels=["warm", "cold"])
    assert target.labels == ("red", "blue")
    assert other.labels == ("warm", "cold")
    assert {**other.describe(), "labels": []} == {**target.describe(), "labels": []}
    assert load_target(target, labels=[]).labels == ()
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(other(images), target(images))


@pytest.mark.parametrize("spec", ["nowhere:mustache", "resnet50", "", "some/file.bin"])
def test_an_unknown_spec_says_what_is_possible(spec: str) -> None:
    with pytest.raises(ZoomError, match=r"\.onnx file") as caught:
        load_target(spec)
    assert "\n" not in str(caught.value)


def test_a_domains_target_comes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Target(Function(lambda m: m[:, :1] * 9 - 4), name="toys:red", task=LOGIT)

    toys = a_domain(target_names=lambda: ("red",), target=lambda name: made)
    register(monkeypatch, registry.DOMAINS, toys=toys)
    assert load_target("toys:red") is made
    with pytest.raises(TargetError, match="no target 'green'; known are red"):
        load_target("toys:green")


class Bright(nn.Module):
    """Says how bright a picture is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(8 * (x.mean((1, 2, 3)) - 0.5)[:, None])  # type: ignore[no-any-return]


class Edited(Bright):
    """The same weights and structure, read otherwise."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(8 * (0.5 - x.mean((1, 2, 3)))[:, None])  # type: ignore[no-any-return]


Edited.__qualname__ = Edited.__name__ = "Bright"


def test_an_edited_forward_is_another_target() -> None:
    assert repr(Bright()) == repr(Edited())
    result = [
        load_target(network, task=LOGIT, resolution=16).content_hash for network in (Bright(), Bright(), Edited())
    ]
    assert result[0] == result[1] != result[2]


def test_answers_tell_what_code_does_not_and_random_ones_nothing() -> None:
    shift = torch.zeros(1)  # stands for what a file or an extension says

    def hidden(mean: torch.Tensor) -> torch.Tensor:
        return (mean[:, :1] + float(torch.ops.aten.add(shift, 0))) * 9 - 4

    target = load_target(Function(hidden), task=LOGIT, resolution=16)
    first = target.check(16)
    assert first is not None
    assert same_answers(first, target.check(16))
    shift.fill_(0.3)
    assert not same_answers(first, target.check(16))
    noisy = load_target(Function(lambda m: m[:, :1] * 9 - 4 + torch.randn(len(m), 1)), task=LOGIT, resolution=16)
    assert noisy.check(16) is None


def test_hooks_that_only_watch_stay_with_the_caller() -> None:
    """They fire when it is tried with and without them, and never in an audit."""
    network, seen = Bright(), []
    network.layer.register_forward_hook(lambda *_: seen.append("forward"))
    network.register_forward_pre_hook(lambda *_: seen.append("pre"))
    network.layer.register_full_backward_hook(lambda *_: seen.append("backward"))
    target = load_target(network, task=LOGIT, resolution=16)
    assert sorted(seen) == ["forward", "pre"]
    target(torch.rand(2, 3, 16, 16).requires_grad_()).sum().backward()  # type: ignore[no-untyped-call]
    assert len(seen) == 2
    assert target.note == ""
    assert target.content_hash == load_target(Bright(), task=LOGIT, resolution=16).content_hash
    network(torch.rand(1, 3, 16, 16))
    assert len(seen) == 4, "the caller's own module has them still"


def test_hooks_that_change_answers_belong_to_the_target() -> None:
    network, seen = Bright(), []

    def doubled(layer: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return 2 * output

    network.layer.register_forward_hook(lambda *_: seen.append(1))
    network.layer.register_forward_hook(doubled)
    target = load_target(network, task=LOGIT, resolution=16)
    tried = len(seen)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(target(images), 2 * load_target(Bright(), task=LOGIT, resolution=16)(images))
    assert len(seen) == tried
    assert "doubled" in target.note
    assert target.content_hash != load_target(Bright(), task=LOGIT, resolution=16).content_hash


class Twice(nn.Module):
    """What needs a hook behind it."""

    def forward(self, x: torch.Tensor) -> tuple[tuple[torch.Tensor], str]:
        return (x,), "rest"


def test_a_network_that_needs_its_hooks_keeps_them() -> None:
    network = Bright()
    network.register_forward_pre_hook(lambda layer, inputs: inputs[0][0])
    pair = nn.Sequential(Twice(), network)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    target = load_target(pair, task=LOGIT, resolution=16)
    torch.testing.assert_close(target(images), load_target(Bright(), task=LOGIT, resolution=16)(images))


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_hooks_of_torch_s_own_stay() -> None:
    network = Bright()
    nn.utils.weight_norm(network.layer)
    with torch.no_grad():
        network.layer.weight_g.mul_(3)  # type: ignore[operator, union-attr]
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    target = load_target(network, task=LOGIT, resolution=16)
    torch.testing.assert_close(target(images), 3 * load_target(Bright(), task=LOGIT, resolution=16)(images))
    assert target.note == ""


class InPrecision(nn.Module):
    """A network whose weights are of one precision; `returns` makes of its output what it returns."""

    def __init__(self, precision: torch.dtype = torch.float32, returns: Any = lambda output: output) -> None:
        super().__init__()
        self.last, self.returns = nn.Linear(3, 1, dtype=precision), returns

    def forward(self, x: torch.Tensor) -> Any:
        return self.returns(self.last(x.mean((2, 3))))


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_of_another_precision_is_told_to_come_in_float32(precision: torch.dtype) -> None:
    name = str(precision).removeprefix("torch.")
    with pytest.raises(TargetError, match=rf"has weights in {name}, .*: give it in float32, such as model\.float\(\)$"):
        load_target(InPrecision(precision), task=LOGIT)
    assert load_target(InPrecision(precision).float(), task=LOGIT).task == LOGIT


def test_of_a_list_of_outputs_one_is_chosen_as_of_a_tuple() -> None:
    network = InPrecision(returns=lambda output: [output, output + 1])
    with pytest.raises(TargetError, match=r"returns a list of 2, not a tensor: choose one with output"):
        load_target(network, task=LOGIT)
    for output in (1, np.int64(1)):
        assert load_target(network, task=LOGIT, output=output, resolution=np.int64(16)).task == LOGIT


def test_sizes_and_scales_of_numpy_are_taken() -> None:
    given = {"size": np.int64(24), "mean": [np.float32(0.5)], "value_range": (np.int64(0), np.int64(255))}
    result = load_target(InPrecision(), task=LOGIT, preprocessing=given).preprocessing
    assert result == Preprocessing(size=24, mean=(0.5,), value_range=(0, 255))
    json.dumps(result.to_dict())


def test_an_option_that_load_target_has_not_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(ConfigError, match=r"load_target has no option 'taks'; did you mean 'task'\?"):
        load_target(InPrecision(), taks=LOGIT)  # type: ignore[call-arg]


def test_a_network_that_changes_its_input_in_place_leaves_pictures_alone() -> None:
    """Where no preprocessing stood between, it changed the audit's own pictures, or was refused as not followed."""

    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 1, 8)

        def forward(self, x: torch.Tensor) -> Any:
            return self.layer(x.sub_(0.5).div_(0.25)).mean((2, 3))

    network, seen = InPlace(), []
    network.layer.register_forward_hook(lambda *_: seen.append(1))
    target = load_target(network, task=LOGIT, preprocessing=Preprocessing(value_range=(-1.0, 1.0)))
    target.check(16)
    assert target.note == "", "it answers the same each time, with its hook and without"
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    before = images.clone()
    target(images)
    assert torch.equal(images, before)
