"""Who answers for an audited model, what it is for, which one it is, and which audit: page one of a report."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from zoom_engine.audit.folder import RECORDS
from zoom_engine.audit.manifest import Manifest
from zoom_engine.common.errors import AuditError, one_line, system_errors

NOT_GIVEN = "not given"
SHORT = 12
"""Hex digits of a hash that people compare."""
LONGEST = 300
"""Characters of a line; folders of others may say more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """The facts that page one of a report states; "" is what nobody gave.

    Attributes:
        owner: who answers for the model.
        purpose: what the model or the audit is for.
        model: its name.
        model_version: as its owner counts.
        model_hash: the first hex digits of the SHA-256 of what defines its outputs.
        date: when the audit began, YYYY-MM-DD.
        audit_id: the first hex digits of the SHA-256 of records.jsonl, to which a signature refers.
    """

    owner: str
    purpose: str
    model: str
    model_version: str
    model_hash: str
    date: str
    audit_id: str

    @classmethod
    def of(cls, manifest: Manifest, audit: Path | None) -> About:
        """Return what is known of an audit; one without a folder has no id.

        Raises:
            AuditError: its records cannot be read.
        """
        told = {
            **manifest.about,
            "model": manifest.config.target,
            "model_hash": manifest.config.target_hash[:SHORT],
            "date": manifest.begun[:10],
        }
        audit_id = "" if audit is None else sha256_of(audit / RECORDS)[:SHORT]
        return cls(**{name: one_line(text, LONGEST) for name, text in told.items()}, audit_id=audit_id)

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return (title, text) pairs in the order in which they are shown, "not given" for what nobody gave."""
        titles = {
            "Owner": self.owner,
            "Model": self.model,
            "Model version": self.model_version,
            "Model hash": self.model_hash,
            "Audited on": self.date,
            "Audit id": self.audit_id,
            "Intended use": self.purpose,
        }
        return tuple((title, text or NOT_GIVEN) for title, text in titles.items())

    @property
    def in_short(self) -> str:
        """Name the model, its version where it was given, and the audit."""
        version = f" {self.model_version}" if self.model_version else ""
        return f"{self.model or 'the model'}{version}, audit {self.audit_id or NOT_GIVEN}"

    def to_json(self) -> dict[str, str | None]:
        """Return the facts as JSON has them, null for what nobody gave."""
        return {name: text or None for name, text in dataclasses.asdict(self).items()}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex.

    Raises:
        AuditError: it cannot be read.
    """
    with system_errors(AuditError, f"cannot read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
