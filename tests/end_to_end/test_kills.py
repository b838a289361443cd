"""The real command, killed in the middle: it resumes without losing or repeating a unit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.ci]

COMMAND = [
    *(sys.executable, "-m", "zoom_engine", "diagnose", "--generator", "avatars", "--target", "avatars:eyeglasses"),
    *(
        "--attribute",
        "a smiling face",
        "--attribute",
        "a face with bangs",
        "--range",
        "paper",
        "--random-directions",
        "2",
    ),
    *("--images", "8", "--seed", "5", "--batch-size", "4"),
]
TRIALS = 8 * 2  # no attribute is sensitive, so no random direction is tried


@pytest.fixture(autouse=True)
def heed_ctrl_c() -> Iterator[None]:
    """A test run in the background of a shell ignores SIGINT, and its children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(out: Path) -> subprocess.Popen[bytes]:
    """In the test's own folder, so that the installed package is used, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, "--out", str(out)],
        cwd=out.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def lines(out: Path) -> int:
    path = out / "records.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def key(record: dict[str, object]) -> tuple[object, ...]:
    """The record's unit: random directions have a number, and no attribute."""
    return record["image"], record["attribute"] or "", record.get("baseline", -1)


def trials(out: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    return sorted(records, key=key)


@pytest.mark.slow(80)
@pytest.mark.timeout(600)
def test_two_kills_of_the_real_command(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    process = start(undisturbed)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error.decode()
    for wanted in (1, 13):
        process = start(killed)
        deadline = time.monotonic() + 120
        while lines(killed) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    interrupted = lines(killed)
    process = start(killed)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error.decode()
    resumed = trials(killed)
    assert 13 <= interrupted <= len(resumed) == TRIALS
    assert len(set(map(key, resumed))) == TRIALS
    assert resumed == trials(undisturbed)
    assert (killed / "summary.json").read_bytes() == (undisturbed / "summary.json").read_bytes()


@pytest.mark.slow(18)
@pytest.mark.timeout(600)
def test_ctrl_c_leaves_a_resumable_folder_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    process = start(out)
    deadline, first = time.monotonic() + 500, 0
    while process.poll() is None and time.monotonic() < deadline:
        if first and lines(out) > first:  # those before are on disk: records whose sync is interrupted are taken back
            break
        first = first or lines(out)
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode().strip().splitlines()[-1] == "zoom-engine: interrupted; run the same command again to continue"
    assert lines(out) >= 1
