"""The findings of an audit on its attributes, in words: how large effects are, what causes them, how that is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zoom_engine.audit.summary import Sensitivity, Summary, Verdict
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.power import LIKELY, most_images
from zoom_engine.statistics.table import beside, decimal, percent, with_interval
from zoom_engine.targets import TaskView

TOLD = 0.1  # an audit that could miss an effect of so much is told to be weak
MOST_IN_SHORT = 2
LEADS = 0.95  # in so many of resampled audits an attribute that leads comes first


@dataclass(frozen=True)
class VerdictGroup:
    """The attributes that have one `verdict` for one reason.

    Attributes:
        verdict: how large the effects are.
        title: of the group.
        names: of the attributes, the strongest first.
        meaning: what that means.
    """

    verdict: Verdict
    title: str
    names: tuple[str, ...]
    meaning: str


def verdict_groups(summary: Summary, names: Mapping[Attribute, str], *, smallest_effect: float) -> list[VerdictGroup]:
    """Return what is sensitive, inconclusive and negligible; empty groups are left out.

    There is none in multi mode or before anything is measured.
    """
    least, others = f"{smallest_effect:g}", beside(summary)
    sensitive, inconclusive, negligible = (_that_are(summary, v) for v in ("sensitive", "inconclusive", "negligible"))

    def of(specificity: str | None) -> list[Sensitivity]:
        return [row for row in sensitive if row.specificity == specificity]

    above = f"a mean effect above {least} is shown"
    groups: list[tuple[Verdict, str, list[Sensitivity], str]] = [
        (
            "sensitive",
            "Sensitive, specific",
            of("specific"),
            f"{above}, and {others.several}{others.alike} hardly ever move the output as far",
        ),
        (
            "sensitive",
            "Sensitive, unspecific",
            of("unspecific"),
            f"{above}, but {others.several}{others.of_size} move the output as far: the model reacts to any change",
        ),
        (
            "sensitive",
            "Sensitive, unknown why",
            of("unknown"),
            f"{above}, but there are too few {others.several} to tell it from what any edit{others.of_size} does",
        ),
        (
            "sensitive",
            "Sensitive",
            of(None),
            f"{above}; no {others.several} were tried, so any other edit{others.of_size} may do the same",
        ),
        ("inconclusive", "Inconclusive", inconclusive, f"the interval contains {least}: more images are needed"),
        ("negligible", "Negligible", negligible, f"a mean effect of {least} or more is ruled out"),
        ("inconclusive", "Not edited", _never_edited(summary), "no picture shows the edit: nothing is known"),
        (
            "inconclusive",
            "Edit not seen",
            _unseen(summary),
            "no effect is shown, and the text encoder does not see that pictures were edited: nothing is known",
        ),
    ]
    return [
        VerdictGroup(verdict, title, tuple(names[row.attribute] for row in rows), meaning)
        for verdict, title, rows, meaning in groups
        if rows
    ]


def how_known(summary: Summary) -> str:
    """Say what effects were compared with."""
    baseline = summary.baseline
    if baseline is None:
        lacking = "random directions (--random-directions)" if summary.edits is None else "controls"
        return (
            f"Intervals hold for all attributes at once. Without {lacking} nothing says whether an effect is its"
            " attribute’s or any edit’s."
        )
    several, words = baseline.directions > 1, beside(summary)
    strongest = f", the strongest by {decimal(baseline.strongest)}" if several else ""
    edits = f"{baseline.directions} {words.several}" if several else f"A {words.one}"
    moves = agreeing(baseline.directions, "moves", "move")
    alike = words.alike if several else words.alike.replace("change", "changes")
    so = f"{edits}{alike} {moves} the output by {decimal(baseline.mean_change)} on average"
    so += strongest
    if summary.control_prompts is not None:
        so += f"; control prompts moved it by at most {decimal(summary.control_prompts.most)}"
    least = max(baseline.specific_from, baseline.smallest_effect)
    told = (
        f"an effect of {_up(least)} or more is told from what they do" if least < 1 else "none can be told from these"
    )
    return f"{so}; {told}.{reacts_to_anything(summary)}"


def reacts_to_anything(summary: Summary) -> str:
    """Say that random edits move the target far, as a sentence with a space before it; "" where that is not shown.

    It is held to what an attribute must show to be sensitive: the interval of their mean change, over directions, lies
    above the smallest effect that matters. A mean just above it may be chance, or the work of one or two directions.
    """
    baseline = summary.baseline
    if baseline is None or baseline.ci95 is None or baseline.ci95[0] <= baseline.smallest_effect:
        return ""
    if summary.edits is not None:
        return " That is far: edits that should not matter move this model."
    return " That is far: something that nobody typed moves this model. zoom-engine discover looks for it."


def missed(summary: Summary) -> str:
    """Say how large an effect could have been missed; "" where that was not measured."""
    if summary.power is None:
        return ""
    (first, power), *more = ((size, f"{100 * power:.0f}") for size, power in summary.power.sensitive.items())
    rest = " and ".join(f"{power} one of {size}" for size, power in more)
    least = summary.power.detectable
    told = "No effect would be found sensitive by 80 of 100 such audits"
    if least is not None:
        told = f"The smallest effect that 80 of 100 such audits would find sensitive is {_up(least)}"
    return f"{told}: {power} would find one of {first}, {rest}."


def is_weak(summary: Summary) -> bool:
    """Tell whether more than a fifth of such audits would miss an effect of `TOLD` or more."""
    return summary.power is not None and (summary.power.detectable is None or summary.power.detectable > TOLD)


def what_now(summary: Summary, names: Mapping[Attribute, str], *, unfinished: bool) -> str:
    """Say what a reader should do next."""
    if unfinished:
        return "Run the same command again: it goes on where it stopped. Nothing on this page is final yet."
    if summary.mode == "multi":
        return (
            "Look at the pictures: does each still show its label? Run it with --mode single to see what each"
            " attribute does alone."
        )
    sensitive = [names[row.attribute] for row in summary.sensitivity if row.is_specific]
    inconclusive = _that_are(summary, "inconclusive")
    unknown = [names[row.attribute] for row in _that_are(summary, "sensitive") if row.specificity == "unknown"]
    steps = []
    if unseen := _unseen(summary):
        steps.append(f"Look whether the pictures of {_quoted([names[row.attribute] for row in unseen])} show it.")
    if still := _never_edited(summary):
        steps.append(f"Look why no picture of {_quoted([names[row.attribute] for row in still])} was edited.")
    if sensitive:
        it = f"“{sensitive[0]}”" if len(sensitive) == 1 else "each of them"
        steps.append(f"Check that the edits show what their words say, then decide whether the model may use {it}.")
    elsewhere = summary.edits is not None
    if reacts_to_anything(summary):
        steps.append(
            "Look what the controls change that moves this model."
            if elsewhere
            else "Ask zoom-engine discover what else moves this model."
        )
    if unknown:
        more = "More controls" if elsewhere else "More random directions (--random-directions)"
        steps.append(f"{more} may tell {_quoted(unknown)} from any edit.")
    if inconclusive:
        steps.extend(to_settle(summary, names))
    elif is_weak(summary):
        steps.append("Run more images before anybody concludes that the rest does not matter.")
    if summary.baseline is None and len(still) < len(summary.sensitivity):
        steps.append(
            _give_controls(summary)
            if elsewhere
            else "Run it with random directions (without --random-directions 0), which tell an effect from any edit’s."
        )
    if not steps:
        steps.append("Check that the edits show what their words say: only then do these results mean anything.")
    return " ".join(steps)


def to_settle(summary: Summary, names: Mapping[Attribute, str]) -> Iterator[str]:
    """Say how many images would settle what is inconclusive, and of what no number that can be made would."""
    inconclusive = _that_are(summary, "inconclusive")
    if summary.images < 2:
        yield f"More images give {_quoted([names[row.attribute] for row in inconclusive])} an interval."
        return
    counts = [row.images_to_settle for row in inconclusive if row.images_to_settle is not None]
    open_ones = [names[row.attribute] for row in inconclusive if row.images_to_settle is None]
    if counts:
        which = f"each of {len(counts)} of {len(inconclusive)}" if open_ones else f"each of {len(counts)}"
        which = f"{which} inconclusive attributes" if len(inconclusive) > 1 else f"“{names[inconclusive[0].attribute]}”"
        half = sorted(counts)[len(counts) // 2]
        sooner = f"; {_rounded_up(half)} half of them" if len(counts) > 2 and 2 * half < max(counts) else ""
        images = f"{_rounded_up(max(counts))} images would settle"
        yield f"{images} {which} with a chance of {percent(LIKELY)} or more{sooner}."
    if open_ones:
        seem = agreeing(len(open_ones), "seems", "seem")
        most = most_images(summary.images)
        yield f"{_quoted(open_ones)} {seem} too near to the smallest effect that matters for {most} images to settle."


def finding(summary: Summary, names: Mapping[Attribute, str], view: TaskView) -> str:
    """Say the headline where nothing is sensitive; `view` says a change in its own unit."""
    rows = [row for row in summary.sensitivity if row.value is not None]
    open_ones = len(_that_are(summary, "inconclusive"))
    in_units = view.change_in_words(rows[0].value or 0.0)
    in_units = f", that is {in_units}," if in_units else ""
    most = f"the most is {with_its_interval(rows[0])}{in_units} on average, for “{names[rows[0].attribute]}”"
    if not open_ones:
        return f"{_none_of(rows, 'matters', 'does not matter')} to this model’s output: {most}."
    left = "all" if open_ones == len(rows) and open_ones > 1 else str(open_ones)
    known = f"{left} {agreeing(open_ones, 'is', 'are')} inconclusive" if len(rows) > 1 else "it is inconclusive"
    flips = summary.decisive_flip_rate or 0.0
    beside = f". Some edit flips {percent(flips)} of the images decisively" if flips else ""
    told = _none_of(rows, "is shown", "is not shown")
    return f"{told} to move this model’s output by enough to matter, but {known}: {most}{beside}."


def in_short(summary: Summary, names: Mapping[Attribute, str], *, unfinished: bool) -> str:
    """Say what is sensitive, in a few words for a list of audits; in multi mode what is moved furthest."""
    most = next((row for row in summary.sensitivity if row.value is not None), None)
    if unfinished:
        return "not finished yet"
    if summary.mode == "multi" and summary.trials:
        of = f"{summary.decisive_images} of {number_of(summary.images, 'image')}"
        so = f"{of} {agreeing(summary.decisive_images, 'flips', 'flip')} decisively, all attributes edited together"
        return so + moved_furthest(summary, names)
    if most is None:
        return "no picture was edited" if summary.trials else "nothing was measured"
    told = leading(summary)
    if not told:
        inconclusive = len(_that_are(summary, "inconclusive"))
        return "nothing is sensitive" + (f", {inconclusive} inconclusive" if inconclusive else "")
    listed_ones = [f"“{names[row.attribute]}”, {with_its_interval(row)}" for row in told[:MOST_IN_SHORT]]
    rest = len(told) - len(listed_ones)
    how = "" if told[0].is_specific else f" ({told[0].specificity})"
    return f"sensitive to {listed([*listed_ones, f'{rest} more'] if rest else listed_ones)}{how}"


def moved_furthest(summary: Summary, names: Mapping[Attribute, str]) -> str:
    """Say what is moved furthest in the images that flip decisively, as the end of a sentence.

    It is the first attribute alone where it is nearly always the first, else the second too; "" where nothing flips.
    """
    rows = [row for row in summary.sensitivity if row.value is not None]
    if not rows:
        return ""
    top, rest = rows[0], rows[1:]
    several = summary.decisive_images > 1
    where = "in the decisive flips" if several else "in the decisive flip"
    if several and rest and top.first < LEADS:
        return f"; {where} “{names[top.attribute]}” and “{names[rest[0].attribute]}” are moved furthest"
    average = " on average" if several else ""
    return (
        f"; {where} “{names[top.attribute]}” is moved furthest, by {with_its_interval(top)} of its own range{average}"
    )


def with_its_interval(row: Sensitivity) -> str:
    """Format a value with its interval."""
    return with_interval(row.value, row.interval, 2)


def leading(summary: Summary) -> list[Sensitivity]:
    """Return the sensitive attributes that a headline names, the strongest first: the specific ones, or else all."""
    sensitive = _that_are(summary, "sensitive")
    return [row for row in sensitive if row.is_specific] or sensitive


def beside_random(summary: Summary, row: Sensitivity) -> str:
    """Say what the effect is due to, as a sentence with a space before it; "" without random baseline directions."""
    if row.specificity is None or summary.baseline is None:
        return ""
    several, words = summary.baseline.directions > 1, beside(summary)
    if row.specificity == "specific":
        return f" {words.several.capitalize()}{words.of_size} hardly ever move it as far."
    if row.specificity == "unspecific":
        edits = f"{row.as_far} of {summary.baseline.directions} {words.several}" if several else f"A {words.one}"
        moves = agreeing(row.as_far or 1, "moves", "move")
        return f" {edits}{words.of_size} {moves} it as far: it reacts to any change."
    few = "random ones" if summary.edits is None else "controls"
    return f" Whether any other edit{words.of_size} does the same is unknown: too few {few} were tried."


def no_further_than_control(summary: Summary, row: Sensitivity) -> bool:
    """Tell whether a sensitive attribute moves the output no further than a control prompt."""
    return (
        row.verdict == "sensitive"
        and summary.control_prompts is not None
        and (row.value or 0.0) <= summary.control_prompts.most
    )


def others(summary: Summary, names: Mapping[Attribute, str]) -> str:
    """Say what else is sensitive besides what the headline names."""
    first, *rest = leading(summary)
    so = f" It is sensitive to {_quoted([names[row.attribute] for row in rest])} too." if rest else ""
    if first.is_specific:
        also = [names[row.attribute] for row in _that_are(summary, "sensitive") if not row.is_specific]
        so += f" {_quoted(also)} {agreeing(len(also), 'moves', 'move')} it no further than any edit." if also else ""
    return so


def is_judged(summary: Summary) -> bool:
    """Tell whether the audit gives verdicts: it is of single attributes, and something is measured."""
    return any(row.verdict for row in summary.sensitivity if row.value is not None)


def _that_are(summary: Summary, verdict: Verdict) -> list[Sensitivity]:
    unseen = _unseen(summary)
    return [
        row for row in summary.sensitivity if row.verdict == verdict and row.value is not None and row not in unseen
    ]


def _unseen(summary: Summary) -> list[Sensitivity]:
    """Return the attributes that are not shown to move the output, and whose edits a text encoder does not see."""
    return [row for row in summary.sensitivity if row.edit_is_unseen and row.verdict == "inconclusive"]


def _give_controls(summary: Summary) -> str:
    """Say where edits come from that should not matter: of an editor there are none."""
    if summary.edits == "pairs":
        return "Add controls, edits that should not matter, which tell an effect from any edit’s."
    return "Which effect is its attribute’s and which any edit’s, a table of pairs with controls can tell."


def _never_edited(summary: Summary) -> list[Sensitivity]:
    """Return the attributes that no picture of a begun audit of edits from elsewhere was edited by."""
    if summary.edits is None or not summary.trials:
        return []
    return [row for row in summary.sensitivity if row.value is None]


def _up(value: float) -> str:
    """Format with two decimals, rounded up: the smallest such number that is certainly enough."""
    return decimal(math.ceil(100 * value - 1e-9) / 100)


def _rounded_up(count: int) -> int:
    """Round up to two digits."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step


def _none_of(rows: list[Sensitivity], does: str, does_not: str) -> str:
    return f"None of {len(rows)} attributes {does}" if len(rows) > 1 else f"The attribute measured {does_not}"


def _quoted(names: Sequence[str]) -> str:
    return listed([f"“{name}”" for name in names])
