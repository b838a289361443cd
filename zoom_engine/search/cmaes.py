"""CMA-ES: several attributes together without gradients (Hansen 2016, arXiv 1604.00772), by the package `cmaes`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from zoom_engine.common.errors import ConfigError, imported
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Planned, SearchResult, Trial
from zoom_engine.settings.audit_settings import checked_options


@checked_options("option of cmaes")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CMAES:
    """Options of CMA-ES, which minimises the loss that the gradient searches follow, forward only.

    The random numbers of a trial are seeded by its image, so that they depend on nothing else in the run. The
    trajectory keeps the point of the lowest loss of each generation, and that of the largest change.

    Attributes:
        steps: how many generations, each a population of points, are evaluated.
        population: points per generation; None is the package's 4 + ⌊3 ln N⌋ for N attributes.
        sigma: standard deviation of the first population, of half the width of each attribute's range.
        patience: stop so many generations after the first counterfactual; None goes on to the last one, so that the
            sensitivity is the largest change that `steps` generations find.
    """

    name: ClassVar[str] = "cmaes"
    in_words: ClassVar[str] = "CMA-ES"
    modes: ClassVar[tuple[str, ...]] = ("multi",)
    needs_gradient: ClassVar[bool] = False
    needs_loss: ClassVar[bool] = True

    steps: int = 30
    population: int | None = None
    sigma: float = 0.3
    patience: int | None = None

    def __post_init__(self) -> None:
        """Refuse options out of their ranges, and a missing package, by a ConfigError."""
        if self.steps < 1:
            raise ConfigError(f"cmaes: steps is {self.steps}, but must be at least 1")
        if self.population is not None and self.population < 4:
            raise ConfigError(f"cmaes: population is {self.population}, but must be at least 4")
        if not 0 < self.sigma <= 1:
            raise ConfigError(f"cmaes: sigma is {self.sigma}, but must be in (0, 1]")
        if self.patience is not None and self.patience < 0:
            raise ConfigError(f"cmaes: patience is {self.patience}, but must be 0 or more generations")
        _optimizer()

    def evaluations(self, planned: Planned) -> tuple[int, int]:
        """Return the points of one generation where patience may end it, else of all, for each target."""
        population = self.population or 4 + math.floor(3 * math.log(max(planned.attributes, 1)))
        most = population * self.steps
        return most if self.patience is None else population, most * planned.targets

    def start(self, trial: Trial, origin: EvaluatedPoint) -> CMAESState:
        """Begin on `trial` with a population around the unedited image."""
        return CMAESState(self, trial, origin)


class CMAESState:
    """The search of one image; the optimizer sees the attributes that may move, each in units of half its range."""

    def __init__(self, options: CMAES, trial: Trial, origin: EvaluatedPoint) -> None:
        """Draw the first population, where any attribute may move."""
        self._options = options
        self._evaluated = EvaluatedPoints(trial, origin)
        self._moves = trial.bounds[:, 0] < trial.bounds[:, 1]
        self._stop = "" if self._moves.any() else "no-range"
        self._flipped_at: int | None = None
        self._path = [origin]
        if self._stop:
            return
        inner = trial.bounds[self._moves]
        self._scale = (inner[:, 1] - inner[:, 0]) / 2
        self._optimizer = _optimizer()(
            mean=np.zeros(len(inner)),
            sigma=options.sigma,
            bounds=inner / self._scale[:, None],
            seed=trial.image,
            population_size=options.population,
        )
        self._draw()

    def ask(self) -> Array:
        """Return the population, as edit weights `[k, N]`."""
        points = np.zeros((len(self._population), len(self._moves)))
        points[:, self._moves] = self._population * self._scale
        return np.stack([self._evaluated.trial.allowed(point) for point in points])

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Give the optimizer the losses of the population and draw the next one, or stop."""
        self._evaluated.add(evaluated)
        losses = [point.loss for point in evaluated if point.loss is not None]
        if len(losses) < len(evaluated):
            raise ConfigError("this search needs losses, which were not evaluated")
        self._path.append(evaluated[int(np.argmin(losses))])
        done, patience = self._evaluated.steps, self._options.patience
        if self._flipped_at is None and any(point.success for point in evaluated):
            self._flipped_at = done
        self._optimizer.tell(list(zip(self._population, losses, strict=True)))
        if patience is not None and self._flipped_at is not None and done - self._flipped_at >= patience:
            self._stop = "flipped"
        elif done == self._options.steps:
            self._stop = "all-steps"
        elif self._optimizer.should_stop():
            self._stop = "converged"
        else:
            self._draw()

    def result(self) -> SearchResult | None:
        """Return the result, None while there is something to ask."""
        if not self._stop:
            return None
        result, path = self._evaluated.result(self._stop, by_weight=False), set(map(id, self._path))
        points = [it for it in self._evaluated.tried if id(it) in path or it.weights is result.change_weights]
        return dataclasses.replace(result, trajectory=tuple(it.to_point() for it in [self._path[0], *points]))

    def _draw(self) -> None:
        self._population = np.stack([self._optimizer.ask() for _ in range(self._optimizer.population_size)])


def _optimizer() -> Any:
    return imported("cmaes", ConfigError, "the cmaes search cannot run", install="zoom-engine[blackbox]").CMA
