"""The readers of other people's files, each with the files that fuzzing begins with.

A reader takes the bytes of a file, or of several in one, and reads them as the command line would: nothing is searched
or audited, and only the readers called "whole" draw or ask. It raises what it raises; `judging` says what is a crash.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import mmap
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import onnx
import torch
from PIL import Image
from safetensors.torch import save

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), *(str(TESTS / folder) for folder in ("generators", "targets", "audit", "report", "fuzz"))]

import audits  # noqa: E402
import checkpoint_files as checkpoints  # noqa: E402
import mutations  # noqa: E402
import test_decoder as decoders  # noqa: E402
import test_gallery_file as galleries  # noqa: E402
import test_onnx as targets  # noqa: E402
import test_tfjs as graphs  # noqa: E402
from judging import fault_of  # noqa: E402
from literal_stylegan2 import Literal  # noqa: E402
from literal_stylegan3 import Literal3  # noqa: E402
from tensorflow_files import tensorflow_bytes  # noqa: E402

from zoom_engine.audit.folder import MANIFEST, RECORDS  # noqa: E402
from zoom_engine.audit.gallery_file import GALLERY, Gallery  # noqa: E402
from zoom_engine.audit.gate_file import GATE, read_gate  # noqa: E402
from zoom_engine.audit.photographs_file import PHOTOGRAPHS, Photograph, load_photographs, photographs_json  # noqa: E402
from zoom_engine.audit.records import to_line  # noqa: E402
from zoom_engine.audit.service_file import SERVICE, load_tries  # noqa: E402
from zoom_engine.cli.config import read_config  # noqa: E402
from zoom_engine.commands.inspection import describe_file  # noqa: E402
from zoom_engine.common.errors import CheckpointError, TargetError, ZoomError  # noqa: E402
from zoom_engine.common.files.kinds_of_file import kind_by_content  # noqa: E402
from zoom_engine.common.files.onnx_file import check_onnx_model, read_onnx_file  # noqa: E402
from zoom_engine.directions import EditDirections  # noqa: E402
from zoom_engine.discovery.findings import SUMMARY, Discovery, manifest_of  # noqa: E402
from zoom_engine.edits.pairs import read_pairs  # noqa: E402
from zoom_engine.edits.pictures import Wanted  # noqa: E402
from zoom_engine.gates.rules import read_rules  # noqa: E402
from zoom_engine.generators import load_generator, read_codes, save_generator  # noqa: E402
from zoom_engine.generators.checkpoints.nvidia import nvidia_recipe  # noqa: E402
from zoom_engine.generators.checkpoints.pickles import (  # noqa: E402
    read_legacy_torch_file,
    read_network_pickle,
    read_torch_archive,
)
from zoom_engine.generators.checkpoints.recipe import Recipe  # noqa: E402
from zoom_engine.generators.checkpoints.rosinality import rosinality_recipe  # noqa: E402
from zoom_engine.generators.checkpoints.safetensors_file import engine_recipe  # noqa: E402
from zoom_engine.generators.checkpoints.tensorflow import tensorflow_recipe  # noqa: E402
from zoom_engine.generators.onnx_decoder import OnnxDecoder, decoder_model, describe_decoder  # noqa: E402
from zoom_engine.photographs import FFHQ  # noqa: E402
from zoom_engine.photographs.alignment import by_points, in_middle, read_landmarks  # noqa: E402
from zoom_engine.photographs.reading import read_photograph  # noqa: E402
from zoom_engine.settings.presets import FOLDER as PRESETS  # noqa: E402
from zoom_engine.settings.presets import find_preset  # noqa: E402
from zoom_engine.statistics.diagnosis import Diagnosis  # noqa: E402
from zoom_engine.targets import Preprocessing, Target, describe_target_file, load_target, save_onnx  # noqa: E402
from zoom_engine.targets.loaders.state_dict import read_state_dict  # noqa: E402
from zoom_engine.targets.onnx.graph import OnnxGraph  # noqa: E402
from zoom_engine.targets.onnx.load import chosen_output, image_input, onnx_preprocessing, read_metadata  # noqa: E402
from zoom_engine.targets.onnx.ops import UnsupportedError  # noqa: E402
from zoom_engine.targets.onnx.tfjs import read_tfjs  # noqa: E402
from zoom_engine.targets.tasks import BinaryTask, task_from_dict  # noqa: E402

WORK = Path(tempfile.mkdtemp(prefix="zoom-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
SIDE = 32


@atexit.register
def _clean(owner: int = os.getpid()) -> None:
    """Only who made the folder removes it: forked processes read in it too."""
    if os.getpid() == owner:
        shutil.rmtree(WORK, ignore_errors=True)


class Reader(NamedTuple):
    """What reads the bytes, what they may begin as, how they are changed, and its share of the time."""

    read: Callable[[bytes], Any]
    seeds: Callable[[], Iterator[bytes]]
    mutation: mutations.Mutation
    share: float = 1.0


def _file(data: bytes, name: str = "file") -> Path:
    path = WORK / name
    path.write_bytes(data)
    return path


def _each(*reads: Callable[[], Any]) -> None:
    """All of them. The first crash is raised, or refusal that is no line for a terminal; else the last refusal."""
    crash: Exception | None = None
    refusal: ZoomError | None = None
    for read in reads:
        try:
            read()
        except ZoomError as error:
            refusal = error
            if fault_of(str(error)) is not None:
                crash = crash or error
        except Exception as error:
            crash = crash or error
    if crash or refusal:
        raise crash or refusal  # type: ignore[misc]


def _described(path: Path) -> None:
    """`zoom-engine inspect`, which loads generators."""
    result = describe_file(path)
    if not all(line.isprintable() for line in result.text.splitlines()):
        raise ValueError(f"a description that is not printable: {result.text!r}")
    if result.refusal is not None:
        raise result.refusal


# Generators


def _weights(path: Path, recipe: Callable[[], Recipe]) -> None:
    """What lies in a generator's file, all weights too. Of one file in sixteen the network is made as well, which takes
    longer than to read it."""
    if crc32(path.read_bytes()) % 16 == 0:
        _described(path)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        result = recipe()
        for source in result.sources.values():
            source()


def read_nvidia(data: bytes) -> None:
    """A network pickle of NVIDIA's PyTorch code."""
    path = _file(data)
    _weights(path, lambda: nvidia_recipe(read_network_pickle(memoryview(data))))


def read_tensorflow(data: bytes) -> None:
    """A network pickle of NVIDIA's TensorFlow code."""
    path = _file(data)
    _weights(path, lambda: tensorflow_recipe(read_network_pickle(memoryview(data))))


def read_rosinality(data: bytes) -> None:
    """A file of torch.save, of both formats."""
    path = _file(data)
    if data[:4] != b"PK\x03\x04":
        _weights(path, lambda: rosinality_recipe(read_legacy_torch_file(memoryview(data))))
        return
    with path.open("rb") as file, contextlib.suppress(TargetError):
        kind_by_content(path)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _weights(path, lambda: rosinality_recipe(read_torch_archive(path, mapped)))


SMALL = {"resolution": 4, "channels": (2,), "z_dim": 2, "w_dim": 3}
LARGER = {"resolution": 8, "channels": (3, 2), "z_dim": 3, "w_dim": 4}


def nvidia_seeds() -> Iterator[bytes]:
    """Both StyleGANs of NVIDIA's PyTorch code, the network alone and among others."""
    generators = [
        checkpoints.nvidia_generator(Literal(**SMALL)),
        checkpoints.nvidia_generator(Literal(**LARGER, c_dim=2, embed_dim=3, conv_clamp=0.5, architecture="resnet")),
        checkpoints.stylegan3_generator(Literal3()),
        checkpoints.stylegan3_generator(Literal3(kernel=1, radial=True, seed=1)),
    ]
    for number, generator in enumerate(generators):
        for protocol in (0, 2, 4) if number == 0 else (4,):
            with checkpoints.fake_modules():
                yield pickle.dumps({"G_ema": generator}, protocol)


def tensorflow_seeds() -> Iterator[bytes]:
    """Both releases, in each way of writing arrays."""
    for version in (4, 5):
        for protocol in (0, 2, 4):
            yield tensorflow_bytes(Literal(**SMALL), version=version, protocol=protocol)
    yield tensorflow_bytes(Literal(**LARGER, c_dim=3, embed_dim=5, architecture="resnet", conv_clamp=0.9), version=5)


def rosinality_seeds() -> Iterator[bytes]:
    """Both of torch's formats."""
    literal = Literal(resolution=8, channels=(3, 2), z_dim=2, w_dim=3)
    for kind in ("converted", "training", "bare"):
        for legacy in (False, True):
            yield checkpoints.rosinality_bytes(literal, kind=kind, legacy=legacy)


def read_tensors(data: bytes) -> None:
    """Whatever of ours, and of targets, lies in safetensors; codes lie in NumPy's files too."""
    path = _file(data)
    _each(
        lambda: _weights(path, lambda: engine_recipe(path)),
        lambda: read_codes(path),
        lambda: EditDirections.load(path),
        lambda: read_state_dict(path),
    )


def safetensors_seeds() -> Iterator[bytes]:
    """Generators, codes, directions and weights."""
    for number, data in enumerate(nvidia_seeds()):
        if number in (0, 3, 4):
            out = WORK / "seed.safetensors"
            save_generator(load_generator(_file(data)), out, metadata={"seed": 3}, half=number > 0)
            yield out.read_bytes()
    yield save({"codes": torch.randn(3, 4)})
    yield save({"a": torch.zeros(2, dtype=torch.bfloat16), "b": torch.zeros(1, 2, dtype=torch.int64)})
    directions = EditDirections(
        matrix=torch.eye(2, 5),
        attributes=("a smiling face", "a face with a beard"),
        neutral="a face",
        method="relevance",
        threshold=0.1,
        channels=(1, 1),
        strength=(1.0, 2.0),
        noise_floor=(0.1, 0.1),
        provenance={"seed": 1},
    )
    directions.save(WORK / "directions.safetensors")
    yield (WORK / "directions.safetensors").read_bytes()
    for array in (np.zeros((2, 3), np.float32), np.zeros((2, 3), ">f8"), np.zeros((2, 2), np.int16)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        yield buffer.getvalue()
    buffer = io.BytesIO()
    torch.save({"state_dict": {"module.weight": torch.zeros(2)}}, buffer)
    yield buffer.getvalue()


# ONNX


def read_onnx(data: bytes) -> None:
    """A target's file, as far as it is read without being run: limits, ends, metadata and the conversion to torch."""
    path = _file(data, "file.onnx")

    def converted() -> None:
        model, _ = read_onnx_file(path, refusal=TargetError)
        image = image_input(path, model)
        metadata = read_metadata(path, model)
        onnx_preprocessing(metadata, image, None)
        if "task" in metadata:
            task_from_dict(metadata["task"])
        for number in range(len(model.graph.output)):
            name = chosen_output(path, model, number)
            try:
                OnnxGraph(model, input_name=image.name, output_name=name)
            except UnsupportedError as error:
                raise TargetError(f"{path}: cannot be converted ({error})") from error

    if crc32(data) % 16 == 0:  # it also asks what packages brought, which takes longer than to read it
        _described(path)
    _each(lambda: describe_target_file(path), converted)


def read_onnx_whole(data: bytes) -> None:
    """A target's file, run on probe pictures by ONNX Runtime and as its conversion."""
    path = _file(data, "file.onnx")
    load_target(path, output=0)


def read_tfjs_graph(data: bytes) -> None:
    """A TensorFlow.js graph, whose shards are as they should be."""
    folder = WORK / "graph"
    if not folder.is_dir():
        folder.mkdir()
        graphs.write(folder, graphs.described())
    path = folder / "model.json"
    path.write_bytes(data)
    _each(lambda: describe_target_file(path), lambda: check_onnx_model(path, read_tfjs(path), refusal=TargetError))


def tfjs_seeds() -> Iterator[bytes]:
    """The graph of the tests, and one whose signature lies elsewhere."""
    about = graphs.described()
    yield json.dumps(about).encode()
    yield json.dumps({**about, "signature": {}, "userDefinedMetadata": {"signature": about["signature"]}}).encode()


def _with_metadata(folder: Path) -> bytes:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    task = BinaryTask(output="two-logits", classes=("plain", "mustache"))
    target = Target(network, name="t", task=task, preprocessing=Preprocessing(size=16), labels=("a", "b"))
    save_onnx(target, folder / "target.onnx")
    return (folder / "target.onnx").read_bytes()


def onnx_seeds() -> Iterator[bytes]:
    """A model of every operator that the tests convert, one of ours with metadata, some that are refused."""
    constants = {**targets.CONV, **targets.HEAD}
    for nodes, more, opset in targets.GRAPHS.values():
        used = {name for node in nodes for name in node.input}
        constants_and_more = {name: value for name, value in {**constants, **more}.items() if name in used}
        yield targets.build(nodes, constants_and_more, opset=opset).SerializeToString()
    yield _with_metadata(WORK)
    yield targets.simple(shape=(1, 16, 16, 3)).SerializeToString()
    yield targets.simple(kind=onnx.TensorProto.UINT8).SerializeToString()
    yield targets.simple(kind=onnx.TensorProto.DOUBLE).SerializeToString()
    outside = targets.simple()
    tensor = outside.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "data.bin"), ("offset", "0"), ("length", "432")):
        tensor.external_data.add(key=key, value=value)
    (WORK / "data.bin").write_bytes(targets.CONV["k"].tobytes())
    yield outside.SerializeToString()


def read_decoder(data: bytes) -> None:
    """A decoder's file, as far as it is read without being run."""
    path = _file(data, "decoder")

    def described() -> None:
        model = decoder_model(path)
        if model is not None:
            describe_decoder(model, path)

    if crc32(data) % 16 == 0:
        _described(path)
    _each(lambda: read_onnx_file(path, refusal=CheckpointError), described)


def read_decoder_whole(data: bytes) -> None:
    """A decoder's file, which draws two pictures."""
    OnnxDecoder(_file(data, "decoder"))


def decoder_seeds() -> Iterator[bytes]:
    """Decoders, one with inputs for edits, and what is none."""
    for changes in ({}, {"shape": ["n", None]}, {"shape": ["n", decoders.SIZE, 1]}, {"sides": [-1, 3, 8, 24]}):
        yield decoders.onnx_file(WORK / "seed.onnx", **changes).read_bytes()
    value = onnx.helper.make_tensor_value_info
    edits = [value("edit_weights", 1, ["n", 2]), value("edit_directions", 1, [2, decoders.SIZE])]
    model = onnx.load(str(decoders.onnx_file(WORK / "seed.onnx", inputs=edits)))
    model.graph.input[0].name = model.graph.node[0].input[0] = "styles"
    onnx.helper.set_model_props(model, {"zoom_engine.layers": "2"})
    yield model.SerializeToString()


# Audit folders


def _audit(**files: bytes) -> Path:
    folder = WORK / "audit"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / {"manifest": MANIFEST, "records": RECORDS}[name]).write_bytes(content)
    return folder


def _used(folder: Path) -> None:
    """An audit read and added up, as the report and the gate do."""
    Diagnosis.load(folder).summary(resamples=20).to_json()


def _records(count: int = 6) -> list[Any]:
    effects = np.array([0.3, 0.0, 0.1])
    return [audits.search_of(image, column, effects) for image in range(count // 3) for column in range(3)]


MANIFEST_SEED = json.dumps(audits.manifest(labels=audits.LABELS).to_json()).encode()
RECORDS_SEED = b"".join(map(to_line, _records()))


def read_records(data: bytes) -> None:
    """records.jsonl beside a manifest that is as it was written."""
    _used(_audit(manifest=MANIFEST_SEED, records=data))


def records_seeds() -> Iterator[bytes]:
    """Records of searches and of single steps, with all that they may hold."""
    yield RECORDS_SEED
    yield b"".join(to_line(audits.single(image, column)) for image in range(2) for column in range(3))
    whole = json.loads(RECORDS_SEED.splitlines()[0])
    more = {"groups": [True], "paraphrases": [0.1, 0.2], "calibrated": {"change": 0.1, "flipped": False}}
    yield json.dumps({**whole, **more, "flip_weight": 1.5, "natural": True, "decisive": False}).encode() + b"\n"


def read_manifest(data: bytes) -> None:
    """manifest.json beside records that are as they were written."""
    _used(_audit(manifest=data, records=RECORDS_SEED))


def manifest_seeds() -> Iterator[bytes]:
    """Manifests of the smallest audit and of one with everything."""
    yield MANIFEST_SEED
    config: dict[str, Any] = {
        "mode": "single",
        "search": "scan",
        "attributes": audits.ATTRIBUTES,
        "neutral": "a face",
        "target": "avatars:mustache",
        "target_details": {"task": {"task": "binary"}, "note": "no gradients"},
        "labels": audits.LABELS,
        "images": 2,
        "seed": 0,
        "edit_range": "calibrated",
        "calibrated_range": [[-1.0, 2.0]] * 3,
        "random_directions": 2,
        "random_images": 1,
        "control_prompts": {"prompts": ["a face on a Tuesday"], "every": 4},
        "by": ["an old face"],
        "directions": {"strength": [1.0] * 3, "noise_floor": [0.1] * 3},
        "synthesis": {"backend": "native", "precision": "bf16"},
        "correction": "holm",
    }
    environment = {"notices": ["a notice"], "versions": {"torch": "2.6"}}
    whole = {"format": {"name": "zoom-engine audit", "version": 2}, "environment": environment, "purpose": "a test"}
    yield json.dumps({**whole, "config": config, "resumed_in": [environment], "begun": "2026-01-01"}).encode()
    by_analyses = {name: value for name, value in config.items() if name != "images"} | {
        "interim_analyses": [1, 2],
        "width": 0.1,
    }
    yield json.dumps({**whole, "config": {**by_analyses, "random_directions": 0, "control_prompts": None}}).encode()
    yield json.dumps(
        {**whole, "config": {**config, "mode": "multi", "random_directions": 0, "control_prompts": None}}
    ).encode()
    edits = {
        "kind": "pairs",
        "images": ["a", "b"],
        "attributes": [{"name": name, "strengths": [-1.0, 2.0]} for name in audits.ATTRIBUTES],
        "controls": [{"name": "crop", "strengths": [1.0], "unit": "%"}],
        "records": [6, 2],
    }
    yield json.dumps({**whole, "config": {**config, "control_prompts": None, "edits": edits}}).encode()


def read_folder(data: bytes) -> None:
    """The other JSON files of an audit and of a discovery: an object of them by their names, or the same for all."""
    try:
        files = json.loads(data)
    except (ValueError, RecursionError):
        files = None
    folder = WORK / "folder"
    folder.mkdir(exist_ok=True)
    (folder / RECORDS).touch()
    for name in (GALLERY, PHOTOGRAPHS, SERVICE, MANIFEST, SUMMARY, GATE):
        content = json.dumps(files[name]).encode() if isinstance(files, dict) and name in files else data
        (folder / name).write_bytes(content)
    _each(
        lambda: Gallery.load(folder).to_json(),
        lambda: load_photographs(folder),
        lambda: load_tries(folder),
        lambda: read_gate(folder),
        lambda: _found(folder),
    )


def _found(folder: Path) -> None:
    discovery = Discovery.load(folder)
    discovery.table()
    discovery.command()


def folder_seeds() -> Iterator[bytes]:
    """All of these files as they are written."""
    figures = {"score": 1.0, "runner_up_score": 0.5, "word_change": 0.1, "mean_change": 0.2, "label_kept": 0.9}
    beside = {"baseline": 0.01, "p_value": 0.01, "p_adjusted": 0.02, "verdict": "sensitive", "ci95": [0.1, 0.3]}
    counts = {"search_images": 3, "images": 2, "held_out": 4}
    strip = {"seed": 1, "files": ["a.png"] * 3, "captions": ["0.1"] * 3}
    words = {"name": "hair", "runner_up": "a hat", "why": "it moves"}
    cluster = {**words, **figures, **beside, **counts, "strips": [strip]}
    photograph = Photograph(file="a.jpg", image=0, seed=7, cut="middle", seen=0.5, output="0.2", flipped=False)
    config, audit = {"target": "avatars:mustache"}, ["--generator", "avatars", "--target", "avatars:mustache"]
    files = {
        GALLERY: Gallery((galleries.STRIP,), (galleries.SHEET,)).to_json(),
        PHOTOGRAPHS: photographs_json((photograph, Photograph(file="b.jpg", refused="is no picture"))),
        SERVICE: {"tries": {"answered": 812, "late": 3}},
        MANIFEST: manifest_of(config, {"versions": {}, "audit": audit}),
        GATE: {
            "conditions": [{"subject": "a hat", "rule": "a limit", "outcome": "pass", "estimate": "0.1"}],
            "judged": "2026-01-01T00:00:00+00:00",
            "records": "ab" * 32,
        },
        SUMMARY: {"clusters": [cluster, {**cluster, "name": None}], "flipped": 3, "searched": 4},
    }
    yield json.dumps(files).encode()
    for name, content in files.items():
        yield json.dumps({name: content}).encode()


# TOML


def read_toml_files(data: bytes) -> None:
    """Options of an audit, rules of a gate, and prompts."""
    path = _file(data, "file.toml")
    _each(
        lambda: read_config(path),
        lambda: read_rules(path),
        lambda: find_preset(f"{path}:age"),
        lambda: find_preset(path),
    )


def toml_seeds() -> Iterator[bytes]:
    """The files of the documentation and the presets."""
    for page in sorted((TESTS.parent / "docs").rglob("*.md")):
        for block in re.findall(r"```toml.*?\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            yield block.encode()
    for preset in sorted(PRESETS.glob("*.toml")):
        yield preset.read_bytes()


# Photographs


def read_picture(data: bytes) -> None:
    """A photograph, cut in its middle."""
    in_middle(read_photograph(_file(data, "picture")), SIDE)


def picture_seeds() -> Iterator[bytes]:
    """All formats, modes and metadata that pictures come with."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112], turned[0x010E] = 6, "a caption"
    clear = colours.copy()
    clear.putalpha(100)
    deep = Image.fromarray(rng.integers(0, 65535, (20, 24), np.uint16))
    pictures: list[tuple[Image.Image, str, dict[str, Any]]] = [
        *((colours, form, {"exif": turned}) for form in ("JPEG", "PNG", "WEBP")),
        *((colours.convert(mode), "JPEG", {"quality": 30, "progressive": True}) for mode in ("L", "CMYK", "YCbCr")),
        *((clear.convert(mode), "PNG", {"optimize": True}) for mode in ("RGBA", "LA", "P", "1", "L")),
        (colours.convert("P"), "PNG", {"transparency": 3}),
        (colours, "PNG", {"icc_profile": b"\0" * 128, "save_all": True, "append_images": [clear.convert("RGB")]}),
        (deep, "PNG", {}),
        (clear, "WEBP", {"lossless": True}),
        (colours, "WEBP", {"save_all": True, "append_images": [colours.rotate(90)]}),
    ]
    for picture, form, options in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        yield buffer.getvalue()


def read_table(data: bytes) -> None:
    """A table of pairs, beside pictures a.png, b.png and c.png."""
    folder = WORK / "pairs"
    folder.mkdir(exist_ok=True)
    for number, name in enumerate("abc"):
        Image.new("RGB", (20, 24), (number, 9, 9)).save(folder / f"{name}.png")
    (folder / "pairs.csv").write_bytes(data)
    pairs = read_pairs(folder / "pairs.csv")
    edits = [*pairs.attributes, *range(len(pairs.controls))]
    pairs.read([Wanted(0, edit, strength) for edit in edits for strength in pairs.strengths(0, edit)])


def table_seeds() -> Iterator[bytes]:
    """Tables with and without what may be left out."""
    yield b"image,attribute,strength,file\nx,,0,a.png\nx,smile,1,b.png\n"
    marked = b"\xef\xbb\xbfkind,seed,image,attribute,strength,file\r\n"
    yield marked + b',3,"x, y",,0,a.png\r\nedit,3,"x, y",hat,-.5,b.png\r\n'
    yield b"image,attribute,strength,file,kind\nx,,0,a.png,\nx,smile,1,b.png,edit\nx,crop,2e1,c.png,control\n"


def read_face_points(data: bytes) -> None:
    """landmarks.json where it begins as JSON does, else landmarks.csv; and the squares that its points cut."""
    folder = WORK / "photographs"
    folder.mkdir(exist_ok=True)
    for name in ("landmarks.csv", "landmarks.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / ("landmarks.json" if data[:1] in (b"{", b"[") else "landmarks.csv")).write_bytes(data)
    picture = Image.new("RGB", (60, 40))
    _each(*(lambda points=points: by_points(picture, points, FFHQ, SIDE) for points in read_landmarks(folder).values()))


def landmark_seeds() -> Iterator[bytes]:
    """Both formats."""
    points = {"left_eye": [22.5, 15], "right_eye": [38, 15.5], "mouth": [30, 28]}
    yield json.dumps({"a.png": points, "b.jpg": {**points, "mouth": [31, 29.5]}}).encode()
    columns = [f"{name}_{axis}" for name in points for axis in "xy"]
    values = [str(value) for place in points.values() for value in place]
    lines = [",".join(["file", *columns]), ",".join(["a.png", *values]), '"b ""c"".png",1,2,3,4,5,6']
    yield "\n".join(lines).encode()


READERS: dict[str, Reader] = {
    "nvidia": Reader(read_nvidia, nvidia_seeds, mutations.pickled, 1.5),
    "tensorflow": Reader(read_tensorflow, tensorflow_seeds, mutations.pickled),
    "rosinality": Reader(read_rosinality, rosinality_seeds, mutations.archived),
    "safetensors": Reader(read_tensors, safetensors_seeds, mutations.safetensors),
    "onnx": Reader(read_onnx, onnx_seeds, mutations.protobuf, 1.5),
    "onnx-whole": Reader(read_onnx_whole, onnx_seeds, mutations.protobuf),
    "tfjs": Reader(read_tfjs_graph, tfjs_seeds, mutations.json_value, 0.6),
    "decoder": Reader(read_decoder, decoder_seeds, mutations.protobuf, 0.7),
    "decoder-whole": Reader(read_decoder_whole, decoder_seeds, mutations.protobuf, 0.7),
    "records": Reader(read_records, records_seeds, mutations.json_lines),
    "manifest": Reader(read_manifest, manifest_seeds, mutations.json_value),
    "folder": Reader(read_folder, folder_seeds, mutations.json_value),
    "toml": Reader(read_toml_files, toml_seeds, mutations.toml),
    "photographs": Reader(read_picture, picture_seeds, mutations.picture),
    "pairs": Reader(read_table, table_seeds, mutations.table, 0.6),
    "landmarks": Reader(read_face_points, landmark_seeds, mutations.json_value, 0.6),
}
