"""Pipelines of diffusers as editors: small ones of random weights, saved in a folder. None was run on real weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked_edits import edited
from small_pipelines import parts

from zoom_engine.common.errors import ConfigError, EditorError
from zoom_engine.edits.contract import check_editor
from zoom_engine.edits.loading import load_editor

diffusers = pytest.importorskip("diffusers", reason="the extra zoom-engine[diffusers] is not installed")

pytestmark = pytest.mark.slow

PICTURES = [np.random.default_rng(index).integers(0, 256, (24 + index, 33, 3), dtype=np.uint8) for index in range(2)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of an instruction pipeline, an img2img pipeline, and one that draws of texts alone."""
    root = tmp_path_factory.mktemp("pipelines")
    for name, kind, channels in (
        ("instruction", diffusers.StableDiffusionInstructPix2PixPipeline, 8),
        ("img2img", diffusers.StableDiffusionImg2ImgPipeline, 4),
        ("text", diffusers.StableDiffusionPipeline, 4),
    ):
        (root / f"of {name}").mkdir()
        pipeline = kind(**parts(root / f"of {name}", channels), requires_safety_checker=False)
        pipeline.save_pretrained(root / name, safe_serialization=True)
    return root


def loaded(folder: Path, **options: Any) -> Any:
    return load_editor(f"diffusers:{folder}", options={"steps": 4, **options})


@pytest.mark.parametrize(
    ("name", "strengths", "unit", "steps"),
    [
        pytest.param("instruction", [2.0, 12.0], "guidance", 1, marks=pytest.mark.ci),
        pytest.param("img2img", [0.5, 1.0], "of the noise", 2, marks=pytest.mark.ci),
        ("text", [0.5, 1.0], "of the noise", 2),
    ],
)
def test_a_pipeline_of_a_folder_holds_the_contract_of_editors(
    saved: Path, name: str, strengths: list[float], unit: str, steps: int
) -> None:
    editor = loaded(saved / name, strengths=strengths, steps=steps)
    check_editor(editor, attribute="make it snow")
    assert (editor.attributes, editor.unit("make it snow")) == ((), unit)
    assert editor.strengths("make it snow") == tuple(strengths)
    weak, strong = (edited(editor, PICTURES, "make it snow", strength, [1, 2]) for strength in strengths)
    assert not np.array_equal(weak[0], strong[0])
    other = edited(editor, PICTURES, "make it snow", strengths[1], [3, 2])
    assert not np.array_equal(strong[0], other[0]), "another seed"
    assert np.array_equal(strong[1], other[1])


def test_the_strength_is_what_the_user_says_and_pictures_come_back_at_their_size(saved: Path) -> None:
    by_guidance = loaded(saved / "img2img", by="guidance_scale", side=16)
    assert by_guidance.strengths("snow") == (2.0, 4.0, 7.5, 12.0)
    (picture,) = edited(by_guidance, PICTURES[:1], "snow", 2.0, [0])
    assert picture.shape == PICTURES[0].shape
    assert (
        loaded(saved / "instruction").describe() != loaded(saved / "instruction", image_guidance_scale=2.0).describe()
    )
    assert loaded(saved / "instruction").describe()["pipeline"] == "StableDiffusionInstructPix2PixPipeline"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("instruction", {"by": "strength"}, "has no strength"),
        ("instruction", {"guidance_scale": 3.0}, "guidance_scale is the strength"),
        ("instruction", {"strengths": [0.5, 2]}, "must be above 1"),
        ("img2img", {"strengths": [0.5, 2]}, "above 0 and at most 1"),
        ("img2img", {"image_guidance_scale": 2.0}, "has no image_guidance_scale"),
        ("img2img", {"strength": [1]}, "did you mean 'strengths'"),
        ("img2img", {"by": "noise"}, "must be strength or guidance_scale"),
        ("img2img", {"steps": 0}, "at least 1"),
        ("img2img", {"precision": "double"}, "float32"),
    ],
)
def test_options_that_a_pipeline_does_not_have_are_one_line(
    saved: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        loaded(saved / name, **options)
    assert "\n" not in str(refusal.value)


def test_what_is_no_pipeline_or_would_run_code_is_one_line(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    shutil.copytree(saved / "img2img", folder)

    def refused(message: str) -> None:
        with pytest.raises(EditorError, match=message) as refusal:
            loaded(folder)
        assert "\n" not in str(refusal.value)

    (folder / "mine.py").write_text("raise SystemExit")
    refused(r"mine\.py is a program, which is not run")
    (folder / "mine.py").unlink()
    index = json.loads((folder / "model_index.json").read_text())
    for kind, message in (
        (["mine", "Pipeline"], "is a program, which is not run"),
        ("NoPipeline", "has no pipeline 'NoPipeline'"),
        ("AutoencoderKL", "has no pipeline 'AutoencoderKL'"),
    ):
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))
        refused(message)
    (folder / "model_index.json").write_text(json.dumps(index))
    weights = next((folder / "unet").glob("*.safetensors"))
    torch.save({}, weights.with_name("diffusion_pytorch_model.bin"))
    weights.unlink()
    refused("cannot be loaded")
    (folder / "model_index.json").write_text("{")
    refused("holds no pipeline of diffusers")
    shutil.rmtree(folder)
    refused("holds no pipeline of diffusers")
