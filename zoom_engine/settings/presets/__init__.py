"""Prompts for what published generators draw: a neutral one, attributes, templates and label sets.

Each preset is a TOML file in this folder; a user's own is a file of the same form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.toml_file import read_toml
from zoom_engine.common.typed import check_options, misfit
from zoom_engine.settings.attributes import Attribute, check_labels, parse_attributes

FOLDER = Path(__file__).parent
LARGEST = 1 << 20
KINDS: dict[str, Any] = {
    "title": str,
    "neutral": str,
    "templates": str | Sequence[str],
    "attributes": Sequence[str],
    "labels": dict[str, Any],
}


@dataclass(frozen=True)
class Preset:
    """The content of a preset's file.

    `labels` are prompts of a target's classes, by the name of the set, class 0 first.
    """

    title: str
    neutral: str
    attributes: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    templates: str | tuple[str, ...] | None = None

    def without(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the attributes that do not name one of the target's own classes."""
        return tuple(a for a in self.attributes if not set(labels) & set(Attribute.parse(a).paraphrases))


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def preset_file(name: str) -> Path:
    """Return the file of a preset of the package.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in preset_names():
        raise ConfigError(f"no preset '{one_line(name, 80)}'; there are {', '.join(preset_names())}")
    return FOLDER / f"{name}.toml"


def find_preset(spec: str | Path) -> tuple[Preset, tuple[str, ...] | None]:
    """Return a preset, and the prompts of the label set that is named, None where none is.

    Args:
        spec: `NAME`, `NAME:LABELS`, `FILE.toml` or `FILE.toml:LABELS`.

    Raises:
        ConfigError: there is no such preset or label set, or the file is none of this form.
    """
    head, colon, labels = str(spec), "", ""
    if not head.endswith(".toml") and ":" in head:
        head, colon, labels = head.rpartition(":")
    preset = read_preset(Path(head) if head.endswith(".toml") else preset_file(head))
    if not colon:
        return preset, None
    if labels not in preset.labels:
        known = one_line(", ".join(preset.labels), 200) or "none"
        raise ConfigError(f"preset '{one_line(head, 80)}' has no label set '{one_line(labels, 80)}'; it has {known}")
    return preset, preset.labels[labels]


def read_preset(path: Path) -> Preset:
    """Read a preset from its file.

    Raises:
        ConfigError: it is not of the form of those in this folder.
    """
    if path.is_file() and path.stat().st_size > LARGEST:
        raise ConfigError(f"preset {path} has more than {LARGEST >> 20} MB: it is no list of prompts")
    raw = read_toml(path, called=f"preset {path}")
    check_options(raw, KINDS, "key", place=f"preset {path}: ")
    for key in ("neutral", "attributes"):
        if key not in raw:
            raise ConfigError(f"preset {path}: '{key}' is missing")
    sets = raw.get("labels", {})
    for name, prompts in sets.items():
        if wrong := misfit(Sequence[str], prompts):
            raise ConfigError(f"preset {path}: label set '{one_line(name, 80)}' {wrong}")
    parse_attributes(raw["attributes"], neutral=raw["neutral"])
    templates = raw.get("templates")
    return Preset(
        title=raw.get("title", path.stem),
        neutral=raw["neutral"],
        attributes=tuple(raw["attributes"]),
        labels={name: check_labels(prompts) for name, prompts in sets.items()},
        templates=tuple(templates) if isinstance(templates, list) else templates,
    )
