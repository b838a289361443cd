"""`zoom-engine edit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.forms import NUMBERS
from zoom_engine.cli.options import (
    DECODER,
    DOMAIN,
    EIGHT,
    TABLES,
    Picture,
    Seeds,
    decoder_options,
    given_of,
    options,
    read_generator_options,
    takes,
)
from zoom_engine.cli.start import starting
from zoom_engine.common.progress import forced
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.settings.model_settings import TargetSettings

WEIGHTS = "such as -30,-15,0,15,30; by default what an audit uses, and ±30 beside it"


@takes(
    options(AuditSettings, "attributes", required=True),
    options(AuditSettings, "generator", defaults={"generator": DOMAIN}),
    options(AuditSettings, "generator_class", "neutral", "text_encoder", "download", "directions", "truncation"),
    decoder_options(),
    options(TargetSettings, "trust"),
)
def edit(
    *,
    weights: Annotated[Sequence[float] | None, Parameter(help=WEIGHTS, metavar="WEIGHTS"), NUMBERS] = None,
    seeds: Seeds = EIGHT,
    out: Picture,
    **given: Any,
) -> None:
    """Draw images at several weights of edit directions."""
    with starting():
        from zoom_engine.commands.edit_sheet import write_edit_sheet

    of_generator = {**(read_generator_options(given) or {}), **given_of(["trust"], given)}
    alien = (*DECODER, *TABLES, "trust")
    given = {"generator": DOMAIN, **{name: value for name, value in given.items() if name not in alien}}
    for shown in write_edit_sheet(
        out, weights=weights, seeds=seeds, generator_options=of_generator, progress=forced, **given
    ):
        note = "; in brackets: outside its calibrated range" if shown.calibrated else ""
        print(f"{shown.attribute}: {', '.join(shown.labels())}{note}")
    print(f"Open {out}")
