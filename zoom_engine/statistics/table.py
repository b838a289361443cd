"""Summaries as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from zoom_engine.audit.summary import PREDICTION, GroupDifference, Interval, Sensitivity, Summary
from zoom_engine.common.plurals import agreeing, digits_beside, number_of, with_minus
from zoom_engine.common.terminal import WIDTH, Column, ruled, wrapped
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.interactions import FEWEST

_BAR_WIDTH = 10
_MOST_DIFFERENCES = 3
_MOST_TEXTS = 3


class Beside(NamedTuple):
    """The words for what attributes are compared with: `one` and `several` of them, and what makes them comparable.

    `alike` says that they change pictures as much as attributes do, and `of_size` the same of one edit, each with a
    space before it; "" where nothing sees to that. `missing` says that there is none.
    """

    one: str
    several: str
    alike: str
    of_size: str
    missing: str


RANDOM_EDITS = Beside(
    "random edit", "random edits", " that change pictures as much", " of this size", "no random edits were tried"
)
CONTROLS = Beside("control", "controls", "", "", "there is no edited control to compare with")


def beside(summary: Summary) -> Beside:
    """Return the words for what the attributes of an audit are compared with."""
    return RANDOM_EDITS if summary.edits is None else CONTROLS


def summary_table(summary: Summary, *, title: str = "", width: int = WIDTH, colors: bool = False) -> str:
    """Return the attributes of a summary as an aligned table, with a title line and closing lines.

    It has as many columns as fit in `width`; verdicts have `colors` where a terminal shows them.
    """
    single = summary.mode == "single"
    measure = judged_name(summary) if single else "share of range"
    baseline, shows_images = summary.baseline, summary.interim_analysis is not None
    columns = [
        Column("attribute", text=True, name=True),
        Column(f"{measure} [95 %]", text=True),
        *([Column("verdict", text=True, colored=True)] if single else []),
        *([Column("images")] if shows_images else []),
        Column("of the sum", rank=6),
        Column("flips", rank=2),
        Column("decisive", rank=1),
        Column("label kept", rank=3),
        Column("SSIM", rank=4),
        Column("|weight|" if summary.edits is None else "|strength|", rank=5),
    ]
    body = []
    for row in summary.sensitivity:
        cells = [row.attribute.name, with_interval(row.value, row.interval)]
        cells += [verdict_in_words(row)] if single else []
        cells += [str(row.images)] if shows_images else []
        share = f"{_bar(row.share)} {percent(row.share):>5}"
        cells.append(percent(row.share) if baseline else share)  # a row of bars would be a ranking
        cells.append(flipping(row.flip_rate))
        cells += [flipping(row.decisive_flip_rate), keeping(row.label_kept), decimal(row.ssim)]
        body.append([*cells, decimal(row.mean_abs_weight, 1)])
        few = len(row.differences) <= _MOST_TEXTS  # of more, what is found is said below
        told_apart = row.groups if few and any(group.by != PREDICTION for group in row.groups) else ()
        for group in told_apart:
            body.append([f"  {group.title} ({group.images})", with_interval(group.mean_change, group.ci95)])
        for one in row.differences if few else ():
            body.append([f"  with minus without “{one.by}”", with_interval(one.difference, one.ci95)])
    how = f"search {summary.search}, {summary.mode} mode" if summary.edits is None else f"edits by {summary.edits}"
    about = f"{number_of(summary.images, 'image')}, {how}"
    counted = "" if summary.edited_images == summary.images else f"{summary.edited_images} edited "
    closing = (
        f"{flipping(summary.flip_rate)} of the {counted}images flip, {flipping(summary.decisive_flip_rate)} decisively;"
        f" label kept {keeping(summary.label_kept)}"
    )
    if summary.natural is not None and summary.natural < 1:
        closing += f"; {percent(1 - summary.natural)} of the edits go beyond what the generator draws"
    if summary.mode == "multi" and summary.decisive_images:
        flips = agreeing(summary.decisive_images, "image that flips", "images that flip")
        closing += f"\nshares of a range and weights are means over the {summary.decisive_images} {flips} decisively"
    if baseline:
        directions = "random directions" if summary.edits is None else beside(summary).several
        closing += f"\n{directions}: {decimal(baseline.mean_change, 3)} on average"
        closing += (
            f", the strongest of {baseline.directions} {decimal(baseline.strongest, 3)}"
            if baseline.directions > 1
            else ""
        )
        specific = f"an effect is specific from {decimal(baseline.specific_from, 3)} on, if images agree on it"
        specific += beside_as_many(summary)
        closing += f"; {specific if baseline.specific_from < 1 else 'no effect can be told from these'}"
    if summary.control_prompts:
        closing += f"\ncontrol prompts: {decimal(summary.control_prompts.mean_change, 3)} on average"
        closing += (
            f", the strongest {decimal(summary.control_prompts.most, 3)}"
            if len(summary.control_prompts.prompts) > 1
            else ""
        )
    told = differences_in_words(summary)
    closing += "".join(f"\n{sentence}" for sentence in told[:_MOST_DIFFERENCES])
    if len(told) > _MOST_DIFFERENCES:
        closing += f"\n{number_of(len(told) - _MOST_DIFFERENCES, 'more such difference')}"
    closing += "".join(f"\n{sentence}" for sentence in not_compared(summary))
    if summary.paraphrases:
        closing += f"\n{agreement_in_words(summary)}"
    if summary.interim_analysis:
        closing += f"\n{analyses_in_words(summary)}"
    opening = f"{title}: {about}" if title else about
    notes = [wrapped(line, width=width) for line in closing.split("\n")]
    return "\n".join([wrapped(opening, width=width), *ruled(columns, body, width=width, colors=colors), *notes])


def judged_name(summary: Summary) -> str:
    """Name what is judged of an attribute: the effect at the end of its range, or the largest on the way."""
    return "mean change" if summary.is_judged_at_end or summary.mode == "multi" else "largest change"


def beside_as_many(summary: Summary) -> str:
    """Return the condition on strengths of an effect that is specific; "" where these decide nothing."""
    differ = any(row.strengths_differ for row in summary.sensitivity)
    return " and its edits have no more strengths than the controls’" if differ else ""


def verdict_in_words(row: Sensitivity) -> str:
    """Return both answers about an attribute in words; "-" without any."""
    if row.verdict is None or row.value is None:
        return "-"
    if row.shows_little and row.verdict == "inconclusive":
        return f"inconclusive, {row.shows_little}"
    return f"{row.verdict}, {row.specificity}" if row.specificity and row.verdict == "sensitive" else row.verdict


def agreement_in_words(summary: Summary) -> str:
    """Say how far the paraphrases agree on the order of the attributes; "" where there is only one."""
    agreement = summary.paraphrases
    counts = [len(row.by_paraphrase) for row in summary.sensitivity if row.by_paraphrase]
    if agreement is None or not counts:
        return ""
    which = f"Kendall’s W is {decimal(agreement.w)} [{agreement.low:.2f}, {agreement.high:.2f}]"
    return f"{counts[0]} paraphrases of each attribute: {which} (1: all order the attributes alike)"


def differences_in_words(summary: Summary, names: Mapping[Attribute, str] | None = None) -> list[str]:
    """Say which differences are found between images that have what a text says and those that lack it.

    A sentence each, the largest difference first; attributes are named by `names`, or as they were typed.
    """
    differing = [(row, one) for row in summary.sensitivity for one in row.differences if one.differs]
    differing.sort(key=lambda pair: -abs(pair[1].difference or 0.0))
    return [
        _difference_in_words(row, one, row.attribute.name if names is None else names[row.attribute])
        for row, one in differing
    ]


def _difference_in_words(row: Sensitivity, one: GroupDifference, name: str) -> str:
    means = {group.group: decimal(group.mean_change) for group in row.groups if group.by == one.by}
    (more, have), (less, lack) = sorted([("has", "have"), ("lacks", "lack")], reverse=(one.difference or 0.0) < 0)
    return (
        f"{name[:1].upper()}{name[1:]} moves the output further in images that {have} “{one.by}”: {means[more]},"
        f" against {means[less]} in those that {lack} it; adjusted p {p_value(one.p_adjusted)}."
    )


def not_compared(summary: Summary) -> list[str]:
    """Say for which texts nothing was compared, because too few images have or lack what they say: a sentence each."""

    def told() -> Iterator[str]:
        for same in zip(*(row.differences for row in summary.sensitivity), strict=True):
            most = max(same, key=lambda one: one.has + one.lacks)
            if all(one.p_value is None for one in same):
                have, lack = agreeing(most.has, "has it", "have it"), agreeing(most.lacks, "lacks it", "lack it")
                yield (
                    f"Images that have “{most.by}” are not compared with those that lack it: {most.has} {have},"
                    f" {most.lacks} {lack}, and {FEWEST} of each are needed."
                )

    return list(told())


def analyses_in_words(summary: Summary) -> str:
    """Say how an audit that chooses its number of images came to that number; "" for others."""
    analysis = summary.interim_analysis
    if analysis is None:
        return ""
    until = "it is sensitive or negligible"
    if analysis.width is not None:
        until = f"its interval is at most {analysis.width:g} wide"
    most = number_of(analysis.planned[-1], "image")
    open_ones = sum(row.images >= analysis.planned[-1] for row in summary.sensitivity)
    ended = {
        "settled": f" All did by {number_of(summary.images, 'image')}.",
        "most images": f" {open_ones} of {number_of(len(summary.sensitivity), 'attribute')} took all of them.",
        None: "",
    }[analysis.ended]
    return f"Each attribute is tried on more images until {until}, {most} at most.{ended}"


def percent(value: float | None, *, limit: float | None = None) -> str:
    """Format a value in [0, 1] as "62 %"; "-" for None. Beside a `limit` see `decimal`."""
    if value is None:
        return "-"
    return f"{decimal(100 * value, 0, limit=None if limit is None else 100 * limit)} %"


def flipping(rate: float | None) -> str:
    """Format the share of what flips as `percent` does, but as 0 % only where nothing does."""
    return percent(rate, limit=0.0)


def keeping(rate: float | None) -> str:
    """Format the share of what keeps its label as `percent` does, but as 100 % only where all do."""
    return percent(rate, limit=1.0)


def decimal(value: float | None, digits: int = 2, *, limit: float | None = None) -> str:
    """Format a number with fixed digits, and a minus sign as `signed` has it; "-" for None. 0 has no sign.

    Beside a `limit` it has more digits where those would show it on the limit, or on its other side.
    """
    if value is None:
        return "-"
    return with_minus(f"{value:z.{digits if limit is None else digits_beside(limit, value, digits)}f}")


def p_value(value: float | None) -> str:
    """Format a p-value with four digits; "-" for None, and "below 0.0001" where four digits would be 0."""
    return "below 0.0001" if value is not None and value < 5e-5 else decimal(value, 4)


def signed(value: float, digits: int = 1, *, fixed: bool = False) -> str:
    """Format a number with its sign, without trailing zeros unless its digits are `fixed`: "+4.1", "−15", "0"."""
    text = f"{abs(value):.{digits}f}"
    if "." in text and not fixed:
        text = text.rstrip("0").rstrip(".")
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def with_interval(value: float | None, ci: Interval | None, digits: int = 3, *, limit: float | None = None) -> str:
    """Format a number, and its interval where there is one, as `decimal` does."""
    ends = "" if ci is None else f" [{', '.join(decimal(end, digits, limit=limit) for end in ci)}]"
    return f"{decimal(value, digits, limit=limit)}{ends}"


def _bar(share: float) -> str:
    eighths = round(share * _BAR_WIDTH * 8)
    return ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()).ljust(_BAR_WIDTH)
