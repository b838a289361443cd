"""`zoom-engine convert` and `zoom-engine inspect`, and generators of others where our own are taken."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import draw, nvidia_bytes, relative_error, rosinality_bytes, tensorflow_bytes, write
from literal_stylegan2 import Literal

from zoom_engine.avatars.weights_io import WEIGHTS
from zoom_engine.cli import main
from zoom_engine.diagnoser import Diagnoser
from zoom_engine.directions import EditDirections, calibrate_range
from zoom_engine.errors import ConfigError, DirectionError
from zoom_engine.generators import load_generator, of_one_class
from zoom_engine.text import load_text_encoder

LITERAL = Literal(z_dim=12)
FILES = {
    "NVIDIA PyTorch pickle": nvidia_bytes(LITERAL),
    "NVIDIA TensorFlow pickle": tensorflow_bytes(LITERAL),
    "rosinality checkpoint": rosinality_bytes(LITERAL),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_inspected_converted_and_inspected_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "network.misleading.onnx", FILES[name])
    assert main(["inspect", str(source)]) == 0
    printed = capsys.readouterr().out
    assert name in printed
    assert hashlib.sha256(FILES[name]).hexdigest() in printed
    assert "refused" not in printed
    out = tmp_path / "network.safetensors"
    assert main(["convert", str(source), str(out)]) == 0
    assert torch.equal(draw(load_generator(out), 5), draw(load_generator(source), 5))
    assert relative_error(draw(load_generator(out), 5), LITERAL.image(5)) < 1e-4
    assert load_generator(out).content_hash == load_generator(source).content_hash
    assert main(["inspect", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "zoom-engine safetensors" in printed
    assert hashlib.sha256(FILES[name]).hexdigest() in printed


def test_a_class_is_fixed_by_conversion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    literal = Literal(c_dim=3, embed_dim=4)
    source = write(tmp_path / "network.pkl", nvidia_bytes(literal))
    out = tmp_path / "network.safetensors"
    assert main(["convert", str(source), str(out), "--generator-class", "1"]) == 0
    assert relative_error(draw(load_generator(out), 5), literal.image(5, label=1)) < 1e-4
    assert main(["convert", str(source), str(out)]) == 0
    w = load_generator(out).mapping(torch.zeros(1, literal.z_dim), classes=torch.tensor([2]))
    assert w.shape == (1, 8, literal.w_dim)
    assert main(["convert", str(source), str(out), "--generator-class", "3"]) == 1
    assert "outside 0..2" in capsys.readouterr().err


def test_half_precision_is_half_the_size(tmp_path: Path) -> None:
    source = write(tmp_path / "network.pkl", nvidia_bytes(Literal(resolution=64, channels=(40, 40, 40, 40, 40))))
    for name in ("whole", "half"):
        assert main(["convert", str(source), str(tmp_path / f"{name}.safetensors"), *["--half"][: name == "half"]]) == 0
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]


def test_nothing_is_written_where_conversion_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write(tmp_path / "broken.pkl", FILES["NVIDIA PyTorch pickle"][:-9])
    fine = write(tmp_path / "fine.pkl", FILES["NVIDIA PyTorch pickle"])
    for source, out, says in (
        (broken, tmp_path / "out.safetensors", "damaged"),
        (tmp_path / "absent.pkl", tmp_path / "out.safetensors", "cannot read"),
        (fine, broken, "must be named"),
        (fine, tmp_path / "no" / "out.safetensors", "cannot write"),
    ):
        assert main(["convert", str(source), str(out)]) == 1
        assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.pkl", "fine.pkl"]
    assert broken.read_bytes() == FILES["NVIDIA PyTorch pickle"][:-9]


def test_inspect_says_what_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __reduce__(self) -> object:
            return exec, ("raise SystemExit",)

    path = write(tmp_path / "network.pkl", pickle.dumps({"G_ema": Hostile()}))
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "refused:" in printed
    assert "builtins.exec" in printed
    assert hashlib.sha256(path.read_bytes()).hexdigest() in printed
    assert main(["inspect", str(tmp_path / "absent")]) == 1
    assert "cannot read" in capsys.readouterr().err


def ready_directions(source: Path, provenance: dict[str, Any], *, label: int | None = None) -> EditDirections:
    """All channels at once, under the name of an attribute."""
    generator = of_one_class(load_generator(source), label)
    space = generator.style_space
    if provenance:
        encoder = load_text_encoder("avatars").content_hash
        provenance = {**provenance, "generator": generator.content_hash, "text_encoder": encoder}
    return EditDirections(
        matrix=(~space.rgb_mask()).float()[None] / 10,
        attributes=("a smiling face",),
        neutral="a face",
        method="regression",
        threshold=0.0,
        channels=(int((~space.rgb_mask()).sum()),),
        strength=(1.0,),
        noise_floor=(0.0,),
        provenance=provenance,
    )


ORIGIN = {"truncation": 1.0, "truncation_cutoff": None, "templates": ["{}"]}


def diagnoser(source: Path, **options: Any) -> Diagnoser:
    if "directions" not in options:
        options["directions"] = ready_directions(source, ORIGIN, label=options.get("generator_class"))
    return Diagnoser(
        generator=str(source),
        target="avatars:mustache",
        attributes=["a smiling face"],
        text_encoder="avatars",
        edit_range="paper",
        templates="none",
        **options,
    )


@pytest.mark.parametrize("name", [*FILES, "own safetensors"])
def test_diagnose_takes_every_format_by_its_path_and_no_flag(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command; only the directions are ready, and the natural range is measured on few images."""
    source = write(tmp_path / "a file.bin", FILES.get(name, FILES["NVIDIA PyTorch pickle"]))
    if name == "own safetensors":
        assert main(["convert", str(source), str(tmp_path / "own.safetensors")]) == 0
        (tmp_path / "own.safetensors").rename(source)
    monkeypatch.setattr("zoom_engine.diagnoser.find_directions", lambda *_, **__: ready_directions(source, ORIGIN))
    few = functools.partial(calibrate_range, samples=48, side_images=2)
    monkeypatch.setattr("zoom_engine.diagnoser.calibrate_range", lambda *given, **options: few(*given, **options))
    out = tmp_path / "audit"
    target = str(WEIGHTS / "targets" / "eyeglasses.onnx")
    command = ["diagnose", "--generator", str(source), "--target", target, "--text-encoder", "avatars"]
    assert main([*command, "--attribute", "a smiling face", "--images", "2", "--out", str(out)]) == 0
    assert "a smiling face" in capsys.readouterr().out
    assert "The search was a scan" in (out / "report.html").read_text()
    config = json.loads((out / "manifest.json").read_text())["config"]
    assert (config["resolution"], config["generator"]) == (32, load_generator(source).content_hash)
    assert config["target_details"]["preprocessing"]["size"] == 128


def test_an_audit_takes_a_pickle_as_generator(tmp_path: Path) -> None:
    source = write(tmp_path / "network", nvidia_bytes(Literal(resolution=16, channels=(4, 4, 4))))
    diagnosis = diagnoser(source).run(images=2, seed=0, out=tmp_path / "audit")
    assert "a smiling face" in diagnosis.table()
    assert (tmp_path / "audit" / "report.html").is_file()
    with pytest.raises(DirectionError, match="do not say how they were found"):
        diagnoser(source, directions=ready_directions(source, {})).run(images=2)
    with pytest.raises(ConfigError, match="not class-conditional"):
        diagnoser(source, generator_class=0, directions=ready_directions(source, ORIGIN))


def test_an_audit_draws_the_chosen_class_of_a_conditional_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    literal = Literal(resolution=16, channels=(4, 4, 4), c_dim=3, embed_dim=5)
    source = write(tmp_path / "network", nvidia_bytes(literal))
    found = {
        label: diagnoser(source, generator_class=label).run(images=2, out=tmp_path / f"audit{label}")
        for label in (0, 2)
    }
    run = diagnoser(source, generator_class=2)
    assert relative_error(run.generator.synthesis(run.styles([7])[:])[0], literal.image(7, label=2)) < 1e-4
    manifests = [json.loads((tmp_path / f"audit{label}" / "manifest.json").read_text())["config"] for label in found]
    assert [config["generator_class"] for config in manifests] == [0, 2]
    outputs = [[record["original_output"] for record in diagnosis.records] for diagnosis in found.values()]
    assert outputs[0] != outputs[1]
    commands = {
        "diagnose": ["--target", "avatars:mustache", "--text-encoder", "avatars", "--attribute", "a smiling face"],
        "edit": ["--attribute", "a smiling face", "--text-encoder", "avatars"],
        "view": ["--target", "avatars:mustache"],
    }
    for command, options in commands.items():
        arguments = [command, "--generator", str(source), *options, "--out", str(tmp_path / "out")]
        assert main(arguments) == 1
        assert "choose the one to draw, 0 to 2, with generator_class (--generator-class)" in capsys.readouterr().err
        assert main([*arguments, "--generator-class", "3"]) == 1
        assert "outside 0..2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert (
        main(
            [
                "view",
                "--generator",
                str(source),
                *commands["view"],
                "--generator-class",
                "1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
