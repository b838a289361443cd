"""What is true of a rendered picture: attribute labels, their margins, and interventions that set one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.parameters import ParameterTable

Table = TypeVar("Table", bound=ParameterTable)

CLEAR_MARGIN = 0.25


class Attribute(NamedTuple):
    """An attribute read from one parameter: present above `threshold` (below, where `scale` < 0).

    The margin is scale * (value - threshold), cut to ±0.5. Interventions set `on` and `off`.

    What has a side (a head that is turned, light that comes from one) is present on one alone where `side` names the
    parameter in [-1, 1] that says which, by the sign of `towards`; interventions that set `on` set `side` to `towards`.
    """

    parameter: str
    on: float
    off: float
    threshold: float = 0.5
    scale: float = 1.0
    side: str = ""
    towards: float = 0.0


@dataclass(frozen=True)
class Truth:
    """The attributes of a domain: `table`, and `hides`: attribute → those that cannot be seen where it is present.

    Attributes that read a share of the scheme's colours, or the same parameter, exclude each other.
    """

    subject: str
    table: Mapping[str, Attribute]
    colours: tuple[str, ...]
    hides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the names of the attributes."""
        return tuple(self.table)

    def exclusions(self, attribute: str) -> frozenset[str]:
        """Return the attributes whose labels setting this one may change.

        Where what hides others has to give way, whatever it hid comes into view too.
        """
        self.check(attribute)
        related = set(self._alike(attribute))
        for hider, hidden in self.hides.items():
            core = {hider, *self._alike(hider)}
            if attribute in core:
                related.update(hidden)
            if attribute in hidden:
                related.update(core)
        return frozenset(related - {attribute})

    def margins(self, parameters: ParameterTable) -> dict[str, NDArray[np.float32]]:
        """Compute the signed distance of each attribute from its threshold, float32 `[n]` in [-0.5, 0.5].

        It is positive where the attribute is present, and measured in the parameter's own range (a colour: its share),
        so |margin| >= 0.25 (`CLEAR_MARGIN`) is clearly on one side. What is hidden is absent: its margin is the smaller
        of its own and that of not being hidden.
        """
        shares = parameters.colour_shares()
        names = tuple(parameters.scheme.colours)
        result: dict[str, NDArray[np.float32]] = {}
        for name, row in self.table.items():
            value = shares[:, names.index(row.parameter)] if self._is_colour(name) else parameters[row.parameter]
            margin = np.clip(row.scale * (value - row.threshold), -0.5, 0.5)
            if row.side:
                margin = np.minimum(margin, np.clip(np.sign(row.towards) * parameters[row.side], -0.5, 0.5))
            result[name] = margin.astype(np.float32)
        for hider, hidden in self.hides.items():
            for name in hidden:
                result[name] = np.minimum(result[name], -result[hider])
        return result

    def labels(self, parameters: ParameterTable) -> dict[str, NDArray[np.bool_]]:
        """Compute whether each attribute is seen, bool `[n]`: the sign of its margin."""
        return {name: margin > 0 for name, margin in self.margins(parameters).items()}

    def intervene(self, parameters: Table, attribute: str, value: bool) -> Table:
        """Return a copy in which the attribute is clearly present (or clearly absent), all else as it was.

        Only the attribute's own parameter is set, and its side where it has one, but: setting a colour moves the share
        of the others (taking one away leaves the next most likely, made pure), and what hides the attribute gives way.
        Taking away one of two attributes that read the same parameter leaves those who clearly lack it as they are.

        Raises:
            ConfigError: the attribute is unknown.
        """
        self.check(attribute)
        row = self.table[attribute]
        columns: dict[str, NDArray[np.float32]] = {}
        if self._is_colour(attribute):
            columns.update(_with_colour(parameters, row.parameter, value))
        else:
            wanted = np.full(len(parameters), row.on if value else row.off, dtype=np.float32)
            if self._alike(attribute) and not value:
                clear = self.margins(parameters)[attribute] <= -CLEAR_MARGIN
                wanted = np.where(clear, parameters[row.parameter], wanted)
            columns[row.parameter] = wanted
            if row.side and value:
                columns[row.side] = np.full(len(parameters), row.towards, dtype=np.float32)
        changed = parameters.replace(**columns)
        for hider, hidden in self.hides.items():
            if value and attribute in hidden:
                covered = self.margins(changed)[hider] > -CLEAR_MARGIN
                bare = self.intervene(changed, hider, False)
                changed = type(parameters)(np.where(covered[:, None], bare.values, changed.values))
        return changed

    def check(self, attribute: str) -> None:
        """Refuse an unknown attribute by a ConfigError."""
        if attribute not in self.table:
            raise ConfigError(f"unknown {self.subject} attribute {attribute!r}; choose from {', '.join(self.table)}")

    def _is_colour(self, attribute: str) -> bool:
        return attribute in self.colours

    def _alike(self, attribute: str) -> tuple[str, ...]:
        """Return the others that exclude this one: the other colours, or those that read the same parameter."""
        if self._is_colour(attribute):
            return tuple(name for name in self.colours if name != attribute)
        parameter = self.table[attribute].parameter
        return tuple(name for name, row in self.table.items() if row.parameter == parameter and name != attribute)


def untie(truth: Truth, parameters: Table, attributes: Sequence[str], *, seed: int) -> Table:
    """Set every one of the attributes by chance, each on its own, for each picture."""
    rng = np.random.default_rng(seed)
    values = parameters.values.copy()
    for name in attributes:
        wanted = rng.random(len(values)) < 0.5
        current = type(parameters)(values)
        for value in (True, False):
            rows = np.flatnonzero(wanted == value)
            values[rows] = truth.intervene(current[rows], name, value).values
    return type(parameters)(values)


def _with_colour(parameters: ParameterTable, parameter: str, value: bool) -> dict[str, NDArray[np.float32]]:
    names = tuple(parameters.scheme.colours)
    colour = names.index(parameter)
    shares = parameters.colour_shares().copy()
    pure = np.eye(len(names), dtype=np.float32)
    if value:
        shares[:] = pure[colour]
    else:
        dominant = shares[:, colour] > 0.5 - CLEAR_MARGIN
        rest = shares.copy()
        rest[:, colour] = -1.0
        shares = np.where(dominant[:, None], pure[rest.argmax(axis=1)], shares)
    return {name: shares[:, index] for index, name in enumerate(names)}
