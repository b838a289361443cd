"""The kind of target that a file holds, by its content; nothing in it is run."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from zoom_engine.common.errors import TargetError, one_line, system_errors
from zoom_engine.common.files.archives import DAMAGED
from zoom_engine.common.files.foreign_models import foreign_model, is_tensorflow_js_graph, pickled_object
from zoom_engine.common.files.safetensors_header import is_safetensors

FileKind = Literal["onnx", "tfjs", "torchscript", "exported-program", "hugging-face"]
RUNS_CODE = {"torchscript": "TorchScript", "exported-program": "torch.export"}
CONFIG = "config.json"


def kind_of_file(path: Path) -> FileKind:
    """Return the kind of target at `path`.

    Raises:
        TargetError: where there is nothing, a state-dict without its architecture, or something unknown.
    """
    if path.is_dir():
        if (path / CONFIG).is_file():
            return "hugging-face"
        if is_tensorflow_js_graph(path):
            return "tfjs"
        if (foreign := foreign_model(path)) is not None:
            raise TargetError(f"{path} {foreign}")
        raise TargetError(
            f"{path} is a folder without {CONFIG}: give an .onnx file, another model's file, or the folder of a Hugging"
            " Face model"
        )
    if path.suffix.lower() == ".onnx":
        return "onnx"
    if not path.is_file():
        raise TargetError(
            f"no target {str(path)!r}: give the path of an .onnx file or another model, a name such as"
            " 'avatars:mustache', 'torchvision:resnet50@weights.pt' or 'python:service.py:predict', or a torch module"
        )
    kind = kind_by_content(path)
    if kind in (None, "state-dict"):
        _refuse_others_models(path)
    if kind is None:
        raise TargetError(
            f"{path} is no model that can be loaded: give an .onnx file, TorchScript, a torch.export program,"
            " a Hugging Face folder, NAME@WEIGHTS of torchvision or timm, or python:FILE.py:NAME"
        )
    if kind == "state-dict":
        raise TargetError(
            f"{path} holds weights alone: name their architecture, such as 'torchvision:resnet50@{path}' or"
            f" 'timm:resnet50@{path}'"
        )
    return kind


def _refuse_others_models(path: Path) -> None:
    with system_errors(TargetError, f"{path} cannot be read"):
        foreign, pickled = foreign_model(path), pickled_object(path)
    if foreign is not None:
        raise TargetError(f"{path} {foreign}")
    if pickled is not None:
        raise TargetError(
            f"{path} holds an object of {pickled}, not weights alone: reading it would run code; where its code is,"
            " save model.state_dict(), or an ONNX file with torch.onnx.export(model, images, 'model.onnx')"
        )


def is_onnx(path: Path) -> bool:
    """Return whether the content of `path` is that of an ONNX model, whatever its name; nothing is refused."""
    try:
        return path.is_file() and kind_by_content(path) == "onnx"
    except TargetError:
        return False


def holds_safetensors(path: Path) -> bool:
    """Return whether the file at `path` begins as safetensors files do."""
    return is_safetensors(_first_bytes(path))


def _first_bytes(path: Path) -> bytes:
    with system_errors(TargetError, f"{path} cannot be read"), path.open("rb") as file:
        return file.read(9)


def check_trust(path: Path, kind: FileKind, trust: bool) -> None:
    """Refuse a file that contains a program, unless the user trusts it.

    Raises:
        TargetError: `trust` is false.
    """
    if not trust:
        raise TargetError(
            f"{path} is a {RUNS_CODE[kind]} file: it runs a program of its own, which nothing can check;"
            " if you trust its maker, say so with trust=True (--trust)"
        )


def kind_by_content(path: Path) -> FileKind | Literal["state-dict"] | None:
    """Return the kind that the content of the file `path` shows, whatever its name; None for something unknown.

    Raises:
        TargetError: where it cannot be read, or is a damaged archive.
    """
    start = _first_bytes(path)
    if is_safetensors(start):
        return "state-dict"
    if start[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except DAMAGED as error:
            raise TargetError(f"{path}: is a damaged archive ({one_line(error)})") from error
        members = {name.partition("/")[2] for name in names}
        if "archive_format" in members or "serialized_exported_program.json" in names:
            return "exported-program"
        if "constants.pkl" in members and any(name.startswith("code/") for name in members):
            return "torchscript"
        return "state-dict" if "data.pkl" in members else None
    if start[:1] == b"\x80":  # a pickle, as torch wrote them before it wrote archives
        return "state-dict"
    if start[:1] == b"\x08":  # the first field of an ONNX model, its version
        return "onnx"
    with system_errors(TargetError, f"{path} cannot be read"):
        return "tfjs" if is_tensorflow_js_graph(path) else None
