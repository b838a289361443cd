"""The folder of a discovery: what a run measures is stored at once, all else is written at its end.

The summary is written after everything that it refers to.

===================  ===========================================================================================
manifest.json        written first: `config` (all that determines the result) and `environment`
measured/            what was measured of images so far (`checkpoint`); removed when the discovery is finished
records.jsonl        a line for each searched image: seed, length of its smallest edit, flipped, label kept, cluster
directions.safetensors  those of the named clusters (`EditDirections`), to be audited
images/              the pictures that summary.json names
summary.json         the clusters, strongest first
report.html          made of the folder alone
.lock                held with flock(2) while a run writes; the kernel releases it with the process
===================  ===========================================================================================
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoom_engine.audit.folder import check_folder, first_difference
from zoom_engine.common.errors import AuditError, system_errors
from zoom_engine.common.files import atomic, folder_lock
from zoom_engine.common.files.json_file import read_json
from zoom_engine.directions import EditDirections
from zoom_engine.discovery.findings import DIRECTIONS, EDITS, MANIFEST, SUMMARY, Discovery, manifest_of

CHECKPOINT = "measured"


@contextlib.contextmanager
def locked_discovery(out: Path, config: Mapping[str, object], environment: Mapping[str, object]) -> Iterator[None]:
    """Begin or resume a discovery as `begin_discovery` does, and lock the folder until the context ends.

    Raises:
        AuditError: another run writes the folder, or `begin_discovery` refuses it.
    """
    _check_discovery(out, config)  # before a lock file is left in a folder of something else
    with system_errors(AuditError, f"cannot write {out}"):
        out.mkdir(parents=True, exist_ok=True)
        lock = folder_lock.acquire(out)
    try:
        begin_discovery(out, config, environment)
        yield
    finally:
        os.close(lock)


def begin_discovery(out: Path, config: Mapping[str, object], environment: Mapping[str, object]) -> None:
    """Write the manifest into a new folder, or accept a folder with a discovery of the same `config`.

    Any other folder is refused before anything is measured.

    Raises:
        AuditError: the folder holds something else, or cannot be written.
    """
    _check_discovery(out, config)
    if not (out / MANIFEST).is_file():
        with system_errors(AuditError, f"cannot write {out}"):
            out.mkdir(parents=True, exist_ok=True)
            atomic.write_json(out / MANIFEST, manifest_of(config, environment))


def _check_discovery(out: Path, config: Mapping[str, object]) -> None:
    """Refuse a folder that holds something other than a discovery of `config`, or that cannot be written."""
    if not (out / MANIFEST).is_file():
        check_folder(out)
        return
    try:
        manifest = read_json(out / MANIFEST)
    except (OSError, ValueError):
        manifest = None
    known = manifest.get("config") if isinstance(manifest, dict) else None
    if not isinstance(known, dict) or first_difference(known, json.loads(json.dumps(config))) is not None:
        raise AuditError(f"{out} holds something other than a discovery with these settings: choose another folder")


def write_discovery(
    out: Path,
    discovery: Discovery,
    records: Sequence[Mapping[str, object]],
    pictures: Mapping[str, bytes],
    directions: EditDirections | None,
) -> None:
    """Write everything except the report; `pictures` are PNG by their names.

    Raises:
        AuditError: the folder cannot be written.
    """
    with system_errors(AuditError, f"cannot write {out}"):
        (out / "images").mkdir(parents=True, exist_ok=True)
        atomic.remove_leftovers(out, out / "images")
        atomic.write_json(out / MANIFEST, manifest_of(discovery.config, discovery.environment))
        for name, data in pictures.items():
            atomic.write_bytes(out / name, data)
        atomic.write_text(out / EDITS, "".join(json.dumps(record) + "\n" for record in records))
        if directions is not None:
            directions.save(out / DIRECTIONS)
        atomic.write_json(out / SUMMARY, discovery.to_json())


def is_finished(out: Path) -> bool:
    """Tell whether a run has come to its end there."""
    return (out / SUMMARY).is_file()


def remove_checkpoint(out: Path) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(out / CHECKPOINT, ignore_errors=True)
