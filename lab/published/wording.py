"""Names of attributes for tables and captions."""

from __future__ import annotations

BEFORE = ("a face with ", "a face of ", "a face ", "a person with ", "a person ", "a ")


def short_name(prompt: str) -> str:
    """Return a prompt without its beginning, such as "beard" of "a face with a beard"."""
    return next((prompt.removeprefix(start) for start in BEFORE if prompt.startswith(start)), prompt)
