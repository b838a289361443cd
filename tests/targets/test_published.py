"""Published weights: fetched by their libraries, into their caches, only where the user asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
import torchvision
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

from zoom_engine import Diagnoser, load_target
from zoom_engine.cli import main
from zoom_engine.common.errors import TargetError

Asked = list[tuple[Any, ...]]
COMMIT = "0" * 40


def steep(network: nn.Module) -> nn.Module:
    *_, last = (
        layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None
    )
    with torch.no_grad():
        last.weight.mul_(50)
    return network.eval()


def snapshot(home: Path, repository: str) -> Path:
    """The folder of the newest snapshot in the hub's cache, as the hub lays it out."""
    folder = home / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True, exist_ok=True)
    return folder / "snapshots" / COMMIT


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Empty caches, and what is asked of the libraries' download functions, which "fetch" networks made here."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    requests: Asked = []

    def to_file(url: str, path: str, digest: str | None, *, progress: bool) -> None:
        requests.append(("torch", url, digest, progress))
        torch.save(steep(torchvision.models.squeezenet1_1(num_classes=2)).state_dict(), path)

    def one_file(repository: str, file: str) -> str:
        requests.append(("hub", repository, file))
        if file.endswith("safetensors"):
            raise huggingface_hub.errors.EntryNotFoundError(f"{repository} has no {file}")
        path = snapshot(tmp_path, repository) / file
        torch.save(steep(timm.create_model("resnet10t", num_classes=2)).state_dict(), path)
        return str(path)

    def folder(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        requests.append(("snapshot", repository, revision, allow_patterns))
        path = snapshot(tmp_path, repository)
        config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_labels=3)
        steep(ResNetForImageClassification(config)).save_pretrained(path)  # type: ignore[operator]
        (path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
        return str(path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", to_file)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", one_file)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", folder)
    return requests


TORCH_URL = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url
HUB_FILES = ["config.json", "preprocessor_config.json", "model*.safetensors", "model.safetensors.index.json"]
SPECS: dict[str, Asked] = {
    "torchvision:squeezenet1_1@IMAGENET1K_V1": [("torch", TORCH_URL, "b8a52dc0", True)],
    "timm:resnet10t@c3_in1k": [
        ("hub", "timm/resnet10t.c3_in1k", "model.safetensors"),
        ("hub", "timm/resnet10t.c3_in1k", "pytorch_model.bin"),
    ],
    "hf-hub:owner/tiny": [("snapshot", "owner/tiny", None, HUB_FILES)],
}


@pytest.mark.parametrize("spec", SPECS)
def test_weights_are_fetched_by_the_library_once_and_only_when_asked(spec: str, asked: Asked) -> None:
    with pytest.raises(
        TargetError, match=r"(are|is) not on this machine: fetch it with --download \(download=True"
    ) as caught:
        load_target(spec, kind="logits")
    assert "\n" not in str(caught.value)
    assert ("hf download" in str(caught.value)) == (not spec.startswith("torchvision"))
    assert asked == []
    fetched = load_target(spec, kind="logits", download=True)
    assert asked == SPECS[spec]
    again = [load_target(spec, kind="logits", download=download) for download in (True, False)]
    assert asked == SPECS[spec]
    assert {target.content_hash for target in again} == {fetched.content_hash}
    assert not fetched.assumed


def test_a_revision_is_asked_for_by_its_name(asked: Asked) -> None:
    load_target("hf-hub:owner/tiny@v2", download=True)
    assert asked == [("snapshot", "owner/tiny", "v2", HUB_FILES)]
    assert load_target("hf-hub:owner/tiny").name == "owner/tiny"


def test_an_interrupted_download_of_many_files_goes_on(asked: Asked, tmp_path: Path) -> None:
    folder = snapshot(tmp_path, "owner/tiny")
    (folder / "config.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(TargetError, match="--download"):
        load_target("hf-hub:owner/tiny")
    for name in (*names.values(), "model.safetensors.index.json"):
        (folder / name).unlink(missing_ok=True)
    load_target("hf-hub:owner/tiny", download=True)
    assert len(asked) == 1


def test_a_snapshot_without_what_says_its_input_is_no_whole_one(asked: Asked, tmp_path: Path) -> None:
    """Transformers' from_pretrained leaves the config and the weights alone in the cache."""
    load_target("hf-hub:owner/tiny", download=True)
    (snapshot(tmp_path, "owner/tiny") / "preprocessor_config.json").unlink()
    with pytest.raises(
        TargetError, match=r"preprocessor_config.json, .* is not on this machine: .*--download"
    ) as caught:
        load_target("hf-hub:owner/tiny", preprocessing={"size": 32})
    assert "\n" not in str(caught.value)
    assert not load_target("hf-hub:owner/tiny", preprocessing={"size": 32, "value_range": (0, 1)}).assumed
    assert load_target("hf-hub:owner/tiny", download=True).preprocessing.mean == (0.5,)
    assert len(asked) == 2


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "view": lambda out: ["view", "--seeds", "0", "--out", str(out / "seen.png"), "--target"],
    "inspect": lambda out: ["inspect"],
    "diagnose": lambda out: [
        *("diagnose", "--generator", "avatars", "--attribute", "a smiling face", "--images", "1"),
        *("--random-directions", "0"),
        *("--out", str(out / "audit"), "--target"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_takes_download(
    command: str, asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*COMMANDS[command](tmp_path), "hf-hub:owner/tiny"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    told = [line for line in error.splitlines() if line.startswith("zoom-engine: ")]
    assert len(told) == 1
    assert "--download" in told[0]
    assert asked == []
    assert main([*arguments, "--download"]) == 0
    assert len(asked) == 1


@pytest.mark.ci
def test_a_configuration_file_an_export_and_the_api_take_it(
    asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.toml").write_text(
        'generator = "avatars"\ntarget = "hf-hub:owner/toml"\nattributes = ["a smiling face"]\n'
        'random_directions = 0\ndownload = "yes"\n'
    )
    arguments = [
        "diagnose",
        "--config",
        str(tmp_path / "audit.toml"),
        "--images",
        "1",
        "--out",
        str(tmp_path / "audit"),
    ]
    assert main(arguments) == 1
    assert "'download' must be true or false, got 'yes'" in capsys.readouterr().err
    (tmp_path / "audit.toml").write_text((tmp_path / "audit.toml").read_text().replace('"yes"', "true"))
    assert main(arguments) == 0
    exporting = [
        "export",
        "--generator",
        "avatars",
        "--target",
        "hf-hub:owner/export",
        "--out",
        str(tmp_path),
        "--max-resolution",
        "8",
    ]
    assert main(exporting) == 1
    assert "--download" in capsys.readouterr().err
    assert main([*exporting, "--download"]) == 0
    Diagnoser(generator="avatars", target="hf-hub:owner/api", attributes=["a smiling face"], download=True)
    assert [request[1] for request in asked] == ["owner/toml", "owner/export", "owner/api"]


@pytest.mark.parametrize("spec", SPECS)
def test_what_cannot_be_reached_is_one_line_that_says_what_to_do_instead(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests' HF_HUB_OFFLINE refuses the hub; torch's function is given a server that does not answer."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(TargetError, match=r"cannot be fetched \(.*\): fetch .* once") as caught:
        load_target(spec, download=True)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.pth"))
