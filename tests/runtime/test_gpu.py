"""What needs a GPU or TensorRT is skipped without; what does not is tested everywhere."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cuda_on_cpu import install
from networks import relative_error, spread_generator, styles_of

from zoom_engine import ops
from zoom_engine.cli import main
from zoom_engine.common.errors import BackendError
from zoom_engine.export import build_tensorrt_engine, export_synthesis
from zoom_engine.runtime import choose_synthesizer
from zoom_engine.runtime.onnxruntime_session import _providers
from zoom_engine.runtime.tensorrt_session import TensorRTSession, _profile

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
needs_tensorrt = pytest.mark.skipif(importlib.util.find_spec("tensorrt") is None, reason="TensorRT is missing")


@pytest.mark.gpu
@pytest.mark.tensorrt
@needs_gpu
@needs_tensorrt
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-4), ("bf16", 3e-2)])
def test_tensorrt_makes_the_pictures_that_torch_makes(precision: str, limit: float, tmp_path: Path) -> None:
    network = spread_generator().cuda()
    result = choose_synthesizer(network, backend="tensorrt", precision=precision, device="cuda", cache=tmp_path)
    for batch in (1, 3, 8, 40):
        styles = styles_of(network, batch)
        images = result.render(styles)
        assert images.is_cuda
        assert relative_error(images, network.render(styles)) < limit


@pytest.mark.gpu
@pytest.mark.tensorrt
@needs_gpu
@needs_tensorrt
def test_an_engine_is_built_of_an_exported_file(tmp_path: Path) -> None:
    exported = export_synthesis(spread_generator(), tmp_path / "synthesis.onnx")
    assert build_tensorrt_engine(exported.path, tmp_path / "synthesis.engine", cache=tmp_path).stat().st_size > 1000


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("backend", ["onnxruntime", "onnxruntime-tensorrt"])
def test_onnxruntime_stays_on_the_gpu(backend: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    wanted = "TensorrtExecutionProvider" if backend.endswith("tensorrt") else "CUDAExecutionProvider"
    if wanted not in ort.get_available_providers():
        pytest.skip(f"this build of ONNX Runtime has no {wanted}")
    network = spread_generator().cuda()
    styles = styles_of(network, 3)
    images = choose_synthesizer(network, backend=backend, precision="fp32", device="cuda", cache=tmp_path).render(
        styles
    )
    assert images.is_cuda
    assert relative_error(images, network.render(styles)) < 1e-4


def test_without_tensorrt_it_is_an_error_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match=r"tensorrt is not installed.*zoom-engine\[gpu\]"):
        choose_synthesizer(spread_generator(), backend="tensorrt", precision="fp32")
    arguments = ["export", "--generator", "avatars", "--max-resolution", "8", "--out", str(tmp_path), "--tensorrt"]
    assert main(arguments) == 1
    assert "tensorrt is not installed" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"synthesis.onnx"}


def test_an_engine_runs_with_its_own_gpu_as_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was current while the engine was read alone: an engine of the second GPU ran with the first as current."""
    current: list[torch.device | None] = [None]

    @contextlib.contextmanager
    def made_current(device: torch.device) -> Iterator[None]:
        before, current[0] = current[0], device
        yield
        current[0] = before

    def execute(stream: int) -> bool:
        ran.append(current[0])
        return True

    ran: list[torch.device | None] = []
    monkeypatch.setattr(torch.cuda, "device", made_current)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=0))
    session = object.__new__(TensorRTSession)
    session._device, session._outputs = torch.device("cpu"), ["images"]
    session._of_thread = threading.local()
    session._of_thread.context = SimpleNamespace(
        set_input_shape=lambda name, shape: True,
        set_tensor_address=lambda name, address: None,
        get_tensor_shape=lambda name: (1, 2),
        execute_async_v3=execute,
    )
    session.run({"styles": torch.zeros(9, 3)})
    assert (ran, current) == ([session._device, session._device], [None])


def test_the_profile_opens_batch_and_attributes() -> None:
    inputs = {"styles": (-1, 90), "edit_weights": (-1, -1), "edit_directions": (-1, 90)}
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
    profile = SimpleNamespace(set_shape=lambda name, *sizes: shapes.update({name: sizes}))
    builder = SimpleNamespace(create_optimization_profile=lambda: profile)
    tensors = [SimpleNamespace(name=name, shape=shape) for name, shape in inputs.items()]
    _profile(builder, SimpleNamespace(num_inputs=len(tensors), get_input=tensors.__getitem__))
    assert shapes["styles"] == ((1, 90), (4, 90), (8, 90))
    assert shapes["edit_weights"] == ((1, 1), (4, 5), (8, 64))
    assert shapes["edit_directions"] == ((1, 90), (5, 90), (64, 90))


def test_onnxruntime_hands_the_graph_to_tensorrt(tmp_path: Path) -> None:
    """The providers that a session on a GPU is asked for: TensorRT with its profile and caches first, then CUDA."""
    (name, options), (cuda, _) = _providers("tensorrt", 1, tmp_path, {"styles": [0, 90]})
    assert (name, cuda) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert options["device_id"] == 1
    assert options["trt_profile_min_shapes"] == "styles:1x90"
    assert options["trt_profile_max_shapes"] == "styles:8x90"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("backend", ["onnxruntime", "onnxruntime-tensorrt"])
def test_a_build_without_the_provider_is_an_error(backend: str) -> None:
    pytest.importorskip("onnxruntime")
    wanted = "TensorrtExecutionProvider" if backend.endswith("tensorrt") else "CUDAExecutionProvider"
    with pytest.raises(BackendError, match=rf"this build has .*CPUExecutionProvider.*, not {wanted}.*\[gpu\]"):
        choose_synthesizer(spread_generator(), backend=backend, precision="fp32", device="cuda")


@pytest.fixture
def cuda_operators_here(monkeypatch: pytest.MonkeyPatch, cuda_extension_on_cpu: Any) -> list[str]:
    """The CUDA operators as if there were a device, which is the CPU; the names of those that ran."""
    install(monkeypatch, cuda_extension_on_cpu)
    monkeypatch.setattr(ops.dispatch.cuda, "cuda_available", lambda: (True, ""))
    monkeypatch.setattr(ops.dispatch.cuda, "unusable", lambda index: "" if index == 0 else "too old a card")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    ran, call = [], ops.cuda._call

    def noted(name: str, *given: Any, **options: Any) -> None:
        ran.append(name)
        call(name, *given, **options)

    monkeypatch.setattr(ops.cuda, "_call", noted)
    return ran


def test_native_on_a_gpu_draws_and_differentiates_with_the_cuda_operators(cuda_operators_here: list[str]) -> None:
    network = spread_generator()
    result = choose_synthesizer(network, backend="native", precision="fp32", device="cuda")
    assert (result.describe(), result.gradients) == ({"backend": "native", "precision": "fp32"}, "native")
    styles = styles_of(network, 2).requires_grad_(True)
    with torch.no_grad():
        assert relative_error(result.render(styles), network.render(styles, plain=True)) < 1e-5
    assert {"modulate", "modulated_epilogue", "upsample2x"} <= set(cuda_operators_here)
    (gradient,) = torch.autograd.grad(result.render(styles).square().sum(), styles)
    (wanted,) = torch.autograd.grad(network.render(styles, plain=True).square().sum(), styles)
    assert relative_error(gradient, wanted) < 1e-4
    assert "modulated_epilogue_backward" in cuda_operators_here


def test_auto_takes_torch_on_a_gpu_and_says_what_else_could_run(cuda_operators_here: list[str]) -> None:
    network = spread_generator()
    result = choose_synthesizer(network, device="cuda")
    assert (result.backend, result.precision, result.gradients) == ("torch", "bf16", "torch")
    assert "nothing was measured on a GPU yet" in result.reason
    assert "--backend native runs the CUDA operators" in result.reason
    result.render(styles_of(network, 1).requires_grad_(True)).sum().backward()
    assert not cuda_operators_here, "torch is torch"


@pytest.mark.usefixtures("cuda_operators_here")
def test_a_card_that_the_cuda_operators_cannot_use_is_told() -> None:
    with pytest.raises(BackendError, match="backend 'native' cannot run: too old a card"):
        choose_synthesizer(spread_generator(), backend="native", device="cuda:1")
    assert (
        "the CUDA operators cannot run (too old a card)"
        in choose_synthesizer(spread_generator(), device="cuda:1").reason
    )


@pytest.mark.parametrize(
    ("built", "says"), [((False, "zoom-engine was built without CUDA"), "built without CUDA"), ((True, ""), "no CUDA")]
)
def test_native_without_a_device_or_its_operators_is_an_error(
    built: tuple[bool, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops.dispatch.cuda, "cuda_available", lambda: built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match=f"backend 'native' cannot run: .*{says}"):
        choose_synthesizer(spread_generator(), backend="native", device="cuda")
