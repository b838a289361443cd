"""`zoom_engine._cuda` refuses what its kernels could not take, before anything is launched."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cuda_on_cpu import install
from torch import Tensor

from zoom_engine import ops
from zoom_engine.common.errors import BackendError
from zoom_engine.ops import cuda, native


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch, cuda_extension_on_cpu: Any) -> Any:
    install(monkeypatch, cuda_extension_on_cpu)
    return cuda_extension_on_cpu


def image(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.ones(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)


def call(name: str, **values: Any) -> None:
    tensors = {key: value for key, value in values.items() if value is None or isinstance(value, Tensor)}
    options = {key: value for key, value in values.items() if key not in tensors or key == "clamp"}
    tensors.pop("clamp", None)
    cuda._call(name, tensors, **options)


MODULATE: dict[str, Any] = {
    "x": image(2, 3, 4, 5),
    "styles": torch.ones(2, 3),
    "edit_weights": torch.ones(2, 7),
    "edit_directions": torch.ones(7, 3),
    "out": image(2, 3, 4, 5),
    "style": torch.ones(2, 3),
}
EPILOGUE: dict[str, Any] = {
    "grad": image(2, 3, 3, 4),
    "x": image(2, 3, 4, 5),
    "scale": torch.ones(2, 3),
    "noise": torch.ones(3, 4),
    "bias": torch.ones(3),
    "dx": image(2, 3, 4, 5),
    "dscale": torch.ones(2, 3),
    "workspace": torch.ones(10_000),
    "fir": True,
    "slope": 0.2,
    "gain": 1.0,
    "clamp": None,
}
UPSAMPLE: dict[str, Any] = {"x": image(2, 3, 4, 5), "add": image(2, 3, 8, 10), "out": image(2, 3, 8, 10)}


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize(
    ("name", "good", "change", "error", "message"),
    [
        ("modulate", MODULATE, {"x": torch.ones(2, 3, 4, 5)}, ValueError, "x must be channels-last"),
        ("modulate", MODULATE, {"x": torch.ones(2, 3, 4)}, ValueError, "four axes"),
        ("modulate", MODULATE, {"styles": torch.ones(3, 2)}, ValueError, "styles has the wrong shape"),
        ("modulate", MODULATE, {"styles": torch.ones(2, 3).half()}, TypeError, "styles must be float32"),
        ("modulate", MODULATE, {"edit_weights": None}, ValueError, "belong together"),
        ("modulate", MODULATE, {"edit_weights": torch.ones(7)}, ValueError, "two axes"),
        ("modulate", MODULATE, {"edit_directions": torch.ones(6, 3)}, ValueError, "edit_directions has the wrong"),
        ("modulate", MODULATE, {"edit_directions": torch.ones(3, 7).t()}, ValueError, "contiguous rows"),
        ("modulate", MODULATE, {"out": image(2, 3, 4, 5, dtype=torch.float16)}, TypeError, "another dtype"),
        ("modulated_epilogue_backward", EPILOGUE, {"grad": image(2, 3, 4, 5)}, ValueError, "grad has the wrong shape"),
        ("modulated_epilogue_backward", EPILOGUE, {"noise": torch.ones(4, 5)}, ValueError, "noise has the wrong"),
        ("modulated_epilogue_backward", EPILOGUE, {"workspace": torch.ones(5)}, ValueError, "at least 6 floats"),
        ("modulated_epilogue_backward", EPILOGUE, {"clamp": 0.0}, ValueError, "clamp must be positive"),
        ("modulated_epilogue_backward", EPILOGUE, {"x": image(2, 3, 1, 5)}, ValueError, "too small for the filter"),
        ("upsample2x", UPSAMPLE, {"out": image(2, 3, 8, 9)}, ValueError, "the large image has the wrong shape"),
        ("upsample2x", UPSAMPLE, {"add": torch.ones(2, 3, 8, 10)}, ValueError, "add has another layout"),
    ],
)
def test_bad_calls_are_refused(
    name: str, good: dict[str, Any], change: dict[str, Any], error: type[Exception], message: str
) -> None:
    call(name, **good)
    with pytest.raises(error, match=message):
        call(name, **{**good, **change})


def test_devices_are_checked(extension: Any) -> None:
    def view(device: int, **change: Any) -> Any:
        layout = {"shape": [1, 1, 2, 2], "strides": [4, 1, 2, 1], **change}
        return extension.View(owner=None, pointer=4096, bytes=2**60, dtype="float32", device=device, **layout)

    with pytest.raises(ValueError, match="the large image must be on CUDA device 1"):
        extension.upsample2x(x=view(1), add=None, out=view(0, shape=[1, 1, 4, 4], strides=[16, 1, 4, 1]), stream=0)
    with pytest.raises(ValueError, match="x must be on a CUDA device"):
        extension.upsample2x(x=view(-1), add=None, out=view(-1), stream=0)
    huge = {"shape": [1, 1, 2**16, 2**15], "strides": [2**31, 1, 2**15, 1]}
    with pytest.raises(ValueError, match=r"more than 2\^30 pixels"):
        extension.upsample2x(x=view(0, **huge), add=None, out=view(0), stream=0)
    many = {"shape": [2**21, 1, 1024, 2], "strides": [2048, 1, 2, 1]}
    out = {"shape": [2**21, 1, 2048, 4], "strides": [8192, 1, 4, 1]}
    with pytest.raises(ValueError, match="fewer images at once"):
        extension.upsample2x(x=view(0, **many), add=None, out=view(0, **out), stream=0)


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_the_cpu_operators_refuse_devices() -> None:
    core = native.require()
    x, out = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 4, 4)
    on_device = core.View(
        owner=x, pointer=x.data_ptr(), bytes=16, dtype="float32", shape=x.shape, strides=x.stride(), device=0
    )
    with pytest.raises(ValueError, match="x must be on the CPU"):
        core.upsample2x(x=on_device, out=native.view(out), add=None, bias=None, clamp=None, threads=1)


def test_without_the_extension_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_CUDA", None)
    monkeypatch.setattr(cuda, "_REASON", "built without CUDA")
    cuda.unusable.cache_clear()
    try:
        assert cuda.cuda_available() == (False, "built without CUDA")
        assert cuda.unusable(0) == "built without CUDA"
        with pytest.raises(BackendError, match="no CUDA operators: built without CUDA"):
            cuda.upsample2x(torch.ones(1, 1, 2, 2))
    finally:
        cuda.unusable.cache_clear()


@pytest.mark.skipif(not cuda.cuda_available()[0], reason=cuda.cuda_available()[1])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_the_real_extension_says_so() -> None:
    """It loads all the same: it depends on the driver only when it is called."""
    assert "no CUDA device" in cuda.unusable(0)
    extension: Any = cuda._CUDA
    view = extension.View(
        owner=None, pointer=4096, bytes=64, dtype="float32", shape=[1, 1, 2, 2], strides=[4, 1, 2, 1], device=0
    )
    out = extension.View(
        owner=None, pointer=4096, bytes=64, dtype="float32", shape=[1, 1, 4, 4], strides=[16, 1, 4, 1], device=0
    )
    with pytest.raises(RuntimeError, match="no CUDA device"):
        extension.upsample2x(x=view, add=None, out=out, stream=0)
