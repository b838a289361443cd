"""`zoom-engine init`."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import Parameter

from zoom_engine.cli.options import CommandSettings
from zoom_engine.cli.output import write_file
from zoom_engine.common.errors import AuditError
from zoom_engine.common.typed import in_words
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings, options_of

EXAMPLE: dict[str, Any] = {
    "generator": "avatars",
    "target": "avatars:mustache",
    "attributes": ["a smiling face", "a face with pale skin", "a face with a beard"],
    "out": "audit",
}
"""What an audit needs, and so is set in the file; all else is commented out."""
SECTIONS = {
    "What is audited": (AuditSettings, ("generator", "target", "attributes")),
    "Which images, and where the audit goes": (RunSettings, None),
    "How it is audited, and on what": (AuditSettings, None),
    "Beside it": (CommandSettings, None),
}


def init(*, out: Annotated[Path, Parameter(help="the file to write", metavar="FILE")] = Path("audit.toml")) -> None:
    """Write an audit.toml with every option, its default and what it means."""
    if out.exists():
        raise AuditError(f"{out} is there already: choose another file with --out")
    write_file(out, "\n".join(lines()).encode() + b"\n")
    print(f"Wrote {out}; edit it, then run zoom-engine diagnose --config {out}")


def lines() -> Iterator[str]:
    """Yield the lines of the file, made of the settings' own fields: a new option appears here by itself."""
    yield "# The options of an audit: zoom-engine diagnose --config audit.toml. What is commented out has this default."
    told: set[str] = set()
    for title, (settings, names) in SECTIONS.items():
        yield from ("", f"# {title}")
        hints, defaults = (
            get_type_hints(settings),
            {field.name: field.default for field in dataclasses.fields(settings)},
        )
        for name, about in options_of(settings).items():
            if name in told or (names is not None and name not in names):
                continue
            told.add(name)
            unexplained = [choice for choice in about.possible or () if choice not in about.text]
            choices = f" [{', '.join(about.possible or ())}]" if unexplained else ""
            yield ""
            yield from textwrap.wrap(f"{about.text}{choices}", 100, initial_indent="# ", subsequent_indent="# ")
            default = defaults[name]
            if name in EXAMPLE:
                yield f"{name} = {toml(EXAMPLE[name])}"
            elif default is None or default is dataclasses.MISSING:
                yield f"# {name} = ... ({in_words(hints[name])})"
            else:
                yield f"# {name} = {toml(default)}"


def toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in dataclasses.asdict(value).items()) + " }"
    return json.dumps(value, ensure_ascii=False)
