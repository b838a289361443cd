"""`zoom-engine view`."""

from __future__ import annotations

from typing import Any

from zoom_engine.cli.options import (
    DOMAIN,
    EIGHT,
    Picture,
    Seeds,
    decoder_options,
    options,
    read_generator_options,
    read_target_options,
    takes,
    target_options,
)
from zoom_engine.cli.output import screen
from zoom_engine.cli.start import starting
from zoom_engine.common.notices import tell
from zoom_engine.common.terminal import wrapped
from zoom_engine.settings.audit_settings import AuditSettings


@takes(
    options(AuditSettings, "target", required=True, once=["target"]),
    options(AuditSettings, "generator", "generator_class", defaults={"generator": DOMAIN}),
    decoder_options(),
    target_options(),
)
def view(*, seeds: Seeds = EIGHT, out: Picture, **given: Any) -> None:
    """Draw what a target sees: the pictures after its resize and crop, and its answers."""
    with starting():
        from zoom_engine.commands.target_view import write_target_view

    lines = write_target_view(
        out,
        generator=given.get("generator", DOMAIN),
        generator_class=given.get("generator_class"),
        generator_options=read_generator_options(given),
        target=given["target"],
        target_options=read_target_options(given),
        seeds=seeds,
        notify=tell,
    )
    print("\n".join([*(wrapped(line, width=screen().width, hanging=2) for line in lines), f"Open {out}"]))
