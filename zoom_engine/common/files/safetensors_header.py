"""The beginning of a safetensors file: the length of a JSON header in eight bytes, then the header."""

from __future__ import annotations

LARGEST_HEADER = 100_000_000
"""The largest header, in bytes, by the rule of the format."""


def is_safetensors(start: bytes) -> bool:
    """Return whether a file whose first nine bytes are `start` begins as safetensors files do."""
    return len(start) == 9 and int.from_bytes(start[:8], "little") <= LARGEST_HEADER and start[8:] == b"{"
