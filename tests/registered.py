"""What a package would register by an entry point, for the time of a test."""

from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest

from zoom_engine import registry


def register(monkeypatch: pytest.MonkeyPatch, kind: registry.Kind, **things: Any) -> None:
    """``things`` of ``kind`` by their names, beside those that are installed."""
    module = types.ModuleType("registered_things")
    vars(module).update(things)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    added = [EntryPoint(name, f"{module.__name__}:{name}", kind.group) for name in things]

    def with_added(*, group: str, **select: str) -> list[EntryPoint]:
        more = [e for e in added if e.group == group and all(getattr(e, k) == v for k, v in select.items())]
        return [*entry_points(group=group, **select), *more]

    monkeypatch.setattr(registry, "entry_points", with_added)


def a_domain(**members: Any) -> types.SimpleNamespace:
    """A domain of which ``members`` matter."""
    return types.SimpleNamespace(**{**dict.fromkeys(registry.DOMAINS.members, None), **members})
