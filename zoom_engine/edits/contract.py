"""The contract of editors: `check_editor` tries one on small pictures, `edited` checks what it returns in an audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoom_engine.common.contracts import Rules, hold, hold_members, theirs
from zoom_engine.common.errors import EditorError
from zoom_engine.edits.editor import Editor, EditsEach, Picture, Question
from zoom_engine.edits.strengths import check_strengths
from zoom_engine.settings.attributes import check_edit_name

SIZES = ((32, 24), (17, 40), (64, 64))
SEEDS = (3, 1, 2)


def check_editor(editor: object, *, attribute: str = "a smile") -> None:
    """Check `editor`, an object with its options, against `Editor`, on small pictures.

    Third parties can run it in their tests. The rules are those of `RULES`.

    Args:
        editor: what is checked.
        attribute: what it is asked for, where it edits whatever the user types.

    Raises:
        EditorError: one line on the first thing that is wrong.
    """
    called = f"editor {getattr(editor, 'name', type(editor).__name__)}"
    hold_members(editor, Editor, called=called, refusal=EditorError)
    hold(_Tried(editor, attribute), RULES, called=called, refusal=EditorError)


def edited(editor: Editor, questions: Sequence[Question]) -> list[Picture]:
    """Return what the editor makes of copies of the pictures, checked; those of one edit and strength together.

    Raises:
        EditorError: it fails, or does not return for each picture one of the same size.
    """
    if not questions:  # an editor may lay those of a call into one batch
        return []
    if isinstance(editor, EditsEach):
        return _checked(editor, questions, editor.edit_each)
    together: dict[tuple[str, float], list[int]] = {}
    for row, question in enumerate(questions):
        together.setdefault((question.attribute, question.strength), []).append(row)
    results: dict[int, Picture] = {}
    for (attribute, strength), rows in together.items():

        def edit(asked: Sequence[Question], attribute: str = attribute, strength: float = strength) -> Any:
            return editor.edit([one.picture for one in asked], attribute, strength, [one.seed for one in asked])

        results |= zip(rows, _checked(editor, [questions[row] for row in rows], edit), strict=True)
    return [results[row] for row in range(len(questions))]


def _checked(editor: Editor, questions: Sequence[Question], edit: Callable[[Sequence[Question]], Any]) -> list[Picture]:
    called = f"editor {editor.name}"
    edits = sorted({(question.attribute, question.strength) for question in questions})
    asked = ", ".join(f"{attribute!r} at {strength:g}" for attribute, strength in edits[:3])
    with theirs(EditorError, f"{called} fails on {asked}"):
        answer = edit([question._replace(picture=question.picture.copy()) for question in questions])
        results = [np.asarray(picture) for picture in answer]
    if len(results) != len(questions):
        raise EditorError(f"{called} returns {len(results)} pictures for {len(questions)}, for {asked}")
    for result, (picture, attribute, strength, _) in zip(results, questions, strict=True):
        if result.dtype != np.uint8 or result.shape != picture.shape:
            raise EditorError(
                f"{called} returns {result.dtype} {list(result.shape)}{_range(result)} for a picture"
                f" {list(picture.shape)}, for {attribute!r} at {strength:g}: return uint8, 0 to 255, of the same size"
            )
    return [np.array(result, order="C") for result in results]


def _range(values: Any) -> str:
    if values.size == 0 or values.dtype.kind not in "iuf":
        return ""
    return f" with values {values.min():g} to {values.max():g}"


class _Tried:
    """An editor, and what it is asked for."""

    def __init__(self, editor: Any, attribute: str) -> None:
        self.editor = editor
        chance = np.random.default_rng(0)
        self.pictures = [chance.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
        self._attribute = attribute

    @property
    def attributes(self) -> list[str]:
        return list(self.editor.attributes) or [self._attribute]

    @property
    def ends(self) -> list[tuple[str, float]]:
        """Each attribute with its lowest and its highest strength."""
        of = {attribute: self.editor.strengths(attribute) for attribute in self.attributes}
        return [
            (attribute, strength)
            for attribute, strengths in of.items()
            for strength in sorted({strengths[0], strengths[-1]})
        ]

    def edit(self, attribute: str, strength: float, chosen: Sequence[int] = (0, 1, 2)) -> list[Picture]:
        questions = [Question(self.pictures[index], attribute, strength, SEEDS[index]) for index in chosen]
        return edited(self.editor, questions)

    def compared(self, other: Callable[[str, float], Sequence[Picture]]) -> str | None:
        """Return where the pictures of `other` differ from those of all three together, in their order."""
        for attribute, strength in self.ends:
            for first, second in zip(self.edit(attribute, strength), other(attribute, strength), strict=True):
                if not np.array_equal(first, second):
                    return f"they differ for {attribute!r} at {strength:g}"
        return None


def _words(tried: _Tried) -> str | None:
    name = tried.editor.name
    return None if name.strip() else f"it is {name!r}"


def _attributes(tried: _Tried) -> str | None:
    attributes = [check_edit_name(attribute, "attribute") for attribute in tried.editor.attributes]
    return None if len(set(attributes)) == len(attributes) else f"they are {attributes}"


def _strengths(tried: _Tried) -> str | None:
    for attribute in tried.attributes:
        strengths = tried.editor.strengths(attribute)
        if not check_strengths(strengths, f"{attribute!r}"):
            return f"{attribute!r} has none"
    return None


def _units(tried: _Tried) -> str | None:
    units = [tried.editor.unit(attribute) for attribute in tried.attributes]
    return None if all(isinstance(unit, str) for unit in units) else f"they are {units}"


def _described(tried: _Tried) -> str | None:
    description = tried.editor.describe()
    if not isinstance(description, dict):
        return f"it is a {type(description).__name__}"
    read = json.loads(json.dumps(description, allow_nan=False))
    if read != description:
        return "JSON has not all of its values"
    return None if tried.editor.describe() == description else "it says something else when it is asked again"


def _edits(tried: _Tried) -> str | None:
    for attribute, strength in tried.ends:
        tried.edit(attribute, strength)
    return None


def _again(tried: _Tried) -> str | None:
    return tried.compared(tried.edit)


def _alone(tried: _Tried) -> str | None:
    def one_by_one(attribute: str, strength: float) -> list[Picture]:
        return [tried.edit(attribute, strength, [index])[0] for index in range(len(SIZES))]

    return tried.compared(one_by_one)


def _in_any_order(tried: _Tried) -> str | None:
    return tried.compared(lambda attribute, strength: tried.edit(attribute, strength, [2, 1, 0])[::-1])


RULES: Rules[_Tried] = {
    "it has a name": _words,
    "its attributes are texts, each once": _attributes,
    "strengths(attribute) are ascending numbers, none of them 0": _strengths,
    "unit(attribute) is a text": _units,
    "describe() is an object that JSON can hold, the same each time": _described,
    "edit returns for each picture one of the same size, uint8": _edits,
    "equal pictures and seeds give equal edits": _again,
    "a picture's edit does not depend on the others": _alone,
    "nor on their order": _in_any_order,
}
