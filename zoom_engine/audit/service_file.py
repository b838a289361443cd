"""service.json: how many requests were sent to the service that is audited, and how they ended.

It is written while an audit runs, because the records do not tell it. Each request ends as one kind: "answered",
"failed" (no connection, or a status that says so), "late", "unreadable", "not finite" or "another shape". What was not
answered was asked again, or ended the run.
"""

from __future__ import annotations

from pathlib import Path

from zoom_engine.common.errors import AuditError, one_line
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import JsonObject

SERVICE = "service.json"


def load_tries(audit: Path) -> dict[str, int]:
    """Return how many requests ended as which kind; empty where the target of the audit folder is no service.

    Raises:
        AuditError: the file is damaged.
    """
    path = audit / SERVICE
    try:
        counts = JsonObject(read_json(path)).need("tries", dict)
        tries = JsonObject(counts, "tries")
        for kind in counts:
            tries.check(kind, tries.need(kind, int) >= 0, "be 0 or more")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AuditError(f"cannot read {path} ({one_line(error)}): remove it; the records do not need it") from None
    return dict(counts)
