"""The audit graph of a target of each loader, fed as its file or library says: cropped or not, square or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import timm
import torch
import torchvision
from networks import spread_generator
from onnx import TensorProto, helper
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

from zoom_engine.common.errors import ExportError
from zoom_engine.export import export_audit_graph
from zoom_engine.export.parity import Parity
from zoom_engine.targets import BinaryTask, Preprocessing, Target, load_target, save_onnx

pytest.importorskip("onnxruntime")
Spec = str | Path | nn.Module


def steep(network: nn.Module) -> nn.Module:
    """A fresh network's outputs hardly differ between pictures, which would hide what it is fed."""
    torch.manual_seed(0)
    *_, last = (
        layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None
    )
    with torch.no_grad():
        last.weight.mul_(50)
    return network.eval()


def of_torchvision(folder: Path) -> Spec:
    network = torchvision.models.squeezenet1_1(weights=None, num_classes=4)
    torch.save(steep(network).state_dict(), folder / "w.pt")
    return f"torchvision:squeezenet1_1@{folder / 'w.pt'}"


def of_timm(folder: Path) -> Spec:
    torch.save(steep(timm.create_model("resnet10t", num_classes=2)).state_dict(), folder / "w.pth")
    return f"timm:resnet10t@{folder / 'w.pth'}"


def of_timm_squashed(folder: Path) -> Spec:
    """A module of timm's, whose configuration crops both sides of a picture that is not square."""
    overlay = {"input_size": (3, 96, 64), "crop_mode": "squash", "crop_pct": 0.8}
    return steep(timm.create_model("resnet10t", num_classes=2, pretrained_cfg_overlay=overlay))


def of_hugging_face(**preprocessor: Any) -> Callable[[Path], Spec]:
    def make(folder: Path) -> Spec:
        config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_labels=3)
        steep(ResNetForImageClassification(config)).save_pretrained(folder / "tiny")  # type: ignore[operator]
        written = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "resample": 3, **preprocessor}
        (folder / "tiny" / "preprocessor_config.json").write_text(json.dumps(written))
        return folder / "tiny"

    return make


def of_others_onnx(folder: Path) -> Spec:
    """A file without a word on its preprocessing, but for the size of its input."""
    sizes = {"x": ["n", 3, 20, 44], "y": ["n", 3]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in sizes.items()]
    nodes = [helper.make_node("GlobalMaxPool", ["x"], ["most"]), helper.make_node("Flatten", ["most"], ["y"])]
    graph = helper.make_graph(nodes, "others", ends[:1], ends[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "others.onnx"
    )
    return folder / "others.onnx"


def of_own_onnx(folder: Path) -> Spec:
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)]
    how = Preprocessing(size=(20, 28), resize_size=(30, 40), resize="bicubic", mean=(0.5,), channel_order="BGR")
    target = Target(steep(nn.Sequential(*layers)), name="own", task=BinaryTask(), preprocessing=how)
    save_onnx(target, folder / "own.onnx")
    return folder / "own.onnx"


CASES: dict[str, tuple[Callable[[Path], Spec], tuple[int, int], int | tuple[int, int] | None]] = {
    "torchvision": (of_torchvision, (224, 224), 256),
    "timm": (of_timm, (176, 176), 201),
    "timm-squash": (of_timm_squashed, (96, 64), (120, 80)),
    "hugging-face": (of_hugging_face(size={"height": 40, "width": 40}), (40, 40), None),
    "hugging-face-crop": (
        of_hugging_face(size={"shortest_edge": 36}, do_center_crop=True, crop_size={"height": 23, "width": 30}),
        (23, 30),
        36,
    ),
    "hugging-face-not-square": (of_hugging_face(size={"height": 24, "width": 40}), (24, 40), None),
    "onnx-of-others": (of_others_onnx, (20, 44), None),
    "onnx-of-ours": (of_own_onnx, (20, 28), (30, 40)),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.ci) if case.startswith("timm") else case for case in CASES]
)
def test_the_graph_feeds_a_target_of_each_loader_as_torch_does(case: str, tmp_path: Path) -> None:
    make, size, resize_size = CASES[case]
    spec = make(tmp_path)
    options: dict[str, Any] = {"kind": "logits"}
    loaded = load_target(spec, **options)
    assert (loaded.preprocessing.hw, loaded.preprocessing.resize_size) == (size, resize_size)
    exported = export_audit_graph(spread_generator(), spec, tmp_path / "audit.onnx", target_options=options)
    assert exported.parity.errors["outputs"] < 2e-5
    assert exported.support.faults == ()


@pytest.mark.parametrize(
    ("precision", "advice"),
    [("fp32", "please report it"), ("fp16", "export it in fp32"), ("bf16", "export it in fp32")],
)
def test_where_parity_fails_the_advice_can_help(precision: str, advice: str) -> None:
    """In fp32 there is no better precision to try."""
    with pytest.raises(ExportError, match=advice) as caught:
        Parity({"outputs": 0.3}, "ONNX Runtime", 9, precision).check({"outputs": 1e-3})
    assert ("no option helps" in str(caught.value)) == (precision == "fp32")
    assert "\n" not in str(caught.value)
