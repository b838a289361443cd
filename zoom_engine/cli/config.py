"""An audit's options from a TOML file: those of the command line, each checked for its type."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

from zoom_engine.cli.options import CommandSettings
from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.toml_file import read_toml
from zoom_engine.common.typed import check_options
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings, options_of
from zoom_engine.settings.model_settings import DecoderSettings, InputSettings, TargetSettings

OF_TABLES = (
    (DecoderSettings, ("generator_options",)),
    (TargetSettings, ("target_options",)),
    (InputSettings, ("target_options", "preprocessing")),
)
"""Options that the command line has beside those of `AuditSettings`, and the table among these that holds them."""


def read_config(path: Path) -> dict[str, Any]:
    """Read the options in the TOML file `path`, by the names of `AuditSettings` and `RunSettings`.

    Keys may be written with _ or -, and as on the command line, those of how generator and target are read too.

    Raises:
        ConfigError: the file cannot be read, an option is unknown or given twice, or a value has another type.
    """
    raw = read_toml(path)
    kinds = (AuditSettings, RunSettings, CommandSettings)
    hints = {name: hint for settings in kinds for name, hint in get_type_hints(settings).items()}
    renamed = {about.name: name for settings in kinds for name, about in options_of(settings).items() if about.name}
    tables = {about.name or name: (*of, name) for kind, of in OF_TABLES for name, about in options_of(kind).items()}
    values: dict[str, Any] = {}
    for key, value in sorted(raw.items(), key=lambda item: item[0].replace("-", "_") in tables):  # tables come first
        spelt = key.replace("-", "_")
        *inside, name = tables.get(spelt, (renamed.get(spelt, spelt),))
        holder = values
        for table in inside:
            holder = holder.setdefault(table, {})
            if not isinstance(holder, dict):
                raise ConfigError(f"{path}: '{table}' must be a table")
        if name in holder:
            raise ConfigError(f"{path}: option '{one_line(name, 80)}' is given twice, by two spellings: leave one out")
        holder[name] = value
    check_options(values, dict(sorted(hints.items())), "option", place=f"{path}: ")
    return values
