"""Networks that read a picture (a target's, a text encoder's image tower) on the runtime that also draws it.

Forward-only work runs on OpenVINO where the synthesis does, always in float32: precision is the target's own business.
OpenVINO takes ONNX as it came and whatever torch can trace, and is compared with the network's answers before it is
used; what it cannot take, or answers differently, stays with torch, and the manifest says so. What was compiled is kept
in a cache, for tracing, converting and compiling a ViT-B/32 takes six times as long as reading it. It was compared
before it was kept: when it is read, one picture shows that it is the network's. Gradients are torch's; where they steer
a search they are computed in bfloat16, if that does not turn them (`zoom_engine.runtime.lowered_networks`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import BackendError, CacheError, one_line
from zoom_engine.common.files.onnx_file import name_ends
from zoom_engine.common.threads import Turns, quiet
from zoom_engine.runtime.lowered_networks import lowered_network
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.select import Synthesizer
from zoom_engine.runtime.session import Session
from zoom_engine.targets import Target
from zoom_engine.targets.entry import one_tensor
from zoom_engine.targets.onnx.load import OnnxNetwork
from zoom_engine.targets.scorer import PictureScorer
from zoom_engine.targets.target import probe_images
from zoom_engine.text import AttributeEncoder, TextEncoder

TOLERANCE = 1e-4  # share of the largest output: float32 in another order of additions
LEAST_COSINE = 0.995  # between an image's outputs in bfloat16 and those in float32
COMPARED = 4  # pictures that show whether a conversion is right; how a lower precision rounds, more of them show
COMPARED_AGAIN = 1  # of these, where it was right before and lay in a cache since
TOGETHER = 4  # pictures that a text encoder reads at a time, where it reads many: its weights are most of its work

TRACER_WARNING: type[Warning] = torch.jit.TracerWarning  # type: ignore[attr-defined]
LIBRARIES = r"(torch|torchvision|open_clip|timm|transformers)\b"


class _Compiled(NamedTuple):
    """What was compiled of a network for inputs of one shape, and how far its answers were off."""

    key: tuple[object, ...]
    conversion: _Conversion
    session: OpenVinoSession
    off: Tensor


_SESSIONS: WeakKeyDictionary[nn.Module, dict[str, _Compiled]] = WeakKeyDictionary()
"""By module and precision."""
_compiling = Turns()
"""The turns of threads that compile: tracing changes settings of the process, and a network that two threads want at
the same time is compiled once."""


class CompiledNetwork(nn.Module):
    """A network for inputs of one shape `[B, …]` whose forward pass runs in `session` where no gradient is wanted.

    With gradients `followed` runs where it is given, else `network`. `off` is by how much the session's outputs for an
    example differed from those that they were compared with.
    """

    def __init__(
        self,
        network: nn.Module,
        session: Session | None,
        followed: nn.Module | None = None,
        *,
        off: Tensor | None = None,
    ) -> None:
        """Keep the network, its session and the module that computes gradients."""
        super().__init__()
        self.network, self.session, self.followed, self.off = network, session, followed, off

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for inputs `[B, …]`."""
        follow = torch.is_grad_enabled() and x.requires_grad
        if self.session is not None and not follow:
            return self.session.run({"x": x})["outputs"]
        outputs: Tensor = (self.followed if follow and self.followed is not None else self.network)(x)
        return outputs


def compiled_network(
    network: nn.Module,
    example: Tensor,
    networks: str,
    *,
    made_of: tuple[nn.Module, str] | None = None,
    followed: nn.Module | None = None,
    precision: str = "fp32",
    together: int = 1,
    answers: nn.Module | None = None,
    cache: Path | None = None,
) -> tuple[nn.Module, str]:
    """Compile a network for inputs like `example`.

    Args:
        network: what is compiled.
        example: inputs `[B, …]`.
        networks: what runs the networks that read pictures, see `Synthesizer`.
        made_of: the module that `network` and `followed` wrap and the hash of its content: each is compiled once in a
            process.
        followed: what computes its gradients, for a search that follows them; bfloat16 is tried for it.
        precision: that of the forward pass.
        together: how many inputs the forward pass takes at a time, where that changes no bit.
        answers: what the outputs are compared with, which gives those of `network` sooner; `network` itself by default.
        cache: the folder in which what was `made_of` a module is kept; None keeps nothing.

    Returns:
        A `CompiledNetwork`, or `network` itself; and what runs it, and why.

    Raises:
        CacheError: the cache cannot be read or written.
    """
    with _compiling.taken():
        compiled, runs = _on_runtime(network, example, networks, made_of, precision, together, answers, cache)
        if followed is None:
            return compiled, runs
        lowered, precision = lowered_network(followed, example, made_of=made_of)
    runs = f"{runs}; gradients by torch in {precision}"
    if lowered is followed:
        return compiled, runs
    session, off = (compiled.session, compiled.off) if isinstance(compiled, CompiledNetwork) else (None, None)
    return CompiledNetwork(network, session, lowered, off=off), runs


class _Conversion:
    """What makes the model of a network that OpenVINO compiles, when it is first needed."""

    def __init__(self, example: Tensor) -> None:
        self._example = example[:1]
        self._model: Any = None
        self._networks: WeakSet[nn.Module] = WeakSet()

    def take(self, network: nn.Module) -> None:
        """Make it of one of equal networks, which is not kept alive: it holds what the session is kept as long as."""
        self._networks.add(network)

    def rest(self) -> None:
        """Let go of the model until it is needed again."""
        self._model = None

    def __call__(self) -> Any:
        """Return it: the ONNX file that the network is, else what OpenVINO's front end makes of its trace."""
        if self._model is None:
            network = next(iter(self._networks), None)
            if network is None:
                raise BackendError("backend 'openvino' compiles no network that is gone")
            as_it_came = _as_it_came(network, self._example)
            if as_it_came is not None:
                return as_it_came()
            self._model = _converted(network, self._example)
        return self._model


@torch.no_grad()
def _on_runtime(
    network: nn.Module,
    example: Tensor,
    networks: str,
    made_of: tuple[nn.Module, str] | None,
    precision: str,
    together: int,
    answers: nn.Module | None,
    cache: Path | None,
) -> tuple[nn.Module, str]:
    """Compile as `compiled_network` does, without gradients."""
    if networks != "openvino":
        return network, "torch"
    if any(isinstance(part, CompiledNetwork) for part in network.modules()):
        return network, "openvino fp32"  # compiled before
    runs, key = f"openvino {precision}", (example.shape[1:], made_of and made_of[1], torch.get_num_threads())
    sessions = {} if made_of is None else _SESSIONS.setdefault(made_of[0], {})
    alike = {in_precision: compiled for in_precision, compiled in sessions.items() if compiled.key == key}
    if (compiled := alike.get(precision)) is not None:
        compiled.conversion.take(network)
        return CompiledNetwork(network, compiled.session, off=compiled.off), runs
    conversion = next((compiled.conversion for compiled in alike.values()), None) or _Conversion(example)
    conversion.take(network)
    identity = (
        made_of and f"{type(network).__qualname__} {made_of[1]} {list(example.shape[1:])} torch {torch.__version__}"
    )
    compared = example[:COMPARED] if precision == "fp32" else example
    try:
        session = OpenVinoSession(conversion, precision=precision, cache=cache, identity=identity)
        off, wrong = _compared(session, answers or network, compared, precision)
        if wrong and session.from_disk:  # it was another network's, or is damaged
            session.drop_from_disk()
            session = OpenVinoSession(conversion, precision=precision, cache=cache, identity=identity)
            off, wrong = _compared(session, answers or network, compared, precision)
    except CacheError:
        raise
    except Exception as error:  # converters and tracers raise anything
        return network, f"torch: OpenVINO does not take it ({one_line(error)})"
    if wrong:
        return network, f"torch: {wrong}"
    if together > 1:
        session.take_together(together, {"x": compared[:together]})
    if precision != "fp32":
        conversion.rest()  # nothing is compiled after it, or seldom
    sessions[precision] = _Compiled(key, conversion, session, off)
    return CompiledNetwork(network, session, off=off), runs


def _compared(
    session: OpenVinoSession, answers: nn.Module, compared: Tensor, precision: str
) -> tuple[Tensor, str | None]:
    """Return by how much a session's outputs differ from those expected, and what to say where that is too much.

    Of what lay in a cache it is tried on few of the pictures `compared`; in a lower precision, where all count, the
    others must have been noted beside it, and these few differ to the bit as they did then.
    """
    if session.from_disk:
        few = compared[:COMPARED_AGAIN]
        outputs, expected = session.run({"x": few})["outputs"], answers(few)
        off, wrong = outputs - expected, _difference(outputs, expected, precision)
        if wrong or precision == "fp32":
            return off, wrong
        known = session.noted(compared, off)
        if known is not None and torch.equal(known[: len(few)], off):
            return known, None
    outputs, expected = session.run({"x": compared})["outputs"], answers(compared)
    off, wrong = outputs - expected, _difference(outputs, expected, precision)
    if not wrong and precision != "fp32":
        session.note(compared, off)
    return off, wrong


def _difference(outputs: Tensor, expected: Tensor, precision: str) -> str | None:
    """Say how a session's outputs differ from those expected, where it is by too much."""
    if precision == "fp32":
        off = float((outputs - expected).abs().max())
        return (
            None if off <= TOLERANCE * (1 + float(expected.abs().max())) else f"OpenVINO's outputs are off by {off:.3g}"
        )
    cosine = float(F.cosine_similarity(outputs.flatten(1), expected.flatten(1)).min())
    return None if cosine >= LEAST_COSINE else f"in {precision} OpenVINO's outputs turn (cosine {cosine:.3f})"


def compiled_target(
    target: Target, synthesizer: Synthesizer, *, lower: bool = False, cache: Path | None = None
) -> tuple[Target, str]:
    """Return `target` with its forward passes on the runtime of `synthesizer` where possible, and what runs them.

    With `lower` its gradients are computed in bfloat16, if that does not turn them. `cache` is the folder for what is
    compiled.
    """
    side = synthesizer.generator.resolution
    return compiled_reader(target, synthesizer.networks, (side, side), lower=lower, cache=cache)


def compiled_reader(
    target: Target, networks: str, size: tuple[int, int], *, lower: bool = False, cache: Path | None = None
) -> tuple[Target, str]:
    """Do what `compiled_target` does for pictures of a size (height, width), whoever makes them.

    `networks` is what runs the forward passes where possible, see `network_runtime`.
    """
    if not target.differentiable and _onnx_of(target.network) is None:
        return target, "as loaded: it is no network of torch's"
    example = target.preprocessing(probe_images(*size))
    made_of = target.network, target.content_hash
    followed = None
    if lower and target.differentiable:
        graph = target.network.graph if isinstance(target.network, OnnxNetwork) else None
        followed = _OneTensor(graph or target.network, target.name)
    network, runs = compiled_network(
        _OneTensor(target.network, target.name), example, networks, made_of=made_of, followed=followed, cache=cache
    )
    if not isinstance(network, CompiledNetwork):
        return target, runs
    if (part := _onnx_of(target.network)) is not None:
        part.rest()
    return target.replaced(network=network), runs


def compiled_text_encoder(
    encoder: TextEncoder,
    synthesizer: Synthesizer,
    *,
    lower: bool = False,
    precision: str = "fp32",
    cache: Path | None = None,
) -> tuple[TextEncoder, str]:
    """Do what `compiled_target` does for the image tower of `encoder`.

    Its forward passes may be in another `precision`. Scorers of attributes stay in float32.
    """
    if isinstance(encoder, AttributeEncoder):
        return _compiled_parts(encoder, synthesizer, lower=lower, precision=precision, cache=cache)
    example = encoder.preprocessing(probe_images(encoder.image_size, encoder.image_size))
    made_of = encoder.model, encoder.content_hash
    plain = encoder.image_tower
    if isinstance(plain, CompiledNetwork):  # compiled before, maybe in another precision
        plain = plain.network
    followed = plain if lower else None
    tower, runs = compiled_network(
        plain,
        example,
        synthesizer.networks,
        made_of=made_of,
        followed=followed,
        precision=precision,
        together=TOGETHER if precision == synthesizer.precision else 1,  # the one that measures
        answers=None if precision == "fp32" else encoder.image_tower,
        cache=cache,
    )
    if not isinstance(tower, CompiledNetwork):
        return encoder, runs
    rounding = None if precision == "fp32" else tower.off
    return encoder.replaced(image_tower=tower, precision=precision, rounding=rounding), runs


def _compiled_parts(
    encoder: AttributeEncoder, synthesizer: Synthesizer, *, lower: bool, precision: str, cache: Path | None
) -> tuple[TextEncoder, str]:
    """Compile the text encoder and the scorers that an encoder is made of."""
    reader, runs, scorers = encoder.reader, [], []
    if reader is not None:
        reader, how = compiled_text_encoder(reader, synthesizer, lower=lower, precision=precision, cache=cache)
        runs.append(how)
    for names, scorer in zip(encoder.names_of_scorers, encoder.scorers, strict=True):
        assert isinstance(scorer, PictureScorer)
        target, how = compiled_target(scorer.target, synthesizer, lower=lower, cache=cache)
        scorers.append(scorer.replaced(target))
        runs.append(f"scorer of '{names[0]}': {how}")
    return encoder.with_parts(reader, scorers), "; ".join(runs) or "torch: fixed features of pictures"


class _OneTensor(nn.Module):
    """The network alone, with the one output that a target reads."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, x: Tensor) -> Tensor:
        return one_tensor(self.network(x), self.name)


def _onnx_of(network: nn.Module) -> OnnxNetwork | None:
    """Return the one ONNX graph of float32 that computes in the network; None where there is none or more than one."""
    parts = [part for part in network.modules() if isinstance(part, OnnxNetwork)]
    return parts[0] if len(parts) == 1 and parts[0].of_float32 else None


def _as_it_came(network: nn.Module, example: Tensor) -> Callable[[], bytes] | None:
    """Return what gives the ONNX file of float32 that the network is, with the ends "x" and "outputs".

    None where it is none.
    """
    part, shape = _onnx_of(network), example.shape[1:]
    if part is None:
        return None
    came = part.model  # without the module, which would never be freed

    def content() -> bytes:
        model = onnx.ModelProto()
        model.CopyFrom(came)
        name_ends(model, "x", "outputs", shape=shape)
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    return content


def _converted(network: nn.Module, example: Tensor) -> object:
    """Return an OpenVINO model of one picture, with the input "x" and the output "outputs".

    It is made by the front end itself: `openvino.convert_model` reports to its makers what is converted, unless the
    user has forbidden it, and takes several times as long.
    """
    import openvino
    import openvino.passes
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with quiet("transformers"):  # tracing is deprecated
        # A branch on the values of an input cannot be traced: it would be frozen at the example's. The libraries' own
        # branches are on shapes, which stay.
        warnings.simplefilter("error", TRACER_WARNING)
        warnings.filterwarnings("ignore", category=TRACER_WARNING, module=LIBRARIES)
        traced = torch.jit.trace(network, example[:1], check_trace=False)  # type: ignore[no-untyped-call]
        front_end: Any = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced, example_input=example[:1])  # it must live until all is converted
        loaded = front_end.load(decoder)
        place = loaded.get_place_by_input_index(0)
        loaded.set_partial_shape(place, openvino.PartialShape(list(example[:1].shape)))
        loaded.set_element_type(place, openvino.Type.f32)
        model: Any = front_end.convert(loaded)
    # Weights that are cut up and put together otherwise would be so, and held once more, each time that it is compiled.
    folding: Any = openvino.passes.Manager()
    folding.register_pass(openvino.passes.ConstantFolding())
    folding.run_passes(model)
    (port,), (result,) = model.inputs, model.outputs
    port.get_tensor().set_names({"x"})
    result.get_tensor().set_names({"outputs"})
    return model
