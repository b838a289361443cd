"""What is told of this machine, and which devices it has."""

from __future__ import annotations

import subprocess
import sys
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


FAULTS = """
import platform, resource
import torch
from zoom_engine.common.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.ones(36_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
keep_freed_memory()
faults()
retained = faults()
print(usual, retained, platform.libc_ver()[0])
"""


def test_large_arrays_that_are_freed_are_not_filled_by_the_system_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    usual, retained, library = done.stdout.split()
    if library != "glibc":
        pytest.skip("of the C library of GNU alone")
    assert int(retained) < int(usual) / 10
