"""The path that a user's words may be; most of them are names of something else."""

from __future__ import annotations

from pathlib import Path

from zoom_engine.common.errors import ZoomError, one_line, system_errors


def asked_path(spec: str | Path, refusal: type[ZoomError]) -> Path:
    """Return `spec` as a path, whether or not something is there.

    Raises:
        ZoomError: the `refusal`, where the system cannot even look, as for a name that is too long.
    """
    path = Path(spec)
    with system_errors(refusal, f"'{one_line(str(spec), 80)}' cannot be read"):
        path.is_file()
    return path
