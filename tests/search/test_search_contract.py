"""`check_search` finds each fault that a search of somebody else's may have; the scheduler refuses the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from registered import register
from search_toys import evaluator, linear, run_trials, target, trial

from zoom_engine import check_search
from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.search import (
    CMAES,
    PGD,
    SGD,
    Array,
    EvaluatedPoint,
    EvaluatedPoints,
    Minimal,
    Scan,
    SearchResult,
    Trial,
    choose_search,
)
from zoom_engine.search.contract import MOST_EVALUATIONS, check_search_on_load


class State:
    """Asks for both ends, then for their halves."""

    def __init__(self, search: Any, trial: Trial, origin: EvaluatedPoint) -> None:
        self.search, self.trial, self.evaluated = search, trial, EvaluatedPoints(trial, origin)
        self.points = np.stack([trial.bounds[:, side] for side in (0, 1)])

    def ask(self) -> Any:
        return self.points / (1 + self.evaluated.steps)

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        self.evaluated.add(evaluated)

    def result(self) -> Any:
        return self.evaluated.result("looked", by_weight=False) if self.evaluated.steps == 2 else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ends:
    """A search by `State`; as it should be."""

    name: ClassVar[Any] = "ends"
    in_words: ClassVar[Any] = "a look at the ends"
    modes: ClassVar[Any] = ("single", "multi")
    needs_gradient: ClassVar[Any] = False
    needs_loss: ClassVar[Any] = False
    state: ClassVar[Any] = State

    def start(self, trial: Trial, origin: EvaluatedPoint) -> Any:
        return self.state(self, trial, origin)


def asking(points: Callable[[State, Array], Any]) -> type[Ends]:
    """A search that asks for something else."""

    class Asks(State):
        def ask(self) -> Any:
            return points(self, super().ask())

    return type("Wrong", (Ends,), {"state": Asks})


def finding(**changes: Callable[[SearchResult], Any]) -> type[Ends]:
    """A search whose result has other values."""

    class Finds(State):
        def result(self) -> Any:
            outcome = super().result()
            return outcome and dataclasses.replace(outcome, **{name: made(outcome) for name, made in changes.items()})

    return type("Wrong", (Ends,), {"state": Finds})


def being(**members: Any) -> type[Ends]:
    return type("Wrong", (Ends,), members)


class NeverEnds(State):
    def result(self) -> None:
        """Goes on."""


class FindsNothing(State):
    def result(self) -> Any:
        return {"flipped": True} if super().result() else None


class FailsLater(State):
    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        raise IndexError("two\nlines")


class Forgets(State):
    """Takes one of two answers."""

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        self.evaluated.add(evaluated[:1])


class Drifts(State):
    """Other points each time."""

    drift = 0.0

    def ask(self) -> Array:
        type(self).drift += 1e-3
        return self.points / (2 + self.evaluated.steps + type(self).drift)


class OfChance(State):
    def __init__(self, search: Any, trial: Trial, origin: EvaluatedPoint) -> None:
        super().__init__(search, trial, origin)
        self.points = self.points * np.random.default_rng().random()


class Shares(State):
    """Trials learn from one another."""

    step = 1.0

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        super().tell(evaluated)
        type(self).step = (
            0.5 if type(self).step == 1.0 else 1.0 if evaluated[0].flipped or evaluated[1].flipped else 0.7
        )

    def ask(self) -> Array:
        return self.points / (1 + self.evaluated.steps) * (self.step if self.evaluated.steps else 1.0)


WRONG: dict[str, tuple[type[Any], str]] = {
    "name-of-a-number": (being(name=3), "its name must be a text, got 3"),
    "no-words": (being(in_words=""), "it has a name, and words for reports, but they are 'ends' and ''"),
    "no-modes": (being(modes=()), "modes are single, multi or both, but they are"),
    "other-modes": (being(modes=("single", "double")), "but they are .'single', 'double'."),
    "modes-of-a-text": (being(modes="single"), "its modes must be a list of texts, got 'single'"),
    "gradient-of-a-text": (being(needs_gradient="no"), "needs_gradient must be true or false, got 'no'"),
    "no-start": (being(start=None), "its start must be a method, not None"),
    "endless-by-its-word": (being(most_evaluations=0), "a whole number above 0, but it is 0"),
    "plans-more-than-it-takes": (being(evaluations=lambda self, planned: (9, 3)), "a trial, but they are .9, 3."),
    "never-ends": (being(state=NeverEnds), "has no result after 10000 points of one image: it must end"),
    "ends-after-its-word": (being(state=NeverEnds, most_evaluations=30), "has no result after 30 points"),
    "stops-short-of-its-ends": (
        type("Wrong", (being(reaches_ends=True), asking(lambda state, points: points / 2)), {}),
        "both ends of the bounds are tried, but no point of its trajectory is at -2",
    ),
    "no-points": (asking(lambda state, points: points[:0]), r"asks for points \[0, 3\]: .* k of 1 or more"),
    "one-point": (
        asking(lambda state, points: points[0]),
        r"asks for points \[3\]: edit weights must be float64 \[k, 3\]",
    ),
    "a-list": (asking(lambda state, points: points.tolist()), "asks for points of list"),
    "half-the-digits": (asking(lambda state, points: points.astype(np.float32)), "asks for points of float32"),
    "tensors": (asking(lambda state, points: torch.from_numpy(points)), "asks for points of Tensor"),
    "not-a-number": (asking(lambda state, points: points * np.nan), "asks for an edit weight of nan"),
    "too-many-weights": (asking(lambda state, points: np.hstack([points, points])), r"asks for points \[2, 6\]"),
    "out-of-bounds": (
        asking(lambda state, points: points * 10),
        "asks for an edit weight of -20 where bounds are -6 and 6: use Trial.allowed",
    ),
    "another-attribute": (
        asking(lambda state, points: points + np.eye(3)[0]),
        "asks for an edit weight of 1 where bounds are 0 and 0",
    ),
    "asks-anew": (being(state=Drifts), "asks for other points when it is asked again"),
    "of-chance": (being(state=OfChance), "equal trials give equal results, but .* once and .* then"),
    "shares": (being(state=Shares), "(do not influence one another|equal trials give equal results), but .* once and"),
    "no-result": (being(state=FindsNothing), "a result is a SearchResult, but it is a dict"),
    "fails": (being(state=FailsLater), "search ends fails: IndexError: two lines"),
    "forgets": (being(state=Forgets), "its change is the largest .*, but it is"),
    "change-of-seven": (finding(change=lambda result: 7.0), "its change is the largest .*, but it is 7 where that is"),
    "change-of-nothing": (
        finding(change=lambda result: 0.0),
        "its change is the largest .*, but it is 0 where that is",
    ),
    "change-not-a-number": (finding(change=lambda result: float("nan")), "but it is nan where"),
    "always-flips": (
        finding(flipped=lambda result: not result.flipped),
        "flipped says whether .*, but it is False where",
    ),
    "never-decisive": (finding(decisive=lambda result: False), "decisive says whether .*, but it is False where"),
    "far-edit": (
        finding(edit_weights=lambda result: result.edit_weights * 9),
        "lie within the bounds, but edit_weights are",
    ),
    "flat-edit": (finding(edit_weights=lambda result: 1.0), "lie within the bounds, but edit_weights are 1.0"),
    "another-original": (finding(original_output=lambda result: [0.9]), "original_output is .0.9. where the unedited"),
    "no-output": (finding(output=lambda result: []), "its outputs are those of .*, but output has 0 numbers"),
    "another-output": (finding(output=lambda result: [0.123]), r"the point at its edit weights, but output is .0.123."),
    "output-not-a-number": (finding(output=lambda result: [float("nan")]), "but output is .nan."),
    "edit-of-no-point": (finding(edit_weights=lambda result: result.edit_weights * 0.9), "but output is .0"),
    "edit-that-does-not-flip": (
        finding(
            edit_weights=lambda result: result.edit_weights * 0,
            output=lambda result: result.original_output,
        ),
        "flips and keeps the label, where there is one, but they are .0.0, 0.0, 0.0.",
    ),
    "label-without-labels": (finding(label_kept=lambda result: True), "but it is True where labels are off"),
    "negative-flip": (finding(flip_weight=lambda result: -1.0), "flip_weight is 0 or more.*, but it is -1"),
    "no-evaluations": (finding(evaluations=lambda result: 0), "evaluations are the points .*, but they are 0"),
    "no-trajectory": (finding(trajectory=lambda result: ()), r"its trajectory has Points .*, but it is \(\)"),
    "trajectory-of-its-own": (
        finding(trajectory=lambda result: (dataclasses.replace(result.trajectory[-1], change=0.9),)),
        "with what was answered, but one is Point.*change=0.9",
    ),
    "trajectory-of-other-points": (
        finding(trajectory=lambda result: (dataclasses.replace(result.trajectory[0], weights=(0.0, 0.4, 0.0)),)),
        "with what was answered, but one is Point",
    ),
    "no-stop": (finding(stop=lambda result: ""), "stop says in a word why it ended, but it is ''"),
    "stop-of-edits-not-made": (finding(stop=lambda result: "not edited"), "why it ended, but it is 'not edited'"),
}


@pytest.mark.parametrize(("wrong", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_search_is_refused_by_the_rule_that_it_breaks(wrong: type[Ends], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_search(wrong())
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("search ")


def test_a_search_must_be_a_dataclass_whose_options_json_can_hold() -> None:
    class Plain:
        """No dataclass."""

    for name in ("name", "in_words", "modes", "needs_gradient", "needs_loss", "start"):
        setattr(Plain, name, getattr(Ends, name))

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class OfASet(Ends):
        points: Any = frozenset({1})

    for wrong, reason in (
        (Plain(), "but it is none"),
        (Ends, "but it is a class"),
        (OfASet(), "but it fails: TypeError"),
    ):
        with pytest.raises(ConfigError, match=f"a search is a dataclass of its options.*, {reason}"):
            check_search(wrong)


@pytest.mark.parametrize(
    "search",
    [Ends(), Scan(), Scan(tolerance=None), SGD(), PGD(patience=1), Minimal(), CMAES()],
    ids=lambda one: one.name,
)
def test_what_ships_holds_the_contract(search: Any) -> None:
    if search.name == "cmaes":
        pytest.importorskip("cmaes")
    check_search(search)


def test_on_load_a_search_is_tried_on_one_problem_of_each_mode() -> None:
    started = []

    class Counted(Ends):
        def start(self, trial: Trial, origin: EvaluatedPoint) -> Any:
            started.append(trial.attribute is None)
            return super().start(trial, origin)

    check_search_on_load(Counted())
    assert len(started) <= 20
    assert set(started) == {True, False}


@pytest.mark.ci
def test_a_search_may_say_that_it_takes_more_points_than_it_is_tried_on() -> None:
    check_search_on_load(being(state=NeverEnds, modes=("single",), most_evaluations=MOST_EVALUATIONS * 5)())


def test_a_packages_search_is_tried_where_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, registry.SEARCHES, ends=being(state=NeverEnds))
    with pytest.raises(ConfigError, match="search ends has no result after 10000 points of one image: it must end"):
        choose_search("ends", mode="single", target=target(linear))
    register(monkeypatch, registry.SEARCHES, ends=Ends)
    chosen, _ = choose_search("ends", mode="single", target=target(linear))
    assert chosen == Ends()


STYLES = torch.randn(2, 4, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    "name",
    [
        "never-ends",
        "ends-after-its-word",
        "no-points",
        "one-point",
        "a-list",
        "half-the-digits",
        "not-a-number",
        "out-of-bounds",
        "another-attribute",
        "no-result",
        "fails",
        "change-of-seven",
        "always-flips",
        "another-output",
        "trajectory-of-its-own",
        "no-evaluations",
    ],
)
def test_the_scheduler_refuses_it_by_name(name: str) -> None:
    """Whatever the check on load has seen: pictures are other than its problems."""
    wrong, _ = WRONG[name]
    if name == "never-ends":
        wrong = being(state=NeverEnds, most_evaluations=50)
    with pytest.raises(ConfigError, match=r"^search ends ") as caught:
        run_trials(
            [trial(image, 1, -2, 3) for image in (0, 1)],
            search=wrong(),
            evaluator=evaluator(),
            styles=STYLES,
            on_result=lambda result: None,
        )
    assert "\n" not in str(caught.value)


def test_the_scheduler_runs_a_sound_search_of_somebody_elses() -> None:
    results: list[Any] = []
    run_trials(
        [trial(image, 1, -2, 3) for image in (0, 1)],
        search=Ends(),
        evaluator=evaluator(),
        styles=STYLES,
        on_result=results.extend,
    )
    assert [result.evaluations for _, result in results] == [4, 4]
