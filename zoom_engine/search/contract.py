"""The contract of searches: `check_search` tests one on small problems, `Held` enforces it in an audit."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoom_engine.audit.records import NOT_EDITED, Point
from zoom_engine.common.contracts import Rules, hold, hold_members, theirs
from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.search.trials import (
    Array,
    EvaluatedPoint,
    Planned,
    Search,
    SearchResult,
    SearchState,
    Trial,
    evaluations_of,
    within,
)
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE

MOST_EVALUATIONS = 10_000
"""The most points of one trial, for a search that does not say how many it takes: with more it has no end."""
ROUNDING = 1e-6
MODES = ("single", "multi")


def check_search(search: object) -> None:
    """Check `search`, an object with its options, against `Search`, on small problems without pictures.

    The slopes of the problems are known. Third parties can run it in their tests. The rules are those of `RULES`, and
    of `RULES_OF_RESULTS` for what it finds.

    Raises:
        ConfigError: one line on the first thing that is wrong.
    """
    _check(search, slice(None))


def check_search_on_load(search: object) -> None:
    """Check a search as `check_search` does, on one problem of each mode."""
    _check(search, slice(1))


def _check(search: object, problems: slice) -> None:
    called = f"search {getattr(search, 'name', type(search).__name__)}"
    hold_members(search, Search, called=called, refusal=ConfigError)
    hold(_Tried(search, problems), RULES, called=called, refusal=ConfigError)


class Held:
    """A checked `SearchState` around that of somebody else's search.

    It refuses, by a `ConfigError` that names the search, points that cannot be evaluated or lie out of bounds, a search
    without end, and results that do not follow from the answers.
    """

    def __init__(self, search: Any, trial: Trial, origin: EvaluatedPoint) -> None:
        """Start `search` on `trial`, whose unedited image is `origin`."""
        self.called, self.trial, self.origin = f"search {search.name}", trial, origin
        self.most: int = getattr(search, "most_evaluations", MOST_EVALUATIONS)
        self.count, self.largest, self.flips, self.decisive = 0, 0.0, False, False
        self.answers = [(origin.to_point(), False)]
        outer = trial.bounds if trial.outer is None else trial.outer
        low, high = np.minimum(trial.bounds, outer)[:, 0], np.maximum(trial.bounds, outer)[:, 1]
        self._range = np.stack([low, high], axis=1)
        with self._failing():
            self._state: SearchState = search.start(dataclasses.replace(trial, seen=()), origin)

    def ask(self) -> Array:
        """Return the points as `SearchState.ask` does; they are checked copies."""
        with self._failing():
            points: Any = self._state.ask()
        wanted = f"edit weights must be float64 [k, {len(self.trial.bounds)}], k of 1 or more"
        if not isinstance(points, np.ndarray) or points.dtype != np.float64:
            seen = points.dtype if isinstance(points, np.ndarray) else type(points).__name__
            raise ConfigError(f"{self.called} asks for points of {seen}: {wanted}")
        if points.ndim != 2 or points.shape[1] != len(self.trial.bounds) or not len(points):
            raise ConfigError(f"{self.called} asks for points {list(points.shape)}: {wanted}")
        for point in points:
            if not np.isfinite(point).all() or not within(point, self._range):
                beyond = int(np.argmax(~np.isfinite(point) | (point < self._range[:, 0]) | (point > self._range[:, 1])))
                low, high = self._range[beyond]
                raise ConfigError(
                    f"{self.called} asks for an edit weight of {point[beyond]:.6g} where bounds are {low:.6g} and"
                    f" {high:.6g}: use Trial.allowed"
                )
        return np.array(points, order="C")

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        """Pass the answers on, see `SearchState.tell`."""
        self.count += len(evaluated)
        self.answers += [(it.to_point(), it.success) for it in evaluated]
        label_keeping = [it for it in evaluated if it.keeps_label and within(it.weights, self.trial.bounds)]
        self.largest = max([self.largest, *(it.change for it in label_keeping)])
        self.flips |= any(it.success for it in label_keeping)
        self.decisive |= any(it.decisive_success for it in label_keeping)
        with self._failing():
            self._state.tell(evaluated)

    def result(self) -> SearchResult | None:
        """Return the checked result, see `SearchState.result`."""
        with self._failing():
            result = self._state.result()
        if result is not None:
            hold((result, self), RULES_OF_RESULTS, called=self.called, refusal=ConfigError)
        elif self.count >= self.most:
            raise ConfigError(
                f"{self.called} has no result after {self.count} points of one image: it must end, and its"
                " most_evaluations say after how many where it takes more"
            )
        return result

    def _failing(self) -> contextlib.AbstractContextManager[None]:
        return theirs(ConfigError, f"{self.called} fails")


_Told = tuple[Any, Held]


def _change(told: _Told) -> str | None:
    change, largest = told[0].change, told[1].largest
    return None if abs(change - largest) <= ROUNDING else f"it is {change:.6g} where that is {largest:.6g}"


def _says(name: str) -> Callable[[_Told], str | None]:
    """Make the rule that the result's field of that `name` is what the answers said."""

    def check(told: _Told) -> str | None:
        value = getattr(told[0], name)
        wanted = {"flipped": told[1].flips, "decisive": told[1].decisive}[name]
        return None if value is wanted else f"it is {value!r} where that is {wanted}"

    return check


def _edit(told: _Told) -> str | None:
    for name in ("edit_weights", "change_weights"):
        weights = getattr(told[0], name)
        if not isinstance(weights, np.ndarray) or weights.shape != (len(told[1].trial.bounds),):
            return f"{name} are {one_line(repr(weights), 80)}"
        if not np.isfinite(weights).all() or not within(weights, told[1].trial.bounds):
            return f"{name} are {weights.tolist()}"
    return None


def _outputs(told: _Told) -> str | None:
    result, origin = told[0], told[1].origin.output
    if not np.allclose(result.original_output, origin, atol=1e-5):
        return f"original_output is {list(result.original_output)} where the unedited image's is {list(origin)}"
    if len(result.output) != len(origin):
        return f"output has {len(result.output)} numbers"
    at_edit = [it for it, _ in told[1].answers if np.allclose(it.weights, result.edit_weights, atol=ROUNDING, rtol=0)]
    if not any(np.allclose(it.output, result.output, atol=1e-5) for it in at_edit):
        return f"output is {one_line(repr(list(result.output)), 80)}"
    return None


def _counterfactual(told: _Told) -> str | None:
    result, answers = told[0], told[1].answers
    flips = (it.weights for it, success in answers if success)
    right = not result.flipped or any(np.allclose(it, result.edit_weights, atol=ROUNDING, rtol=0) for it in flips)
    return None if right else f"they are {result.edit_weights.tolist()}"


def _label(told: _Told) -> str | None:
    label_kept, off = told[0].label_kept, told[1].origin.label_kept is None
    return None if (label_kept is None) == off else f"it is {label_kept} where labels are {'off' if off else 'on'}"


def _flip_weight(told: _Told) -> str | None:
    weight, flipped = told[0].flip_weight, told[0].flipped and told[1].trial.attribute is not None
    right = weight is None if not flipped else weight is not None and 0 <= weight < math.inf
    return None if right else f"it is {weight}"


def _counts(told: _Told) -> str | None:
    result, asked = told[0], told[1].count
    return None if result.evaluations == asked and 0 <= result.steps <= asked else f"they are {result.evaluations}"


def _trajectory(told: _Told) -> str | None:
    path, count = told[0].trajectory, len(told[1].trial.bounds)
    right = len(path) and all(isinstance(point, Point) and len(point.weights) == count for point in path)
    return None if right else f"it is {one_line(repr(path), 80)}"


def _answered(told: _Told) -> str | None:
    answers: dict[bytes, list[Point]] = {}
    for answer, _ in told[1].answers:
        answers.setdefault(_place(answer), []).append(answer)
    for point in told[0].trajectory:
        given = answers.get(_place(point), [])
        if not any(abs(point.change - it.change) < 1e-5 and point.label_kept is it.label_kept for it in given):
            return f"one is {one_line(repr(point), 160)}"
    return None


def _place(point: Point) -> bytes:
    return (np.round(point.weights, 6) + 0.0).tobytes()


RULES_OF_RESULTS: Rules[_Told] = {
    "a result is a SearchResult": lambda told: (
        None if isinstance(told[0], SearchResult) else f"it is a {type(told[0]).__name__}"
    ),
    "its change is the largest of the points within the bounds that keep the label": _change,
    "flipped says whether one of them flips": _says("flipped"),
    "decisive says whether one of them flips decisively": _says("decisive"),
    "its edit weights [N] lie within the bounds": _edit,
    "its outputs are those of the unedited image and of the point at its edit weights": _outputs,
    "its edit weights are of a point that flips and keeps the label, where there is one": _counterfactual,
    "label_kept is None where labels are off, else true or false": _label,
    "flip_weight is 0 or more, None without a flip and in multi mode": _flip_weight,
    "evaluations are the points that it asked for, steps no more": _counts,
    "its trajectory has Points of N edit weights": _trajectory,
    "they are points that it asked for, or the unedited image, with what was answered": _answered,
    "stop says in a word why it ended": lambda told: (
        None if isinstance(told[0].stop, str) and told[0].stop not in ("", NOT_EDITED) else f"it is {told[0].stop!r}"
    ),
}


@dataclasses.dataclass(frozen=True)
class _Problem:
    """A prediction that flips where a sum of edit weights exceeds `flips_at`.

    Where the sum exceeds `label_until`, if that is given, the label is lost.
    """

    trial: Trial
    flips_at: float
    label_until: float | None = None

    def at(self, weights: Array, search: Any) -> EvaluatedPoint:
        """Return the answer for one point, with what the search needs of loss and gradients."""
        moved = float(SLOPE @ weights)
        margin = self.flips_at - moved
        change = abs(_share(-margin) - _share(-self.flips_at))
        ssim = 1 / (1 + float(weights @ weights) / 20)
        fade = 2 * weights / 20 * ssim**2
        gradient = None
        if search.needs_gradient:
            of_loss = -50 * _share(margin) * SLOPE + 10 * fade
            gradient = of_loss if search.needs_loss else np.stack([-SLOPE, fade])
        return EvaluatedPoint(
            weights,
            (_share(-margin),),
            change,
            margin,
            margin < 0,
            None if self.label_until is None else moved <= self.label_until,
            ssim,
            gradient,
            50 * math.log1p(math.exp(margin)) + 10 * (1 - ssim) if search.needs_loss else None,
            margin < 0 and change >= DECISIVE_CHANGE,
        )


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


SLOPE = np.array([0.5, 1.0, -0.25])


def _problems(mode: str, *, outer: bool) -> list[_Problem]:
    """Return one problem that flips, one that does not and loses its label, and one with a range on one side of 0."""
    attribute = 1 if mode == "single" else None

    def trial(image: int, low: float, high: float) -> Trial:
        def only(low: float, high: float) -> Array:
            bounds = np.zeros((len(SLOPE), 2))
            bounds[slice(None) if attribute is None else attribute] = low, high
            return bounds

        return Trial(image, attribute, only(low, high), only(-6, 6) if outer and attribute is not None else None)

    return [
        _Problem(trial(0, -2.0, 3.0), 1.0),
        _Problem(trial(1, -1.0, 2.0), 9.0, label_until=1.0),
        _Problem(trial(2, -3.0, 0.0), 0.4, label_until=9.0),
    ]


class _Tried:
    """A search and the problems that it is tried on."""

    def __init__(self, search: Any, problems: slice) -> None:
        self.search = search
        self._chosen = problems

    @property
    def problems(self) -> list[_Problem]:
        outer = not self.search.needs_gradient
        return [problem for mode in self.search.modes for problem in _problems(mode, outer=outer)[self._chosen]]

    def run(self, problems: Sequence[_Problem]) -> list[SearchResult | None]:
        """Return the results of problems that take turns; None for one that may go on for longer than is tried."""
        states = [
            Held(self.search, problem.trial, problem.at(np.zeros(len(SLOPE)), self.search)) for problem in problems
        ]
        results: list[SearchResult | None] = [None] * len(states)
        going = list(range(len(states)))
        while going:
            for place in list(going):
                state = states[place]
                results[place] = state.result()
                if results[place] is not None or state.count >= MOST_EVALUATIONS:
                    going.remove(place)
                    continue
                points = state.ask()
                if not np.array_equal(points, state.ask()):
                    raise ConfigError(f"{state.called} asks for other points when it is asked again")
                state.tell([problems[place].at(point, self.search) for point in points])
        return results


def _dataclass(tried: _Tried) -> str | None:
    search: Any = tried.search
    if isinstance(search, type) or not dataclasses.is_dataclass(search):
        return f"it is {'a class' if isinstance(search, type) else 'none'}"
    options: Any = dataclasses.asdict(search)  # type: ignore[arg-type]
    read = json.loads(json.dumps(options, allow_nan=False))
    return None if read == options else "JSON has not all of their values"


def _modes(tried: _Tried) -> str | None:
    modes = tried.search.modes
    return None if modes and set(modes) <= set(MODES) else f"they are {list(modes)}"


def _most(tried: _Tried) -> str | None:
    most = getattr(tried.search, "most_evaluations", 1)
    return None if isinstance(most, int) and most > 0 else f"it is {most!r}"


def _planned(tried: _Tried) -> str | None:
    counts: Any = evaluations_of(tried.search, Planned(attributes=2, calibrated=True, labels=True))
    counted = counts is None or (len(counts) == 2 and all(isinstance(count, int) for count in counts))
    return None if counted and (counts is None or 0 < counts[0] <= counts[1]) else f"they are {counts!r}"


def _words(tried: _Tried) -> str | None:
    name, words = tried.search.name, tried.search.in_words
    return None if name.strip() and words.strip() else f"they are {name!r} and {words!r}"


def _ends(tried: _Tried) -> str | None:
    for problem in tried.problems:
        tried.run([problem])
    return None


def _reaches(tried: _Tried) -> str | None:
    if not getattr(tried.search, "reaches_ends", False):
        return None
    for problem in tried.problems:
        if problem.trial.attribute is None:
            continue
        (result,) = tried.run([problem])
        tried_at = [] if result is None else [point.weights for point in result.trajectory]
        for attribute, column in enumerate(zip(*tried_at, strict=True)):
            for end in problem.trial.bounds[attribute]:
                if not any(abs(weight - end) <= ROUNDING for weight in column):
                    return f"no point of its trajectory is at {end:g}"
    return None


def _equal(tried: _Tried) -> str | None:
    return _other(tried.run(tried.problems), tried.run(tried.problems))


def _apart(tried: _Tried) -> str | None:
    alone = [result for problem in tried.problems for result in tried.run([problem])]
    others = [dataclasses.replace(problem, flips_at=problem.flips_at / 2) for problem in tried.problems]
    return _other(alone, tried.run([*tried.problems, *others])[: len(alone)])


def _other(one: Sequence[SearchResult | None], other: Sequence[SearchResult | None]) -> str | None:
    for first, second in zip(one, other, strict=True):
        for field in dataclasses.fields(SearchResult):
            values: tuple[Any, ...] = tuple(getattr(result, field.name, None) for result in (first, second))
            once, then = values
            if not np.array_equal(once, then) if isinstance(once, np.ndarray) else once != then:
                return f"{field.name} is {one_line(repr(once), 60)} once and {one_line(repr(then), 60)} then"
    return None


RULES: Rules[_Tried] = {
    "a search is a dataclass of its options, which JSON can hold": _dataclass,
    "it has a name, and words for reports": _words,
    "modes are single, multi or both": _modes,
    "most_evaluations, if it has that, is a whole number above 0": _most,
    "evaluations, if it has that, are the least and the most points of a trial": _planned,
    "it ends, with a result": _ends,
    "reaches_ends, if it is true, says that both ends of the bounds are tried": _reaches,
    "equal trials give equal results": _equal,
    "trials under way at once do not influence one another": _apart,
}
