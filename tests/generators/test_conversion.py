"""`zoom-engine convert` and `zoom-engine inspect`, and generators of others where our own are taken."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from checkpoint_files import draw, nvidia_bytes, relative_error, rosinality_bytes, rosinality_state, write
from literal_stylegan2 import Literal
from tensorflow_files import tensorflow_bytes

from zoom_engine.cli import main
from zoom_engine.common.errors import CheckpointError, ConfigError, DirectionError
from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.directions import EditDirections, calibrate_range
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.generators import load_generator, of_one_class
from zoom_engine.generators.checkpoints.pickles.interpreter import MOST_MEMORY
from zoom_engine.generators.checkpoints.safetensors_file import save_generator
from zoom_engine.targets import load_target, save_onnx
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
    assert load_generator(source).content_hash in printed
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
    generator = load_generator(source)
    generator.get_parameter("const").mul_(1e9)
    with pytest.raises(CheckpointError, match="'const' has numbers beyond those of float16"):
        save_generator(generator, tmp_path / "beyond.safetensors", half=True)
    assert not (tmp_path / "beyond.safetensors").exists()


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


def test_inspect_fails_where_loading_does_and_says_what_it_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def __reduce__(self) -> object:
            return exec, ("raise SystemExit",)

    wide = rosinality_state(LITERAL)
    wide["conv1.conv.weight"] = torch.zeros(1, 8, 8, 5, 5)
    torch.save(wide, tmp_path / "wide.pt")
    hostile = write(tmp_path / "network.pkl", pickle.dumps({"G_ema": Hostile()}))
    for path, says in ((hostile, "builtins.exec"), (tmp_path / "wide.pt", "expected [8, 8, 3, 3]")):
        assert main(["inspect", str(path)]) == 1
        printed, error = capsys.readouterr()
        assert says in error
        assert error.count("\n") == 1
        assert hashlib.sha256(path.read_bytes()).hexdigest() in printed
    assert "rosinality checkpoint" in printed
    assert main(["inspect", str(tmp_path / "absent")]) == 1
    assert "cannot read" in capsys.readouterr().err


def shown_hash(printed: str) -> str:
    return next(line.split()[-1] for line in printed.splitlines() if line.startswith("content hash:"))


def test_inspect_shows_the_hash_by_which_an_audit_names_the_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    literal = Literal(resolution=16, channels=(4, 4, 4), c_dim=3, embed_dim=5)
    source = write(tmp_path / "network", nvidia_bytes(literal))
    diagnoser(source, generator_class=2).run(images=2, out=tmp_path / "audit")
    named = json.loads((tmp_path / "audit" / "manifest.json").read_text())["config"]["generator"]
    assert main(["inspect", str(source), "--generator-class", "2"]) == 0
    assert shown_hash(capsys.readouterr().out) == named
    assert main(["inspect", str(source)]) == 0
    printed = capsys.readouterr().out
    assert shown_hash(printed) == load_generator(source).content_hash != named
    assert "--generator-class" in printed
    assert main(["inspect", "avatars"]) == 0
    assert shown_hash(capsys.readouterr().out) == load_generator("avatars").content_hash
    assert main(["inspect", str(source), "--generator-class", "3"]) == 1
    assert "outside 0..2" in capsys.readouterr().err
    target = str(WEIGHTS / "targets" / "eyeglasses.safetensors")
    assert main(["inspect", target, "--generator-class", "3"]) == 1
    assert "is a target" in capsys.readouterr().err


def ready_directions(source: Path, provenance: dict[str, Any], *, label: int | None = None) -> EditDirections:
    """All channels at once, under the name of an attribute."""
    generator = of_one_class(load_generator(source), label)
    space = generator.space
    if provenance:
        encoder = load_text_encoder("avatars").content_hash
        provenance = {**provenance, "generator": generator.content_hash, "text_encoder": encoder}
    return EditDirections(
        matrix=(~space.fixed_mask()).float()[None] / 10,
        attributes=("a smiling face",),
        neutral="a face",
        method="regression",
        threshold=0.0,
        channels=(int((~space.fixed_mask()).sum()),),
        strength=(1.0,),
        noise_floor=(0.0,),
        provenance=provenance,
    )


ORIGIN = {"truncation": 1.0, "truncation_cutoff": None, "templates": ["{}"]}


def diagnoser(source: Path, **options: Any) -> Diagnoser:
    options = {"generator": str(source)} | options
    if "directions" not in options:
        label = options.get("generator_class")
        options["directions"] = ready_directions(Path(options["generator"]), ORIGIN, label=label)
    return Diagnoser(
        target="avatars:mustache",
        attributes=["a smiling face"],
        text_encoder="avatars",
        edit_range="paper",
        templates="none",
        random_directions=0,
        **options,
    )


@pytest.mark.ci
@pytest.mark.parametrize("name", [*FILES, "own safetensors"])
def test_diagnose_takes_every_format_by_its_path_and_no_flag(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command; only the attribute's direction is ready, and the natural range is measured on few images."""
    source = write(tmp_path / "a file.bin", FILES.get(name, FILES["NVIDIA PyTorch pickle"]))
    if name == "own safetensors":
        assert main(["convert", str(source), str(tmp_path / "own.safetensors")]) == 0
        (tmp_path / "own.safetensors").rename(source)
    monkeypatch.setattr(
        "zoom_engine.diagnose.measurements.find_directions", lambda *_, **__: ready_directions(source, ORIGIN)
    )
    few = functools.partial(calibrate_range, side_images=2)
    monkeypatch.setattr("zoom_engine.diagnose.measurements.SAMPLES", 48)
    monkeypatch.setattr(
        "zoom_engine.diagnose.measurements.calibrate_range", lambda *given, **options: few(*given, **options)
    )
    out = tmp_path / "audit"
    target = tmp_path / "target.onnx"
    save_onnx(load_target("avatars:eyeglasses"), target, resolution=128)
    command = [
        "diagnose",
        "--generator",
        str(source),
        "--target",
        str(target),
        "--text-encoder",
        "avatars",
        "--random-directions",
        "0",
    ]
    assert main([*command, "--attribute", "a smiling face", "--images", "2", "--out", str(out)]) == 0
    assert "a smiling face" in capsys.readouterr().out
    assert "The search is a scan" in (out / "report.html").read_text()
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


TENSORFLOW = {
    "skip of stylegan2": (4, Literal(resolution=16, channels=(4, 4, 4))),
    "orig of stylegan2": (4, Literal(resolution=16, channels=(4, 4, 4), architecture="orig")),
    "resnet of stylegan2-ada": (5, Literal(resolution=16, channels=(4, 4, 4), architecture="resnet", conv_clamp=9.0)),
    "classes of stylegan2-ada": (5, Literal(resolution=16, channels=(4, 4, 4), c_dim=3, embed_dim=5)),
}


@pytest.mark.parametrize("name", TENSORFLOW)
def test_tensorflows_pickles_are_converted_exported_and_audited(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version, literal = TENSORFLOW[name]
    source = write(tmp_path / "stylegan2.pkl", tensorflow_bytes(literal, version=version))
    label = 2 if literal.c_dim else None
    converted = tmp_path / "own.safetensors"
    chosen = [] if label is None else ["--generator-class", str(label)]
    assert main(["convert", str(source), str(converted), *chosen]) == 0
    assert relative_error(draw(load_generator(converted), 5), literal.image(5, label=label)) < 1e-4
    assert main(["export", "--generator", str(source), *chosen, "--out", str(tmp_path), "--check"]) == 0
    assert "relative error" in capsys.readouterr().out
    for generator, options in ((source, {"generator_class": label}), (converted, {})):
        run = diagnoser(converted, generator=str(generator), **options)
        diagnosis = run.run(images=2, out=tmp_path / generator.stem)
        assert "a smiling face" in diagnosis.table()
        assert (
            relative_error(run.models.generator.synthesis(run.models.styles([7])[:])[0], literal.image(7, label=label))
            < 1e-4
        )


def test_export_draws_the_chosen_class_of_a_conditional_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "network", nvidia_bytes(Literal(resolution=16, channels=(4, 4, 4), c_dim=3, embed_dim=5)))
    command = ["export", "--generator", str(source), "--target", "avatars:mustache", "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "choose the one to draw, 0 to 2, with generator_class (--generator-class)" in capsys.readouterr().err
    assert main([*command, "--generator-class", "3"]) == 1
    assert "outside 0..2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*command, "--generator-class", "2"]) == 0
    wanted = load_generator(source).of_class(2).content_hash
    for name in ("synthesis", "audit"):
        result = {entry.key: entry.value for entry in onnx.load(tmp_path / "out" / f"{name}.onnx").metadata_props}
        assert result["zoom_engine.generator"] == wanted
        assert result["zoom_engine.source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.ci
def test_an_audit_draws_the_chosen_class_of_a_conditional_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    literal = Literal(resolution=16, channels=(4, 4, 4), c_dim=3, embed_dim=5)
    source = write(tmp_path / "network", nvidia_bytes(literal))
    results = {
        label: diagnoser(source, generator_class=label).run(images=2, out=tmp_path / f"audit{label}")
        for label in (0, 2)
    }
    run = diagnoser(source, generator_class=2)
    assert (
        relative_error(run.models.generator.synthesis(run.models.styles([7])[:])[0], literal.image(7, label=2)) < 1e-4
    )
    manifests = [json.loads((tmp_path / f"audit{label}" / "manifest.json").read_text())["config"] for label in results]
    assert [config["generator_class"] for config in manifests] == [0, 2]
    outputs = [[record.original_output for record in diagnosis.records] for diagnosis in results.values()]
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


LARGE = Literal(resolution=16, channels=(512, 512, 512), z_dim=64, w_dim=64)  # 50 MB of weights


@pytest.mark.ci
@pytest.mark.parametrize(
    ("build", "protocol"), [(nvidia_bytes, 0), (nvidia_bytes, 2), (tensorflow_bytes, 0), (tensorflow_bytes, 1)]
)
def test_protocols_that_write_bytes_as_text_hold_weights_of_real_size(
    build: Callable[..., bytes], protocol: int, tmp_path: Path
) -> None:
    """All weights are text there, more of it than a pickle may have beside its weights."""
    data = build(LARGE, protocol=protocol)
    assert len(data) > 1.2 * MOST_MEMORY
    begin = time.process_time()
    result = load_generator(write(tmp_path / "old.pkl", data)).content_hash
    assert time.process_time() - begin < 20
    assert result == load_generator(write(tmp_path / "new.pkl", build(LARGE, protocol=4))).content_hash
