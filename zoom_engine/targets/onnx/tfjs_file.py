"""The files of a TensorFlow.js graph model: its weights, the outputs that it names, and the attributes of its nodes."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from zoom_engine.common.files.json_file import opened
from zoom_engine.common.json_object import JsonObject, shown

MOST_BYTES = 2**30
"""The most bytes of all shards together."""
STORED: dict[str, type[np.generic]] = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
QUANTISED: dict[str, type[np.generic]] = {"float16": np.float16, "uint8": np.uint8, "uint16": np.uint16}


def signature_of(model: JsonObject) -> dict[str, str]:
    """Return the outputs that the file names: the node of each; none where it names none."""
    for place in (model, model.object("userDefinedMetadata")):
        outputs = place.object("signature").object("outputs").values
        if named := {key: JsonObject(about, key).need("name", str) for key, about in outputs.items()}:
            return {key.removesuffix(":0"): name.removesuffix(":0") for key, name in named.items()}
    return {}


def read_weights(path: Path, groups: list[Any]) -> dict[str, NDArray[Any]]:
    """Read every weight, by name, from the shards of its group.

    Raises:
        ValueError: a shard lies elsewhere or has another size than its weights, or a weight is of an unknown type.
    """
    weights: dict[str, NDArray[Any]] = {}
    read = 0
    for index, given in enumerate(groups):
        group = JsonObject(given, f"weightsManifest[{index}]")
        content = bytearray()
        for name in group.need("paths", tuple[str, ...]):
            if Path(name).name != name or name in ("", ".", ".."):
                raise ValueError(f"its shard {shown(name)} does not lie beside it")
            with opened(path.parent / name) as file:
                content += file.read(MOST_BYTES - read - len(content) + 1)
            if read + len(content) > MOST_BYTES:
                raise ValueError(f"its shards have more than {MOST_BYTES >> 20} MB")
        place = 0
        for about in group.need("weights", list):
            name, values, place = _weight(JsonObject(about, "weight"), content, place)
            weights[name] = values
        if place != len(content):
            raise ValueError(f"the shards of {group.name} have {len(content)} bytes, and its weights {place}")
        read += len(content)
    return weights


def _weight(about: JsonObject, content: bytearray, place: int) -> tuple[str, NDArray[Any], int]:
    """Return a weight's name and values, and where its bytes end."""
    name, shape = about.need("name", str), about.need("shape", tuple[int, ...])
    if any(side < 0 for side in shape):
        raise ValueError(f"weight {shown(name)} has the shape {list(shape)}")
    kind, quantised = about.need("dtype", str), about.object("quantization")
    stored = quantised.need("dtype", str) if quantised.values else kind
    types = QUANTISED if quantised.values else STORED
    if stored not in types or (quantised.values and kind != "float32"):
        raise ValueError(f"weight {shown(name)} is of type {shown(stored)}")
    count = math.prod(shape)
    end = place + count * np.dtype(types[stored]).itemsize
    if end > len(content):
        raise ValueError(f"its shards end before weight {shown(name)} of shape {list(shape)}")
    values: NDArray[Any] = np.frombuffer(content, types[stored], count, place).reshape(shape)
    if quantised.values:
        values = values.astype(np.float32)
        if stored != "float16":
            values = values * np.float32(quantised.need("scale", float)) + np.float32(quantised.need("min", float))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"weight {shown(name)} has NaN or infinite numbers")
    return name, values, end


class Attributes:
    """A node's attributes, as TensorFlow writes them into JSON: whole numbers as texts, texts in base64."""

    def __init__(self, node: JsonObject) -> None:
        """Take those of a node."""
        self._of = node.object("attr")

    def whole(self, name: str) -> int:
        """Return a whole number, 0 where it is not said."""
        return int(self._of.object(name).values.get("i") or 0)

    def wholes(self, name: str) -> list[int]:
        """Return a list of whole numbers, empty where it is not said."""
        return [int(value) for value in self._of.object(name).object("list").values.get("i") or ()]

    def flags(self, *names: str) -> list[bool]:
        """Return whether each is set."""
        return [bool(self._of.object(name).get("b", bool)) for name in names]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty where it is not said."""
        return [_text(value) for value in self._of.object(name).object("list").get("s", tuple[str, ...]) or ()]

    def spatial(self, name: str) -> list[int]:
        """Return the two numbers, of height and width, of a list of four; 1 and 1 where it is not said."""
        values = self.wholes(name) or [1, 1, 1, 1]
        if len(values) != 4 or (values[0], values[3]) != (1, 1) or min(values) < 1:
            raise ValueError(f"{name} are {shown(values)}: they begin and end with 1")
        return values[1:3]

    def padding(self) -> dict[str, Any]:
        """Return ONNX's attributes for it.

        Raises:
            ValueError: it is no kind that is known, or the channels come first.
        """
        layout, kind = (_text(self._of.object(name).get("s", str) or "") for name in ("data_format", "padding"))
        if layout not in ("", "NHWC"):
            raise ValueError(f"its layout {shown(layout)} is not known here")
        if kind == "EXPLICIT":
            ends = self.wholes("explicit_paddings")
            if len(ends) != 8 or any(ends[:2] + ends[6:]):
                raise ValueError(f"explicit_paddings are {shown(ends)}")
            return {"pads": [ends[2], ends[4], ends[3], ends[5]]}
        kinds = {"SAME": "SAME_UPPER", "VALID": "VALID"}
        if kind not in kinds:
            raise ValueError(f"the padding {shown(kind)} is not known here")
        return {"auto_pad": kinds[kind]}

    def placeholder(self, name: str) -> onnx.ValueInfoProto:
        """Return the input: numbers of float32, with the batch and other sides open where the file has -1."""
        if self._of.object("dtype").get("type", str) not in ("DT_FLOAT", None):
            raise ValueError(f"its input {shown(name)} is of another type than float32")
        sides = [JsonObject(one, "dim") for one in self._of.object("shape").object("shape").get("dim", list) or ()]
        sizes = [int(side.values.get("size", -1)) for side in sides]
        shape = [size if size > 0 else f"open_{axis}" for axis, size in enumerate(sizes)]
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _text(value: str) -> str:
    """Return a text that is written in base64."""
    return base64.b64decode(value, validate=True).decode("utf-8", "replace")
