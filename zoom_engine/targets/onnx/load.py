"""The reading of an ONNX model: it runs as it came, and is converted to torch, where it can be, for gradients."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files.foreign_models import TFJS
from zoom_engine.common.files.onnx_file import (
    AT_HAND,
    check_onnx_model,
    count_weights,
    cpu_session,
    open_inputs,
    opset_of,
    read_onnx_file,
    value_sizes,
)
from zoom_engine.common.json_object import JsonObject
from zoom_engine.common.threads import PerProcess
from zoom_engine.settings.model_settings import Layout
from zoom_engine.targets.entry import OneByOne
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.onnx.graph import OnnxGraph
from zoom_engine.targets.onnx.ops import UnsupportedError
from zoom_engine.targets.onnx.tfjs import read_tfjs
from zoom_engine.targets.preprocessing import InputOptions, Preprocessing, check_bytes, scale_is_assumed
from zoom_engine.targets.target import probe_images
from zoom_engine.targets.tasks import Task, task_from_dict
from zoom_engine.targets.tasks.guess import Final

METADATA_KEY = "zoom_engine"
OLDEST_OPSET = 7
PARITY = 1e-3
MOST_VALUES = 2**27
"""The most values of a converted graph for one image, since gradients keep all; but a file may have `VALUES_PER_WEIGHT`
times as many as it has weights."""
VALUES_PER_WEIGHT = 64
KINDS: dict[int, type[np.generic]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.UINT8: np.uint8,
}
QUIET = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast")

Runtime = Callable[[NDArray[Any]], NDArray[Any]]


class ImageInput(NamedTuple):
    """The input of a model that takes images: the type of its numbers, and what the file fixes of the rest.

    Attributes:
        name: of the graph's input.
        kind: the type of its numbers.
        batch: 1 or None.
        size: (height, width) or None.
        layout: the order of its axes.
    """

    name: str
    kind: type[np.generic]
    batch: int | None
    size: tuple[int, int] | None
    layout: Layout


class OnnxNetwork(nn.Module):
    """A graph that runs as it came, in ONNX Runtime on the CPU.

    Where a gradient is wanted, or on another device, its conversion to torch runs.
    """

    def __init__(
        self,
        runtime: Runtime | None,
        kind: type[np.generic],
        graph: nn.Module | None,
        model: onnx.ModelProto,
        rest: Callable[[], None],
    ) -> None:
        """Keep both forms of the graph.

        Args:
            runtime: what runs it as it came.
            kind: the type of the input's numbers.
            graph: its conversion to torch; None where there is none, and so no gradients.
            model: the file as it came, with the chosen output alone, for runtimes that read ONNX themselves.
            rest: gives back the memory of `runtime` until it runs again, for when another one has taken its place.
        """
        super().__init__()
        self.graph, self.model, self.rest = graph, model, rest
        self.of_float32 = kind is np.float32
        self._runtime, self._kind = runtime, kind

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for the network's input, float32."""
        follow = torch.is_grad_enabled() and x.requires_grad
        if self.graph is not None and (follow or self._runtime is None or x.device.type != "cpu"):
            outputs: Tensor = self.graph(x)
            return outputs
        assert self._runtime is not None
        return answered(self._runtime, x, self._kind)


def answered(runtime: Runtime, x: Tensor, kind: type[np.generic]) -> Tensor:
    """Return what `runtime` makes of the network's input `x`, given to it as numbers of `kind`, float32 like `x`."""
    array = x.detach().cpu().numpy()
    array = (array.round().clip(0, 255) if issubclass(kind, np.integer) else array).astype(kind)
    return torch.from_numpy(np.asarray(runtime(array))).float().to(x.device)


def load_onnx(path: Path, how: Reading) -> LoadedModel:
    """Read the file, refuse what cannot be audited, convert what can be.

    Args:
        path: of the `.onnx` file; external data must lie beside or below it.
        how: `output` may be a name or an index; `resolution` counts where neither the file nor `options` say a size.

    Raises:
        TargetError: one line.
    """
    return _loaded(path, open_onnx(path, how.options), how, path.stem)


def load_onnx_model(given: onnx.ModelProto, how: Reading) -> LoadedModel:
    """Load a model at hand as `load_onnx` does a file."""
    opened = _opened(AT_HAND, *check_onnx_model(AT_HAND, given, refusal=TargetError), how.options)
    return _loaded(AT_HAND, opened, how, given.graph.name or "model")


def load_tfjs(path: Path, how: Reading) -> LoadedModel:
    """Read a TensorFlow.js graph, of its model.json or the folder of one, as ONNX, and load that as `load_onnx` does.

    Raises:
        TargetError: one line.
    """
    name = path.parent.name if path.name == TFJS else path.stem
    return _loaded(path, open_tfjs(path, read_tfjs(path), how.options), how, name)


def open_tfjs(path: Path, model: onnx.ModelProto, options: InputOptions = None) -> OpenedOnnx:
    """Open what `read_tfjs` made of the file as `open_onnx` does a file."""
    return _opened(path, *check_onnx_model(path, model, refusal=TargetError), options)


def _loaded(path: Path, opened: OpenedOnnx, how: Reading, name: str) -> LoadedModel:
    """Load what was opened, of `path` in messages."""
    model, image, output_name = opened.model, opened.image, chosen_output(path, opened.model, how.output)
    hw = Preprocessing().updated(how.options).hw
    runtime, runtime_name = opened.runtime(output_name)
    graph: nn.Module | None = None
    note = ""
    try:
        if issubclass(image.kind, np.integer):
            raise UnsupportedError(f"its input of whole numbers ({np.dtype(image.kind)})")
        numbers, most = sum(value_sizes(path, model, TargetError).values()), VALUES_PER_WEIGHT * count_weights(model)
        if numbers > max(MOST_VALUES, most):
            raise UnsupportedError(f"so many values: its gradients would keep {numbers} numbers of each image")
        graph = _converted(model, image, output_name)
        _compare(graph, runtime, runtime_name, image, image.size or hw or (how.resolution, how.resolution))
    except UnsupportedError as reason:
        if runtime_name != "ONNX Runtime":
            raise TargetError(
                f"{path}: cannot be converted to torch ({reason}): install"
                " onnxruntime (the extra 'cpu') to use it without gradients"
            ) from reason
        graph = None
        note = f"runs in ONNX Runtime without gradients, since the conversion to torch does not cover {reason}"
    fast = runtime if runtime_name == "ONNX Runtime" else None
    network: nn.Module = OnnxNetwork(fast, image.kind, graph, one_output(model, output_name), opened.rest)
    return LoadedModel(
        network=OneByOne(network) if image.batch == 1 else network,
        name=opened.noted.name or name,
        preprocessing=opened.preprocessing,
        assumed=scale_is_assumed(how.options, told=tells_scale(opened.noted, image)),
        task=opened.noted.task,
        labels=opened.noted.labels,
        final=_final(model, output_name),
        output_chosen=True,
        differentiable=not note,
        note=note,
        content_hash=opened.digest,
    )


@dataclasses.dataclass(frozen=True)
class OpenedOnnx:
    """An ONNX file that can be a target as far as can be told without running it.

    `runtime` makes of one of its outputs a function that runs it, with that runtime's name; `rest` gives back the
    runtime's memory until it runs again.
    """

    model: onnx.ModelProto
    digest: str
    image: ImageInput
    noted: Noted
    preprocessing: Preprocessing
    runtime: Callable[[str], tuple[Runtime, str]]
    rest: Callable[[], None]


def open_onnx(path: Path, options: InputOptions = None) -> OpenedOnnx:
    """Open the file and check all that is known without running it: loading and describing a target both begin so.

    Raises:
        TargetError: one line.
    """
    return _opened(path, *read_onnx_file(path, refusal=TargetError), options)


def _opened(path: Path, model: onnx.ModelProto, digest: str, options: InputOptions) -> OpenedOnnx:
    """Check all that is known of a model without running it."""
    opset = opset_of(model)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise TargetError(f"{path}: opset {opset} is not supported ({OLDEST_OPSET} to {newest}): export it again")
    image = image_input(path, model)
    noted = read_metadata(path, model)
    preprocessing = read_preprocessing(path, noted, image, options)
    return OpenedOnnx(model, digest, image, noted, preprocessing, *_runtimes(path, model, image.name))


def tells_scale(noted: Noted, image: ImageInput) -> bool:
    """Return whether the file says which numbers stand for black and white.

    It does so in our metadata, or by an input of bytes.
    """
    return noted.preprocessing is not None or issubclass(image.kind, np.integer)


def read_preprocessing(path: Path, noted: Noted, image: ImageInput, options: InputOptions) -> Preprocessing:
    """Return `onnx_preprocessing`.

    Raises:
        TargetError: the options say another size or, where the input takes bytes, other numbers; or the file says a
            size of no picture.
    """
    hw = Preprocessing().updated(options).hw
    if hw is not None and image.size is not None and hw != image.size:
        raise TargetError(
            f"{path}: takes {image.size[0]}×{image.size[1]} images, but preprocessing"
            f" size is {hw[0]}×{hw[1]}: leave it out, or match it"
        )
    try:
        used = onnx_preprocessing(noted, image, options)
        if issubclass(image.kind, np.integer):
            check_bytes(used, "its input takes bytes")
        return used
    except TargetError as error:
        raise TargetError(f"{path}: {error}") from error


def onnx_preprocessing(noted: Noted, image: ImageInput, options: InputOptions) -> Preprocessing:
    """Return what our metadata say, else RGB in [0, 1] (bytes: 0 to 255), with the user's options in it.

    A size and layout that the file's input fixes stay.
    """
    white = 255.0 if issubclass(image.kind, np.integer) else 1.0
    used = (noted.preprocessing or Preprocessing(layout=image.layout, value_range=(0.0, white))).updated(options)
    if image.size is None and image.layout == "NCHW":  # which may be a guess
        return used
    return dataclasses.replace(used, size=used.size or image.size, layout=image.layout)


def image_input(path: Path, model: onnx.ModelProto) -> ImageInput:
    """Return the one input, which takes images.

    Raises:
        TargetError: there are others, or it takes something else.
    """
    inputs = open_inputs(model.graph)
    if len(inputs) != 1:
        raise TargetError(f"{path}: has {len(inputs)} inputs; a target takes one, the images")
    tensor = inputs[0].type.tensor_type
    kind = KINDS.get(tensor.elem_type)
    if kind is None:
        raise TargetError(f"{path}: its input is of type {type_name(tensor.elem_type)}; images can be float or uint8")
    dims = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]
    return picture_input(path, inputs[0].name, kind, dims)


def picture_input(path: Path, name: str, kind: type[np.generic], dims: list[int | None]) -> ImageInput:
    """Return the input of that name, type and sizes, None where one is open; TargetError where it takes no images."""
    if len(dims) != 4:
        raise TargetError(f"{path}: its input has {len(dims)} axes; images have 4 (batch, channels, height, width)")
    layout: Layout = "NHWC" if dims[3] == 3 and dims[1] != 3 else "NCHW"
    channels, height, width = (dims[3], dims[1], dims[2]) if layout == "NHWC" else (dims[1], dims[2], dims[3])
    if channels not in (3, None):
        raise TargetError(f"{path}: takes images of {channels} channels; RGB images have 3")
    if dims[0] not in (1, None):
        raise TargetError(f"{path}: takes exactly {dims[0]} images at a time: export it with an open batch axis")
    return ImageInput(name, kind, dims[0], (height, width) if height and width else None, layout)


def type_name(number: int) -> str:
    """Return ONNX's name of a type of numbers."""
    names: dict[int, str] = {code: name for name, code in onnx.TensorProto.DataType.items()}
    return names.get(number, str(number))


def chosen_output(path: Path, model: onnx.ModelProto, output: str | int | None) -> str:
    """Return the name of the output that `output` chooses: by name, else by its index in the graph.

    None chooses the only one.

    Raises:
        TargetError: it chooses none.
    """
    return output_among(path, [str(value.name) for value in model.graph.output], output)


def output_among(path: Path, names: list[str], output: str | int | None) -> str:
    """Return the one of the outputs' `names` that `output` chooses, see `chosen_output`."""
    if output is None and len(names) == 1:
        return names[0]
    chosen = "" if output is None else str(output)
    if chosen in names:
        return chosen
    if chosen.isdecimal() and int(chosen) < len(names):
        return names[int(chosen)]
    known = ", ".join(f"{name} ({index})" for index, name in enumerate(names))
    raise TargetError(f"{path}: has the outputs {known}: choose one by name or index with output= (--output)")


def one_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Leave the output of that name alone, and return the model."""
    output = onnx.ValueInfoProto()
    output.CopyFrom(next(value for value in model.graph.output if value.name == name))
    del model.graph.output[:]
    model.graph.output.append(output)
    return model


def _runtimes(
    path: Path, model: onnx.ModelProto, input_name: str
) -> tuple[Callable[[str], tuple[Runtime, str]], Callable[[], None]]:
    """Return a function from an output's name to what runs the model, and the runtime's name; and what lets it rest.

    It is ONNX Runtime if installed, else ONNX's slow reference. TargetError where that does not take the model.
    """
    name = "ONNX Runtime"
    try:
        session: PerProcess[Any] = cpu_session(model.SerializeToString, torch.get_num_threads())
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        name = "ONNX's reference"
        try:
            session = PerProcess(lambda: ReferenceEvaluator(model))
        except Exception as error:  # of many kinds
            raise TargetError(f"{path}: {name} refuses it ({one_line(error)})") from error
    except Exception as error:  # onnxruntime's errors share no base class
        raise TargetError(f"{path}: {name} refuses it ({one_line(error)})") from error

    def runtime(output_name: str) -> tuple[Runtime, str]:
        def run(x: NDArray[Any]) -> NDArray[Any]:
            try:
                result = session().run([output_name], {input_name: x})[0]
            except Exception as error:  # onnxruntime's errors share no base class
                shape = "×".join(str(n) for n in x.shape[1:])
                raise TargetError(
                    f"{path}: fails on an input of {shape} ({one_line(error)}): set preprocessing size to what it wants"
                ) from error
            if not isinstance(result, np.ndarray) or result.dtype.kind not in "biuf":
                raise TargetError(f"{path}: its output {one_line(output_name, 80)!r} is no array of numbers")
            return result

        return run, name

    return runtime, session.rest


class _Typed(nn.Module):
    """A graph of another float type, fed with float32."""

    def __init__(self, graph: nn.Module, kind: torch.dtype) -> None:
        super().__init__()
        self.graph, self.kind = graph, kind

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.graph(x.to(self.kind)).float()
        return result


def _converted(model: onnx.ModelProto, image: ImageInput, output_name: str) -> nn.Module:
    network: nn.Module = OnnxGraph(model, input_name=image.name, output_name=output_name)
    if image.kind is not np.float32:
        network = _Typed(network, torch.float16 if image.kind is np.float16 else torch.float64)
    return network


def _compare(network: nn.Module, runtime: Runtime, runtime_name: str, image: ImageInput, hw: tuple[int, int]) -> None:
    """Compare the conversion with the runtime's output, on inputs of both usual ranges."""
    images = probe_images(*hw, count=2)
    if image.layout == "NHWC":
        images = images.permute(0, 2, 3, 1)
    step = image.batch or len(images)
    for x in (images, (images + 1) * 127.5):
        expected = np.concatenate(
            [runtime(x[i : i + step].numpy().astype(image.kind)) for i in range(0, len(x), step)]
        ).astype(np.float64)
        try:
            with torch.no_grad():
                outputs = torch.cat([network(part) for part in torch.split(x, step)]).double().numpy()
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise UnsupportedError(f"a shape or type in it ({one_line(error)})") from error
        if outputs.shape != expected.shape:
            raise UnsupportedError(f"its output shape ({outputs.shape} instead of {expected.shape})")
        worst = float(np.abs(outputs - expected).max())
        if not worst <= PARITY * (1 + float(np.abs(expected).max())):
            raise UnsupportedError(f"it exactly: outputs differ from {runtime_name}'s by {worst:.2g}")


def _final(model: onnx.ModelProto, output_name: str) -> Final:
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output_name)
    while node is not None and node.op_type in QUIET:
        node = makers.get(node.input[0])
    endings: dict[str, Final] = {"Sigmoid": "sigmoid", "Softmax": "softmax"}
    return endings.get(node.op_type, "") if node is not None else ""


class Noted(NamedTuple):
    """The notes of our own ONNX writer on a target; nothing in files by others."""

    name: str = ""
    task: Task | None = None
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


def read_metadata(path: Path, model: onnx.ModelProto) -> Noted:
    """Read the notes of our own ONNX writer on task and preprocessing.

    Raises:
        TargetError: they are damaged.
    """
    return noted_in(path, next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), None))


def noted_in(path: Path, text: str | None) -> Noted:
    """Read the notes of our own ONNX writer in their `text`; TargetError where they are damaged."""
    if text is None:
        return Noted()
    try:
        metadata = JsonObject(json.loads(text))
        task, stored = metadata.get("task", dict), metadata.get("preprocessing", dict)
        return Noted(
            name=metadata.get("name", str) or "",
            task=None if task is None else task_from_dict(task),
            labels=metadata.get("labels", tuple[str, ...]) or (),
            preprocessing=Preprocessing.from_dict(stored) if stored else None,
        )
    except json.JSONDecodeError as error:
        raise TargetError(f"{path}: its {METADATA_KEY} metadata is no JSON ({one_line(error)})") from error
    except (ValueError, OverflowError, RecursionError, TargetError) as error:
        raise TargetError(f"{path}: its {METADATA_KEY} metadata cannot be used ({one_line(error)})") from error
