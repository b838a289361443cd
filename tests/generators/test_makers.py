"""Generators by name: a Python file's, and a package's family with options, told what an audit runs on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from registered import register
from torch import Tensor, nn

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.common import registry
from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.generators import Decoder, check_generator_options, load_generator
from zoom_engine.settings.audit_settings import AuditSettings

CODE = """
from pathlib import Path

import torch
from torch import nn

Path(__file__).with_name("imported").touch()


class Paint(nn.Module):
    code_size = 4

    def __init__(self, gain=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.gain = nn.Linear(4, 3 * 16 * 16), gain

    def forward(self, codes):
        return (self.gain * self.layer(codes)).tanh().view(-1, 3, 16, 16)


net = Paint()
number = 3


def make(gain: float = 1.0, *, cache, device: str = "?"):
    made = Paint(gain)
    made.told = (str(cache), device)
    return made


def fails():
    raise OSError("no\\nlicence")


def seven():
    return 7
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "painted.py"
    path.write_text(CODE)
    yield path
    sys.modules.pop("zoom_engine_file_painted", None)


def test_a_file_is_imported_only_by_those_who_trust_it(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"generator 'python:.*' is Python code.*trust=True \(--trust\)") as caught:
        load_generator(f"python:{file}:net")
    assert "\n" not in str(caught.value)
    assert not file.with_name("imported").exists()
    generator = load_generator(f"python:{file}:net", trust=True)
    assert isinstance(generator, Decoder)
    assert file.with_name("imported").exists()
    assert load_generator(f"python:{file}:net", trust=True).content_hash == generator.content_hash


def test_a_function_takes_options_and_a_decoder_the_rest(file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", np.eye(4, dtype=np.float32))
    loud: Any = load_generator(
        f"python:{file}:make", trust=True, cache=tmp_path, gain=2, codes=tmp_path / "codes.npy", output_range=[-2, 2]
    )
    assert loud.network.told == (str(tmp_path), "cpu")
    assert (loud.network.gain, loud.population) == (2, 4)
    quiet = load_generator(f"python:{file}:make", trust=True)
    assert loud.content_hash != quiet.content_hash
    other: Any = load_generator(f"python:{file}:make", trust=True, device="cuda")  # which its function may look at
    assert other.network.told[1] == "cuda"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("make", {"gian": 2.0}, "a decoder has no option 'gian'"),
        ("make", {"gain": "loud"}, "generator option 'gain' must be a number, got 'loud'"),
        ("net", {"gain": 2.0}, "a decoder has no option 'gain'"),
        ("number", {}, "has no function 'number': it has fails, make, net, seven"),
        ("Paint", {}, "is a class: name a function or an instance"),
        ("fails", {}, "cannot be made: OSError: no licence"),
        ("seven", {}, "generator int lacks"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(file: Path, name: str, options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_generator(f"python:{file}:{name}", trust=True, **options)
    assert "\n" not in str(caught.value)


class Family:
    """Paints as loud as it is told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def load(self, rest: str, *, gain: float = 1.0, download: bool, trust: bool = False) -> Any:
        self.told = {"rest": rest, "gain": gain, "download": download, "trust": trust}

        class Paint(nn.Module):
            code_size = 4

            def __init__(self) -> None:
                super().__init__()
                torch.manual_seed(0)
                self.layer = nn.Linear(4, 3 * 16 * 16)

            def forward(self, codes: Tensor) -> Tensor:
                return (gain * self.layer(codes)).tanh().view(-1, 3, 16, 16)

        return Decoder(Paint())


class Plain:
    """Takes what stands behind the colon alone."""

    def load(self, rest: str) -> Any:
        return Family().load(rest, download=False)


def test_a_family_gets_its_options_and_what_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    family = Family()
    register(monkeypatch, registry.GENERATORS, paints=family, plain=Plain())
    load_generator("paints:blue:red", gain=0.5, download=True, device="cpu")
    assert family.told == {"rest": "blue:red", "gain": 0.5, "download": True, "trust": False}
    load_generator("plain:blue")
    for spec, options, message in (
        ("paints:x", {"gian": 2}, "generator family 'paints' has no option 'gian'; did you mean 'gain'"),
        ("paints:x", {"trusted": True}, "generator family 'paints' has no option 'trusted'; known are gain$"),
        ("paints:x", {"gain": "2"}, "generator option 'gain' must be a number, got '2'"),
        ("plain:x", {"codes": "c.npy"}, "generator family 'plain' has no options: leave out 'codes'"),
        ("avatars", {"gain": 2}, "this generator has no options: leave out 'gain'"),
        ("avatars", {"codes": "c.npy"}, "codes and output_range belong to a decoder"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            load_generator(spec, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="'paints' is a family of generators"):
        AuditSettings(generator="paints", target="avatars:age", attributes=["a smiling face"])


def test_options_of_an_audit_are_checked_before_anything_is_loaded() -> None:
    assert check_generator_options({"codes": "c.npy"}, "decoder.onnx") == {"codes": "c.npy"}
    assert check_generator_options({"any": 1}, "family:rest") == {"any": 1}
    with pytest.raises(ConfigError, match="a generator has no option 'gain'; known are codes, output_range"):
        check_generator_options({"gain": 1}, "decoder.onnx")
    with pytest.raises(ConfigError, match="a generator has no option 'gain'"):
        Diagnoser(generator="avatars", generator_options={"gain": 1}, target="avatars:mustache")


def test_the_command_line_draws_what_a_trusted_file_makes(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ["view", "--generator", f"python:{file}:make", "--target", "avatars:mustache", "--seeds", "0-1"]
    drawn += ["--generator-option", "gain=3", "--out", str(tmp_path / "seen.png")]
    assert main(drawn) == 1
    assert "is Python code" in capsys.readouterr().err
    assert main([*drawn, "--trust"]) == 0
    assert (tmp_path / "seen.png").is_file()
