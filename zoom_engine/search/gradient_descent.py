"""What SGD and PGD share: follow the gradient over the edit weights, step by step, within the bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from zoom_engine.errors import ConfigError
from zoom_engine.search.iterates import Array, Iterate, SearchResult, Trials, Unit

DEFAULT_RATE_SINGLE, DEFAULT_RATE_MULTI = 0.2, 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientSearch:
    """Options of a gradient search; the defaults are the reference implementation's (Luo 2023).

    steps: at most so many updates; steps + 1 points are evaluated, the unedited image first.
    learning_rate: η; None means 0.2 where one attribute moves and 0.1 where all do.
    patience: stop so many steps after the first counterfactual; None goes on to the last step, so that the
        sensitivity is the largest change that `steps` steps find. With patience it is the largest change
        among the points that were evaluated.
    """

    steps: int = 100
    learning_rate: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"{self.name}: steps is {self.steps}, but must be at least 1")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ConfigError(f"{self.name}: learning_rate is {self.learning_rate}, but must be greater than 0")
        if self.patience is not None and self.patience < 0:
            raise ConfigError(f"{self.name}: patience is {self.patience}, but must be 0 or more steps")

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def needs_gradient(self) -> bool:
        return True

    @property
    def needs_loss(self) -> bool:
        return True

    @property
    def modes(self) -> tuple[str, ...]:
        return ("single", "multi")

    def direction(self, gradient: Array) -> Array:
        """The step `[N]` against which η is counted."""
        raise NotImplementedError

    def start(self, unit: Unit, origin: Iterate) -> GradientState:
        """Begin on `unit` at the unedited image."""
        rate = self.learning_rate
        if rate is None:
            rate = DEFAULT_RATE_MULTI if unit.attribute is None else DEFAULT_RATE_SINGLE
        return GradientState(unit, origin, self.direction, steps=self.steps, rate=rate, patience=self.patience)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **dataclasses.asdict(self)}


class GradientState:
    """One image; which attributes move is a matter of its bounds."""

    def __init__(
        self,
        unit: Unit,
        origin: Iterate,
        direction: Callable[[Array], Array],
        *,
        steps: int,
        rate: float,
        patience: int | None,
    ) -> None:
        self._trials = Trials(unit, origin)
        self._direction = direction
        self._steps, self._rate, self._patience = steps, rate, patience
        self._at = np.zeros(len(unit.bounds))
        self._flipped_at: int | None = None
        self._stop = "" if np.any(unit.bounds) else "no-range"

    def ask(self) -> Array:
        return self._at[None]

    def tell(self, iterates: list[Iterate]) -> None:
        self._trials.add(iterates)
        (iterate,) = iterates
        if iterate.gradient is None:
            raise ConfigError("this search needs gradients, which were not evaluated")
        taken = self._trials.steps - 1
        if iterate.success and self._flipped_at is None:
            self._flipped_at = taken
        moved = self._trials.unit.allowed(self._at - self._rate * self._direction(iterate.gradient))
        if self._patience is not None and self._flipped_at is not None and taken - self._flipped_at >= self._patience:
            self._stop = "flipped"
        elif taken == self._steps:
            self._stop = "all-steps"
        elif np.array_equal(moved, self._at):
            self._stop = "stationary"
        self._at = moved

    def result(self) -> SearchResult | None:
        return self._trials.result(self._stop, by_weight=False) if self._stop else None
