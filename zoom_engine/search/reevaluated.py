"""A gradient search in bfloat16 whose result is re-evaluated in float32.

Where the networks that a search follows compute in bfloat16, their answers only steer. Whatever the result rests on is
evaluated again as a scan's points are: the counterfactual, the largest change, the smallest weight that flips. A point
that is not confirmed is replaced by the next best, until all that the result names are.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from zoom_engine.search.trials import (
    LABEL_LOST,
    Array,
    EvaluatedPoint,
    EvaluatedPoints,
    SearchResult,
    SearchState,
    Trial,
)

MOST_ROUNDS = 8  # of re-evaluation; a point that was not re-evaluated by then is no part of the result
REEVALUATED = "re-evaluated"  # why it stopped where the label was lost in bfloat16 alone


class Reevaluated:
    """A `SearchState` around another: it asks what `state` asks, then for the points that the result names."""

    def __init__(self, state: SearchState, trial: Trial, origin: EvaluatedPoint) -> None:
        """Wrap `state`, the search of `trial` from the unedited image `origin`."""
        self._state, self._evaluated = state, EvaluatedPoints(trial, origin)
        self._again: list[int] = []  # which points are asked for again
        self._exact: set[int] = set()
        self._searched: SearchResult | None = state.result()
        self._rounds = 0

    @property
    def exact(self) -> bool:
        """Whether the points that are asked for now are wanted without gradients, in float32."""
        return self._searched is not None

    def ask(self) -> Array:
        """Return the points of the search, or those to evaluate again, see `SearchState.ask`."""
        return np.stack([self._evaluated.tried[i].weights for i in self._again]) if self.exact else self._state.ask()

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answers, see `SearchState.tell`."""
        if not self.exact:
            self._evaluated.add(evaluated)
            self._state.tell(evaluated)
            self._searched = self._state.result()
        else:
            self._rounds += 1
            self._exact.update(self._again)
            for i, point in zip(self._again, evaluated, strict=True):
                self._evaluated.tried[i] = point
        if self.exact and self._rounds < MOST_ROUNDS:
            self._again = [i for i in self._evaluated.named() if i not in self._exact]
        else:
            self._again = []

    def result(self) -> SearchResult | None:
        """Return the re-evaluated result; its steps and why it stopped are those of the search.

        That the label was lost is told of the points that were evaluated again alone.
        """
        if self._searched is None or self._again:
            return None
        if not self._evaluated.tried:
            return self._searched
        stop = REEVALUATED if self._searched.stop == LABEL_LOST else self._searched.stop
        result = self._evaluated.result(stop, by_weight=False, only=self._exact)
        return dataclasses.replace(
            result, steps=self._searched.steps, evaluations=self._searched.evaluations + len(self._exact)
        )
