"""Sentences that must hold for an audit at any stage: what is measured, how sure it is, how many images flip."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from zoom_engine.audit.gallery_file import FrameEntry, StripEntry
from zoom_engine.audit.summary import BaselineLevel, Sensitivity, Summary
from zoom_engine.report.sentences import certainty, flip_notes, flips, flips_at, headline, strip_note, way
from zoom_engine.report.verdicts import finding, how_known, in_short, to_settle, verdict_groups, what_now
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.counts import Counts
from zoom_engine.targets import KeypointsTask, MultiClassTask

NAMES = {Attribute.parse(name): name.upper() for name in "abc"}
READING = MultiClassTask(classes=("cat", "dog", "fox")).view


def summary(*rows: Sensitivity) -> Summary:
    rates = dict.fromkeys(("flip_rate", "decisive_flip_rate", "label_kept", "natural", "ssim"))
    return Summary(mode="single", search="scan", images=1, trials=1 if rows else 0, sensitivity=rows, **rates)


def row(attribute: str, value: float | None, ci: tuple[float, float] | None, first: float = 0.5) -> Sensitivity:
    rates = dict.fromkeys(("flip_rate", "decisive_flip_rate", "label_kept", "ssim", "mean_abs_weight"))
    known = {"attribute": Attribute.parse(attribute), "mean_change": value, "ci95": ci, "share": 0.5, "first": first}
    return Sensitivity(mode="single", **known, **rates)


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

    assert certainty(rows(1.0, 0.36), NAMES, unfinished=False).text == "Clear lead"
    assert certainty(rows(0.97, 0.34), NAMES, unfinished=False).text == "Likely lead"
    verdict = certainty(rows(0.6, 0.34), NAMES, unfinished=False)
    assert verdict.text == "No clear lead"
    assert "60 of 100" in verdict.sentence
    assert "“B” with 0.30 [0.25, 0.35]" in verdict.sentence


def test_an_unfinished_audit_has_no_clear_lead() -> None:
    half = summary(row("a", 0.4, (0.36, 0.45), 1.0), row("b", 0.3, (0.25, 0.35), 0.0), row("c", None, None))
    verdict = certainty(half, NAMES, unfinished=True)
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
    result = certainty(summary(*rows), NAMES, unfinished=False)
    assert result.text == verdict
    assert sentence in result.sentence


def test_the_headline_counts_the_attributes_that_were_measured() -> None:
    rows = summary(row("a", 0.01, None), row("b", None, None))
    counts = {**{attribute: Counts(1, 0, 0, 0) for attribute in NAMES}, None: Counts(1, 0, 0, 0)}
    result = headline(rows, NAMES, counts, READING, unfinished=True)
    moves = "adding or removing “A” moves this model’s output by 0.01 in the one image measured; it does not flip."
    assert result == f"So far: {moves}"
    assert (
        headline(summary(row("a", None, None)), NAMES, counts, READING, unfinished=True) == "Nothing is measured yet."
    )


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (
            "inconclusive",
            "The attribute measured is not shown to move this model’s output by enough to matter, but it is",
        ),
        ("negligible", "The attribute measured does not matter to this model’s output"),
    ],
)
def test_a_headline_of_one_attribute_denies_what_is_not_shown(verdict: Any, told: str) -> None:
    """It said that the attribute matters, where of several it said that none does."""
    alone = dataclasses.replace(row("a", 0.01, (0.0, 0.2)), verdict=verdict)
    assert finding(summary(alone), NAMES, READING).startswith(told)


def test_of_attributes_edited_together_only_images_that_flip_are_told_of() -> None:
    def together(value: float | None, ci: tuple[float, float] | None, flips: int) -> Summary:
        shares = dataclasses.replace(row("a", None, None), mode="multi", range_share=value, range_share_ci95=ci)
        rate = flips / 12
        return dataclasses.replace(
            summary(shares), mode="multi", images=12, trials=12, flip_rate=rate, decisive_flip_rate=rate
        )

    furthest = "“A” is moved furthest, by 0.40"
    for flips_, value, ci, text, sure in (
        (0, None, None, "none of 12 images flips.", "No decisive flip"),
        (1, 0.4, None, f"1 of 12 images flips decisively; in the decisive flip {furthest} of", "One decisive flip"),
        (3, 0.4, (0.2, 0.6), f"3 of 12 images flip decisively; in the decisive flips {furthest} [", "One attribute"),
    ):
        result = together(value, ci, flips_)
        counts = {None: Counts(12, flips_, flips_, flips_)}
        told = headline(result, NAMES, counts, READING, unfinished=False)
        assert told.startswith(f"With all attributes edited together, {text}")
        assert certainty(result, NAMES, unfinished=False).text.startswith(sure)
        short = in_short(result, NAMES, unfinished=False)
        assert short.startswith(f"{flips_} of 12 images flip")
        assert ("A" in short.replace("All", "")) == (value is not None)


def test_where_no_attribute_leads_two_are_named() -> None:
    rows = [
        dataclasses.replace(row(name, None, None, first), mode="multi", range_share=value)
        for name, value, first in (("a", 0.48, 0.65), ("b", 0.42, 0.3), ("c", 0.1, 0.05))
    ]
    result = dataclasses.replace(summary(*rows), mode="multi", images=12, trials=12, decisive_flip_rate=0.5)
    told = headline(result, NAMES, {None: Counts(12, 6, 6, 6)}, READING, unfinished=False)
    assert told.endswith("6 of 12 images flip decisively; in the decisive flips “A” and “B” are moved furthest.")


def test_a_headline_says_the_effect_in_the_unit_of_the_task() -> None:
    rows = [row("a", 0.06, (0.055, 0.07), 1.0), row("b", 0.01, (0.0, 0.02), 0.0)]
    counts = {**{attribute: Counts(9, 0, 0, 0) for attribute in NAMES}, None: Counts(9, 0, 0, 0)}
    for verdict, opening in (
        ("sensitive", "Adding or removing “A” moves"),
        ("inconclusive", "None of 2 attributes is shown to move"),
        ("negligible", "None of 2 attributes matters to"),
    ):
        result = [
            dataclasses.replace(one, verdict=verdict if place == 0 else "negligible") for place, one in enumerate(rows)
        ]
        words = headline(summary(*result), NAMES, counts, KeypointsTask(threshold=0.1).view, unfinished=False)
        assert words.startswith(opening)
        assert "6.0 % of the diagonal" in words


@pytest.mark.parametrize(
    ("kind", "tag", "sentence"),
    [
        ("typical", "Typical", "The median change of 32 images; 9 of them change by 0.1 or more; 2 of 32"),
        ("flip", "Decisive flip", "2 of 32 images flip decisively in this direction"),
        ("extreme", "Most extreme of 32", "The largest change of 32 images; 2 of 32"),
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
    ("moved", "words"), [(0, "none of them changes"), (1, "1 of them changes"), (9, "9 of them change")]
)
def test_how_many_change_is_said_in_the_singular_of_one(moved: int, words: str) -> None:
    result = strip_note(strip("0.1", "0.2", kind="typical"), Counts(32, moved, 0, 0), 0, READING, least=0.1)
    assert f"The median change of 32 images; {words} by 0.1 or more; none of 32 images flips." == result.sentence


def test_what_an_audit_finds_in_short() -> None:
    rows = [row("a", 0.4, (0.3, 0.5)), row("b", 0.2, None), row("c", 0.1, None)]
    assert in_short(summary(*rows), NAMES, unfinished=True) == "not finished yet"
    assert in_short(summary(), NAMES, unfinished=False) == "nothing was measured"
    for count, specificity, words in (
        (0, "specific", "nothing is sensitive, 3 inconclusive"),
        (1, "specific", "sensitive to “A”, 0.40 [0.30, 0.50]"),
        (1, "unspecific", "sensitive to “A”, 0.40 [0.30, 0.50] (unspecific)"),
        (2, None, "sensitive to “A”, 0.40 [0.30, 0.50] and “B”, 0.20"),
        (3, "specific", "sensitive to “A”, 0.40 [0.30, 0.50], “B”, 0.20 and 1 more"),
    ):
        result = [
            dataclasses.replace(one, verdict="sensitive" if place < count else "inconclusive", specificity=specificity)
            for place, one in enumerate(rows)
        ]
        assert in_short(summary(*result), NAMES, unfinished=False) == words


def test_a_headline_names_what_is_specific_before_what_any_edit_does() -> None:
    rows = [
        dataclasses.replace(row("a", 0.4, (0.3, 0.5)), verdict="sensitive", specificity="unspecific", as_far=3),
        dataclasses.replace(row("b", 0.2, (0.1, 0.3)), verdict="sensitive", specificity="specific", p_adjusted=0.01),
    ]
    counts = {**{attribute: Counts(9, 0, 0, 0) for attribute in NAMES}, None: Counts(9, 0, 0, 0)}
    level = BaselineLevel(
        directions=16,
        mean_change=0.03,
        ci95=None,
        strongest=0.5,
        specific_from=0.15,
        smallest_effect=0.05,
        correction="holm",
    )
    told = headline(dataclasses.replace(summary(*rows), baseline=level), NAMES, counts, READING, unfinished=False)
    assert "“B” moves this model’s output by 0.20" in told
    assert "Random edits of this size hardly ever move it as far. “A” moves it no further than any edit." in told
    titles = [group.title for group in verdict_groups(summary(*rows), NAMES, smallest_effect=0.05)]
    assert titles == ["Sensitive, specific", "Sensitive, unspecific"]


@pytest.mark.parametrize(
    ("mean", "ci95", "told"),
    [(0.06, (0.04, 0.08), False), (0.06, (0.051, 0.07), True), (0.06, None, False), (0.03, (0.02, 0.04), False)],
)
def test_something_nobody_typed_moves_a_model_where_the_interval_of_random_edits_lies_above_what_matters(
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
    assert ("something that nobody typed moves this model" in how_known(summarised)) == told
    assert ("zoom-engine discover" in what_now(summarised, NAMES, unfinished=False)) == told


def test_the_next_step_says_how_many_images_would_settle_what_is_inconclusive() -> None:
    def told(*counts: int | None) -> str:
        rows = [
            dataclasses.replace(row(name, 0.03, (0.01, 0.2)), verdict="inconclusive", images_to_settle=count)
            for name, count in zip("abc", counts, strict=False)
        ]
        return " ".join(to_settle(dataclasses.replace(summary(*rows), images=32), NAMES))

    near = "too near to the smallest effect that matters for 1000 images to settle."
    assert told(119, 123, 64) == (
        "130 images would settle each of 3 inconclusive attributes with a chance of 80 % or more."
    )
    assert told(900, 119, 64) == (
        "900 images would settle each of 3 inconclusive attributes with a chance of 80 % or more; 120 half of them."
    )
    assert told(119) == "120 images would settle “A” with a chance of 80 % or more."
    assert told(119, None, 64) == (
        "120 images would settle each of 2 of 3 inconclusive attributes with a chance of 80 % or more."
        f" “B” seems {near}"
    )
    assert told(None, None) == f"“A” and “B” seem {near}"


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
            "The prediction does not flip anywhere in this image’s range, which ends at weight +1.",
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


def test_strips_of_older_audits_do_not_say_where_they_flip() -> None:
    older = dataclasses.replace(strip("0.1", "0.9"), frames=(FrameEntry(file="", weight=2.0, caption="0.9"),))
    assert (way(older), flips_at(older), flip_notes(older)) == ("", None, [""])


def test_a_page_of_several_attributes_says_how_to_see_what_each_does_alone() -> None:
    advice = what_now(dataclasses.replace(summary(), mode="multi"), {}, unfinished=False)
    assert advice.endswith(" Run it with --mode single to see what each attribute does alone.")
