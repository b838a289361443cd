"""A search of one attribute that begins with how far the image may be edited.

The pictures that say so are shown to the model under audit too: they are points of its response.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from zoom_engine.search.trials import Array, Bounding, EvaluatedPoint, SearchResult, SearchState, Trial


class Bounded:
    """A `SearchState` around another: it asks for what `bounding` wants scored, then for what the search asks.

    Attributes:
        trial: the trial; it has its bounds, and what was seen on the way to them, once they are known.
    """

    def __init__(self, trial: Trial, attribute: int, bounding: Bounding, start: Callable[[Trial], SearchState]) -> None:
        """Wrap the search that `start` begins on the trial, once its bounds are known."""
        self.trial = trial
        self._attribute, self._bounding, self._start = attribute, bounding, start
        self._seen: list[EvaluatedPoint] = []
        self._state: SearchState | None = None

    @property
    def search(self) -> SearchState | None:
        """The search within the bounds; None as long as points are wanted with their text scores."""
        return self._state

    def ask(self) -> Array:
        """Return the next point to score, or the points of the search, see `SearchState.ask`."""
        if self._state is not None:
            return self._state.ask()
        point = np.zeros((1, len(self.trial.bounds)))
        point[0, self._attribute] = self._bounding.weight
        return point

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answers, see `SearchState.tell`."""
        if self._state is not None:
            self._state.tell(evaluated)
            return
        (point,) = evaluated
        assert point.scores is not None
        self._seen.append(point)
        self._bounding.tell(point.scores)
        if self._bounding.weight is None:
            bounds = np.zeros_like(self.trial.bounds)
            bounds[self._attribute] = self._bounding.limits
            self.trial = dataclasses.replace(
                self.trial, bounds=bounds, scores=self._bounding.scores, seen=tuple(self._seen)
            )
            self._state = self._start(self.trial)

    def result(self) -> SearchResult | None:
        """Return the result of the search, None while there is something to ask."""
        return None if self._state is None else self._state.result()
