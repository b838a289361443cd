"""End: one picture of a unit, at the end of its range. Forward only.

What an edit comes to is judged there (`statistics.effects`), so where nothing else is asked of a unit, as of a random
direction, the way to it need not be walked. Where the label is lost at the end, the point nearest to it that keeps the
label counts; it is looked for by halving the way, on the lattice that a scan of eight points walks.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from zoom_engine.common.errors import ConfigError
from zoom_engine.search.iterates import Array, Iterate, SearchResult, Trials, Unit


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """Options of the look at the end.

    halvings: points that are tried at most where the label is lost at the end.
    """

    name: ClassVar[str] = "end"
    in_words: ClassVar[str] = "a look at the end of the range"
    modes: ClassVar[tuple[str, ...]] = ("single",)
    needs_gradient: ClassVar[bool] = False
    needs_loss: ClassVar[bool] = False

    halvings: int = 3

    def start(self, unit: Unit, origin: Iterate) -> EndState:
        """Begin on `unit`, which must have an attribute and a range to one side of 0."""
        if unit.attribute is None:
            raise ConfigError("the end of a range is that of one attribute: use another search for all together")
        low, high = map(float, unit.bounds[unit.attribute])
        if low and high:
            raise ConfigError(f"a range has one end to look at where it leads one way, not from {low:g} to {high:g}")
        return EndState(self, unit, unit.attribute, low or high, origin)


class EndState:
    """One attribute of one image."""

    def __init__(self, options: End, unit: Unit, attribute: int, end: float, origin: Iterate) -> None:
        self._options, self._attribute, self._end = options, attribute, end
        self._trials = Trials(unit, origin)
        self._share, self._step = 1.0, 1.0  # of the way
        self._nearest: int | None = None  # that keeps the label, by its place among what was tried
        self._stop = "" if end else "no-range"

    def ask(self) -> Array:
        point = np.zeros((1, len(self._trials.unit.bounds)))
        point[0, self._attribute] = self._end * self._share
        return point

    def tell(self, iterates: list[Iterate]) -> None:
        (iterate,) = iterates
        kept, halvings = iterate.keeps_label, len(self._trials.tried)
        if kept:
            self._nearest = halvings
        self._trials.add(iterates)
        if kept and not halvings:
            self._stop = "end"
        elif halvings == self._options.halvings:
            self._stop = "label-changes"
        else:
            self._step /= 2
            self._share += self._step if kept else -self._step

    def result(self) -> SearchResult | None:
        if not self._stop:
            return None
        only = None if self._nearest is None else {self._nearest}
        return self._trials.result(self._stop, by_weight=True, only=only)
