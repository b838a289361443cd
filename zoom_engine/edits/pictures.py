"""`EditedPictures`: images and edits of them, whoever made these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from zoom_engine.edits.editor import Picture

EditKey = str | int
"""An attribute's text, or the number of a control."""
PAIRS = "pairs"
"""The `EditedPictures.kind` of a table."""


class Wanted(NamedTuple):
    """A picture that is asked for: an image by its number, edited so far; strength 0 is the unedited one."""

    image: int
    edit: EditKey
    strength: float


class EditedPictures(Protocol):
    """Images, and edits of them that others make or made. An image need not have each edit."""

    @property
    def kind(self) -> str:
        """Return where the edits come from: "pairs", or the editor's name."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the I images are called."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return a number of each image, no two of them the same; another audit of the same pictures has them too."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Return height and width of each image in pixels; its edits have the same."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the texts of the attributes that are edited; each image has one of them or more."""

    @property
    def controls(self) -> tuple[str, ...]:
        """Return the names of the edits that should not matter, the controls; there may be none."""

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 of all that determines the pictures, hex."""

    def unit(self, name: str) -> str:
        """Return the unit of the strengths of an attribute or a control; "" where they have none."""
        ...

    def strengths(self, image: int, edit: EditKey) -> tuple[float, ...]:
        """Return at which strengths an image is edited: not 0, ascending, of either sign; empty where it is not."""
        ...

    def moves_places(self, name: str) -> bool:
        """Tell whether the edits of an attribute are known to move what a picture shows, as a rotation does."""
        ...

    def read(self, wanted: Sequence[Wanted]) -> Sequence[Picture]:
        """Return the pictures, each of its image's size. What is returned does not depend on what else is wanted.

        Raises:
            ZoomError: one line on the picture that cannot be had.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return what the edits are made by, ready for JSON; empty where nothing is known."""
        ...
