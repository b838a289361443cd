"""The project's own generator files: exact, and refused in one line where they are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import spread_generator
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators import StyleGAN2, StyleGAN2Config, load_generator, save_generator

CONFIG = StyleGAN2Config(16, (8, 6, 4), z_dim=8, w_dim=8, mapping_layers=2)


@pytest.fixture
def network() -> StyleGAN2:
    return spread_generator(CONFIG, seed=1)


def image(network: StyleGAN2) -> torch.Tensor:
    with torch.no_grad():
        return network.synthesis(network.styles(network.mapping(network.latents([5]))))


def test_a_saved_generator_draws_the_same_image(network: StyleGAN2, tmp_path: Path) -> None:
    save_generator(network, tmp_path / "g.safetensors", metadata={"seed": 1})
    loaded = load_generator(tmp_path / "g.safetensors")
    assert torch.equal(image(loaded), image(network))
    assert loaded.content_hash == network.content_hash
    assert not any(p.requires_grad for p in loaded.parameters())


def test_half_precision_storage_stays_near(network: StyleGAN2, tmp_path: Path) -> None:
    save_generator(network, tmp_path / "g.safetensors", half=True)
    assert torch.allclose(image(load_generator(tmp_path / "g.safetensors")), image(network), atol=0.05)


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.99])
def test_a_truncated_file_is_one_clear_line(network: StyleGAN2, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(network, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep if keep > 1 or keep == 0 else keep * len(data))])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)


def test_shapes_must_fit_the_configuration(network: StyleGAN2, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(network, path)
    tensors = load_file(path)
    tensors["const"] = tensors["const"][:, :2]
    header = {"format": "zoom-engine/stylegan2/1", "config": json.dumps(CONFIG.to_dict()), "info": "{}"}
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=header)
    with pytest.raises(CheckpointError, match="'const'"):
        load_generator(path)


def test_values_must_be_finite(network: StyleGAN2, tmp_path: Path) -> None:
    with torch.no_grad():
        network.const[0, 0, 0] = float("nan")
    save_generator(network, tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match="non-finite"):
        load_generator(tmp_path / "g.safetensors")


@pytest.mark.parametrize(
    "config",
    ["[]", "{}", '{"resolution": 1e9, "channels": [1]}', '{"resolution": 4, "channels": [99999999999]}', "{"],
)
def test_hostile_configurations_are_refused_before_memory_is_taken(tmp_path: Path, config: str) -> None:
    header = {"format": "zoom-engine/stylegan2/1", "config": config, "info": "{}"}
    save_file({"const": torch.zeros(1)}, tmp_path / "g.safetensors", metadata=header)
    with pytest.raises(CheckpointError):
        load_generator(tmp_path / "g.safetensors")


def test_other_safetensors_files_and_missing_ones_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="not a zoom-engine generator"):
        load_generator(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="neither an installed domain nor a file"):
        load_generator(tmp_path / "absent.safetensors")


def test_later_fields_leave_older_configurations_and_their_hashes_as_they_were() -> None:
    assert set(CONFIG.to_dict()) == {"resolution", "channels", "z_dim", "w_dim", "mapping_layers", "conv_clamp"}
    assert StyleGAN2Config.from_dict(json.loads(json.dumps(CONFIG.to_dict()))) == CONFIG


@pytest.mark.parametrize(
    "later",
    [{"architecture": "orig"}, {"architecture": "resnet"}, {"c_dim": 3, "embed_dim": 4}, {"mapping_dim": 5}],
)
def test_later_fields_are_saved_and_loaded(later: dict[str, object], tmp_path: Path) -> None:
    network = spread_generator(replace(CONFIG, **later))  # type: ignore[arg-type]
    save_generator(network, tmp_path / "g.safetensors")
    loaded = load_generator(tmp_path / "g.safetensors")
    assert loaded.config == network.config
    assert loaded.content_hash == network.content_hash
    w = torch.randn(1, network.num_ws, network.w_dim)
    assert torch.equal(loaded.synthesis(loaded.styles(w)), network.synthesis(network.styles(w)))


@pytest.mark.parametrize(
    "config",
    [{"architecture": "hinge"}, {"c_dim": 3}, {"embed_dim": 3}, {"mapping_dim": 0}, {"conv_clamp": -1.0}],
)
def test_impossible_later_fields_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        replace(CONFIG, **config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "config",
    [
        json.dumps({**CONFIG.to_dict(), "architecture": "\x1b[2J\nskip"}),
        json.dumps({**CONFIG.to_dict(), "\x1b[2J\n": 1}),
        json.dumps({**CONFIG.to_dict(), "conv_clamp": "\x1b[2J\n"}),
        json.dumps(CONFIG.to_dict()),
    ],
)
def test_what_comes_from_a_file_cannot_command_the_terminal(config: str, tmp_path: Path) -> None:
    header = {"format": "zoom-engine/stylegan2/1", "config": config, "info": "{}"}
    save_file({"\x1b[2J\n": torch.zeros(1)}, tmp_path / "g.safetensors", metadata=header)
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "g.safetensors")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"conv_clamp": 10**400}, "conv_clamp must be a positive number"),
        ({"channels": [float("inf")] * 3}, "generator sizes must be whole numbers"),
        ({"channels": [4] * 5_000}, "needs . channel widths, got 5000"),
    ],
)
def test_numbers_that_no_generator_has_are_one_clear_line(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    header = {"format": "zoom-engine/stylegan2/1", "config": json.dumps({**CONFIG.to_dict(), **change}), "info": "{}"}
    save_file({"const": torch.zeros(1)}, tmp_path / "g.safetensors", metadata=header)
    with pytest.raises(CheckpointError, match=says) as caught:
        load_generator(tmp_path / "g.safetensors")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn, torch.int64, torch.bool])
def test_weights_of_types_that_none_are_stored_as_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    save_generator(spread_generator(CONFIG), tmp_path / "g.safetensors")
    tensors = load_file(tmp_path / "g.safetensors")
    with safe_open(tmp_path / "g.safetensors", framework="pt") as file:
        metadata = file.metadata()
    tensors["const"] = tensors["const"].to(dtype)
    save_file(tensors, tmp_path / "g.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=f"stores 'const' as {str(dtype).removeprefix('torch.')}; only floats"):
        load_generator(tmp_path / "g.safetensors")


@pytest.mark.parametrize("info", ["[" * 100_000, "9" * 10_000])
def test_metadata_that_json_chokes_on_is_one_clear_line(info: str, tmp_path: Path) -> None:
    header = {"format": "zoom-engine/stylegan2/1", "config": "{}", "info": info}
    save_file({"const": torch.zeros(1)}, tmp_path / "g.safetensors", metadata=header)
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(tmp_path / "g.safetensors")
