"""Tests that fork run in processes that begin with nothing: one that ran thousands of others has threads of all of
them, and its children would share the pipe over which it tells results."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from forks import FORKS

FILES = ["common/test_threads.py", "targets/test_service.py", "runtime/test_sessions.py"]
SLOW = ["end_to_end/test_threads_and_processes.py"]


@pytest.mark.slow(15)
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "files",
    [
        pytest.param(SLOW, marks=[pytest.mark.ci, pytest.mark.slow(130)], id="slow"),
        pytest.param(FILES, id="others"),
    ],
)
def test_what_forks_holds_in_a_process_of_its_own(files: list[str]) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-n", "0", "-m", "forks and not experiment", "--tb=short"]
    done = subprocess.run(
        [*command, *(str(Path(__file__).parent / file) for file in files)],
        env={**os.environ, FORKS: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
