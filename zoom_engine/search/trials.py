"""The types of a search, in plain numbers: the trial, the evaluated points, the result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Container
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.records import Point, Within

Array = NDArray[np.float64]
LABEL_LOST = "label-lost"


class Natural(Protocol):
    """The edits of one image that stay natural (see `zoom_engine.directions.NaturalEdits`)."""

    def holds(self, weights: Array) -> bool:
        """Return whether edit weights `[N]` stay natural."""
        ...

    def normal(self, weights: Array) -> Array:
        """Return the normal `[N]` of the region's surface at the edit weights `[N]`."""
        ...

    def projected(self, weights: Array) -> Array:
        """Return the edit weights `[N]` projected into the region."""
        ...


class Bounding(Protocol):
    """How far one image is edited along one attribute, while it is found out (`zoom_engine.directions.Bounding`).

    Attributes:
        weight: the edit weight whose picture is to be scored next; None once the limits are known.
        limits: the lowest and highest edit weight.
    """

    weight: float | None
    limits: tuple[float, float]

    def tell(self, scores: Array) -> None:
        """Take the text scores of the picture at `weight`."""
        ...

    @property
    def scores(self) -> tuple[float, ...] | None:
        """`Trial.scores`."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One trial: an image and the attributes that may move.

    Attributes:
        image: row of the style tensor.
        attribute: row of the edit directions in single mode, None when all move together.
        bounds: float `[N, 2]`, lowest (≤ 0) and highest (≥ 0) edit weight per attribute; zeros for those that may not
            move.
        outer: float `[N, 2]` or None: a second range (the paper's ±30) to report on beside `bounds`; only the scan
            looks there.
        natural: which edits of several attributes stay within what the generator draws; the result says whether its
            edit does. None where that is not known, and in single mode, where the bounds say it.
        stay_natural: whether the search takes natural edits only.
        scores: in single mode, how the edit to its bound changes text scores, see `Record`; the search does not use it.
        seen: points that were evaluated to find the bounds; some lie outside them. A search that can start from them
            does, and counts them as its own.
    """

    image: int
    attribute: int | None
    bounds: Array
    outer: Array | None = None
    natural: Natural | None = None
    stay_natural: bool = False
    scores: tuple[float, ...] | None = None
    seen: tuple[EvaluatedPoint, ...] = ()

    def allowed(self, weights: Array) -> Array:
        """Return edit weights `[N]`, projected to where this trial may look."""
        inside = np.clip(weights, self.bounds[:, 0], self.bounds[:, 1])
        return self.natural.projected(inside) if self.natural is not None and self.stay_natural else inside


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluatedPoint:
    """One evaluated point.

    Attributes:
        weights: edit weights `[N]`.
        output: the target's recorded output.
        change: how far the output moved from the unedited image's.
        margin: below 0 where the prediction flipped.
        flipped: whether the prediction flipped.
        label_kept: None where labels are off.
        ssim: NaN where it was not asked for.
        gradient: None where it was not asked for; `[N]` of the loss, or `[2, N]` of margin and 1 − SSIM, as the search
            asked.
        loss: None where it was not asked for.
        decisive: flipped, and the output moved far enough to prove something.
        scores: text scores of the picture, None where they were not asked for.
    """

    weights: Array
    output: tuple[float, ...]
    change: float
    margin: float
    flipped: bool
    label_kept: bool | None
    ssim: float = math.nan
    gradient: Array | None = None
    loss: float | None = None
    decisive: bool = False
    scores: Array | None = None

    @property
    def keeps_label(self) -> bool:
        """Whether the label (the ground truth) is kept, as far as anyone can tell."""
        return self.label_kept is not False

    @property
    def success(self) -> bool:
        """Whether this is a counterfactual: the prediction flipped and the label did not."""
        return self.flipped and self.keeps_label

    @property
    def decisive_success(self) -> bool:
        """Whether this is a decisive counterfactual."""
        return self.success and self.decisive

    def to_point(self) -> Point:
        """Return the point as a record's trajectory has it, rounded to 6 digits."""
        return Point(
            weights=tuple(round(float(weight), 6) for weight in self.weights),
            output=tuple(round(value, 6) for value in self.output),
            change=round(self.change, 6),
            label_kept=self.label_kept,
            ssim=None if math.isnan(self.ssim) else round(self.ssim, 6),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """The result of a search for one trial, by the definitions of METHOD § 2 (best evaluated point, not last).

    Attributes:
        edit_weights: `[N]`, of one and the same point as `output` and `ssim`: the counterfactual (of all decisive,
            label-keeping points the one of highest SSIM; where there is none, of all that merely flip), else the
            label-keeping point of largest change (the unedited image, if there is no other).
        output: the target's recorded output there.
        original_output: that of the unedited image.
        change: the sensitivity, the largest change among label-keeping points within the bounds.
        change_weights: `[N]`, where that change was found.
        flipped: whether there is a counterfactual.
        decisive: whether there is a decisive one.
        label_kept: None where labels are off; False where the prediction flipped within the bounds, but the label
            changed with it each time, or where no point besides the unedited image keeps the label; True else.
        ssim: None where it was not computed, which is when nothing flipped.
        flip_weight: in single mode the smallest |edit weight| that flips and keeps the label, None where there is none.
        steps: how often the search asked.
        evaluations: how many points were evaluated, the unedited image not counted.
        stop: why the search ended; "label-lost" when no point besides the unedited image keeps the label, and
            "re-evaluated" when that was so in bfloat16 alone.
        trajectory: the points (see `EvaluatedPoint.to_point`), the unedited image among them: by weight for a scan, in
            order of time otherwise; of CMA-ES only each generation's best and the largest change.
        natural: whether the edit stays within what the generator draws; None where that is not known.
        paper: change, flipped and decisive within `Trial.outer`, None without one.
    """

    edit_weights: Array
    output: list[float]
    original_output: list[float]
    change: float
    change_weights: Array
    flipped: bool
    decisive: bool
    label_kept: bool | None
    ssim: float | None
    flip_weight: float | None
    steps: int
    evaluations: int
    stop: str
    trajectory: tuple[Point, ...]
    natural: bool | None = None
    paper: Within | None = None


class SearchState(Protocol):
    """One trial under way. `ask` and `tell` alternate until `result` is not None."""

    def ask(self) -> Array:
        """Return edit weights `[k, N]` (k ≥ 1) to evaluate now; the same until `tell`."""

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Take the answers to the last `ask`, in its order."""

    def result(self) -> SearchResult | None:
        """Return the result, None while there is something to ask."""


class Search(Protocol):
    """A way to search: a dataclass of its options, and a `SearchState` per trial.

    States share nothing, so trials cannot influence one another. `check_search` holds a search to all of it.

    A search may have three members beside. `most_evaluations` is how many points of one trial it takes at most, for
    plans; without it 10,000 are the end. The method `evaluations` returns of a `Planned` audit the least and the most
    points of one trial, see `evaluations_of`. `reaches_ends` is True where, whatever it finds on the way, it tries both
    ends of the bounds, so that what an edit to its end comes to is known.

    Attributes:
        name: of the search.
        in_words: how a report calls it.
        modes: of "single" and "multi", those that it can do.
        needs_gradient: whether its points must come back with gradients, of the loss where it needs that, else of
            margin and 1 − SSIM.
        needs_loss: whether its points must come back with the loss L.
    """

    name: ClassVar[str]
    in_words: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    needs_gradient: ClassVar[bool]
    needs_loss: ClassVar[bool]

    def start(self, trial: Trial, origin: EvaluatedPoint) -> SearchState:
        """Begin on `trial`; `origin` is the unedited image, already evaluated."""


class Planned(NamedTuple):
    """The facts of an audit that decide how many points a search takes.

    Attributes:
        attributes: how many there are.
        calibrated: whether bounds are calibrated.
        labels: whether labels are looked at.
        targets: for how many at once it runs.
    """

    attributes: int
    calibrated: bool
    labels: bool
    targets: int = 1


def evaluations_of(search: Search, planned: Planned) -> tuple[int, int] | None:
    """Return the least and, as a rule, the most points that a search takes of a trial, for all targets together.

    A picture that several of them ask for is made once, but where each is followed alone. None where the search does
    not say.
    """
    method: Callable[[Planned], tuple[int, int]] | None = getattr(search, "evaluations", None)
    if method is not None:
        return method(planned)
    most: int | None = getattr(search, "most_evaluations", None)
    return None if most is None else (planned.targets, most * planned.targets)


def _peak(points: list[EvaluatedPoint]) -> EvaluatedPoint | None:
    """Return the point of largest change."""
    return max(points, key=lambda it: it.change, default=None)


def _best(successes: list[EvaluatedPoint]) -> EvaluatedPoint | None:
    """Return the counterfactual: of the decisive ones, where there are any, the one of highest SSIM."""
    return min(
        [it for it in successes if it.decisive] or successes,
        key=lambda it: (-it.ssim if not math.isnan(it.ssim) else 0.0, np.abs(it.weights).sum()),
        default=None,
    )


def within(weights: Array, bounds: Array) -> bool:
    """Return whether all edit weights `[N]` lie in `bounds` `[N, 2]`, to a relative 1e-9."""
    slack = 1e-9 * (1 + np.abs(bounds))
    return bool(np.all(weights >= bounds[:, 0] - slack[:, 0]) and np.all(weights <= bounds[:, 1] + slack[:, 1]))


class EvaluatedPoints:
    """The evaluated points of one trial, and the result by definition."""

    def __init__(self, trial: Trial, origin: EvaluatedPoint) -> None:
        """Begin with no point but the unedited image `origin`."""
        self.trial = trial
        self.origin = origin
        self.tried: list[EvaluatedPoint] = []
        self.steps = 0

    def add(self, evaluated: list[EvaluatedPoint]) -> None:
        """Add one round of answers."""
        self.tried.extend(evaluated)
        self.steps += 1

    def named(self) -> list[int]:
        """Return which points `result` rests on, by their index in `tried`.

        These are the largest change, the counterfactual, the smallest weight that flips and the largest that keeps the
        label; where there is no counterfactual, what came nearest to one.
        """
        inside = [it for it in self.tried if within(it.weights, self.trial.bounds)]
        keeping = [it for it in inside if it.keeps_label]
        successes = [it for it in keeping if it.success]
        chosen = [_peak(keeping), _best(successes), self._smallest(successes), self._furthest(keeping)]
        if not successes:
            chosen += [min(keeping, key=lambda it: it.margin, default=None)]
            chosen += [next((it for it in inside if not it.keeps_label and it.flipped), None)]
        if not any(np.any(it.weights) for it in keeping):
            chosen += [next((it for it in inside if np.any(it.weights)), None)]
        indices = {id(it): place for place, it in enumerate(self.tried)}
        return sorted({indices[id(it)] for it in chosen if it is not None})

    def result(self, stop: str, *, by_weight: bool, only: Container[int] | None = None) -> SearchResult:
        """Judge the points and return the result.

        Args:
            stop: why the search ended.
            by_weight: sort the trajectory by the trial's edit weight; else it stays in order of time.
            only: judge those points alone (by their index in `tried`); the trajectory has all of them.
        """
        trial, origin = self.trial, self.origin
        judged = [it for place, it in enumerate(self.tried) if only is None or place in only]
        inside = [it for it in judged if within(it.weights, trial.bounds)]
        moved = [it for it in inside if np.any(it.weights)]
        successes = [it for it in inside if it.success]
        decisive = [it for it in successes if it.decisive]
        lost = bool(moved) and not any(it.keeps_label for it in moved)
        peak = _peak([origin, *(it for it in inside if it.keeps_label)]) or origin
        best = _best(successes) or peak
        label_kept: bool | None = None
        if origin.label_kept is not None:
            label_kept = bool(successes) or not (lost or any(it.flipped for it in inside))
        points = [origin, *(it for it in self.tried if np.any(it.weights))]
        if by_weight and trial.attribute is not None:
            attribute = trial.attribute
            points.sort(key=lambda it: float(it.weights[attribute]))
        return SearchResult(
            edit_weights=best.weights,
            output=[round(value, 6) for value in best.output],
            original_output=[round(value, 6) for value in origin.output],
            change=peak.change,
            change_weights=peak.weights,
            flipped=bool(successes),
            decisive=bool(decisive),
            label_kept=label_kept,
            ssim=None if math.isnan(best.ssim) else best.ssim,
            flip_weight=self._flip_weight(successes),
            steps=self.steps,
            evaluations=len(self.tried),
            stop=LABEL_LOST if lost else stop,
            trajectory=tuple(it.to_point() for it in points),
            natural=None if trial.natural is None else trial.natural.holds(best.weights),
            paper=self._paper(),
        )

    def _flip_weight(self, successes: list[EvaluatedPoint]) -> float | None:
        smallest = self._smallest(successes)
        return None if smallest is None else abs(float(smallest.weights[self.trial.attribute]))

    def _smallest(self, successes: list[EvaluatedPoint]) -> EvaluatedPoint | None:
        """Return, in single mode, the success of the smallest |edit weight|."""
        attribute = self.trial.attribute
        if attribute is None:
            return None
        return min(successes, key=lambda it: abs(float(it.weights[attribute])), default=None)

    def _furthest(self, keeping: list[EvaluatedPoint]) -> EvaluatedPoint | None:
        """Return, in single mode, the point of the largest |edit weight|, where an effect is judged."""
        attribute = self.trial.attribute
        if attribute is None:
            return None
        return max(keeping, key=lambda it: abs(float(it.weights[attribute])), default=None)

    def _paper(self) -> Within | None:
        outer = self.trial.outer
        if outer is None:
            return None
        label_keeping = [it for it in self.tried if it.keeps_label and within(it.weights, outer)]
        return Within(
            change=round(max((it.change for it in label_keeping), default=0.0), 6),
            flipped=any(it.flipped for it in label_keeping),
            decisive=any(it.decisive for it in label_keeping),
        )
