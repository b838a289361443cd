"""What a target is fed where nobody said it: told as assumed, and doubted where fixed test pictures betray it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import timm
import torch
from networks import Function
from onnx import TensorProto, helper
from torch import Tensor, nn

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.common.errors import TargetError
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.targets import (
    BinaryTask,
    KeypointsTask,
    Preprocessing,
    Target,
    input_notices,
    load_target,
    save_onnx,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def colours() -> nn.Module:
    """The first colour of 24×24 pictures, steeply."""
    layer = nn.Conv2d(3, 1, 24, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[:, 0] = 0.2
    return nn.Sequential(layer, nn.Flatten(1)).eval()


def onnx_file(path: Path, kind: int = TensorProto.FLOAT) -> Path:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["f"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", kind, ["n", 3, 24, 24]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def own_onnx(path: Path) -> Path:
    save_onnx(Target(colours(), name="own", task=BinaryTask(), preprocessing=Preprocessing(size=24)), path)
    return path


def torchscript(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch versions call TorchScript deprecated
        torch.jit.script(colours()).save(str(path))
    return path


def exported(path: Path) -> Path:
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(colours(), (torch.rand(2, 3, 24, 24),), dynamic_shapes=dynamic), path)
    return path


def redness(pixels: Any) -> Any:
    return pixels[..., 0].mean((1, 2)) / 255


SPECS: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "an ONNX file of others": (onnx_file, True),
    "an ONNX file of bytes": (lambda path: onnx_file(path, TensorProto.UINT8), False),
    "an ONNX file of ours": (own_onnx, False),
    "TorchScript": (torchscript, True),
    "torch.export": (exported, True),
    "a module": (lambda path: colours(), True),
    "a module of timm's": (lambda path: timm.create_model("resnet10t", num_classes=2), False),
    "a function": (lambda path: redness, True),
    "a Target": (lambda path: Target(colours(), name="t", task=BinaryTask(), preprocessing=Preprocessing()), False),
    "a Target without": (lambda path: Target(colours(), name="t", task=BinaryTask()), True),
}

OF_BYTES = ("an ONNX file of bytes", "a function")


@pytest.mark.parametrize("spec", SPECS)
def test_what_no_file_library_or_option_says_is_called_assumed(spec: str, tmp_path: Path) -> None:
    make, assumed = SPECS[spec]
    options: dict[str, Any] = {} if "Target" in spec else {"kind": "probabilities" if "function" in spec else "logits"}
    made, size = (
        make(tmp_path / ("model.onnx" if "ONNX" in spec else "model.pt")),
        {"trust": True, "resolution": 24} if options else {"resolution": 24},
    )
    target = load_target(made, **size, **options)
    assert target.assumed is assumed
    assert target.describe()["preprocessing_assumed"] is assumed
    assert bool(list(input_notices(target, resolution=24))) is assumed
    for told in ({"value_range": (0, 255)}, {"std": [0.5]}, Preprocessing(size=24)) if options else ():
        if spec not in OF_BYTES or "value_range" in (told if isinstance(told, dict) else ()):
            assert not load_target(made, preprocessing=told, **size, **options).assumed
            continue
        with pytest.raises(
            TargetError, match=r"bytes.* from 0 to 255, and not RGB in \[0, .*say its size alone"
        ) as caught:
            load_target(made, preprocessing=told, **size, **options)
        assert "\n" not in str(caught.value)
    if options:
        only_size = load_target(made, preprocessing={"size": 24}, **size, **options)
        assert only_size.assumed is assumed


def test_an_onnx_input_of_bytes_is_fed_0_to_255(tmp_path: Path) -> None:
    target = load_target(onnx_file(tmp_path / "bytes.onnx", TensorProto.UINT8), kind="logits")
    white = torch.ones(1, 3, 24, 24)
    np.testing.assert_allclose(target(white).numpy(), [[255.0] * 3])


class Behind(nn.Module):
    """An avatar target as if it had been trained on another scale: its own input of a function of what it is fed."""

    def __init__(self, name: str, rescaled: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.rescaled = DOMAIN.target(name).network, rescaled

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.rescaled(x))


def normalised(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (x * std + mean) * 2 - 1


TRAINED: dict[str, tuple[str, Callable[[Tensor], Tensor], str]] = {
    "0 to 1": ("mustache", lambda x: x * 2 - 1, ""),
    "0 to 1, biased": ("mustache-biased-pale-skin", lambda x: x * 2 - 1, ""),
    "0 to 255": ("eyeglasses", lambda x: x / 127.5 - 1, "hardly tells black, white, noise"),
    "0 to 255, biased": ("mustache-biased-pale-skin", lambda x: x / 127.5 - 1, "--input-range 0,255"),
    "-1 to 1": ("mustache", lambda x: x, "times as far when it is fed -1 to 1"),
    "-1 to 1, biased": ("mustache-biased-pale-skin", lambda x: x, "try --input-range=-1,1, or the mean and std"),
    "ImageNet's": ("eyeglasses", normalised, "may have been trained at more contrast"),
}


@pytest.mark.parametrize("scale", TRAINED)
def test_a_target_fed_another_scale_than_it_was_trained_on_is_doubted(scale: str) -> None:
    """Those that are seen; `zoom_engine.targets.assumptions` says how many are not."""
    name, rescaled, says = TRAINED[scale]
    target = load_target(Behind(name, rescaled), name=name, task=BinaryTask(), preprocessing={"size": 128})
    notices = list(input_notices(target, resolution=128))
    assert "RGB in [0, 1], 128×128 pixels" in notices[0]
    assert "--input-range" in notices[0]
    assert all("\n" not in notice for notice in notices)
    assert len(notices) == 1 + bool(says)
    assert says in notices[-1]


def test_a_network_that_refuses_other_numbers_is_not_doubted_for_it() -> None:
    class Strict(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if float(x.detach().min()) < 0:
                raise ValueError("numbers must not be negative")
            return (x.mean((2, 3)) - 0.5)[:, :1] * 20

    assert len(list(input_notices(load_target(Strict(), task=BinaryTask(), resolution=16), resolution=16))) == 1


def test_an_audit_tells_it_first_and_keeps_it_in_manifest_and_report(tmp_path: Path) -> None:
    told: list[str] = []
    run = Diagnoser(
        generator="avatars",
        target=Behind("eyeglasses", lambda x: x / 127.5 - 1),
        target_options={"task": BinaryTask(), "name": "<b>mine</b>"},
        attributes=["a smiling face"],
        random_directions=1,
        notify=told.append,
    )
    assert len(told) == 2
    run.run(images=1, out=tmp_path / "audit")
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text())
    assert manifest["environment"]["notices"] == told
    assert manifest["config"]["target_details"]["preprocessing_assumed"] is True
    page = (tmp_path / "audit" / "report.html").read_text()
    before_the_headline = page.partition("<h1")[0]
    for says in ("this is assumed: RGB in [0, 1]", "--input-range, --input-mean", "hardly tells black, white"):
        assert says in before_the_headline
    assert "<b>mine</b>" not in page
    run = Diagnoser(generator="avatars", target="avatars:mustache", attributes=["a smiling face"], notify=told.append)
    assert len(told) == 2
    assert run.notices == []


def test_view_says_it_and_shows_the_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = onnx_file(tmp_path / "others.onnx")
    arguments = ["view", "--target", str(path), "--output-kind", "logits", "--head", "0", "--seeds", "0-1"]
    assert main([*arguments, "--out", str(tmp_path / "seen.png")]) == 0
    printed = capsys.readouterr()
    assert "zoom-engine: note: nothing says what target 'others' is to be fed" in printed.err
    assert "fed: RGB in [0, 1], 24×24 pixels; here numbers from 0" in printed.out
    assert "answers to others: black 0.50, white 0.73, noise 0.6" in printed.out
    assert main([*arguments, "--input-range=-1,1", "--out", str(tmp_path / "seen.png")]) == 0
    printed = capsys.readouterr()
    assert "note:" not in printed.err
    assert "answers to others: black 0.27, white 0.73, noise 0.5" in printed.out


def test_a_linear_network_is_not_doubted() -> None:
    """Its outputs double with the contrast, whatever it was trained on."""
    target = load_target(Function(lambda m: m[:, :1] * 9 - 4), task=BinaryTask(), resolution=16)
    assert len(list(input_notices(target, resolution=16))) == 1


def test_what_is_no_logit_is_not_doubted() -> None:
    """Shares of the picture differ by 1 at most."""
    target = load_target(Function(lambda m: m[:, :2]), task=KeypointsTask(points=("pupil",)), resolution=16)
    (notice,) = input_notices(target, resolution=16)
    assert "this is assumed" in notice
