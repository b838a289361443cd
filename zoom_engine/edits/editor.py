"""`Editor`: what edits pictures themselves, without a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""A picture `[H, W, 3]`, RGB."""


class Editor(Protocol):
    """A way to edit pictures: one attribute at a time, by a strength.

    Strength 0 is the unedited picture, and of two strengths of one sign the larger is the larger edit.
    """

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return what it edits by default; empty where it edits whatever the user types."""

    def strengths(self, attribute: str) -> tuple[float, ...]:
        """Return at which strengths an attribute is edited: not 0, ascending, of either sign."""
        ...

    def unit(self, attribute: str) -> str:
        """Return the unit of an attribute's strengths, such as "°"; "" where they have none."""
        ...

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return the pictures edited, each of the size that it had.

        No row depends on the others, so that any packing gives the same pictures.

        Args:
            pictures: uint8 `[H, W, 3]` each, of any sizes.
            attribute: what is edited.
            strength: how far.
            seeds: of what is drawn at random, one for each picture.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return what determines its pictures, ready for JSON."""
        ...


@runtime_checkable
class MovesPlaces(Protocol):
    """An editor that says which of its edits move places of a picture, as a rotation does.

    A right answer of a model that names places, such as key points, moves with them. Other editors move none.
    """

    def moves_places(self, attribute: str) -> bool:
        """Tell whether what a picture shows is elsewhere in it after the edit."""
        ...


class Question(NamedTuple):
    """A picture that is to be edited, see `Editor.edit`."""

    picture: Picture
    attribute: str
    strength: float
    seed: int


@runtime_checkable
class EditsEach(Protocol):
    """An editor that can be asked for different edits at once, such as a service."""

    def edit_each(self, questions: Sequence[Question]) -> Sequence[Picture]:
        """Return the pictures edited, each as `Editor.edit` does."""
        ...
