"""What a package would register by an entry point, for the time of a test."""

from __future__ import annotations

import os
import sys
import tomllib
import types
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from zoom_engine import cli
from zoom_engine.common import registry

EXAMPLE = Path(__file__).parents[1] / "docs" / "example_package"


def install_example(monkeypatch: pytest.MonkeyPatch, folder: Path, *, version: str = "1.0") -> None:
    """The example package is installed, here and for processes that are started, as an editable install has it: its
    folder is on the path, and its metadata in `folder`, made of its pyproject.toml."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name']}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    for place in (folder, EXAMPLE):
        monkeypatch.syspath_prepend(place)
    path = [str(folder), str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


@contextmanager
def fresh_commands() -> Iterator[None]:
    """Commands are imported anew, here and after it: the choices of their options are those of when they were."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("zoom_engine.cli.")}
    for name in before:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.startswith("zoom_engine.cli.")]:
        del sys.modules[name]
    sys.modules.update(before)
    for name, module in before.items():
        setattr(cli, name.rpartition(".")[2], module)


def register(monkeypatch: pytest.MonkeyPatch, kind: registry.Kind, **things: Any) -> None:
    """``things`` of ``kind`` by their names, beside those that are installed."""
    module = types.ModuleType("registered_things")
    vars(module).update(things)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    added = [EntryPoint(name, f"{module.__name__}:{name}", kind.group) for name in things]

    def with_added(*, group: str, **select: str) -> list[EntryPoint]:
        more = [e for e in added if e.group == group and all(getattr(e, k) == v for k, v in select.items())]
        return [*entry_points(group=group, **select), *more]

    monkeypatch.setattr(registry, "entry_points", with_added)


def a_domain(**members: Any) -> types.SimpleNamespace:
    """A domain of which ``members`` matter."""
    methods = dict.fromkeys(("generator", "text_encoder", "target_names", "target"), lambda *given: None)
    return types.SimpleNamespace(**{"name": "toys", "neutral": "a toy", "attributes": (), **methods, **members})
