"""Minimal: the smallest edit of several attributes that flips, in few evaluations.

As decision-boundary attacks do (DeepFool, Moosavi-Dezfooli 2016, arXiv 1511.04599; Brendel-Bethge, Brendel 2019, arXiv
1907.01003; FAB, Croce 2020, arXiv 1907.02044; FMN, Pintor 2021, arXiv 2102.12827), with the picture's change in place
of a norm: minimise 1 − SSIM over the edit weights w, so that margin(w) < 0. Each step takes the margin's gradient g and
that of 1 − SSIM, c, and solves

    minimise c·d + ½ Σᵢ hᵢ dᵢ²,  margin + g·d ≤ goal (slightly below 0)

within the bounds, the natural region and a trust region. The radius of the trust region along each attribute follows
from how well its slope predicted the margin (Nocedal and Wright 2006, chapter 18; Rprop, Riedmiller and Braun 1993).
The metric h says what an edit costs: first the same for each attribute in units of its own range, then what the
gradients c tell of this very picture.

The search descends to the boundary from the unedited image. Where that leads to no flip, slopes near the unedited image
lead nowhere, and it *looks afar*: at corners of the bounds, the same for every image, and descends from those that are
nearest to flipping. Once there is a decisive flip it descends from the unedited image *again*, with the metric learned
by then: the first descent finds flips, the second similar pictures. Where the second leads to none, it goes *back* from
the flip, most of the way to the unedited image, and descends from there. From the more similar flip it *polishes*: the
same steps, kept while pictures get more similar and still flip decisively.

A way ends before its last step where the trend of its margins leads to no flip.

It is *hopeless*, and ends, once a few steps were taken and no slope that was met, followed to the end of the bounds,
would take away three quarters of the margin; before it believes that of the way from the unedited image, it
evaluates once where a step from there leads that may go as far as half the bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

import numpy as np

from zoom_engine.common.errors import ConfigError
from zoom_engine.search.linearised import REACH, next_edit
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, SearchResult, Trial
from zoom_engine.settings.audit_settings import checked_options

RADIUS, FAR_RADIUS = 0.1, 0.25  # radius of the first trust region, in half ranges: from the unedited image, from afar
SMALLEST_RADIUS, LARGEST_RADIUS = 0.005, 1.0
GROWTH, SHRINKAGE = 2.0, 0.5
FELL = (0.05, 0.35, 0.7)  # shares of the predicted fall at which a radius shrinks, stays and grows
LEAST_STEP = 1e-3  # in half ranges: an attribute that moves less has not moved
FIRST_COST = 0.4  # h of an attribute per squared half range: half of it costs 0.05 of SSIM
COSTS = (0.01, 20.0)  # limits of learned costs; the hair of the avatars costs 18 near the unedited image
PRIOR_WEIGHT = 0.1  # weight of FIRST_COST beside the learned costs, in points
NEAR = 0.1  # in half ranges: costs are learned at weights about as large
POINTS_BEFORE_DOUBT = 4  # before a trial may be hopeless
HOPE = 0.75  # share of the margin that a slope must predict to fall
BACK = 0.3  # share of a flip's weights: it begins once more there if the second way leads to no flip
SIMILAR = 0.98  # SSIM of a flip from which on a second way has little to gain
LEAST_GAIN = 0.002  # gain of SSIM: polishing ends where less is predicted
LATTICE = 128  # steps per half range: every point lies on it, so that roundings of a gradient do not add up
TREND = 4  # steps over which the margin's fall is looked at
SLACK = 3.0  # times as fast as that it may fall on: a way ends where even so it would not flip
CLOSE = 0.25  # share of the unedited image's margin, below which a way goes on whatever the trend

Path = Generator[Array, EvaluatedPoint, "EvaluatedPoint | None"]


@checked_options("option of minimal")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Minimal:
    """Options of the search for the smallest edit.

    It stops at the boundary, so the change that it reports is that of small edits: it is only for several attributes
    together, whose sensitivity is measured by edit weights.

    Attributes:
        steps: at most so many points of a way to the boundary, but for the way that `again` limits.
        afar: how many corners of the bounds are evaluated where the way from the unedited image leads to no flip, or to
            no decisive one.
        descents: from how many of them it descends at most, one after another, until one leads to a flip.
        again: once there is a decisive flip, at most so many points of another way from the unedited image.
        polish: at most so many points from the more similar flip on, to make the edit smaller.
        overshoot: how far beyond the boundary to aim, as a share of the unedited image's margin, in (0, 1].
    """

    name: ClassVar[str] = "minimal"
    in_words: ClassVar[str] = "a search for the smallest edit (it follows the model’s gradient to its boundary)"
    modes: ClassVar[tuple[str, ...]] = ("multi",)
    needs_gradient: ClassVar[bool] = True
    needs_loss: ClassVar[bool] = False

    steps: int = 8
    afar: int = 4
    descents: int = 3
    again: int = 16
    polish: int = 8
    overshoot: float = 0.05

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a ConfigError."""
        if self.steps < 1:
            raise ConfigError(f"minimal: steps is {self.steps}, but must be at least 1")
        for name in ("afar", "descents", "again", "polish"):
            if getattr(self, name) < 0:
                raise ConfigError(f"minimal: {name} is {getattr(self, name)}, but must be 0 or more")
        if not 0 < self.overshoot <= 1:
            raise ConfigError(f"minimal: overshoot is {self.overshoot}, but must be in (0, 1]")

    @property
    def most_evaluations(self) -> int:
        """The largest number of points of one image.

        The unedited image, the step that goes far and the point that it goes back to are one each.
        """
        descents = 2 + min(self.descents, self.afar)
        return descents * self.steps + self.afar + self.again + self.polish + 3

    def start(self, trial: Trial, origin: EvaluatedPoint) -> MinimalState:
        """Begin on `trial` at the unedited image."""
        return MinimalState(self, trial, origin)


class MinimalState:
    """The search of one image: the path is a generator of points to ask for, which is sent the answers."""

    def __init__(self, options: Minimal, trial: Trial, origin: EvaluatedPoint) -> None:
        """Begin at the unedited image; bounds of zeros stop at once."""
        self._options = options
        self._evaluated = EvaluatedPoints(trial, origin)
        self._half = np.where(np.any(trial.bounds, axis=1), (trial.bounds[:, 1] - trial.bounds[:, 0]) / 2, 1.0)
        self._beyond = -options.overshoot * abs(origin.margin)
        self._goal = self._beyond
        self._point = np.zeros(len(trial.bounds))
        self._stop = "" if np.any(trial.bounds) else "no-range"
        self._path = self._search()
        next(self._path)

    def ask(self) -> Array:
        """Return the one point to evaluate next, `[1, N]`."""
        return self._point[None]

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answer, with the gradients of margin and 1 − SSIM, and follow the path to its next point."""
        (point,) = evaluated
        if point.gradient is None or point.gradient.ndim != 2:
            raise ConfigError("this search needs the gradients of margin and SSIM, which were not evaluated")
        self._evaluated.add(evaluated)
        try:
            self._point = self._path.send(point)
        except StopIteration as end:
            self._stop = end.value

    def result(self) -> SearchResult | None:
        """Return the result, None while there is something to ask."""
        return self._evaluated.result(self._stop, by_weight=False) if self._stop else None

    def _search(self) -> Generator[Array, EvaluatedPoint, str]:
        """Walk the whole path; return why it ended."""
        options = self._options
        unedited = yield self._point
        flip = yield from self._to_the_boundary(unedited, RADIUS, options.steps)
        if flip is None and self._is_hopeless():
            end = yield self._next(unedited, self._costs(), LARGEST_RADIUS)[0]
            if end.decisive_success:
                flip = end
            elif self._is_hopeless():
                return "hopeless"
        if flip is None:
            flip = yield from self._from_afar()
        if flip is None:
            return "no-decisive-flip"
        if flip.ssim >= SIMILAR:
            return (yield from self._polish(flip))
        again = yield from self._to_the_boundary(unedited, RADIUS, options.again)
        if again is None:
            again = yield from self._back(flip)
        return (yield from self._polish(flip if again is None or again.ssim < flip.ssim else again))

    def _from_afar(self) -> Path:
        """Return a decisive counterfactual among corners of the bounds, or on the way from one; None without one."""
        seen = []
        for point in self._corners():
            seen.append((yield point))
        flips = [point for point in seen if point.decisive_success]
        if flips:
            return max(flips, key=lambda flip: flip.ssim)
        nearest = sorted((point for point in seen if point.keeps_label), key=lambda point: point.margin)
        for corner in nearest[: self._options.descents]:
            flip = yield from self._to_the_boundary(corner, FAR_RADIUS, self._options.steps)
            if flip is not None:
                return flip
        return None

    def _back(self, flip: EvaluatedPoint) -> Path:
        """Go most of the way back to the unedited image, and from there to the boundary.

        Returns the point where it goes back to, if that flips decisively, else what `_to_the_boundary` returns from
        there.
        """
        nearer = yield self._on_lattice(BACK * flip.weights)
        if nearer.decisive_success:
            return nearer
        return (yield from self._to_the_boundary(nearer, RADIUS, self._options.steps)) if nearer.keeps_label else None

    def _corners(self) -> list[Array]:
        """Return opposite pairs of corners of the bounds, as far out as the trial may look."""
        trial, random = self._evaluated.trial, np.random.default_rng(0)
        low, high = trial.bounds.T
        corners: dict[bytes, Array] = {}
        for _ in range((self._options.afar + 1) // 2):
            up = random.random(len(low)) < 0.5
            for corner in (np.where(up, high, low), np.where(up, low, high)):
                point = self._on_lattice(trial.allowed(corner))
                if point.any():
                    corners.setdefault(point.tobytes(), point)
        return list(corners.values())[: self._options.afar]

    def _to_the_boundary(self, at: EvaluatedPoint, first_radius: float, steps: int) -> Path:
        """Go from one point to the first decisive counterfactual; None where there is none on the way.

        The last point goes all the way that the radius allows, and so does one that would equal the point before.
        """
        radius = np.full(len(at.weights), first_radius)
        margins = [at.margin]  # the lowest so far, after each step
        for left in range(steps, 0, -1):
            if self._falls_short(margins, left):
                return None
            costs, reaches = self._costs(), (1.0,) if left == 1 else (REACH, 1.0)
            points = (self._next(at, costs, radius, reach)[0] for reach in reaches)
            point = next((point for point in points if self._moved(point - at.weights).any()), None)
            if point is None or self._is_hopeless():
                return None
            step = point - at.weights
            evaluated = yield point
            if evaluated.decisive_success:
                return evaluated
            if evaluated.flipped and not evaluated.decisive:
                self._goal = min(self._goal, 1.5 * evaluated.margin + self._beyond)
            fell = at.margin - evaluated.margin if evaluated.keeps_label else -np.inf
            foretold = -float(_slope(at) @ step)
            radius = radius * self._growth(at, evaluated, holds=fell > max(FELL[0] * foretold, 0.0))
            if np.all(radius < SMALLEST_RADIUS):
                return None
            radius = np.clip(radius, SMALLEST_RADIUS, LARGEST_RADIUS)
            if fell > 0:
                at = evaluated
            margins.append(at.margin)
        return None

    def _falls_short(self, margins: list[float], left: int) -> bool:
        """Return whether a way would not flip in the steps left, as its margins have fallen so far."""
        if len(margins) <= TREND or margins[-1] < CLOSE * self._evaluated.tried[0].margin:
            return False
        return margins[-1] > SLACK * left * (margins[-1 - TREND] - margins[-1]) / TREND

    def _growth(self, at: EvaluatedPoint, reached: EvaluatedPoint, *, holds: bool) -> Array:
        """Return by what each attribute's radius grows or shrinks `[N]` after a step from `at`.

        An attribute brought about the share (1 + slope found / slope before) / 2 of the fall that its slope predicted,
        by the trapezoidal rule. Where the margin does not fall as all together predicted, or the label is lost, none
        grows, and the half with the smallest shares shrinks.
        """
        slope, moved = _slope(at), self._moved(reached.weights - at.weights)
        # each by itself: steep slopes near the unedited image may turn soon, and an attribute that turns is no reason
        # to restrict the others
        shares = np.divide(slope + _slope(reached), 2 * slope, out=np.zeros_like(slope), where=slope != 0)
        factors = np.exp(np.interp(shares, FELL, np.log((SHRINKAGE, 1.0, GROWTH))))
        if not holds:
            factors = np.where(shares <= np.median(shares[moved]), SHRINKAGE, np.minimum(factors, 1.0))
        return np.where(moved, factors, 1.0)

    def _polish(self, at: EvaluatedPoint) -> Generator[Array, EvaluatedPoint, str]:
        """Go from a decisive counterfactual to more similar ones; return why it ended."""
        radius = RADIUS
        for _ in range(self._options.polish):
            point, gain = self._next(at, self._costs(), radius)
            if gain < LEAST_GAIN:
                return "polished"
            evaluated = yield point
            if evaluated.decisive_success and evaluated.ssim > at.ssim:
                at = evaluated
            else:
                radius = min(radius, float(np.max(np.abs(point - at.weights) / self._half))) * SHRINKAGE
        return "all-steps"

    def _next(
        self, at: EvaluatedPoint, costs: Array, radius: float | Array, reach: float = REACH
    ) -> tuple[Array, float]:
        """Return the next point, and how much SSIM it is predicted to gain."""
        trial, slope, cost = self._evaluated.trial, _slope(at), _picture(at)
        left = self._goal - at.margin
        edit = next_edit(trial, at.weights, cost, costs, slope, left, radius=radius * self._half, reach=reach)
        point = self._on_lattice(edit)
        step = point - at.weights
        return point, -float(cost @ step + costs @ step**2 / 2)

    def _on_lattice(self, point: Array) -> Array:
        """Return the nearest point of the lattice, or bound.

        It is moved a little nearer to the unedited image as far as it takes to be where the trial may look.
        """
        trial, spacing = self._evaluated.trial, self._half / LATTICE
        low, high = trial.bounds.T
        middle = (low + high) / 2
        while True:
            lattice, end = np.round(point / spacing) * spacing, np.where(point < middle, low, high)
            near = np.clip(np.where(np.abs(lattice - point) < np.abs(end - point), lattice, end), low, high)
            if not (trial.stay_natural and trial.natural) or trial.natural.holds(near) or not near.any():
                return np.asarray(near)
            point = 0.97 * point

    def _costs(self) -> Array:
        """Return the metric h `[N]` that the gradients of 1 − SSIM so far tell.

        Of all pairs (w, c), in half ranges, it is the least squares of c ≈ h·w, each attribute for itself and with
        weights 1 / (r² + w²), beside the first metric.
        """
        weights = np.stack([point.weights for point in self._evaluated.tried]) / self._half
        slopes = np.stack([_picture(point) for point in self._evaluated.tried]) * self._half
        # 1 − SSIM grows ever slower with w, so that near the unedited image h is many times that of far points.
        near = 1 / (NEAR**2 + weights**2)
        told = (near * slopes * weights).sum(0) + PRIOR_WEIGHT * FIRST_COST
        fitted = told / ((near * weights**2).sum(0) + PRIOR_WEIGHT)
        return np.asarray(np.clip(fitted, *COSTS) / self._half**2)

    def _is_hopeless(self) -> bool:
        """Return whether every evaluated point predicts, by its slope to the end of the bounds, too small a fall.

        Too small is less than `HOPE` of the margin.
        """
        tried = [point for point in self._evaluated.tried if point.keeps_label]
        if len(self._evaluated.tried) < POINTS_BEFORE_DOUBT or any(point.success for point in tried):
            return False
        low, high = self._evaluated.trial.bounds.T
        falls = [np.maximum(_slope(it) * (it.weights - low), _slope(it) * (it.weights - high)).sum() for it in tried]
        foretold = min((it.margin - float(fall) for it, fall in zip(tried, falls, strict=True)), default=-np.inf)
        return bool(foretold > (1 - HOPE) * self._evaluated.tried[0].margin)

    def _moved(self, step: Array) -> Array:
        """Return which attributes `[N]` a step moves."""
        return np.asarray(np.abs(step) >= LEAST_STEP * self._half)


def _slope(point: EvaluatedPoint) -> Array:
    """Return the margin's gradient `[N]`."""
    assert point.gradient is not None
    return np.asarray(point.gradient[0])


def _picture(point: EvaluatedPoint) -> Array:
    """Return the gradient `[N]` of 1 − SSIM."""
    assert point.gradient is not None
    return np.asarray(point.gradient[1])
