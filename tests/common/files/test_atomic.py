"""Atomic writes: whole or absent, also when any system call fails."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from zoom_engine.common.files import atomic

CALLS = ("open", "write", "fsync", "chmod", "replace")


def fail_call(monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> Callable[[], int]:
    """Make the `at`-th call of os.<name> fail with ENOSPC; returns a counter of the calls."""
    real, seen = getattr(os, name), [0]

    def wrapped(*args: Any, **options: Any) -> Any:
        seen[0] += 1
        if seen[0] - 1 == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(os, name, wrapped)
    return lambda: seen[0]


def test_writes_bytes_text_and_json(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / "a", b"\x00\xff")
    atomic.write_text(tmp_path / "b", "né\n")
    atomic.write_json(tmp_path / "c.json", {"x": [1, "é"]})
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    assert (tmp_path / "b").read_text(encoding="utf-8") == "né\n"
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"x": [1, "é"]}
    assert "é" in (tmp_path / "c.json").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c.json"]


def test_json_is_strict_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    atomic.write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}


def test_json_keeps_file_names_that_are_not_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"gen\xff.pkl")
    atomic.write_json(tmp_path / "c.json", {"generator": name})
    assert json.loads((tmp_path / "c.json").read_bytes()) == {"generator": name}


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_failing_call_leaves_the_old_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, existing: bool
) -> None:
    path = tmp_path / "file"
    with monkeypatch.context() as patch:
        count = fail_call(patch, name, -1)
        atomic.write_bytes(path, b"count")
        calls = count()
    path.unlink()
    assert calls > 0
    for at in range(calls):
        if existing:
            atomic.write_bytes(path, b"old")
        with monkeypatch.context() as patch:
            fail_call(patch, name, at)
            with pytest.raises(OSError, match="No space"):
                atomic.write_bytes(path, b"new")
        whole = {b"old", b"new"} if existing else {b"new"}
        assert not path.exists() or path.read_bytes() in whole
        assert [entry.name for entry in tmp_path.iterdir()] in (["file"], [])
        path.unlink(missing_ok=True)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_permissions_are_those_of_any_new_file(umask: int, tmp_path: Path) -> None:
    """Also where the writer makes a file of its own for the owner alone, as safetensors does."""
    before = os.umask(umask)
    try:
        atomic.write_bytes(tmp_path / "ours", b"x")
        with atomic.replacing(tmp_path / "theirs") as temporary:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600))
        with atomic.replacing(tmp_path / "tensors.safetensors") as temporary:
            save_file({"x": torch.zeros(1)}, temporary)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("ours", "theirs", "tensors.safetensors"), 0o666 & ~umask)


def test_a_long_name_is_written_in_any_letters(tmp_path: Path) -> None:
    path = tmp_path / f"{'写' * 80}.json"  # 245 bytes, of the 255 that a name may have
    atomic.write_json(path, {})
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic.replacing(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_devices_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    """/dev/null became a file for the superuser, and so for all that runs there."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/proc/self/fd/1")):
        with pytest.raises(OSError, match="a device or a pipe"):
            atomic.write_bytes(path, b"x")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:3])))
    atomic.write_bytes(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def interrupted(path: Path, error: type[BaseException]) -> Path:
    """Write half a file, then fail with `error`; returns the temporary path."""
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error(temporary)


def test_interruption_removes_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as error:
        interrupted(tmp_path / "x.png", KeyboardInterrupt)
    assert error.value.args[0].suffix == ".png"
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_processes_are_found(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(ZeroDivisionError) as error:
        interrupted(tmp_path / "x.png", ZeroDivisionError)
    error.value.args[0].write_bytes(b"half")
    atomic.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
