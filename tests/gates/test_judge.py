"""Every rule has three outcomes, and an audit that is too small to judge by is no pass."""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from simulated import ATTRIBUTES, record, simulated, simulated_edits

from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.summary import Power
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.gates.bounds import images_for, mean_bounds
from zoom_engine.gates.compare import Pair, compare
from zoom_engine.gates.formats.junit import to_junit
from zoom_engine.gates.formats.markdown import to_markdown
from zoom_engine.gates.formats.sarif import to_sarif
from zoom_engine.gates.history import history
from zoom_engine.gates.judge import Verdict, judge
from zoom_engine.gates.rules import Rule, read_rules, rules_of
from zoom_engine.gates.text import verdict_text
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import verdict_in_words

make = functools.cache(simulated)


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {finding.attribute: finding.outcome for finding in verdict.findings}


def test_a_sensitivity_passes_fails_or_is_inconclusive() -> None:
    """The means are about 0.01, 0.03, 0.06 and 0.3 on 100 images, without random directions."""
    verdict = judge(make(images=100), [Rule(max_sensitivity=0.08)])
    assert outcomes(verdict) == {
        "smiling": "pass", "pale skin": "pass", "a beard": "inconclusive", "eyeglasses": "fail",
    }  # fmt: skip
    assert (verdict.outcome, verdict.exit_code) == ("fail", 1)
    beard = verdict.findings[2].estimate
    assert re.search(r": such an effect takes about \d{4} images, not 100$", beard)
    assert outcomes(judge(make(images=100), [Rule(max_sensitivity=0.5)])) == dict.fromkeys(outcomes(verdict), "pass")


def test_a_figure_never_reads_as_below_the_limit_that_it_exceeds() -> None:
    """With three digits the lower end would read as less than the limit."""
    failed = judge(make(images=100), [Rule(max_sensitivity=0.0371, attributes=["a beard"])]).findings[0]
    assert (failed.outcome, failed.estimate) == ("fail", "0.066 [0.0371, 0.157]")


def test_the_limit_that_is_the_audits_own_is_judged_as_the_audit_judges_it() -> None:
    """Attributes that are tested together are settled by fewer images than each by itself."""
    few = make(images=38, means=(0.0, 0.0, 0.0, 0.001), smallest_effect=0.1)
    assert {(row.verdict, row.interval[1]) for row in few.sensitivity} == {("negligible", 0.1)}
    assert (images_for(0.1, attributes=4) or 0) > 50
    assert judge(few, [Rule(max_sensitivity=0.1)]).outcome == "pass"


def test_a_limit_below_the_smallest_effect_needs_random_edits() -> None:
    """The audit drew none, as no attribute is sensitive at 0.5: what any edit does is unknown."""
    audit = make(images=60, baseline=0.01, smallest_effect=0.5)
    audit = Diagnosis(audit.manifest, audit.records)
    assert not audit.missing
    (result,) = judge(audit, [Rule(max_sensitivity=0.08, attributes=["eyeglasses"])]).findings
    assert result.outcome == "inconclusive"
    assert result.estimate.endswith(
        "not compared with random edits, as no attribute is sensitive at 0.5 (--smallest-effect 0.08 compares it)"
    )


def test_few_images_on_which_nothing_moves_prove_nothing() -> None:
    still = make(images=20, means=(0.0, 0.0, 0.0, 0.001))
    assert still.sensitivity[-1].interval[0] == still.sensitivity[-1].mean_change == 0.0
    verdict = judge(still, [Rule(max_sensitivity=0.1)])
    assert (verdict.outcome, verdict.exit_code) == ("inconclusive", 2)
    assert verdict.findings[0].estimate.endswith("such an effect takes about 54 images, not 20")
    enough = make(images=1 + (images_for(0.1, attributes=4) or 0), means=(0.0, 0.0, 0.0, 0.001))
    assert judge(enough, [Rule(max_sensitivity=0.1)]).exit_code == 0
    assert (
        judge(still, [Rule(max_sensitivity=0.0)])
        .findings[0]
        .estimate.endswith("such an effect is too near to 0, it takes more than 100000 images")
    )
    assert judge(make(images=1), [Rule(max_sensitivity=0.9)]).outcome == "inconclusive"


def test_a_rule_holds_for_each_attribute_of_its_name() -> None:
    """It was held to the last one alone, and passed where another of that name fails."""
    audit = make(images=100, attributes=("a smiling face", "a face smiling"), means=(0.3, 0.01))
    verdict = judge(audit, [Rule(max_sensitivity=0.08, attributes=["Smiling"])])
    assert outcomes(verdict) == {"a smiling face": "fail", "a face smiling": "pass"}
    alone = judge(audit, [Rule(max_sensitivity=0.08, attributes=["a face smiling", "a face smiling"])])
    assert outcomes(alone) == {"a face smiling": "pass"}, "as it is called beside the other"
    (group,) = history([audit], [Rule(max_sensitivity=0.08, attributes=["smiling"])]).groups
    assert {course.attribute.text: course.outcomes for course in group.courses} == {
        "a smiling face": ("fail",), "a face smiling": ("pass",),
    }  # fmt: skip


def test_two_attributes_have_two_names_wherever_they_are_told() -> None:
    """A paraphrase that came with a release left two rows, charts and findings of one name."""
    made = {"means": (0.3, 0.01)}
    before = make(images=60, attributes=("a smiling face", "a face with a hat"), **made)
    after = make(images=60, attributes=("a smiling face|a face with a smile", "a face with a hat"), **made)
    names = {"a smiling face", "a smiling face|a face with a smile", "a hat"}
    rules = [Rule(max_growth=0.03), Rule(max_sensitivity=0.1)]
    assert {finding.attribute for finding in judge(after, rules, baseline=before).findings} == names
    compared = compare([before, after])
    assert {row.name for row in compared.rows} == names
    assert compared.notes[0][1].endswith(" has “a smiling face|a face with a smile”.")
    assert {course.name for course in history([before, after]).groups[0].courses} == names
    with pytest.raises(ConfigError, match="the audit has a smiling face, a face smiling"):
        judge(
            make(images=9, attributes=("a smiling face", "a face smiling"), **made),
            [Rule(max_sensitivity=0.1, attributes=["x"])],
        )


def test_one_message_has_one_minus_sign() -> None:
    """A growth below 0 had a true one, and the ends of its interval a hyphen."""
    (growth,) = judge(
        make(images=100, means=(0.01,), attributes=("smiling",)),
        [Rule(max_growth=0.0)],
        baseline=make(images=100, means=(0.3,), attributes=("smiling",)),
    ).findings
    assert re.match(r"−0\.\d{3} \[−0\.\d{3}, −0\.\d{3}\], at most −?0\.\d{3}", growth.estimate)
    assert "-" not in growth.estimate


def test_texts_that_differ_in_case_alone_are_two_attributes() -> None:
    """An editor may have such; a rule of one was held to both, which ended a history in an internal error."""
    audit = make(images=100, attributes=("a Red face", "a red face"), means=(0.3, 0.01))
    (group,) = history([audit], [Rule(max_sensitivity=0.08)]).groups
    assert {course.attribute.text: course.outcomes for course in group.courses} == {
        "a Red face": ("fail",), "a red face": ("pass",),
    }  # fmt: skip
    (group,) = history([audit], [Rule(max_sensitivity=0.08, attributes=["a Red face"])]).groups
    assert {course.attribute.text: course.limit for course in group.courses} == {"a Red face": 0.08, "a red face": None}


@pytest.mark.parametrize("images", [20, 200])
def test_a_model_that_nothing_moves_passes_no_gate(images: int) -> None:
    """Its page called it inconclusive: it may not read the pictures."""
    rules = [Rule(max_sensitivity=0.1, attributes=["smiling"]), Rule(max_growth=0.5, attributes=["smiling"])]
    rules.append(Rule(min_power=0.1, effect=0.2))
    still = make(images=images, means=(0.0,) * 4)
    verdict = judge(still, rules, baseline=still)
    assert {verdict_in_words(row) for row in still.sensitivity} == {"inconclusive, nothing moves"}
    for finding in verdict.findings:
        assert finding.outcome == "inconclusive"
        assert finding.estimate.endswith("no edit moves the output at all: the model may not read these pictures")
    by_random_edits = make(images=images, means=(0.0,) * 4, baseline=0.1)
    assert "nothing moves" not in {row.shows_little for row in by_random_edits.sensitivity}


@pytest.mark.parametrize("images", [20, 200])
def test_what_the_generator_hardly_draws_passes_no_gate(images: int) -> None:
    directions = {"strength": [0.14, 0.16, 0.3, 0.1], "noise_floor": [0.1] * 4}
    audit = simulated(images=images, means=(0.001, 0.001, 0.001, 0.3), directions=directions)
    smiling, pale, beard, glasses = judge(audit, [Rule(max_sensitivity=0.1)]).findings
    assert smiling.outcome == "inconclusive"
    assert smiling.estimate.endswith("but the generator hardly draws it")
    assert glasses.outcome == "fail", "what is shown to move the output is a finding"
    words = {row.attribute: verdict_in_words(row) for row in audit.sensitivity}
    assert words[audit.config.attributes[0]] == "inconclusive, hardly drawn"
    assert pale.outcome == beard.outcome == ("inconclusive" if images < 50 else "pass")
    assert "hardly draws" not in pale.estimate


def test_edits_that_change_the_ground_truth_prove_nothing() -> None:
    """Their effect is 0 whatever the target does: an attribute of which most edits lose the label passed a gate."""
    audit = make(images=200, means=(0.0, 0.0, 0.0, 0.001))
    smiling = audit.config.attributes[0]

    def with_label_kept(one_in: int) -> Diagnosis:
        records = [replace(r, label_kept=r.attribute != smiling.text or r.image % one_in == 0) for r in audit.records]
        return Diagnosis(audit.manifest, records)

    rules = [Rule(max_sensitivity=0.08, attributes=["smiling"]), Rule(max_growth=0.2, attributes=["smiling"])]
    lost = with_label_kept(3)
    row = next(row for row in lost.sensitivity if row.attribute == smiling)
    assert (row.verdict, row.images_to_settle, verdict_in_words(row)) == (
        "inconclusive", None, "inconclusive, label lost",
    )  # fmt: skip
    small, growth = judge(lost, rules, baseline=lost).findings
    assert small.outcome == growth.outcome == "inconclusive"
    assert small.estimate.endswith("but only 34 % of the edits keep the label")
    for other in (audit, with_label_kept(1)):
        assert next(row for row in other.sensitivity if row.attribute == smiling).verdict == "negligible"
        assert {finding.outcome for finding in judge(other, rules, baseline=other).findings} == {"pass"}


def test_what_random_edits_explain_breaks_nothing() -> None:
    rules = [Rule(max_sensitivity=0.08, attributes=["eyeglasses"])]
    (beside,) = judge(make(images=60, baseline=0.4), rules).findings
    assert beside.outcome == "inconclusive"
    assert "unspecific, 2 random edits move the output as far" in beside.estimate
    (one_of_two,) = judge(make(images=60, baseline=0.29), rules).findings
    assert "unspecific, 1 random edit moves the output as far" in one_of_two.estimate
    (few,) = judge(make(images=60, baseline=0.01), rules).findings
    assert few.outcome == "inconclusive"
    assert few.estimate.endswith("do not tell whether any edit does the same (more --random-directions may)")
    assert judge(make(images=60), rules).outcome == "fail", "where none were tried the size decides"


def test_the_number_of_images_is_for_the_effect_at_hand() -> None:
    """Not for no change at all: what moves by 0.03 takes more to be shown below 0.05 than what never moves."""
    moving = make(images=60)
    (result,) = judge(moving, [Rule(max_sensitivity=0.05, attributes=["pale skin"])]).findings
    needed = int(re.search(r"about (\d+) images, not 60", result.estimate).group(1))
    assert needed > 1.5 * (images_for(0.05, attributes=4) or 0)
    assert judge(make(images=2 * needed), [Rule(max_sensitivity=0.05, attributes=["pale skin"])]).outcome == "pass"
    assert images_for(0.05, mean=0.05) is None


@pytest.mark.parametrize(
    ("mean", "spread", "limit"), [(0.03, 0.05, 0.06), (0.06, 0.2, 0.1), (0.0, 0.0, 0.1), (0.15, 0.05, 0.1)]
)
def test_with_the_images_that_a_rule_needs_about_half_of_the_audits_decide_it(
    mean: float, spread: float, limit: float
) -> None:
    """On either side of the limit; with half of the images few do, and with twice as many nearly all."""
    needed = images_for(limit, attributes=4, mean=mean, spread=spread)
    assert needed is not None
    random, kappa = np.random.default_rng(0), mean * (1 - mean) / spread**2 - 1 if spread else 0.0

    def deciding(images: int) -> float:
        drawn = random.beta(mean * kappa, (1 - mean) * kappa, (images, 100)) if kappa else np.zeros((images, 1))
        low, high = mean_bounds(drawn, low=0.0, high=1.0, attributes=4)
        return float((high <= limit if mean < limit else low > limit).mean())

    assert deciding(needed // 2) <= 0.2
    assert deciding(needed + (not spread)) >= 0.3
    assert deciding(2 * needed) >= 0.8


def test_growth_that_is_inconclusive_says_how_many_images_it_takes() -> None:
    rules = [Rule(max_growth=0.15, attributes=["a beard"])]
    (beard,) = judge(simulated(images=20, planted={2: 0.05}), rules, baseline=make(images=20)).findings
    needed = int(re.search(r": such growth takes about (\d+) images, not 20$", beard.estimate).group(1))
    assert 20 < needed < 100


def test_the_number_of_images_for_growth_is_the_one_that_decides() -> None:
    names = tuple(f"attribute {number}" for number in range(8))
    few, enough = (make(images=images, attributes=names, means=(0.3,) * 8) for images in (138, 139))
    rule = Rule(max_growth=0.03)
    assert {finding.estimate for finding in judge(few, [rule], baseline=few).findings} == {
        "0.000 [0.000, 0.000], at most 0.0301: such growth takes about 139 images, not 138"
    }
    assert judge(enough, [rule], baseline=enough).outcome == "pass"


@pytest.mark.parametrize(
    ("before", "spread", "mean", "limit", "paired"),
    [
        (0.4, 0.05, 0.0, 0.03, True),
        (0.4, 0.2, 0.05, 0.1, True),
        (0.05, 0.04, 0.0, 0.05, False),
        (0.4, 0.1, 0.02, 0.1, False),
        (0.4, 0.2, 0.2, 0.1, True),
        (0.4, 0.1, 0.1, 0.05, False),
    ],
)
def test_with_the_images_that_growth_needs_about_half_of_the_audits_decide_it(
    before: float, spread: float, mean: float, limit: float, paired: bool
) -> None:
    """On either side of the limit. Of other images a fifth passed, and to fail it asked for four times as many."""
    random, count = np.random.default_rng(0), 8
    names = [f"attribute {number}" for number in range(count)]

    def audited(changes: np.ndarray, first: int = 0) -> Diagnosis:
        manifest = Manifest.of({"mode": "single", "attributes": names, "images": len(changes), "seed": first})
        records = (
            record(i, first + i, name, c, count)
            for i, row in enumerate(changes)
            for name, c in zip(names, row, strict=True)
        )
        return Diagnosis(manifest, tuple(records))

    def pair(deviations: np.ndarray) -> Pair:
        still = before + (0.0 if paired else 1.0) * deviations[0] * spread
        return Pair(audited(still), audited(before + mean + deviations[1] * spread, 0 if paired else 10_000))

    balanced = np.broadcast_to(np.array([[1.0], [-1.0]]), (2, 2, count))
    _, needed = pair(balanced).images_for(Attribute.parse(names[0]), limit)
    assert needed is not None
    drawn = [pair(random.choice([-1.0, 1.0], (2, needed, count))) for _ in range(4)]
    if mean < limit:
        decided = [max(one.most, one.interval[1]) <= limit for audits in drawn for one in audits.differences.values()]
    else:
        decided = [p_value < 0.05 / count for audits in drawn for p_value in audits.p_above(limit)]
    assert 0.3 <= np.mean(decided) <= 0.8


def test_what_differs_besides_the_target_is_told_where_audits_are_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    same, others = make(images=20), simulated(images=20, seed=7)
    rules = [Rule(max_growth=0.05), Rule(max_sensitivity=0.9)]
    assert judge(same, rules, baseline=same).notes == ()
    assert judge(same, rules[1:], baseline=others).notes == (), "nothing is compared"
    verdict = judge(same, rules, baseline=others)
    (note,) = verdict.notes
    assert note.startswith("No image is in both audits")
    assert note in " ".join(verdict_text(verdict).split())
    assert note in to_markdown(verdict)
    assert note in to_junit(verdict).decode()
    assert verdict.to_json()["notes"] == to_sarif(verdict, at="rules.toml")["runs"][0]["properties"]["notes"] == [note]


def test_controls_of_other_strengths_are_named_where_they_do_not_tell() -> None:
    def change(image: int, name: str, at: float) -> float:
        draw = np.random.default_rng([image, *name.encode(), int(10 * at) + 100])
        return min(float(draw.exponential(0.12)), 0.8)

    controls = {f"control {number}": [1.0] for number in range(12)}
    audit = simulated_edits({"a red car": [-2.0, -1.0, 1.0, 2.0]}, change, images=60, controls=controls)
    (result,) = judge(audit, [Rule(max_sensitivity=0.1)]).findings
    assert (result.outcome, result.estimate.split(": ")[1]) == (
        "inconclusive",
        "these controls do not tell whether any edit does the same (controls of as many strengths may)",
    )


def test_growth_passes_fails_or_is_inconclusive() -> None:
    rules = [Rule(max_growth=0.05)]
    baseline = make(images=100)
    grown = simulated(images=100, planted={1: 0.2, 2: 0.05})
    verdict = judge(grown, rules, baseline=baseline)
    assert outcomes(verdict) == {
        "smiling": "pass", "pale skin": "fail", "a beard": "inconclusive", "eyeglasses": "pass",
    }  # fmt: skip
    assert "adjusted p 0.000" in verdict.findings[1].estimate
    assert judge(baseline, rules, baseline=grown).exit_code == 0, "what shrinks has not grown"
    assert judge(make(images=20), rules, baseline=make(images=20)).exit_code == 2


def test_growth_of_what_one_audit_lacks_is_not_judged() -> None:
    three = make(images=30, attributes=ATTRIBUTES[:3], means=(0.01, 0.03, 0.06))
    fewer, more = (judge(*pair, baseline=base) for pair, base in (
        ((three, [Rule(max_growth=0.2)]), make(images=30)), ((make(images=30), [Rule(max_growth=0.2)]), three)
    ))  # fmt: skip
    assert [finding.estimate for finding in fewer.of("inconclusive")] == ["not in the audit"]
    assert [finding.estimate for finding in more.of("inconclusive")] == ["not in the baseline"]
    assert len(fewer.of("pass")) == len(more.of("pass")) == 3


def test_growth_of_what_was_not_edited_says_in_which_audit() -> None:
    def edited(*names: str, odd: bool = False) -> Diagnosis:
        return simulated_edits(
            {"red": (1,), "blue": (1,)},
            lambda image, name, strength: 0.2 + image % 5 / 100,
            made=lambda image, name: name in names and (name == "red" or image % 2 == odd),
        )

    def estimates(audit: Diagnosis, baseline: Diagnosis) -> list[str]:
        verdict = judge(audit, [Rule(max_growth=0.05)], baseline=baseline)
        assert verdict.exit_code == 2
        return [finding.estimate for finding in verdict.findings]

    both, red, blue, none = edited("red", "blue"), edited("red"), edited("blue"), edited()
    assert estimates(none, both) == ["not edited in the audit: no picture shows the edit"] * 2
    assert estimates(both, none) == ["not edited in the baseline: no picture shows the edit"] * 2
    assert [text.split(":")[0] for text in estimates(red, blue)] == [
        "not edited in the baseline",
        "not edited in the audit",
    ]
    assert estimates(none, none)[0].startswith("not edited in the audit and the baseline")
    assert estimates(both, edited("red", "blue", odd=True))[1].startswith("no image has")
    assert estimates(red, both)[0].startswith("0.000"), "what both have is judged"


def test_power_passes_fails_or_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = make(images=20)
    assert judge(make(images=1), [Rule(min_power=0.9)]).outcome == "inconclusive", "of one image there is none"
    known = audit.summary()
    for power, outcome in ((0.95, "pass"), (0.9, "pass"), (0.85, "fail")):
        known_power = Diagnosis(audit.manifest, audit.records)
        object.__setattr__(
            known_power, "_summary", known.__class__(**{**fields(known), "power": Power({"0.2": power}, None, None)})
        )
        verdict = judge(known_power, [Rule(min_power=0.9)])
        assert verdict.outcome == outcome
        assert verdict.findings[0].subject == "the audit"
    object.__setattr__(
        known_power, "_summary", known.__class__(**{**fields(known), "power": Power({"0.2": 0.897}, None, None)})
    )
    assert judge(known_power, [Rule(min_power=0.9)]).findings[0].estimate.startswith("89.7 %: ")
    with pytest.raises(ConfigError, match=r"power for effects of 0\.05, 0\.1, 0\.2, 0\.4, not of 0\.3"):
        judge(audit, [Rule(min_power=0.9, effect=0.3)])


def test_too_little_power_says_how_many_images_it_takes() -> None:
    """An audit of so many passes the rule; of half of them it fails."""
    rules = [Rule(min_power=0.9, effect=0.1)]
    (told,) = judge(make(images=10), rules).findings
    needed = int(re.fullmatch(r"\d+ %: it takes about (\d+) images, not 10", told.estimate).group(1))
    assert 20 < needed < 200
    half, more = (make(images=count).summary().power for count in (needed // 2, math.ceil(1.2 * needed)))
    assert half.sensitive["0.1"] < 0.9 <= more.sensitive["0.1"]
    (never,) = judge(make(images=10), [Rule(min_power=0.9, effect=0.05)]).findings
    assert never.estimate.endswith(
        "no number of images shows that 0.05 is above the smallest effect that matters, 0.05"
    )
    (more,) = judge(make(images=10, smallest_effect=0.099), rules).findings
    assert more.estimate.endswith(": it takes more than 1000 images")


def fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def test_a_small_p_value_is_not_told_to_be_0() -> None:
    """Beside a growth that failed stood "adjusted p 0.0000"."""
    before, after = (make(images=60, attributes=("a hat",), means=(mean,)) for mean in (0.01, 0.3))
    (growth,) = judge(after, [Rule(max_growth=0.03)], baseline=before).findings
    assert growth.outcome == "fail"
    assert growth.estimate.endswith("; adjusted p below 0.0001")


def test_of_an_unfinished_audit_nothing_is_judged() -> None:
    part = simulated(images=100, done=200)
    rules = [Rule(max_sensitivity=0.9), Rule(min_power=0.0)]
    verdict = judge(part, rules)
    assert {finding.outcome for finding in verdict.findings} == {"inconclusive"}
    assert verdict.findings[0].estimate == "the audit is not finished: 200 measurements are missing"
    (first, *_) = judge(make(images=100), [Rule(max_growth=0.9)], baseline=part).findings
    assert first.estimate == "the baseline is not finished: 200 measurements are missing"
    assert judge(simulated(images=3, done=0), rules).exit_code == 2
    assert simulated(images=6, baseline=0.1, random_images=4).missing == 0, "random directions on the first four alone"


@pytest.mark.parametrize("name", ["pale skin", "Pale Skin", "a pale face", ATTRIBUTES[1], "a face with pale skin"])
def test_attributes_go_by_what_people_call_them(name: str) -> None:
    verdict = judge(make(images=20), [Rule(max_sensitivity=0.5, attributes=[name])])
    assert [finding.attribute for finding in verdict.findings] == ["pale skin"]


def test_rules_that_cannot_be_applied_are_refused() -> None:
    audit = make(images=20)
    with pytest.raises(ConfigError, match=r"no attribute 'a hat' for the rule .* the audit has smiling, pale skin"):
        judge(audit, [Rule(max_sensitivity=0.5, attributes=["a hat"])])
    with pytest.raises(ConfigError, match="needs a baseline"):
        judge(audit, [Rule(max_growth=0.1)])
    with pytest.raises(ConfigError, match="give a rule"):
        judge(audit, [])
    with pytest.raises(AuditError, match="another generator"):
        judge(audit, [Rule(max_growth=0.1)], baseline=simulated(images=20, generator="other"))
    judge(audit, [Rule(max_sensitivity=0.1)], baseline=simulated(images=20, generator="other"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rules are tables [[rule]]"),
        ("max_sensitivity = 0.1", "rules are tables [[rule]]"),
        ("rule = [3]", "rule 1 must be a table, got 3"),
        ("[[rule]]\n", "rule 1: a rule has one of max_sensitivity, max_growth, min_power, not 0 of them"),
        ("[[rule]]\nmax_sensitivity = 0.1\nmin_power = 0.9", "not 2 of them"),
        (
            "[[rule]]\nmax-growth = 0.1\nmax_growth = 0.3",
            "rule 1: option 'max_growth' is given twice, by two spellings",
        ),
        ("[[rule]]\nmax-growth = 3", "max_growth must be in [0, 1], got 3"),
        ("[[rule]]\nmax_growth = true", "option 'max_growth' must be a number, got True"),
        ("[[rule]]\nmin_power = 0.9\nattributes = ['a hat']", "leave its attributes out"),
        ("[[rule]]\nmax_growth = 0.1\nattributes = []", "a rule for no attribute"),
        ("[[rule]]\nmax_growth = 0.1\neffect = 0.4", "effect is the one that min_power is about"),
        ("[[rule]]\nmax_growth = 0.1\n\n[[rule]]\nlimit = 3", "rule 2: unknown option 'limit'; known are max_sens"),
        ("[[rule", "is not a TOML file"),
    ],
)
def test_a_wrong_file_of_rules_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_rules(tmp_path / "gate.toml")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command_tells_by_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit, gate = str(tmp_path / "audit"), ["gate", str(tmp_path / "audit")]
    simulated(images=60, path=tmp_path / "audit")
    assert main([*gate, "--max-sensitivity", "0.6"]) == 0
    assert "PASS (4 pass)" in capsys.readouterr().out
    assert main([*gate, "--max-sensitivity", "0.2", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["outcome"] == "fail"
    assert result["findings"][3]["rule"]["max_sensitivity"] == 0.2
    assert main([*gate, "--max-growth", "0.01", "--baseline", audit]) == 2
    shown = capsys.readouterr()
    assert "INCONCLUSIVE (4 inconclusive)" in shown.out
    assert not shown.err
    assert main([*gate, "--max-sensitivity", "0.6", "--baseline", audit]) == 0
    assert "compared with nothing" in capsys.readouterr().err
    (tmp_path / "gate.toml").write_text("[[rule]]\nmax-sensitivity = 0.6\n")
    assert main([*gate, "--rules", str(tmp_path / "gate.toml"), "--min-power", "0.5"]) == 0
    assert "power at 0.2 at least 0.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["--max-sensitivity", "2"], ["--max-growth", "0.1"], ["--rules", "none.toml"]]
)
def test_what_cannot_be_judged_is_no_pass_and_no_failure(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated(images=3, path=tmp_path / "audit")
    assert main(["gate", str(tmp_path / "audit"), *arguments]) == 2
    assert main(["gate", str(tmp_path / "nothing"), "--max-sensitivity", "0.1"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_bounds_hold_for_what_was_not_seen() -> None:
    """Of audits of 30 images in which one image in fifty flips, 95 % tell a bound above that."""
    random = np.random.default_rng(0)
    drawn = (random.random((30, 200)) < 0.02).astype(float)
    low, high = mean_bounds(drawn, low=0.0, high=1.0)
    assert (high >= 0.02).mean() >= 0.95
    assert (low <= 0.02).mean() >= 0.95
    least, most = mean_bounds(-drawn, low=-1.0, high=0.0)
    assert (least <= -0.02).mean() >= 0.95
    assert (most >= -0.02).mean() >= 0.95
    assert [images_for(limit) for limit in (0.05, 0.1, 1.0, 0.0)] == [83, 40, 1, None]


def failing(before: Diagnosis, after: Diagnosis, limit: float) -> list[int]:
    """The columns that fail a rule of growth, without the rest of a verdict."""
    from zoom_engine.statistics.attribute_tests import LEVEL, adjust

    pair = Pair(before, after)
    return [column for column, p in enumerate(adjust(pair.p_above(limit), "holm")) if p < LEVEL]


@pytest.mark.parametrize(
    ("images", "runs"),
    [
        pytest.param(32, 20, marks=[pytest.mark.slow(18), pytest.mark.ci]),
        *(pytest.param(images, 100, marks=pytest.mark.experiment) for images in (32, 100)),
    ],
)
def test_a_planted_change_is_found_and_other_seeds_are_quiet(images: int, runs: int) -> None:
    """The same model on other images, trained again on the same ones, and with 0.1 more for one attribute."""
    alarms = result = again = 0
    for run in range(runs):
        before = simulated(images=images, seed=2 * run)
        alarms += bool(failing(before, simulated(images=images, seed=2 * run + 1), 0.03))
        again += bool(failing(before, simulated(images=images, seed=2 * run, model=1 + run), 0.03))
        result += failing(before, simulated(images=images, seed=2 * run, planted={1: 0.1}), 0.03) == [1]
    assert alarms <= 0.05 * runs
    assert again <= 0.05 * runs
    assert result >= 0.95 * runs


def real_audits() -> list[Diagnosis]:
    """A sound mustache classifier on the images of two seeds, and one that smiles move, on those of the first."""
    told = json.loads((Path(__file__).parent / "mustache_audits.json").read_text())
    audits = []
    for audit in told["audits"]:
        texts, changes = list(audit["changes"]), np.array(list(audit["changes"].values())).T
        config = {"mode": "single", "neutral": "a face", "attributes": texts, "images": len(changes)}
        records = [
            record(image, audit["seed"] * 100_000 + image, text, change, len(texts))
            for image, row in enumerate(changes)
            for text, change in zip(texts, row, strict=True)
        ]
        audits.append(Diagnosis(Manifest.of({**config, "target": audit["target"]}), tuple(records)))
    return audits


@pytest.mark.ci
def test_real_audits_of_one_model_are_quiet_and_a_biased_one_is_not() -> None:
    sound, again, biased = real_audits()
    assert failing(sound, again, 0.03) == failing(again, sound, 0.03) == []
    assert failing(sound, biased, 0.03) == failing(again, biased, 0.03) == [0]
    random, alarms = np.random.default_rng(0), 0
    for _ in range(8):  # halves of one audit: other images, the same model
        order = random.permutation(120)
        halves = [set(order[:60].tolist()), set(order[60:].tolist())]
        alarms += bool(failing(*(part(biased, half) for half in halves), 0.03))
    assert alarms == 0


def part(audit: Diagnosis, images: set[int]) -> Diagnosis:
    """An audit of those images alone, which has numbers of its own for them."""
    number = {image: place for place, image in enumerate(sorted(images))}
    manifest = Manifest.of({**audit.config.content, "images": len(images)})
    chosen = (record for record in audit.records if record.image in images)
    return Diagnosis(manifest, tuple(replace(record, image=number[record.image]) for record in chosen))


@pytest.mark.parametrize("colors", [False, True])
def test_findings_fit_80_columns_and_the_outcome_comes_last(colors: bool) -> None:
    names = (("a face with a very long beard " * 9).strip(), "日本語の笑顔" * 9, "x" * 90, "e\u0301" * 90)
    rules = rules_of({"max_sensitivity": 0.02, "max_growth": 0.03, "min_power": 0.5})
    audit = simulated(images=20, attributes=names, target="a\x1b[31m\nPASS")
    verdict = judge(audit, rules, baseline=audit)
    text = verdict_text(verdict, colors=colors)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert (plain != text) == colors
    assert all(line.isprintable() for line in plain.split("\n"))
    assert max(map(cell_len, plain.split("\n"))) <= 80
    assert plain.split("\n")[-1].startswith("FAIL (")
    assert re.search(r"^  .*images", plain, re.M), "why a rule is inconclusive stands below it"
