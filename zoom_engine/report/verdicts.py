"""The findings of an audit on its attributes, in words: how large effects are, what causes them, how that is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.summary import LEAST_LABEL_KEPT, Sensitivity, ShowsLittle, Summary, Verdict
from zoom_engine.common.plurals import agreeing, duration, few_of
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.power import LIKELY, most_images
from zoom_engine.statistics.table import beside, beside_as_many, percent, with_interval
from zoom_engine.targets import TaskView

TOLD = 0.1  # an audit that could miss an effect of so much is told to be weak
MOST_QUOTED = 3
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


def verdict_groups(
    summary: Summary, config: Config, names: Mapping[Attribute, str], view: TaskView, *, unfinished: bool
) -> list[VerdictGroup]:
    """Return what is sensitive, inconclusive and negligible; empty groups are left out.

    There is none in multi mode or before anything is measured. Of an unfinished audit all is inconclusive, wherever
    intervals lie.
    """
    least, others = amount(view, config.smallest_effect), beside(summary)
    sensitive, inconclusive, negligible = (_that_are(summary, v) for v in ("sensitive", "inconclusive", "negligible"))

    def of(specificity: str | None) -> list[Sensitivity]:
        return [row for row in sensitive if row.specificity == specificity]

    above = f"a mean effect above {least} is shown"
    if unfinished:
        so_far = tuple(names[row.attribute] for row in summary.sensitivity if row.verdict and row.value is not None)
        meaning = "nothing is judged before the audit is finished"
        return [VerdictGroup("inconclusive", "Inconclusive", so_far, meaning)] if so_far else []
    why_open = f"no interval lies above or below {least}: more images are needed"
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
            f"{above}, but these {others.several} do not tell whether any edit{others.of_size} does the same",
        ),
        (
            "sensitive",
            "Sensitive",
            of(None),
            f"{above}; {others.missing}, so any other edit{others.of_size} may do the same",
        ),
        ("inconclusive", "Inconclusive", inconclusive, why_open),
        ("negligible", "Negligible", negligible, f"a mean effect of {least} or more is ruled out"),
        (
            "inconclusive",
            "Nothing moves",
            _showing_little(summary, "nothing moves"),
            "no edit, of any attribute, moves the output by a digit: the model may not read these pictures",
        ),
        (
            "inconclusive",
            "Hardly drawn",
            _showing_little(summary, "hardly drawn"),
            "no effect is shown, and the generator hardly draws what was asked: nothing is known",
        ),
        ("inconclusive", "Not edited", _never_edited(summary), "no picture shows the edit: nothing is known"),
        (
            "inconclusive",
            "Edit not seen",
            _showing_little(summary, "edit not seen"),
            "no effect is shown, and the text encoder does not see that pictures were edited: nothing is known",
        ),
        (
            "inconclusive",
            "Label lost",
            _showing_little(summary, "label lost"),
            f"no effect is shown, but fewer than {percent(LEAST_LABEL_KEPT)} of the edits keep the label: more images"
            " tell no more",
        ),
    ]
    return [
        VerdictGroup(verdict, title, tuple(names[row.attribute] for row in rows), meaning)
        for verdict, title, rows, meaning in groups
        if rows
    ]


def how_known(summary: Summary, view: TaskView) -> str:
    """Say what effects were compared with."""
    baseline = summary.baseline
    together = "Intervals hold for all attributes at once."
    if baseline is None and summary.edits is None and not _that_are(summary, "sensitive"):
        finished = summary.power is not None
        none = "No attribute is sensitive, so none is compared with random edits." if finished else ""
        return f"{together} {none}".strip()
    if baseline is None:
        lacking = "random directions (--random-directions)" if summary.edits is None else "controls"
        return f"{together} Without {lacking} nothing says whether an effect is its attribute’s or any edit’s."
    several, words = baseline.directions > 1, beside(summary)
    strongest = f", the strongest by {in_units(view, baseline.strongest)}" if several else ""
    edits = f"{baseline.directions} {words.several}" if several else f"A {words.one}"
    moves = agreeing(baseline.directions, "moves", "move")
    alike = words.alike if several else words.alike.replace("change", "changes")
    so = f"{edits}{alike} {moves} the output by {in_units(view, baseline.mean_change)} on average"
    so += strongest
    if summary.control_prompts is not None:
        so += f"; control prompts moved it by at most {in_units(view, summary.control_prompts.most)}"
    least = max(baseline.specific_from, baseline.smallest_effect)
    told = "none can be told from these"
    if least < 1:
        told = f"an effect of {in_units(view, up(least))} or more is told from what they do if images agree on it"
        told += beside_as_many(summary)
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
        return " That is much: edits that should not matter move this model."
    return " That is much: something that no attribute names moves this model. zoom-engine discover looks for it."


def chances(summary: Summary, config: Config, view: TaskView) -> list[tuple[str, str]]:
    """Return how likely such an audit is to find effects that matter sensitive, by their size: (size, percent)."""
    sizes = {} if summary.power is None else summary.power.sensitive
    matter = {float(size): power for size, power in sizes.items() if float(size) > config.smallest_effect}
    return [(amount(view, size), percent(power)) for size, power in matter.items()]


def detectable(summary: Summary, view: TaskView) -> str:
    """Say which effect such audits find in most cases; "" where that was not measured."""
    if summary.power is None:
        return ""
    least = summary.power.detectable
    if least is None:
        return "No effect is detected in 80 of 100 such audits."
    return f"Effects of {amount(view, up(least))} or more are detected in at least 80 of 100 such audits."


def weak_from(config: Config) -> float:
    """Return the effect that an audit should detect: `TOLD`, or twice the smallest that matters where that is more."""
    return min(max(TOLD, 2 * config.smallest_effect), 1.0)


def is_weak(summary: Summary, config: Config) -> bool:
    """Tell whether more than a fifth of such audits would miss an effect of `weak_from` or more."""
    power = summary.power
    return power is not None and (power.detectable is None or power.detectable > weak_from(config))


def next_steps(summary: Summary, config: Config, names: Mapping[Attribute, str], *, unfinished: bool) -> list[str]:
    """Return what a reader should do next, one sentence or more, the most urgent first."""
    if unfinished:
        return ["Run the same command again: it goes on where it stopped."]
    if summary.mode == "multi":
        look = "Check that each picture that flips still shows its label."
        alone = "Run it with --mode single to see what each attribute does alone."
        return [look, alone] if summary.decisive_images else [alone]
    sensitive = [names[row.attribute] for row in summary.sensitivity if row.is_specific]
    inconclusive = _that_are(summary, "inconclusive")
    unknown = [row for row in _that_are(summary, "sensitive") if row.specificity == "unknown"]
    uneven, few = (
        [names[row.attribute] for row in unknown if row.strengths_differ is differ] for differ in (True, False)
    )
    elsewhere = summary.edits is not None
    shows = f"Check that each edit shows what its {'name' if elsewhere else 'prompt'} says"
    steps = []
    if unseen := _showing_little(summary, "edit not seen"):
        steps.append(f"Check that the pictures of {_quoted_few([names[row.attribute] for row in unseen])} show it.")
    if lost := _showing_little(summary, "label lost"):
        quoted = _quoted_few([names[row.attribute] for row in lost])
        steps.append(f"Look at the pictures of {quoted}: where these keep the label, say it in other words (--label).")
    if still := _never_edited(summary):
        steps.append(f"Find out why no picture of {_quoted_few([names[row.attribute] for row in still])} was edited.")
    if summary.never_moves:
        steps.append("Check that the model reads these pictures: no edit changed its output by a digit.")
    if sensitive:
        it = f"“{sensitive[0]}”" if len(sensitive) == 1 else "each of them"
        steps.append(f"{shows}, then decide whether the model may use {it}.")
    if undrawn := _showing_little(summary, "hardly drawn"):
        quoted = _quoted_few([names[row.attribute] for row in undrawn])
        steps.append(f"Say {quoted} in other words, or use a generator that draws it: zoom-engine fit tells.")
    if reacts_to_anything(summary):
        steps.append(
            "Look at what the controls change: it moves this model."
            if elsewhere
            else "Run zoom-engine discover: it looks for what else moves this model."
        )
    if uneven:
        steps.append(f"Controls of as many strengths may tell {_quoted_few(uneven)} from any edit.")
    if few:
        more = "More controls" if elsewhere else "More random directions (--random-directions)"
        steps.append(f"{more} may tell {_quoted_few(few)} from any edit.")
    if inconclusive and not summary.never_moves:
        steps.extend(to_settle(summary, config, names))
    elif is_weak(summary, config) and not summary.never_moves:
        steps.append("Run more images before anybody concludes that the rest does not matter.")
    if summary.baseline is None and any(row.verdict == "sensitive" for row in summary.sensitivity):
        steps.append(
            _give_controls(summary)
            if elsewhere
            else "Run it with random directions (without --random-directions 0), which tell an effect from any edit’s."
        )
    return steps or [f"{shows}: only then do these results mean anything."]


def to_settle(summary: Summary, config: Config, names: Mapping[Attribute, str]) -> Iterator[str]:
    """Say how many images would settle what is inconclusive, and of what no number that can be made would."""
    open_rows = _that_are(summary, "inconclusive")
    inconclusive = [row for row in open_rows if row.interval is not None]
    settling = [row for row in inconclusive if row.images_to_settle is not None]
    open_ones = [names[row.attribute] for row in inconclusive if row.images_to_settle is None]
    if settling:
        images = images_that_settle(settling)
        which = f"{len(settling)} of {len(inconclusive)}" if open_ones else "all" if len(settling) > 2 else "both"
        which = f"{which} inconclusive attributes" if len(inconclusive) > 1 else f"“{names[inconclusive[0].attribute]}”"
        chance = f"{which} with a chance of {percent(LIKELY)} or more"
        if summary.edits is not None:
            yield f"{images} images with such an edit would settle {chance}."
        elif config.photographs:
            yield f"{images} photographs would settle {chance}."
        elif config.interim_analyses is not None and config.interim_analyses.width is not None:
            yield f"{images} images would settle {chance}: run it in another folder without --width."
        else:
            yield f"Run {command_that_settles(summary, config, images)}: that would settle {chance}."
    if open_ones:
        seem = agreeing(len(open_ones), "seems", "seem")
        most = most_images(summary.images)
        which = _quoted_few(open_ones)
        yield f"{which} {seem} too near to the smallest effect that matters for {most} images to settle."
    # Of edits from elsewhere each attribute has but a part of the images.
    if alone := [names[row.attribute] for row in open_rows if row.interval is None]:
        yield f"More images give {_quoted_few(alone)} an interval."


def images_that_settle(rows: Sequence[Sensitivity]) -> int:
    """Return how many images would settle all these inconclusive attributes, rounded up to two digits."""
    return _roundedup(max(row.images_to_settle or 0 for row in rows))


def command_that_settles(summary: Summary, config: Config, images: int) -> str:
    """Return the command that continues an audit up to so many images, and how long it would take at most.

    The option is added to the command of the audit, which continues in its folder.
    """
    option, trials = "--images", (images - summary.images) * len(summary.sensitivity)
    if config.interim_analyses is not None:
        option, most = "--most-images", config.interim_analyses.planned[-1]
        continuing = [row for row in summary.sensitivity if row.verdict == "inconclusive" and row.images >= most]
        trials = sum(images - row.images for row in continuing)
    time = "" if summary.trial_seconds is None else f" (about {duration(trials * summary.trial_seconds)} here)"
    return f"zoom-engine diagnose … {option} {images}{time}"


def with_its_interval(row: Sensitivity) -> str:
    """Format a value with its interval."""
    return with_interval(row.value, row.interval, 2)


def in_units(
    view: TaskView, value: float, interval: tuple[float, float] | None = None, *, limit: float | None = None
) -> str:
    """Format a mean change in the unit of the task, with its interval: "8.2 [6.9, 9.5] years".

    Beside a `limit` see `table.decimal`.
    """
    numbers, unit = numbers_and_unit(view, value, interval, limit=limit)
    return f"{numbers} {unit}" if unit else numbers


def numbers_and_unit(
    view: TaskView, value: float, interval: tuple[float, float] | None, *, limit: float | None = None
) -> tuple[str, str]:
    """Return a mean change with its interval in the unit of the task, and the unit, "" where there is none."""
    words = view.change_in_words(value)
    if not words:
        return with_interval(value, interval, 2, limit=limit), ""
    (number, unit), *ends = (text.partition(" ")[::2] for text in (words, *map(view.change_in_words, interval or ())))
    if any(end[1] != unit for end in ends):
        return f"{words}, {with_interval(value, interval, 2)}", ""
    return f"{number} [{', '.join(end[0] for end in ends)}]" if ends else number, unit


def amount(view: TaskView, change: float) -> str:
    """Say a change that is a limit, in the unit of the task and as a share: "4.0 years (0.05 of the range)"."""
    words = view.change_in_words(change)
    if not words:
        return f"{change:g}"
    return f"{words} ({change:g} of {view.whole})" if view.whole else words


def leading(summary: Summary) -> list[Sensitivity]:
    """Return the sensitive attributes that a headline names, the strongest first: the specific ones, or else all."""
    sensitive = _that_are(summary, "sensitive")
    return [row for row in sensitive if row.is_specific] or sensitive


def foremost(summary: Summary) -> Sensitivity | None:
    """Return what a headline names first, or else what moves the output most; None before anything is measured."""
    return next(iter(leading(summary) or summary.sensitivity), None)


def no_further_than_control(summary: Summary, row: Sensitivity) -> bool:
    """Tell whether a sensitive attribute moves the output no further than a control prompt."""
    return (
        row.verdict == "sensitive"
        and summary.control_prompts is not None
        and (row.value or 0.0) <= summary.control_prompts.most
    )


def is_judged(summary: Summary) -> bool:
    """Tell whether the audit gives verdicts: it is of single attributes, and something is measured."""
    return any(row.verdict for row in summary.sensitivity if row.value is not None)


def _that_are(summary: Summary, verdict: Verdict) -> list[Sensitivity]:
    """Return the attributes of a verdict; those that are inconclusive as their edits show little stand apart."""
    rows = [row for row in summary.sensitivity if row.verdict == verdict and row.value is not None]
    return [row for row in rows if not row.shows_little] if verdict == "inconclusive" else rows


def _showing_little(summary: Summary, reason: ShowsLittle) -> list[Sensitivity]:
    """Return the attributes that are not shown to move the output, and why a small effect of theirs says nothing."""
    return [row for row in summary.sensitivity if row.verdict == "inconclusive" and row.shows_little == reason]


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


def up(value: float) -> float:
    """Round up to two decimals: the smallest such number that is certainly enough."""
    return math.ceil(100 * value - 1e-9) / 100


def _roundedup(count: int) -> int:
    """Round up to two digits."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step


def _quoted_few(names: Sequence[str]) -> str:
    """Quote the first names, and say how many more there are."""
    return few_of([f"“{name}”" for name in names], MOST_QUOTED)
