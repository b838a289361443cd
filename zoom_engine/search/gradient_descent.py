"""SGD and PGD: follow the gradient over the edit weights, step by step, within the bounds (Luo 2023, supplement C)."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np

from zoom_engine.common.errors import ConfigError
from zoom_engine.search.end import End, EndState
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Planned, SearchResult, Trial
from zoom_engine.settings.audit_settings import checked_options

DEFAULT_RATE_SINGLE, DEFAULT_RATE_MULTI = 0.2, 0.1
STALL = 15  # steps in which nothing got better: a search of several attributes has settled
BETTER = 1e-3  # the least gain that counts as better: of SSIM, or as a share of the margin


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientSearch:
    """Options of a gradient search; defaults are the reference implementation's (Luo 2023) but for `early_stop`.

    A range of one attribute that leads one way may lead away from the boundary: there the search goes nowhere. So it
    looks at the end of such a range once it has stopped, as `End` does, and the effect is known whichever way it leads.

    Attributes:
        steps: at most so many updates; steps + 1 points are evaluated, the unedited image first.
        learning_rate: η; None means 0.2 where one attribute moves and 0.1 where all do.
        decay: what η is multiplied by after each step, in (0, 1].
        momentum: μ in [0, 1) of the heavy ball v ← μv + ∇L (Polyak 1964; by its sign: Dong 2018, arXiv 1710.06081); the
            step then follows v instead of ∇L.
        patience: stop so many steps after the first counterfactual; None goes on to the last step, so that the
            sensitivity is the largest change that `steps` steps find. With patience it is the largest change among the
            points that were evaluated.
        early_stop: leave out steps that would add nothing; False always takes the paper's `steps`. A step back to a
            point where the search has been before begins to repeat itself: leaving it out changes no result, and only
            this stops a single attribute early, since its sensitivity is the largest change of all steps. Several
            attributes together also stop when they have *settled* (flipped decisively, and for 15 steps no
            counterfactual was more similar by 0.001) and when the search is *hopeless* (no flip, and at the fastest
            pace of the last 15 steps the steps left do not lead to one).
    """

    name: ClassVar[str]
    modes: ClassVar[tuple[str, ...]] = ("single", "multi")
    needs_gradient: ClassVar[bool] = True
    needs_loss: ClassVar[bool] = True

    steps: int = 100
    learning_rate: float | None = None
    decay: float = 1.0
    momentum: float = 0.0
    patience: int | None = None
    early_stop: bool = True

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a ConfigError."""
        if self.steps < 1:
            raise ConfigError(f"{self.name}: steps is {self.steps}, but must be at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"{self.name}: learning_rate is {self.learning_rate}, but must be finite and above 0")
        if not 0 < self.decay <= 1:
            raise ConfigError(f"{self.name}: decay is {self.decay}, but must be in (0, 1]")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"{self.name}: momentum is {self.momentum}, but must be in [0, 1)")
        if self.patience is not None and self.patience < 0:
            raise ConfigError(f"{self.name}: patience is {self.patience}, but must be 0 or more steps")

    def direction(self, gradient: Array) -> Array:
        """Return the vector `[N]` that is multiplied by η and subtracted from the edit weights."""
        raise NotImplementedError

    def evaluations(self, planned: Planned) -> tuple[int, int]:
        """Return the points for each target: the unedited image and a step, or all of them and the end of a range."""
        _, of_end = End().evaluations(planned._replace(targets=1)) if planned.calibrated else (0, 0)
        return 2 * planned.targets, (self.steps + 1 + of_end) * planned.targets

    def start(self, trial: Trial, origin: EvaluatedPoint) -> GradientState:
        """Begin on `trial` at the unedited image."""
        return GradientState(self, trial, origin)


@checked_options("option of sgd")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD(GradientSearch):
    """Plain gradient descent, for one attribute or all together: w ← clip(w − η ∇L, bounds).

    For the options see `GradientSearch`.
    """

    name: ClassVar[str] = "sgd"
    in_words: ClassVar[str] = "SGD (it follows the model’s gradient)"

    def direction(self, gradient: Array) -> Array:
        """Return the gradient itself."""
        return gradient


@checked_options("option of pgd")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PGD(GradientSearch):
    """Descent by the sign, so that weights stay multiples of η: w ← clip(w − η sign(∇L), bounds) (Madry 2018).

    For the options see `GradientSearch`.
    """

    name: ClassVar[str] = "pgd"
    in_words: ClassVar[str] = "PGD (it follows the sign of the model’s gradient)"

    def direction(self, gradient: Array) -> Array:
        """Return the gradient's sign, 0 where it is 0."""
        return np.sign(gradient)


class GradientState:
    """The search of one image; its bounds say which attributes move."""

    def __init__(self, options: GradientSearch, trial: Trial, origin: EvaluatedPoint) -> None:
        """Begin at the unedited image; bounds of zeros stop at once."""
        self._options = options
        self._evaluated = EvaluatedPoints(trial, origin)
        rate = options.learning_rate
        if rate is None:
            rate = DEFAULT_RATE_MULTI if trial.attribute is None else DEFAULT_RATE_SINGLE
        self._rate = rate
        self._at = np.zeros(len(trial.bounds))
        self._velocity = np.zeros(len(trial.bounds))
        self._flipped_at: int | None = None
        self._been: set[bytes] = set()
        self._gains = _Gains(origin)
        self._stop = "" if np.any(trial.bounds) else "no-range"
        self._at_end = _end_of(trial, origin)

    def ask(self) -> Array:
        """Return the one point to evaluate next, `[1, N]`."""
        return self._at_end.ask() if self._stop and self._at_end is not None else self._at[None]

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answer, with the gradient of the loss, and make the next step, or stop."""
        self._evaluated.add(evaluated)
        if self._stop and self._at_end is not None:
            self._at_end.tell(evaluated)
            return
        (point,) = evaluated
        if point.gradient is None:
            raise ConfigError("this search needs gradients, which were not evaluated")
        options, trial = self._options, self._evaluated.trial
        taken = self._evaluated.steps - 1
        if point.success and self._flipped_at is None:
            self._flipped_at = taken
        since = None if self._flipped_at is None else taken - self._flipped_at
        self._gains.add(point)
        self._velocity = options.momentum * self._velocity + point.gradient
        moved = trial.allowed(self._at - self._rate * options.direction(self._velocity))
        if options.patience is not None and since is not None and since >= options.patience:
            self._stop = "flipped"
        elif taken == options.steps:
            self._stop = "all-steps"
        elif options.momentum == 0 and np.array_equal(moved, self._at):
            self._stop = "stationary"
        elif options.early_stop:
            self._stop = self._nothing_to_add(moved, steps_left=options.steps - taken)
        self._at = moved
        self._rate *= options.decay

    def result(self) -> SearchResult | None:
        """Return the result, None while there is something to ask."""
        if not self._stop or (self._at_end is not None and self._at_end.result() is None):
            return None
        return self._evaluated.result(self._stop, by_weight=False)

    def _nothing_to_add(self, moved: Array, *, steps_left: int) -> str:
        """Return why the steps that are left need not be taken, "" where they must."""
        options = self._options
        self._been.add(_place(self._at))
        if options.momentum == 0 and options.decay == 1 and _place(moved) in self._been:
            return "repeats"
        return self._gains.verdict(steps_left) if self._evaluated.trial.attribute is None else ""


def _end_of(trial: Trial, origin: EvaluatedPoint) -> EndState | None:
    """Return what looks at the end of a range of one attribute that leads one way; None of others."""
    if trial.attribute is None or np.count_nonzero(trial.bounds[trial.attribute]) != 1:
        return None
    return End().start(trial, origin)


def _place(weights: Array) -> bytes:
    """Return the point to the digits that records keep; −0 is 0."""
    return (np.round(weights, 6) + 0.0).tobytes()


class _Gains:
    """The progress of several attributes' path, step by step."""

    def __init__(self, origin: EvaluatedPoint) -> None:
        self._margins = [origin.margin]  # the lowest so far
        self._similar: list[float] = []  # the highest SSIM so far, once there is a decisive counterfactual
        self._least = BETTER * abs(origin.margin)

    def add(self, point: EvaluatedPoint) -> None:
        lowest = min(self._margins[-1], point.margin) if point.keeps_label else self._margins[-1]
        self._margins.append(lowest)
        if point.decisive_success:
            self._similar.append(max([point.ssim, *self._similar[-1:]]))
        elif self._similar:
            self._similar.append(self._similar[-1])

    def verdict(self, steps_left: int) -> str:
        if self._similar:
            recent = self._similar[-STALL - 1 :]
            return "settled" if len(recent) > STALL and recent[-1] - recent[0] < BETTER else ""
        if len(self._margins) <= STALL + 1:
            return ""
        fastest = max(-np.diff(self._margins[-STALL - 1 :]))
        return "hopeless" if self._margins[-1] > steps_left * max(fastest, self._least) else ""
