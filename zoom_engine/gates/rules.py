"""The rules that an audit must pass, as options of the command line and as tables of a TOML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.toml_file import read_toml
from zoom_engine.common.typed import check_options
from zoom_engine.settings.audit_settings import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """One limit, on the attributes that are named or on all.

    Raises:
        ConfigError: there is no limit or more than one, or it can never be reached.
    """

    max_sensitivity: float | None = option(
        "the largest mean change of the output, in [0, 1], that is allowed for an attribute", None
    )
    max_growth: float | None = option(
        "how much more than in the baseline, at most, an attribute may move the output", None
    )
    min_power: float | None = option(
        "the least power: the share of such audits that would find an effect of 0.2 sensitive", None
    )
    effect: float = option("the effect that min_power is about, one of those for which audits give their power", 0.2)
    attributes: Sequence[str] | None = option("prompts, or what they add to the neutral one; by default all", None)

    def __post_init__(self) -> None:
        """Refuse a rule without exactly one limit in [0, 1]."""
        limits = {name: getattr(self, name) for name in LIMITS}
        given = {name: value for name, value in limits.items() if value is not None}
        if len(given) != 1:
            raise ConfigError(f"a rule has one of {', '.join(LIMITS)}, not {len(given)} of them")
        for name, value in given.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {value:g}")
        if self.min_power is not None and self.attributes is not None:
            raise ConfigError("min_power is about the whole audit: leave its attributes out")
        if self.min_power is None and self.effect != Rule.effect:
            raise ConfigError("effect is the one that min_power is about: leave it out beside another limit")
        if self.attributes is not None and not self.attributes:
            raise ConfigError("a rule for no attribute checks nothing: name some, or leave 'attributes' out for all")

    @property
    def text(self) -> str:
        """Return the rule in words."""
        if self.max_sensitivity is not None:
            return f"sensitivity at most {self.max_sensitivity:g}"
        if self.max_growth is not None:
            return f"grown by at most {self.max_growth:g} over the baseline"
        return f"power at {self.effect:g} at least {self.min_power:g}"

    @property
    def identifier(self) -> str:
        """Return the kind of rule as SARIF names it: the name of its limit, with dashes."""
        return next(name for name in LIMITS if getattr(self, name) is not None).replace("_", "-")


LIMITS = ("max_sensitivity", "max_growth", "min_power")


def rules_of(limits: Mapping[str, Any]) -> list[Rule]:
    """Return a rule for each of the limits, on all attributes."""
    return [Rule(**{name: value}) for name, value in limits.items()]


def read_rules(path: Path) -> list[Rule]:
    """Read the tables `[[rule]]` of a TOML file; names may be written with _ or -.

    Raises:
        ConfigError: the file cannot be read, has no rule, or has a key that no rule has.
    """
    content = read_toml(path)
    tables = content.pop("rule", None)
    if not isinstance(tables, list) or not tables or content:
        raise ConfigError(f"{path}: rules are tables [[rule]], one or more, and nothing else")
    return [_rule(table, f"{path}: rule {number}") for number, table in enumerate(tables, start=1)]


def _rule(table: object, name: str) -> Rule:
    if not isinstance(table, dict):
        raise ConfigError(f"{name} must be a table, got {one_line(repr(table), 80)}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        spelt = key.replace("-", "_")
        if spelt in values:
            raise ConfigError(f"{name}: option '{one_line(spelt, 80)}' is given twice, by two spellings: leave one out")
        values[spelt] = value
    check_options(values, get_type_hints(Rule), "option", place=f"{name}: ")
    try:
        return Rule(**values)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
