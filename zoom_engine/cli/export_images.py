"""`zoom-engine export-images`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def export_images(
    audit: Annotated[Path, Parameter(help="an audit folder")],
    /,
    *,
    out: Annotated[Path, Parameter(help="a new folder", metavar="FOLDER")],
    licence: Annotated[
        str,
        Parameter(name="--license", help="of the pictures (the generator's), a URL or SPDX name", metavar="LICENSE"),
    ],
) -> None:
    """Write an audit's pictures as pairs of files, with a table and Croissant metadata."""
    from zoom_engine.integrations.image_set import export_images
    from zoom_engine.statistics.diagnosis import Diagnosis

    count = export_images(Diagnosis.load(audit), out, licence=licence)
    print(f"Wrote {count} pairs into {out}: pairs.csv says what they are, croissant.json describes the set")
