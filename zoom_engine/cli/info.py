"""`zoom-engine info`."""

from __future__ import annotations

from zoom_engine.cli.output import AsJson, print_json, screen


def info(*, json: AsJson = False) -> None:
    """Print versions, instruction set, runtimes, and what is missing."""
    from zoom_engine.commands.info import describe, sections

    if json:
        print_json(sections())
    else:
        print(describe(width=screen().width))
