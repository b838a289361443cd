"""Scan: one attribute is one dimension, so walk it. Forward only.

A uniform grid over the bounds gives the response curve, and with it the sensitivity. The smallest flipping weight lies
between the first grid point that flips, counted from 0, and its neighbour towards 0; it is then found to a tolerance.
The points tried there lie on a fixed lattice, whose cells are at most the tolerance wide: interpolating the margin
(which takes about 3 evaluations where halving takes 6) can then change the way, but not the answer, and rounding noise
in a margin does not move an edit weight.

The grid is uniform, not denser around 0: a coarse cell at 0 costs one or two more evaluations once a flip is known to
be inside, while a coarse cell far out can miss the largest change. A prediction that flips and flips back between two
grid points is not seen.

Most responses grow from 0 to the end of the range, and then the grid's other half says nothing new: every second point
is taken first, and those between only on a side whose change falls somewhere, or that loses the label.

Where the bounds were found by pictures of this very edit, these are points of the curve already, and what they leave
open is asked for instead of a grid: the end, the middle of a gap that is wider than half of a grid of eight, and the
middles of both gaps beside a point from which the change falls.

An effect is judged at the end of a range, or at the point nearest to it that keeps the label. Points that lie farther
apart than `PARTS` of a range are brought as near where the label is lost, so that few points judge as many do.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import ClassVar

import numpy as np

from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.common.errors import ConfigError
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Planned, SearchResult, Trial
from zoom_engine.settings.audit_settings import checked_options

_SAME = 1e-9
PARTS = 8
"""Into how many a range that leads one way is cut at least where its label is lost."""
GAP = 4
"""How many cells of the grid may lie between points that were seen already."""


@checked_options("option of scan")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Scan:
    """Options of the scan.

    Attributes:
        points: grid points within the bounds, 0 not counted (it is the unedited image); both ends are among them. Where
            points were seen already, they leave no gap that is wider than four cells of this grid.
        outer_points: number of extra grid points outside the bounds, where the trial has an outer range; its ends are
            among them. Both sides get the same number; of an odd number the wider side gets one more, or the positive
            side where both are equally wide. 0 for none: only points that were seen already count there.
        tolerance: largest error of the flip weight, in units of the edit weight (standard deviations along the
            direction); None leaves the flip weight at the grid.
        monotone: how far, in change, a response may fall and still count as growing, so that the points between are
            left out; None takes the whole grid at once.
    """

    name: ClassVar[str] = "scan"
    in_words: ClassVar[str] = "a scan"
    modes: ClassVar[tuple[str, ...]] = ("single",)
    needs_gradient: ClassVar[bool] = False
    needs_loss: ClassVar[bool] = False
    reaches_ends: ClassVar[bool] = True

    points: int = 8
    outer_points: int = 2
    tolerance: float | None = 0.05
    monotone: float | None = 0.005

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a ConfigError."""
        if self.points < 2 or self.outer_points < 0 or self.outer_points == 1:
            raise ConfigError(
                "scan: points and outer_points must be at least 2, one on each side of 0; outer_points may be 0 too"
            )
        if self.tolerance is not None and not 0 < self.tolerance < math.inf:
            raise ConfigError(f"scan: tolerance is {self.tolerance}, but must be finite and above 0")
        if self.monotone is not None and not 0 <= self.monotone < math.inf:
            raise ConfigError(f"scan: monotone is {self.monotone}, but must be finite and not negative")

    def evaluations(self, planned: Planned) -> tuple[int, int]:
        """Return the grid or less, eighths where the label is lost, and halvings of a gap for each target.

        The most is usual and no bound: where a margin hardly moves but for a leap, a halving takes up to three points.
        What was seen when the bounds were found is not counted: its last picture may be the end of the range.
        """
        halvings = 0 if self.tolerance is None else PAPER_BOUND / self.points / self.tolerance
        if not planned.calibrated:
            least = self.points if self.monotone is None else math.ceil(self.points / 2)
            return least, self.points + planned.targets * 2 * _halvings(2 * halvings)
        gaps = math.ceil(self.points / GAP)
        finer = math.ceil(PARTS / gaps) if planned.labels else 0
        for_each = finer + (GAP if self.tolerance is None else _halvings(GAP * halvings))
        least, most = (0, 2 * gaps + 2) if self.monotone is not None else (self.points - 1, self.points)
        return least + self.outer_points, most + self.outer_points + planned.targets * for_each

    def start(self, trial: Trial, origin: EvaluatedPoint) -> ScanState:
        """Begin on `trial`, which must have an attribute.

        Raises:
            ConfigError: it has none.
        """
        if trial.attribute is None:
            raise ConfigError("scan moves one attribute at a time: use minimal, sgd, pgd or cmaes for all together")
        return ScanState(self, trial, trial.attribute, origin)


def _halvings(cells: float) -> int:
    """Return how often so many cells are halved until one is left."""
    return math.ceil(math.log2(cells)) if cells > 1 else 0


def grid(low: float, high: float, points: int) -> list[float]:
    """Return `points` weights over [low, high] without 0, both ends included, evenly spaced on each side of 0.

    They are fewer where a side is empty.
    """
    if low == high:
        return []
    on_high = round(points * high / (high - low))
    if low < 0 < high:
        on_high = min(max(on_high, 1), points - 1)
    on_low = points - on_high
    return [low * (i + 1) / on_low for i in range(on_low)][::-1] + [high * (i + 1) / on_high for i in range(on_high)]


def outer_grid(inner: tuple[float, float], outer: tuple[float, float], points: int) -> list[float]:
    """Return `points` weights on what `outer` adds to `inner`, shared between the sides, outer ends included.

    Of an odd number the wider side has one more, or the positive side where both are equally wide. There is no weight
    where `outer` adds nothing.
    """
    sides = [(inner[0], outer[0]), (inner[1], outer[1])]
    sides = [(near, far) for near, far in sides if abs(far) > abs(near)]
    narrow_first = sorted(sides, key=lambda side: abs(side[1] - side[0]))
    shares = {side: (points + rank) // len(sides) for rank, side in enumerate(narrow_first)}
    return [near + (far - near) * (i + 1) / shares[near, far] for near, far in sides for i in range(shares[near, far])]


def every_second(weights: list[float]) -> list[float]:
    """Return the grid points that are taken first.

    On each side of 0 they are every second one, its end among them, and both where there are two.
    """
    low, high = [w for w in weights if w < 0], [w for w in weights if w > 0]
    return (low if len(low) < 3 else low[::2]) + (high if len(high) < 3 else high[::-2][::-1])


@dataclasses.dataclass
class _Bracket:
    """A lattice from a point that does not flip (cell 0) to one that does (cell `cells`).

    The first flip is sought between them.
    """

    near: float
    far: float
    cells: int
    low: int
    high: int
    low_margin: float | None
    high_margin: float
    turn: int = 0

    def weight(self, cell: int) -> float:
        return self.near + (self.far - self.near) * cell / self.cells

    @property
    def high_weight(self) -> float:
        return self.weight(self.high)

    def next_cell(self, limit: float | None) -> int | None:
        """Return the cell to try next; None when the flip is found, or cannot be nearer to 0 than `limit`.

        It is where the interpolated margin crosses 0, and half-way every third time, so that no curve can stall it.
        With a limit, the first try is the last cell below it: if that does not flip, this side is out.
        """
        if self.high - self.low <= 1:
            return None
        if limit is not None:
            share = (limit - abs(self.near)) / (abs(self.far) - abs(self.near))
            last = min(math.ceil(share * self.cells - 1e-9) - 1, self.high - 1)
            if last <= self.low:
                return None
            if self.turn == 0:
                return last
        if self.low_margin is None or self.low_margin <= 0 or self.high_margin >= 0 or self.turn % 3 == 2:
            return (self.low + self.high) // 2
        share = self.low_margin / (self.low_margin - self.high_margin)
        cell = round(self.low + (self.high - self.low) * share)
        return min(max(cell, self.low + 1), self.high - 1)

    def narrow(self, cell: int, point: EvaluatedPoint) -> None:
        self.turn += 1
        if point.success:
            self.high, self.high_margin = cell, point.margin
        else:
            self.low, self.low_margin = cell, (point.margin if point.keeps_label else None)


class ScanState:
    """The scan of one attribute of one image."""

    def __init__(self, options: Scan, trial: Trial, attribute: int, origin: EvaluatedPoint) -> None:
        """Ask for the first grid points; empty bounds without an outer range stop at once."""
        self._options = options
        self._attribute = attribute
        self._evaluated = EvaluatedPoints(trial, origin)
        self._low, self._high = (float(bound) for bound in trial.bounds[attribute])
        if trial.seen:
            self._evaluated.add(list(trial.seen))
        weights = grid(self._low, self._high, options.points)
        self._between: list[float] = []
        self._starts_from_seen = bool(options.monotone is not None and trial.seen and weights)
        if self._starts_from_seen:
            self._between, weights = weights, self._left_open()
        elif options.monotone is not None:
            first = every_second(weights)
            self._between, weights = [weight for weight in weights if weight not in first], first
        if trial.outer is not None:
            outer = (float(trial.outer[attribute, 0]), float(trial.outer[attribute, 1]))
            weights = weights + outer_grid((self._low, self._high), outer, options.outer_points)
        self._sides: list[_Bracket] | None = None
        self._cell = 0
        self._flip: float | None = None
        self._stop = "" if self._low or self._high or weights else "no-range"
        self._wanted = self._unseen(weights)
        if not (self._stop or self._wanted):  # all was seen
            self._go_on()

    def ask(self) -> Array:
        """Return the points to evaluate now, `[k, N]`."""
        points = np.zeros((len(self._wanted), len(self._evaluated.trial.bounds)))
        points[:, self._attribute] = self._wanted
        return points

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answers and choose the next points, or stop."""
        self._evaluated.add(evaluated)
        if self._sides is None:
            self._go_on()
            return
        self._sides[0].narrow(self._cell, evaluated[0])
        self._plan()

    def result(self) -> SearchResult | None:
        """Return the result, None while there is something to ask."""
        return self._evaluated.result(self._stop, by_weight=True) if self._stop else None

    def _go_on(self) -> None:
        """Choose what the curve still wants, or else go on to its flip."""
        needed = self._beside_falls() if self._starts_from_seen else self._needed()
        self._wanted, self._between = self._unseen(needed or self._nearest()), []
        if self._wanted:
            return
        self._sides = self._brackets()
        if not self._sides:
            self._stop = "no-flip"
        elif self._options.tolerance is None:
            self._stop = "grid-only"
        else:
            self._plan()

    def _unseen(self, weights: list[float]) -> list[float]:
        """Return those of the weights that were not seen before."""
        seen = [float(it.weights[self._attribute]) for it in self._evaluated.tried]
        return [weight for weight in weights if all(abs(weight - other) > _SAME for other in seen)]

    def _left_open(self) -> list[float]:
        """Return, of a range of which points were seen, its end and what cuts gaps that are too wide."""
        end = self._low or self._high
        ways = [0.0, *(way for way in self._ways() if way < 1 - _SAME), 1.0]
        weights = [end]
        for near, far in itertools.pairwise(ways):
            parts = math.ceil((far - near) * self._options.points / GAP - _SAME)
            weights += [end * (near + (far - near) * part / parts) for part in range(1, parts)]
        return sorted(weights)

    def _ways(self) -> list[float]:
        """Return what was tried of a range that leads one way, as shares of it, outwards."""
        end = self._low or self._high
        return [float(it.weights[self._attribute]) / end for it in self._side(math.copysign(1, end))]

    def _side(self, sign: float) -> list[EvaluatedPoint]:
        """Return what was tried within the bounds on one side of 0, outwards."""
        low, high = self._low - _SAME, self._high + _SAME
        inside = [it for it in self._evaluated.tried if low <= it.weights[self._attribute] <= high]
        side = [it for it in inside if sign * it.weights[self._attribute] > 0]
        return sorted(side, key=lambda it: abs(float(it.weights[self._attribute])))

    def _needed(self) -> list[float]:
        """Return the grid points that were left out and lie on a side where they can say something new."""
        if not self._between:
            return []
        slack, doubtful = self._options.monotone or 0.0, set()
        for sign in (1, -1):
            side = self._side(sign)
            changes = [it.change for it in side]
            falls = any(after < before - slack for before, after in itertools.pairwise(changes))
            at_the_grid = self._options.tolerance is None and any(it.success for it in side)
            if falls or at_the_grid or not all(it.keeps_label for it in side):
                doubtful.add(sign)
        return [weight for weight in self._between if math.copysign(1, weight) in doubtful]

    def _beside_falls(self) -> list[float]:
        """Return, of a range of which points were seen, the middles of both gaps beside points from which it falls.

        Where a flip is told at the grid, they are also the points of the grid that may be the first to flip.
        """
        if not self._between:
            return []
        options, end = self._options, self._low or self._high
        ways, changes = [0.0, *self._ways()], [0.0, *(it.change for it in self._side(math.copysign(1, end)))]
        wanted = set()
        for place in range(1, len(ways) - 1):
            if changes[place + 1] < changes[place] - (options.monotone or 0.0):
                wanted |= {(ways[place - 1], ways[place]), (ways[place], ways[place + 1])}
        middles = [end * (near + far) / 2 for near, far in sorted(wanted) if (far - near) * options.points > 1 + _SAME]
        if options.tolerance is None and (brackets := self._brackets()):
            near, far = sorted((brackets[0].near, brackets[0].far))
            middles += [weight for weight in self._between if near < weight < far]
        return middles

    def _nearest(self) -> list[float]:
        """Return the points between the last that keeps the label and the next, of a range that loses it at its end."""
        if self._low and self._high:
            return []
        side = self._side(1 if self._high else -1)
        if not side or side[-1].keeps_label:
            return []
        end = self._low or self._high
        ways = [0.0, *(float(it.weights[self._attribute]) / end for it in side)]
        last = max((way for way, it in zip(ways[1:], side, strict=True) if it.keeps_label), default=0.0)
        first = min(way for way in ways if way > last)
        if first - last <= 1 / PARTS + _SAME:
            return []
        return [end * part / PARTS for part in range(1, PARTS) if last + _SAME < part / PARTS < first - _SAME]

    def _brackets(self) -> list[_Bracket]:
        """Return, for each side of 0, the first grid point that flips and its neighbour.

        The side that flips at the smaller weight comes first.
        """
        tolerance = self._options.tolerance or math.inf
        brackets = []
        for sign in (1, -1):
            near = self._evaluated.origin
            for far in self._side(sign):
                if far.success:
                    ends = float(near.weights[self._attribute]), float(far.weights[self._attribute])
                    cells = max(math.ceil(abs(ends[1] - ends[0]) / tolerance - 1e-9), 1)
                    brackets.append(
                        _Bracket(*ends, cells, 0, cells, near.margin if near.keeps_label else None, far.margin)
                    )
                    break
                near = far
        return sorted(brackets, key=lambda bracket: abs(bracket.far))

    def _plan(self) -> None:
        """Choose the next point, or stop.

        The first side is followed down to its flip, then the other as far as it can still flip sooner.
        """
        sides = self._sides or []
        while sides:
            cell = sides[0].next_cell(self._flip)
            if cell is not None:
                self._cell = cell
                self._wanted = [sides[0].weight(cell)]
                return
            flip_weight = abs(sides.pop(0).high_weight)
            self._flip = flip_weight if self._flip is None else min(self._flip, flip_weight)
        self._stop = "flip-bracketed"
