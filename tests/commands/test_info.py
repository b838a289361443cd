from __future__ import annotations

import pytest
import torch

import zoom_engine
from zoom_engine import ops
from zoom_engine.commands import info
from zoom_engine.common import registry
from zoom_engine.runtime import choose_synthesizer


def test_tells_versions_instruction_set_and_runtimes() -> None:
    text = " ".join(info.describe().split())
    assert zoom_engine.__version__ in text
    assert torch.__version__ in text
    assert f"{torch.get_num_threads()} of" in text
    assert all(name in text for name in ("ONNX Runtime", "OpenVINO", "TensorRT"))
    if ops.native_available()[0]:
        assert f"{ops.isa()}, of" in text
        assert info.NATIVE_COST not in text


def test_tells_what_a_missing_extension_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "native_available", lambda: (False, "no C++ compiler was found"))
    text = " ".join(info.describe().split())
    assert "MISSING: no C++ compiler was found" in text
    assert info.NATIVE_COST in text


def test_tells_what_the_cuda_operators_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    monkeypatch.setattr(info.cuda, "cuda_available", lambda: (False, "no nvcc was found"))
    text = " ".join(info.describe().split())
    assert "MISSING: no nvcc was found" in text
    assert info.CUDA_COST in text
    monkeypatch.setattr(info.cuda, "cuda_available", lambda: (True, ""))
    monkeypatch.setattr(info.cuda, "unusable", lambda index: "too old" if index else "")
    text = " ".join(info.describe().split())
    assert "device 0: float32, bfloat16 and float16, with --backend native" in text
    assert "device 1: too old" in text
    assert "cuda:0: torch in bf16 (nothing was measured on a GPU yet" in text
    assert "--backend native runs the CUDA operators" in text
    assert "cuda:1: gradients by torch in bf16" in text
    assert "the CUDA operators cannot run (too old)" in text


def test_tells_what_an_audit_would_use() -> None:
    from networks import spread_generator

    text = " ".join(info.describe().split())
    chosen = choose_synthesizer(spread_generator())
    assert f"cpu: {chosen.backend} in {chosen.precision} ({chosen.reason})" in text
    assert f"cpu: gradients by {chosen.gradients} in {chosen.precision}" in text


def test_tells_every_kind_of_thing_that_packages_bring() -> None:
    told = {name for lines in info.sections().values() for line in lines for name in line.split(", ")}
    assert all(name in told for kind in registry.KINDS for name in registry.all_names(kind))


def test_tells_a_missing_runtime_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(info.PACKAGES, "no_such_runtime", ("Nonesuch", "no speed", "none"))
    line = next(line for line in info.sections()["runtimes"] if "Nonesuch" in line)
    assert line.strip() == "Nonesuch: missing, no speed; pip install 'zoom-engine[none]'"


def test_version_is_the_distribution_s() -> None:
    import importlib.metadata

    assert importlib.metadata.version("zoom-engine") == zoom_engine.__version__
    if ops.native_available()[0]:
        from zoom_engine import _core

        assert _core.__version__ == zoom_engine.__version__
