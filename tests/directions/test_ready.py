"""Files of ready edit directions, by whoever wrote them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.diagnose.identity import of_directions
from zoom_engine.directions import EditDirections, Sampling
from zoom_engine.directions.ready import GivenDirections, read_directions
from zoom_engine.settings.audit_settings import is_file_of_directions


def written(path: Path, rows: Tensor, names: object = ("one", "two"), *, tensor: str = "directions") -> Path:
    save_file({tensor: rows.contiguous()}, path, metadata={"names": json.dumps(names)})
    return path


def fitted(given: EditDirections | GivenDirections, toy: tuple[Any, Any], *names: str) -> EditDirections:
    assert isinstance(given, GivenDirections)
    generator, encoder = toy
    return given.fit(generator, encoder, names, neutral="face", templates=["{}"], sampling=Sampling(64))


def test_one_edit_weight_is_one_standard_deviation_however_long_a_row_is(tmp_path: Path, toy: tuple[Any, Any]) -> None:
    generator = toy[0]
    rows = torch.randn(2, generator.space.size, generator=torch.Generator().manual_seed(1))
    first = fitted(read_directions(written(tmp_path / "a", rows)), toy, "one", "two")
    scaled = fitted(read_directions(written(tmp_path / "b", rows * torch.tensor([[7.0], [0.01]]))), toy, "one", "two")
    torch.testing.assert_close(first.matrix, scaled.matrix)
    std = Sampling(64).statistics(generator).std
    moves = (std > 0) & ~generator.space.fixed_mask()
    torch.testing.assert_close((first.matrix[:, moves] / std[moves]).norm(dim=1), torch.ones(2), atol=1e-3, rtol=0)
    assert not first.matrix[:, ~moves].any()
    assert first.attributes == ("one", "two")
    alone = fitted(read_directions(tmp_path / "a"), toy, "two")
    assert alone.attributes == ("two",)
    told = of_directions(first)["own"]
    assert of_directions(alone)["own"] == {"two": told["two"]}, "what is known of a direction hangs on no other"
    assert len({*told.values(), *of_directions(scaled)["own"].values()}) == 4
    assert "own" not in of_directions(replace(first, method="regression")), "found by its texts anywhere"


def test_directions_of_latents_go_through_the_affine_layers(tmp_path: Path, toy: tuple[Any, Any]) -> None:
    generator = toy[0]
    latents = torch.randn(2, generator.w_dim, generator=torch.Generator().manual_seed(2))
    of_latents = fitted(read_directions(written(tmp_path / "w", latents, tensor="latents")), toy, "one", "two")
    codes = latents @ generator.affine_weight().T
    of_codes = fitted(read_directions(written(tmp_path / "s", codes)), toy, "one", "two")
    torch.testing.assert_close(of_latents.matrix, of_codes.matrix, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("rows", "names", "tensor", "told"),
    [
        (torch.ones(2, 5), ["one"], "directions", "a row for each name"),
        (torch.ones(2, 5), ["one", "One"], "directions", "two of its names are the same"),
        (torch.ones(1, 5), ["a=b"], "directions", "must have no '='"),
        (torch.ones(1, 5), ["a\x1b[1m"], "directions", "control character"),
        (torch.ones(1, 5), {"one": 1}, "directions", "a JSON list"),
        (torch.ones(1, 5), [], "directions", "a JSON list"),
        (torch.zeros(1, 5), ["one"], "directions", "not all 0"),
        (torch.full((1, 5), float("nan")), ["one"], "directions", "finite"),
        (torch.ones(1, 5, dtype=torch.int64), ["one"], "directions", "must be floats"),
        (torch.ones(5), ["one"], "directions", "must be floats"),
        (torch.ones(1, 5), ["one"], "weights", "one tensor, directions or latents"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(
    rows: Tensor, names: object, tensor: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(DirectionError, match=told) as refusal:
        read_directions(written(tmp_path / "file", rows, names, tensor=tensor))
    assert "\n" not in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


def test_other_files_and_names_are_refused(tmp_path: Path, toy: tuple[Any, Any]) -> None:
    (tmp_path / "text").write_text("no safetensors")
    with pytest.raises(DirectionError, match="no safetensors file"):
        read_directions(tmp_path / "text")
    with pytest.raises(DirectionError, match="no method for directions"):
        read_directions(tmp_path / "nothing")
    rows = torch.ones(1, toy[0].space.size)
    given = read_directions(written(tmp_path / "file", rows, ["one"]))
    with pytest.raises(DirectionError, match="none named 'three': it has one"):
        fitted(given, toy, "three")
    with pytest.raises(DirectionError, match="5 entries, and this generator's code"):
        fitted(read_directions(written(tmp_path / "narrow", torch.ones(1, 5), ["one"])), toy, "one")
    only_fixed = torch.zeros(1, toy[0].space.size)
    only_fixed[0, toy[0].space.fixed_mask()] = 1.0
    with pytest.raises(DirectionError, match="moves nothing that may be edited"):
        fitted(read_directions(written(tmp_path / "fixed", only_fixed, ["one"])), toy, "one")


def test_methods_are_no_files_and_own_files_come_back_as_they_were(tmp_path: Path) -> None:
    assert not is_file_of_directions("regression")
    assert is_file_of_directions("directions.safetensors")
    directions = EditDirections(
        matrix=torch.eye(2, 6), attributes=("a", "b"), neutral="face", method="mine", threshold=0.0, channels=(1, 1),
        strength=(1.0, 1.0), noise_floor=(0.0, 0.0), provenance={"generator": "x"},
    )  # fmt: skip
    directions.save(tmp_path / "ours")
    read = read_directions(tmp_path / "ours")
    assert isinstance(read, EditDirections)
    assert torch.equal(read.of(["b"]).matrix, directions.matrix[1:])
    with pytest.raises(DirectionError, match="no ready edit direction of 'c'"):
        read.of(["c"])
