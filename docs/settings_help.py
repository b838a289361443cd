"""griffe extension: a setting is described by its help, which lies in its field's metadata, and has its default."""

from __future__ import annotations

import dataclasses
import pkgutil
from typing import Any

import griffe


class SettingsHelp(griffe.Extension):
    """Describe the fields of settings as the command line's help does."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Give each field its help and its default."""
        if not cls.path.startswith("zoom_engine.settings."):
            return
        settings = pkgutil.resolve_name(cls.path)
        for field in dataclasses.fields(settings) if dataclasses.is_dataclass(settings) else ():
            about = field.metadata.get("about")
            if about is None or field.name not in cls.members:
                continue
            attribute = cls.members[field.name]
            text = f"{about.text[:1].upper()}{about.text[1:]}"
            more = f". In Python also: {about.python}" if about.python else ""
            attribute.docstring = griffe.Docstring(f"{text}{more}.", parent=attribute)
            attribute.value = None if field.default is dataclasses.MISSING else repr(field.default)
