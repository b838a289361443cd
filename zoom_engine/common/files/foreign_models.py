"""Detection of other programs' models, which nothing here reads, by how their files begin; none of them is opened."""

from __future__ import annotations

import contextlib
import io
import pickletools
import re
import shlex
import struct
import zlib
from pathlib import Path

from zoom_engine.common.errors import one_line
from zoom_engine.common.threads import quiet

START = 1 << 16  # bytes that are looked at
PICKLES = 4  # before 1.6 torch wrote three short ones before the object's
TABLES = ("sklearn.", "joblib.")
PLAIN = {
    *("collections", "argparse", "builtins", "__builtin__", "torch", "torch._utils", "torch._tensor", "torch.storage"),
    *("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs"),
}
"""The modules that a file of tensors names."""
GLOBAL = re.compile(r"[\w.]+ [\w.]+")
"""A module and a name in it, as pickles of text write them."""
HDF5, ZIP, SAVED_MODEL, TFJS = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", "saved_model.pb", "model.json"
LAYERS = re.compile(rb'"format"\s*:\s*"layers-model"|"keras_version"')
"""What is in the model.json of a Keras model for TensorFlow.js, and not in that of a graph."""


def foreign_model(path: Path) -> str | None:
    """Describe another program's model and how to convert it to one that is read.

    Returns:
        The rest of a sentence that begins with the file's name; None for any other file or folder.

    Raises:
        OSError: the file cannot be read.
    """
    if path.is_dir():
        if (path / SAVED_MODEL).is_file():
            return _by_tf2onnx(path, "a TensorFlow SavedModel", "saved-model")
        return _of_tensorflow_js(path / TFJS) if (path / TFJS).is_file() else None
    start = _start(path)
    if (of_javascript := _of_tensorflow_js(path)) is not None:
        return of_javascript
    if start.startswith(HDF5):
        return _by_tf2onnx(path, "an HDF5 file, as Keras writes models", "keras")
    if start[4:8] == b"TFL3":
        return _by_tf2onnx(path, "a TensorFlow Lite model", "tflite")
    name, _ = _first_entry(start)
    if name == b"metadata.json" and b"keras_version" in start:
        return _by_tf2onnx(path, "a Keras model", "keras")
    pickled = _pickled_class(start)
    if pickled is not None and pickled.startswith(TABLES):
        return (
            f"is a pickle of {one_line(pickled, 80)}, a model of tables: reading it would run code; if it is a target,"
            " give a function of pictures that asks it, python:FILE.py:NAME (skl2onnx makes ONNX of it, which reads"
            " tables too)"
        )
    return None


def is_tensorflow_js_graph(path: Path) -> bool:
    """Return whether the file at `path`, or the model.json in the folder, is that of a TensorFlow.js graph.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        return (path / TFJS).is_file() and is_tensorflow_js_graph(path / TFJS)
    start = _start(path)
    return _is_tensorflow_js(start) and LAYERS.search(start) is None


def pickled_object(path: Path) -> str | None:
    """Return the first class that a file of `torch.save` or `pickle` names, as "package.module.Class".

    It is the class of the object that the file holds, or of one in it. None where the file holds a dictionary of
    tensors, and for any other file.

    Raises:
        OSError: the file cannot be read.
    """
    pickled = _pickled_class(_start(path))
    return None if pickled is None or pickled.rpartition(".")[0] in PLAIN else one_line(pickled, 80)


def _by_tf2onnx(path: Path, what: str, kind: str) -> str:
    made = f"python -m tf2onnx.convert --{kind} {_quoted(path)} --output model.onnx"
    return f"is {what}, which is not read: make an ONNX file of it with {made}"


def _of_tensorflow_js(path: Path) -> str | None:
    """Describe the model.json of TensorFlow.js; None for any other file."""
    start = _start(path)
    if not _is_tensorflow_js(start):
        return None
    if LAYERS.search(start) is None:
        return _by_tf2onnx(path, "a TensorFlow.js graph", "tfjs")
    folder = (
        f"tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras_saved_model {_quoted(path)}"
    )
    made = "python -m tf2onnx.convert --saved-model model --output model.onnx"
    return (
        f"is a Keras model for TensorFlow.js, which is not read: make an ONNX file of it with {folder} model && {made}"
    )


def _is_tensorflow_js(start: bytes) -> bool:
    return start.lstrip().startswith(b"{") and b'"modelTopology"' in start


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START)


def _first_entry(start: bytes) -> tuple[bytes, bytes]:
    """Return the name of a zip archive's first entry and what follows its header; twice nothing for another file."""
    if start[:4] != ZIP or len(start) < 30:
        return b"", b""
    name, extra = struct.unpack("<HH", start[26:30])
    return start[30 : 30 + name], start[30 + name + extra :]


def _pickled_class(start: bytes) -> str | None:
    """Return the first global that the file's pickles name, but for how the oldest protocols make an object."""
    name, content = _first_entry(start)
    if name.endswith(b"/data.pkl"):
        start = content
    elif start[:2] == b"\x1f\x8b" or start[:1] == b"x":  # gzip or zlib, of joblib's
        try:
            start = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(start, START)
        except zlib.error:
            return None
    stream = io.BytesIO(start)
    # Warnings come from escapes in data that is no text, errors from what is no pickle or longer than what was read.
    with quiet(), contextlib.suppress(ValueError, OverflowError):
        return next((name for name in (_first_global(stream) for _ in range(PICKLES)) if name), None)
    return None


def _first_global(stream: io.BytesIO) -> str | None:
    """Return the first global of the pickle that begins here, None where there is none; ValueError for no pickle."""
    texts: list[str] = []
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name == "STACK_GLOBAL":
            texts[-2:] = [".".join(texts[-2:])]
        elif operation.name in ("GLOBAL", "INST") and not GLOBAL.fullmatch(str(argument)):
            raise ValueError("a line of a text, such as a program's")
        elif isinstance(argument, str):
            texts.append(argument.replace(" ", "."))
        named = operation.name in ("GLOBAL", "INST", "STACK_GLOBAL")
        if named and texts and not texts[-1].startswith(("copyreg.", "copy_reg.")):
            return texts[-1]
    return None
