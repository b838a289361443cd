"""What is told of this machine, and which devices it has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.machine import find_device, git_revision


def test_the_revision_is_the_engines_also_in_a_hook_of_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git_revision()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert git_revision() == before


@pytest.mark.parametrize("name", ["meta", "vulkan", "cuda:1", "no device"])
def test_a_device_that_nothing_can_run_on_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=f"device '{name}'.*; use cpu"):
        find_device(name)
    assert find_device("cuda:0") == torch.device("cuda:0")
    assert find_device("cuda") == torch.device("cuda")
