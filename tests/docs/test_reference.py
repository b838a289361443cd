"""What the pages of docs/reference/python show can be read by what draws it: each argument that a docstring tells of is
one that there is, and has a line of its own. (`mkdocs build --strict` ends at another.)"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zoom_engine
from zoom_engine.settings.audit_settings import AuditSettings, options_of

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "reference" / "python").glob("*.md"))
SHOWN = [name for page in PAGES for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.M)]


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


def test_every_public_name_is_on_a_page() -> None:
    shown = {name.rpartition(".")[2] for name in SHOWN}
    public = set(zoom_engine.__all__) - {"__version__", "find_domain", "ZoomError"}
    assert public <= shown


def test_a_setting_is_described_by_its_help(monkeypatch: pytest.MonkeyPatch) -> None:
    griffe = pytest.importorskip("griffe", reason="it draws the reference, and comes with the extra docs")
    monkeypatch.syspath_prepend(ROOT / "docs")
    extensions = griffe.load_extensions(importlib.import_module("settings_help").SettingsHelp)
    module = griffe.load("zoom_engine.settings.audit_settings", extensions=extensions, search_paths=[ROOT])
    for name, about in options_of(AuditSettings).items():
        attribute = module["AuditSettings"][name]
        assert about.text[1:] in attribute.docstring.value
        assert "option(" not in str(attribute.value)
    assert str(module["AuditSettings"]["worker_cores"].value) == "2"
