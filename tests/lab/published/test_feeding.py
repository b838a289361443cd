"""What a network is fed is cut and resized as the libraries do it that it was published with."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper
from PIL import Image

from lab.published.feeding import (
    Face,
    Fed,
    Feed,
    Square,
    cut_by_tensorflow,
    cut_smoothly,
    resized_by_tensorflow,
)
from zoom_engine.common.files.png import to_images
from zoom_engine.targets import RegressionTask, load_target

FACE = Face(Square(0.25, 0.25, 0.5), ((0.4, 0.45), (0.6, 0.45)))
PICTURE = np.random.default_rng(3).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def literal_cut(line: NDArray[np.float64], low: float, high: float, size: int) -> list[float]:
    """TensorFlow's crop_and_resize of one line, as its documentation has it."""
    values = []
    for index in range(size):
        place = low * (len(line) - 1) + index * (high - low) * (len(line) - 1) / (size - 1)
        if not 0 <= place <= len(line) - 1:
            values.append(0.0)
            continue
        first = int(place)
        second = min(first + 1, len(line) - 1)
        values.append(line[first] + (line[second] - line[first]) * (place - first))
    return values


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.7), (-0.2, 1.1), (0.0, 1.0)])
def test_a_cut_is_that_of_tensorflow(low: float, high: float) -> None:
    line = PICTURE[0, :, 0].astype(float)
    assert cut_by_tensorflow(low, high, 12, 7) @ line == pytest.approx(literal_cut(line, low, high, 7))


def test_a_resize_is_that_of_tensorflow_js() -> None:
    line = np.arange(4.0)
    assert resized_by_tensorflow(4, 8) @ line == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3])
    assert resized_by_tensorflow(4, 2) @ line == pytest.approx([0, 2])


def test_a_smooth_cut_is_that_of_pillow() -> None:
    expected = np.asarray(Image.fromarray(PICTURE[:, :, 0]).resize((5, 5), Image.Resampling.BILINEAR, (2, 3, 10, 9)))
    rows, columns = cut_smoothly(3 / 12, 9 / 12, 12, 5), cut_smoothly(2 / 12, 10 / 12, 12, 5)
    assert np.abs(rows @ PICTURE[:, :, 0] @ columns.T - expected).max() < 1.5, "Pillow rounds twice"
    assert rows.sum(1) == pytest.approx(1)


def test_eyes_lie_where_dlib_has_them_in_its_chips() -> None:
    square = FACE.as_dlib_cuts()
    (left, _), (right, _) = FACE.eyes
    assert (right - left) / square.side == pytest.approx(0.3754)
    assert (left - square.left) / square.side == pytest.approx(0.4930 - 0.3754 / 2)


def mean_of_all(channels: int, *, batch: object = "batch") -> onnx.ModelProto:
    """A network that says the sum of what it is fed."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0), helper.make_node("Identity", ["y"], ["z"])],
        "sum",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 3, 3, channels])],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("grey", [True, False])
def test_a_target_is_fed_from_the_pixels_on(grey: bool) -> None:
    feed = Feed(3, lambda face: face.detected, through=6, grey=grey, scale=(2 / 255,), shift=(-1.0,))
    fed = Fed(mean_of_all(1 if grey else 3, batch=1), feed, FACE, 12)
    task = RegressionTask(range=(0.0, 1.0))
    value = fed.add("Reshape", ["z", fed.constant([1, 1], np.int64)])
    target = load_target(fed.finish(value, name="sum", task=task, pixels=12))
    assert (target.name, target.task, target.differentiable) == ("sum", task, True)
    with torch.no_grad():
        (answer,) = target(to_images(PICTURE[None]))[0].tolist()
    rows, columns = feed.matrices(FACE, 12)
    cut: NDArray[Any] = np.stack([rows @ PICTURE[:, :, channel] @ columns.T for channel in range(3)])
    if grey:
        cut = np.tensordot((0.2989, 0.5870, 0.1140), cut, 1)
    assert answer == pytest.approx(float((cut / 127.5 - 1).sum()), abs=1e-3)
