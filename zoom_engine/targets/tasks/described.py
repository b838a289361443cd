"""What tasks have in common that are dataclasses of their options."""

from __future__ import annotations

from typing import Any, Self


class Described:
    """Comes back from what its `to_dict` says."""

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Self:
        """Its fields, lists in place of tuples."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in described.items()})
