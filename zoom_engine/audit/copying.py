"""Pictures of an audit folder in a copy of it, and a copy that failed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoom_engine.audit.folder import IMAGES, MANIFEST, RECORDS, SUMMARY
from zoom_engine.audit.gallery_file import GALLERY
from zoom_engine.audit.photographs_file import PHOTOGRAPHS
from zoom_engine.audit.service_file import SERVICE
from zoom_engine.common.errors import AuditError, one_line, system_errors
from zoom_engine.common.files.folder_lock import LOCK


def copy_pictures(audit: Path, to: Path) -> None:
    """Copy the pictures of an audit folder and the files that name them.

    The folder may be somebody else's: a link in it could bring any file of this machine into the copy.
    """
    with system_errors(AuditError, f"cannot copy the pictures of {audit}"):
        if not (audit / IMAGES).is_dir():
            raise AuditError(f"{audit} has no {IMAGES}: bring it back, or remove {GALLERY} to save no pictures")
        for path in plain_files(audit, (GALLERY, PHOTOGRAPHS, IMAGES)):
            name = path.relative_to(audit)
            if path.is_dir():
                (to / name).mkdir(exist_ok=True)
            else:
                shutil.copyfile(path, to / name)


def plain_files(audit: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield those of the files and folders of these names that an audit has, and all that these folders hold.

    Raises:
        AuditError: one is a link, which may lead to any file of this machine, or is no file.
    """
    for name in names:
        if os.path.lexists(audit / name):
            yield _plain(audit / name)
            yield from map(_plain, sorted((audit / name).rglob("*")))


def _plain(path: Path) -> Path:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise AuditError(f"{one_line(str(path))} is no plain file: put the file itself there, or remove it")
    return path


def remove_copy(path: Path, made: os.stat_result, missing: Sequence[Path]) -> None:
    """Remove what `save` wrote into the folder `path` that it `made`, and the folders that were `missing` before."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(path), made):
            shutil.rmtree(path / IMAGES, ignore_errors=True)
            for name in (MANIFEST, RECORDS, SUMMARY, SERVICE, GALLERY, PHOTOGRAPHS, LOCK):
                (path / name).unlink(missing_ok=True)
    for folder in missing:
        with contextlib.suppress(OSError):
            folder.rmdir()
