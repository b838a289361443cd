"""Hostile checkpoints: name → the file, the error's class, and what its message must say.

`marked` is a file that must not exist after any of them was opened: each one that runs code would make it.
"""

from __future__ import annotations

import _codecs
import copyreg
import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from checkpoint_files import (
    EasyDict,
    Network,
    fake_modules,
    nvidia_bytes,
    nvidia_generator,
    rosinality_bytes,
    rosinality_state,
    stylegan3_bytes,
    stylegan3_generator,
)
from literal_stylegan2 import Literal
from literal_stylegan3 import Literal3
from tensorflow_files import tensorflow_bytes

from zoom_engine.common.errors import CheckpointError, UnsafeCheckpointError

SMALL = Literal(resolution=8, channels=(5, 4))
PROTO = b"\x80\x04"


class Hostile(NamedTuple):
    data: bytes
    error: type[CheckpointError]
    says: str


class Call:
    """Reduces to a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.reduced


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def _global(name: str) -> bytes:
    module, _, member = name.rpartition(".")
    return f"c{module}\n{member}\n".encode()


def _blob(claimed: int, present: bytes = b"") -> bytes:
    """A pickled storage that claims to have ``claimed`` floats."""
    identity = b"(" + _text("storage") + _global("torch.FloatStorage") + _text("1") + _text("cpu")
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts.append(b"\x80\x02" + identity + b"\x8a\x08" + struct.pack("<q", claimed) + b"NtQ.")
    return b"".join([*parts, pickle.dumps(["1"], 2), struct.pack("<q", claimed), present])


def _view(storage: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """NVIDIA's pickle with such a tensor as the average latent."""
    nested = Call(torch.storage._load_from_bytes, storage)
    record = Call(torch._utils._rebuild_tensor_v2, nested, offset, shape, strides, False, OrderedDict())
    generator = nvidia_generator(SMALL)
    generator.mapping._buffers["w_avg"] = record  # type: ignore[assignment]
    return nvidia_bytes(SMALL, generator=generator)


def _stylegan3(module: str, **attributes: Any) -> bytes:
    """A pickle of StyleGAN3 with such attributes of one of its modules."""
    literal = Literal3()
    generator = stylegan3_generator(literal)
    generator.get_submodule(module).__dict__.update(attributes)
    return stylegan3_bytes(literal, generator=generator)


def _stylegan3_view(module: str, name: str, shape: tuple[int, ...]) -> bytes:
    """A pickle of StyleGAN3 with a buffer of such a shape, all of whose elements are one."""
    nested = Call(torch.storage._load_from_bytes, _blob(1, bytes(4)))
    record = Call(torch._utils._rebuild_tensor_v2, nested, 0, shape, (0,) * len(shape), False, OrderedDict())
    literal = Literal3()
    generator = stylegan3_generator(literal)
    generator.get_submodule(module)._buffers[name] = record  # type: ignore[assignment]
    return stylegan3_bytes(literal, generator=generator)


def _zip(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _repacked(change: dict[str, bytes]) -> bytes:
    """rosinality's archive with some entries replaced."""
    with zipfile.ZipFile(io.BytesIO(rosinality_bytes(Literal(z_dim=12)))) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    folder = next(iter(entries)).split("/")[0]
    return _zip(entries | {f"{folder}/{name}": data for name, data in change.items()})


def _dumps(value: Any, protocol: int = 4) -> bytes:
    with fake_modules():
        return pickle.dumps(value, protocol=protocol)


def _text_as_weights(text: bytes) -> bytes:
    """TensorFlow's pickle with such a text (in UTF-8) as the bytes of the average latent."""
    mark = "a" * len(text)
    state = (1, (len(text) // 4,), np.dtype("f4"), False, mark)
    array = Call(np.zeros(1).__reduce__()[0], np.ndarray, (0,), b"b", state=state)
    return tensorflow_bytes(SMALL, returned={"dlatent_avg": array}).replace(mark.encode(), text)


def _one_storage_for_all() -> bytes:
    """A generator whose weights are all views of one storage: five times as large as its file."""
    literal = Literal(resolution=32, channels=(300, 300, 300, 300), z_dim=300, w_dim=300)
    state = rosinality_state(literal)
    shared = torch.zeros(max(value.numel() for value in state.values()))
    buffer = io.BytesIO()
    views = {k: v if "kernel" in k else shared[: v.numel()].view(v.shape) for k, v in state.items()}
    torch.save({"g_ema": views}, buffer)
    return buffer.getvalue()


def _names_that_grow() -> bytes:
    """Variables of which each has a name of a megabyte, the same one."""
    name, value = "a" * 1_000_000, np.zeros(1, np.float32)
    networks = [Network(version=4, variables=[(name, value)] * 50_000)] * 3
    return _dumps(tuple(networks))


def hostile_files(marked: Path) -> dict[str, Hostile]:
    touch = f"open({str(marked)!r}, 'w')"
    shell = f"touch {marked}"
    unsafe, damaged = UnsafeCheckpointError, CheckpointError
    files: dict[str, Hostile] = {}
    for protocol in range(6):
        data = pickle.dumps({"G_ema": Call(os.system, shell)}, protocol)
        files[f"os.system, protocol {protocol}"] = Hostile(data, unsafe, "posix.system")
    calls = {
        "builtins.exec": (exec, touch),
        "builtins.eval": (eval, touch),
        "builtins.__import__": (__import__, "this"),
        "builtins.getattr": (getattr, "x", "__class__"),
        "builtins.print": (print, "x"),
        "subprocess.Popen": (subprocess.Popen, ["touch", str(marked)]),
        "_pickle.loads": (pickle.loads, pickle.dumps(Call(exec, touch))),
        "torch.serialization.load": (torch.load, str(marked)),
        "torch.jit._serialization.load": (torch.jit.load, str(marked)),
        "numpy.load": (np.load, str(marked)),
        "builtins.bytearray": (bytearray, 1 << 40),
        "builtins.range": (range, 1 << 60),
    }
    for name, (function, *arguments) in calls.items():
        files[name] = Hostile(pickle.dumps(Call(function, *arguments)), unsafe, name)

    nested = io.BytesIO()
    torch.save(Call(os.system, shell), nested, _use_new_zipfile_serialization=False)
    hidden = _dumps(Call(torch.storage._load_from_bytes, nested.getvalue()))
    legacy_archive = nested.getvalue()
    with_state = pickle.dumps(Call(os.system, shell), 2)
    files |= {
        "INST": Hostile(b"(S'" + shell.encode() + b"'\nios\nsystem\n.", unsafe, "os.system"),
        "OBJ": Hostile(b"(" + _global("os.system") + _text(shell) + b"o.", unsafe, "os.system"),
        "NEWOBJ": Hostile(
            PROTO + _global("subprocess.Popen") + _text(shell) + b"\x85\x81.", unsafe, "subprocess.Popen"
        ),
        "NEWOBJ_EX with keywords": Hostile(
            PROTO + _global("collections.OrderedDict") + b")}" + _text("a") + b"K\x01s\x92.", unsafe, "keywords"
        ),
        "STACK_GLOBAL": Hostile(PROTO + b"\x8c\x02os\x8c\x06system\x93.", unsafe, "os.system"),
        "STACK_GLOBAL of numbers": Hostile(PROTO + b"K\x01K\x02\x93.", damaged, "makes no sense"),
        "a dotted name": Hostile(
            PROTO + _text("collections") + _text("OrderedDict.get") + b"\x93.", unsafe, "Dict.get"
        ),
        "globals of an allowed function": Hostile(
            b"ctorch_utils.persistence\n_reconstruct_persistent_obj.__globals__\n.", unsafe, "__globals__"
        ),
        "control characters in a name": Hostile(b"cos\x1b[2J\nsys\x07tem\n.", unsafe, r"os\?\[2J\.sys\?tem"),
        "an endless name": Hostile(b"c" + b"o" * 100_000 + b"\nsystem\n.", unsafe, "…"),
        "the extension registry": Hostile(PROTO + b"\x82\x01.", unsafe, "extension registry"),
        "a call of text": Hostile(PROTO + _text("os.system") + b")R.", unsafe, "calls a str"),
        "a call of a type that is only named": Hostile(
            PROTO + _global("numpy.ndarray") + b")R.", unsafe, "numpy.ndarray"
        ),
        "a reconstructor of a reconstructor": Hostile(
            PROTO + _global("copyreg._reconstructor") * 2 + _global("builtins.object") + b"N\x87R.", damaged, "copyreg"
        ),
        "copyreg of a hostile class": Hostile(
            _dumps(Call(copyreg._reconstructor, subprocess.Popen, object, None)), unsafe, "subprocess.Popen"
        ),
        "state for a function": Hostile(PROTO + _global("_codecs.encode") + b"}b.", damaged, "takes the state"),
        "state with __setstate__": Hostile(
            _dumps(EasyDict(__setstate__=Call(os.system, shell))), unsafe, "posix.system"
        ),
        "a persistent id": Hostile(PROTO + _text("x") + b"Q.", unsafe, "persistent object"),
        "a persistent id as text": Hostile(b"(Pos.system\n.", unsafe, "persistent object"),
        "hidden in a storage": Hostile(hidden, unsafe, "posix.system"),
        "an array of objects": Hostile(_dumps(np.array([Call(os.system, shell)], dtype=object)), unsafe, "dtype 'O8'"),
        "a structured dtype": Hostile(_dumps(np.zeros(2, [("a", "f4")])), unsafe, "dtype 'V4'"),
        "a scalar of objects": Hostile(
            PROTO + SCALAR + _global("numpy.dtype") + b"\x8c\x02O8\x85RC\x08" + b"\1" * 8 + b"\x86R.",
            unsafe,
            "dtype 'O8'",
        ),
        "a scalar of text": Hostile(
            PROTO + SCALAR + _global("numpy.dtype") + b"\x8c\x03<U9\x85RC\x24" + bytes(36) + b"\x86R.", unsafe, "'<U9'"
        ),
        "a scalar of dates": Hostile(
            PROTO + SCALAR + _global("numpy.dtype") + b"\x8c\x02M8\x85RC\x08" + bytes(8) + b"\x86R.",
            unsafe,
            "dtype 'M8'",
        ),
        "a scalar without a dtype": Hostile(
            PROTO + SCALAR + b"\x8c\x02f4C\x04\0\0\0\0\x86R.", damaged, "numpy's scalar"
        ),
        "a scalar of fewer bytes than its dtype": Hostile(
            PROTO + SCALAR + FLOAT + b"C\x03\0\0\0\x86R.", damaged, "numpy's scalar"
        ),
        "a scalar of more bytes than its dtype": Hostile(
            PROTO + SCALAR + FLOAT + b"B" + struct.pack("<I", 4 << 20) + bytes(4 << 20) + b"\x86R.",
            damaged,
            "numpy's scalar",
        ),
        "a scalar that claims 2^40 bytes": Hostile(
            PROTO + SCALAR + FLOAT + b"\x8e" + struct.pack("<Q", 1 << 40) + bytes(4) + b"\x86R.", damaged, "ends within"
        ),
        "a scalar of wide text": Hostile(
            PROTO + SCALAR + FLOAT + _text("\u20ac" * 4) + b"\x86R.", damaged, "makes no sense"
        ),
        "another codec": Hostile(_dumps(Call(_codecs.encode, "x", "rot13")), damaged, "_codecs.encode"),
        "out-of-band buffers": Hostile(b"\x80\x05\x97.", damaged, "outside of the file"),
        "a torch file of the old kind": Hostile(legacy_archive, unsafe, "posix.system"),
        "a torch archive": Hostile(_repacked({"data.pkl": with_state}), unsafe, "posix.system"),
        # time and memory
        "a memo index of 2^32 - 1": Hostile(PROTO + b"Nr\xff\xff\xff\xff.", damaged, "none of NVIDIA"),
        "a memo index of 90 digits": Hostile(b"(p" + b"9" * 90 + b"\n.", damaged, "makes no sense"),
        "billion laughs": Hostile(PROTO + b"]\x94" + b"(h\x00h\x00h\x00h\x00lq\x00" * 40_000 + b".", damaged, "NVIDIA"),
        "a key that hashes for ever": Hostile(
            PROTO + b"}(K\x01" + b"2\x86" * 60 + b"K\x01u.", damaged, "makes no sense"
        ),
        "colliding keys": Hostile(
            PROTO
            + b"}("
            + b"".join(b"\x8a\x0a%sN" % (i * (2**61 - 1)).to_bytes(10, "little") for i in range(60_000))
            + b"u.",
            damaged,
            "without the network 'G_ema'",
        ),
        "a million sets": Hostile(PROTO + b"\x8f" * 1_000_000, damaged, "more than 300000 operations"),
        "a million marks": Hostile(PROTO + b"(" * 1_000_000, damaged, "nests more than"),
        "tuples 250,000 deep": Hostile(PROTO + b")" + b"\x85" * 250_000 + b".", damaged, "not the three networks"),
        "lists 100,000 deep": Hostile(PROTO + b"]" * 100_000 + b"a" * 99_999 + b".", damaged, "none of NVIDIA"),
        "bytes of 2^62": Hostile(PROTO + b"\x8e" + struct.pack("<Q", 1 << 62), damaged, "ends within"),
        "text of 2^40": Hostile(PROTO + b"\x8d" + struct.pack("<Q", 1 << 40), damaged, "ends within"),
        "a frame of 2^60": Hostile(PROTO + b"\x95" + struct.pack("<Q", 1 << 60) + b"N.", damaged, "NVIDIA"),
        "an integer of 2 GiB": Hostile(PROTO + b"\x8b" + struct.pack("<I", 2**31 - 1), damaged, "ends within"),
        "an integer of a million bytes": Hostile(
            PROTO + b"\x8b" + struct.pack("<I", 1_000_000) + b"\x01" * 1_000_000 + b".", damaged, "makes no sense"
        ),
        "an integer of a million digits": Hostile(b"(I" + b"9" * 1_000_000 + b"\n.", damaged, "makes no sense"),
        "a line of 40 MiB": Hostile(b"(S'" + b"a" * (40 << 20) + b"'\n.", damaged, "none of NVIDIA"),
        "a name of 40 MiB": Hostile(b"(c" + b"a" * (40 << 20) + b"\nb\n.", damaged, "MiB"),
        "a number of 40 MiB": Hostile(b"(F" + b"1" * (40 << 20) + b"\n.", damaged, "makes no sense"),
        "texts of 40 MiB": Hostile(
            PROTO + (b"X\x00\x10\x00\x00" + b"a" * 4096 + b"0") * 10_000 + b"N.", damaged, "MiB"
        ),
        "a string with an unknown escape": Hostile(b"(S'a\\qb'\n.", damaged, "makes no sense"),
        "wide text": Hostile(PROTO + _text("😀" + "a" * (36 << 20)) + b".", damaged, "none of NVIDIA"),
        "wide text as weights": Hostile(_text_as_weights("😀".encode() + b"a" * (36 << 20)), damaged, "not latin1"),
        "text that is none as weights": Hostile(
            _text_as_weights(b"a" * (2 << 20) + b"\xff" + b"a" * (2 << 20)), damaged, "not latin1"
        ),
        "a short wide text as weights": Hostile(_text_as_weights("€€€€".encode()), damaged, "is text"),
        "a dictionary copied for ever": Hostile(
            PROTO
            + b"}\x94("
            + b"".join(b"J%sN" % struct.pack("<i", i) for i in range(20_000))
            + b"u0"
            + (_global("dnnlib.util.EasyDict") + b"h\x00\x85R") * 2_000
            + b".",
            damaged,
            "MiB",
        ),
        "text encoded for ever": Hostile(
            PROTO
            + _text("a" * 4_096)
            + b"\x940"
            + (_global("_codecs.encode") + b"h\x00" + _text("latin1") + b"\x86R") * 10_000
            + b".",
            damaged,
            "MiB",
        ),
        "a text that is a storage a thousand times": Hostile(
            PROTO
            + _text(_blob(1_000_000, bytes(4_000_000)).decode("latin1"))
            + b"\x940"
            + (
                _global("torch.storage._load_from_bytes")
                + _global("_codecs.encode")
                + b"h\x00"
                + _text("latin1")
                + b"\x86R\x85R"
            )
            * 1_000
            + b".",
            damaged,
            "none of NVIDIA",
        ),
        "a shape of 100,000 axes": Hostile(
            PROTO + EMPTY + b"(K\x01(" + b"K\x01" * 100_000 + b"t" + FLOAT + b"\x89C\x04\0\0\0\0tb.",
            damaged,
            "takes the state",
        ),
        "a storage that claims 2^40 floats": Hostile(_view(_blob(1 << 40), 0, (12,), (1,)), damaged, "claims"),
        "a storage of negative size": Hostile(_view(_blob(-1), 0, (12,), (1,)), damaged, "reference to a storage"),
        "a view of 2^40 elements": Hostile(
            _view(_blob(12, bytes(48)), 0, (1 << 40,), (0,)), damaged, "views a storage"
        ),
        "a view of 2^124 elements": Hostile(
            _view(_blob(12, bytes(48)), 0, (1 << 62, 1 << 62), (1, 1)), damaged, "views a storage"
        ),
        "a view that leaves its storage": Hostile(_view(_blob(12, bytes(48)), 1, (12,), (1,)), damaged, "lie within"),
        "a view with wide strides": Hostile(_view(_blob(12, bytes(48)), 0, (12,), (1 << 61,)), damaged, "lie within"),
        "a view with negative strides": Hostile(
            _view(_blob(12, bytes(48)), 11, (12,), (-1,)), damaged, "_rebuild_tensor_v2"
        ),
        "a view at a negative offset": Hostile(
            _view(_blob(12, bytes(48)), -4, (12,), (1,)), damaged, "_rebuild_tensor_v2"
        ),
        "a view with too few strides": Hostile(_view(_blob(12, bytes(48)), 0, (3, 4), (1,)), damaged, "strides"),
        "weights that share one storage": Hostile(_one_storage_for_all(), damaged, "cannot hold"),
        # StyleGAN3
        "a StyleGAN3 of 2^40 pixels a side": Hostile(
            _stylegan3("synthesis.L4_16_3", out_size=np.array([1 << 40] * 2)), damaged, "size of a square"
        ),
        "a size of 2^40 sides": Hostile(
            _stylegan3(
                "synthesis.input",
                size=Call(
                    np.zeros(1).__reduce__()[0],
                    np.ndarray,
                    (0,),
                    b"b",
                    state=(1, (1 << 40,), np.dtype("i8"), False, bytes(16)),
                ),
            ),
            damaged,
            "has 16 bytes",
        ),
        "a size that is code": Hostile(_stylegan3("synthesis.input", size=Call(os.system, shell)), unsafe, "system"),
        "a filter of 2^40 taps": Hostile(
            _stylegan3_view("synthesis.L0_36_9", "up_filter", (1 << 40,)), damaged, "padding"
        ),
        "2^40 frequencies": Hostile(
            _stylegan3_view("synthesis.input", "freqs", (1 << 40, 2)), damaged, "whole numbers"
        ),
        "frequencies that repeat": Hostile(
            _stylegan3_view("synthesis.input", "freqs", (1 << 14, 2)), damaged, "cannot hold"
        ),
        # archives
        "a zip bomb": Hostile(
            _zip({"a/data.pkl": bytes(20_000_000)}, zipfile.ZIP_DEFLATED), damaged, "compressed or encrypted"
        ),
        "a zip of 30,000 entries": Hostile(
            _zip({"a/data.pkl": b"N."}) + b"PK\x01\x02" * 30_000, damaged, "20000 entries"
        ),
        "a zip with names that climb": Hostile(_zip({"../../data.pkl": with_state}), damaged, "without data.pkl"),
        "a zip that is no torch file": Hostile(_zip({"a.txt": b"x"}), damaged, "without data.pkl"),
        "a storage shorter than claimed": Hostile(_repacked({"data/0": b"\0" * 4}), damaged, "it has 4 bytes"),
        "a big-endian archive": Hostile(_repacked({"byteorder": b"big"}), damaged, "big-endian"),
        "an archive's directory cut off": Hostile(rosinality_bytes(SMALL)[:-30], damaged, "zip directory"),
        # other files
        "nothing": Hostile(b"", damaged, "empty"),
        "a PNG": Hostile(b"\x89PNG\r\n\x1a\n" + bytes(100), damaged, "no generator checkpoint"),
        "a web page": Hostile(b"<!DOCTYPE html><title>Quota exceeded</title>", damaged, "no generator checkpoint"),
        "a program": Hostile(b"\x7fELF" + bytes(100), damaged, "no generator checkpoint"),
        "keys that command the terminal": Hostile(_dumps({"\x1b[2J": 1}), damaged, r"it has \?\[2J"),
        "names that grow": Hostile(_names_that_grow(), damaged, "missing"),
        "bytes after the pickle": Hostile(nvidia_bytes(SMALL) + bytes(10), damaged, "bytes follow"),
        "protocol 200": Hostile(b"\x80\xc8N.", damaged, "no pickle protocol 200"),
    }
    return files


EMPTY = _global("numpy.core.multiarray._reconstruct") + _global("numpy.ndarray") + b"K\x00\x85C\x01b\x87R"
SCALAR = _global("numpy._core.multiarray.scalar")
FLOAT = _global("numpy.dtype") + b"\x8c\x02f4\x89\x88\x87R"
