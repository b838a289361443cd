"""An ONNX file from others: read whole, checked against limits before anything of it is allocated, and run."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import inliner
from onnx.external_data_helper import uses_external_data

from zoom_engine.common.errors import ZoomError, one_line, system_errors
from zoom_engine.common.threads import PerProcess

MOST_NODES = 30_000
"""The most nodes that a run visits; those of a function count as often as it is called."""
MOST_ELEMENTS = 2**28
"""The most elements of one tensor for one image: a gibibyte of float32, far more than any image model has."""
MOST_ALIVE = 2**27
"""The most elements of all values that a run holds at the same time for one image; but a file may have
`ALIVE_PER_WEIGHT` times as many as it has weights."""
ALIVE_PER_WEIGHT = 16
MOST_DATA = 2**31
"""The largest model with all its data, in bytes: no runtime is given more, as no protocol buffer holds more."""
OPEN_SIDE = 256
"""The size that counts for an open height or width where values are counted."""
LONGEST_SHAPE = 2**12
"""The most numbers of a value of one axis from which a shape may be computed."""
UNKNOWN = "unknown"
"""The domain of operators whose shapes are not inferred."""
LOOPS = ("Loop", "Scan", "SequenceMap")
UNASKED = ("RegexFullMatch", "DictVectorizer", "LabelEncoder", "TreeEnsemble")
"""Operators whose shapes onnx infers without asking whether their input has a type: where it has none, the process
ends."""
STANDARD_DOMAINS = ("", "ai.onnx")
AT_HAND = Path("the onnx.ModelProto")
"""What messages call a model at hand."""


def parse_onnx(path: Path, *, refusal: type[ZoomError]) -> tuple[onnx.ModelProto, bytes]:
    """Return the model as the file says it, unchecked and without data that lie elsewhere, and the file's content.

    Raises:
        ZoomError: the `refusal`, one line, for a file that cannot be read, is too large or is no ONNX file.
    """
    with system_errors(refusal, f"{path}: cannot be read"):
        if path.stat().st_size > MOST_DATA:
            raise refusal(f"{path}: is larger than an ONNX file can be ({MOST_DATA >> 30} GiB): export it again")
        content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise refusal(f"{path}: is not an ONNX file, or a damaged one ({one_line(error)})") from error
    _check_texts(path, model, refusal)
    return model, content


def read_onnx_file(path: Path, *, refusal: type[ZoomError]) -> tuple[onnx.ModelProto, str]:
    """Return the checked model with all its data, and the SHA-256 of the file and of the data that it uses.

    Nothing is allocated that the file only claims: a graph of too many nodes, of a loop whose rounds nothing bounds, or
    of values that are too large for an image model is refused first.

    Raises:
        ZoomError: the `refusal`, one line.
    """
    return _checked(path, *parse_onnx(path, refusal=refusal), refusal)


def check_onnx_model(called: Path, model: onnx.ModelProto, *, refusal: type[ZoomError]) -> tuple[onnx.ModelProto, str]:
    """Return a copy of a model at hand, checked as `read_onnx_file` checks a file's, and the SHA-256 of its content.

    `called` is what messages call it: `AT_HAND`, or the file of another kind that it was made of.

    Raises:
        ZoomError: the `refusal`, one line.
    """
    if model.ByteSize() > MOST_DATA:
        raise refusal(f"{called}: is larger than an ONNX model can be ({MOST_DATA >> 30} GiB)")
    if any(isinstance(tensor, onnx.TensorProto) and uses_external_data(tensor) for tensor in _tensors(model)):
        raise refusal(
            f"{called}: its data lie in other files: give the path of its file, or read it with onnx.load(path)"
        )
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    _check_texts(called, copied, refusal)
    return _checked(called, copied, copied.SerializeToString(deterministic=True), refusal)


def _checked(
    path: Path, model: onnx.ModelProto, content: bytes, refusal: type[ZoomError]
) -> tuple[onnx.ModelProto, str]:
    """Return a model with all its data, and the SHA-256 of its `content` and these; else raise the `refusal`."""
    digest = hashlib.sha256(content)
    try:
        for tensor in _tensors(model):
            name = tensor.name if isinstance(tensor, onnx.TensorProto) else tensor.values.name
            _check_size(path, name, tensor.dims, refusal)
        for data in _external_data(path, model, refusal):
            digest.update(data)
        _check_steps(path, model, refusal)
        _check_values(path, model, refusal)
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, OSError) as error:
        raise refusal(f"{path}: is not a valid ONNX model ({one_line(error)})") from error
    return model, digest.hexdigest()


def _check_texts(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> None:
    """Refuse a model with a text that is no UTF-8: protobuf gives such names as bytes, which nobody expects."""
    for text in _texts(model):
        if not isinstance(text, str):
            raise refusal(f"{path}: is not a valid ONNX model (a text in it is not UTF-8: {one_line(repr(text), 80)})")


def _texts(message: Message) -> Iterator[str | bytes]:
    if isinstance(message, onnx.TensorProto):  # its data are not looked at
        yield message.name
        message = onnx.TensorProto(external_data=message.external_data)
    for field, value in message.ListFields():
        if field.type in (field.TYPE_STRING, field.TYPE_MESSAGE):
            for one in value if isinstance(value, MutableSequence) else (value,):
                yield from [one] if field.type == field.TYPE_STRING else _texts(one)


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Yield the graph, the functions that the file defines, and the bodies within either."""
    stack: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    while stack:
        graph = stack.pop()
        yield graph
        stack += [body for node in graph.node for body in _bodies(node)]


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [body for entry in node.attribute for body in (*([entry.g] if entry.HasField("g") else []), *entry.graphs)]


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto | onnx.SparseTensorProto]:
    """Yield all constants; of a sparse one its parts too."""
    for graph in _graphs(model):
        sparse: list[onnx.SparseTensorProto] = []
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            sparse += graph.sparse_initializer
        for entry in (entry for node in graph.node for entry in node.attribute):
            yield from [*([entry.t] if entry.HasField("t") else []), *entry.tensors]
            sparse += [*([entry.sparse_tensor] if entry.HasField("sparse_tensor") else []), *entry.sparse_tensors]
        for tensor in sparse:
            yield from (tensor.values, tensor.indices, tensor)


def _external_data(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> Iterator[bytes]:
    """Bring the data that lie in other files into the model, and no more of these files; yield each piece."""
    # Of a cache of links, such as the hub's, the model lies beside its data twice: as links, and where these lead.
    folders, total = (path.parent.resolve(), path.resolve().parent), model.ByteSize()
    for tensor in _tensors(model):
        if isinstance(tensor, onnx.SparseTensorProto) or not uses_external_data(tensor):
            continue
        says = {entry.key: entry.value for entry in tensor.external_data}
        name, tensor_name = one_line(says.get("location", ""), 80), one_line(tensor.name, 80)
        files = [(folder / says.get("location", "")).resolve() for folder in folders]
        file = next((file for file in files if file.is_file()), files[0])
        if not any(file.is_relative_to(folder) for folder in folders):
            raise refusal(f"{path}: refused, since it asks for data outside its own folder ({name!r})")
        if not file.is_file():
            raise refusal(f"{path}: its data file {name!r} is missing: put it beside the model")
        wanted = _bytes_of(tensor)
        offset, length = _whole(says.get("offset", "0")), _whole(says.get("length", str(wanted)))
        if offset is None or length != wanted:
            place = ", ".join(f"{key} {one_line(says[key], 40)}" for key in ("offset", "length") if key in says)
            raise refusal(f"{path}: names {place} in {name!r} for {tensor_name!r} of {wanted} bytes: export it again")
        total += wanted
        if total > MOST_DATA:
            raise refusal(f"{path}: uses more than {MOST_DATA >> 30} GiB of data, more than an ONNX runtime takes")
        if offset + wanted > file.stat().st_size:
            raise refusal(f"{path}: its data file {name!r} ends within {tensor_name!r}: it is another, or incomplete")
        with file.open("rb") as opened:
            opened.seek(offset)
            tensor.raw_data = opened.read(wanted)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        yield tensor.raw_data


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _bytes_of(tensor: onnx.TensorProto) -> int:
    """Return how many bytes a tensor's elements take in a file; ValueError for a type that has no such form."""
    if tensor.data_type in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        raise ValueError(f"data of {one_line(tensor.name, 80)!r} in another file are of no type that can lie there")
    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    bits = int(kind[-1]) if kind in ("INT4", "UINT4", "INT2", "UINT2") else 4 if kind.startswith("FLOAT4") else 0
    bits = bits or 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(math.prod(tensor.dims) * bits + 7) // 8


def _check_steps(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> None:
    """Refuse a graph that visits too many nodes, and one with a loop: nothing says when a loop ends."""
    functions = {(function.domain, function.name, function.overload): function for function in model.functions}
    counted: dict[tuple[str, str, str], int] = {}

    def steps(graph: onnx.GraphProto | onnx.FunctionProto, above: tuple[tuple[str, str, str], ...]) -> int:
        """Count the nodes that a run of `graph` visits; `above` are the functions that it is within."""
        total = len(graph.node)
        for node in graph.node:
            if node.op_type in LOOPS and node.domain in STANDARD_DOMAINS:
                raise refusal(f"{path}: refused, since nothing bounds its {node.op_type}: export it without loops")
            total += sum(steps(body, above) for body in _bodies(node))
            if (key := (node.domain, node.op_type, node.overload)) in functions:
                if key in above:
                    raise refusal(f"{path}: refused, since its function {one_line(key[1], 80)!r} calls itself")
                if key not in counted:
                    counted[key] = steps(functions[key], (*above, key))
                total += counted[key]
        return total

    if (count := steps(model.graph, ())) > MOST_NODES:
        raise refusal(f"{path}: has {count} nodes; {MOST_NODES} is the limit")


def _check_values(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> None:
    """Refuse a graph whose values are too large for one image, each alone or those that exist at the same time.

    Shapes are inferred from its inputs and constants alone, whatever the file says of others.
    """
    whole, sizes = _measured(path, model, refusal)
    constant = {tensor.name for tensor in model.graph.initializer}
    most = max(MOST_ALIVE, ALIVE_PER_WEIGHT * count_weights(model))

    def follow(graph: onnx.GraphProto, made: set[str], alive: int) -> None:
        """Follow a run of `graph` from the values `made`; `alive` numbers exist then."""
        last_use = {name: step for step, node in enumerate(graph.node) for name in _read(node)}
        ends = {value.name for value in graph.output}
        for step, node in enumerate(graph.node):
            for body in _bodies(node):
                follow(body, set(), alive)
            alive += sum(sizes.get(name, 0) for name in node.output)
            if alive > most:
                raise refusal(
                    f"{path}: refused, since one image takes more than {most} numbers at the same time (at"
                    f" {one_line(' '.join(node.output), 80)!r}): too large"
                )
            if node.input and all(name in constant for name in node.input):  # a runtime computes it once, and keeps it
                constant.update(node.output)
                continue
            made.update(node.output)
            used = {name for name in _read(node) if name in made and last_use[name] == step}
            alive -= sum(sizes.get(name, 0) for name in used - constant - ends)

    inputs = {value.name for value in open_inputs(model.graph)}
    follow(whole, inputs, sum(sizes.get(name, 0) for name in inputs))


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names of the values that a node takes, those that its bodies take of the graph around them too."""
    yield from node.input
    for body in _bodies(node):
        for inner in body.node:
            yield from _read(inner)


def count_weights(model: onnx.ModelProto) -> int:
    """Return how many numbers the file holds as constants."""
    return sum(math.prod(tensor.dims) for tensor in _tensors(model) if isinstance(tensor, onnx.TensorProto))


def value_sizes(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> dict[str, int]:
    """Return the number of elements of the graph's inputs and values for one image, by their names.

    Values are there as far as their shapes can be inferred from inputs and constants alone; those of functions as often
    as these are called.

    Raises:
        ZoomError: the `refusal`, where a value is too large.
    """
    return _measured(path, model, refusal)[1]


def _measured(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> tuple[onnx.GraphProto, dict[str, int]]:
    """Return the graph with its functions written out where they are called, and its `value_sizes`."""
    plain = onnx.ModelProto(ir_version=model.ir_version)
    plain.opset_import.extend(model.opset_import)
    plain.functions.extend(model.functions)
    plain.graph.node.extend(model.graph.node)
    plain.graph.name = model.graph.name
    for tensor in model.graph.initializer:  # large ones are no shapes: their own is enough
        small = tensor.ByteSize() < 4096
        plain.graph.initializer.append(
            tensor if small else onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        )
    for value in model.graph.input:
        plain.graph.input.append(value)
        dims = plain.graph.input[-1].type.tensor_type.shape.dim
        channels = len(dims) - 1 if dims and dims[-1].dim_value == 3 else 1
        for axis, dim in enumerate(dims):
            if dim.dim_value <= 0:
                dim.dim_value = 1 if axis == 0 else 3 if axis == channels else OPEN_SIDE
    plain.graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in model.graph.output)
    if model.functions:
        named = {*STANDARD_DOMAINS, *(entry.domain for entry in model.opset_import)}
        others = (entry for function in model.functions for entry in function.opset_import)
        plain.opset_import.extend({entry.domain: entry for entry in others if entry.domain not in named}.values())
        for function in plain.functions:  # those of another version would be left as they are
            del function.opset_import[:]
            function.opset_import.extend(plain.opset_import)
        plain = inliner.inline_local_functions(plain)
    plain.opset_import.add(domain=UNKNOWN, version=1)
    for graph in _graphs(plain):
        if isinstance(graph, onnx.FunctionProto):
            raise refusal(f"{path}: its function {one_line(graph.name, 80)!r} cannot be followed: export it without")
        del graph.value_info[:]  # what the file claims
        names = [value.name for value in graph.output]
        del graph.output[:]
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        for node in graph.node:
            if node.op_type in UNASKED:
                node.domain = UNKNOWN
    values = _inferred(path, plain, refusal, computed=False)
    rows = [dims[0] for dims in values.values() if len(dims) == 1]
    if all(size is None or size <= LONGEST_SHAPE for size in rows):
        # Numbers that shapes are computed from are followed too, where they cannot be many: each is spelled out.
        for graph in _graphs(plain):
            for node in graph.node:
                if node.op_type == "ConstantOfShape" and any(None in values.get(name, [None]) for name in node.output):
                    node.domain = UNKNOWN
        values |= _inferred(path, plain, refusal, computed=True)
    return plain.graph, {name: _least(dims) for name, dims in values.items()}


def _least(dims: Iterable[int | None]) -> int:
    """Return how many elements a value has where its open sides are one."""
    return math.prod(size for size in dims if size is not None)


def _inferred(
    path: Path, model: onnx.ModelProto, refusal: type[ZoomError], *, computed: bool
) -> dict[str, list[int | None]]:
    """Return the sides of values: None for one that is open, `[None]` where not even their number is known.

    With `computed`, shapes that the graph computes are followed too. Raises the `refusal` where one is too large.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=computed)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise refusal(f"{path}: its shapes do not fit together ({one_line(error)})") from error
    values: dict[str, list[int | None]] = {}
    for graph in _graphs(inferred):
        for value in (*graph.value_info, *graph.output, *graph.input) if isinstance(graph, onnx.GraphProto) else ():
            tensor = value.type.tensor_type
            dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
            dims = dims if tensor.HasField("shape") else [None]
            values[value.name] = max(values.get(value.name, dims), dims, key=_least)  # two branches may have one name
            _check_size(path, value.name, [size for size in dims if size is not None], refusal)
    return values


def _check_size(path: Path, name: str, sizes: Iterable[int], refusal: type[ZoomError]) -> None:
    sizes = list(sizes)
    if min(sizes, default=1) < 0 or math.prod(sizes) > MOST_ELEMENTS:
        shape = "×".join(str(size) for size in sizes[:8])
        raise refusal(f"{path}: refused, since its tensor {one_line(name, 80)!r} of {shape} is too large")


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that the model is written in; 0 where it says none."""
    return next((entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS), 0)


def open_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the graph's inputs that are no constants."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def session_options(threads: int) -> Any:
    """Return silent options of ONNX Runtime for a session with `threads` threads.

    Raises:
        ImportError: ONNX Runtime is not installed.
    """
    options = importlib.import_module("onnxruntime").SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return options


def cpu_session(model: bytes | Callable[[], bytes], threads: int) -> PerProcess[Any]:
    """Open an ONNX Runtime session of the model on the CPU, with `threads` threads.

    A function gives the model each time that a session is made, and it is kept in no other form.

    Raises:
        ImportError: ONNX Runtime is not installed. Whatever ONNX Runtime raises of a model is raised too.
    """

    def made() -> Any:
        options = session_options(threads)
        runtime = importlib.import_module("onnxruntime")
        content = model if isinstance(model, bytes) else model()
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    return PerProcess(made)


def name_ends(model: onnx.ModelProto, source: str, result: str, *, shape: Sequence[int] | None = None) -> None:
    """Rename the model's only input to `source` and its first output to `result`, both with an open batch.

    Args:
        model: changed in place.
        source: the input's new name.
        result: the output's new name.
        shape: the shape of one input without the batch, where it is to be set.
    """
    (given,) = open_inputs(model.graph)
    _rename(model, given.name, source)
    _rename(model, model.graph.output[0].name, result)
    for value in (given, model.graph.output[0]):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if shape is not None:
        for dim, size in zip(given.type.tensor_type.shape.dim[1:], shape, strict=True):
            dim.dim_value = size
    del model.graph.value_info[:]


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    if old == new:
        return
    # What branches name is of the graph around them; what functions name is their own.
    graphs = [graph for graph in _graphs(model) if isinstance(graph, onnx.GraphProto)]
    nodes = [node for graph in graphs for node in graph.node]
    taken = {name for node in nodes for name in (*node.input, *node.output)}
    if new in taken:
        free = next(name for index in itertools.count() if (name := f"{new}_of_the_file_{index}") not in taken)
        _rename(model, new, free)
    for node in nodes:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for graph in graphs:
        for value in (*graph.input, *graph.output, *graph.initializer):
            if value.name == old:
                value.name = new
