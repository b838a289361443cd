"""The choice of what runs the synthesis, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import torch
from torch import Tensor

from zoom_engine import ops
from zoom_engine.common import backends
from zoom_engine.common.backends import BACKENDS, RUNTIMES
from zoom_engine.common.errors import BackendError, ConfigError
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.generators import EditableGenerator, StyleGAN2
from zoom_engine.generators.generator import DrawnByGraph, runs_on, shown
from zoom_engine.generators.onnx_decoder import CODES, IMAGES
from zoom_engine.ops.modulation import edited
from zoom_engine.runtime.graphs import synthesis_model
from zoom_engine.runtime.graphs.synthesis_graph import PRECISIONS
from zoom_engine.runtime.session import Session, import_runtime, open_session

AT_ONCE = 1 << 26  # bytes of the largest layer: a larger batch takes more memory, which is kept, and no less time
KEPT = 6 * AT_ONCE  # bytes that layers leave to the next picture's: batches of many sizes would leave more each
_followed: WeakSet[StyleGAN2] = WeakSet()
"""Generators whose gradients were followed: these leave more, and want it again."""
DTYPES = {name: PRECISIONS[name] for name in backends.PRECISIONS}


@dataclass(frozen=True)
class Synthesizer:
    """A generator on what runs it here, a `zoom_engine.generators.Renderer`; differentiable where the generator is.

    Attributes:
        generator: what it draws with.
        backend: what runs forward passes: "torch", "native" (the device's compiled operators, one call a layer), or the
            runtime of `session`.
        precision: the dtype of the activations.
        reason: why these were chosen.
        gradients: what runs where a gradient is wanted: "torch", "native" or "none".
        session: the runtime's, where there is one.
        networks: what runs the forward passes of the networks that read the pictures, "openvino" or "torch".
        side: of the pictures, where the generator's first blocks alone draw them; None: whole ones.
        recorded: the hash of the generator as it was recorded for `session`; None where it brings its own graph.
    """

    generator: EditableGenerator
    backend: str
    precision: str
    reason: str
    gradients: str
    session: Session | None = field(default=None, repr=False)
    networks: str = "torch"
    side: int | None = None
    recorded: str | None = None

    def smaller(self, least: int) -> Synthesizer | None:
        """Return what draws the smallest pictures of at least `least` pixels a side; None where no smaller ones are.

        A StyleGAN2 of the architecture "skip" draws them on the way to whole ones. Runtimes draw whole ones only.
        """
        if self.session is not None or "native" not in runs_on(self.generator):
            return None
        side = min(
            side for side in cast(StyleGAN2, self.generator).sides if side >= min(least, self.generator.resolution)
        )
        return None if side == self.generator.resolution else replace(self, side=side)

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw pictures, see `zoom_engine.generators.Renderer.render`.

        Raises:
            ConfigError: the generator's weights are others than those that a runtime compiled.
        """
        follow = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (codes, edit_weights))
        if self.session is not None and not follow:
            if self.recorded is not None and self.recorded != self.generator.content_hash:
                raise ConfigError(
                    f"the generator's weights changed after {self.backend} had compiled them: make the Diagnoser anew"
                )
            return drawn_by(self.session, self.generator, codes, edit_weights, directions)
        if "native" not in runs_on(self.generator):
            return self.generator.render(codes, edit_weights, directions)
        generator = cast(StyleGAN2, self.generator)  # native operators are its
        options: dict[str, Any] = {"precision": DTYPES[self.precision], "plain": self.gradients == "torch"}
        if self.side is not None:
            options["max_resolution"] = self.side
        at_once = len(codes) if self.gradients == "torch" or follow else _at_once(generator, self.precision)
        if follow:
            _followed.add(generator)
        elif generator not in _followed:
            ops.release_memory(beyond=KEPT)
        if len(codes) <= at_once:
            return generator.render(codes, edit_weights, directions, **options)
        side = self.side or generator.resolution
        pictures = codes.new_empty(len(codes), 3, side, side)
        for start in range(0, len(codes), at_once):
            rows = slice(start, start + at_once)
            weights = None if edit_weights is None else edit_weights[rows]
            pictures[rows] = generator.render(codes[rows], weights, directions, **options)
        return pictures

    def describe(self) -> dict[str, Any]:
        """Return what records depend on, ready for JSON."""
        known: dict[str, Any] = {"backend": self.backend, "precision": self.precision}
        return known if self.side is None else {**known, "side": self.side}

    def explain(self) -> dict[str, Any]:
        """Return the reason, the settings, and what runs gradients; ready for JSON."""
        settings = {} if self.session is None else self.session.settings
        return {"reason": self.reason, "gradients": self.gradients, **({"settings": settings} if settings else {})}


def _at_once(generator: StyleGAN2, precision: str) -> int:
    """Return how many pictures have a largest layer of `AT_ONCE` bytes together, at least one."""
    sizes = zip(generator.config.channels, generator.config.resolutions, strict=True)
    largest = max(channels * resolution**2 for channels, resolution in sizes)
    return max(1, AT_ONCE // (largest * DTYPES[precision].itemsize))


def choose_synthesizer(
    generator: EditableGenerator,
    *,
    backend: str = "auto",
    precision: str = "auto",
    device: str = "cpu",
    cache: Path | None = None,
) -> Synthesizer:
    """Return the synthesizer for `backend` and `precision`; "auto" leaves the choice to what the machine has.

    On the CPU "auto" takes the native operators where they have the processor's arithmetic (for bf16 AMX or AVX-512
    BF16, for fp32 AVX2 too), else OpenVINO, else ONNX Runtime (where there is no bf16 arithmetic, which it does not
    use), else the native operators, else torch, by the measurements in `bench/results`: with AMX or AVX-512 the native
    operators draw 1.3 to 2 times as fast as OpenVINO, in either precision, with AVX2 1.4 times. The networks that read
    the pictures then run on OpenVINO, where it is installed. On a GPU "auto" takes torch, as nothing was measured there
    yet; "native" are the CUDA operators there. The choice depends on what is installed and on the processor alone, so
    that an interrupted run goes on with what it began with.

    Of generators other than StyleGAN2, a graph that comes as ONNX runs on a runtime, a torch module as itself, both in
    fp32 unless asked otherwise.

    Args:
        generator: what draws.
        backend: "auto", or one of `backends_of`.
        precision: "auto", "fp32" or "bf16".
        device: "cpu" or "cuda[:n]".
        cache: the folder where compiled models are kept.

    Raises:
        BackendError: a backend asked for by name cannot run here; nothing falls back.
        CacheError: the cache cannot be used, whatever the backend.
        ConfigError: an unknown backend or precision.
    """
    check_backend(backend, precision, device)
    possible = backends_of(generator)
    on_cpu = torch.device(device).type == "cpu"
    native, why_not = ops.compiled_on(device)
    why_precision = ""
    if precision == "auto" and "native" not in possible:
        precision, why_precision = "fp32", "; fp32, as nothing was measured for generators of this kind"
    elif precision == "auto":
        fast = backend != "onnxruntime" and (not on_cpu or bf16_in_hardware())
        precision = "bf16" if fast else "fp32"
        why_precision = "; bf16 arithmetic in hardware" if fast else "; no bf16 arithmetic here"

    def made(name: str, reason: str) -> Synthesizer:
        if name not in possible:
            raise BackendError(f"backend '{name}' cannot run this generator: {' and '.join(possible)} can")
        if name == "torch" and "native" not in possible and precision != "fp32":
            raise BackendError(f"this generator runs in fp32 only, not in {precision}")
        if name == "native" and not native:
            raise BackendError(f"backend 'native' cannot run: {why_not}")
        # On a GPU the compiled operators were not measured yet: they run where they are asked for.
        compiled = "native" in possible and native and ((on_cpu and backend != "torch") or name == "native")
        gradients = "native" if compiled else "torch" if generator.differentiable else "none"
        session = _session(generator, name, precision, device, cache) if name in RUNTIMES else None
        networks = "openvino" if name == "openvino" else network_runtime(backend, device)
        recorded = None if session is None or isinstance(generator, DrawnByGraph) else generator.content_hash
        return Synthesizer(
            generator, name, precision, reason + why_precision, gradients, session, networks, recorded=recorded
        )

    if backend != "auto":
        return made(backend, "asked for by name")
    if not on_cpu and "torch" in possible:
        cuda = "--backend native runs the CUDA operators" if native else f"the CUDA operators cannot run ({why_not})"
        return made(
            "torch", f"nothing was measured on a GPU yet: torch's own operators, and others by name only; {cuda}"
        )
    order = ("openvino", "onnxruntime", "native", "torch") if on_cpu else ("onnxruntime",)
    faster_on = {"bf16": ("amx", "avx512bf16"), "fp32": ("amx", "avx512bf16", "avx512", "avx2")}
    if on_cpu and native and ops.isa() in faster_on[precision]:
        order = ("native", *order)
    return _first(tuple(name for name in order if name in possible), made)


def network_runtime(backend: str, device: str) -> str:
    """Return what runs the forward passes of networks that read pictures: "openvino", or "torch".

    On the CPU it is OpenVINO where that is installed, unless another backend was asked for by name.
    """
    on_cpu = torch.device(device).type == "cpu"
    return "openvino" if backend == "openvino" or (backend == "auto" and on_cpu and _installed("openvino")) else "torch"


def check_backend(backend: str, precision: str, device: str) -> None:
    """Refuse what no machine, or not this one, can run, before a model is loaded.

    Raises:
        BackendError: the backend cannot run here.
        ConfigError: an unknown backend or precision.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    if precision not in ("auto", *DTYPES):
        raise ConfigError(f"unknown precision '{precision}'; choose one of auto, {', '.join(DTYPES)}")
    if backend == "native":
        native, why_not = ops.compiled_on(device)
        if not native:
            raise BackendError(f"backend 'native' cannot run: {why_not}")
    if backend in RUNTIMES:
        if precision != "auto":
            _check_precision(backend, precision)
        if RUNTIMES[backend].cpu_only and torch.device(device).type != "cpu":
            raise BackendError(f"backend '{backend}' cannot run on {device}: it is used on the CPU only")
        import_runtime(backend)


def _check_precision(backend: str, precision: str) -> None:
    if precision not in RUNTIMES[backend].precisions:
        raise BackendError(f"backend '{backend}' cannot run in {precision}: it has no kernels for it")


def _installed(backend: str) -> bool:
    try:
        import_runtime(backend)
    except BackendError:
        return False
    return True


def _first(order: tuple[str, ...], made: Callable[[str, str], Synthesizer]) -> Synthesizer:
    """Return the first of `order` that runs here; the reason names those that do not."""
    missing: list[str] = []
    for name in order[:-1]:
        try:
            return made(name, "; ".join(["the fastest that runs here", *missing]))
        except BackendError as error:
            missing.append(str(error))
    return made(order[-1], "; ".join(["the fastest that runs here", *missing]))


def backends_of(generator: EditableGenerator) -> tuple[str, ...]:
    """Return the backends that can run `generator` at all, on some machine."""
    forms = runs_on(generator)
    return (*(form for form in forms if form != "onnx"), *(RUNTIMES if "onnx" in forms else ()))


def drawn_by(
    session: Session,
    generator: EditableGenerator,
    codes: Tensor,
    edit_weights: Tensor | None,
    directions: Tensor | None,
) -> Tensor:
    """Return what `session` draws of the graph of `generator`."""
    # The edits are added before: a session computes picture by picture, and one product of the batch is cheaper.
    codes = edited(codes, edit_weights, directions)
    if isinstance(generator, DrawnByGraph):
        return generator.finished(session.run({CODES: codes})[IMAGES])
    return shown(session.run({"styles": codes})[IMAGES])


def _session(generator: EditableGenerator, backend: str, precision: str, device: str, cache: Path | None) -> Session:
    _check_precision(backend, precision)
    if isinstance(generator, DrawnByGraph):
        model = generator.graph
    else:
        recorded = cast(StyleGAN2, generator)  # what runs on a runtime without a graph of its own
        stored = "fp32" if RUNTIMES[backend].lowers else precision
        model = synthesis_model(recorded, edits=False, precision=stored).SerializeToString(deterministic=True)
    return open_session(model, backend=backend, precision=precision, device=device, cache=cache)
