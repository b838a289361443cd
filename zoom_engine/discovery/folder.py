"""The folder of a discovery: a run writes all of it at its end, the summary after everything that it speaks of.

===================  ===========================================================================================
manifest.json        `config` (all that determines the result) and `environment`
records.jsonl        a line for each searched image: seed, length of its smallest edit, flipped, label kept, cluster
directions.safetensors  those of the named clusters (`EditDirections`), to be audited
images/              the pictures that summary.json names
summary.json         the clusters, strongest first
report.html          made of the folder alone
===================  ===========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoom_engine.audit.folder import check_folder
from zoom_engine.directions import EditDirections
from zoom_engine.discovery.findings import DIRECTIONS, EDITS, MANIFEST, SUMMARY, Discovery
from zoom_engine.errors import AuditError
from zoom_engine.files import atomic


def check_discovery_folder(out: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder that holds anything but a discovery of this `config`, before anything is measured."""
    if not (out / MANIFEST).is_file():
        check_folder(out)
        return
    try:
        there = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        there = None
    if not isinstance(there, dict) or there.get("config") != json.loads(json.dumps(config)):
        raise AuditError(f"{out} holds something else than a discovery with these settings: choose another folder")


def write_discovery(
    out: Path,
    discovery: Discovery,
    records: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, bytes],
    directions: EditDirections | None,
) -> None:
    """Write all but the report. `pictures` by their names. Raises AuditError."""
    try:
        (out / "images").mkdir(parents=True, exist_ok=True)
        atomic.remove_leftovers(out)
        (out / SUMMARY).unlink(missing_ok=True)
        atomic.write_json(out / MANIFEST, discovery.manifest())
        for name, data in pictures.items():
            atomic.write_bytes(out / name, data)
        atomic.write_text(out / EDITS, "".join(json.dumps(record) + "\n" for record in records))
        if directions is not None:
            directions.save(out / DIRECTIONS)
        atomic.write_json(out / SUMMARY, discovery.to_json())
    except OSError as error:
        raise AuditError(f"cannot write {out}: {(error.strerror or str(error)).lower()}") from error
