"""Architectures of torchvision and timm with a state-dict from a file."""

from __future__ import annotations

import argparse
import dataclasses
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.common.threads import quiet
from zoom_engine.targets import BinaryTask, MultiClassTask, input_notices, load_target
from zoom_engine.targets.loaders.architectures import choose_architecture, load_architecture
from zoom_engine.targets.loaders.loaded_model import Reading

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def spread(network: nn.Module) -> nn.Module:
    """Weights as if trained: a fresh network's outputs hardly differ between images."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.1 if "bn" in name or "norm" in name else 0.01))
        *_, last = (module for module in network.modules() if isinstance(module, nn.Linear))
        last.weight.mul_(30)
        last.bias.sub_(5)
    return network.eval()


def test_the_reference_classifier_a_one_logit_resnet50(tmp_path: Path) -> None:
    network = torchvision.models.resnet50(weights=None, num_classes=1)
    with torch.no_grad():
        network.fc.weight.mul_(60)
    state = {f"_orig_mod.module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "classifier.pt")
    target = load_target(
        f"torchvision:resnet50@{tmp_path / 'classifier.pt'}",
        task=BinaryTask(classes=("no", "yes")),
        preprocessing={"size": 64},
    )
    assert target.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406))
    assert target.name == "torchvision:resnet50@classifier.pt"
    with torch.no_grad():
        torch.testing.assert_close(target(IMAGES), network.eval()(target.preprocessing(IMAGES)))


def test_torchvision_brings_its_crop_and_keeps_its_classes(tmp_path: Path) -> None:
    network = torchvision.models.squeezenet1_1(weights=None, num_classes=1000)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    result = load_architecture(f"torchvision:squeezenet1_1@{tmp_path / 'w.safetensors'}", Reading())
    assert (result.preprocessing.size, result.preprocessing.resize_size) == (224, 256)
    transform = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    image = torch.rand(1, 3, 300, 280)
    torch.testing.assert_close(result.preprocessing(image * 2 - 1), transform(image), atol=2e-5, rtol=1e-4)


def test_torchvision_builds_as_around_the_weights_whose_preprocessing_it_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inception's networks bring pictures to a scale of their own then, and a transformer is as large as they are."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1
    file = tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    file.touch()
    built: dict[str, Any] = {}
    for name, given in (("googlenet", file), ("inception_v3", file), ("vit_b_16", weights.name), ("vit_b_32", file)):
        chosen = choose_architecture(f"torchvision:{name}@{given}")
        with torch.device("meta"), quiet():  # of its initialisation it warns
            built[name] = chosen.build(2)
        if name.startswith("vit"):
            assert built[name].image_size == chosen.preprocessing.size
    assert built["googlenet"].transform_input
    assert built["inception_v3"].transform_input
    assert (built["vit_b_16"].image_size, built["vit_b_32"].image_size) == (384, 224)


@pytest.mark.parametrize(("outputs", "kind"), [(3, MultiClassTask), (2, BinaryTask)])
def test_timm_brings_its_preprocessing_and_the_file_its_outputs(tmp_path: Path, outputs: int, kind: type) -> None:
    network = spread(timm.create_model("resnet10t", num_classes=outputs))
    torch.save(network.state_dict(), tmp_path / "w.pth")
    target = load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
    assert isinstance(target.task, kind)
    config = network.pretrained_cfg
    assert target.preprocessing.size == config["input_size"][-1]
    assert target.preprocessing.resize_size == int(config["input_size"][-1] / config["crop_pct"])
    direct = load_target(network)
    assert direct.preprocessing == target.preprocessing
    torch.testing.assert_close(direct(IMAGES), target(IMAGES))


@pytest.mark.ci
def test_weights_in_other_containers_and_without_counts_of_steps_are_the_same(tmp_path: Path) -> None:
    """DeepSpeed stores a model as "module", Lightning's name it by the attribute that holds it."""
    network = spread(timm.create_model("resnet10t", num_classes=3))
    state = network.state_dict()
    counted = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(counted) < len(state)
    for content in ({"module": state}, {"state_dict": {f"net.{key}": value for key, value in state.items()}}, counted):
        torch.save(content, tmp_path / "w.pth")
        target = load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
        torch.testing.assert_close(load_target(network)(IMAGES), target(IMAGES))


def test_weights_of_a_loss_beside_those_of_the_network_are_passed_over_and_told(tmp_path: Path) -> None:
    """A module of Lightning stores all that it is made of."""
    network = spread(timm.create_model("resnet10t", num_classes=3))
    state = {f"classifier.net.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": {"loss.weight": torch.ones(3), **state}}, tmp_path / "w.pth")
    target = load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
    torch.testing.assert_close(load_target(network)(IMAGES), target(IMAGES))
    (notice,) = input_notices(target, resolution=64)
    assert "beside its classifier.net.* are passed over: loss.weight: " in notice
    twice = {**state, **{key.replace("classifier", "teacher"): value for key, value in state.items()}}
    torch.save({"state_dict": twice}, tmp_path / "w.pth")
    with pytest.raises(TargetError, match=r"several networks \(classifier.net., teacher.net.\).*one alone"):
        load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")


@pytest.mark.parametrize(("plain", "averaged"), [("state_dict", "state_dict_ema"), ("model", "model_ema")])
def test_averaged_weights_are_taken_as_timm_takes_them_and_told(tmp_path: Path, plain: str, averaged: str) -> None:
    state = timm.create_model("resnet10t", num_classes=3).state_dict()
    mean = spread(timm.create_model("resnet10t", num_classes=3)).state_dict()
    wrapped = {"n_averaged": torch.tensor(7), **{f"module.{key}": value for key, value in mean.items()}}
    torch.save({"epoch": 3, plain: state, averaged: wrapped}, tmp_path / "w.pth")
    target = load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
    loaded = dict(load_architecture(f"timm:resnet10t@{tmp_path / 'w.pth'}", Reading()).network.named_parameters())
    assert all(torch.equal(value, mean[key]) for key, value in loaded.items())
    (notice,) = input_notices(target, resolution=64)
    assert f"averaged weights of its file are taken, as timm takes them: {averaged}" in notice
    torch.save({plain: state, averaged: None}, tmp_path / "w.pth")
    assert load_architecture(f"timm:resnet10t@{tmp_path / 'w.pth'}", Reading()).note == ""


@dataclasses.dataclass
class Recipe:
    """What a training script of one's own stores beside the weights."""

    rate: float


class Marker:
    """A class that makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


def test_what_trainers_store_beside_the_weights_is_passed_over(tmp_path: Path) -> None:
    """Every checkpoint of timm's own training script was refused, as it holds the script's arguments."""
    network = spread(timm.create_model("resnet10t", num_classes=3))
    beside = {
        "args": argparse.Namespace(lr=0.1, output=Path("out"), begun=datetime(2026, 1, 1)),
        "metric": np.float64(81.5),
        "recipe": Recipe(rate=0.1),
    }
    torch.save({"epoch": 3, "state_dict": network.state_dict(), **beside}, tmp_path / "w.pth")
    target = load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
    torch.testing.assert_close(load_target(network)(IMAGES), target(IMAGES))
    for content in ({"state_dict": network.state_dict(), "x": Marker(tmp_path / "made")}, {"model": network}):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(TargetError, match="would run code"):
            load_target(f"timm:resnet10t@{tmp_path / 'w.pth'}")
    assert not (tmp_path / "made").exists()


def of_a_newer_zip(archive: bytes) -> bytes:
    """The archive, whose directory says of its first entry that it takes version 25.5 of zip to read it."""
    entry = archive.index(b"PK\x01\x02")
    return archive[: entry + 6] + b"\xff" + archive[entry + 7 :]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torchvision:resnet50", "lacks its weights"),
        ("torchvision:resnet5000@{}/w.pt", "no model 'resnet5000'"),
        ("timm:resnet5000@{}/w.pt", "no model 'resnet5000'"),
        ("torchvision:resnet18@IMAGENET1K_V7", "has IMAGENET1K_V1"),
        ("torchvision:resnet18@IMAGENET1K_V1", "fetch https://.* once and put it in .*checkpoints"),
        ("timm:resnet18@a1_in1k", "hf download timm/resnet18.a1_in1k model.safetensors"),
        ("timm:resnet18@nope", "it has a1_in1k"),
        ("torchvision:resnet18@{}/w.pt", "not of torchvision:resnet18"),
        ("torchvision:squeezenet1_1@{}/pickle.pt", "would run code"),
        ("torchvision:squeezenet1_1@{}/junk.pt", "not a state-dict file, or a damaged one"),
        ("torchvision:squeezenet1_1@{}/nan.pt", "NaN or infinity"),
        ("torchvision:squeezenet1_1@{}/eighths.pt", "'w', float8_e4m3fn in 1 axes, cannot be read"),
        ("torchvision:squeezenet1_1@{}/axes.pt", "'w', float32 in 70 axes, cannot be read"),
        ("torchvision:squeezenet1_1@{}/bomb.pt", "unpacks to more than it is"),
        ("torchvision:squeezenet1_1@{}/claims.pt", "'w' claims more numbers than the file holds"),
        ("torchvision:squeezenet1_1@{}/list.pt", "holds no state-dict"),
        ("{}/w.pt", "weights alone: name their architecture"),
        ("{}/newer.pt", "is a damaged archive .zip file version"),
    ],
)
def test_what_does_not_fit_is_one_line(
    spec: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    torch.save(torchvision.models.squeezenet1_1(num_classes=2).state_dict(), tmp_path / "w.pt")
    torch.save(nn.Linear(2, 2), tmp_path / "pickle.pt")
    torch.save({"w": torch.full((2,), torch.nan)}, tmp_path / "nan.pt")
    torch.save({"w": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "eighths.pt")
    torch.save({"w": torch.ones([1] * 70)}, tmp_path / "axes.pt")
    torch.save({"w": torch.zeros(1).expand(2**20, 4)}, tmp_path / "claims.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "newer.pt").write_bytes(of_a_newer_zip((tmp_path / "list.pt").read_bytes()))
    (tmp_path / "junk.pt").write_bytes(b"\x80junk")
    with zipfile.ZipFile(tmp_path / "w.pt") as whole, zipfile.ZipFile(tmp_path / "bomb.pt", "w") as bomb:
        for entry in whole.infolist():
            bomb.writestr(entry.filename, whole.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(TargetError, match=message) as caught:
        load_target(spec.format(tmp_path))
    assert "\n" not in str(caught.value)
