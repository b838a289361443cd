"""The targets of other tasks: their files, and how they are viewed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoom_engine.commands.target_view import write_target_view
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.renderer import sample
from zoom_engine.domains.networks import to_float
from zoom_engine.targets import load_target, save_onnx


@pytest.mark.parametrize("name", ["keypoints", "segmentation"])
def test_as_onnx_files_they_are_the_same_targets(name: str, tmp_path: Path) -> None:
    shipped = DOMAIN.target(name)
    save_onnx(shipped, tmp_path / "target.onnx", resolution=128)
    loaded = load_target(tmp_path / "target.onnx")
    images = to_float(torch.from_numpy(sample(4, 41)[0]))
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), shipped(images), atol=1e-3, rtol=1e-3)
    assert loaded.task == shipped.task
    assert loaded.differentiable


def test_a_view_shows_the_areas_that_the_target_sees(tmp_path: Path) -> None:
    drawn = {}
    for name in ("segmentation", "age-years"):
        write_target_view(tmp_path / f"{name}.png", generator="avatars", target=f"avatars:{name}", seeds=[1])
        with Image.open(tmp_path / f"{name}.png") as picture:
            drawn[name] = np.asarray(picture).astype(int)
    corner = (slice(0, 8), slice(0, 8))  # background, which is tinted black
    np.testing.assert_allclose(drawn["segmentation"][corner], drawn["age-years"][corner] / 2, atol=3)


def test_a_view_holds_answers_that_say_nothing_by_themselves_to_the_first(tmp_path: Path) -> None:
    """How far points moved says nothing of a picture beside itself: "moved 0.0 %"."""

    def answers(name: str) -> tuple[str, str]:
        view = tmp_path / "view.png"
        _, pictures, others = write_target_view(view, generator="avatars", target=f"avatars:{name}", seeds=[0, 1, 2])
        return pictures, others

    pictures, others = answers("keypoints")
    assert pictures.startswith("answers to these pictures, compared with the first: moved 0.0 %, moved ")
    assert pictures.count("moved 0.0 %") == 1
    assert others.startswith("answers to others, compared with the first: black moved ")
    assert all(line.startswith(("answers to these pictures: ", "answers to others: black ")) for line in answers("age"))


def test_classifiers_of_one_attribute_are_told_from_them() -> None:
    assert len(DOMAIN.classifier_names()) == 8
    others = set(DOMAIN.target_names()) - set(DOMAIN.classifier_names())
    assert others == {
        "keypoints", "keypoints-weak-eyeglasses", "segmentation", "segmentation-weak-long-hair", "attributes",
        "age-years", "hair-color",
    }  # fmt: skip
