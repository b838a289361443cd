"""The origin of a report: the audit's id, date and machine, and the files beside the page with their hashes.

No path of the machine that made it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from zoom_engine.audit.about import sha256_of
from zoom_engine.audit.folder import MANIFEST, RECORDS, SUMMARY
from zoom_engine.audit.manifest import Manifest

HOLDS = {
    MANIFEST: "what was asked, of which models, on which machine",
    RECORDS: "every measurement, a line each",
    SUMMARY: "the figures of this page, for programs",
}


@dataclass(frozen=True)
class File:
    """A file of the audit folder: what it `holds`, and its SHA-256 in hex."""

    name: str
    holds: str
    sha256: str


def files(audit: Path) -> tuple[File, ...]:
    """Return which of manifest, records and summary exist.

    Raises:
        AuditError: one of them cannot be read.
    """
    existing = {name: holds for name, holds in HOLDS.items() if (audit / name).is_file()}
    return tuple(File(name, holds, sha256_of(audit / name)) for name, holds in existing.items())


def provenance(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield (title, text) pairs, as far as the manifest has them."""
    yield "Audit", manifest.identity
    if manifest.begun:
        yield "Begun", manifest.begun
    for place, environment in enumerate([manifest.environment, *manifest.resumed_in]):
        if machine := _machine(environment):
            yield "Gone on with on" if place else "Made on", machine


def without_folders(content: Mapping[str, object]) -> dict[str, Any]:
    """Return a manifest's content without workers' addresses, of files given by their path the name alone."""
    shown = {key: value for key, value in content.items() if key != "workers"}
    if isinstance(environment := shown.get("environment"), dict):
        shown["environment"] = _named(environment)
    if isinstance(resumed := shown.get("resumed_in"), list):
        shown["resumed_in"] = [_named(environment) for environment in resumed]
    return shown


def _named(environment: Mapping[str, object]) -> dict[str, Any]:
    given = {key: environment.get(key) for key in ("generator", "pairs")}
    return {**environment, **{key: PurePath(path).name for key, path in given.items() if isinstance(path, str)}}


def _machine(environment: Mapping[str, object]) -> str:
    """Describe the machine and its software in a line."""
    packages = environment.get("packages")
    torch = packages.get("torch") if isinstance(packages, dict) else None
    parts = {
        "{}": environment.get("system"),
        "{} cores": environment.get("cores"),
        "Python {}": environment.get("python"),
        "torch {}": torch,
        "zoom-engine {}": environment.get("zoom_engine"),
        "commit {:.12}": environment.get("git_revision"),
    }
    return ", ".join(form.format(str(value)) for form, value in parts.items() if value is not None)
