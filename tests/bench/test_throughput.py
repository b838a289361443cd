"""The baseline is the same function; the table and the JSON say what was run and what was not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from networks import CONFIG, relative_error, spread_generator, styles_of

from zoom_engine.generators import StyleGAN2Config

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(autouse=True)
def bench_on_the_path() -> Iterator[None]:
    sys.path.insert(0, str(BENCH))
    yield
    sys.path.remove(str(BENCH))


@pytest.mark.parametrize("config", [CONFIG, StyleGAN2Config(32, (12, 10, 8, 6), 16, 24, 2, conv_clamp=0.7)])
def test_the_textbook_formulation_is_the_same_function(config: StyleGAN2Config) -> None:
    from textbook import textbook_synthesis

    network = spread_generator(config)
    styles = styles_of(network, 3).requires_grad_(True)
    found, wanted = textbook_synthesis(network, styles), network.synthesis(styles)
    assert relative_error(found.detach(), wanted.detach()) < 1e-5
    (gradient,) = torch.autograd.grad(found.square().sum(), styles)
    (reference,) = torch.autograd.grad(wanted.square().sum(), styles)
    assert relative_error(gradient, reference) < 1e-4


def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from throughput import main

    arguments = ["--suite", "synthesis", "--cases", "8-forward-b2,8-forward_backward-b1", "--repeats", "2"]
    assert main([*arguments, "--json", str(tmp_path / "out.json"), "--note", "a test"]) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["machine"]["note"] == "a test"
    results = {(row["case"], row["variant"]): row for row in document["results"]}
    assert len(results) == 16
    baseline = results["8-forward-b2", "textbook-fp32"]
    assert baseline["ratio"] == 1
    torch_row = results["8-forward-b2", "torch-fp32"]
    assert torch_row["ratio"] == pytest.approx(baseline["seconds"] / torch_row["seconds"], rel=0.05)
    assert "forward only" in results["8-forward_backward-b1", "openvino-fp32"]["skipped"]
    assert "textbook-fp32" in capsys.readouterr().out
    more = ["--suite", "synthesis", "--cases", "8-forward-b2", "--variants", "torch-fp32", "--repeats", "1"]
    assert main([*more, "--json", str(tmp_path / "out.json")]) == 0
    merged = json.loads((tmp_path / "out.json").read_text())
    assert len(merged["results"]) == 16
    assert merged["results"][-1]["repeats"] == 1
    merged["machine"]["processor"] = "another"
    (tmp_path / "out.json").write_text(json.dumps(merged))
    with pytest.raises(SystemExit):
        main([*more, "--json", str(tmp_path / "out.json")])
    assert "was measured with other processor" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--cases", "256-sideways-b1"], ["--variants", "jax"], ["--repeats", "0"]])
def test_unknown_choices_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from throughput import main

    with pytest.raises(SystemExit):
        main(["--suite", "synthesis", *option])
    assert "error" in capsys.readouterr().err
