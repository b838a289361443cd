"""Functions as targets: what they are given, what they may return, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, MultiClassTask, load_target

Pixels = NDArray[np.uint8]


def redness(pixels: Pixels) -> NDArray[np.float64]:
    return pixels[..., 0].mean((1, 2)) / 255.0


def shares(pixels: Pixels) -> NDArray[np.float64]:
    colours = pixels.astype(float).mean((1, 2)) + 1
    return np.asarray(colours / colours.sum(1, keepdims=True))


def test_it_sees_bytes_and_its_answer_is_the_probability() -> None:
    seen: list[Pixels] = []

    def remember(pixels: Pixels) -> NDArray[np.float64]:
        seen.append(pixels)
        return redness(pixels)

    target = load_target(remember, resolution=20, classes=["dull", "red"])
    assert target.task == BinaryTask(classes=("dull", "red"), output="probability")
    assert not target.differentiable
    assert "no gradients" in target.note
    assert target.name == "remember"
    images = torch.rand(3, 3, 20, 20) * 2 - 1
    probability = target(images).sigmoid()[:, 0]
    expected = ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert seen[-1].dtype == np.uint8
    np.testing.assert_array_equal(seen[-1], expected)
    np.testing.assert_allclose(probability.numpy(), redness(expected), atol=1e-5)


def test_size_and_order_are_options() -> None:
    shapes: list[tuple[int, ...]] = []

    def blueness(pixels: Pixels) -> list[float]:
        shapes.append(pixels.shape)
        return [float(image[..., 0].mean() / 255) for image in pixels]

    target = load_target(blueness, preprocessing={"size": 16, "channel_order": "BGR"}, resolution=32)
    assert shapes[-1][1:] == (16, 16, 3)
    images = torch.zeros(1, 3, 32, 32)
    images[:, 2] = 0.5
    assert target(images).sigmoid().item() == pytest.approx(0.75, abs=0.01)


def test_what_it_returns_decides_the_task() -> None:
    assert load_target(lambda x: redness(x)[:, None], resolution=16).task == BinaryTask(output="probability")
    two = load_target(lambda x: np.stack((1 - redness(x), redness(x)), 1), resolution=16)
    assert two.task == BinaryTask(output="two-probabilities")
    three = load_target(shares, resolution=16, classes=["r", "g", "b"])
    assert three.task == MultiClassTask(classes=("r", "g", "b"), output="probabilities")
    independent = load_target(lambda x: x.mean((1, 2)) / 255, resolution=16, classes=["r", "g", "b"], head="g")
    assert independent.task == BinaryTask(classes=("not g", "g"), output="probability", head=1)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    green = ((images + 1) * 127.5).round()[:, 1].mean((1, 2)) / 255
    torch.testing.assert_close(independent(images).sigmoid()[:, 0], green, atol=1e-5, rtol=1e-5)


def test_the_content_hash_is_of_name_and_answers() -> None:
    first = load_target(redness, resolution=16).content_hash
    assert load_target(redness, resolution=16).content_hash == first

    def other(pixels: Pixels) -> NDArray[np.float64]:
        return 1 - redness(pixels)

    other.__name__ = "redness"
    assert load_target(other, resolution=16).content_hash != first


def test_detectors_that_find_nothing_in_noise_are_told_apart_by_their_code() -> None:
    def made(score: float) -> Any:
        def detector(pixels: Pixels) -> list[dict[str, Any]]:
            boxes = [[0.1, 0.1, 0.9, 0.9]] if pixels.std() < 1 else []
            return [{"boxes": boxes, "scores": [score] * len(boxes)} for _ in pixels]

        return detector

    first, again, other = (
        load_target(made(score), task="detection", resolution=16).content_hash for score in (0.9, 0.9, 0.6)
    )
    assert first == again != other


def ends(pixels: Pixels) -> Any:
    raise SystemExit(3)


def raises(pixels: Pixels) -> Any:
    raise ConnectionError("the service is down\nsince noon")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, r"ConnectionError: the service is down since noon\)"),
        (lambda x: "cat", "ValueError"),
        (lambda x: np.zeros(3), "return one probability"),
        (lambda x: np.zeros((len(x), 2, 2)), "name a class for each channel"),
        (ends, r"the function fails on uint8 images .*\(SystemExit: 3\)"),
        (lambda x: redness(x) * np.nan, "NaN or infinite"),
        (lambda x: redness(x) * 100 - 30, "no probabilities"),
        (lambda x: redness(x) * 0 + 0.5, "same output for different images"),
        (lambda x: redness(x) / redness(x).max() * 0.5, "comes alone"),
    ],
)
def test_what_cannot_be_audited_is_one_line(function: Any, message: str) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        load_target(function, resolution=16)
    assert "\n" not in str(caught.value)


def test_one_that_answers_differently_each_time_says_so_as_a_service_does() -> None:
    random = np.random.default_rng(0)

    def unsteady(pixels: Pixels) -> NDArray[np.float64]:
        return redness(pixels) * 0.9 + random.uniform(0, 0.1, len(pixels))

    target = load_target(unsteady, resolution=16)
    assert target.note.endswith("so there are no gradients; asked twice about a picture it gives different answers")
    target.check(16)
    assert target.note.count("asked twice") == 1, "told once, however often it is tried"
    assert "asked twice" not in load_target(redness, resolution=16).note
