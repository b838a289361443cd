"""Torch code as ONNX nodes: a `Symbol` goes through it in place of a tensor, and every operation on it is recorded.

So torch stays the one definition. What depends on tensors alone is computed, which folds constants; of a symbol nothing
is computed but shape and type, which takes no time. A symbol's batch counts as one and is open in the graph.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine.common.errors import ExportError
from zoom_engine.runtime.graphs.builder import ELEMENT, GraphBuilder

Function = Callable[..., Any]


class Symbol:
    """A value of the graph that torch's functions take, with a tensor's methods; `like` has its shape and type."""

    def __init__(self, recorder: Recorder, name: str, like: Tensor) -> None:
        """Name a value of the recorder's graph."""
        self.recorder, self.name, self.like = recorder, name, like
        self.shape, self.dtype = like.shape, like.dtype
        self.device = torch.device("cpu")  # where constants for it are made

    @classmethod
    def __torch_function__(
        cls, function: Function, types: object, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        """Record a call of one of torch's functions."""
        symbol = next(value for value in args if isinstance(value, Symbol))
        return symbol.recorder.record(function, args, kwargs or {})

    def __getattr__(self, name: str) -> Function:
        """Return a tensor's method, whose call is recorded."""
        return functools.partial(self._call, getattr(Tensor, name))

    def _call(self, function: Function, *args: object, **kwargs: object) -> object:
        return self.recorder.record(function, (self, *args), kwargs)

    __add__ = functools.partialmethod(_call, Tensor.add)
    __mul__ = functools.partialmethod(_call, Tensor.mul)
    __truediv__ = functools.partialmethod(_call, Tensor.div)
    __matmul__ = functools.partialmethod(_call, Tensor.matmul)
    __getitem__ = functools.partialmethod(_call, Tensor.__getitem__)

    def __len__(self) -> int:
        """Return the size of the first axis."""
        return len(self.like)

    def dim(self) -> int:
        """Return the number of axes."""
        return self.like.dim()


class Recorder(GraphBuilder):
    """A graph to which torch code adds its nodes, see `symbol`."""

    def __init__(self) -> None:
        """Begin with an empty graph."""
        super().__init__()
        self._scope = ""
        self._used: Counter[str] = Counter()
        self._marks: tuple[str, int] | None = None

    def symbol(self, name: str, *shape: int) -> Tensor:
        """Return the graph's float32 input `name` in place of a tensor; a size of one stands for an open axis.

        It may be pictures, or a factor of a matrix product of two inputs.
        """
        return cast(Tensor, Symbol(self, name, torch.empty(shape, device="meta")))

    def rows(self, name: str, size: int) -> Tensor:
        """Return the graph's float32 input `name [batch, size]`, which may be multiplied by pictures and constants."""
        like = torch.empty((1, size), device="meta")
        return cast(Tensor, Symbol(self, self.pixels(name, like), like))

    @contextlib.contextmanager
    def scopes(self, modules: nn.ModuleDict) -> Iterator[None]:
        """Let names of nodes begin with the key of the last of `modules` that was called."""
        thread = threading.get_ident()

        def enter(key: str, *_: object) -> None:
            if threading.get_ident() == thread:  # another may be drawing with these modules
                self._scope = f"{key}."

        handles = [module.register_forward_pre_hook(functools.partial(enter, key)) for key, module in modules.items()]
        try:
            yield
        finally:
            self._scope = ""
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def marked(self, key: str, *, up_to: int) -> Iterator[None]:
        """Add `key` to the metadata of nodes that make pictures of at most `up_to` rows, or no pictures."""
        self._marks = key, up_to
        yield
        self._marks = None

    def record(self, function: Function, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Add the nodes of a call of torch's `function` and return what it returns, with symbols for tensors.

        Raises:
            ExportError: no nodes are known for the function.
        """
        write = WRITERS.get(function.__name__.strip("_"))
        if write is None:
            raise ExportError(f"a graph has no operators for torch's {function.__name__}")
        like = function(*map(_like, args), **{key: _like(value) for key, value in kwargs.items()})
        value = write(self, like, *args, **kwargs)
        return Symbol(self, value, like) if isinstance(value, str) else value

    def rename(self, value: Tensor, name: str) -> None:
        """Rename a symbol's value to `name`, as an output of the graph is called."""
        symbol = cast(Symbol, value)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if known == symbol.name else known for known in names]
        symbol.name = name

    def fresh(self, name: str) -> str:
        """Return a name of this scope that no other value has: `name`, `name2`, ..."""
        name = self._scope + name
        self._used[name] += 1
        return name if self._used[name] == 1 else f"{name}{self._used[name]}"

    def write(self, op: str, like: Tensor, *operands: object, **attributes: object) -> str:
        """Add a node and return its name.

        Operands are values by name, symbols, and as constants tensors, lists (whole numbers) and numbers (of the type
        of `like`).
        """
        name = self.fresh(op)
        inputs = [self._operand(value, like, f"{name}.{index}") for index, value in enumerate(operands)]
        self.node(op, inputs, name, **attributes)
        self.mark(like)
        return name

    def mark(self, like: Tensor) -> None:
        """Mark the last node, whose result is like `like`, if `marked` says so."""
        if self._marks is not None and (like.dim() < 4 or like.shape[2] <= self._marks[1]):
            self.nodes[-1].metadata_props.add(key=self._marks[0], value="true")

    def pixels(self, rows: str, like: Tensor) -> str:
        """Reshape rows `[B, C]` to pictures of one pixel `[B, C, 1, 1]`."""
        return self.write("Reshape", like, rows, [-1, like.shape[1], 1, 1])

    def _operand(self, value: object, like: Tensor, name: str) -> str:
        if isinstance(value, str | Symbol):
            return value if isinstance(value, str) else value.name
        if isinstance(value, float):
            value = torch.tensor(value, dtype=like.dtype)
        elif isinstance(value, Tensor) and like.dim() == 2 and 0 < value.dim() <= 2:
            value = value[..., None, None]
        return self.constant(torch.as_tensor(value), name)


def _like(value: object) -> object:
    if isinstance(value, Symbol):
        return value.like
    return torch.empty_like(value, device="meta") if isinstance(value, Tensor) else value


def resize_matrix(source: int, goal: int, mode: str, *, antialias: bool) -> Tensor:
    """Return `[goal, source]`: what `F.interpolate` does along one axis, its answer to unit vectors."""
    # Some columns wide: with a single one torch (2.13) antialiases wrongly.
    unit = torch.eye(source).view(source, 1, source, 1).repeat(1, 1, 1, 4)
    resized = F.interpolate(unit, size=(goal, 4), mode=mode, antialias=antialias)
    return resized[:, 0, :, 0].T.contiguous()


def _operator(op: str) -> Function:
    return lambda r, like, *operands: r.write(op, like, *operands)


def _convolution(op: str) -> Function:
    def write(r: Recorder, like: Tensor, *operands: object, stride: int = 1, padding: int = 0, groups: int = 1) -> str:
        return r.write(op, like, *operands, strides=[stride] * 2, pads=[padding] * 4, group=groups)

    return write


def _matmul(r: Recorder, like: Tensor, left: Symbol, right: Symbol | Tensor) -> str:
    """Multiply by a constant as a 1×1 convolution."""
    # OpenVINO would compute a matrix product in bfloat16, whatever it is told.
    if isinstance(right, Tensor):
        return r.write("Conv", like, left, right.t()[:, :, None, None])
    return r.pixels(r.write("MatMul", like, left, right), like)


def _getitem(r: Recorder, like: Tensor, x: Symbol, index: tuple[Any, ...]) -> str:
    """Take `[:, :, None, None]` of rows, which are pixels already, or a cut of pictures `[..., a:b, c:d]`."""
    if None in index:
        return x.name
    rows, columns = index[1:]
    return r.write("Slice", like, x, [rows.start, columns.start], [rows.stop, columns.stop], [2, 3])


def _clamp(r: Recorder, like: Tensor, x: Symbol, min: float = -math.inf, max: float = math.inf) -> str:
    return r.write("Clip", like, x, *("" if math.isinf(limit) else float(limit) for limit in (min, max)))


def _to(r: Recorder, like: Tensor, x: Symbol | Tensor, *_: object) -> str | Symbol | Tensor:
    if isinstance(x, Tensor):
        return x.to(like.dtype)
    return x if x.dtype == like.dtype else r.write("Cast", like, x, to=ELEMENT[like.dtype])


def _split(r: Recorder, like: Sequence[Tensor], x: Symbol, sizes: list[int], dim: int) -> tuple[Symbol, ...]:
    names = [r.fresh("share") for _ in like]
    r.node("Split", [x.name, r.constant(torch.tensor(sizes), r.fresh("sizes"))], *names, axis=dim)
    r.mark(x.like)
    return tuple(Symbol(r, name, part) for name, part in zip(names, like, strict=True))


def _interpolate(
    r: Recorder, like: Tensor, x: Symbol, size: Sequence[int], *, mode: str, antialias: bool, **_: None
) -> str:
    """Resize by two matrix products: every resize that torch offers is linear and separable."""
    # That is torch's antialiasing, alignment and rounding to the last weight; ONNX's Resize agrees in some modes only,
    # TensorRT does not antialias.
    rows, columns = (
        resize_matrix(source, goal, mode, antialias=antialias) for source, goal in zip(x.shape[2:], size, strict=True)
    )
    return r.write("MatMul", like, r.write("MatMul", like, rows, x), columns.T)


WRITERS: dict[str, Function] = {
    "abs": _operator("Abs"),
    "add": _operator("Add"),
    "amax": lambda r, like, x, axis, keepdim: r.write("ReduceMax", like, x, [axis], keepdims=int(keepdim)),
    "clamp": _clamp,
    "conv2d": _convolution("Conv"),
    "conv_transpose2d": _convolution("ConvTranspose"),
    "div": _operator("Div"),
    "flip": lambda r, like, x, axis: r.write("Gather", like, x, [*range(like.shape[axis])][::-1], axis=axis),
    "float": _to,
    "getitem": _getitem,
    "interpolate": _interpolate,
    "leaky_relu": lambda r, like, x, negative_slope, **_: r.write("LeakyRelu", like, x, alpha=negative_slope),
    "matmul": _matmul,
    "mul": _operator("Mul"),
    "permute": lambda r, like, x, *axes: r.write("Transpose", like, x, perm=axes),
    "round": _operator("Round"),
    "rsqrt": lambda r, like, x: r.write("Div", like, 1.0, r.write("Sqrt", like, x)),
    "split": _split,
    "square": lambda r, like, x: r.write("Mul", like, x, x),
    "to": _to,
}
