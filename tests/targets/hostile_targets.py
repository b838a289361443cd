"""Targets and decoders that want to hang, eat memory or end in a traceback: name → what writes one, and what is said.

Each is written by a small function into a folder, and returns what a user would give for it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from transformers import ViTConfig, ViTForImageClassification

DEEP = "[" * 100_000
node, info = helper.make_node, helper.make_tensor_value_info
FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


class Hostile(NamedTuple):
    """write: puts it into a folder, returns its spec; says: what the error must hold; generator: it is no target but a
    generator; built: only building or running it can tell, so it is described without an error."""

    write: Callable[[Path], str]
    says: str
    generator: bool = False
    built: bool = False


# --- ONNX


def onnx_model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    *,
    shape: Sequence[Any] = ("n", 3, 16, 16),
    out: onnx.ValueInfoProto | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
    versions: Mapping[str, int] = {"": 17},
    **metadata: str,
) -> onnx.ModelProto:
    """From "x" to "y", float32 unless `out` says otherwise."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [info("x", FLOAT, list(shape))],
        [info("y", FLOAT, ["n", "k"]) if out is None else out],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid(domain, versions.get(domain, 1)) for domain in ("", *domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))
    helper.set_model_props(model, metadata)
    return model


def written(model: onnx.ModelProto) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return str(path)

    return write


def plain(**options: Any) -> onnx.ModelProto:
    """One logit: the mean of the picture."""
    weight = np.full((768, 1), 1 / 768, np.float32)
    return onnx_model([node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])], {"w": weight}, **options)


def noted(text: str) -> Callable[[Path], str]:
    """A model with this text as our own metadata."""
    return written(plain(zoom_engine=text))


def endless_loop() -> onnx.NodeProto:
    """A body that says each time that it goes on."""
    body = helper.make_graph(
        [node("Identity", ["goes"], ["goes_on"]), node("Identity", ["value"], ["next"])],
        "body",
        [info("round", INT64, []), info("goes", BOOL, []), info("value", FLOAT, None)],
        [info("goes_on", BOOL, []), info("next", FLOAT, None)],
    )
    return node("Loop", ["", "true", "f"], ["y"], body=body)


def looped(in_branch: bool = False) -> onnx.ModelProto:
    loop = endless_loop()
    if in_branch:
        loop.output[0] = "inner"
        branch = helper.make_graph([loop], "branch", [], [info("inner", FLOAT, None)])
        loop = node("If", ["true"], ["y"], then_branch=branch, else_branch=branch)
    return onnx_model([node("Flatten", ["x"], ["f"]), loop], {"true": np.array(True)})


def scan() -> onnx.ModelProto:
    body = helper.make_graph(
        [node("Add", ["sum", "row"], ["next"]), node("Identity", ["next"], ["each"])],
        "body",
        [info("sum", FLOAT, None), info("row", FLOAT, None)],
        [info("next", FLOAT, None), info("each", FLOAT, None)],
    )
    start = np.zeros((3, 16, 16), np.float32)
    return onnx_model([node("Scan", ["s", "x"], ["last", "y"], body=body, num_scan_inputs=1)], {"s": start})


def doubling_functions(levels: int, *, circle: bool = False) -> onnx.ModelProto:
    """Each calls the one below twice; in a circle the lowest calls the highest."""
    functions = []
    for level in range(levels):
        inner, domain = (f"f{level - 1}", "own") if level else ("Relu", "")
        if not level and circle:
            inner, domain = f"f{levels - 1}", "own"
        nodes = [node(inner, ["a"], ["b"], domain=domain), node(inner, ["b"], ["c"], domain=domain)]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        functions.append(helper.make_function("own", f"f{level}", ["a"], ["c"], nodes, opsets))
    first = node(f"f{levels - 1}", ["x"], ["y"], domain="own")
    return onnx_model([first], functions=functions, domains=["own"])


def doubling_overloads(levels: int) -> onnx.ModelProto:
    """What `doubling_functions` are, under one name that also a function of one node has."""
    model = doubling_functions(levels)
    graphs: list[Any] = [model.graph, *model.functions]
    for called in (called for graph in graphs for called in graph.node if called.domain):
        called.op_type, called.overload = "f", called.op_type
    for function in model.functions:
        function.name, function.overload = "f", function.name
    model.functions.append(helper.make_function("own", "f", ["a"], ["c"], [node("Relu", ["a"], ["c"])], []))
    model.ir_version = 10
    return model


def many_relus(count: int) -> onnx.ModelProto:
    nodes = [node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i in range(count)]
    return onnx_model([*nodes, node("Flatten", [f"v{count}"], ["y"])])


def doubled(times: int) -> onnx.ModelProto:
    nodes = [node("Concat", [f"v{i}" if i else "x"] * 2, [f"v{i + 1}"], axis=3) for i in range(times)]
    return onnx_model([*nodes, node("Flatten", [f"v{times}"], ["y"])])


def folded(count: int) -> onnx.ModelProto:
    """Constants of a quarter of a gibibyte each that a runtime computes and keeps."""
    nodes = [node("ConstantOfShape", ["s"], [f"c{i}"]) for i in range(count)]
    nodes += [node("Flatten", ["x"], ["f"]), node("Concat", [f"c{i}" for i in range(count)], ["all"], axis=0)]
    nodes += [node("ReduceMean", ["all"], ["m"]), node("Add", ["f", "m"], ["y"])]
    return onnx_model(nodes, {"s": np.array([2**26], np.int64)})


def alive(count: int) -> onnx.ModelProto:
    """Values of a sixteenth of a gibibyte each that all wait for the last node."""
    nodes = [node("Tile", ["x", "r"], ["t"])]
    nodes += [node("Mul", ["t", f"k{i}"], [f"v{i}"]) for i in range(count)]
    nodes += [node("Sum", [f"v{i}" for i in range(count)], ["s"]), node("ReduceMean", ["s"], ["y"], axes=[1, 2, 3])]
    constants: dict[str, np.ndarray] = {"r": np.array([1, 1, 128, 170], np.int64)}
    return onnx_model(nodes, {**constants, **{f"k{i}": np.float32(i + 2) for i in range(count)}})


def enlarged() -> onnx.ModelProto:
    """Of open sides, a thousand times as large; it says that it is small."""
    scales = np.array([1, 1, 1000, 1000], np.float32)
    nodes = [node("Resize", ["x", "", "s"], ["big"]), node("ReduceMean", ["big"], ["y"], axes=[1, 2, 3])]
    model = onnx_model(nodes, {"s": scales}, shape=("n", 3, "h", "w"))
    model.graph.value_info.append(info("big", FLOAT, ["n", 3, 8, 8]))
    return model


def called(model: onnx.ModelProto) -> onnx.ModelProto:
    """All that it does in a function."""
    function = helper.make_function("own", "f", ["x"], ["y"], list(model.graph.node), [helper.make_opsetid("", 17)])
    return onnx_model([node("f", ["x"], ["y"], domain="own")], functions=[function], domains=["own"])


def branched(model: onnx.ModelProto) -> onnx.ModelProto:
    """All that it does in a branch; the other has values of the same names, which are small."""
    graph, values = model.graph, [info("result", FLOAT, None)]
    constants = [node("Constant", [], [tensor.name], value=tensor) for tensor in graph.initializer]
    nodes = [*constants, *graph.node, node("Identity", ["y"], ["result"])]
    small = [node("Flatten", ["x"], [name]) for made in graph.node for name in made.output]
    branches = {
        "then_branch": helper.make_graph(nodes, "then", [], values, value_info=graph.value_info),
        "else_branch": helper.make_graph([*small, nodes[-1]], "else", [], values),
    }
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    graph.node.extend(
        [
            node("ReduceMax", ["x"], ["brightest"], keepdims=0),
            node("Cast", ["brightest"], ["is_bright"], to=BOOL),
            node("If", ["is_bright"], ["y"], **branches),
        ]
    )
    return model


def sparse_claim() -> onnx.ModelProto:
    model = onnx_model([node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    place = numpy_helper.from_array(np.zeros(1, np.int64), "w_at")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, place, [768, 1 << 40]))
    return model


def external(
    write: Callable[[Path], None] = lambda folder: None, kind: int = FLOAT, named: str = "w", **says: str
) -> Hostile:
    """A model whose weights, of this name, lie where these entries say."""

    def into(folder: Path) -> str:
        model = plain()
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        (reader,) = (part for part in model.graph.node if weight.name in part.input)
        reader.input[list(reader.input).index(weight.name)] = weight.name = named
        weight.data_location, weight.data_type = TensorProto.EXTERNAL, kind
        for key, value in says.items():
            weight.external_data.add(key=key, value=value)
        write(folder)
        return written(model)(folder)

    return Hostile(into, "")


def data_of(size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / "w.bin").write_bytes(bytes(size)) and None  # type: ignore[return-value]


def of_type(number: int) -> onnx.ModelProto:
    model = plain()
    model.graph.input[0].type.tensor_type.elem_type = number
    return model


def opset(number: int) -> onnx.ModelProto:
    model = plain()
    model.opset_import[0].version = number
    return model


def text_output() -> onnx.ModelProto:
    text = onnx.TensorProto(name="t", data_type=TensorProto.STRING, dims=[2], string_data=[b"a", b"b"])
    nodes = [
        node("Constant", [], ["words"], value=text),
        node("ReduceMax", ["x"], ["m"], axes=[1, 2, 3], keepdims=0),
        node("Greater", ["m", "h"], ["g"]),
        node("Cast", ["g"], ["i"], to=INT64),
        node("Gather", ["words", "i"], ["y"]),
    ]
    return onnx_model(nodes, {"h": np.float32(0.5)}, out=info("y", TensorProto.STRING, ["n"]))


def decoder(nodes: Sequence[onnx.NodeProto], size: int = 8, **constants: np.ndarray) -> Callable[[Path], str]:
    return written(onnx_model(nodes, constants, shape=("n", size), out=info("y", FLOAT, ["n", 3, 8, 8])))


def wide_picture() -> Callable[[Path], str]:
    sides = np.array([1, 3, 1 << 20, 1 << 20], np.int64)
    return decoder([node("ReduceMean", ["x"], ["m"]), node("Expand", ["m", "s"], ["y"])], s=sides)


# --- Hugging Face


def vit(**changes: Any) -> Callable[[Path], str]:
    """A tiny folder whose config says something else than its weights."""

    def write(folder: Path) -> str:
        torch.manual_seed(0)
        tiny = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        ViTForImageClassification(ViTConfig(**tiny, image_size=32, patch_size=8)).save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        return str(folder)

    return write


def beside_vit(name: str, text: str) -> Callable[[Path], str]:
    """A tiny folder with this text in a file of it."""

    def write(folder: Path) -> str:
        vit()(folder)
        (folder / name).write_text(text)
        return str(folder)

    return write


def timm_of_transformers(**config: Any) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        save_file({"w": torch.zeros(1)}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"model_type": "timm_wrapper", **config}))
        return str(folder)

    return write


# --- safetensors


def safetensors_bytes(header: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + data


def weights(content: bytes) -> Callable[[Path], str]:
    """Of a ResNet of torchvision."""

    def write(folder: Path) -> str:
        (folder / "w.safetensors").write_bytes(content)
        return f"torchvision:resnet18@{folder / 'w.safetensors'}"

    return write


def claims(shape: list[int], dtype: str = "F32", begin: int = 0, end: int = 0, data: bytes = b"") -> bytes:
    return safetensors_bytes(
        json.dumps({"fc.weight": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}), data
    )


def own_generator(config: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        path = folder / "g.safetensors"
        header = {"format": "zoom-engine/stylegan2/1", "config": config, "info": "{}"}
        save_file({"mapping.w_avg": torch.zeros(4)}, path, metadata=header)
        return str(path)

    return write


def stylegan2(**changes: Any) -> str:
    from zoom_engine.generators.stylegan2.config import StyleGAN2Config

    return json.dumps({**StyleGAN2Config(resolution=8, channels=(4, 4), w_dim=4, z_dim=4).to_dict(), **changes})


def with_text(hostile: Hostile, says: str) -> Hostile:
    return hostile._replace(says=says)


HOSTILE: dict[str, Hostile] = {
    # graphs
    "a loop without end": Hostile(written(looped()), "nothing bounds its Loop"),
    "a loop without end in a branch": Hostile(written(looped(in_branch=True)), "nothing bounds its Loop"),
    "a scan": Hostile(written(scan()), "nothing bounds its Scan"),
    "a picture of 20,000 pixels a side": Hostile(
        written(onnx_model([node("Flatten", ["x"], ["y"])], shape=("n", 3, 20_000, 20_000))), "too large"
    ),
    "a picture of 4,000 pixels a side": Hostile(
        written(onnx_model([node("Flatten", ["x"], ["y"])], shape=("n", 3, 4_000, 4_000))), "too large"
    ),
    "a picture of a million lines": Hostile(
        written(onnx_model([node("Flatten", ["x"], ["y"])], shape=("n", 3, 1 << 20, 4))), "too large: a side"
    ),
    "a picture of one line": Hostile(
        written(onnx_model([node("Flatten", ["x"], ["y"])], shape=("n", 3, 2, 1 << 20))), "too large: a side"
    ),
    **{
        f"a {operator} of what has no type": Hostile(
            written(
                onnx_model(
                    [node("Evil", ["x"], ["u"], domain="evil"), node(operator, ["u"], ["y"], domain=domain)],
                    domains=["evil", "ai.onnx.ml"],
                    versions={"": 20, "ai.onnx.ml": version},
                )
            ),
            "",
        )
        for operator, domain, version in (
            *(("RegexFullMatch", "", 1), ("DictVectorizer", "ai.onnx.ml", 1), ("LabelEncoder", "ai.onnx.ml", 1)),
            ("TreeEnsemble", "ai.onnx.ml", 5),
        )
    },
    "30,001 nodes": Hostile(lambda folder: written(many_relus(30_000))(folder), "30001 nodes; 30000 is the limit"),
    "functions that are 2^40 nodes": Hostile(written(doubling_functions(40)), "nodes; 30000 is the limit"),
    "overloads that are 2^40 nodes": Hostile(written(doubling_overloads(40)), "nodes; 30000 is the limit"),
    "a function that calls itself": Hostile(written(doubling_functions(1, circle=True)), "calls itself"),
    "functions in a circle": Hostile(written(doubling_functions(5, circle=True)), "calls itself"),
    "a value that doubles 40 times": Hostile(written(doubled(40)), "too large"),
    "ten constants of 2^26 numbers": Hostile(written(folded(10)), "too large"),
    "forty values of 2^24 numbers": Hostile(written(alive(40)), "at the same time"),
    "a resize that says it is small": Hostile(written(enlarged()), "too large"),
    "a value that doubles 40 times in a function": Hostile(written(called(doubled(40))), "too large"),
    "forty values of 2^24 numbers in a branch": Hostile(written(branched(alive(40))), "at the same time"),
    "a resize that says it is small in a branch": Hostile(written(branched(enlarged())), "too large"),
    "a sparse constant of 2^50 numbers": Hostile(written(sparse_claim()), "too large"),
    "a foreign operator": Hostile(
        written(onnx_model([node("Evil", ["x"], ["y"], domain="evil")], domains=["evil"])), "refuses it"
    ),
    "an operator that there is not": Hostile(written(onnx_model([node("Evil", ["x"], ["y"])])), "Evil"),
    "an input of type 99": Hostile(written(of_type(99)), "99"),
    "opset 2^60": Hostile(written(opset(1 << 60)), "not"),
    "an output of texts": Hostile(written(text_output()), "no array of numbers", built=True),
    # data of other files
    "data in another folder": with_text(external(location="../w.bin"), "outside its own folder"),
    "data that are not there": with_text(external(location="w.bin"), "missing"),
    "data in no file": with_text(external(location=""), "missing"),
    "data in a file of a long name": with_text(external(location="a" * 5_000), "not a valid"),
    "data in a file with a NUL": with_text(external(location="a\0b"), "not a valid"),
    "an offset that is text": with_text(external(data_of(3072), location="w.bin", offset="all"), "names offset all"),
    "a negative offset": with_text(external(data_of(3072), location="w.bin", offset="-4"), "names offset -4"),
    "a length that is text": with_text(external(data_of(3072), location="w.bin", length="1e99"), "names length 1e99"),
    "a length of 2^62": with_text(external(data_of(3072), location="w.bin", length=str(1 << 62)), "of 3072 bytes"),
    "data that end early": with_text(external(data_of(3071), location="w.bin"), "ends within 'w'"),
    "data of a long name that end early": with_text(
        external(data_of(3071), location="w.bin", named="w" * 5_000), "ends within 'wwww"
    ),
    "an offset of a long name": with_text(
        external(data_of(3072), location="w.bin", named="w" * 5_000, offset="all"), "names offset all"
    ),
    "data of a long name and no type": with_text(
        external(data_of(3072), kind=0, named="w" * 5_000, location="w.bin"), "not a valid"
    ),
    "data of no type": with_text(external(data_of(3072), kind=0, location="w.bin"), "not a valid"),
    "data that are texts": with_text(external(data_of(3072), kind=TensorProto.STRING, location="w.bin"), "not a valid"),
    # our own metadata
    "metadata of 100,000 brackets": Hostile(noted(DEEP), "cannot be used"),
    "a mean that is text": Hostile(noted('{"preprocessing": {"mean": "grey"}}'), "mean has the wrong type"),
    "a size that is text": Hostile(noted('{"preprocessing": {"size": "all"}}'), "size has the wrong type"),
    "a size of three": Hostile(noted('{"preprocessing": {"size": [8, 8, 8]}}'), "size has the wrong type"),
    "a size of one line": Hostile(noted('{"preprocessing": {"size": [2, 1000000]}}'), "too large: a side"),
    "a size of 10^9": Hostile(noted('{"preprocessing": {"size": 1000000000}}'), "too large"),
    "a range of NaN": Hostile(noted('{"preprocessing": {"value_range": [0, NaN]}}'), "value_range has the wrong type"),
    "a preprocessing that is a list": Hostile(noted('{"preprocessing": [1]}'), "must be an object"),
    "labels that are a number": Hostile(noted('{"labels": 5}'), "labels must be"),
    "a name that is an object": Hostile(noted('{"name": {}}'), "name must be"),
    "a task that is a list": Hostile(noted('{"task": [1]}'), "task must be"),
    "a head that is text": Hostile(noted('{"task": {"task": "binary", "head": "all"}}'), "head must be"),
    "classes that are numbers": Hostile(noted('{"task": {"task": "multiclass", "classes": [1, 2]}}'), "classes must"),
    # decoders
    "a code of 2^40 numbers": Hostile(decoder([node("Relu", ["x"], ["y"])], 1 << 40), "too large", generator=True),
    "a code of 2^21 numbers": Hostile(
        decoder([node("ReduceMean", ["x"], ["y"])], 1 << 21), "codes have", generator=True
    ),
    "a decoder's picture of 2^40 pixels": Hostile(wide_picture(), "too large", generator=True),
    "a decoder without end": Hostile(
        decoder([node("Identity", ["x"], ["f"]), endless_loop()], true=np.array(True)), "its Loop", generator=True
    ),
    "a decoder of a foreign operator": Hostile(
        written(
            onnx_model(
                [node("Evil", ["x"], ["y"], domain="evil")],
                shape=("n", 8),
                out=info("y", FLOAT, ["n", 3, 8, 8]),
                domains=["evil"],
            )
        ),
        "refuses the decoder",
        generator=True,
    ),
    "a decoder of whole numbers": Hostile(
        written(
            onnx_model(
                [node("Reshape", ["x", "s"], ["r"]), node("Cast", ["r"], ["y"], to=INT64)],
                {"s": np.array([-1, 2, 2, 2])},
                shape=("n", 8),
                out=info("y", INT64, ["n", 2, 2, 2]),
            )
        ),
        "first output is no picture",
        generator=True,
        built=True,
    ),
    # Hugging Face
    "a config of 100,000 brackets": Hostile(beside_vit("config.json", DEEP), "cannot be read as JSON"),
    "a config that is a list": Hostile(beside_vit("config.json", "[]"), "no JSON object"),
    "a config of 20 MB": Hostile(beside_vit("config.json", '"' + "a" * 20_000_000 + '"'), "the limit"),
    "an input of 100,000 brackets": Hostile(beside_vit("preprocessor_config.json", DEEP), "cannot be read as JSON"),
    "an input with texts for numbers": Hostile(
        beside_vit("preprocessor_config.json", '{"size": 32, "image_mean": ["a", "b", "c"]}'),
        "image_mean[0] must be a number",
    ),
    "an input of 10^9 pixels": Hostile(beside_vit("preprocessor_config.json", '{"size": 1000000000}'), "too large"),
    "10^8 layers": Hostile(vit(num_hidden_layers=10**8), "num_hidden_layers in config.json is more than"),
    "200,000 layers": Hostile(vit(num_hidden_layers=200_000), "network of more than", built=True),
    "layers of 100,000 numbers": Hostile(
        vit(hidden_size=100_000, intermediate_size=400_000), "network of more than", built=True
    ),
    "a picture of 800,000 pixels": Hostile(vit(image_size=800_000), "network of more than", built=True),
    "10^9 classes": Hostile(vit(num_labels=10**9), "num_labels in config.json is more than"),
    "a list of 10^9 layers": Hostile(vit(depths=[500_000] * 2_000), "depths in config.json is more than"),
    "layers that are text": Hostile(vit(num_hidden_layers="many"), "cannot load it", built=True),
    "code in the folder": Hostile(vit(auto_map={"AutoModel": "evil.Evil"}), "code of its own"),
    "an adapter of a model elsewhere": Hostile(
        beside_vit("adapter_config.json", '{"base_model_name_or_path": "/tmp/evil"}'), "names a model elsewhere"
    ),
    "an index of files elsewhere": Hostile(
        beside_vit("model.safetensors.index.json", '{"weight_map": {"a": "../../w.safetensors"}}'), "names other files"
    ),
    "an index of 100,000 brackets": Hostile(beside_vit("model.safetensors.index.json", DEEP), "cannot be read as JSON"),
    "weights that are cut off": Hostile(beside_vit("model.safetensors", "\x08"), "damaged safetensors"),
    "a timm model of the hub": Hostile(timm_of_transformers(architecture="hf-hub:a/b"), "no name of a timm model"),
    "a timm model with weights elsewhere": Hostile(
        timm_of_transformers(architecture="resnet10t", model_args={"checkpoint_path": "/tmp/evil.pth"}), "model_args"
    ),
    "a timm input of texts": Hostile(
        timm_of_transformers(architecture="resnet10t", pretrained_cfg={"input_size": "all"}), "is no number"
    ),
    # safetensors
    "2^40 classes without a number": Hostile(weights(claims([1 << 40, 0])), "not of torchvision:resnet18", built=True),
    "a header of 100,000 brackets": Hostile(
        weights(safetensors_bytes('{"a":' + DEEP)), "not a state-dict file", built=True
    ),
    "a tensor that ends beyond the file": Hostile(
        weights(claims([1000, 512], end=2_048_000)), "not a state-dict file", built=True
    ),
    "a tensor of 2^62 sides": Hostile(weights(claims([1 << 62, 1 << 62])), "not a state-dict file", built=True),
    "a tensor of floats of 8 bits": Hostile(
        weights(claims([2, 512], "F8_E4M3", end=1024, data=bytes(1024))), "save float32 or float16", built=True
    ),
    "a generator of 2^40 pixels": Hostile(
        own_generator(stylegan2(resolution=1 << 40)), "whole numbers in 1..16384", generator=True
    ),
    "a generator whose config is 100,000 brackets": Hostile(own_generator(DEEP), "damaged", generator=True),
    "a generator whose config is a list": Hostile(
        own_generator("[]"), "configuration is not understood", generator=True
    ),
    "a generator of texts": Hostile(
        own_generator(stylegan2(channels="many")), "whole numbers in 1..16384", generator=True
    ),
    "a generator of 2^30 channels": Hostile(
        own_generator(stylegan2(channels=[1 << 30] * 2)), "whole numbers in 1..16384", generator=True
    ),
}
