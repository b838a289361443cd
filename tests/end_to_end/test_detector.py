"""Audits of a detector: as a file on the command line, and followed by gradients as a network;
`docs/how-to/models.md` audits one as a function."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from detectors import Candidates
from PIL import Image

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import DetectionTask, Preprocessing, load_target, save_onnx

pytestmark = pytest.mark.slow

ATTRIBUTES = ["a face with eyeglasses", "a smiling face"]
TASK = DetectionTask(classes=("face", "hand"), chosen="face", output="yolo", side=128)


def test_a_file_is_audited_to_a_report_with_boxes(tmp_path: Path) -> None:
    target = load_target(Candidates(), name="faces", task=TASK, preprocessing=Preprocessing())
    save_onnx(target, tmp_path / "faces.onnx", resolution=128)
    command = (
        f"diagnose --generator avatars --target {tmp_path / 'faces.onnx'} --task detection --task-option output=yolo"
        f" --task-option side=128 --task-option chosen=face --class face --class hand --images 2 --random-directions 0"
        f" --out {tmp_path / 'a'}"
    )
    assert main([*command.split(), *(part for attribute in ATTRIBUTES for part in ("--attribute", attribute))]) == 0
    diagnosis = Diagnosis.load(tmp_path / "a")
    assert diagnosis.config.content["target_details"]["differentiable"]
    assert diagnosis.sensitivity[0].attribute.text == ATTRIBUTES[0]
    assert (diagnosis.sensitivity[0].value or 0) > 0.2
    page = (tmp_path / "a" / "report.html").read_text()
    for words in (
        "how surely “face” is found where it was",
        "the box before the edit",
        "of score × overlap",
        " × 0.",
    ):
        assert words in page
    assert 'scope="col">place' in page, "the table of which of both moves"
    frames = json.loads((tmp_path / "a" / "gallery.json").read_text())["strips"][0]["frames"]
    plain = np.asarray(Image.open(tmp_path / "a" / frames[0]["file"])).astype(int)
    orange = (plain[:, :, 0] > 180) & (np.abs(plain[:, :, 1] - 110) < 40) & (plain[:, :, 2] < 80)
    assert (orange.sum(0) > 40).any(), "the sides of a box"
    assert (orange.sum(1) > 40).any(), "its top and bottom"


@pytest.mark.ci
def test_a_network_is_followed_by_gradients(tmp_path: Path) -> None:
    run = Diagnoser(
        generator="avatars",
        target=Candidates(),
        target_options={"task": TASK.to_dict()},
        attributes=ATTRIBUTES,
        mode="multi",
    ).run(images=1, seed=2, out=tmp_path)
    assert run.config.search == "minimal"
    assert run.records[0].evaluations > 3, "it followed slopes to somewhere"
    assert run.records[0].change > 0.01
