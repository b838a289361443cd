"""An editor in a Python file of the user's, "python:FILE.py:NAME" or "python:PACKAGE.MODULE:NAME".

Importing code runs it, so the user must say that it is trusted.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from zoom_engine.common.contracts import hold_members
from zoom_engine.common.errors import ConfigError, EditorError
from zoom_engine.common.python_object import import_object
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

    def __init__(self, function: EditFunction, name: str, typed: TypedStrengths) -> None:
        """Keep the function; a file with it stands for what it does."""
        super().__init__(typed)
        self.name, self._function = name, function
        try:
            source = inspect.getsourcefile(cast(Any, function))
        except TypeError:  # an object that can be called
            source = inspect.getsourcefile(type(function))
        if source is None:
            raise EditorError(f"editor {name} has no Python file that stands for what it does: write one around it")
        with open(source, "rb") as file:
            self._sha256 = hashlib.file_digest(file, "sha256").hexdigest()

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return what the function returns."""
        return self._function(pictures, attribute, strength, seeds)

    def describe(self) -> dict[str, Any]:
        """Return the name and the hash of its file."""
        return {"editor": self.name, "sha256": self._sha256}


def _is_usable(item: object) -> bool:
    return callable(item) or hasattr(item, "edit")


def load_python_editor(spec: str, options: Mapping[str, Any], *, trust: bool) -> Editor:
    """Return the editor that `spec` names: an `Editor`, or a function as its `edit` with strengths from the `options`.

    Raises:
        ConfigError: options of an object, which has its own, or a function without strengths.
        EditorError: without `trust`; where the code is missing or fails, or is no editor.
    """
    thing: Any = import_object(spec, trust=trust, what="editor", usable=_is_usable, refusal=EditorError)
    name = spec.rpartition(":")[2]
    if hasattr(thing, "edit"):
        if options:
            raise ConfigError(f"editor {name} is an object, which has its strengths: leave out editor options")
        hold_members(thing, Editor, called=f"editor {name}", refusal=EditorError)
        return cast(Editor, thing)
    return FunctionEditor(thing, name, TypedStrengths(**options))
