"""What docs/reference/python.md shows can be read by what draws it: each argument that a docstring tells of is one that
there is, and has a line of its own. (`mkdocs build --strict` ends at another.)"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHOWN = re.findall(
    r"^::: (\S+)", (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text(encoding="utf-8"), re.M
)


def documented(name: str) -> Iterator[tuple[str, Any]]:
    """What is shown under a name, with its public methods."""
    result = pkgutil.resolve_name(name)
    yield name, result
    members = vars(result).items() if isinstance(result, type) else ()
    yield from ((f"{name}.{key}", member) for key, member in members if inspect.isfunction(member) and key[0] != "_")


def told(docstring: str) -> list[str]:
    """The names in the section Args of a docstring."""
    _, _, section = inspect.cleandoc(docstring).partition("\nArgs:\n")
    body = re.split(r"^\S", section, maxsplit=1, flags=re.M)[0]
    return re.findall(r"^ {4}(\S[^:\n]*):", body, re.M)


@pytest.mark.parametrize("name", SHOWN)
def test_docstrings_tell_of_arguments_that_there_are_one_a_line(name: str) -> None:
    for where, documented_object in documented(name):
        names = told(documented_object.__doc__ or "")
        if names:
            assert {name.lstrip("*") for name in names} <= set(inspect.signature(documented_object).parameters), where


def test_arguments_are_read_from_docstrings() -> None:
    assert told(
        "Do.\n\n    Args:\n        a, b: one:\n            two: three\n        c: four.\n\n    Raises:\n        E: x"
    ) == [
        "a, b",
        "c",
    ]
