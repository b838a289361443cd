"""Hugging Face folders: a tiny model that the test saves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, MultiClassTask, load_target

NAMES = {0: "cat", 1: "dog", 2: "fox"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", id2label=NAMES)
    model = ResNetForImageClassification(config)
    with torch.no_grad():
        model.classifier[1].weight.mul_(20)
    path = tmp_path / "tiny"
    model.save_pretrained(path)
    preprocessor = {
        "do_resize": True, "size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": 32, "resample": 3,
        "do_normalize": True, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "rescale_factor": 1 / 255,
    }  # fmt: skip
    (path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return path


def test_a_folder_is_the_model_with_its_classes_and_preprocessing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    target = load_target(folder)
    assert capfd.readouterr() == ("", "")
    assert target.task == MultiClassTask(classes=("cat", "dog", "fox"))
    assert target.name == "tiny"
    how = target.preprocessing
    assert (how.size, how.resize_size, how.resize) == ((32, 32), 36, "bicubic")
    model = ResNetForImageClassification.from_pretrained(folder).eval()
    images = torch.rand(2, 3, 36, 36) * 2 - 1
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    with torch.no_grad():
        expected = model(((images[..., 2:34, 2:34] + 1) / 2 - mean) / std).logits
        torch.testing.assert_close(target(images), expected, atol=1e-4, rtol=1e-4)
    one = load_target(folder, head="dog", kind="logits")
    assert one.task == BinaryTask(classes=("not dog", "dog"), head=1)
    torch.testing.assert_close(one(images)[:, 0], target(images)[:, 1])


def test_logits_of_transformers_are_logits_whatever_their_values(folder: Path) -> None:
    """Those of a model that is hardly trained may all lie in [0, 1]: it was refused as one that could be two things."""
    model = ResNetForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        model.classifier[1].weight.mul_(1e-3)
        model.classifier[1].bias.copy_(torch.tensor([0.3, 0.6, 0.5]))
    model.save_pretrained(folder)
    for target in (load_target(folder), load_target(model)):
        assert target.task == MultiClassTask(classes=("cat", "dog", "fox"), output="logits")


def test_refusals_are_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(message: str) -> None:
        with pytest.raises(TargetError, match=message) as caught:
            load_target(folder)
        assert "\n" not in str(caught.value)

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "transformers", None)
        refused(r"pip install 'zoom-engine\[huggingface\]'")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    refused("code of its own")
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    refused("as an image classifier")
    (folder / "config.json").write_text("[]")
    refused("no JSON object")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").rename(folder / "model.bin")
    refused("no .safetensors file")
