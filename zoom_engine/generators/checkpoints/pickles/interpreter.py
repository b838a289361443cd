"""A pickle interpreter that builds plain containers and inert records, and can call nothing else.

Python's own unpickler imports what a file names and calls what it imports. Here an opcode that names a global looks it
up in an allow-list; a name that is not there raises `UnsafeCheckpointError`. Every value is either a slice of the file
(long bytes and long texts) or costs one opcode, and opcodes are counted, so memory and time are bounded by the file's
size and `MOST_OPCODES` before anything is allocated. Opcodes: Python's `pickletools`, protocols 0 to 5.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from zoom_engine.common.errors import CheckpointError, UnsafeCheckpointError
from zoom_engine.generators.checkpoints.pickles.long_text import STRING_ESCAPE, LongText, unescaped

MOST_OPCODES = 300_000  # a 1024² generator has 30,000, a pickle of NVIDIA three such networks
MOST_MEMORY = 32 << 20  # bytes of short texts, of names, and of what calls copy
MOST_MARKS = 1_000  # containers open at once
ELEMENT = 64  # bytes that an element costs when a call copies its container
LONGEST_INTEGER = 32  # bytes
LONGEST_COPY = 4_096  # bytes: longer byte strings and texts stay slices of the file
LINE_WINDOWS = (1 << 8, 1 << 20)  # bytes, the fewest and the most that are searched for a line's end at a time


@dataclass(frozen=True, slots=True)
class Allowed:
    """A global that files may name. `make` takes the arguments of a call (None: it must not be called)."""

    name: str
    make: Callable[[tuple[Any, ...]], Any] | None = None


class Budget:
    """Opcodes and memory that one file may still use; shared with the pickles nested in it."""

    def __init__(self) -> None:
        """Begin with all that a file may use."""
        self.opcodes = MOST_OPCODES
        self.memory = MOST_MEMORY

    def use_opcode(self) -> None:
        """Count one opcode; CheckpointError where none is left."""
        self.opcodes -= 1
        if self.opcodes < 0:
            raise CheckpointError(f"is no generator checkpoint: its pickle has more than {MOST_OPCODES} operations")

    def use_memory(self, size: int) -> None:
        """Count `size` bytes; CheckpointError where they are not left."""
        self.memory -= size
        if self.memory < 0:
            raise CheckpointError(f"is no generator checkpoint: more than {MOST_MEMORY >> 20} MiB beside its weights")


Globals = Mapping[tuple[str, str], Allowed]
Persistent = Callable[[Any], Any]
Build = Callable[[Any, Any], None]


def read_pickle(
    data: memoryview,
    allowed: Globals,
    *,
    build: Build,
    start: int = 0,
    persistent: Persistent | None = None,
    budget: Budget | None = None,
) -> tuple[object, int]:
    """Return the value of the pickle at `data[start:]`, and where it ends.

    Args:
        data: the file.
        allowed: the globals that it may name.
        build: what the BUILD opcode does with an instance and a state.
        start: where the pickle begins, in bytes.
        persistent: makes a value of a persistent id; None where the file must have none.
        budget: what is left to a file that holds several pickles.

    Raises:
        UnsafeCheckpointError: it names a global that is not allowed, or calls what may not be called.
        CheckpointError: it is damaged or too large.
    """
    machine = _Interpreter(data, start, allowed, build, persistent, budget or Budget())
    try:
        return machine.run(), machine.position
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise CheckpointError(
            f"is damaged: its pickle makes no sense at byte {machine.position} ({type(error).__name__})"
        ) from error


class _Interpreter:
    def __init__(
        self,
        data: memoryview,
        start: int,
        allowed: Globals,
        build: Build,
        persistent: Persistent | None,
        budget: Budget,
    ) -> None:
        self.data = data
        self.position = start
        self.allowed = allowed
        self.build = build
        self.persistent = persistent
        self.budget = budget
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> object:
        while True:
            self.budget.use_opcode()
            code = self.take(1)[0]
            if code == pickle.STOP[0]:
                return self.stack.pop()
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise CheckpointError(f"is damaged: byte {self.position - 1} (0x{code:02x}) is no pickle operation")
            operation(self)

    # Reading the file

    def take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.data):
            raise CheckpointError(f"is damaged or not a generator checkpoint: it ends within its pickle, at byte {end}")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, layout: str) -> int:
        return cast(int, struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def line(self) -> memoryview:
        """Return what is left of the line, without its end."""
        start, (window, widest) = self.position, LINE_WINDOWS
        while start < len(self.data):
            newline = bytes(self.data[start : start + window]).find(b"\n")
            if newline >= 0:
                line = self.data[self.position : start + newline]
                self.position = start + newline + 1
                return line
            start, window = start + window, min(4 * window, widest)
        self.position = len(self.data)
        raise CheckpointError("is damaged or not a generator checkpoint: it ends within a line of its pickle")

    def name(self) -> str:
        line = self.line()
        self.budget.use_memory(len(line))
        return str(line, "utf-8")

    def text(self, piece: memoryview, encoding: str = "utf-8") -> str | LongText:
        if len(piece) > LONGEST_COPY:
            return LongText(piece, encoding)
        self.budget.use_memory(len(piece))
        if encoding == STRING_ESCAPE:
            return unescaped(bytes(piece))
        return str(piece, encoding, "surrogatepass" if encoding == "utf-8" else "strict")

    def bytes_(self, size: int) -> bytes | memoryview:
        piece = self.take(size)
        return bytes(piece) if size <= LONGEST_COPY else piece

    # The stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def push_mark(self) -> None:
        if len(self.marks) >= MOST_MARKS:
            raise CheckpointError(f"is no generator checkpoint: it nests more than {MOST_MARKS} containers")
        self.marks.append(len(self.stack))

    def pop_to_mark(self) -> list[object]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if type(value) is not kind:
            raise TypeError(f"expected a {kind.__name__}")
        return value

    def memoize(self, index: int) -> None:
        self.memo[_key(index)] = self.stack[-1]

    # Containers

    def append(self) -> None:
        value = self.stack.pop()
        self.top(list).append(value)

    def append_many(self) -> None:
        items = self.pop_to_mark()
        self.top(list).extend(items)

    def add_many(self) -> None:
        items = self.pop_to_mark()
        self.top(set).update(_key(item) for item in items)

    def set_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.top(dict)[_key(key)] = value

    def set_many(self) -> None:
        items = self.pop_to_mark()
        self.top(dict).update(_pairs(items))

    # Globals and calls

    def find(self, module: str, name: str) -> Allowed:
        allowed = self.allowed.get((module, name))
        if allowed is None:
            raise UnsafeCheckpointError(
                f"asks for {printable(module)}.{printable(name)}, which no generator needs: it is not opened"
            )
        return allowed

    def find_on_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a global's name is no text")
        self.push(self.find(module, name))

    def call(self, function: object, arguments: object) -> None:
        if type(function) is not Allowed:
            raise UnsafeCheckpointError(f"calls a {printable(type(function).__name__)}: it is not opened")
        if function.make is None:
            raise UnsafeCheckpointError(f"calls {function.name}, which no generator calls: it is not opened")
        if type(arguments) is not tuple:
            raise TypeError("arguments are no tuple")
        copied = sum(
            len(a) * (1 if type(a) is str else ELEMENT) for a in arguments if type(a) in (str, list, tuple, dict)
        )
        self.budget.use_memory(copied)
        self.push(function.make(arguments))

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.call(self.stack.pop(), arguments)

    def reduce_with_keywords(self) -> None:
        keywords, arguments = self.stack.pop(), self.stack.pop()
        if keywords != {}:
            raise UnsafeCheckpointError("makes an object with keywords, which no generator does: it is not opened")
        self.call(self.stack.pop(), arguments)

    def instantiate(self) -> None:
        module, name = self.name(), self.name()
        allowed = self.find(module, name)
        self.call(allowed, tuple(self.pop_to_mark()))

    def instantiate_from_stack(self) -> None:
        function, *arguments = self.pop_to_mark()
        self.call(function, tuple(arguments))

    def set_state(self) -> None:
        state = self.stack.pop()
        self.build(self.stack[-1], state)

    def extension(self, layout: str) -> None:
        code = self.number(layout)
        raise UnsafeCheckpointError(f"asks for number {code} of copyreg's extension registry: it is not opened")

    def resolve(self, identity: object) -> None:
        if self.persistent is None:
            raise UnsafeCheckpointError("asks for a persistent object where there can be none: it is not opened")
        self.push(self.persistent(identity))

    def out_of_band(self) -> None:
        raise CheckpointError("keeps its buffers outside of the file: save it with an ordinary pickle.dump")

    def protocol(self) -> None:
        version = self.take(1)[0]
        if version > pickle.HIGHEST_PROTOCOL:
            raise CheckpointError(f"is damaged: there is no pickle protocol {version}")


def printable(text: object) -> str:
    """Return at most 80 printable characters: what comes from a file may go to a terminal."""
    text = str(text)
    printable = "".join(c if c.isprintable() and not c.isspace() else "?" for c in text[:80])
    return printable + "…" * (len(text) > 80)


def _key(value: object) -> Any:
    """Return a key that no file can make slow: nested tuples hash for ever, huge integers all to the same value.

    Large integers become texts: optimizers numbered their weights by addresses before torch 1.6.
    """
    if type(value) not in (str, int, bool, type(None)):
        raise TypeError(f"a {type(value).__name__} is no key")
    return str(value) if type(value) is int and not -(2**31) <= value < 2**32 else value


def _pairs(items: list[object]) -> dict[object, object]:
    return {_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _decimal(line: memoryview) -> int:
    return int(_short(line))


def _short(line: memoryview) -> bytes:
    """Return the digits of a number."""
    if len(line) > LONGEST_INTEGER * 3:
        raise ValueError("a number is too long")
    return bytes(line)


def _little_endian(piece: memoryview) -> int:
    if len(piece) > LONGEST_INTEGER:
        raise ValueError("an integer is too long")
    return int.from_bytes(piece, "little", signed=True)


def _quoted_line(m: _Interpreter) -> None:
    """Push a byte string as Python 2's `repr` wrote it, read as latin1."""
    line = m.line()
    if len(line) < 2 or line[0] not in b"'\"" or line[-1] != line[0]:
        raise ValueError("a string without quotes")
    m.push(m.text(line[1:-1], STRING_ESCAPE))


def _boolean_or_integer(m: _Interpreter) -> None:
    line = _short(m.line())
    m.push(line == b"01" if line in (b"00", b"01") else int(line))


def _operations() -> dict[int, Callable[[_Interpreter], object]]:
    def last(m: _Interpreter, count: int) -> None:
        if len(m.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(m.stack[-count:])
        del m.stack[-count:]
        m.push(items)

    table: dict[bytes, Callable[[_Interpreter], Any]] = {
        # framing, stack, memo
        pickle.PROTO: _Interpreter.protocol,
        pickle.FRAME: lambda m: m.take(8),
        pickle.MARK: _Interpreter.push_mark,
        pickle.POP: lambda m: m.stack.pop(),
        pickle.POP_MARK: _Interpreter.pop_to_mark,
        pickle.DUP: lambda m: m.push(m.stack[-1]),
        pickle.PUT: lambda m: m.memoize(_decimal(m.line())),
        pickle.BINPUT: lambda m: m.memoize(m.number("<B")),
        pickle.LONG_BINPUT: lambda m: m.memoize(m.number("<I")),
        pickle.MEMOIZE: lambda m: m.memoize(len(m.memo)),
        pickle.GET: lambda m: m.push(m.memo[_decimal(m.line())]),
        pickle.BINGET: lambda m: m.push(m.memo[m.number("<B")]),
        pickle.LONG_BINGET: lambda m: m.push(m.memo[m.number("<I")]),
        # scalars
        pickle.NONE: lambda m: m.push(None),
        pickle.NEWTRUE: lambda m: m.push(True),
        pickle.NEWFALSE: lambda m: m.push(False),
        pickle.INT: _boolean_or_integer,
        pickle.BININT: lambda m: m.push(m.number("<i")),
        pickle.BININT1: lambda m: m.push(m.number("<B")),
        pickle.BININT2: lambda m: m.push(m.number("<H")),
        pickle.LONG: lambda m: m.push(int(_short(m.line()).removesuffix(b"L"))),
        pickle.LONG1: lambda m: m.push(_little_endian(m.take(m.number("<B")))),
        pickle.LONG4: lambda m: m.push(_little_endian(m.take(m.number("<I")))),
        pickle.FLOAT: lambda m: m.push(float(_short(m.line()))),
        pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        # text and bytes
        pickle.STRING: _quoted_line,
        pickle.BINSTRING: lambda m: m.push(m.text(m.take(m.number("<I")), "latin1")),
        pickle.SHORT_BINSTRING: lambda m: m.push(m.text(m.take(m.number("<B")), "latin1")),
        pickle.UNICODE: lambda m: m.push(m.text(m.line(), "raw-unicode-escape")),
        pickle.BINUNICODE: lambda m: m.push(m.text(m.take(m.number("<I")))),
        pickle.SHORT_BINUNICODE: lambda m: m.push(m.text(m.take(m.number("<B")))),
        pickle.BINUNICODE8: lambda m: m.push(m.text(m.take(m.number("<Q")))),
        pickle.BINBYTES: lambda m: m.push(m.bytes_(m.number("<I"))),
        pickle.SHORT_BINBYTES: lambda m: m.push(m.bytes_(m.number("<B"))),
        pickle.BINBYTES8: lambda m: m.push(m.bytes_(m.number("<Q"))),
        pickle.BYTEARRAY8: lambda m: m.push(m.bytes_(m.number("<Q"))),
        pickle.NEXT_BUFFER: _Interpreter.out_of_band,
        pickle.READONLY_BUFFER: _Interpreter.out_of_band,
        # containers
        pickle.EMPTY_LIST: lambda m: m.push([]),
        pickle.LIST: lambda m: m.push(m.pop_to_mark()),
        pickle.APPEND: _Interpreter.append,
        pickle.APPENDS: _Interpreter.append_many,
        pickle.EMPTY_TUPLE: lambda m: m.push(()),
        pickle.TUPLE: lambda m: m.push(tuple(m.pop_to_mark())),
        pickle.TUPLE1: lambda m: last(m, 1),
        pickle.TUPLE2: lambda m: last(m, 2),
        pickle.TUPLE3: lambda m: last(m, 3),
        pickle.EMPTY_DICT: lambda m: m.push({}),
        pickle.DICT: lambda m: m.push(_pairs(m.pop_to_mark())),
        pickle.SETITEM: _Interpreter.set_one,
        pickle.SETITEMS: _Interpreter.set_many,
        pickle.EMPTY_SET: lambda m: m.push(set()),
        pickle.ADDITEMS: _Interpreter.add_many,
        pickle.FROZENSET: lambda m: m.push(frozenset(_key(item) for item in m.pop_to_mark())),
        # globals and calls
        pickle.GLOBAL: lambda m: m.push(m.find(m.name(), m.name())),
        pickle.STACK_GLOBAL: _Interpreter.find_on_stack,
        pickle.REDUCE: _Interpreter.reduce,
        pickle.NEWOBJ: _Interpreter.reduce,
        pickle.NEWOBJ_EX: _Interpreter.reduce_with_keywords,
        pickle.INST: _Interpreter.instantiate,
        pickle.OBJ: _Interpreter.instantiate_from_stack,
        pickle.BUILD: _Interpreter.set_state,
        pickle.EXT1: lambda m: m.extension("<B"),
        pickle.EXT2: lambda m: m.extension("<H"),
        pickle.EXT4: lambda m: m.extension("<i"),
        pickle.PERSID: lambda m: m.resolve(m.name()),
        pickle.BINPERSID: lambda m: m.resolve(m.stack.pop()),
    }
    return {code[0]: operation for code, operation in table.items()}


_OPERATIONS = _operations()
