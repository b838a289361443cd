"""Long texts of a pickle, which stay slices of the file: protocols 0 to 2 write all weights as text.

Those protocols know no bytes. Python 3 writes bytes as a text of the characters 0 to 255, to be encoded as latin1;
Python 2 wrote its byte strings. A text is decoded once, piece by piece, when somebody reads the weights in it: this
takes no more memory than the file has bytes, however often the pickle names it.
"""

from __future__ import annotations

import codecs
import re
from _codecs import escape_decode
from collections.abc import Iterator
from functools import cached_property

from zoom_engine.common.errors import CheckpointError, one_line

PIECE = 1 << 20  # bytes
STRING_ESCAPE = "string-escape"  # as Python 2's ``repr`` wrote a byte string, without its quotes
WELL_ESCAPED = re.compile(rb"(?:[^\\]++|\\(?:x[0-9a-fA-F]{2}|[\\'\"nrt]))*+")


class LongText:
    """A text of the file."""

    def __init__(self, data: memoryview, encoding: str) -> None:
        """Keep the bytes of the text undecoded.

        Args:
            data: its bytes in the file.
            encoding: how they are encoded: "utf-8", "latin1", "raw-unicode-escape" or `STRING_ESCAPE`.
        """
        self.data = data
        self.encoding = encoding

    @cached_property
    def latin1(self) -> memoryview:
        """The bytes that the text stands for; CheckpointError where it has others than latin1's characters."""
        if self.encoding == "latin1":
            return self.data
        return memoryview(b"".join(self._encoded("latin1")))

    def utf8(self) -> Iterator[bytes]:
        """Yield the text in UTF-8, piece by piece; CheckpointError where it is none."""
        return self._encoded("utf-8")

    def _encoded(self, encoding: str) -> Iterator[bytes]:
        try:
            for piece in self._pieces():
                yield piece.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except ValueError as error:
            raise CheckpointError(f"is damaged: a text in its pickle is not {encoding} ({one_line(error)})") from error

    def _pieces(self) -> Iterator[str]:
        if self.encoding == STRING_ESCAPE:
            yield unescaped(bytes(self.data))
            return
        decoder = codecs.getincrementaldecoder(self.encoding)()
        for start in range(0, len(self.data), PIECE):
            piece = bytes(self.data[start : start + PIECE])
            yield decoder.decode(piece, start + PIECE >= len(self.data))


def unescaped(text: bytes) -> str:
    """Return what Python 2's `repr` made `text` of, as latin1.

    Raises:
        ValueError: it has escapes that `repr` does not write.
    """
    if not WELL_ESCAPED.fullmatch(text):
        raise ValueError("a string with an unknown escape")
    return str(escape_decode(text)[0], "latin1")
