"""What packages register is found as soon as they are installed, and not looked for each time."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from zoom_engine.common import registry


def installed(folder: Path, name: str) -> Path:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.TASKS.group}]\n{name} = json:JSONDecoder\n")
    return info


def test_packages_are_looked_for_again_only_where_some_came_or_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = registry.names(registry.TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.names(registry.TASKS) == before
    first = installed(tmp_path, "first")
    assert registry.packages(registry.TASKS)["first"] == "first 1.0"
    looked = []
    real = metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda: looked.append(1) or real())
    assert {kind: registry.names(kind) for kind in registry.KINDS}[registry.TASKS] == (*before, "first")
    assert not looked
    installed(tmp_path, "second")
    assert registry.all_names(registry.TASKS)[-2:] == ("first", "second")
    shutil.rmtree(first)
    assert registry.find(registry.TASKS, "first") is None
    assert len(looked) == 2
