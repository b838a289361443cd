"""What commands print and write beside their text: JSON on standard output, and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.errors import AuditError
from zoom_engine.files import atomic

AsJson = Annotated[bool, Parameter(help="print JSON in place of text", show_default=False)]


def print_json(value: Any) -> None:
    """Strict JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def write_file(path: Path, content: bytes | dict[str, Any]) -> None:
    """Write a file atomically, an object as JSON. Raises AuditError."""
    try:
        if isinstance(content, bytes):
            atomic.write_bytes(path, content)
        else:
            atomic.write_json(path, content)
    except OSError as error:
        raise AuditError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
