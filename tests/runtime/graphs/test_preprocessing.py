"""A target's preprocessing in ONNX against torch's, for every way of resizing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from zoom_engine.runtime.graphs.recorder import Recorder
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.targets import Preprocessing

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "nearest", "area"])
@pytest.mark.parametrize("size", [11, 64, (20, 45), 32])
def test_resizing_is_torchs(resize: Any, size: Any) -> None:
    check(Preprocessing(size=size, resize=resize))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"value_range": (0.0, 255.0), "mean": (123.7, 116.3, 103.5), "std": (58.4, 57.1, 57.4)},
        {"value_range": (-1.0, 1.0), "channel_order": "BGR", "mean": (0.1, 0.2, 0.3), "std": (0.5,)},
        {"layout": "NHWC", "channel_order": "BGR", "size": 16},
    ],
)
def test_scales_and_orders_are_torchs(options: dict[str, Any]) -> None:
    check(Preprocessing(**options))


def check(preprocessing: Preprocessing) -> None:
    recorder = Recorder()
    ready = preprocessing(recorder.symbol("images", 1, 3, 32, 32).clamp(-1, 1))
    recorder.rename(ready, "ready")
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = preprocessing(images)
    shapes = {"images": ["batch", 3, 32, 32]}, {"ready": ["batch", *wanted.shape[1:]]}
    model = recorder.model("preprocessing", *shapes, metadata={}, producer_version="0")
    result = OnnxRuntimeSession(model.SerializeToString()).run({"images": images})["ready"]
    tolerance = 2e-6 * float(wanted.abs().max())
    torch.testing.assert_close(result, wanted, rtol=1e-5, atol=tolerance)
