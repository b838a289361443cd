"""Verdicts follow from the figures, by the thresholds that the page states."""

from __future__ import annotations

import dataclasses

import pytest

from zoom_engine.commands.fit.verdicts import (
    ANSWERS_FAR,
    ANSWERS_NEAR,
    COVERED,
    NOT_COVERED,
    Foretold,
    Inverted,
    Read,
    ReadAttribute,
    judge_answers,
    judge_attribute,
    judge_coverage,
    judge_inversion,
    judge_reading,
    worst,
)
from zoom_engine.statistics.coverage import Coverage, Estimate
from zoom_engine.statistics.intervals import wilson
from zoom_engine.statistics.two_samples import Distance

GOOD = ReadAttribute(generated=9.0, photographs=8.0, floor=(3.0, 3.0), has=(0.4, 0.5))


def covering(relative: float, low: float) -> Coverage:
    one = Estimate(0.9, (0.8, 0.95))
    return Coverage(50, one, one, one, one, Estimate(relative, (low, 1.1)))


def power_of(twice: float, four: float) -> list[Foretold]:
    sizes = ({"0.05": 0.0, "0.1": twice / 2, "0.2": four / 2}, {"0.05": 0.0, "0.1": twice, "0.2": four})
    return [Foretold(sensitive, dict.fromkeys(sensitive, (0.0, 1.0)), None) for sensitive in sizes]


@pytest.mark.parametrize(
    ("relative", "low", "verdict"),
    [
        (1.0, 0.9, "fit"),
        (COVERED, NOT_COVERED, "fit"),
        (0.9, NOT_COVERED - 0.01, "doubtful"),
        (COVERED - 0.01, 0.5, "doubtful"),
        (NOT_COVERED - 0.01, 0.3, "not fit"),
        (0.0, 0.0, "not fit"),
    ],
)
def test_coverage(relative: float, low: float, verdict: str) -> None:
    judgement = judge_coverage(covering(relative, low), covering(1.0, 0.9))
    assert judgement.verdict == verdict
    assert judge_coverage(covering(1.0, 0.95), covering(relative, low)).verdict == verdict
    assert "outlines" not in judgement.reasons[0]
    assert "by their outlines" in judge_coverage(covering(1.05, 0.9), covering(0.2, 0.1)).reasons[0]


@pytest.mark.parametrize(
    ("excess", "verdict"), [(-0.01, "fit"), (0.09, "fit"), (ANSWERS_NEAR, "doubtful"), (ANSWERS_FAR, "not fit")]
)
def test_answers(excess: float, verdict: str) -> None:
    judgement = judge_answers(Distance(excess + 0.02, 0.02, excess, (excess, excess)), "4.2 years")
    assert judgement.verdict == verdict
    assert ("4.2 years" in judgement.reasons[0]) is (excess > 0)


def test_inversion_makes_doubtful_at_worst() -> None:
    accepts = Inverted(8, 6, wilson(6, 8), 0.2, 0.25)
    assert judge_inversion(accepts).verdict == "fit"
    refuses = dataclasses.replace(accepts, accepted=0, refusals=(("is not what the generator draws", 8),))
    judgement = judge_inversion(refuses)
    assert judgement.verdict == "doubtful"
    assert "0 of 8 photographs (most often one “is not what the generator draws”)" in judgement.reasons[0]
    untried = Inverted(0, 0, None, None, 0.25, note="it has no gradients")
    assert judge_inversion(untried) == ("fit", ("it has no gradients",))


def test_photographs_that_the_encoder_does_not_read_make_doubtful() -> None:
    assert judge_reading(Read(0.9, 0.9, 100)).verdict == "fit"
    assert judge_reading(Read(0.3, 0.9, 100)).verdict == "doubtful"


@pytest.mark.parametrize(
    ("read", "verdict", "says"),
    [
        (GOOD, "fit", "40 % that the generator draws have it, 50 % of the photographs"),
        (dataclasses.replace(GOOD, has=(0.01, 0.3)), "not fit", "nearly nobody that the generator draws has it (1 %)"),
        (dataclasses.replace(GOOD, has=(0.99, 0.3)), "not fit", "nearly nobody that the generator draws lacks it"),
        (dataclasses.replace(GOOD, has=(0.04, 0.3)), "doubtful", "few that the generator draws have it (4 %)"),
        (dataclasses.replace(GOOD, has=(0.96, 0.3)), "doubtful", "few that the generator draws lack it (4 %)"),
        (dataclasses.replace(GOOD, photographs=2.0), "doubtful", "no better than random text"),
        (dataclasses.replace(GOOD, refused="it says nothing"), "not fit", "an audit refuses it: it says nothing"),
    ],
)
def test_attributes(read: ReadAttribute, verdict: str, says: str) -> None:
    judgement = judge_attribute(read, [], "fit")
    assert judgement.verdict == verdict
    assert says in "; ".join(judgement.reasons)


@pytest.mark.parametrize(
    ("power", "verdict", "says"),
    [
        (power_of(0.4, 1.0), "fit", "have it"),
        (power_of(0.1, 0.7), "doubtful", "70 % of audits of 200 images would find an effect of 0.2"),
        (power_of(0.2, 0.4), "not fit", "40 % of audits of 200 images would find an effect of 0.2"),
    ],
)
def test_power(power: list[Foretold], verdict: str, says: str) -> None:
    judgement = judge_attribute(GOOD, power, "fit")
    assert judgement.verdict == verdict
    assert says in judgement.reasons[0]


@pytest.mark.parametrize(("at_least", "verdict"), [(0.9, "fit"), (0.6, "doubtful"), (0.1, "doubtful")])
def test_where_power_is_not_known_an_attribute_is_fit_if_any_spread_has_enough(at_least: float, verdict: str) -> None:
    few, many = power_of(0.9, 0.9)
    unknown = many._replace(sensitive={**many.sensitive, "0.2": None}, known=(0.01, 0.15), at_least=at_least)
    judgement = judge_attribute(GOOD, [few, unknown], "fit")
    assert judgement.verdict == verdict
    if verdict == "doubtful":
        assert judgement.reasons == ("the power for an effect of 0.2 is not known above 0.15",)


def test_on_a_generator_that_is_not_fit_no_attribute_is() -> None:
    assert judge_attribute(GOOD, [], "not fit") == ("not fit", ("the generator itself is not fit",))
    assert judge_attribute(GOOD, [], "doubtful").verdict == "fit"
    assert worst(["fit", "not fit", "doubtful"]) == "not fit"


def test_the_interval_of_a_fraction_is_wilsons() -> None:
    low, high = wilson(0, 10)
    assert (low, high) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)


@pytest.mark.parametrize(("sizes", "told"), [(("0.05", "0.1", "0.2"), "0.1"), (("0.5", "1"), "1"), (("1",), "1")])
def test_the_power_that_is_told_is_for_more_than_the_smallest_effect(sizes: tuple[str, ...], told: str) -> None:
    """Where twice the smallest is all that there can be, tables told the power for the smallest: none."""
    power = Foretold(dict.fromkeys(sizes, 0.5), dict.fromkeys(sizes, (0.0, 1.0)), None)
    assert power.told[0] == told
