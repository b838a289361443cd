"""Models of other programs are told by how their files begin, as a target and as a generator."""

from __future__ import annotations

import gzip
import io
import pickle
import sys
import types
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from zoom_engine.commands.inspection import describe_file
from zoom_engine.common.errors import CheckpointError, TargetError
from zoom_engine.common.files.foreign_models import foreign_model, pickled_object
from zoom_engine.generators import load_generator
from zoom_engine.targets import load_target

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(200)
TFJS = b'{"format": "%s", "modelTopology": {"node": []}, "weightsManifest": []}'
TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(200)


def _keras() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", HDF5)
    return buffer.getvalue()


def _estimator(protocol: int) -> bytes:
    """A pickle that names scikit-learn's class, as joblib's dumps do too."""
    kind = type("LogisticRegression", (), {"__module__": "sklearn.linear_model._logistic"})
    module: Any = types.ModuleType(kind.__module__)
    module.LogisticRegression = kind
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
        patch.setitem(sys.modules, "sklearn.linear_model", types.ModuleType("sklearn.linear_model"))
        patch.setitem(sys.modules, kind.__module__, module)
        return pickle.dumps({"C": 1.0, "model": kind()}, protocol=protocol)


def _saved(value: Any, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


NAMED = r"pickle of sklearn\.linear_model\._logistic\.LogisticRegression"
OTHERS = {
    "HDF5": (HDF5, r"python -m tf2onnx\.convert --keras .*model' --output model\.onnx"),
    "Keras": (_keras(), "is a Keras model.*--keras"),
    "Keras for TensorFlow.js": (
        TFJS % b"layers-model",
        r"tfjs_layers_model .*model' model && python -m tf2onnx\.convert --saved-model model --output model\.onnx$",
    ),
    "TFLite": (TFLITE, r"python -m tf2onnx\.convert --tflite .*model' --output model\.onnx"),
    **{f"joblib, protocol {protocol}": (_estimator(protocol), NAMED) for protocol in range(6)},
    "joblib in zlib": (zlib.compress(_estimator(3)), "LogisticRegression, a model of tables.*python:FILE.py:NAME"),
    "joblib in gzip": (gzip.compress(_estimator(4)), "LogisticRegression.*skl2onnx"),
}


@pytest.mark.parametrize(("data", "says"), OTHERS.values(), ids=OTHERS)
def test_a_model_of_another_program_is_named_with_the_way_to_onnx(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "my model"
    path.write_bytes(data)
    with pytest.raises(TargetError, match=says) as target:
        load_target(path)
    with pytest.raises(CheckpointError, match=says) as generator:
        load_generator(path)
    refusal = describe_file(path).refusal
    for error in (target.value, generator.value, refusal):
        assert str(error).startswith(f"{path} is a")
        assert str(error).isprintable()


def test_a_saved_model_of_tensorflow_is_named_with_the_way_to_onnx(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(TargetError, match="--saved-model"):
        load_target(tmp_path)


def test_a_graph_of_tensorflow_js_is_read_as_a_target_and_as_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(TFJS % b"graph-model")
    for target in (path, tmp_path):
        with pytest.raises(TargetError, match="has 0 inputs"):
            load_target(target)
        assert foreign_model(target) is not None
    with pytest.raises(CheckpointError, match=r"--tfjs .*model\.json --output model\.onnx"):
        load_generator(path)


def test_a_folder_of_a_keras_model_for_tensorflow_js_is_named_with_the_way_to_onnx(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(TFJS % b"layers-model")
    with pytest.raises(TargetError, match=r"tfjs_layers_model"):
        load_target(tmp_path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_whole_module_is_not_called_weights_alone(wrapped: bool, legacy: bool, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3))
    path = tmp_path / "whole.pt"
    path.write_bytes(_saved({"epoch": 3, "model": module} if wrapped else module, legacy=legacy))
    with pytest.raises(
        TargetError, match=r"object of torch\.nn\.modules\.container\.Sequential.*state_dict\(\)"
    ) as error:
        load_target(path)
    assert "torch.onnx.export" in str(error.value)
    with pytest.raises(CheckpointError, match=r"not opened; of a whole decoder.*torch\.onnx\.export"):
        load_generator(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_alone_are_still_called_that(legacy: bool, tmp_path: Path) -> None:
    weights = nn.Conv2d(3, 2, 3).state_dict()
    path = tmp_path / "weights.pt"
    for value in (weights, {"epoch": 1, "model": weights}, {"w": torch.zeros(2)}, {"w": nn.Parameter(torch.zeros(2))}):
        path.write_bytes(_saved(value, legacy=legacy))
        assert (foreign_model(path), pickled_object(path)) == (None, None)
        with pytest.raises(TargetError, match="holds weights alone"):
            load_target(path)


@pytest.mark.parametrize(
    "data",
    [_estimator(4), _estimator(2), zlib.compress(_estimator(4)), _saved(nn.Flatten()), b"S'\\q'\n."],
    ids=["protocol 4", "protocol 2", "zlib", "archive", "an unknown escape"],
)
def test_a_file_cut_off_anywhere_is_looked_at_without_an_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    for end in range(min(len(data), 300)):
        path.write_bytes(data[:end])
        assert foreign_model(path) is None or "LogisticRegression" in str(foreign_model(path))
        pickled_object(path)


@pytest.mark.parametrize(
    "program", ["import torch\nfrom torch import nn\n", "from b import Path\nimport a\n", "class A:\n    pass\n"]
)
def test_a_program_is_no_pickle(program: str, tmp_path: Path) -> None:
    """Old pickles are lines of text, and "i" begins one that names a class."""
    (tmp_path / "model.py").write_text(program)
    assert pickled_object(tmp_path / "model.py") is None
