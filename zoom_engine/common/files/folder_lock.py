"""The lock of a folder that one process at a time may write: flock(2) on a file in it.

The kernel releases the lock with the process, so no lock is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from zoom_engine.common.errors import AuditError
from zoom_engine.common.files import atomic

LOCK = ".lock"


def acquire(path: Path) -> int:
    """Lock the folder for this process.

    Returns:
        A file descriptor; closing it releases the lock.

    Raises:
        AuditError: another run holds the lock.
        OSError: the lock file cannot be opened or written.
    """
    while True:
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
                raise AuditError(
                    f"another run (process {holder or 'unknown'}) is writing {path}: wait for it or choose "
                    "another output folder"
                ) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path / LOCK)):
                    os.ftruncate(descriptor, 0)
                    atomic.write_all(descriptor, f"{os.getpid()}\n".encode())
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed the name between our open and our lock
