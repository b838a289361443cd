"""Inert records in place of a checkpoint's objects: they hold data and can do nothing else.

A record keeps views of the file's bytes; `array()` makes the one float32 copy, after the claimed shape and strides have
been compared with the bytes that are really there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.pickles.long_text import LongText

MOST_DIMENSIONS = 8
MOST_REPEATED = 1 << 20  # elements that a tensor has beyond its storage's: constant noise is saved as it was expanded
FLOATS = ("f2", "f4", "f8")  # of numpy's type strings: what a weight may be stored as
BFLOAT16 = "bf16"  # which numpy lacks
INTEGERS = ("i4", "i8")  # and a size


@dataclass(frozen=True, slots=True, eq=False)
class PersistentRecord:
    """An object of NVIDIA's `torch_utils.persistence`: never rebuilt, its source code never run.

    `state` is the object's `__dict__`; `source` is the Python source code that the file brought, which is only ever
    hashed.
    """

    class_name: str
    state: dict[Any, Any]
    source: str | LongText


@dataclass(slots=True, eq=False)
class NetworkRecord:
    """A `dnnlib.tflib.network.Network`: the dictionary that its `__getstate__` wrote."""

    state: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class DtypeRecord:
    """A numpy dtype: "f4" and the like, with its byte order."""

    code: str
    order: str = "<"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype as numpy's."""
        return np.dtype(self.order + self.code)


@dataclass(slots=True, eq=False)
class StorageRecord:
    """The elements that tensors view: `count` of type `code` in `data`, a slice of the file."""

    code: str
    count: int
    data: memoryview | bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class TensorRecord:
    """A tensor: a view of a storage. Offset and strides count elements."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[np.float32]:
        """Return a float32 copy.

        Raises:
            CheckpointError: the view leaves its storage or is far larger, or holds no finite floats.
        """
        if len(self.strides) != len(self.shape):
            raise CheckpointError(f"is damaged: a tensor of shape {list(self.shape)} has strides {list(self.strides)}")
        count = _checked_count(self.shape)
        if count > self.storage.count + MOST_REPEATED:
            raise CheckpointError(
                f"is damaged, or repeats what it stores: a tensor of shape {list(self.shape)} views a storage of"
                f" {self.storage.count} elements; save it anew, contiguous"
            )
        is_bfloat16 = self.storage.code == BFLOAT16
        dtype = np.dtype("<u2") if is_bfloat16 else _float_dtype(self.storage.code, "<")
        try:
            view: NDArray[Any] = np.ndarray(
                self.shape,
                dtype,
                buffer=self.storage.data,
                offset=self.offset * dtype.itemsize,
                strides=[s * dtype.itemsize for s in self.strides],
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(
                f"is damaged: a tensor of shape {list(self.shape)}, strides {list(self.strides)} and offset"
                f" {self.offset} does not lie within its storage of {self.storage.count} elements"
            ) from error
        # A bfloat16 is the upper half of a float32's bits.
        return _finite((view.astype("<u4") << 16).view("<f4") if is_bfloat16 else view)


@dataclass(slots=True, eq=False)
class ArrayRecord:
    """A numpy array; `data` is its buffer as pickled (text where Python 2 wrote it, and in protocols 0 to 2)."""

    shape: tuple[int, ...] = ()
    dtype: DtypeRecord = field(default_factory=lambda: DtypeRecord("f4"))
    fortran: bool = False
    data: memoryview | bytes | str | LongText = b""

    def array(self) -> NDArray[np.float32]:
        """Return a float32 copy.

        Raises:
            CheckpointError: shape and bytes disagree, or it holds no finite floats.
        """
        return _finite(self._view(_float_dtype(self.dtype.code, self.dtype.order)))

    def integers(self) -> list[int]:
        """Return its elements.

        Raises:
            CheckpointError: they are no integers, or shape and bytes disagree.
        """
        if self.dtype.code not in INTEGERS:
            raise CheckpointError(f"stores a size as '{self.dtype.code}'; only integers are read")
        return [int(value) for value in self._view(self.dtype.dtype).ravel()]

    def _view(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        count = _checked_count(self.shape)
        data = _bytes(self.data)
        if count * dtype.itemsize != len(data):
            raise CheckpointError(f"is damaged: an array of shape {list(self.shape)} has {len(data)} bytes")
        flat: NDArray[Any] = np.frombuffer(data, dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def _checked_count(shape: tuple[int, ...]) -> int:
    if len(shape) > MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise CheckpointError(f"is damaged: no weight has the shape {list(shape)}")
    return math.prod(shape)


def _bytes(data: memoryview | bytes | str | LongText) -> memoryview | bytes:
    if isinstance(data, LongText):
        return data.latin1
    try:
        return data.encode("latin1") if isinstance(data, str) else data
    except UnicodeEncodeError as error:
        raise CheckpointError("is damaged: an array of it is text") from error


def _float_dtype(code: str, order: str) -> np.dtype[Any]:
    if code not in FLOATS:
        raise CheckpointError(f"stores a weight as '{code}'; only float16, bfloat16, float32 and float64 are read")
    return np.dtype(order + code)


def _finite(view: NDArray[Any]) -> NDArray[np.float32]:
    values = np.array(view, dtype=np.float32, order="C")
    if not np.isfinite(values).all():
        raise CheckpointError("holds non-finite weights; the file cannot be used")
    return values
