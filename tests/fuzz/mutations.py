"""Changes that keep a file's form where bytes alone get nowhere: of what lies in archives, pickles, protobufs and JSON.

A mutation is ``(data, random, change) → data``; ``change`` is libFuzzer's own, of plain bytes. What is not of the form
is changed as bytes.
"""

from __future__ import annotations

import copy
import csv
import functools
import io
import json
import pickle
import pickletools
import random
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable, MutableSequence, Sequence
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

Change = Callable[[bytes], bytes]
Mutation = Callable[[bytes, random.Random, Change], bytes]
NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, -1, -7, 255, 2**31 - 1, 2**31, 2**32, -(2**31), 2**53, 2**62, 2**63, -(2**63), 2**64, 10**400),
    *(0.0, -0.0, 0.5, 1e-9, 5e-324, 1e16, 1e300, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
)
TEXTS = ("", " ", "a", "0", "-1", "nan", "é€😀", "\ud800", "\x1b[2J", "a\nb", "\0", "|", "../x", "a" * 5000, "%s{}")
VALUES = (*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], [None], [0, 1], [1, 0], {"a": 1}, [{}], ["a"], [0.5] * 9)


class Raw(str):
    """TOML that stands as it is: what JSON has no word for."""


RAW_TOML = tuple(
    map(Raw, ["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "9" * 5000, "0x" + "f" * 5000, "inf", "nan", "1e999"])
)
DEEP_TOML = Raw("[" * 3000 + "]" * 3000)


# JSON, and TOML as a value


def changed_value(root: Any, rng: random.Random, values: Sequence[Any] = VALUES) -> Any:
    """A copy of ``root`` with one to three of its parts replaced, removed, doubled, renamed or moved."""
    root = copy.deepcopy(root)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        slots = _places(root)
        if not slots:
            return rng.choice(values)
        holder, key = rng.choice(slots)
        kind = rng.randrange(10)
        if kind < 5:
            holder[key] = copy.deepcopy(rng.choice(values))
        elif kind == 5:
            holder_of_other, name = rng.choice(slots)
            holder[key] = copy.deepcopy(holder_of_other[name])
        elif kind == 6:
            del holder[key]
        elif kind == 7 and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[key : key + 1]) * rng.choice((1, 2, 70)))
        elif kind == 7:
            names = [name for holder_of_other, name in slots if isinstance(name, str)]
            holder[rng.choice((*names, *TEXTS))] = holder.pop(key)
        elif kind == 8:
            holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
        else:
            holder[key] = _nudged(holder[key], rng)
    return root


def _places(root: Any) -> list[tuple[Any, Any]]:
    results: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting and len(results) < 5000:
        holder = waiting.pop()
        of_list = range(len(holder)) if isinstance(holder, list) else ()
        keys = list(holder) if isinstance(holder, dict) else list(of_list)
        results += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys]
    return results


def _nudged(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return not value
    if isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        return value[:place] + rng.choice(TEXTS) + value[place + rng.randrange(2) :]
    return rng.choice((-value, value + 1, value - 1, float(value) if abs(value) < 1e300 else 0.0, str(value)))


def json_value(data: bytes, rng: random.Random, change: Change) -> bytes:
    """One JSON value; texts that are JSON themselves are changed inside too."""
    if rng.random() < 0.15:
        return _deep() if rng.random() < 0.02 else change(data)
    try:
        root = json.loads(data)
        return _dumped(changed_value(root, rng))
    except (ValueError, RecursionError):
        return change(data)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _deep() -> bytes:
    return b"[" * 50_000 + b"]" * 50_000


def json_lines(data: bytes, rng: random.Random, change: Change) -> bytes:
    """A JSON value a line."""
    lines = data.splitlines(keepends=True) or [b""]
    place = rng.randrange(len(lines))
    match rng.randrange(12):
        case 0:
            del lines[place]
        case 1:
            lines.insert(rng.randrange(len(lines)), lines[place])
        case 2:
            lines[place] = lines[place].rstrip(b"\n")
        case _:
            lines[place] = json_value(lines[place].rstrip(b"\n"), rng, change) + b"\n"
    return b"".join(lines)


def toml(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The values of a TOML file."""
    if rng.random() < 0.3:
        return change(data)
    try:
        root = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return change(data)
    raw = DEEP_TOML if rng.random() < 0.02 else rng.choice(RAW_TOML)
    changed = changed_value(root, rng, (*VALUES, raw, raw))
    if not isinstance(changed, dict):
        return change(data)
    return "".join(f"{json.dumps(key)} = {_in_toml(value)}\n" for key, value in changed.items()).encode(
        "utf-8", "backslashreplace"
    )


def _in_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_in_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not isinstance(value, Raw):
        return json.dumps(value)
    return "''" if value is None else str(value)


# Pickles and what holds them


@functools.lru_cache(maxsize=512)
def _operations(data: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The bytes of each operation of the pickles that follow each other, and what is left."""
    pieces: list[bytes] = []
    position = 0
    while position < len(data) and data[position] in (0x80, *b"(]})cNKJIFX\x8c"):
        starts = []
        try:
            starts.extend(place for _, _, place in pickletools.genops(data[position:]))
        except Exception:  # what is damaged is left as it is
            break
        ends = [*starts[1:], starts[-1] + 1]
        pieces += [data[position + start : position + end] for start, end in zip(starts, ends, strict=True)]
        position += ends[-1]
    return tuple(pieces), data[position:]


PIECES = (
    *(b"(", b")", b"]", b"}", b"\x8f", b"N", b"K\x01", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"R", b"b"),
    *(b"\x81", b"\x92", b"\x93", b"u", b"s", b"e", b"a", b"0", b"1", b"2", b"\x94", b"h\0", b"Q", b"o", b".", b"\x88"),
    *(b"ccollections\nOrderedDict\n", b"ctorch.storage\n_load_from_bytes\n", b"ctorch._utils\n_rebuild_tensor_v2\n"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cos\nsystem\n"),
    *(b"cnumpy.core.multiarray\nscalar\n", b"ctorch\nSize\n", b"ccopyreg\n_reconstructor\n", b"c_codecs\nencode\n"),
    *(b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n", b"cdnnlib.tflib.network\nNetwork\n", b"L5L\n"),
    *(b"X\x05\x00\x00\x00G_ema", b"X\x02\x00\x00\x00f4", b"C\x04\x00\x00\x00\x00", b"X\x05\x00\x00\x00state", b"I01\n"),
    *(b"G" + struct.pack(">d", number) for number in (0.0, -1.0, 1e300, float("nan"), float("inf"))),
    *(pickle.dumps(number, 2)[2:-1] for number in (0, -1, 7, 255, 65536, 2**31, 2**62, 2**63, 2**200)),
    *(b"X" + struct.pack("<I", len(text)) + text for text in (b"", b"a", b"\xed\xa0\x80", b"\x1b[2J\n", "é".encode())),
)


def pickled(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The operations of a pickle, or of the pickles at the beginning of a file."""
    pieces, rest = _operations(data)
    if not pieces or rng.random() < 0.15:
        return change(data)
    pieces = list(pieces)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        match rng.randrange(8):
            case 0:
                del pieces[place]
            case 1:
                pieces[place] = rng.choice(PIECES)
            case 2:
                pieces.insert(place, rng.choice(PIECES))
            case 3:
                pieces[place] = pieces[other]
            case 4:
                pieces[place], pieces[other] = pieces[other], pieces[place]
            case 5:
                pieces[place:place] = pieces[other : other + rng.randrange(1, 12)]
            case 6:
                pieces[place] = _argument(pieces[place], rng)
            case 7:
                del pieces[place : place + rng.randrange(1, 8)]
        if not pieces:
            return change(data)
    return b"".join(pieces) + rest


def _argument(piece: bytes, rng: random.Random) -> bytes:
    """The operation with another argument of the same length, as far as its length says what follows."""
    head = {b"X": 5, b"B": 5, b"T": 5, b"C": 2, b"U": 2, b"\x8c": 2}.get(piece[:1], 1)
    if len(piece) <= head:
        return rng.choice(PIECES)
    place = rng.randrange(head, len(piece))
    other = rng.choice((0, 1, 255, 127, 10, piece[place] ^ (1 << rng.randrange(8))))
    return piece[:place] + bytes([other]) + piece[place + 1 :]


def archived(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The pickle, another member or the directory of a zip archive; of another file its pickles."""
    if data[:2] != b"PK":
        return pickled(data, rng, change)
    members = _members(data) if rng.random() > 0.1 else None
    if not members:
        return change(data)
    name = next((name for name in members if name.endswith("data.pkl")), "")
    kind = rng.random()
    members = dict(members)
    if kind < 0.75 and name:
        members[name] = pickled(members[name], rng, change)
    else:
        name = rng.choice(list(members))
        match rng.randrange(4):
            case 0:
                members[name] = change(members[name])
            case 1:
                members[rng.choice((*TEXTS, f"{name}x", name.replace("data", "code"))) or "a"] = members.pop(name)
            case 2:
                del members[name]
            case 3:
                members[rng.choice(list(members))] = members[name]
    return stored({name.replace("\ud800", "?"): content for name, content in members.items()})


@functools.lru_cache(maxsize=256)
def _members(data: bytes) -> dict[str, bytes] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist() if info.file_size < 1 << 20}
    except Exception:  # a damaged one
        return None


def stored(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members, not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


# safetensors


def safetensors(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The header of a safetensors file, with the JSON texts in its metadata."""
    if rng.random() < 0.15 or len(data) < 10:
        return change(data)
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        if rng.random() < 0.6 and isinstance(header.get("__metadata__"), dict) and header["__metadata__"]:
            name = rng.choice(list(header["__metadata__"]))
            header["__metadata__"][name] = json_value(header["__metadata__"][name].encode(), rng, change).decode()
        else:
            header = changed_value(header, rng)
        text = _dumped(header)
    except (ValueError, AttributeError, RecursionError):
        return change(data)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


# Protobufs


def protobuf(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The fields of an ONNX model."""
    if rng.random() < 0.1:
        return change(data)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _change_field(model, rng, change)
        return model.SerializeToString()
    except (DecodeError, ValueError, TypeError, RecursionError):
        return change(data)


OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain in ("", "ai.onnx")})
METADATA = (
    *('{"task": {"task": "binary"}}', '{"name": 5}', '{"labels": 7}', '{"labels": [1]}', '{"preprocessing": []}'),
    *('{"preprocessing": {"size": -1}}', '{"task": "multiclass"}', '{"task": {"task": "multilabel", "classes": [1]}}'),
)


def _change_field(model: Message, rng: random.Random, change: Change) -> None:
    messages = [model, *_inner(model)]
    message = rng.choice(messages)
    if rng.random() < 0.5:  # most messages are dimensions
        kinds = sorted({type(one).__name__ for one in messages})
        wanted = rng.choice(kinds)
        message = rng.choice([one for one in messages if type(one).__name__ == wanted])
    fields = list(message.DESCRIPTOR.fields)
    present = [field for field, _ in message.ListFields()]
    field = rng.choice(present if present and rng.random() < 0.8 else fields)
    of_same = [one for one in messages if field.message_type and one.DESCRIPTOR is field.message_type]
    values = getattr(message, field.name)
    if isinstance(values, MutableSequence):
        kind = rng.randrange(4)
        if values and kind == 0:
            del values[rng.randrange(len(values))]
        elif field.message_type:
            source = rng.choice(of_same) if of_same else None
            values.add().CopyFrom(copy.deepcopy(source)) if source is not None else values.add()
        elif values and kind < 3:
            values[rng.randrange(len(values))] = _scalar(field, rng, change, None)
        else:
            values.append(_scalar(field, rng, change, None))
    elif rng.random() < 0.15:
        message.ClearField(field.name)
    elif field.message_type:
        if of_same:
            getattr(message, field.name).CopyFrom(copy.deepcopy(rng.choice(of_same)))
        else:
            getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _scalar(field, rng, change, values))


def _inner(message: Message) -> list[Message]:
    result: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if isinstance(value, MutableSequence) else (value,):
                result += [one, *_inner(one)]
    return result


def _scalar(field: FieldDescriptor, rng: random.Random, change: Change, value: Any) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return rng.choice((b"", b"SAME_UPPER", b"reflect", b"\xff", change(value or b"a"), b"location"))
            if field.name == "op_type":
                return rng.choice(OPERATORS)
            texts = [text for text in TEXTS if text != "\ud800"]
            return rng.choice((*texts, *METADATA, "x", "y", "zoom_engine", "value"))
        case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
            return rng.choice((0.0, 1.0, -1.0, 1e30, float("nan"), float("inf")))
        case FieldDescriptor.CPPTYPE_ENUM:
            return rng.choice([one.number for one in field.enum_type.values])
        case FieldDescriptor.CPPTYPE_INT64:
            near = [max(-(2**63), (value or 0) - 1), min(2**63 - 1, (value or 0) + 1)]
            return rng.choice((0, 1, 2, 3, 4, 7, 16, 17, 64, -1, -2, 1 << 20, 2**31, 2**62, 2**63 - 1, *near))
        case _:
            return rng.choice((0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17, 23, 99))


# Pictures


def picture(data: bytes, rng: random.Random, change: Change) -> bytes:
    """The chunks of a PNG, whose check sums are made anew; other pictures as bytes."""
    if not data.startswith(b"\x89PNG") or rng.random() < 0.2:
        return change(data)
    chunks, position = [], 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    if not chunks:
        return change(data)
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    match rng.randrange(5):
        case 0:
            del chunks[place]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), (kind, content))
        case 2:
            kinds = (b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tRNS", b"acTL", b"fcTL", b"PLTE", b"gAMA", b"cHRM")
            chunks[place] = (rng.choice(kinds), content)
        case _:
            chunks[place] = (kind, change(content or b"\0"))
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def table(data: bytes, rng: random.Random, change: Change) -> bytes:
    """A cell of a table of comma-separated values."""
    if rng.random() < 0.3:
        return change(data)
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"))))
    cells = [(row, column) for row in rows for column in range(len(row))]
    if not cells:
        return change(data)
    row, column = rng.choice(cells)
    row[column] = str(rng.choice((*NUMBERS, *TEXTS, *(other[index] for other, index in cells))))
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "backslashreplace")
