"""The identity of a torch module: its code, its plain attributes and its tensors, as one hash.

The same network has the same hash in another process, place or device. So no name of the caller's files, no line, no
address and no order of a set counts, and installed packages count by name: their versions change often, what they do
seldom. What code cannot say (a file that is read, an extension in C) shows in answers, see `zoom_engine.common.probes`.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import json
import logging
import os
import random
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoom_engine.common.probes import Answers

_PLAIN = (type(None), bool, int, float, complex, bytes, type(Ellipsis), type(NotImplemented), range)
_STATES = (
    torch.Generator,
    random.Random,
    np.random.Generator,
    np.random.RandomState,
    logging.Logger,
    BaseException,
    type(os.environ),
)
"""The types of values that remember or report something, and change no output."""
_UNREAD = re.compile(
    r"__(module|doc|qualname|name|dict|weakref|annotations|annotate\w*|firstlineno|static_attributes|init|new|repr|str"
    r"|format|init_subclass|del|slots|slotnames|parameters|orig_bases|abstractmethods|match_args|dataclass_\w+|constants|file"
    r"|path|spec|loader|package|cached|builtins|reduce|reduce_ex|getstate|setstate|copy|deepcopy|sizeof|dir)__|_abc_impl"
)
"""Members of classes and modules that no picture passes through."""
_CHANGES = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "clear", "remove", "discard"}
_DEEPEST = 150  # values within values
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_MANGLED = re.compile(r"___torch_mangle_\d+\.")  # TorchScript counts classes of one name
_OF_MODULES = frozenset({*vars(nn.Module()), "_is_torch_compile"})
_PACKAGES = re.compile(r"[/\\](site|dist)-packages[/\\]")
_PLACES = tuple(
    os.path.join(os.path.realpath(place), "")
    for place in (
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")),
        *(os.path.dirname(file) for file in (torch.__file__, np.__file__, os.path.dirname(__file__))),
    )
)


class Identity(str):
    """A hash and, where it is known, how the thing with this hash `answers`: caches compare both."""

    answers: Answers | None = None


def module_hash(module: nn.Module | Callable[..., object], *extra: Mapping[str, object]) -> str:
    """Return the SHA-256 of what a module computes in evaluation mode, and of any JSON-ready dicts beside it.

    Instead of a module it may be a method of one, or of another object.

    The hash covers the code that `forward` reaches with the globals, closures and defaults that it reads; plain
    attributes, but for those that this code itself writes; parameters, all buffers, extra state, and forward hooks.
    """
    hashed: dict[int, tuple[Tensor, str]] = {}
    names: frozenset[str] = frozenset({"forward"})
    written: frozenset[str] = frozenset()
    while True:  # which methods are reached is known only when these were read
        reader = _Reader(names, written, hashed)
        parts = reader.of(module)
        if reader.names <= names and reader.written <= written:
            break
        names, written = names | reader.names, written | reader.written
    digest = hashlib.sha256(parts.encode())
    for values in extra:
        digest.update(json.dumps(values, sort_keys=True).encode())
    return digest.hexdigest()


def weights_hash(module: nn.Module, *extra: Mapping[str, object]) -> str:
    """Return the SHA-256 of the structure and the weights of a network of this package, whose code need not be read."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(_bytes_of(value))
    for values in extra:
        digest.update(json.dumps(values, sort_keys=True).encode())
    return digest.hexdigest()


class _Reader:
    """A hasher of values by what they are; what it reads tells it which names count.

    `names` are attributes that the code which is reached reads, `written` what it writes into itself (a counter, a
    cache): reading adds to both.
    """

    def __init__(self, names: frozenset[str], written: frozenset[str], hashed: dict[int, tuple[Tensor, str]]) -> None:
        self.names, self.written = set(names), set(written)
        self._skipped, self._hashed = written, hashed
        self._depth = 0
        self._known: dict[int, tuple[object, str]] = {}  # with the object, so that its id stays its own

    def of(self, value: object) -> str:
        """Return the hash of any value, the same for equal ones."""
        kind = type(value)
        if kind in _PLAIN:
            return f"{kind.__name__} {value!r}"
        if isinstance(value, Identity):  # its answers differ from place to place
            return f"identity {value}"
        if isinstance(value, str) and kind is str:
            return "path" if os.path.isabs(value) else f"str {value!r}"
        if id(value) in self._known:
            return self._known[id(value)][1]
        self._known[id(value)] = value, "itself"
        self._depth += 1
        digest = _digest(self._parts(value)) if self._depth < _DEEPEST else f"deep {_name(kind)}"
        self._depth -= 1
        self._known[id(value)] = value, digest
        return digest

    def _parts(self, value: Any) -> Iterable[str]:
        kind = type(value)
        if isinstance(value, nn.Module):
            return self._module(getattr(value, "_orig_mod", value))  # torch.compile's own, or as it is
        if isinstance(value, Tensor):
            return ["tensor", self._tensor(value)]
        if isinstance(value, np.ndarray | np.generic):
            apart = value.dtype.hasobject or value.dtype.names  # between fields lie bytes that mean nothing
            items = [self.of(value.tolist())] if apart else [hashlib.sha256(value.tobytes()).hexdigest()]
            return ["array", str(value.dtype), str(value.shape), *items]
        if kind in (tuple, list):
            return [kind.__name__, *map(self.of, value)]
        if isinstance(value, set | frozenset):
            return ["set", *sorted(map(self.of, value))]
        if isinstance(value, dict):
            return [self.of(kind), *sorted(_digest([self.of(key), self.of(item)]) for key, item in value.items())]
        if isinstance(value, PurePath):
            return ["path"]  # where a file lies does not count, what is read from it shows in answers
        if isinstance(value, torch.device):
            return ["device"]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.CodeType):
            return self._code(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.ModuleType):
            return self._namespace(value, self.names)
        return self._object(value)

    def _object(self, value: object) -> Iterable[str]:
        kind = type(value)
        if isinstance(value, types.MethodType):
            return ["method", self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, functools.partial):
            return ["partial", self.of(value.func), self.of(value.args), self.of(value.keywords)]
        if isinstance(value, property):
            return ["property", *map(self.of, (value.fget, value.fset))]
        if isinstance(value, staticmethod | classmethod):
            return [kind.__name__, self.of(value.__func__)]
        if isinstance(value, functools.cached_property):
            return ["property", self.of(value.func)]
        if isinstance(value, torch.jit.ScriptFunction):
            return ["script", _MANGLED.sub("", str(value.code))]
        if (wrapped := getattr(value, "__wrapped__", None)) is not None:  # such as functools.lru_cache
            return [_name(kind), self.of(wrapped)]
        if isinstance(value, _STATES):
            return [_name(kind)]
        if callable(value) and isinstance(getattr(value, "__name__", None), str):  # written in C
            owner = getattr(value, "__self__", None)
            return ["builtin", _name(value), *([] if isinstance(owner, types.ModuleType) else [self.of(owner)])]
        try:  # an object is what would be saved of it
            saved = value.__reduce_ex__(4)
        except Exception:  # whatever cannot be saved: a lock, a session
            return [self.of(kind)]
        if isinstance(saved, str):
            return [self.of(kind), saved]
        make, arguments, state, *items = (*saved, None, None, None)[:5]
        if isinstance(state, dict):
            state = {name: part for name, part in state.items() if name not in self._skipped}
        return [
            self.of(kind),
            self.of(make),
            self.of(arguments),
            self.of(state),
            *(self.of(list(i or ())) for i in items),
        ]

    def _module(self, module: nn.Module) -> Iterable[str]:
        kind: Any = type(module)
        written = _written_by(kind) if _is_installed_class(kind) else frozenset()
        state: dict[str, Any] = {}
        module._save_to_state_dict(state, "", True)
        yield self.of(kind)
        if isinstance(module, torch.jit.ScriptModule):
            yield from self._script(module)
        for name, value in sorted(vars(module).items()):
            if name in _OF_MODULES or name in self._skipped or name in written:
                continue
            if isinstance(getattr(kind, name, None), functools.cached_property):
                continue
            if f"{name}_g" in state or f"{name}_orig" in state:
                continue  # computed of these by a hook of torch's own
            if callable(value) or _is_data(value) or name in self.names or _is_installed_class(kind):
                yield f"attribute {name} {self.of(value)}"
        passing = {name: value for name, value in module._buffers.items() if name not in {*state, *self._skipped}}
        for name, value in sorted({**state, **passing}.items()):
            yield f"state {name} {self.of(value)}"
        for name, child in module._modules.items():
            yield f"child {name} {self.of(child)}"
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
            yield f"hook {self.of(hook)}"

    def _script(self, module: Any) -> Iterable[str]:
        try:
            code, constants = module.code_with_constants
        except (RuntimeError, AttributeError):  # it has no forward, or is of a container
            return
        yield f"script {_MANGLED.sub('', code)} {self.of(constants.const_mapping)}"

    def _tensor(self, value: Tensor) -> str:
        if id(value) not in self._hashed:
            about = [type(value).__name__, str(value.dtype)]
            if nn.parameter.is_lazy(value):
                self._hashed[id(value)] = value, " ".join(about)
            elif value.is_quantized:
                parts = (value.detach().int_repr(), *_quantisation(value))
                self._hashed[id(value)] = value, _digest(["quantised", *map(self.of, parts)])
            elif value.layout is not torch.strided:
                dense = value.detach().to_dense()
                self._hashed[id(value)] = value, _digest([str(value.layout), self.of(dense)])
            else:
                known = b"" if value.is_meta else _bytes_of(value)
                self._hashed[id(value)] = (
                    value,
                    _digest([str(value.dtype), str(tuple(value.shape)), hashlib.sha256(known).hexdigest()]),
                )
        return self._hashed[id(value)][1]

    def _class(self, kind: type) -> Iterable[str]:
        for base in kind.__mro__[:-1]:
            if _is_installed_class(base):
                yield _name(base)
                continue
            yield "class"
            for name, member in sorted(vars(base).items()):
                dunder = name.startswith("__") and name.endswith("__")
                if (dunder or name in self.names) and not _UNREAD.fullmatch(name):
                    yield f"{name} {self.of(member)}"

    def _function(self, function: types.FunctionType) -> Iterable[str]:
        if _is_installed(function.__code__.co_filename):
            yield f"{function.__globals__.get('__name__')}.{function.__code__.co_qualname}"  # wrappers say another
        else:
            yield self.of(function.__code__)
            for value in (function.__defaults__, function.__kwdefaults__, vars(function)):
                yield self.of(value)
            names, attributes = _names_in(function.__code__)
            for name in sorted(names - self._skipped):
                if not _UNREAD.fullmatch(name):
                    value = function.__globals__.get(name, getattr(_builtins, name, None))
                    if isinstance(value, types.ModuleType):
                        yield f"global {name} {_digest(self._namespace(value, attributes))}"
                    else:
                        yield f"global {name} {self.of(value)}"
        for cell in function.__closure__ or ():
            try:
                yield self.of(cell.cell_contents)
            except ValueError:
                yield "empty"

    def _namespace(self, module: types.ModuleType, names: Iterable[str]) -> Iterable[str]:
        """Return what the code that names a module of the caller's reads of it."""
        if _is_installed_module(module):
            return [module.__name__]
        read = sorted(name for name in names if name in vars(module) and not _UNREAD.fullmatch(name))
        lines = []
        for name in read:
            value = vars(module)[name]
            inner = isinstance(value, types.ModuleType) and value is not module
            lines.append(f"{name} {_digest(self._namespace(value, names)) if inner else self.of(value)}")
        return lines

    def _code(self, code: types.CodeType) -> Iterable[str]:
        owner = code.co_varnames[0] if code.co_argcount else ""
        chains: dict[object, list[str]] = {}
        first: dict[object, Any] = {}
        last: Any = None
        yield f"code {code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags & 0xFF}"
        yield code.co_exceptiontable.hex()
        for step in dis.get_instructions(code):
            if step.opname in ("EXTENDED_ARG", "NOP", "RESUME"):
                continue
            yield f"{step.opname} {self.of(step.argval)}"
            name = step.argval
            if step.opname in _ATTRIBUTES or (step.opname == "LOAD_CONST" and isinstance(name, str)):
                self.names.update(name.split("."))  # of a text such as operator.attrgetter takes each
            # What stands left of "[...] =" or ".append(" begins where the whole expression does.
            place = step.positions and (step.positions.lineno, step.positions.col_offset)
            if place and place[1] is not None:
                chain, begin = chains.setdefault(place, []), first.setdefault(place, step)
                added = step.opname == "STORE_ATTR" and last.opname == "SWAP" and chain == [name]
                if added and _loads(begin, owner):  # "self.count += 1"
                    self.written.add(name)
                if step.opname == "STORE_SUBSCR" or (step.opname in _ATTRIBUTES and name in _CHANGES):
                    self.written.update(chain)
                if step.opname in (*_ATTRIBUTES, *_GLOBALS):
                    chain.append(name)
            if step.opname == "STORE_GLOBAL" or (step.opname == "STORE_ATTR" and _loads(last, owner)):
                self.written.add(name)
            last = step


_builtins = sys.modules["builtins"]


def _loads(step: Any, name: str) -> bool:
    """Return whether the instruction pushes that local variable last."""
    if step is None or not name:
        return False
    return step.argval == name or (isinstance(step.argval, tuple) and step.argval[-1:] == (name,))


@functools.lru_cache(maxsize=1024)
def _names_in(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Return the globals and the attributes that code reads, with the functions in it."""
    names, attributes = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in _GLOBALS:
            names.add(step.argval)
        elif step.opname in _ATTRIBUTES:
            attributes.add(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            more, further = _names_in(inner)
            names |= more
            attributes |= further
    return frozenset(names), frozenset(attributes)


@functools.lru_cache(maxsize=1024)
def _written_by(kind: type) -> frozenset[str]:
    """Return what methods of an installed class write into itself, such as anchors of the last size of pictures."""
    reader = _Reader(frozenset(), frozenset(), {})
    for base in kind.__mro__[: kind.__mro__.index(nn.Module)]:
        for name, member in vars(base).items():
            if isinstance(member, types.FunctionType) and name != "__init__":
                reader.of(member.__code__)
    return frozenset(reader.written)


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(encoded)} ".encode() + encoded)
    return digest.hexdigest()


def _bytes_of(value: Tensor) -> Any:
    """Return the numbers of a tensor as they lie in memory, whatever its device."""
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy() if plain.numel() else b""


def _quantisation(value: Tensor) -> tuple[object, ...]:
    if value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return value.q_scale(), value.q_zero_point()
    return value.q_per_channel_scales(), value.q_per_channel_zero_points(), value.q_per_channel_axis()


def _is_data(value: object) -> bool:
    """Return whether the value is numbers, texts and arrays, alone or in containers."""
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(_is_data, value))
    if isinstance(value, dict):
        return all(_is_data(key) and _is_data(item) for key, item in value.items())
    return isinstance(value, (*_PLAIN, str, Tensor, np.ndarray, np.generic, torch.dtype, PurePath))


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', value.__name__)}"


@functools.lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    """Return whether a file is of the standard library, an installed package or this one, by its path."""
    whole = os.path.realpath(file)
    return file.startswith("<frozen ") or whole.startswith(_PLACES) or _PACKAGES.search(whole) is not None


def _is_installed_module(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return _is_installed(file)


def _is_installed_class(kind: type) -> bool:
    """Return whether an installed module has the class by this name.

    One that a function made is known by what it holds.
    """
    member: Any = sys.modules.get(kind.__module__)
    if member is None or not _is_installed_module(member):
        return False
    for part in kind.__qualname__.split("."):
        member = getattr(member, part, None)
    return member is kind
