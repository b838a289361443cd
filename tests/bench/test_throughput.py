"""The baseline is the same function; the table and the JSON say what was run and what was not."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from networks import CONFIG, relative_error, spread_generator, styles_of

from zoom_engine.generators import StyleGAN2Config


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, conv_clamp=0.7)])
def test_the_textbook_formulation_is_the_same_function(config: StyleGAN2Config) -> None:
    from textbook import textbook_synthesis

    network = spread_generator(config)
    styles = styles_of(network, 3).requires_grad_(True)
    result, wanted = textbook_synthesis(network, styles), network.synthesis(styles)
    assert relative_error(result.detach(), wanted.detach()) < 1e-5
    (gradient,) = torch.autograd.grad(result.square().sum(), styles)
    (reference,) = torch.autograd.grad(wanted.square().sum(), styles)
    assert relative_error(gradient, reference) < 1e-4


class InPlace:
    """In place of a pool of one process, which would import torch for each case."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> InPlace:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(result=lambda: function(*arguments, **options))


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    import synthesis  # its folder is on the path for a test at a time

    monkeypatch.setattr(synthesis, "ProcessPoolExecutor", InPlace)


def run(folder: Path, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The results in the JSON file, by case and variant."""
    from throughput import main

    assert main(["--suite", "synthesis", "--repeats", "2", "--json", str(folder / "out.json"), *arguments]) == 0
    document = json.loads((folder / "out.json").read_text())
    return {(row["case"], row["variant"]): row for row in document["results"]}


@pytest.mark.ci
@pytest.mark.slow(8)
@pytest.mark.usefixtures("in_place")
def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    most = "textbook-fp32,torch-*32,torch-bf16,onnx*,openvino*,native*"
    assert len(run(tmp_path, "--cases", "8-forward-b2", "--variants", most)) == 8
    few = "textbook-fp32,openvino-fp32"
    results = run(tmp_path, "--cases", "8-forward-b1,8-forward_backward-b1", "--variants", few)
    assert len(results) == 8 + 4
    fastest = min(
        results["8-forward-b1", "textbook-fp32"]["seconds"], results["8-forward-b2", "textbook-fp32"]["seconds"]
    )
    torch_row = results["8-forward-b2", "torch-fp32"]
    assert torch_row["ratio"] == pytest.approx(fastest / torch_row["seconds"], rel=0.05)
    skipped = results["8-forward_backward-b1", "openvino-fp32"]
    assert skipped["seconds"] is None
    assert "forward only" in skipped["skipped"]
    assert "textbook-fp32" in capsys.readouterr().out


@pytest.mark.ci
@pytest.mark.slow(6)
def test_what_does_not_fit_is_skipped_and_runs_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    choice = ("--variants", "torch-fp32,native-fp32", "--note", "a test")
    first = run(tmp_path, "--cases", "16-forward-b1", *choice)
    assert first["16-forward-b1", "torch-fp32"]["peak_memory"] > 512 * 16 * 16 * 4, (
        "measured in a process that has no memory to use again"
    )
    request.getfixturevalue("in_place")
    second = run(tmp_path, "--cases", "16-forward-b4", "--memory", "0.001", *choice)
    assert second["16-forward-b1", "torch-fp32"] == first["16-forward-b1", "torch-fp32"]
    assert second["16-forward-b4", "torch-fp32"]["seconds"] is None
    assert "are allowed" in second["16-forward-b4", "torch-fp32"]["skipped"]
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["machine"]["note"] == "a test"
    document["machine"]["processor"] = "another"
    (tmp_path / "out.json").write_text(json.dumps(document))
    with pytest.raises(SystemExit):
        run(tmp_path, "--cases", "16-forward-b1", *choice)
    assert "was measured with other processor" in capsys.readouterr().err


class Kills:
    """In place of what measures a case: it ends the process that is to run it before that has imported torch."""

    def __reduce__(self) -> tuple[Any, ...]:
        return signal.raise_signal, (signal.SIGKILL,)


def test_a_case_that_is_killed_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    import synthesis

    monkeypatch.setattr(synthesis, "run_case", Kills())
    rows = list(synthesis.run(["8-forward-b1", "8-forward-b2"], ["torch-fp32"], repeats=1, memory=10**9))
    assert [row["case"] for row in rows] == ["8-forward-b1", "8-forward-b2"]
    assert all(row["seconds"] is None and "was killed" in row["skipped"] for row in rows)


def test_the_floor_counts_operations_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    import floor

    network = spread_generator(StyleGAN2Config(8, (5, 3), z_dim=16, w_dim=24, mapping_layers=2))
    monkeypatch.setattr(floor, "peak_bandwidth", lambda: 1e30)
    monkeypatch.setattr(floor, "peak_operations", lambda precision: 1.0)
    # 4×4: 5→5 and toRGB; 8×8: 5→3 at input resolution, 3→3 and toRGB
    products = 16 * (9 * 25 + 15) + 16 * 9 * 15 + 64 * (9 * 9 + 9)
    assert floor.floor(network, "forward", 1, "fp32") == 2 * products
    assert floor.floor(network, "forward_backward", 4, "fp32") == 4 * products
    monkeypatch.setattr(floor, "peak_bandwidth", lambda: 1.0)
    monkeypatch.setattr(floor, "peak_operations", lambda precision: 1e30)
    images = 16 * (5 + 5) + (16 * 5 + 64 * 3) + 64 * (3 + 3)
    weights = 9 * (25 + 15 + 9)
    pictures = 3 * (16 + 64) * 1.25 * 4
    assert floor.floor(network, "forward", 3, "bf16") == pytest.approx(2 * (images + weights / 3) + pictures)


def test_edits_by_layer_are_the_same_edits(capsys: pytest.CaptureFixture[str]) -> None:
    import edits
    from synthesis import network, work_inputs
    from throughput import main

    generator = network(8)
    directions = torch.randn(3, generator.space.size) / 9
    arguments = (generator, work_inputs(generator, 2), directions, torch.randn(2, 3))
    assert relative_error(edits.once(*arguments), edits.per_layer(*arguments)) < 1e-5
    assert main(["--suite", "edits", "--cases", "8-forward-b1-n1,8-forward_backward-b2-n4", "--repeats", "1"]) == 0
    assert capsys.readouterr().out.count("per-layer") == 2


@pytest.mark.parametrize("option", [["--cases", "256-sideways-b1"], ["--variants", "jax"], ["--repeats", "0"]])
def test_unknown_choices_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from throughput import main

    with pytest.raises(SystemExit):
        main(["--suite", "synthesis", *option])
    assert "error" in capsys.readouterr().err
