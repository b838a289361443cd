"""`check_editor` says in one line what an editor breaks, and `edited` what comes back in an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from asked_edits import edited

from zoom_engine.common.errors import EditorError
from zoom_engine.edits.contract import check_editor
from zoom_engine.edits.editor import Picture, Question

PICTURES = [np.full((16, 20, 3), 100, np.uint8), np.full((18, 17, 3), 50, np.uint8)]


class Lighter:
    """An editor that holds the contract; tests break one of its members."""

    name = "lighter"
    attributes: tuple[str, ...] = ("light",)
    steps: tuple[float, ...] = (-20.0, 20.0)

    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)

    def strengths(self, attribute: str) -> tuple[float, ...]:
        return self.steps

    def unit(self, attribute: str) -> str:
        return "levels"

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        return [(picture + strength).clip(0, 255).astype(np.uint8) for picture in pictures]

    def describe(self) -> dict[str, Any]:
        return {"steps": list(self.steps)}


def test_one_that_holds_it_passes() -> None:
    check_editor(Lighter())
    check_editor(Lighter(attributes=()), attribute="whatever")


def chance(pictures: Sequence[Picture], *_: object) -> list[Picture]:
    return [np.random.default_rng().integers(0, 256, picture.shape, dtype=np.uint8) for picture in pictures]


def of_the_batch(pictures: Sequence[Picture], *_: object) -> list[Picture]:
    return [np.full_like(picture, len(pictures)) for picture in pictures]


def of_the_order(pictures: Sequence[Picture], *_: object) -> list[Picture]:
    return [np.full_like(picture, 7 * index if len(pictures) > 1 else 0) for index, picture in enumerate(pictures)]


def in_place(pictures: Sequence[Picture], *_: object) -> Sequence[Picture]:
    for picture in pictures:
        picture += 1
    return pictures


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": " "}, "it has a name"),
        ({"name": 3}, "its name must be a text"),
        ({"edit": None}, "its edit must be a method"),
        ({"attributes": ("light", "light")}, "each once"),
        ({"attributes": ("light=edits",)}, "attribute 'light=edits' is read as more than a name"),
        ({"attributes": (" ",)}, "attribute is empty"),
        ({"steps": (0.0, 1.0)}, "none of them 0"),
        ({"steps": (2.0, 1.0)}, "none of them 0"),
        ({"steps": ()}, "'light' has none"),
        ({"unit": lambda attribute: None}, "unit"),
        ({"describe": lambda: {"of": {1, 2}}}, "JSON"),
        ({"describe": lambda: ["steps"]}, "it is a list"),
        ({"edit": chance}, "equal pictures and seeds give equal edits"),
        ({"edit": of_the_batch}, "does not depend on the others"),
        ({"edit": of_the_order}, "does not depend on the others"),
        ({"edit": lambda pictures, *_: pictures[1:]}, "returns 2 pictures for 3"),
        ({"edit": lambda pictures, *_: [p[1:] for p in pictures]}, r"returns uint8 \[31, 24, 3\]"),
        ({"edit": lambda pictures, *_: [p / 255 for p in pictures]}, "float64 .* with values 0 to 1"),
        ({"edit": lambda pictures, *_: [p.astype(int) - 300 for p in pictures]}, "int64 .* with values -300 to -45"),
        ({"edit": lambda *_: None}, "fails on 'light' at -20"),
    ],
)
def test_one_that_breaks_it_is_told_in_one_line(members: dict[str, Any], message: str) -> None:
    with pytest.raises(EditorError, match=message) as refusal:
        check_editor(Lighter(**members))
    assert "\n" not in str(refusal.value)


def test_what_lacks_a_member_is_told_so() -> None:
    with pytest.raises(EditorError, match=r"lacks .*strengths"):
        check_editor(object())


def test_an_audits_pictures_are_checked_and_are_the_audits_own() -> None:
    first, second = edited(Lighter(), PICTURES, "light", 20.0, [0, 1])
    assert (first == 120).all()
    assert (second == 70).all()
    same = edited(Lighter(edit=lambda pictures, *_: pictures), PICTURES, "light", 20.0, [0, 1])
    assert not np.shares_memory(same[0], PICTURES[0])
    edited(Lighter(edit=in_place), PICTURES, "light", 20.0, [0, 1])
    assert (PICTURES[0] == 100).all()


class Stacking(Lighter):
    """Can be asked for different edits at once, and edits one batch of them."""

    def edit_each(self, questions: Sequence[Question]) -> Sequence[Picture]:
        np.stack([picture.mean() for picture, *_ in questions])
        return [self.edit([picture], *edit, [seed])[0] for picture, *edit, seed in questions]


def test_an_editor_of_batches_is_not_asked_for_nothing() -> None:
    check_editor(Stacking())
    (result,) = edited(Stacking(), PICTURES[:1], "light", 20.0, [0])
    assert (result == 120).all()
    assert edited(Stacking(), [], "light", 20.0, []) == []


def test_a_failing_editor_names_itself_and_what_it_was_asked_for() -> None:
    def broken(*_: object) -> Sequence[Picture]:
        raise ValueError("no\nlight")

    with pytest.raises(EditorError, match="editor lighter fails on 'light' at 20: ValueError: no light"):
        edited(Lighter(edit=broken), PICTURES, "light", 20.0, [0, 1])
