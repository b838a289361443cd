"""Editors by what the user says: a name, a Python file, the address of a service, a folder of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from zoom_engine.common import registry
from zoom_engine.common.contracts import hold_members
from zoom_engine.common.errors import ConfigError, EditorError
from zoom_engine.common.files import pipeline_folder
from zoom_engine.common.python_object import PREFIX
from zoom_engine.common.typed import one_of
from zoom_engine.edits import diffusers_folder, python_file, service
from zoom_engine.edits.editor import Editor


def load_editor(
    given: object, *, options: Mapping[str, Any] | None = None, trust: bool = False, device: str = "cpu"
) -> Editor:
    """Return the editor of a name, with its options, or the one that is given.

    Args:
        given: "corruptions" or what a package registers, "python:FILE.py:NAME", "http://HOST:PORT/PATH", or
            "diffusers:FOLDER".
        options: of the editor.
        trust: whether Python files of the user's may run.
        device: where an editor that is a network runs.

    Raises:
        ConfigError: there is no such editor, or an option that it does not have.
        EditorError: it cannot be loaded.
    """
    options = options or {}
    if not isinstance(given, str):
        if options:
            raise ConfigError("an editor that is given as an object has its options already: leave out editor_options")
        hold_members(given, Editor, called=f"editor {type(given).__name__}", refusal=EditorError)
        return cast(Editor, given)
    if given.startswith(PREFIX):
        return python_file.load_python_editor(given, options, trust=trust)
    if given.startswith(("http://", "https://")):
        return service.load_service_editor(given, options)
    if given.startswith(pipeline_folder.PREFIX):
        return diffusers_folder.load_diffusers_editor(given, options, device=device)
    kind: Any = registry.find(registry.EDITORS, given)
    if kind is None:
        raise ConfigError(f"there is no editor {one_of(given, registry.all_names(registry.EDITORS))}")
    with registry.asking(registry.EDITORS, given, f"be made with the options {', '.join(options) or 'none'}"):
        editor: Editor = kind(**options)
    return editor
