"""`zoom-engine export-images`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.common.plurals import number_of


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
    """Write the pairs that an audit's strips show, with a table and Croissant metadata.

    They are a few of each attribute.
    """
    from zoom_engine.integrations.image_set import export_images
    from zoom_engine.statistics.diagnosis import Diagnosis

    count = export_images(Diagnosis.load(audit), out, licence=licence)
    print(
        f"Wrote {number_of(count, 'pair')} into {out}: pairs.csv says what they are, croissant.json describes the set"
    )
