"""The globals that generator checkpoints name, one by one, and the record or plain value that each makes.

Nothing here is imported from, or found by, what a file says: the names are keys of a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError, UnsafeCheckpointError
from zoom_engine.generators.checkpoints.pickles.interpreter import Allowed, Globals, printable
from zoom_engine.generators.checkpoints.pickles.long_text import LongText
from zoom_engine.generators.checkpoints.pickles.records import (
    BFLOAT16,
    MOST_DIMENSIONS,
    ArrayRecord,
    DtypeRecord,
    NetworkRecord,
    PersistentRecord,
    StorageRecord,
    TensorRecord,
)

STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}
ITEM_SIZES = {code: int(code[-1]) for code in STORAGES.values() if code != BFLOAT16} | {BFLOAT16: 2}
DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
TORCH_DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


def _unexpected(what: str) -> CheckpointError:
    return CheckpointError(f"is damaged: the arguments of {what} are not understood")


def _sizes(values: tuple[object, ...]) -> bool:
    return len(values) <= MOST_DIMENSIONS and all(type(value) is int and value >= 0 for value in values)


def _mapping(arguments: tuple[object, ...]) -> dict[object, object]:
    """Make a plain dictionary of an OrderedDict, EasyDict, Namespace or the like; their items follow in the pickle."""
    match arguments:
        case ():
            return {}
        case (dict() as items,):
            return dict(items)
        case (list() as pairs,) if all(type(p) in (list, tuple) and len(p) == 2 and type(p[0]) is str for p in pairs):
            return dict(pairs)
    raise _unexpected("a dictionary")


def _set(arguments: tuple[object, ...]) -> set[str]:
    match arguments:
        case ():
            return set()
        case (list() as items,) if all(type(item) is str for item in items):
            return set(items)
    raise _unexpected("a set")


def _reconstructed(arguments: tuple[object, ...]) -> object:
    """Make an instance as protocols 0 and 1 do: copyreg._reconstructor(class, base, initial value)."""
    match arguments:
        case (Allowed(make=make), Allowed(), initial) if make is not None and make is not _reconstructed:
            return make(() if initial is None else (initial,))
    raise _unexpected("copyreg._reconstructor")


def _persistent(arguments: tuple[object, ...]) -> PersistentRecord:
    match arguments:
        case (
            {
                "type": "class",
                "class_name": str() as name,
                "state": dict() as state,
                "module_src": str() | LongText() as source,
            },
        ):
            return PersistentRecord(name, state, source)
    raise _unexpected("torch_utils.persistence._reconstruct_persistent_obj")


def _tensor(arguments: tuple[object, ...]) -> TensorRecord:
    match arguments:
        case (StorageRecord() as storage, int() as offset, tuple() as shape, tuple() as strides, *_):
            if _sizes(shape) and _sizes(strides) and _sizes((offset,)):
                return TensorRecord(storage, offset, shape, strides)
    raise _unexpected("torch._utils._rebuild_tensor_v2")


def _parameter(arguments: tuple[object, ...]) -> TensorRecord:
    match arguments:
        case (TensorRecord() as tensor, *_):
            return tensor
    raise _unexpected("torch._utils._rebuild_parameter")


def _device(arguments: tuple[object, ...]) -> str:
    match arguments:
        case (str() as kind,) | (str() as kind, int()):
            return kind
    raise _unexpected("torch.device")


def _shape(arguments: tuple[object, ...]) -> tuple[int, ...]:
    match arguments:
        case (tuple() | list() as sizes,) if _sizes(tuple(sizes)):
            return tuple(sizes)
    raise _unexpected("torch.Size")


def _dtype(arguments: tuple[object, ...]) -> DtypeRecord:
    match arguments:
        case (str() as code, *_) if code.lstrip("<>|=") in DTYPES:
            return DtypeRecord(code.lstrip("<>|="), ">" if code.startswith(">") else "<")
        case (str() as code, *_):
            raise UnsafeCheckpointError(
                f"asks for numpy dtype '{printable(code)}', which no weight has: it is not opened"
            )
    raise _unexpected("numpy.dtype")


def _array(arguments: tuple[object, ...]) -> ArrayRecord:
    match arguments:
        case (Allowed(name="numpy.ndarray"), tuple(), _):
            return ArrayRecord()
    raise _unexpected("numpy's _reconstruct")


def _array_from_buffer(arguments: tuple[object, ...]) -> ArrayRecord:
    match arguments:
        case (memoryview() | bytes() as data, DtypeRecord() as dtype, tuple() as shape, "C" | "F" as order):
            if _sizes(shape):
                return ArrayRecord(shape, dtype, order == "F", data)
    raise _unexpected("numpy's _frombuffer")


def _scalar(arguments: tuple[object, ...]) -> int | float | bool:
    """Make a Python number of a numpy scalar, once its bytes are as many as its dtype has."""
    match arguments:
        case (DtypeRecord() as dtype, memoryview() | bytes() | str() as data) if len(data) == dtype.dtype.itemsize:
            raw = data.encode("latin1") if isinstance(data, str) else data
            value: int | float | bool = np.frombuffer(raw, dtype.dtype)[0].item()
            return value
    raise _unexpected("numpy's scalar")


def _encoded(arguments: tuple[object, ...]) -> bytes | LongText:
    """Make bytes of _codecs.encode(text, "latin1"), as Python 3 writes them in protocols 0 to 2.

    A long text encodes itself.
    """
    match arguments:
        case (LongText() as text, "latin1" | "latin-1"):
            return text
        case (str() as text, "latin1" | "latin-1"):
            return text.encode("latin1")
    raise _unexpected("_codecs.encode")


def _empty_bytes(arguments: tuple[object, ...]) -> bytes:
    """Make the empty bytes(), as Python 3 writes them in protocols 0 to 2."""
    if arguments:
        raise _unexpected("bytes")
    return b""


def _network(arguments: tuple[object, ...]) -> NetworkRecord:
    if arguments:
        raise _unexpected("dnnlib.tflib.network.Network")
    return NetworkRecord()


def storage_globals() -> Globals:
    """Return the globals that the pickle of a bare storage may name."""
    return {("torch", name): Allowed(f"torch.{name}") for name in STORAGES}


def network_globals(load_storage: Callable[[bytes | memoryview], StorageRecord]) -> Globals:
    """Return every global that a generator checkpoint may name; `load_storage` opens a storage pickled as bytes."""

    def storage(arguments: tuple[object, ...]) -> StorageRecord:
        match arguments:
            case (bytes() | memoryview() as data,):
                return load_storage(data)
            case (LongText() as text,):
                return load_storage(text.latin1)
        raise _unexpected("torch.storage._load_from_bytes")

    entries: list[tuple[str, str, Callable[[tuple[Any, ...]], Any] | None]] = [
        ("torch_utils.persistence", "_reconstruct_persistent_obj", _persistent),
        ("dnnlib.tflib.network", "Network", _network),
        ("dnnlib.util", "EasyDict", _mapping),
        ("dnnlib", "EasyDict", _mapping),
        ("collections", "OrderedDict", _mapping),
        ("argparse", "Namespace", _mapping),
        ("torch.storage", "_load_from_bytes", storage),
        ("torch._utils", "_rebuild_tensor_v2", _tensor),
        ("torch._utils", "_rebuild_parameter", _parameter),
        ("torch", "device", _device),
        ("torch", "Size", _shape),
        ("numpy", "ndarray", None),
        ("numpy", "dtype", _dtype),
        ("_codecs", "encode", _encoded),
    ]
    for builtins in ("builtins", "__builtin__"):
        entries += [
            (builtins, "object", None),
            (builtins, "dict", _mapping),
            (builtins, "set", _set),
            (builtins, "bytes", _empty_bytes),
        ]
    entries += [(copyreg, "_reconstructor", _reconstructed) for copyreg in ("copyreg", "copy_reg")]
    entries += [("torch", name, None) for name in TORCH_DTYPES]
    for core in ("numpy.core", "numpy._core"):
        entries += [
            (f"{core}.multiarray", "_reconstruct", _array),
            (f"{core}.multiarray", "scalar", _scalar),
            (f"{core}.numeric", "_frombuffer", _array_from_buffer),
        ]
    return {(module, name): Allowed(f"{module}.{name}", make) for module, name, make in entries} | dict(
        storage_globals()
    )


def set_state(instance: object, state: Any) -> None:
    """Do what the BUILD opcode does, for the records above. A dictionary's own attributes are not kept.

    Raises:
        CheckpointError: the instance takes no such state.
    """
    match instance, state:
        case NetworkRecord(), dict():
            instance.state = state
        case DtypeRecord(), (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
            instance.order = ">" if order == ">" else "<"
        case ArrayRecord(), (int(), tuple() as shape, DtypeRecord() as dtype, bool() | int() as fortran, data) if (
            _sizes(shape) and type(data) in (bytes, memoryview, str, LongText)
        ):
            instance.shape, instance.dtype, instance.fortran, instance.data = shape, dtype, bool(fortran), data
        case dict(), dict():
            pass
        case _:
            raise CheckpointError(f"is damaged: no {type(instance).__name__} takes the state that it gives")
