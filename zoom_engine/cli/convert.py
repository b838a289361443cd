"""`zoom-engine convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.options import options, takes
from zoom_engine.settings.audit_settings import AuditSettings


@takes(options(AuditSettings, "generator_class"))
def convert(
    source: Annotated[Path, Parameter(name="IN")],
    out: Annotated[Path, Parameter(name="OUT.safetensors")],
    /,
    *,
    half: Annotated[bool, Parameter(help="store float16", show_default=False)] = False,
    **given: int | None,
) -> None:
    """Write a generator checkpoint of any known format as safetensors."""
    from zoom_engine.generators import convert_checkpoint

    convert_checkpoint(source, out, class_index=given.get("generator_class"), half=half)
    print(f"Wrote {out}")
