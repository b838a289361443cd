"""An editor in a Python file of the user's, "python:FILE.py:NAME" or "python:PACKAGE.MODULE:NAME".

Importing code runs it, so the user must say that it is trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from zoom_engine.common.contracts import hold_members
from zoom_engine.common.errors import ConfigError, EditorError
from zoom_engine.common.python_object import PREFIX, import_object
from zoom_engine.edits.editor import Editor, Picture
from zoom_engine.edits.strengths import TypedEditor, TypedStrengths


class EditFunction(Protocol):
    """A function that edits pictures, see `Editor.edit`."""

    def __call__(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return the pictures edited."""
        ...


class FunctionEditor(TypedEditor):
    """A function as an editor: the user types attributes and strengths."""

    def __init__(self, function: EditFunction, name: str, typed: TypedStrengths, *, named_in: str | None) -> None:
        """Keep the function; the file with it, and the one that it is `named_in`, stand for what it does."""
        super().__init__(typed)
        self.name, self._function = name, function
        source = _source_of(function)
        if source is None or named_in is None:
            raise EditorError(f"editor {name} has no Python file that stands for what it does: write one around it")
        files = dict.fromkeys(Path(file).resolve() for file in (source, named_in))
        self._sha256 = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return what the function returns."""
        return self._function(pictures, attribute, strength, seeds)

    def describe(self) -> dict[str, Any]:
        """Return the name and the hash of its file."""
        return {"editor": self.name, "sha256": self._sha256}


def _source_of(function: Any) -> str | None:
    """Return the file of the function itself, whatever decorates it; None where no file has it."""
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else inspect.unwrap(function)
    for thing in (function, type(function)):  # or an object that can be called
        with contextlib.suppress(TypeError):  # it is built in
            return inspect.getsourcefile(thing)
    return None


def _is_usable(item: object) -> bool:
    return callable(item) or hasattr(item, "edit")


def load_python_editor(spec: str, options: Mapping[str, Any], *, trust: bool) -> Editor:
    """Return the editor that `spec` names: an `Editor`, or a function as its `edit` with strengths from the `options`.

    Raises:
        ConfigError: options of an object, which has its own, or a function without strengths.
        EditorError: without `trust`; where the code is missing or fails, or is no editor.
    """
    thing: Any = import_object(spec, trust=trust, what="editor", usable=_is_usable, refusal=EditorError)
    source, _, name = spec.removeprefix(PREFIX).rpartition(":")
    if hasattr(thing, "edit"):
        if options:
            raise ConfigError(f"editor {name} is an object, which has its strengths: leave out editor options")
        hold_members(thing, Editor, called=f"editor {name}", refusal=EditorError)
        return cast(Editor, thing)
    named_in = source if source.endswith(".py") else getattr(sys.modules[source], "__file__", None)
    return FunctionEditor(thing, name, TypedStrengths(**options), named_in=named_in)
