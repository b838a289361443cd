"""From a picture to what a network is fed, as part of its graph: cut, resized, scaled.

A cut and a resize are a matrix for the rows and one for the columns, so that each library's own way of doing it can be
had to the last digit, and has gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from zoom_engine.common.errors import TargetError
from zoom_engine.common.files.onnx_file import open_inputs
from zoom_engine.targets import Preprocessing, Task
from zoom_engine.targets.onnx.write import note_target

Matrix = NDArray[np.float64]
GREY = (0.2989, 0.5870, 0.1140)
"""Red, green and blue of a grey picture, as Human weighs them."""


@dataclass(frozen=True)
class Square:
    """A square of a picture, as shares of the picture's side, which is 1."""

    left: float
    top: float
    side: float

    def grown(self, factor: float) -> Square:
        """Return the square of the same middle, `factor` times as large."""
        more = self.side * (factor - 1) / 2
        return Square(self.left - more, self.top - more, self.side * factor)


def cut_by_tensorflow(low: float, high: float, pixels: int, size: int) -> Matrix:
    """Return the matrix `[size, pixels]` of TensorFlow's `crop_and_resize` from `low` to `high` of an axis in [0, 1].

    The first and last value lie on the ends, and beyond the picture is black.
    """
    positions = (low + np.arange(size) * (high - low) / (size - 1)) * (pixels - 1)
    return _between(positions, pixels, inside=(positions >= 0) & (positions <= pixels - 1))


def resized_by_tensorflow(pixels: int, size: int) -> Matrix:
    """Return the matrix `[size, pixels]` of TensorFlow.js' `resizeBilinear`, whose pixels' corners count."""
    positions = np.arange(size) * pixels / size
    return _between(positions, pixels, inside=np.full(size, True))


def _between(positions: NDArray[np.float64], pixels: int, *, inside: NDArray[np.bool_]) -> Matrix:
    """Return the matrix that takes values between two neighbours, linearly, and 0 where not `inside`."""
    matrix = np.zeros((len(positions), pixels))
    low = np.clip(np.floor(positions).astype(int), 0, pixels - 1)
    rows, share = np.arange(len(positions)), np.where(inside, positions - low, 0)
    np.add.at(matrix, (rows, low), np.where(inside, 1 - share, 0))
    np.add.at(matrix, (rows, np.minimum(low + 1, pixels - 1)), share)
    return matrix


def cut_smoothly(low: float, high: float, pixels: int, size: int) -> Matrix:
    """Return the matrix `[size, pixels]` of an antialiased bilinear resize, as Pillow's, of a part of an axis.

    Beyond the picture its last pixels go on.
    """
    step = (high - low) * pixels / size
    middles = low * pixels + (np.arange(size) + 0.5) * step
    reach = max(step, 1.0)
    first, last = math.floor(middles[0] - reach), math.ceil(middles[-1] + reach)
    at = np.arange(first, last + 1)
    weights = np.clip(1 - np.abs(at + 0.5 - middles[:, None]) / reach, 0, None)
    weights /= weights.sum(1, keepdims=True)
    matrix = np.zeros((size, pixels))
    np.add.at(matrix.T, np.clip(at, 0, pixels - 1), weights.T)
    return matrix


@dataclass(frozen=True)
class Feed:
    """What a network is fed: the cut face, in numbers of its own.

    Attributes:
        size: height and width of the network's input.
        square: from the subject's face to what is cut out.
        through: of a first cut, the pixels of its side, before it is resized to `size`; None cuts at once.
        part: of that first cut (left, top, right, bottom) what the network sees.
        smooth: whether the cut is antialiased; else it is TensorFlow's.
        uncut: whether it sees the whole picture, resized and not cut, whatever the square.
        grey: whether it sees one channel, of `GREY`.
        scale: a value of 0 to 255 becomes `scale` times it plus `shift`: a number each, or three.
        shift: see `scale`.
        last: whether the network's channels come last.
    """

    size: int
    square: Callable[[Face], Square]
    through: int | None = None
    part: tuple[float, float, float, float] | None = None
    smooth: bool = False
    uncut: bool = False
    grey: bool = False
    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
    last: bool = True

    def matrices(self, face: Face, pixels: int) -> tuple[Matrix, Matrix]:
        """Return the matrices for rows and columns, of a picture of `pixels`² to what the network is fed."""
        square = self.square(face)
        left, top, right, bottom = self.part or (0.0, 0.0, 1.0, 1.0)
        made = []
        for start, (low, high) in ((square.top, (top, bottom)), (square.left, (left, right))):
            ends = start, start + square.side
            if self.uncut:
                matrix = resized_by_tensorflow(pixels, self.size)
            elif self.smooth:
                matrix = cut_smoothly(*ends, pixels, self.size)
            elif self.through is None:
                matrix = cut_by_tensorflow(*ends, pixels, self.size)
            else:
                first = cut_by_tensorflow(*ends, pixels, self.through)
                second = (
                    resized_by_tensorflow(self.through, self.size)
                    if self.part is None
                    else cut_by_tensorflow(low, high, self.through, self.size)
                )
                matrix = second @ first
            made.append(matrix)
        return made[0], made[1]


@dataclass(frozen=True)
class Face:
    """Where pictures have their face, which is about the same place in all of a subject's.

    Attributes:
        detected: the box in which a detector finds it.
        eyes: the middles of the eyes (x, y), the one on the left first.
    """

    detected: Square
    eyes: tuple[tuple[float, float], tuple[float, float]]

    def as_dlib_cuts(self) -> Square:
        """Return the square of dlib's face chips with a padding of 0.2: where the eyes lie in it is fixed."""
        (left_x, left_y), (right_x, right_y) = self.eyes
        side = (right_x - left_x) / 0.3754
        return Square((left_x + right_x) / 2 - 0.4930 * side, (left_y + right_y) / 2 - 0.3009 * side, side)


class Fed:
    """A network's graph, from pictures `[B, 3, pixels, pixels]` of 0 to 255 to what a task reads, in the making."""

    def __init__(self, model: onnx.ModelProto, feed: Feed, face: Face, pixels: int) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        graph = self._model.graph
        inputs = open_inputs(graph)
        if len(inputs) != 1:
            raise TargetError(f"the network has {len(inputs)} inputs, not one")
        first = inputs[0].type.tensor_type.shape.dim[0]
        batch = 1 if first.dim_value == 1 else "batch"
        self._count = 0
        given = [*graph.node]
        del graph.node[:], graph.input[:]
        graph.input.append(
            helper.make_tensor_value_info("pictures", onnx.TensorProto.FLOAT, [batch, 3, pixels, pixels])
        )
        rows, columns = feed.matrices(face, pixels)
        x = self.add("MatMul", [self.constant(rows), "pictures"])
        x = self.add("MatMul", [x, self.constant(columns.T)])
        if feed.grey:
            x = self.add("Mul", [x, self.constant(np.reshape(GREY, (3, 1, 1)))])
            x = self.add("ReduceSum", [x, self.constant([1], np.int64)], keepdims=1)
        x = self.add("Mul", [x, self.constant(np.reshape(feed.scale, (-1, 1, 1)))])
        x = self.add("Add", [x, self.constant(np.reshape(feed.shift, (-1, 1, 1)))])
        if feed.last:
            x = self.add("Transpose", [x], perm=[0, 2, 3, 1])
        graph.node.append(helper.make_node("Identity", [x], [inputs[0].name]))
        graph.node.extend(given)

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add an operator and return the name of its value."""
        self._count += 1
        name = f"fed/{self._count}"
        self._model.graph.node.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, kind: type[np.generic] = np.float32) -> str:
        """Add numbers and return their name."""
        name = f"fed/constant/{len(self._model.graph.initializer)}"
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def finish(self, output: str, *, name: str, task: Task, pixels: int) -> onnx.ModelProto:
        """Make `output` the only one, and note what the model is, as `save_onnx` does.

        Args:
            output: the name of its value.
            name: of the target.
            task: what the output means.
            pixels: the side of the pictures.
        """
        graph = self._model.graph
        graph.node.append(helper.make_node("Identity", [output], ["answer"]))
        del graph.output[:], graph.value_info[:]
        graph.output.append(helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, None))
        note_target(self._model, name, task, Preprocessing(size=pixels, value_range=(0.0, 255.0)))
        return onnx.shape_inference.infer_shapes(self._model, data_prop=True)
