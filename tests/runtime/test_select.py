"""Every backend makes the same pictures, gradients stay, nothing falls back in silence."""

from __future__ import annotations

import copy
import dataclasses
import errno
import gc
import importlib.util
import os
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from networks import relative_error, spread_generator, styles_of

from zoom_engine import ops
from zoom_engine.common.backends import RUNTIMES as RUNTIMES_KNOWN
from zoom_engine.common.backends import Runtime
from zoom_engine.common.errors import BackendError, CacheError, ConfigError
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.generators import StyleGAN2
from zoom_engine.runtime import choose_synthesizer, select

RUNTIMES = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is missing"))
    for name in ("onnxruntime", "openvino")
]


@pytest.fixture(scope="module")
def network() -> StyleGAN2:
    return spread_generator()


def test_a_runtime_is_a_file_and_an_entry(network: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []

    class Grey:
        settings: ClassVar[dict[str, str]] = {"shade": "grey"}

        def run(self, feeds: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"images": torch.zeros(len(feeds["styles"]), 3, 8, 8)}

    def open_session(model: bytes, *, backend: str, precision: str, device: str, cache: Path | None) -> Grey:
        opened.append((backend, precision))
        return Grey()

    monkeypatch.setitem(sys.modules, "zoom_engine.runtime.paint_session", SimpleNamespace(open_session=open_session))
    monkeypatch.setitem(RUNTIMES_KNOWN, "paint", Runtime("Paint", "json", "none", "paint_session", ("fp32",)))
    monkeypatch.setattr(select, "BACKENDS", (*select.BACKENDS, "paint"))
    result = choose_synthesizer(network, backend="paint", precision="fp32")
    assert opened == [("paint", "fp32")]
    assert result.explain()["settings"] == {"shade": "grey"}
    assert torch.equal(result.render(styles_of(network, 2)), torch.zeros(2, 3, 8, 8))
    with pytest.raises(BackendError, match="'paint' cannot run in bf16"):
        choose_synthesizer(network, backend="paint", precision="bf16")


@pytest.mark.parametrize("backend", RUNTIMES)
def test_runtimes_make_the_pictures_that_torch_makes(network: StyleGAN2, backend: str) -> None:
    result = choose_synthesizer(network, backend=backend, precision="fp32")
    assert result.describe() == {"backend": backend, "precision": "fp32"}
    for batch in (1, 3, 8):
        styles = styles_of(network, batch)
        assert relative_error(result.render(styles), network.render(styles)) < 1e-5


@pytest.mark.parametrize("backend", RUNTIMES)
def test_weights_that_changed_after_they_were_compiled_are_refused(backend: str) -> None:
    """A runtime went on with those before, and caches took its pictures for those of the weights that are there now."""
    network = spread_generator()
    result = choose_synthesizer(network, backend=backend, precision="fp32")
    network.load_state_dict(spread_generator(seed=1).state_dict())
    with pytest.raises(ConfigError, match=f"changed after {backend} had compiled them"):
        result.render(styles_of(network, 1))


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-5), ("bf16", 3e-2)])
def test_native_makes_the_pictures_that_torch_makes(network: StyleGAN2, precision: str, limit: float) -> None:
    result = choose_synthesizer(network, backend="native", precision=precision)
    assert (result.backend, result.gradients) == ("native", "native")
    styles = styles_of(network, 3)
    assert relative_error(result.render(styles), network.render(styles, plain=True)) < limit


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_native_takes_a_large_batch_in_parts(network: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> None:
    result, drawn, synthesis = choose_synthesizer(network, backend="native", precision="fp32"), [], network.synthesis
    styles = styles_of(network, 5)
    together = result.render(styles)

    def counted(part: torch.Tensor, **options: Any) -> torch.Tensor:
        drawn.append(len(part))
        return synthesis(part, **options)

    monkeypatch.setattr(network, "synthesis", counted)
    monkeypatch.setattr("zoom_engine.runtime.select.AT_ONCE", 2 * 6 * 32**2 * 4)
    assert relative_error(result.render(styles), together) < 1e-6
    assert drawn == [2, 2, 1]
    result.render(styles.requires_grad_(True))
    assert drawn[3:] == [5], "gradients keep what they need anyway"


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_what_layers_leave_is_given_back_beyond_a_limit_but_where_gradients_want_it(
    network: StyleGAN2, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_by = copy.deepcopy(network)
    result, left = choose_synthesizer(drawn_by, backend="native", precision="fp32"), 1 << 24
    monkeypatch.setattr("zoom_engine.runtime.select.KEPT", left // 2)
    cached: list[int] = []
    monkeypatch.setattr(drawn_by, "render", lambda *_, **__: cached.append(ops.native.require().kept_memory()))

    def leave() -> None:
        ops.native.empty((left,), dtype=torch.uint8)

    for styles in (styles_of(network, 1), styles_of(network, 1).requires_grad_(True), styles_of(network, 1)):
        leave()
        result.render(styles)
    assert cached[0] < left // 2
    assert min(cached[1:]) >= left
    ops.release_memory()


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_picture_does_not_depend_on_its_batch_by_a_bit(network: StyleGAN2, backend: str) -> None:
    result = choose_synthesizer(network, backend=backend, precision="fp32")
    styles = styles_of(network, 6)
    together = result.render(styles)
    assert torch.equal(together.flip(0), result.render(styles.flip(0)))
    assert torch.equal(together[1:4], result.render(styles[1:4]))
    assert torch.equal(together, result.render(styles))


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
@pytest.mark.parametrize(("isa", "first"), [("amx", True), ("avx512bf16", True), ("avx512", False)])
def test_with_bf16_the_native_operators_draw_and_openvino_looks(
    network: StyleGAN2, monkeypatch: pytest.MonkeyPatch, isa: str, first: bool
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("zoom_engine.runtime.select.bf16_in_hardware", lambda: True)
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: isa)
    monkeypatch.setattr("zoom_engine.runtime.select._session", lambda *_: None)
    result = choose_synthesizer(network)
    assert (result.backend, result.precision) == ("native" if first else "openvino", "bf16")
    assert (result.gradients, result.networks) == ("native", "openvino")
    assert choose_synthesizer(network, backend="native").networks == "torch", "asked for by name"


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
@pytest.mark.parametrize(("isa", "first"), [("amx", True), ("avx512", True), ("avx2", True), ("portable", False)])
def test_without_bf16_any_vector_unit_draws_natively(
    network: StyleGAN2, monkeypatch: pytest.MonkeyPatch, isa: str, first: bool
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: isa)
    monkeypatch.setattr("zoom_engine.runtime.select._session", lambda *_: None)
    result = choose_synthesizer(network, precision="fp32")
    assert (result.backend, result.networks) == ("native" if first else "openvino", "openvino")


def test_openvino_in_bfloat16_is_near_or_refused(network: StyleGAN2) -> None:
    pytest.importorskip("openvino")
    styles = styles_of(network, 3)
    try:
        result = choose_synthesizer(network, backend="openvino", precision="bf16")
    except BackendError:
        assert not bf16_in_hardware()
        return
    settings = result.explain()["settings"]
    assert settings["precision"] == "bf16"
    assert settings["convolutions"]["bf16"] >= 4
    assert 1e-4 < relative_error(result.render(styles), network.render(styles)) < 5e-3


@pytest.mark.parametrize("backend", RUNTIMES)
def test_gradients_stay(network: StyleGAN2, backend: str) -> None:
    result = choose_synthesizer(network, backend=backend, precision="fp32")
    styles = styles_of(network, 2).requires_grad_(True)
    (gradient,) = torch.autograd.grad(result.render(styles).square().sum(), styles)
    (wanted,) = torch.autograd.grad(network.render(styles, plain=True).square().sum(), styles)
    assert relative_error(gradient, wanted) < 1e-4
    with torch.no_grad():
        assert not result.render(styles).requires_grad


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_missing_package_is_an_error_by_name_and_a_reason_in_auto(
    network: StyleGAN2, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: "portable")
    monkeypatch.setitem(sys.modules, backend, None)
    with pytest.raises(BackendError, match=r"is not installed.*pip install 'zoom-engine\[cpu\]'"):
        choose_synthesizer(network, backend=backend)
    result = choose_synthesizer(network)
    assert result.backend != backend
    if backend == "openvino":
        assert "openvino is not installed" in result.reason


@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_auto_leaves_out_a_runtime_without_the_precision(network: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: "avx512")
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = choose_synthesizer(network, precision="bf16")
    assert result.backend == "native"
    assert "'onnxruntime' cannot run in bf16" in result.reason


def test_auto_ends_with_torch(network: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(ops, "compiled_on", lambda device: (False, "never built"))
    result = choose_synthesizer(network, precision="fp32")
    assert (result.backend, result.gradients) == ("torch", "torch")
    assert all(word in result.reason for word in ("openvino is not", "onnxruntime is not", "never built"))
    with pytest.raises(BackendError, match="never built"):
        choose_synthesizer(network, backend="native")


@pytest.mark.parametrize("backend", RUNTIMES)
def test_compiled_models_are_kept_and_damaged_ones_made_again(network: StyleGAN2, backend: str, tmp_path: Path) -> None:
    styles = styles_of(network, 2)
    wanted = choose_synthesizer(network, backend=backend, precision="fp32", cache=tmp_path).render(styles)
    (file,) = (tmp_path / "compiled").iterdir()
    written = file.stat().st_ino  # that of another file, if it is written again; its time is when it was used
    again = choose_synthesizer(network, backend=backend, precision="fp32", cache=tmp_path)
    assert torch.equal(again.render(styles), wanted)
    assert file.stat().st_ino == written
    file.write_bytes(b"damaged")
    mended = choose_synthesizer(network, backend=backend, precision="fp32", cache=tmp_path)
    assert torch.equal(mended.render(styles), wanted)
    assert file.stat().st_size > 1000
    choose_synthesizer(spread_generator(seed=1), backend=backend, precision="fp32", cache=tmp_path)
    assert len(list((tmp_path / "compiled").iterdir())) == 2


@pytest.mark.parametrize("backend", [*RUNTIMES, "auto"])
def test_a_broken_cache_folder_is_an_error_and_no_missing_runtime(
    network: StyleGAN2, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For "auto" too, which would else go on with another runtime and say nothing of the folder."""
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: "portable")
    if backend == "auto" and choose_synthesizer(network, precision="fp32").session is None:
        pytest.skip("no runtime is installed")
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"cannot be used .*ZOOM_ENGINE_CACHE"):
        choose_synthesizer(network, backend=backend, precision="fp32", cache=tmp_path / "file")


@pytest.mark.parametrize("backend", [*RUNTIMES, "auto"])
def test_a_cache_that_takes_no_file_is_an_error(
    network: StyleGAN2, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is there, the disk is full."""
    monkeypatch.setattr("zoom_engine.runtime.select.ops.isa", lambda: "portable")
    if backend == "auto" and choose_synthesizer(network, precision="fp32").session is None:
        pytest.skip("no runtime is installed")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CacheError, match="No space left on device"):
        choose_synthesizer(network, backend=backend, precision="fp32", cache=tmp_path)


@pytest.mark.ci
@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_dropped_session_is_freed(network: StyleGAN2, backend: str) -> None:
    """A process that audits one model after the other must not keep the compiled generators of all."""
    result = choose_synthesizer(network, backend=backend, precision="fp32")
    result.render(styles_of(network, 3))
    session = weakref.ref(result.session)
    del result
    gc.collect()
    assert session() is None


DROPPED = """
import gc, os, signal, threading
from networks import spread_generator, styles_of
from zoom_engine.runtime import choose_synthesizer

signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, even in a shell's background
network = spread_generator()
kept = []
for backend in BACKENDS:
    kept.append(choose_synthesizer(network, backend=backend, precision="fp32"))
    kept[-1].render(styles_of(network, 1))
drop = threading.Thread(target=kept.clear) if THREAD else None
if drop is None:
    while kept:
        del kept[0]
        gc.collect()
else:
    drop.start()
    drop.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(10_000))  # Python runs the handler between two instructions
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.ci
def test_ctrl_c_is_no_crash_after_sessions_were_dropped(backend: str, in_a_thread: bool) -> None:
    code = DROPPED.replace("BACKENDS", repr([backend, backend])).replace("THREAD", str(in_a_thread))
    tests = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True, timeout=280, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, "interrupted\n"), done.stderr.decode()[-2000:]


def test_a_session_that_runs_elsewhere_is_refused(network: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the session says after it was made counts, not the list of what is available."""
    ort = pytest.importorskip("onnxruntime")
    plain = ort.InferenceSession

    class Elsewhere(plain):  # type: ignore[misc, valid-type]
        def get_providers(self) -> list[str]:
            return ["AzureExecutionProvider"]

    monkeypatch.setattr(ort, "InferenceSession", Elsewhere)
    with pytest.raises(BackendError, match="AzureExecutionProvider, not CPUExecutionProvider"):
        choose_synthesizer(network, backend="onnxruntime", precision="fp32")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"backend": "jax"}, ConfigError, "unknown backend"),
        ({"precision": "fp64"}, ConfigError, "unknown precision"),
        ({"backend": "onnxruntime", "precision": "bf16"}, BackendError, "cannot run in bf16"),
        ({"backend": "onnxruntime-tensorrt"}, BackendError, "cannot run on cpu through tensorrt: use cuda"),
        ({"backend": "openvino", "device": "cuda"}, BackendError, "on the CPU only"),
        ({"backend": "native", "device": "meta"}, BackendError, "no operators for meta"),
    ],
)
def test_refusals_say_why(network: StyleGAN2, options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        choose_synthesizer(network, **options)


def test_small_pictures_are_those_that_the_first_blocks_draw(network: StyleGAN2) -> None:
    whole = choose_synthesizer(network, backend="torch", precision="fp32")
    side = network.resolution // 2
    small = whole.smaller(side - 3)
    assert small is not None
    assert small.side == side
    codes = styles_of(network, 2)
    edits, directions = torch.ones(2, 1), 0.1 * torch.randn(1, network.space.size)
    with torch.no_grad():
        expected = network.synthesis(codes + edits @ directions, max_resolution=side).clamp(-1, 1)
        torch.testing.assert_close(small.render(codes, edits, directions), expected, atol=1e-4, rtol=0)
    assert small.describe() == {**whole.describe(), "side": side}
    assert whole.smaller(side + 1) is None
    assert whole.smaller(4096) is None
    last_only = spread_generator(dataclasses.replace(network.config, architecture="orig"))
    assert choose_synthesizer(last_only, backend="torch", precision="fp32").smaller(side) is None
