"""An ONNX file with a flat code as a generator: it runs as it came."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError, CheckpointError, ConfigError, one_line
from zoom_engine.common.files.onnx_file import cpu_session, name_ends, open_inputs, parse_onnx, read_onnx_file
from zoom_engine.common.plurals import number_of
from zoom_engine.common.threads import PerProcess
from zoom_engine.generators.codes import MOST_ENTRIES, Codes, DrawnFromCodes
from zoom_engine.generators.decoder import checked_range, checked_side, scaled
from zoom_engine.generators.generator import shown
from zoom_engine.generators.style_space import StyleSpace
from zoom_engine.ops.modulation import edited

METADATA = "zoom_engine."
MOST_NUMBERS = 2**20
"""The most numbers of a code: the styles of a StyleGAN are 10,000 or so."""
CODES = "codes"
IMAGES = "images"
"""The input and the output of `OnnxDecoder.graph`."""


class OnnxDecoder(DrawnFromCodes):
    """An ONNX file from codes `[B, S]` to images `[B, 3, R, R]`, run as it came, forward only.

    Files of our own (`zoom-engine`'s export of a StyleGAN2's synthesis) are read too: their inputs for edits are tied
    to zero, and their codes are style vectors, which no normal distribution gives: `codes` must be given.
    """

    def __init__(
        self, path: Path, *, codes: Tensor | None = None, output_range: tuple[float, float] | None = None
    ) -> None:
        """Read the file and draw two pictures.

        Args:
            path: the file.
            codes: float `[K, S]`, what to sample from in place of a standard normal distribution.
            output_range: the values of the graph's output for black and white; by default -1 and 1.

        Raises:
            CheckpointError: the file is damaged, or its inputs and outputs are not those of a decoder.
            ConfigError: codes are missing, or do not fit.
            BackendError: onnxruntime is missing.
        """
        self._path, self._range = path, checked_range(output_range)
        model, _ = read_onnx_file(path, refusal=CheckpointError)
        size = _named_ends(model, path)
        if _is_ours(model) and codes is None:
            raise ConfigError(f"{path} reads style vectors: give a file of them as codes (--codes)")
        self.codes = Codes(size, codes)
        self.graph = model.SerializeToString(deterministic=True)
        self.space = StyleSpace([("code", 0, size, False)])
        digest = hashlib.sha256(self.graph)
        digest.update(repr((self.codes.identity, list(self._range))).encode())
        self.content_hash = digest.hexdigest()
        self._session: PerProcess[Any] | None = None
        self.resolution = checked_side(self._drawn(self.sample([0, 1])), sure=output_range is not None)

    device = torch.device("cpu")
    differentiable = False
    runs_on = ("onnx",)

    def to(self, device: torch.device | str) -> Self:
        """Return itself: an ONNX file has no device of its own, its runtime chooses where it runs."""
        return self

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw by ONNX Runtime, picture by picture, see `EditableGenerator.render`.

        An audit uses what is fastest here.
        """
        return shown(self._drawn(edited(codes, edit_weights, directions)))

    def _drawn(self, codes: Tensor) -> Tensor:
        if self._session is None:
            self._session = _onnxruntime_session(self._path, self.graph)
        session = self._session()
        rows = codes.detach().float().cpu().numpy()
        try:
            images = [session.run([IMAGES], {CODES: rows[row : row + 1]})[0] for row in range(len(rows))]
        except Exception as error:  # ONNX Runtime raises classes of its own
            raise BackendError(f"{self._path}: onnxruntime cannot run the decoder ({one_line(error)})") from error
        drawn = [image for image in images if isinstance(image, np.ndarray) and image.dtype.kind == "f" and image.ndim]
        if len(drawn) < len(images) or len({image.shape for image in drawn}) > 1:
            raise CheckpointError(f"{self._path} is no decoder: its first output is no picture [B, 3, R, R] of floats")
        return scaled(torch.from_numpy(np.concatenate(drawn)), self._range)

    def finished(self, images: Tensor) -> Tensor:
        """Return the graph's output as images in [-1, 1]."""
        return shown(scaled(images, self._range))


def decoder_model(path: Path) -> onnx.ModelProto | None:
    """Return the model, unchecked, of an ONNX file that may be a decoder; None for another file.

    Its first input has two axes, as codes have, and its first output may be pictures.
    """
    try:
        model, _ = parse_onnx(path, refusal=CheckpointError)
    except CheckpointError:
        return None
    given = open_inputs(model.graph)
    codes = bool(given) and len(given[0].type.tensor_type.shape.dim) == 2
    return model if codes and _other_axes(model) is None else None


def describe_decoder(model: onnx.ModelProto, path: Path) -> list[tuple[str, str]]:
    """Describe what a `decoder_model` holds, as labels and texts.

    Raises:
        CheckpointError: it cannot be loaded, as far as that can be told without running it.
    """
    of_styles = _is_ours(model)
    model, _ = read_onnx_file(path, refusal=CheckpointError)
    size = _named_ends(model, path)
    with contextlib.suppress(BackendError):  # without a runtime it is read all the same
        _onnxruntime_session(path, model.SerializeToString())
    codes = (
        "style vectors: give a file of them (--codes)" if of_styles else "a normal distribution, or a file (--codes)"
    )
    return [("format", "ONNX, from codes to pictures"), ("code", f"{size} numbers"), ("sampled from", codes)]


def _is_ours(model: onnx.ModelProto) -> bool:
    return any(entry.key.startswith(METADATA) for entry in model.metadata_props)


def _onnxruntime_session(path: Path, graph: bytes) -> PerProcess[Any]:
    try:
        return cpu_session(graph, torch.get_num_threads())
    except ImportError as error:
        raise BackendError(
            f"onnxruntime is needed to draw: {one_line(error)}; pip install 'zoom-engine[cpu]'"
        ) from error
    except Exception as error:
        raise CheckpointError(f"{path}: onnxruntime refuses the decoder ({one_line(error)})") from error


def _named_ends(model: onnx.ModelProto, path: Path) -> int:
    """Name input and output of the graph and return S.

    The input becomes `CODES`, the output `IMAGES`, and inputs for edits (of our own exports) are tied to 0.
    """
    inputs = {value.name: value for value in open_inputs(model.graph)}
    edits = [name for name in ("edit_weights", "edit_directions") if name in inputs and "styles" in inputs]
    left = [name for name in inputs if name not in edits]
    if len(left) != 1 or len(model.graph.output) < 1:
        named = one_line(", ".join(left), 200) if left else "none"
        raise CheckpointError(f"{path} is no decoder: it has the inputs {named}, one is needed")
    value = inputs[left[0]]
    tensor = value.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(shape) != 2 or not shape[1] or shape[1] < 1:
        raise CheckpointError(f"{path} is no decoder: its input must be float32 [batch, S] with S fixed, not {shape}")
    size = int(shape[1])
    if (axes := _other_axes(model)) is not None:
        raise CheckpointError(
            f"{path} is no decoder: its output {axes}, pictures have 4 (batch, 3, height, width); a model of tables,"
            " such as scikit-learn's, draws none"
        )
    if size > MOST_NUMBERS:
        raise CheckpointError(f"{path}: refused, since its codes have {size} numbers; {MOST_NUMBERS} are the limit")
    for name in edits:
        columns = size if name == "edit_directions" else _width(inputs[name], path)
        zeros = np.zeros((1, columns), np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, name))
        model.graph.input.remove(inputs[name])
    del model.graph.output[1:]
    name_ends(model, CODES, IMAGES)
    return size


def _other_axes(model: onnx.ModelProto) -> str | None:
    """Return what the first output is, where the file says that it cannot be pictures."""
    kind = model.graph.output[0].type if model.graph.output else onnx.TypeProto()
    if kind.WhichOneof("value") not in (None, "tensor_type"):
        return "is no tensor"
    if not kind.tensor_type.HasField("shape") or len(kind.tensor_type.shape.dim) == 4:
        return None
    return f"has {number_of(len(kind.tensor_type.shape.dim), 'axis', 'axes')}"


def _width(value: onnx.ValueInfoProto, path: Path) -> int:
    """Return how many edits there are; 1 where that is open."""
    dims = value.type.tensor_type.shape.dim
    if len(dims) != 2 or not 0 <= dims[1].dim_value <= MOST_ENTRIES:
        wanted = f"[batch, N] with N of at most {MOST_ENTRIES}"
        raise CheckpointError(f"{path} is no decoder: its input {value.name} is not {wanted}")
    return int(dims[1].dim_value) or 1
