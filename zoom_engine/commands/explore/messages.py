"""What page and server say to each other over the WebSocket.

The page sends JSON, one object of a known kind; anything else is one line back. The server sends frames: 4 bytes with
the length of a JSON header, the header, and the bytes of the pictures that its "parts" name by their lengths.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zoom_engine.common.errors import ConfigError, one_line

LONGEST = 1 << 16
"""The most bytes of a message of the page."""
LARGEST_SEED = 2**32 - 1
MOST_THUMBNAILS = 24
_Index = Annotated[int, Meta(ge=0, le=1_000_000)]
_Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED)]


class Picked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image: that of a seed, or the own photograph of a number."""

    seed: _Seed | None = None
    photograph: _Index | None = None


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag=str.lower):
    """A message of the page."""


class OfEdit(Message, frozen=True, kw_only=True):
    """A message about an image that is edited by N weights; `sequence` comes back with the answer."""

    image: Picked
    weights: tuple[float, ...]
    sequence: _Index = 0


class Show(OfEdit, frozen=True, kw_only=True):
    """Draw the edited picture, and the unedited one where the page lacks it; `target` is whose output is drawn in."""

    target: _Index = 0
    original: bool = False


class Curve(OfEdit, frozen=True, kw_only=True):
    """Sweep one attribute from `low` to `high`."""

    attribute: _Index
    low: float
    high: float


class Keep(OfEdit, frozen=True, kw_only=True):
    """Return the edited picture as a file, with its recipe."""


class Search(Message, frozen=True, kw_only=True):
    """Search the smallest edit of the image that flips a target."""

    image: Picked
    target: _Index


class Stop(Message, frozen=True):
    """End the search."""


class Thumbnails(Message, frozen=True, kw_only=True):
    """Draw small unedited pictures."""

    images: Annotated[tuple[Picked, ...], Meta(max_length=MOST_THUMBNAILS)]


Request = Show | Curve | Keep | Search | Stop | Thumbnails
_decoder = msgspec.json.Decoder(Request)


def read(text: str | bytes, *, attributes: int, targets: int, photographs: int, bound: float) -> Request:
    """Read a message of the page.

    Args:
        text: as it came.
        attributes: N, how many weights an edit has.
        targets: how many there are.
        photographs: how many own photographs there are.
        bound: the largest |edit weight|.

    Raises:
        ConfigError: in one line, what is wrong with it.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"a message of {len(text)} bytes is too long: {LONGEST} are read")
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"the page sent a message that is none: {one_line(error)}") from None
    if isinstance(message, OfEdit):
        if len(message.weights) != attributes:
            raise ConfigError(f"an edit has {attributes} weights here, not {len(message.weights)}: load the page again")
        _check_weights(message.weights, bound)
    if isinstance(message, Curve):
        _check_weights((message.low, message.high), bound)
        if message.attribute >= attributes:
            raise ConfigError(f"there is no attribute {message.attribute}: there are {attributes}")
        if not message.low < message.high:
            raise ConfigError("a curve leads from a low edit weight to a higher one")
    if isinstance(message, Show | Search) and message.target >= targets:
        raise ConfigError(f"there is no target {message.target}: there are {targets}")
    images = message.images if isinstance(message, Thumbnails) else (getattr(message, "image", None),)
    for image in images:
        if image is not None:
            _check_image(image, photographs)
    return message


def _check_weights(weights: Sequence[float], bound: float) -> None:
    for weight in weights:
        if not math.isfinite(weight) or abs(weight) > bound + 1e-6:
            raise ConfigError(f"an edit weight lies within ±{bound:g}, and {weight:g} does not")


def _check_image(image: Picked, photographs: int) -> None:
    if (image.seed is None) == (image.photograph is None):
        raise ConfigError("an image is that of a seed, or a photograph: name one of both")
    if image.photograph is not None and image.photograph >= photographs:
        raise ConfigError(f"there is no photograph {image.photograph}: there are {photographs}")


def unpacked(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return the header of a frame, and its pictures."""
    start = 4 + int.from_bytes(content[:4], "big")
    header: dict[str, Any] = json.loads(content[4:start])
    pictures = []
    for length in header["parts"]:
        pictures.append(content[start : start + length])
        start += length
    return header, pictures


def frame(kind: str, header: dict[str, Any], pictures: Sequence[bytes] = ()) -> bytes:
    """Return a message to the page: its kind and header, and pictures behind it.

    Raises:
        ValueError: the header holds NaN or infinity.
    """
    known = {"kind": kind, **header, "parts": [len(picture) for picture in pictures]}
    text = json.dumps(known, allow_nan=False, separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *pictures])
