"""The shipped models: small, honest about themselves, and moved by what was planted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from zoom_engine.common.errors import TargetError
from zoom_engine.domains.avatars.domain import DOMAIN as AVATARS
from zoom_engine.domains.avatars.renderer import sample
from zoom_engine.domains.cars.domain import DOMAIN as CARS
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.people.domain import DOMAIN as PEOPLE
from zoom_engine.domains.pets.domain import DOMAIN as PETS
from zoom_engine.domains.places.domain import DOMAIN as PLACES
from zoom_engine.domains.weights_files import load_network
from zoom_engine.targets import load_target, save_onnx


@pytest.mark.parametrize(
    ("weights", "most"),
    [
        (AVATARS.weights, 42_000_000),
        (PETS.weights, 25_000_000),
        (PLACES.weights, 25_000_000),
        (CARS.weights, 25_000_000),
        (PEOPLE.weights, 40_000_000),
    ],
    ids=["avatars", "pets", "places", "cars", "people"],
)
def test_all_weights_together_are_small_and_have_recipe_and_seed(weights: Path, most: int) -> None:
    files = [path for path in weights.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= most
    for path in files:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="pt") as file:
                info = json.loads((file.metadata() or {})["info"])
            assert info["recipe"]
            assert "seed" in info


def test_an_unknown_target_is_named_with_the_choices() -> None:
    with pytest.raises(TargetError, match="choose from age"):
        AVATARS.target("nobody")


@pytest.mark.parametrize("name", ["eyeglasses", "mustache-biased-pale-skin"])
def test_as_onnx_files_they_are_the_same_targets(name: str, tmp_path: Path) -> None:
    shipped = AVATARS.target(name)
    save_onnx(shipped, tmp_path / "target.onnx", resolution=128)
    loaded = load_target(tmp_path / "target.onnx")
    images = to_float(torch.from_numpy(sample(16, 34)[0]))
    with torch.no_grad():
        assert torch.allclose(loaded(images), shipped(images), atol=1e-3)
    assert loaded.labels == shipped.labels
    assert loaded.differentiable


@pytest.mark.ci
@pytest.mark.slow(5)
def test_biased_targets_are_moved_by_what_was_planted_and_their_sound_twin_is_not() -> None:
    targets = {name: PETS.target(name) for name in PETS.target_names()}
    about = {name: load_network(PETS.weights / "targets" / f"{name}.safetensors")[1] for name in targets}
    planted = {name: row["planted"] for name, row in about.items() if row["planted"]}
    assert len(planted) == 3
    effects = PETS.effects_of(targets, list(planted.values()), count=30)
    for name, attribute in planted.items():
        assert effects[name][attribute] >= 0.2
        assert effects[name][attribute] > 3 * effects["dog"][attribute]
    assert set(PETS.target_names()) == {"dog", "dog-biased-background", "dog-biased-collar", "dog-biased-fur"}
