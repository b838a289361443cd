"""TorchScript and torch.export: only trusted, told apart by content, and the same function as the module."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, load_target


def traced(network: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(2, 3, 24, 24)).save(str(path))  # type: ignore[no-untyped-call]
    return path


def exported(network: nn.Module, path: Path, *, batch: int | None) -> Path:
    dynamic = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if batch is None else {}
    torch.export.save(torch.export.export(network, (torch.rand(batch or 2, 3, 24, 24),), **dynamic), path)
    return path


def test_torchscript_is_the_module(small_cnn: nn.Sequential, tmp_path: Path) -> None:
    path = traced(small_cnn, tmp_path / "model.bin")
    with pytest.raises(TargetError, match=r"TorchScript file: it runs a program .* trust=True \(--trust\)") as caught:
        load_target(path)
    assert "\n" not in str(caught.value)
    target = load_target(path, trust=True, task=BinaryTask(), preprocessing={"size": 24})
    assert target.differentiable
    images = torch.rand(3, 3, 24, 24) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(target(images), small_cnn((images + 1) / 2))


@pytest.mark.parametrize("batch", [None, 1])
def test_an_exported_program_is_the_module(small_cnn: nn.Sequential, tmp_path: Path, batch: int | None) -> None:
    path = exported(small_cnn, tmp_path / "model.bin", batch=batch)
    with pytest.raises(TargetError, match=r"torch\.export file: it runs a program"):
        load_target(path)
    target = load_target(path, trust=True, task=BinaryTask())
    assert target.preprocessing.hw == (24, 24)
    assert target.differentiable
    images = torch.rand(3, 3, 24, 24) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(target(images), small_cnn((images + 1) / 2))


class TwoOutputs(nn.Module):
    """Logits of a network, and what else is returned beside them."""

    def __init__(self, network: nn.Module, *, named: bool) -> None:
        super().__init__()
        self.network, self.named = network, named

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor] | tuple[torch.Tensor, torch.Tensor]:
        logits = self.network(x)
        return {"mean": x.mean((1, 2, 3)), "logits": logits} if self.named else (x.mean((1, 2, 3)), logits)


@pytest.mark.parametrize(("named", "output"), [(True, "logits"), (False, 1)])
def test_a_program_of_one_image_may_have_several_outputs(
    small_cnn: nn.Sequential, tmp_path: Path, named: bool, output: str | int
) -> None:
    path = exported(TwoOutputs(small_cnn, named=named).eval(), tmp_path / "model.pt2", batch=1)
    with pytest.raises(TargetError, match="choose one with output"):
        load_target(path, trust=True)
    target = load_target(path, trust=True, output=output, task=BinaryTask())
    images = torch.rand(3, 3, 24, 24) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(target(images), small_cnn((images + 1) / 2))


def test_a_program_of_another_size_is_one_line(small_cnn: nn.Sequential, tmp_path: Path) -> None:
    path = exported(small_cnn, tmp_path / "model.pt2", batch=None)
    with pytest.raises(TargetError, match=r"fails on an input of 3×50×50: .*set preprocessing size") as caught:
        load_target(path, trust=True, preprocessing={"size": 50})
    assert "\n" not in str(caught.value)


def test_a_program_of_another_batch_or_a_damaged_one_is_one_line(small_cnn: nn.Sequential, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="exactly 2 images at a time"):
        load_target(exported(small_cnn, tmp_path / "two.pt2", batch=2), trust=True)
    whole = traced(small_cnn, tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TargetError, match="damaged archive") as caught:
        load_target(tmp_path / "cut.pt", trust=True)
    assert "\n" not in str(caught.value)
