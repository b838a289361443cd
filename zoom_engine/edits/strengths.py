"""Strengths of edits as a user types them."""

from __future__ import annotations

import dataclasses
import math

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.settings.audit_settings import checked_options

Strengths = tuple[float, ...] | list[float]
LEAST, LARGEST = 1e-6, 1e6
"""The smallest strength and the largest, of either sign: records keep six digits."""


@checked_options("editor option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TypedStrengths:
    """The strengths of an editor that has none of its own, the same for each attribute, and their unit.

    Raises:
        ConfigError: see `check_strengths`.
    """

    strengths: Strengths
    unit: str = ""

    def __post_init__(self) -> None:
        """Check the strengths."""
        if not self.values:
            raise ConfigError("editor option 'strengths' is empty: give one or more, such as [0.5, 1]")

    @property
    def values(self) -> tuple[float, ...]:
        """The strengths as floats."""
        return check_strengths(self.strengths, "editor option 'strengths'")


class TypedEditor:
    """The part of an `Editor` that edits whatever the user types."""

    attributes = ()

    def __init__(self, typed: TypedStrengths) -> None:
        """Take what the user typed."""
        self._typed = typed

    def strengths(self, attribute: str) -> tuple[float, ...]:
        """Return the strengths that the user typed."""
        return self._typed.values

    def unit(self, attribute: str) -> str:
        """Return the unit that the user typed."""
        return self._typed.unit


def check_strengths(values: object, called: str) -> tuple[float, ...]:
    """Return strengths as floats; `called` begins messages.

    Raises:
        ConfigError: they are no numbers, 0, not ascending, or not of `LEAST` to `LARGEST`.
    """
    numbers = [
        float(value)
        for value in (values if isinstance(values, list | tuple) else (math.nan,))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]
    if not isinstance(values, list | tuple) or len(numbers) != len(values):
        raise ConfigError(f"{called} must be a list of strengths, such as [0.5, 1], got {one_line(repr(values), 80)}")
    if not all(LEAST <= abs(number) <= LARGEST for number in numbers if number):
        raise ConfigError(
            f"{called} must be strengths of {LEAST:g} to {LARGEST:,.0f}, of either sign,"
            f" got {one_line(repr(values), 80)}"
        )
    if 0.0 in numbers or numbers != sorted(set(numbers)):
        raise ConfigError(f"{called} must be ascending strengths, none of them 0, got {one_line(repr(values), 80)}")
    return tuple(numbers)
