"""The photographs of a folder, and an editor that edits them: no generator, no inversion, no landmarks."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine.common.contracts import theirs
from zoom_engine.common.errors import ConfigError, EditorError, PhotographError, one_line, system_errors
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.plurals import number_of
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import Turns
from zoom_engine.edits.contract import edited
from zoom_engine.edits.editor import Editor, MovesPlaces, Picture, Question
from zoom_engine.edits.pictures import PAIRS, EditKey, Wanted
from zoom_engine.edits.strengths import check_strengths
from zoom_engine.photographs.alignment import LANDMARKS
from zoom_engine.photographs.reading import read_photograph
from zoom_engine.settings.attributes import check_edit_name, check_prompt

MOST_PHOTOGRAPHS = 10_000
IN_MEMORY = 1 << 28
"""Bytes of the photographs that are not read again."""
_SEED_DIGITS = 12  # hexadecimal: JSON's numbers have no more of a whole number


@dataclass(frozen=True)
class EditedPhotographs:
    """Photographs and an editor of them, see `EditedPictures`. May be read by several threads.

    Attributes:
        names: the files'.
        seeds: from the photographs' pixels.
        sizes: height and width of each; a photograph keeps its own.
        attributes: what is edited.
        content_hash: of the pixels, the editor's description, and what it is asked for.
        editor: what edits.
    """

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    attributes: tuple[str, ...]
    content_hash: str
    editor: Editor
    _strengths: dict[str, tuple[float, ...]] = field(repr=False)
    _units: dict[str, str] = field(repr=False)
    _description: dict[str, Any] = field(repr=False)
    _files: tuple[Path, ...] = field(repr=False)
    _photographs: _Photographs = field(repr=False)

    @property
    def kind(self) -> str:
        """Return the editor's name."""
        return self.editor.name

    @property
    def controls(self) -> tuple[str, ...]:
        """Return none: an editor does not say what should not matter."""
        return ()

    def unit(self, name: str) -> str:
        """Return the unit of an attribute's strengths, by the editor."""
        return self._units[name]

    def moves_places(self, name: str) -> bool:
        """Tell what the editor says; those that do not say move none.

        Raises:
            EditorError: it fails.
        """
        return isinstance(self.editor, MovesPlaces) and bool(_asked(self.editor, "moves_places", name))

    def strengths(self, image: int, edit: EditKey) -> tuple[float, ...]:
        """Return the editor's strengths, the same for each image."""
        return self._strengths[str(edit)]

    def read(self, wanted: Sequence[Wanted]) -> list[Picture]:
        """Edit the photographs, see `EditedPictures`.

        Raises:
            EditorError: the editor fails, or what it returns is no such picture.
            PhotographError: a file is not the photograph that it was.
        """
        chosen = sorted({one.image for one in wanted})
        originals = {image: self._photographs.read(self._files[image], self.seeds[image]) for image in chosen}
        edits = [one for one in dict.fromkeys(wanted) if one.strength != 0]
        questions = [
            Question(originals[image], str(edit), strength, self.seeds[image]) for image, edit, strength in edits
        ]
        results = dict(zip(edits, edited(self.editor, questions), strict=True))
        return [results[one] if one.strength != 0 else originals[one.image].copy() for one in wanted]

    def describe(self) -> dict[str, Any]:
        """Return what the editor says of itself."""
        return self._description


def edit_photographs(
    editor: Editor,
    folder: Path,
    *,
    attributes: Sequence[str] | None = None,
    notify: Notify = null_notifier,
    progress: ProgressFactory = silent,
) -> EditedPhotographs:
    """Read each file of the folder but hidden ones and those of landmarks, by name, for the editor.

    A folder in it, a file that is no photograph, and one with the pixels of another is left out and told.

    Args:
        editor: what edits them.
        folder: where the photographs are.
        attributes: what is edited; None takes those of the editor.
        notify: takes a line on what is left out.
        progress: how the reading is shown.

    Raises:
        ConfigError: no such folder, no photograph or more than `MOST_PHOTOGRAPHS` in it, or nothing to edit.
        EditorError: the editor fails, or its name, a unit or its description is none.
    """
    if editor.name.strip() in ("", PAIRS):  # what tells an editor's audit from others
        raise EditorError(f"an editor cannot be called {editor.name!r}: give it a name of its own")
    chosen = _attributes(editor, attributes)
    strengths = {
        name: check_strengths(_asked(editor, "strengths", name), f"editor {editor.name}: {name!r}") for name in chosen
    }
    if lacking := [name for name, values in strengths.items() if not values]:
        raise ConfigError(f"editor {editor.name} has no strengths for {lacking[0]!r}: give some, or leave it out")
    units = {name: _unit(editor, name) for name in chosen}
    description = _description(editor)
    with system_errors(ConfigError, f"no photographs in {folder}"):
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        folders = [path for path in entries if path.is_dir()]
    entries = [path for path in entries if path not in folders and path.name not in LANDMARKS]
    files = sorted(entries, key=lambda path: path.name)
    if not 1 <= len(files) <= MOST_PHOTOGRAPHS:
        raise ConfigError(f"{folder} holds {len(files)} photographs: give a folder of 1 to {MOST_PHOTOGRAPHS:,}")
    if folders:
        notify(
            f"{number_of(len(folders), 'folder')} among the photographs left out: one folder is read, not those in it"
        )
    photographs = _Photographs()
    digests: dict[str, Path] = {}
    sizes: list[tuple[int, int]] = []
    refused: list[str] = []
    with progress(len(files), "Reading photographs", unit="photograph") as bar:
        for path in files:
            try:
                picture = photographs.read(path)
                first = digests.setdefault(_digest(picture), path)
                if first is path:
                    sizes.append((picture.shape[0], picture.shape[1]))
                else:
                    refused.append(f"{one_line(path.name)} is the same picture as {one_line(first.name)}")
            except PhotographError as error:
                refused.append(str(error))
            bar.update()
    if refused:
        more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
        told = f"{len(refused)} of {number_of(len(files), 'photograph')} left out: {'; '.join(refused[:5])}{more}"
        if not digests:
            raise ConfigError(f"{folder}: {told}")
        notify(told)
    asked = json.dumps([list(digests), description, strengths], sort_keys=True)
    return EditedPhotographs(
        names=tuple(one_line(path.name) for path in digests.values()),
        seeds=tuple(_seed(digest) for digest in digests),
        sizes=tuple(sizes),
        attributes=chosen,
        content_hash=hashlib.sha256(asked.encode()).hexdigest(),
        editor=editor,
        _strengths=strengths,
        _units=units,
        _description=description,
        _files=tuple(digests.values()),
        _photographs=photographs,
    )


class _Photographs:
    """Photographs by their files; those that were read last are in memory."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[Path, Picture] = OrderedDict()
        self._bytes, self._turns = 0, Turns()

    def read(self, path: Path, seed: int | None = None) -> Picture:
        """Return a photograph; where its `seed` is known, a file that was changed since is a PhotographError."""
        with self._turns.taken():
            if path in self._pictures:
                self._pictures.move_to_end(path)
                return self._pictures[path]
        picture = np.asarray(read_photograph(path))
        if seed is not None and _seed(_digest(picture)) != seed:
            raise PhotographError(
                f"{one_line(path.name)} is not the photograph that it was when the audit began: bring that one back,"
                " or audit into another folder"
            )
        with self._turns.taken():
            if path not in self._pictures:
                self._pictures[path] = picture
                self._bytes += picture.nbytes
            while self._bytes > IN_MEMORY and len(self._pictures) > 1:
                _, oldest = self._pictures.popitem(last=False)
                self._bytes -= oldest.nbytes
        return picture


def _asked(editor: Editor, member: str, *arguments: object) -> Any:
    """Return what a method of the editor returns; what it raises becomes an EditorError that names both."""
    with theirs(EditorError, f"editor {editor.name} fails on {member}({', '.join(map(repr, arguments))})"):
        return getattr(editor, member)(*arguments)


def _unit(editor: Editor, attribute: str) -> str:
    unit = _asked(editor, "unit", attribute)
    if not isinstance(unit, str):
        raise EditorError(
            f"editor {editor.name}: unit({attribute!r}) is no text but {one_line(repr(unit), 80)}: "
            'return "" where there is none'
        )
    return unit


def _description(editor: Editor) -> dict[str, Any]:
    description = _asked(editor, "describe")
    try:
        if not isinstance(description, dict):
            raise TypeError(f"it is a {type(description).__name__}")
        json.dumps(description, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EditorError(
            f"editor {editor.name}: describe() is no object that JSON can hold ({one_line(error, 120)}): return a dict"
            " of texts and finite numbers"
        ) from error
    return description


def _attributes(editor: Editor, attributes: Sequence[str] | None) -> tuple[str, ...]:
    if attributes is None:
        if not editor.attributes:
            raise ConfigError(f"editor {editor.name} edits whatever you name: name it, with attributes (--attribute)")
        role = f"attribute of editor {editor.name}"
        return tuple(dict.fromkeys(check_edit_name(attribute, role) for attribute in editor.attributes))
    chosen = dict.fromkeys(check_edit_name(check_prompt(name, "attribute"), "attribute") for name in attributes)
    if not chosen:
        raise ConfigError("no attributes are given: name some, or leave them out for those of the editor")
    return tuple(chosen)


def _digest(picture: Picture) -> str:
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()


def _seed(digest: str) -> int:
    return int(digest[:_SEED_DIGITS], 16)
