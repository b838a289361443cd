"""End: one picture of a trial, at the end of its range. Forward only.

An edit is judged by its effect there (`statistics.effects`), so where nothing else is asked of a trial, as of a random
baseline direction, the way to it need not be walked. Where the label is lost at the end, the point nearest to it that
keeps the label counts; it is found by halving the way, on the lattice that a scan of eight points walks.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from zoom_engine.common.errors import ConfigError
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Planned, SearchResult, Trial


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """Options of the evaluation at the end of the range.

    Attributes:
        halvings: how many points are tried at most where the label is lost at the end.
    """

    name: ClassVar[str] = "end"
    in_words: ClassVar[str] = "a look at the end of the range"
    modes: ClassVar[tuple[str, ...]] = ("single",)
    needs_gradient: ClassVar[bool] = False
    needs_loss: ClassVar[bool] = False

    halvings: int = 3

    def evaluations(self, planned: Planned) -> tuple[int, int]:
        """Return one point, and halvings for each target whose label may be lost."""
        return 1, 1 + planned.targets * self.halvings * planned.labels

    def start(self, trial: Trial, origin: EvaluatedPoint) -> EndState:
        """Begin on `trial`, which must have an attribute and a range to one side of 0.

        Raises:
            ConfigError: it has not.
        """
        if trial.attribute is None:
            raise ConfigError("the end of a range is that of one attribute: use another search for all together")
        low, high = map(float, trial.bounds[trial.attribute])
        if low and high:
            raise ConfigError(f"a range has one end to look at where it leads one way, not from {low:g} to {high:g}")
        return EndState(self, trial, trial.attribute, low or high, origin)


class EndState:
    """The search of one attribute of one image."""

    def __init__(self, options: End, trial: Trial, attribute: int, end: float, origin: EvaluatedPoint) -> None:
        """Take the end of the range as the first point; an `end` of 0 stops at once."""
        self._options, self._attribute, self._end = options, attribute, end
        self._evaluated = EvaluatedPoints(trial, origin)
        self._share, self._step = 1.0, 1.0  # of the way
        self._nearest: int | None = None  # index of the nearest point that keeps the label
        self._stop = "" if end else "no-range"

    def ask(self) -> Array:
        """Return the one point to try next, `[1, N]`."""
        point = np.zeros((1, len(self._evaluated.trial.bounds)))
        point[0, self._attribute] = self._end * self._share
        return point

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answer; stop where the label is kept at the end, else halve the step."""
        (point,) = evaluated
        keeps_label, halvings = point.keeps_label, len(self._evaluated.tried)
        if keeps_label:
            self._nearest = halvings
        self._evaluated.add(evaluated)
        if keeps_label and not halvings:
            self._stop = "end"
        elif halvings == self._options.halvings:
            self._stop = "label-changes"
        else:
            self._step /= 2
            self._share += self._step if keeps_label else -self._step

    def result(self) -> SearchResult | None:
        """Return the result of the nearest point that keeps the label, None while there is something to ask."""
        if not self._stop:
            return None
        only = None if self._nearest is None else {self._nearest}
        return self._evaluated.result(self._stop, by_weight=True, only=only)
