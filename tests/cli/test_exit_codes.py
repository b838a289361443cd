"""No exception leaves the command line: each is one line and an exit code, and of a gate 1 says "fail" alone."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from simulated import simulated

from zoom_engine.cli import main
from zoom_engine.common.errors import ZoomError

PASSES = ["--max-sensitivity", "0.99"]
ERRORS = {
    "internal": (ValueError("a\nb"), 70, 70, "internal error: ValueError: a b (please report it"),
    "recursion": (RecursionError("too deep"), 70, 70, "internal error: RecursionError: too deep"),
    "memory": (MemoryError(), 1, 2, "out of memory: free some"),
    "permission": (PermissionError(errno.EACCES, "Permission denied", "a/b"), 1, 2, "permission denied for a/b: fix"),
    "disk": (OSError(errno.ENOSPC, "No space left on device"), 1, 2, "no space left on device: make room"),
    "an unread socket": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, 2, "broken pipe: fix that"),
    "ours": (ZoomError("it cannot be"), 1, 2, "it cannot be"),
    "ctrl-c": (KeyboardInterrupt(), 130, 130, "interrupted"),
}


@pytest.mark.parametrize(("error", "code", "of_gate", "says"), list(ERRORS.values()), ids=list(ERRORS))
def test_any_exception_is_one_line_and_no_verdict(
    error: BaseException,
    code: int,
    of_gate: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("zoom_engine.commands.info.describe", fail)
    monkeypatch.setattr("zoom_engine.gates.judge.judge", fail)
    monkeypatch.setattr("zoom_engine.statistics.diagnosis.Diagnosis.load", lambda _: None)
    for command, wanted in ((["info"], code), (["gate", "audit", *PASSES], of_gate)):
        assert main(command) == wanted
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"zoom-engine: {says}")
        assert told.err.count("\n") == 1
    monkeypatch.setenv("ZOOM_ENGINE_TRACEBACK", "1")
    assert main(["info"]) == code
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_no_error_shows_the_password_of_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.txt"
    address = "http://me:open-sesame@a.host/model"
    command = ["diagnose", "--generator", address, "--target", "avatars:mustache", "--out", str(tmp_path / "audit")]
    assert main([*command, "--log-file", str(log)]) == 1
    printed = capsys.readouterr().err
    assert "a.host/model" in printed
    assert "open-sesame" not in printed + (log.read_text(encoding="utf-8") if log.is_file() else "")


def test_a_deep_line_among_the_records_breaks_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=3, path=tmp_path / "audit")
    records = tmp_path / "audit" / "records.jsonl"
    records.write_bytes(records.read_bytes() + b"[" * 100_000 + b"\n")
    assert main(["gate", str(tmp_path / "audit"), *PASSES]) == 2
    told = capsys.readouterr().err
    assert "records.jsonl, line 13 is damaged" in told
    assert told.count("\n") == 1


def test_what_is_written_to_nobody_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Python has it where a shell closed them."""
    simulated(images=100, path=tmp_path / "audit")
    with monkeypatch.context() as patch:
        for name in ("stdout", "stderr"):
            patch.setattr(sys, name, None)
        assert main(["gate", str(tmp_path / "audit"), *PASSES]) == 0
        assert main(["gate", str(tmp_path / "none"), *PASSES]) == 2
        assert sys.stdout is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("{} gate audit --max-sensitivity 0.99 >&-", 0, marks=pytest.mark.ci),
        pytest.param("{} gate audit --max-sensitivity 0.01 >&- 2>&- <&-", 1, marks=pytest.mark.ci),
        pytest.param("{} gate none --max-sensitivity 0.99 2>&-", 2, marks=pytest.mark.ci),
        ("{} gate audit --max-sensitivity 0.99 | true", 141),
        pytest.param("{} gate none --max-sensitivity 0.99 2>&1 | true", 2, marks=pytest.mark.ci),
        pytest.param(
            "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {} gate audit --max-sensitivity 0.99",
            0,
            marks=pytest.mark.ci,
        ),
    ],
)
def test_a_shell_that_closes_what_is_written_to_gets_the_code_and_no_traceback(
    line: str, code: int, tmp_path: Path
) -> None:
    simulated(images=100, path=tmp_path / "audit")
    command = f"set -o pipefail; {line.format(f'{sys.executable} -m zoom_engine')}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.count("\n") <= 1


@pytest.mark.slow
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """What libraries write to descriptor 2 would else lie in the file that got it: the records, say."""
    script = (
        "import os, sys, types\n"
        "from zoom_engine.cli import main\n"
        "def describe(**_): print(os.open('file', os.O_CREAT | os.O_WRONLY)); os.write(2, b'noise'); return {}\n"
        "sys.modules['zoom_engine.commands.info'] = types.SimpleNamespace(describe=describe, sections=dict)\n"
        "raise SystemExit(main(['info']))\n"
    )
    command = f'{sys.executable} -c "$0" 2>&-'
    done = subprocess.run(["bash", "-c", command, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert int(done.stdout.split()[0]) > 2
    assert (tmp_path / "file").read_bytes() == b""
