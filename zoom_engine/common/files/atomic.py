"""Files that are either whole or absent: written under a temporary name, fsynced, renamed, folder fsynced.

Every function raises `OSError` on failure, leaves the old file (if any) as it was and removes its temporary file;
callers turn the `OSError` into the error class of their own layer. A process killed half-way can leave one temporary
file behind: `remove_leftovers` finds those by their name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_MARK = ".zoom-tmp-"


def fsync(path: str | Path) -> None:
    """Make durable what a file holds, or which names a folder has: a rename alone is not durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write the whole of `data`: `os.write` may accept only a part of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`: a clean exit puts it in place of `path`, an error removes it.

    For writers that want a file name of their own::

        with replacing("directions.safetensors") as temporary:
            safetensors.torch.save_file(tensors, temporary)

    The temporary name keeps the suffix of `path`. The caller need not fsync. Whatever permissions the writer gave
    (safetensors: to the owner alone), the file gets those of any new file.

    Raises:
        OSError: the file cannot be written, or `path` is no file's: /dev/null would be one from then on.
    """
    path = Path(path)
    if _is_device(path):
        raise OSError(errno.EINVAL, "it is a device or a pipe, and no file", str(path))
    short = path.stem.encode("utf-8", "ignore")[:80].decode("utf-8", "ignore")  # names are limited in bytes
    temporary = path.with_name(f".{short}{_MARK}{secrets.token_hex(6)}{path.suffix}")
    try:
        mode = _mode_of_new_files(temporary)
        yield temporary
        os.chmod(temporary, mode)
        fsync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    fsync(path.parent)


def _is_device(path: Path) -> bool:
    """Tell whether a path is a device or a pipe, leads to one, or names an open file, as /dev/stdout does."""
    folder = os.path.realpath(path.parent)
    no_file = path.exists() and not path.is_file() and not path.is_dir()
    return no_file or folder == "/dev" or folder.startswith("/proc/")


def _mode_of_new_files(path: Path) -> int:
    """Return what the umask, or the folder's own default, leaves of 0666, as seen on a file that is removed again.

    The umask itself can only be read by setting it, for all threads.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
        os.unlink(path)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically and durably.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically and durably.

    Half a surrogate pair (from a file name that is not UTF-8) becomes a backslash escape: in JSON, the same text.

    Raises:
        OSError: the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, value: object) -> None:
    """Write `value` to `path` as strict, indented JSON, atomically and durably.

    Raises:
        OSError: the file cannot be written.
        ValueError: the value has a NaN or an infinity.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def is_leftover(name: str) -> bool:
    """Tell whether a file is so called that a killed process may have left it."""
    return name.startswith(".") and _MARK in name


def remove_leftovers(*folders: str | Path) -> None:
    """Remove what killed processes left in `folders`; only for folders that nobody else writes now."""
    for entry in (entry for folder in folders for entry in Path(folder).glob(".*")):
        if is_leftover(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink()
