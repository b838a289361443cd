"""Objects in Python files and modules of the user's, "python:FILE.py:NAME" or "python:PACKAGE.MODULE:NAME".

A name is how they come to the command line. Importing code runs it, so the user must say that it is trusted.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from zoom_engine.common.errors import ZoomError, one_line

PREFIX = "python:"
HOW = "write python:FILE.py:NAME or python:MODULE:NAME"
_folders: set[Path] = set()
"""Where files lie that were imported."""


def import_object(
    spec: str, *, trust: bool, what: str, usable: Callable[[object], bool], refusal: type[ZoomError]
) -> Any:
    """Return the function or object that `spec` names.

    The folder of a FILE.py goes to the end of `sys.path`, so that it can import what lies beside it.

    Args:
        spec: "python:FILE.py:NAME" or "python:MODULE:NAME".
        trust: whether the code may run.
        what: what messages call it.
        usable: tells what it may be.
        refusal: the class of the error.

    Raises:
        ZoomError: the `refusal`, without `trust`; where the code is missing or fails, and where it has nothing of that
            name that is usable.
    """
    source, _, name = spec.removeprefix(PREFIX).rpartition(":")
    if not source or not name:
        raise refusal(f"{what} {spec!r} names no Python function: {HOW}")
    if not trust:
        raise refusal(
            f"{what} {spec!r} is Python code, which runs when it is imported; if you trust its maker, say so with"
            " trust=True (--trust)"
        )
    module = _module(source, refusal)
    item = getattr(module, name, None)
    if isinstance(item, type):
        raise refusal(f"{name!r} of {source} is a class: name a function or an instance, such as {name.lower()}")
    if not usable(item):
        others = sorted(key for key, value in vars(module).items() if _is_defined_in(value, module))
        raise refusal(f"{source} has no function {name!r}: it has {', '.join(others[:10]) or 'none'}")
    return item


def _is_defined_in(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__ and not isinstance(value, type)


def _module(source: str, refusal: type[ZoomError]) -> ModuleType:
    path = Path(source)
    try:
        if path.suffix != ".py":
            return importlib.import_module(source)
        if not path.is_file():
            raise refusal(f"there is no Python file {source!r}: {HOW}")
        return _from_file(path.resolve(), refusal)
    except refusal:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises while it is imported
        advice = f"; {HOW}" if isinstance(error, ModuleNotFoundError) and error.name == source.partition(".")[0] else ""
        raise refusal(f"{source} cannot be imported ({type(error).__name__}: {one_line(error)}){advice}") from error


def _from_file(path: Path, refusal: type[ZoomError]) -> ModuleType:
    name = f"zoom_engine_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise refusal(f"{path} is no Python file: {HOW}")
    _check_neighbours(path, refusal)
    _folders.add(path.parent)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_neighbours(path: Path, refusal: type[ZoomError]) -> None:
    """Refuse a file that would get, of what it imports from beside it, that of another such file: a name is one module.

    Two versions of a model in two folders, each with its own `net.py`, would run the same one.
    """
    waiting, known, others = [path], set(sys.stdlib_module_names), _folders - {path.parent}
    while others and waiting:
        for name in _imported(waiting.pop()) - known:
            known.add(name)
            candidates = (path.parent / name / "__init__.py", path.parent / f"{name}.py", path.parent / name)
            beside = next((place for place in candidates if place.exists()), None)
            if beside is None:
                continue
            waiting.append(beside)
            used = _file_of(name)
            if used is None or used == beside.resolve():
                continue
            if any(map(used.is_relative_to, others)):
                raise refusal(
                    f"{path} imports {name!r}, which lies beside it, and would get {used}: a process has one module of"
                    " a name, so rename one of them, or give each a run of its own"
                )


def _file_of(name: str) -> Path | None:
    """Return where Python finds, or has found, the module `name`; None where it does not."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that was not imported from anywhere
        return None
    if spec is None:
        return None
    place = spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    return None if place is None else Path(place).resolve()


def _imported(file: Path) -> set[str]:
    """Return the first parts of the names that a file imports, anywhere in it; none of what is no Python file."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return set()
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in (*plain, *parts)}
