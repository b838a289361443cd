"""Sentences that must hold for an audit at any stage: what is measured, how sure it is, how many images flip."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from zoom_engine.audit.gallery_file import FrameEntry, StripEntry
from zoom_engine.audit.manifest import Edit, Manifest
from zoom_engine.audit.records import Point, Record
from zoom_engine.audit.summary import BaselineLevel, ControlLevel, Power, Sensitivity, Summary
from zoom_engine.report.first_screen import FirstScreen, first_screen
from zoom_engine.report.sentences import (
    certainty,
    edit_in_words,
    edited,
    flip_notes,
    flips,
    flips_at,
    measurement,
    strip_note,
    way,
)
from zoom_engine.report.source import Source
from zoom_engine.report.verdicts import (
    chances,
    detectable,
    how_known,
    in_units,
    is_weak,
    next_steps,
    to_settle,
    verdict_groups,
)
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.attribute_tests import attribute_tests, baseline_level
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import (
    BinaryTask,
    DetectionTask,
    EmbeddingTask,
    KeypointsTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    SegmentationTask,
    TaskView,
)

NAMES = {Attribute.parse(name): name.upper() for name in "abc"}
READING = MultiClassTask(classes=("cat", "dog", "fox")).view
CONFIG = Manifest.of({"mode": "single", "attributes": ["a"]}).config


def summary(*rows: Sensitivity) -> Summary:
    rates = dict.fromkeys(("flip_rate", "decisive_flip_rate", "label_kept", "natural", "ssim"))
    return Summary(
        mode="single", search="scan", images=1, edited_images=1, trials=1 if rows else 0, sensitivity=rows, **rates
    )


def row(attribute: str, value: float | None, ci: tuple[float, float] | None, first: float = 0.5) -> Sensitivity:
    rates = dict.fromkeys(("flip_rate", "decisive_flip_rate", "label_kept", "ssim", "mean_abs_weight"))
    known = {"attribute": Attribute.parse(attribute), "mean_change": value, "ci95": ci, "share": 0.5, "first": first}
    return Sensitivity(mode="single", images=1, **known, **rates)


def strip(before: str, after: str, **more: Any) -> StripEntry:
    shown = {"original_caption": before, "caption": after, "frames": ()}
    return StripEntry(attribute=None, seed=0, flipped=True, label_kept=None, ssim=None, **shown, **more)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (Counts(32, 9, 3, 2), "2 of 32 images flip decisively, 1 is borderline"),
        (Counts(32, 9, 1, 1), "1 of 32 images flips decisively"),
        (Counts(32, 9, 2, 0), "none of 32 images flips decisively, 2 are borderline"),
        (Counts(32, 9, 0, 0), "none of 32 images flips"),
        (Counts(0, 0, 0, 0, beyond=3), "no edit stays within what the generator draws"),
        (Counts(1, 1, 1, 1), "it flips decisively"),
        (Counts(1, 0, 1, 0), "it flips, borderline"),
        (Counts(1, 0, 0, 0), "it does not flip"),
    ],
)
def test_decisive_flips_are_counted_apart_from_borderline_ones(counts: Counts, words: str) -> None:
    assert flips(counts) == words


def test_how_sure_depends_on_overlap_and_on_resampling() -> None:
    def rows(first: float, low: float) -> Summary:
        return summary(row("a", 0.4, (low, 0.45), first), row("b", 0.3, (0.25, 0.35), 1 - first))

    assert certainty(rows(1.0, 0.36), NAMES, READING, unfinished=False).text == "Clear lead"
    assert certainty(rows(0.97, 0.34), NAMES, READING, unfinished=False).text == "Likely lead"
    verdict = certainty(rows(0.6, 0.34), NAMES, READING, unfinished=False)
    assert verdict.text == "No clear lead"
    assert "60 of 100" in verdict.sentence
    assert "“B” with 0.30 [0.25, 0.35]" in verdict.sentence


def test_an_unfinished_audit_has_no_clear_lead() -> None:
    half = summary(row("a", 0.4, (0.36, 0.45), 1.0), row("b", 0.3, (0.25, 0.35), 0.0), row("c", None, None))
    verdict = certainty(half, NAMES, READING, unfinished=True)
    assert verdict.text == "Not finished"
    assert verdict.sentence.startswith("So far: “A” comes first")
    assert "1 of 3 attributes is not measured yet" in verdict.sentence


@pytest.mark.parametrize(
    ("rows", "verdict", "sentence"),
    [
        ((), "Not measured", "no measurement"),
        ((row("a", 0.4, None), row("b", 0.3, None)), "One image", "With one image"),
        ((row("a", 0.4, (0.3, 0.5)),), "One attribute", "“A” is the only attribute"),
    ],
)
def test_what_cannot_be_compared_is_called_what_it_is(rows: tuple[Any, ...], verdict: str, sentence: str) -> None:
    result = certainty(summary(*rows), NAMES, READING, unfinished=False)
    assert result.text == verdict
    assert sentence in result.sentence


@pytest.mark.parametrize(
    ("kind", "tag", "sentence"),
    [
        ("typical", "Typical", "The median change of 32 images; 9 of them change by 0.1 or more; 2 of 32"),
        ("flip", "Decisive flip", "2 of 32 images flip decisively in this direction"),
        ("extreme", "Most extreme of 32", "The largest change of 32 images; 2 of 32"),
        ("clearest", "Clearest of 2 flips", "2 of 32 images flip decisively; in this one the output moves furthest."),
        (None, "Example", "Chosen for a large change, not as typical; 2 of 32"),
    ],
)
def test_a_picture_says_for_how_many_images_it_stands(kind: str | None, tag: str, sentence: str) -> None:
    shown = strip("dog 0.8", "fox 0.6", **({"kind": kind, "direction": (1, 2), "decisive": True} if kind else {}))
    result = strip_note(shown, Counts(32, 9, 2, 2), 2, READING, least=0.1)
    assert result.tag == tag
    assert result.sentence.startswith(sentence)
    assert result.outcome == f"dog 0.8 → fox 0.6, {'decisive flip from “dog” to “fox”' if kind else 'flip'}"


@pytest.mark.parametrize(
    ("kind", "alike", "sentence"),
    [
        ("typical", 2, "The median change of 32 images; 9 of them change by 0.1 or more."),
        ("flip", 2, "One from the middle of those that flip so."),
        ("flip", 1, "1 of 32 images flips decisively in this direction: this one."),
        ("extreme", 2, "The largest change of 32 images."),
        ("clearest", 2, "In this one the output moves furthest."),
        (None, 2, "Chosen for a large change, not as typical."),
    ],
)
def test_a_picture_does_not_say_again_how_many_images_flip(kind: str | None, alike: int, sentence: str) -> None:
    shown = strip("dog 0.8", "fox 0.6", **({"kind": kind, "direction": (1, 2), "decisive": True} if kind else {}))
    result = strip_note(shown, Counts(32, 9, 2, 2), alike, READING, least=0.1, flips_said=True)
    assert result.sentence == sentence


@pytest.mark.parametrize(
    ("moved", "words"), [(0, "none of them changes"), (1, "1 of them changes"), (9, "9 of them change")]
)
def test_how_many_change_is_said_in_the_singular_of_one(moved: int, words: str) -> None:
    result = strip_note(strip("0.1", "0.2", kind="typical"), Counts(32, moved, 0, 0), 0, READING, least=0.1)
    assert f"The median change of 32 images; {words} by 0.1 or more; none of 32 images flips." == result.sentence


def test_attributes_are_grouped_by_their_verdict_and_its_reason() -> None:
    rows = [
        dataclasses.replace(row("a", 0.4, (0.3, 0.5)), verdict="sensitive", specificity="unspecific", as_far=3),
        dataclasses.replace(row("b", 0.2, (0.1, 0.3)), verdict="sensitive", specificity="specific", p_adjusted=0.01),
    ]
    groups = verdict_groups(summary(*rows), CONFIG, NAMES, READING, unfinished=False)
    assert [group.title for group in groups] == ["Sensitive, specific", "Sensitive, unspecific"]
    many = dataclasses.replace(summary(UNKNOWN), baseline=dataclasses.replace(RANDOM, directions=1000))
    (unknown,) = verdict_groups(many, CONFIG, NAMES, READING, unfinished=False)
    told = "these random edits do not tell whether any edit of this size does the same"
    assert unknown.meaning == f"a mean effect above 0.05 is shown, but {told}"  # of so many none are too few


@pytest.mark.parametrize(
    ("why", "title"),
    [
        ({"verdict": "inconclusive", "unmoved": True}, "Nothing moves"),
        ({"verdict": "inconclusive", "faint": True}, "Hardly drawn"),
        ({"verdict": "negligible"}, "Negligible"),
    ],
)
def test_what_could_not_be_seen_is_not_said_to_be_ruled_out(why: dict[str, Any], title: str) -> None:
    """The headline called it inconclusive, and below stood that all is negligible and effects are ruled out."""
    result = summary(dataclasses.replace(row("a", 0.001, (0.0, 0.04)), **why))
    (group,) = verdict_groups(result, CONFIG, NAMES, READING, unfinished=False)
    verdict = certainty(result, NAMES, READING, unfinished=False)
    assert group.title == title
    assert verdict.text == ("All negligible" if title == "Negligible" else "1 of 1 inconclusive")
    assert first_screen(result, CONFIG, NAMES, ALL, READING).kind == group.verdict


def test_no_number_of_images_settles_what_a_model_that_nothing_moves_would_do() -> None:
    still = dataclasses.replace(row("a", 0.0, (0.0, 0.3)), verdict="inconclusive", unmoved=True)
    result = dataclasses.replace(summary(still), images=12, power=POWER)
    assert "images" not in " ".join(next_steps(result, CONFIG, NAMES, unfinished=False))


def test_not_all_are_negligible_where_some_were_not_edited() -> None:
    negligible = dataclasses.replace(row("a", 0.001, (0.0, 0.04)), verdict="negligible")
    result = dataclasses.replace(summary(negligible, row("b", None, None)), edits="pairs")
    assert certainty(result, NAMES, READING, unfinished=False).text == "1 of 2 negligible"


@pytest.mark.parametrize(
    ("ci95", "unfinished", "why"),
    [
        ((0.03, 0.5), False, "no interval lies above or below 0.05: more images are needed"),
        (None, False, "no interval lies above or below 0.05: more images are needed"),
        ((0.3, 0.5), True, "nothing is judged before the audit is finished"),
    ],
)
def test_why_an_attribute_is_inconclusive_is_true_of_its_interval(
    ci95: tuple[float, float] | None, unfinished: bool, why: str
) -> None:
    """Intervals were said to contain what they lay above, in an unfinished audit, and where there were none."""
    result = summary(dataclasses.replace(row("a", 0.4, ci95), verdict="inconclusive"))
    (group,) = verdict_groups(result, CONFIG, NAMES, READING, unfinished=unfinished)
    assert (group.title, group.meaning) == ("Inconclusive", why)


def test_of_an_unfinished_audit_nothing_is_told_but_that_it_goes_on() -> None:
    """What was not measured yet was never edited, and of a large effect none was shown and more images told no more."""
    lost = dataclasses.replace(row("a", 0.4, (0.3, 0.5)), verdict="inconclusive", label_kept=0.3)
    unseen = dataclasses.replace(row("b", 0.4, (0.3, 0.5)), verdict="inconclusive", edit_score=0.0)
    result = dataclasses.replace(summary(lost, unseen, row("c", None, None)), edits="pairs")
    groups = [verdict_groups(result, CONFIG, NAMES, READING, unfinished=unfinished) for unfinished in (False, True)]
    assert [group.title for group in groups[0]] == ["Not edited", "Edit not seen", "Label lost"]
    assert [(group.title, group.names) for group in groups[1]] == [("Inconclusive", ("A", "B"))]


@pytest.mark.parametrize(
    ("mean", "ci95", "told"),
    [(0.06, (0.04, 0.08), False), (0.06, (0.051, 0.07), True), (0.06, None, False), (0.03, (0.02, 0.04), False)],
)
def test_something_that_no_attribute_names_moves_a_model_where_the_interval_of_random_edits_lies_above_what_matters(
    mean: float, ci95: tuple[float, float] | None, told: bool
) -> None:
    level = BaselineLevel(
        directions=32,
        mean_change=mean,
        ci95=ci95,
        strongest=0.2,
        specific_from=0.15,
        smallest_effect=0.05,
        correction="holm",
    )
    summarised = dataclasses.replace(summary(row("a", 0.2, (0.1, 0.3))), baseline=level)
    assert ("something that no attribute names moves this model" in how_known(summarised, READING)) == told
    steps = " ".join(next_steps(summarised, CONFIG, NAMES, unfinished=False))
    assert ("zoom-engine discover" in steps) == told


def test_an_effect_is_told_from_random_edits_if_images_agree_on_it() -> None:
    """Of two effects of 0.2 the one that five of 24 images make is unknown, where 0.18 was said to be told."""
    random = np.random.default_rng(0)
    means = 0.1 * np.exp(0.3 * random.normal(size=16))
    edits = means * random.uniform(0.8, 1.2, (24, 16))
    few = np.where(np.arange(24) < 5, 0.98, 0.0)
    changes = np.stack([few, np.full(24, few.mean())], axis=1)
    level = baseline_level(edits, 0.05, "holm", attributes=2, images=24)
    assert level is not None
    assert level.specific_from < few.mean()
    assert [one.specificity for one in attribute_tests(changes, edits, 0.05, "holm")] == ["unknown", "specific"]
    told = how_known(dataclasses.replace(summary(), baseline=level), READING)
    assert told.endswith(
        "is told from what they do if images agree on it. That is much: something that no attribute"
        " names moves this model. zoom-engine discover looks for it."
    )


def test_controls_of_other_strengths_are_named_where_an_effect_is_not_told_from_them() -> None:
    rows = [judged("a", "sensitive", specificity="unknown", strengths_differ=True)]
    rows += [judged("b", "sensitive", specificity="unknown")]
    result = dataclasses.replace(summary(*rows), edits="pairs", baseline=RANDOM)
    assert "if images agree on it and its edits have no more strengths than the controls’." in how_known(
        result, READING
    )
    steps = next_steps(result, CONFIG, NAMES, unfinished=False)
    assert "Controls of as many strengths may tell “A” from any edit." in steps
    assert "More controls may tell “B” from any edit." in steps


def settling(*counts: int | None, tried: int = 32) -> list[Sensitivity]:
    """Inconclusive attributes with the numbers of images that would settle them, each tried on so many."""
    return [
        dataclasses.replace(row(name, 0.03, (0.01, 0.2)), verdict="inconclusive", images=tried, images_to_settle=count)
        for name, count in zip("abc", counts, strict=False)
    ]


def test_the_next_step_says_how_many_images_would_settle_what_is_inconclusive() -> None:
    def told(*counts: int | None) -> str:
        return " ".join(to_settle(dataclasses.replace(summary(*settling(*counts)), images=32), CONFIG, NAMES))

    run, likely = "Run zoom-engine diagnose … --images", "with a chance of 80 % or more."
    near = "too near to the smallest effect that matters for 1000 images to settle."
    assert told(119, 123, 64) == f"{run} 130: that would settle all inconclusive attributes {likely}"
    assert told(900, 119, 64) == f"{run} 900: that would settle all inconclusive attributes {likely}"
    assert told(119, 64) == f"{run} 120: that would settle both inconclusive attributes {likely}"
    assert told(119) == f"{run} 120: that would settle “A” {likely}"
    assert told(119, None, 64) == (
        f"{run} 120: that would settle 2 of 3 inconclusive attributes {likely} “B” seems {near}"
    )
    assert told(119, None) == f"{run} 120: that would settle 1 of 2 inconclusive attributes {likely} “B” seems {near}"
    assert told(None) == f"“A” seems {near}"
    assert told(None, None) == f"“A” and “B” seem {near}"


@pytest.mark.parametrize(
    ("seconds", "planned", "option"),
    [
        (None, None, "--images 120"),
        (10.0, None, "--images 120 (about 44 minutes here)"),  # of all three attributes
        (0.1, None, "--images 120 (about 30 seconds here)"),
        (None, [24, 32], "--most-images 120"),
        (10.0, [24, 32], "--most-images 120 (about 29 minutes here)"),  # of the two that are not settled
    ],
)
def test_the_command_that_settles_says_how_long_it_takes_where_that_is_known(
    seconds: float | None, planned: list[int] | None, option: str
) -> None:
    config = Manifest.of({"mode": "single", "attributes": ["a", "b", "c"], "interim_analyses": planned}).config
    negligible = dataclasses.replace(row("c", 0.01, (0.0, 0.04)), verdict="negligible", images=24)
    result = dataclasses.replace(summary(*settling(119, 64), negligible), images=32, trial_seconds=seconds)
    assert [*to_settle(result, config, NAMES)] == [
        f"Run zoom-engine diagnose … {option}: that would settle both inconclusive attributes with a chance of 80 % or"
        " more."
    ]


def test_the_time_to_settle_is_that_of_all_attributes_that_continue() -> None:
    """An attribute that is too near to what matters takes every further image too."""
    config = Manifest.of({"mode": "single", "attributes": ["a", "b"], "interim_analyses": [24, 32]}).config
    result = dataclasses.replace(summary(*settling(119, None)), images=32, trial_seconds=10.0)
    assert "--most-images 120 (about 29 minutes here)" in next(to_settle(result, config, NAMES))


def test_no_command_is_told_that_a_run_would_refuse_or_that_would_change_nothing() -> None:
    """An attribute whose interval is as narrow as asked for has stopped, whatever the largest number of images is."""
    plan = {"interim_analyses": [24, 32, 40], "width": 0.2}
    config = Manifest.of({"mode": "single", "attributes": ["a"], **plan}).config
    result = dataclasses.replace(summary(*settling(30, tried=24)), images=24)
    assert "--most-images 30" not in " ".join(to_settle(result, config, NAMES))


def test_more_photographs_settle_what_is_inconclusive_of_photographs() -> None:
    config = Manifest.of({"mode": "single", "attributes": ["a"], "images": 2, "audited": ["0.jpg", "1.jpg"]}).config
    result = dataclasses.replace(summary(*settling(119, tried=2)), images=2, trial_seconds=10.0)
    assert [*to_settle(result, config, NAMES)] == ["120 photographs would settle “A” with a chance of 80 % or more."]


def test_of_edits_from_elsewhere_an_attribute_of_one_image_is_not_near_to_what_matters() -> None:
    rows = (dataclasses.replace(judged("a", "inconclusive", 0.03), images_to_settle=24), also(ALONE, "b"))
    assert [*to_settle(dataclasses.replace(summary(*rows), images=100, edits="pairs"), CONFIG, NAMES)] == [
        "24 images with such an edit would settle “A” with a chance of 80 % or more.",
        "More images give “B” an interval.",
    ]


def test_a_flip_of_at_least_half_of_the_images_is_called_typical() -> None:
    shown = strip("0.01", "0.94", kind="flip", direction=(1, 2), decisive=True)
    for decisive, alike, tag in (
        (20, 20, "Typical flip"),
        (20, 10, "Typical flip"),
        (20, 9, "Decisive flip"),
        (15, 15, "Decisive flip"),
    ):
        assert strip_note(shown, Counts(32, 20, 20, decisive), alike, READING, least=0.1).tag == tag


def test_an_outlier_is_called_the_most_extreme_though_it_flips_decisively() -> None:
    shown = strip("0.01", "0.94", kind="flip", extreme=True)
    assert strip_note(shown, Counts(32, 1, 1, 1), 1, READING, least=0.1).tag == "Most extreme of 32"


def leading(*seen: tuple[bool, bool | None], flip: float | None = None, attribute: str | None = "a") -> StripEntry:
    """A strip of pictures that are (flipped, label kept), one unit of edit weight apart."""
    frames = tuple(
        FrameEntry(
            file="",
            weight=None if attribute is None else float(step),
            caption="",
            followed=0.0,
            flipped=flipped,
            label_kept=keeps,
        )
        for step, (flipped, keeps) in enumerate(seen)
    )
    parsed = None if attribute is None else Attribute.parse(attribute)
    return dataclasses.replace(strip("0.1", "0.9"), attribute=parsed, frames=frames, flip_weight=flip)


STAYS, FLIPS, LOST = (False, True), (True, None), (True, False)


@pytest.mark.parametrize(
    ("shown", "share", "words", "notes"),
    [
        (
            leading(STAYS, FLIPS, FLIPS, FLIPS, FLIPS, flip=1.0),
            0.25,
            "The prediction flips at weight +1, 25 % of the way to +4, the end of this image’s range.",
            ["", "flips here", "flipped", "flipped", "flipped"],
        ),
        (
            leading(STAYS, FLIPS, STAYS, flip=1.0),
            0.5,
            "The prediction flips at weight +1, 50 % of the way to +2, the end of this image’s range; there it has"
            " flipped back.",
            ["", "flips here", ""],
        ),
        (
            leading(STAYS, FLIPS, LOST, flip=1.0),
            0.5,
            "The prediction flips at weight +1, 50 % of the way to +2, the end of this image’s range; there the label"
            " is not kept.",
            ["", "flips here", "label not kept"],
        ),
        (
            leading(STAYS, STAYS),
            None,
            "The prediction does not flip on the way to weight +1, an end of this image’s range.",
            ["", ""],
        ),
        (
            leading(STAYS, LOST),
            None,
            "The prediction flips only where that does not count, as the label is not kept there.",
            ["", "label not kept"],
        ),
        (
            leading(STAYS, FLIPS, STAYS),
            None,
            "The prediction flips and is back between two weights that the search tried, which does not count.",
            ["", "flipped", ""],
        ),
        (
            leading(STAYS, STAYS, FLIPS, FLIPS, FLIPS, attribute=None),
            0.5,
            "The prediction flips between 25 % and 50 % of the way.",
            ["", "", "flipped", "flipped", "flipped"],
        ),
        (leading(STAYS, STAYS, attribute=None), None, "The prediction does not flip on the way.", ["", ""]),
    ],
)
def test_a_strip_says_where_on_its_way_the_prediction_flips(
    shown: StripEntry, share: float | None, words: str, notes: list[str]
) -> None:
    assert (flips_at(shown), way(shown), flip_notes(shown)) == (share, words, notes)


def test_a_strip_says_nothing_of_the_other_side_of_0_where_the_prediction_may_flip() -> None:
    """An image that a weight of -30 flips was said not to flip anywhere in its range, beside its pictures up to +30."""
    shown = leading(STAYS, STAYS)
    assert way(shown) == "The prediction does not flip on the way to weight +1, an end of this image’s range."
    told = way(shown, Edit(name="tilt", strengths=(-1.0, 1.0), unit="°"))
    assert told == "The prediction does not flip at any strength of this image’s edits from 0 to +1°."


def test_strips_of_older_audits_do_not_say_where_they_flip() -> None:
    older = dataclasses.replace(strip("0.1", "0.9"), frames=(FrameEntry(file="", weight=2.0, caption="0.9"),))
    assert (way(older), flips_at(older), flip_notes(older)) == ("", None, [""])


ALL = {None: Counts(32, 20, 6, 5), **{attribute: Counts(32, 20, 6, 5) for attribute in NAMES}}
RANDOM = BaselineLevel(
    directions=32,
    mean_change=0.03,
    ci95=(0.02, 0.04),
    strongest=0.2,
    specific_from=0.15,
    smallest_effect=0.05,
    correction="holm",
)
CONTROL = ControlLevel(images=32, mean_change=0.4, ci95=None, prompts={"the face": 0.4})
POWER = Power({"0.05": 0.01, "0.1": 0.34, "0.2": 0.97, "0.4": 1.0}, None, 0.143)
BLIND = Power({"0.05": 0.0, "0.1": 0.0, "0.2": 0.0, "0.4": 0.0}, None, None)


def judged(name: str, verdict: Any, value: float | None = 0.4, **more: Any) -> Sensitivity:
    """A row with its verdict, and by default an interval around its value."""
    ends = None if value is None else (round(0.8 * value, 3), round(1.2 * value, 3))
    return dataclasses.replace(row(name, value, ends), verdict=verdict, **{"images": 32, "label_kept": 1.0, **more})


def seen(
    *rows: Sensitivity,
    view: TaskView | None = None,
    counts: dict[Any, Counts] | None = None,
    progress: str | None = None,
    **about: Any,
) -> FirstScreen:
    """The first screen of 32 images with random edits."""
    config = {"mode": about.get("mode", "single"), "attributes": [one.attribute.text for one in rows] or ["a"]}
    known = {"images": 32, "trials": 32 * len(rows), "label_kept": 1.0, "baseline": RANDOM, "power": POWER} | about
    known = {"edited_images": known["images"], **known}
    result = dataclasses.replace(summary(*rows), **known)
    names = {one.attribute: NAMES[one.attribute] for one in rows} or {Attribute.parse("a"): "A"}
    return first_screen(
        result,
        Manifest.of(config).config,
        names,
        ALL | (counts or {}),
        view or BinaryTask(classes=("no", "yes")).view,
        progress=progress,
    )


SPECIFIC = judged("a", "sensitive", specificity="specific", as_far=0)
ANY = judged("a", "sensitive", specificity="unspecific", as_far=7)
UNKNOWN = judged("a", "sensitive", specificity="unknown", as_far=2)
WITHOUT = judged("a", "sensitive")
OPEN = judged("a", "inconclusive", 0.02)
SETTLES = dataclasses.replace(OPEN, images_to_settle=118)
ALONE = dataclasses.replace(OPEN, ci95=None, images=1)
NOTHING = judged("a", "negligible", 0.01)
LOST = judged("a", "inconclusive", 0.01, label_kept=0.3)
STILL = judged("a", "inconclusive", 0.0, unmoved=True)
FAINT = judged("a", "inconclusive", 0.01, faint=True)
FAR = dataclasses.replace(RANDOM, mean_change=0.2, ci95=(0.1, 0.3))
A, ONE, NONE = Attribute.parse("a"), Counts(1, 1, 1, 1), Counts(32, 0, 0, 0)
AGE = RegressionTask(range=(0, 80), unit="years").view


def also(one: Sensitivity, name: str) -> Sensitivity:
    return dataclasses.replace(one, attribute=Attribute.parse(name))


def moved(name: str, share: float | None, first: float = 1.0) -> Sensitivity:
    """A row of an audit that edits all attributes together."""
    ends = None if share is None else (round(0.8 * share, 3), round(1.2 * share, 3))
    plain = row(name, None, None, first)
    return dataclasses.replace(plain, mode="multi", range_share=share, range_share_ci95=ends)


def together(*rows: Sensitivity, counts: Counts = ALL[None], **about: Any) -> FirstScreen:
    """The first screen of an audit that edits all attributes together."""
    rate = counts.decisive / max(1, counts.images)
    known = {"images": counts.images, "trials": counts.images, "decisive_flip_rate": rate} | about
    return seen(*rows, mode="multi", baseline=None, power=None, counts={None: counts}, **known)


@pytest.mark.parametrize(
    ("screen", "told"),
    [
        (seen(SPECIFIC, also(OPEN, "b")), True),
        (seen(SPECIFIC, counts={A: NONE}), True),
        (seen(OPEN), True),
        (seen(OPEN, counts={None: NONE}), False),
        (seen(OPEN, also(OPEN, "b")), False),  # some edit of any attribute
        (seen(SPECIFIC, progress="3 of 9 measurements"), False),
        (together(moved("a", 0.4)), True),
        (together(moved("a", None), counts=Counts(32, 9, 1, 0)), True),
        (together(moved("a", None), counts=NONE), False),
    ],
)
def test_whether_the_flips_of_what_leads_are_told_is_known(screen: FirstScreen, told: bool) -> None:
    assert screen.tells_flips == told


def test_a_headline_shows_on_which_side_of_what_matters_an_interval_lies() -> None:
    """An effect of 0.06 [0.05, 0.08] was sensitive, whose interval is said to lie above 0.05."""
    near = dataclasses.replace(SPECIFIC, mean_change=0.06, ci95=(0.0504, 0.08))
    assert seen(near).headline == "Sensitive to A (0.06 [0.0504, 0.08])"
    below = dataclasses.replace(NOTHING, ci95=(0.008, 0.0496))
    assert "Largest shift 0.01 [0.01, 0.0496] (A)" in seen(below, also(below, "b")).certainty


def test_what_is_no_noun_is_quoted_in_a_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMES, Attribute.parse("a"), "in the snow")
    assert seen(SPECIFIC).headline == "Sensitive to “in the snow” (0.40 [0.32, 0.48])"


@pytest.mark.parametrize(
    ("is_said", "sentence"),
    [(False, "1 of 32 images flips decisively."), (True, "No other image flips decisively.")],
)
def test_one_flip_is_the_only_one(is_said: bool, sentence: str) -> None:
    shown = strip("dog 0.8", "fox 0.6", kind="clearest", direction=(1, 2), decisive=True)
    result = strip_note(shown, Counts(32, 9, 1, 1), 1, READING, least=0.1, flips_said=is_said)
    assert result.tag == "The only flip"
    borderline = strip_note(shown, Counts(32, 9, 2, 1), 1, READING, least=0.1, flips_said=is_said)
    assert borderline.tag == "The only decisive flip"
    assert result.sentence == sentence


EACH_HEADLINE = {
    "sensitive": (seen(SPECIFIC), "Sensitive to A (0.40 [0.32, 0.48])"),
    "two": (
        seen(SPECIFIC, also(judged("b", "sensitive", 0.2, specificity="specific"), "b")),
        "Sensitive to A (0.40 [0.32, 0.48]) and B (0.20 [0.16, 0.24])",
    ),
    "three": (
        seen(SPECIFIC, also(SPECIFIC, "b"), also(SPECIFIC, "c")),
        "Sensitive to A (0.40 [0.32, 0.48]), B (0.40 [0.32, 0.48]) and 1 more",
    ),
    "what any edit does is left to the next line": (
        seen(SPECIFIC, also(ANY, "b")),
        "Sensitive to A (0.40 [0.32, 0.48])",
    ),
    "specific before larger": (
        seen(
            dataclasses.replace(ANY, mean_change=0.6), also(judged("b", "sensitive", 0.2, specificity="specific"), "b")
        ),
        "Sensitive to B (0.20 [0.16, 0.24])",
    ),
    "any edit": (
        seen(ANY),
        "Reacts to any change: A moves it by 0.40 [0.32, 0.48], random edits by up to 0.20",
    ),
    "any control": (
        seen(ANY, edits="pairs"),
        "Reacts to any change: A moves it by 0.40 [0.32, 0.48], controls by up to 0.20",
    ),
    "one unknown, one any edit's": (
        seen(UNKNOWN, also(ANY, "b")),
        "Reacts to any change: A moves it by 0.40 [0.32, 0.48], random edits by up to 0.20",
    ),
    "unknown": (seen(UNKNOWN), "Sensitive to A (0.40 [0.32, 0.48])"),
    "without random edits": (seen(WITHOUT, baseline=None), "Sensitive to A (0.40 [0.32, 0.48])"),
    "in years": (seen(SPECIFIC, view=AGE), "Sensitive to A (32.0 [25.6, 38.4] years, 0.40 of the range)"),
    "two in years": (
        seen(SPECIFIC, also(SPECIFIC, "b"), view=AGE),
        "Sensitive to A (32.0 [25.6, 38.4] years, 0.40 of the range) and B (32.0 [25.6, 38.4])",
    ),
    "negligible": (seen(NOTHING), "Not sensitive to A: it moves the output by less than 0.05"),
    "all negligible": (
        seen(NOTHING, also(NOTHING, "b")),
        "None of 2 attributes moves the output by 0.05 or more",
    ),
    "one negligible in years": (
        seen(NOTHING, view=AGE),
        "Not sensitive to A: it moves the output by less than 4.0 years (0.05 of the range)",
    ),
    "negligible in years": (
        seen(NOTHING, also(NOTHING, "b"), view=AGE),
        "None of 2 attributes moves the output by 4.0 years (0.05 of the range) or more",
    ),
    "random edits matter": (
        seen(NOTHING, also(NOTHING, "b"), baseline=FAR),
        "Reacts to other changes: random edits move it by 0.20 [0.10, 0.30], none of 2 attributes by 0.05 or more",
    ),
    "random edits matter, the attribute not": (
        seen(NOTHING, baseline=FAR),
        "Reacts to other changes: random edits move it by 0.20 [0.10, 0.30], the attribute by less than 0.05",
    ),
    "some inconclusive": (
        seen(NOTHING, also(NOTHING, "b"), also(SETTLES, "c")),
        "2 of 3 attributes are negligible, 1 inconclusive: about 120 images would settle it",
    ),
    "some too near": (
        seen(NOTHING, also(NOTHING, "b"), also(OPEN, "c")),
        "2 of 3 attributes are negligible, 1 inconclusive: too near to 0.05",
    ),
    "most inconclusive": (
        seen(SETTLES, also(SETTLES, "b"), also(NOTHING, "c")),
        "Inconclusive for 2 of 3 attributes: about 120 images would settle them",
    ),
    "most inconclusive, one needs more": (
        seen(SETTLES, also(dataclasses.replace(OPEN, images_to_settle=891), "b"), also(NOTHING, "c")),
        "Inconclusive for 2 of 3 attributes: about 900 images would settle them",
    ),
    "most inconclusive, one too near": (
        seen(SETTLES, also(OPEN, "b"), also(NOTHING, "c")),
        "Inconclusive for 2 of 3 attributes: about 120 images would settle some",
    ),
    "most too near": (
        seen(OPEN, also(OPEN, "b"), also(NOTHING, "c")),
        "Inconclusive for 2 of 3 attributes: too near to 0.05",
    ),
    "inconclusive": (seen(SETTLES), "Inconclusive: about 120 images would settle it"),
    "both inconclusive": (
        seen(SETTLES, also(SETTLES, "b")),
        "Inconclusive: about 120 images would settle them",
    ),
    "too near": (seen(OPEN), "Inconclusive: too near to 0.05"),
    "too near in years": (seen(OPEN, view=AGE), "Inconclusive: too near to 4.0 years (0.05 of the range)"),
    "blind": (seen(SETTLES, power=BLIND), "Inconclusive: about 120 images would settle it"),
    "blind and too near": (seen(OPEN, power=BLIND), "Inconclusive: too near to 0.05"),
    "one image": (seen(OPEN, power=None, images=1), "Inconclusive: one image says nothing of others"),
    "few images": (seen(ALONE, power=None), "Inconclusive: too few images of each attribute"),
    "few of some": (seen(OPEN, also(ALONE, "b"), power=None), "Inconclusive: too few images of some attributes"),
    "few of some, the rest negligible": (
        seen(ALONE, also(ALONE, "b"), also(NOTHING, "c"), power=None),
        "Inconclusive for 2 of 3 attributes: too few images of some attributes",
    ),
    "few of some, the rest can be settled": (
        seen(SETTLES, also(ALONE, "b"), power=None),
        "Inconclusive: about 120 images would settle some",
    ),
    "labels lost": (seen(LOST), "Inconclusive: edits seldom keep the label"),
    "labels lost of one": (
        seen(NOTHING, also(NOTHING, "b"), also(LOST, "c")),
        "2 of 3 attributes are negligible, 1 inconclusive: edits seldom keep the label",
    ),
    "faint": (seen(FAINT), "Inconclusive: the generator hardly draws what was asked"),
    "never moves": (
        seen(STILL, baseline=dataclasses.replace(RANDOM, mean_change=0.0, strongest=0.0)),
        "Inconclusive: no edit moved the output at all",
    ),
    "moves under random edits alone": (
        seen(judged("a", "negligible", 0.0)),
        "Not sensitive to A: it moves the output by less than 0.05",
    ),
    "half not edited": (
        seen(NOTHING, also(judged("b", None, None), "b"), edits="pairs"),
        "1 of 2 attributes is negligible, 1 inconclusive: pictures were not edited",
    ),
    "most not edited": (
        seen(NOTHING, also(judged("b", None, None), "b"), also(judged("b", None, None), "c"), edits="pairs"),
        "Inconclusive for 2 of 3 attributes: pictures were not edited",
    ),
    "none edited": (seen(judged("a", None, None), edits="pairs"), "Inconclusive: no picture was edited"),
    "nothing measured": (seen(judged("a", None, None), trials=0), "Inconclusive: nothing was measured"),
    "unfinished": (seen(SPECIFIC, progress="3 of 9 measurements"), "Not finished: 3 of 9 measurements done"),
    "together": (
        together(moved("a", 0.4), moved("b", 0.1, 0.0)),
        "5 of 32 images flip decisively when all attributes are edited together; most moved: A",
    ),
    "together, two lead": (
        together(moved("a", 0.4, 0.6), moved("b", 0.3, 0.4)),
        "5 of 32 images flip decisively when all attributes are edited together; most moved: A and B",
    ),
    "together, how far is not known": (
        together(moved("a", None), moved("b", None)),
        "5 of 32 images flip decisively when all attributes are edited together",
    ),
    "together, one flips": (
        together(moved("a", 0.4), moved("b", 0.1), counts=Counts(32, 9, 1, 1)),
        "1 of 32 images flips decisively when all attributes are edited together; most moved: A",
    ),
    "together, the only image flips": (
        together(moved("a", 0.4), moved("b", 0.1), counts=Counts(1, 1, 1, 1)),
        "The one image flips decisively when all attributes are edited together; most moved: A",
    ),
    "together, of one attribute": (
        together(moved("a", 0.4)),
        "5 of 32 images flip decisively when A is edited",
    ),
    "together, none flips": (
        together(moved("a", None), moved("b", None), counts=Counts(32, 9, 1, 0)),
        "No decisive flip found in 32 images when all attributes are edited together",
    ),
    "together, the only image does not flip": (
        together(moved("a", None), moved("b", None), counts=Counts(1, 0, 0, 0)),
        "No decisive flip found in the one image when all attributes are edited together",
    ),
    "together, beyond the generator": (
        together(moved("a", None), moved("b", None), counts=Counts(0, 0, 0, 0, beyond=32), trials=32),
        "Inconclusive: no edit stays within what the generator draws",
    ),
    "together, nothing measured": (
        together(moved("a", None), moved("b", None), counts=Counts(0, 0, 0, 0)),
        "Inconclusive: nothing was measured",
    ),
}
"""Of each pair of neighbours one fact is another, and so is the headline where that fact makes it false."""


@pytest.mark.parametrize("case", EACH_HEADLINE)
def test_a_headline_says_what_the_records_show_and_no_more(case: str) -> None:
    screen, headline = EACH_HEADLINE[case]
    assert screen.headline == headline
    denies = headline.startswith(("None of", "Not sensitive to"))
    assert (screen.kind == "negligible") == denies
    few_open = r"\d+ of \d+ attributes (is|are) negligible, \d+ inconclusive: "
    leaves_open = re.match(f"Inconclusive|No decisive|{few_open}", headline)
    assert (screen.kind == "inconclusive") == bool(leaves_open)
    assert (screen.kind == "unfinished") == headline.startswith("Not finished")


@pytest.mark.parametrize(
    "hidden",
    [
        {"verdict": "inconclusive"},
        {"mean_change": None, "ci95": None, "verdict": None},
        {"label_kept": 0.0, "verdict": "inconclusive"},
    ],
    ids=lambda hidden: "-".join(hidden),
)
def test_an_audit_that_could_not_see_is_not_told_as_one_that_found_nothing(hidden: dict[str, Any]) -> None:
    """Whatever hides one of three attributes, the headline does not deny all of them."""
    for count in (1, 2, 3):
        rows = [
            dataclasses.replace(also(NOTHING, name), **(hidden if place < count else {}))
            for place, name in enumerate("abc")
        ]
        for about in ({}, {"baseline": None}, {"power": None}, {"baseline": FAR}, {"label_kept": None}):
            screen = seen(*rows, **about)
            assert screen.kind == "inconclusive", (count, about, screen.headline)
            assert not screen.headline.startswith(("None of", "Not sensitive to"))
            assert "moves the output" not in screen.headline


EACH_CERTAINTY = {
    "flips": (seen(SPECIFIC), "5 of 32 images flip decisively, 1 is borderline.", seen(SPECIFIC, counts={A: NONE})),
    "does not flip": (seen(SPECIFIC, counts={A: NONE}), "None of 32 images flips.", seen(SPECIFIC)),
    "of the first": (seen(SPECIFIC, also(SPECIFIC, "b")), "A: 5 of 32 images", seen(SPECIFIC)),
    "specific": (seen(SPECIFIC), "None of 32 random edits of this size moves the output as far.", seen(ANY)),
    "specific beside controls": (
        seen(SPECIFIC, edits="pairs"),
        "None of 32 controls moves the output as far.",
        seen(SPECIFIC),
    ),
    "unspecific": (seen(ANY), "7 of 32 random edits of this size move the output as far.", seen(SPECIFIC)),
    "unknown": (seen(UNKNOWN), "Whether any edit does as much is unknown: 2 of 32 random edits do.", seen(SPECIFIC)),
    "without random edits": (
        seen(WITHOUT, baseline=None),
        "No random edits were tried: any other edit may do as much.",
        seen(SPECIFIC),
    ),
    "without controls": (
        seen(WITHOUT, baseline=None, edits="pairs"),
        "There is no edited control to compare with: any other edit may do as much.",
        seen(WITHOUT, baseline=None),
    ),
    "control prompt": (
        seen(SPECIFIC, control_prompts=CONTROL),
        "A meaningless control prompt moves the output as far (0.40).",
        seen(dataclasses.replace(SPECIFIC, mean_change=0.5), control_prompts=CONTROL),
    ),
    "others open": (seen(SPECIFIC, also(OPEN, "b")), "Other attributes: 1 inconclusive.", seen(SPECIFIC)),
    "others negligible": (
        seen(SPECIFIC, also(NOTHING, "b")),
        "Other attributes: 1 negligible.",
        seen(SPECIFIC, also(LOST, "b")),
    ),
    "others unseen": (
        seen(SPECIFIC, also(LOST, "b")),
        "Other attributes: 1 inconclusive.",
        seen(SPECIFIC, also(NOTHING, "b")),
    ),
    "others any edit's": (
        seen(SPECIFIC, also(ANY, "b"), also(UNKNOWN, "c")),
        "Other attributes: 1 no further than random edits, 1 sensitive for unknown reasons.",
        seen(SPECIFIC, also(UNKNOWN, "b")),
    ),
    "others not edited": (
        seen(SPECIFIC, also(judged("b", None, None), "b"), edits="pairs"),
        "Other attributes: 1 not edited.",
        seen(SPECIFIC, also(OPEN, "b"), edits="pairs"),
    ),
    "label": (seen(SPECIFIC, label_kept=None), "Label not checked.", seen(SPECIFIC)),
    "labels": (seen(SPECIFIC, label_kept=0.6), "Only 60 % of the edits keep the label.", seen(SPECIFIC)),
    "label, nothing sensitive": (seen(OPEN, label_kept=None), "Label not checked.", seen(OPEN)),
    "largest": (
        seen(OPEN, also(NOTHING, "b")),
        "Largest shift 0.02 [0.02, 0.02] (A); random edits 0.03 on average.",
        seen(OPEN, also(NOTHING, "b"), baseline=None),
    ),
    "without random": (
        seen(OPEN, also(NOTHING, "b"), baseline=None),
        "Largest shift 0.02 [0.02, 0.02] (A).",
        seen(OPEN, also(NOTHING, "b")),
    ),
    "the only one": (seen(OPEN), "Mean shift 0.02 [0.02, 0.02]; random", seen(OPEN, also(NOTHING, "b"))),
    "one image": (
        seen(dataclasses.replace(OPEN, ci95=None), images=1, power=None, counts={A: ONE, None: ONE}),
        "Shift 0.02 in one image; random",
        seen(OPEN),
    ),
    "the largest in one image": (
        seen(dataclasses.replace(OPEN, ci95=None), also(OPEN, "b"), counts={A: ONE}),
        "Largest shift 0.02 (A) in one image",
        seen(OPEN, also(OPEN, "b")),
    ),
    "random edits matter": (
        seen(OPEN, baseline=FAR),
        "random edits 0.20 on average, above 0.05.",
        seen(OPEN),
    ),
    "some edit flips": (
        seen(OPEN, also(OPEN, "b")),
        "Some edit flips 5 of 32 images decisively.",
        seen(OPEN, also(OPEN, "b"), counts={None: NONE}),
    ),
    "the edit flips": (seen(OPEN), "The edit flips 5 of 32 images decisively.", seen(OPEN, counts={None: NONE})),
    "faint": (seen(OPEN, also(FAINT, "b")), "The generator hardly draws B.", seen(OPEN, also(OPEN, "b"))),
    "not edited": (
        seen(OPEN, also(judged("b", None, None), "b"), edits="pairs"),
        "Not edited: B.",
        seen(OPEN, also(OPEN, "b"), edits="pairs"),
    ),
    "nothing yet": (
        seen(judged("a", None, None), progress="0 of 9 measurements", trials=0),
        "Nothing is measured yet.",
        seen(SPECIFIC, progress="3 of 9 measurements"),
    ),
    "nothing edited yet": (
        seen(judged("a", None, None), progress="3 of 9 measurements", trials=3, edits="pairs"),
        "So far no picture was edited.",
        seen(SPECIFIC, progress="3 of 9 measurements"),
    ),
    "so far": (
        seen(SPECIFIC, also(OPEN, "b"), progress="3 of 9 measurements"),
        "So far A moves the output most, by 0.40 [0.32, 0.48] on average over 32 images. All figures will change.",
        seen(SPECIFIC, progress="3 of 9 measurements"),
    ),
    "so far one": (
        seen(SPECIFIC, progress="3 of 9 measurements", counts={A: ONE}),
        "So far A moves the output, by 0.40 [0.32, 0.48] in the one image measured.",
        seen(SPECIFIC, progress="3 of 9 measurements"),
    ),
    "missing": (
        seen(SPECIFIC, also(judged("b", None, None), "b"), progress="3 of 9 measurements"),
        "1 of 2 attributes is not measured yet.",
        seen(SPECIFIC, also(OPEN, "b"), progress="3 of 9 measurements"),
    ),
    "so far together": (
        seen(moved("a", 0.4), mode="multi", progress="3 of 9 measurements"),
        "So far 5 of 32 images flip decisively, 1 is borderline. All figures will change.",
        seen(moved("a", 0.4), mode="multi", progress="3 of 9 measurements", counts={None: NONE}),
    ),
    "together": (
        together(moved("a", 0.4), moved("b", 0.1, 0.0)),
        "In these flips A is moved by 0.40 [0.32, 0.48] of its own range on average.",
        together(moved("a", 0.4, 0.6), moved("b", 0.3, 0.4)),
    ),
    "together, two": (
        together(moved("a", 0.4, 0.6), moved("b", 0.3, 0.4)),
        "whether B is moved further is not certain.",
        together(moved("a", 0.4), moved("b", 0.1, 0.0)),
    ),
    "together, one flip": (
        together(moved("a", 0.4), moved("b", 0.1), counts=Counts(32, 9, 1, 1)),
        "In this flip A is moved by 0.40 [0.32, 0.48] of its own range.",
        together(moved("a", 0.4), moved("b", 0.1)),
    ),
    "together, none": (
        together(moved("a", None), counts=Counts(32, 9, 1, 0)),
        "The search may have missed some: that is no proof that nothing flips the model.",
        together(moved("a", 0.4)),
    ),
    "together, borderline": (
        together(moved("a", None), counts=Counts(32, 9, 1, 0)),
        "None of 32 images flips decisively, 1 is borderline.",
        together(moved("a", None), counts=Counts(32, 9, 0, 0)),
    ),
    "label, unfinished": (
        seen(SPECIFIC, progress="3 of 9 measurements", label_kept=None),
        "Label not checked.",
        seen(SPECIFIC, progress="3 of 9 measurements"),
    ),
    "label, unfinished together": (
        seen(moved("a", 0.4), mode="multi", progress="3 of 9 measurements", label_kept=None),
        "Label not checked.",
        seen(moved("a", 0.4), mode="multi", progress="3 of 9 measurements"),
    ),
    "together, beyond": (
        together(moved("a", 0.4), counts=Counts(30, 9, 5, 5, beyond=2)),
        "2 images left what the generator draws.",
        together(moved("a", 0.4)),
    ),
    "together, label": (together(moved("a", 0.4), label_kept=None), "Label not checked.", together(moved("a", 0.4))),
}


@pytest.mark.parametrize("case", EACH_CERTAINTY)
def test_a_line_of_certainty_stands_where_it_is_true_and_not_where_it_is_false(case: str) -> None:
    true, sentence, false = EACH_CERTAINTY[case]
    assert sentence in true.certainty
    assert sentence not in false.certainty


DECIDE = "Check that each edit shows what its prompt says, then decide whether the model may use"
EACH_STEP = {
    "decide": (seen(SPECIFIC), f"{DECIDE} “A”.", seen(SPECIFIC, also(SPECIFIC, "b"))),
    "decide on several": (seen(SPECIFIC, also(SPECIFIC, "b")), f"{DECIDE} each of them.", seen(SPECIFIC)),
    "names": (seen(SPECIFIC, edits="pairs"), "shows what its name says, then", seen(SPECIFIC)),
    "find out why": (
        seen(NOTHING, also(judged("b", None, None), "b"), edits="pairs"),
        "Find out why no picture of “B” was edited.",
        seen(NOTHING, also(OPEN, "b"), edits="pairs"),
    ),
    "discover": (
        seen(ANY, baseline=FAR),
        "Run zoom-engine discover: it looks for what else moves this model.",
        seen(ANY),
    ),
    "controls": (
        seen(ANY, baseline=FAR, edits="pairs"),
        "Look at what the controls change: it moves this model.",
        seen(ANY, edits="pairs"),
    ),
    "more random": (
        seen(UNKNOWN),
        "More random directions (--random-directions) may tell “A” from any edit.",
        seen(SPECIFIC),
    ),
    "more controls": (seen(UNKNOWN, edits="pairs"), "More controls may tell “A” from any edit.", seen(UNKNOWN)),
    "settle": (
        seen(SETTLES),
        "Run zoom-engine diagnose … --images 120: that would settle “A” with a chance of 80 % or more.",
        seen(OPEN),
    ),
    "too near": (
        seen(OPEN),
        "“A” seems too near to the smallest effect that matters for 1000 images to settle.",
        seen(SETTLES),
    ),
    "an interval": (seen(ALONE, images=1), "More images give “A” an interval.", seen(OPEN)),
    "read": (
        seen(STILL, baseline=None),
        "Check that the model reads these pictures: no edit changed its output by a digit.",
        seen(NOTHING, baseline=None),
    ),
    "other words": (
        seen(FAINT),
        "Say “A” in other words, or use a generator that draws it: zoom-engine fit tells.",
        seen(NOTHING),
    ),
    "more images": (
        seen(NOTHING, power=BLIND),
        "Run more images before anybody concludes that the rest does not matter.",
        seen(NOTHING, power=Power({"0.1": 1.0}, None, 0.08)),
    ),
    "check": (
        seen(NOTHING, power=None),
        "Check that each edit shows what its prompt says: only then do these results mean anything.",
        seen(NOTHING, power=BLIND),
    ),
    "go on": (
        seen(SPECIFIC, progress="3 of 9 measurements"),
        "Run the same command again: it goes on where it stopped.",
        seen(SPECIFIC),
    ),
    "labels": (
        together(moved("a", 0.4)),
        "Check that each picture that flips still shows its label.",
        together(moved("a", None), counts=Counts(32, 9, 1, 0)),
    ),
    "alone": (
        together(moved("a", None), counts=Counts(32, 9, 1, 0)),
        "Run it with --mode single to see what each attribute does alone.",
        together(moved("a", 0.4)),
    ),
}


@pytest.mark.parametrize("case", EACH_STEP)
def test_the_next_step_stands_where_it_helps_and_not_where_it_does_not(case: str) -> None:
    helped, step, elsewhere = EACH_STEP[case]
    assert step in helped.next
    assert step not in elsewhere.next


WITH_RANDOM = (
    "Run it with random directions (without --random-directions 0), which tell an effect from any edit’s.",
    "Add controls, edits that should not matter, which tell an effect from any edit’s.",
    "Which effect is its attribute’s and which any edit’s, a table of pairs with controls can tell.",
)


@pytest.mark.parametrize(("edits", "step"), [*zip((None, "pairs", "corruptions"), WITH_RANDOM, strict=True)])
def test_a_comparison_is_advised_where_a_sensitive_attribute_lacks_one(edits: Any, step: str) -> None:
    """An audit tries random directions where an attribute is sensitive, and one without is no worse for it."""

    def steps(*rows: Sensitivity, baseline: BaselineLevel | None = None) -> list[str]:
        result = dataclasses.replace(summary(*rows), images=32, edits=edits, baseline=baseline)
        return next_steps(result, CONFIG, NAMES, unfinished=False)

    assert [one for one in steps(WITHOUT) if one in WITH_RANDOM] == [step]
    assert [one for one in steps(also(WITHOUT, "b"), NOTHING) if one in WITH_RANDOM] == [step]
    for rows in ((NOTHING,), (OPEN,), (SETTLES, also(NOTHING, "b")), (STILL,), (FAINT,), (LOST,)):
        assert not {*steps(*rows)} & {*WITH_RANDOM}, rows
    assert not {*steps(SPECIFIC, baseline=RANDOM)} & {*WITH_RANDOM}


@pytest.mark.parametrize(
    ("edits", "lacking"), [(None, "random directions (--random-directions)"), ("pairs", "controls")]
)
def test_why_nothing_is_compared_is_told(edits: Any, lacking: str) -> None:
    def known(*rows: Sensitivity) -> str:
        return how_known(dataclasses.replace(summary(*rows), edits=edits, power=POWER), READING)

    simultaneous = "Intervals hold for all attributes at once."
    why = f"Without {lacking} nothing says whether an effect is its attribute’s or any edit’s."
    assert known(also(WITHOUT, "b"), NOTHING) == f"{simultaneous} {why}"
    none = "No attribute is sensitive, so none is compared with random edits."
    assert known(NOTHING, also(OPEN, "b")) == f"{simultaneous} {none if edits is None else why}"
    assert none not in how_known(summary(OPEN), READING), "an unfinished audit may have one"


@pytest.mark.parametrize(("smallest", "detects", "weak"), [(0.05, 0.11, True), (0.1, 0.13, False), (0.1, 0.21, True)])
def test_no_audit_is_called_weak_for_an_effect_that_is_too_small_to_matter(
    smallest: float, detects: float, weak: bool
) -> None:
    """With --smallest-effect 0.1 no number of images detects 0.1, so each audit was to be run on more."""
    config = dataclasses.replace(CONFIG, smallest_effect=smallest)
    result = dataclasses.replace(summary(NOTHING), power=Power({}, None, detects))
    assert is_weak(result, config) == weak
    assert ("Run more images" in " ".join(next_steps(result, config, NAMES, unfinished=False))) == weak


def test_a_page_of_several_attributes_says_how_to_see_what_each_does_alone() -> None:
    steps = next_steps(dataclasses.replace(summary(), mode="multi"), CONFIG, {}, unfinished=False)
    assert steps[-1] == "Run it with --mode single to see what each attribute does alone."


@pytest.mark.parametrize(
    ("view", "effect", "mean", "flip"),
    [
        (
            BinaryTask(classes=("no", "yes")).view,
            "0.20 [0.10, 0.30]",
            "the probability of “yes” moves by 20 percentage points on average",
            "the probability crosses 0.5",
        ),
        (
            READING,
            "0.20 [0.10, 0.30]",
            "20 percentage points of probability go from some classes to others on average",
            "another class becomes the most probable",
        ),
        (
            MultiLabelTask(classes=("old", "smiling")).view,
            "0.20 [0.10, 0.30]",
            "the probability that moves most moves by 20 percentage points on average",
            "the probability of a label crosses 0.5",
        ),
        (
            AGE,
            "16.0 [8.0, 24.0] years",
            "the output moves by 16.0 years on average, 0.20 of the range",
            "the output moves by 8 years or more, a tenth of the range",
        ),
        (
            KeypointsTask(points=("left eye", "right eye"), between=(0, 1)).view,
            "20.0 [10.0, 30.0] % of the distance from left eye to right eye",
            "the points move by 20.0 % of the distance from left eye to right eye on average",
            "the points move by 10 % or more of the distance from left eye to right eye",
        ),
        (
            SegmentationTask(classes=("sky", "sea")).view,
            "0.20 [0.10, 0.30] mIoU lost",
            "the mIoU with the areas before the edit falls by 0.20 on average",
            "the mIoU with the areas before the edit falls below 0.75",
        ),
        (
            DetectionTask(classes=("face",)).view,
            "0.20 [0.10, 0.30] of score × overlap",
            "the score of “face”, × the overlap with its box before, moves by 0.20 on average",
            "no box of a score of 0.5 or more overlaps the one before by 0.5 (IoU) or more, or a first one appears",
        ),
        (
            EmbeddingTask().view,
            "0.20 [0.10, 0.30] cosine similarity lost",
            "the cosine similarity to the unedited picture falls by 0.20 on average",
            "the cosine similarity to the unedited picture falls below 0.5",
        ),
        (
            TaskView(BinaryTask()),
            "0.20 [0.10, 0.30]",
            "the output moves by 0.20 of at most 1 on average",
            "",
        ),
    ],
    ids=lambda value: value.task.name if isinstance(value, TaskView) else "",
)
def test_an_effect_and_a_flip_are_said_in_the_unit_of_the_task(
    view: TaskView, effect: str, mean: str, flip: str
) -> None:
    assert in_units(view, 0.2, (0.1, 0.3)) == effect
    assert view.mean_in_words(0.2) == mean
    assert view.flip_in_words == flip
    told = measurement(
        dataclasses.replace(summary(), images=2, edited_images=2),
        Manifest.of({"mode": "single", "attributes": ["a"]}).config,
        view,
    )
    assert told.startswith(f"Measured: {view.response_axis.label}")
    assert ", on 2 generated images; 1 attribute edited." in told
    assert (f" A flip: {flip}." in told) == bool(flip)
    assert told.count("in the corner") + told.count("In the corner") == 1
    assert view.caption_label in told


def test_words_whose_unit_differs_from_end_to_end_of_an_interval_stand_beside_its_numbers() -> None:
    view = EmbeddingTask().view
    assert in_units(view, 0.9, (0.8, 1.0)) == "0.90 cosine similarity lost, 0.90 [0.80, 1.00]"


def test_labels_and_pixels_are_counted_where_the_task_knows_them() -> None:
    labels = MultiLabelTask(classes=("old", "smiling")).view
    assert labels.extent_in_words([((0.9, 0.9), (0.1, 0.2)), ((0.1, 0.9), (0.1, 0.2))]) == (
        "1.5 of 2 labels change on average"
    )
    points = KeypointsTask(output="pixels", side=100).view
    assert points.extent_in_words([((0.5, 0.5, 0.1, 0.1), (0.5, 0.4, 0.1, 0.1))]) == (
        "the points move by 5.0 of the input’s 100 pixels on average"
    )
    assert KeypointsTask().view.extent_in_words([((0.5, 0.5), (0.5, 0.4))]) == (
        "the points move by 10.0 % of the picture’s side on average"
    )


@pytest.mark.parametrize(("bounds", "told"), [((0.0, 10.0), "1.0 of 2"), ((-10.0, 10.0), "2.0 of 2")])
def test_labels_are_counted_where_the_effect_is_judged(bounds: tuple[float, float], told: str) -> None:
    """They were counted at the paper's ±30 too, where more of them change, beside an effect within another range."""
    seen = {0.0: (0.1, 0.1), 5.0: (0.9, 0.9), 10.0: (0.1, 0.8), 20.0: (0.1, 0.1), 30.0: (1.0, 0.9)}
    points = [
        Point(weights=(w,), output=out, change=max(out) - 0.1, label_kept=None, ssim=None) for w, out in seen.items()
    ]
    record = Record(
        image=0, seed=0, attribute="a", edit_weights=(10.0,), original_output=(0.1, 0.1), output=(0.1, 0.8), change=0.8,
        flipped=True, label_kept=None, ssim=None, trajectory=tuple(points), bounds=bounds,
    )  # fmt: skip
    task = {"task": "multilabel", "classes": ["old", "smiling"]}
    manifest = Manifest.of({"mode": "single", "attributes": ["a"], "target_details": {"task": task}})
    assert [*Source(None, Diagnosis(manifest, (record,))).meaning][1:] == [f"{told} labels change on average."]


def test_the_power_is_a_chance_for_each_size() -> None:
    result = dataclasses.replace(summary(OPEN), power=POWER)
    assert chances(result, CONFIG, READING) == [("0.1", "34 %"), ("0.2", "97 %"), ("0.4", "100 %")]
    assert detectable(result, READING) == "Effects of 0.15 or more are detected in at least 80 of 100 such audits."
    assert chances(result, CONFIG, AGE)[0] == ("8.0 years (0.1 of the range)", "34 %")
    for smallest, sizes in ((0.01, ["0.05", "0.1", "0.2", "0.4"]), (0.1, ["0.2", "0.4"]), (0.4, [])):
        config = dataclasses.replace(CONFIG, smallest_effect=smallest)
        assert [size for size, _ in chances(result, config, READING)] == sizes, "of those that matter"
    assert (
        detectable(dataclasses.replace(result, power=BLIND), READING)
        == "No effect is detected in 80 of 100 such audits."
    )
    assert (chances(summary(OPEN), CONFIG, READING), detectable(summary(OPEN), READING)) == ([], "")


def drawn(weight: float | None, *, shown: int = 1, prompt: str | None = "a face with eyeglasses") -> StripEntry:
    """A strip of three pictures up to `weight`."""
    weights = [None if weight is None else weight * step / 2 for step in range(3)]
    frames = tuple(FrameEntry(file="", weight=one, caption="") for one in weights)
    attribute = None if prompt is None else Attribute.parse(prompt)
    return dataclasses.replace(strip("0.1", "0.9"), attribute=attribute, frames=frames, shown=shown)


@pytest.mark.parametrize(
    ("shown", "name", "bounds", "words"),
    [
        (drawn(4.0, shown=2), "eyeglasses", (0.0, 4.0), "no eyeglasses → eyeglasses"),
        (drawn(-4.0, shown=2), "eyeglasses", (-4.0, 0.0), "eyeglasses → no eyeglasses"),
        (drawn(4.0, shown=2), "eyeglasses", (-4.0, 4.0), "eyeglasses added"),
        (drawn(-4.0, shown=2), "eyeglasses", None, "eyeglasses removed"),
        (drawn(4.0, shown=1), "eyeglasses", (0.0, 4.0), "no eyeglasses → eyeglasses partly added"),
        (drawn(-4.0, shown=1), "eyeglasses", (-4.0, 0.0), "eyeglasses → eyeglasses partly removed"),
        (drawn(4.0, shown=1), "eyeglasses", None, "eyeglasses partly added"),
        (drawn(4.0, shown=0), "eyeglasses", (0.0, 4.0), "eyeglasses, unedited"),
        (drawn(4.0, shown=2, prompt="a face with a beard"), "a beard", (0.0, 4.0), "no beard → a beard"),
        (drawn(4.0, shown=2), "the head up", (0.0, 4.0), "without the head up → the head up"),
        (drawn(4.0, shown=2, prompt="a smiling face"), "smiling", (0.0, 4.0), "not smiling → smiling"),
        (drawn(4.0, shown=2, prompt="a face without a beard"), "without a beard", (0.0, 4.0), "without a beard added"),
        (drawn(4.0, shown=2, prompt="a face that is not old"), "that is not old", (0.0, 4.0), "that is not old added"),
        (drawn(None, shown=2, prompt=None), "all attributes together", None, "unedited → all attributes edited"),
    ],
)
def test_a_caption_says_what_a_picture_is_before_and_after_the_edit(
    shown: StripEntry, name: str, bounds: tuple[float, float] | None, words: str
) -> None:
    assert edit_in_words(shown, name, bounds=bounds) == words


def test_a_caption_of_an_edit_from_elsewhere_says_its_strength() -> None:
    edit = Edit(name="brightness", strengths=(2.0, 4.0), unit="stops")
    assert edit_in_words(drawn(4.0, shown=1, prompt="brightness"), "brightness", edit=edit) == (
        "unedited → brightness +2 stops"
    )
    whole = Edit(name="smiling", strengths=(1.0,))
    assert edit_in_words(drawn(1.0, shown=2, prompt="smiling"), "smiling", edit=whole) == "unedited → smiling"


def test_an_edit_is_told_with_its_direction_and_strength() -> None:
    stops = Edit(name="brightness", strengths=(-1.0, 1.0), unit="stops")
    assert edited("smiling", 8.2) == "with smiling added, edit weight +8.2"
    assert edited("a beard", -3.0) == "with a beard removed, edit weight −3"
    assert edited("a beard", 0.0) == "with a beard unchanged, edit weight 0"
    assert edited("brightness", -1.0, stops) == "edited, brightness, strength −1 stops"
    assert edited("all attributes together", None) == "with all attributes together edited"
