"""What is told of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zoom_engine.common.machine import git_revision


def test_the_revision_is_the_engines_also_in_a_hook_of_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git_revision()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert git_revision() == before
