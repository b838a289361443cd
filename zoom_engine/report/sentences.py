"""The audit in words: the headline, how sure it is, what a picture stands for.

Plain text only: escaping is the templates' work. Every sentence must hold for an audit at any stage, from the first
record on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from zoom_engine.attributes import Attribute
from zoom_engine.audit.counts import Counts
from zoom_engine.audit.gallery_file import StripEntry
from zoom_engine.audit.manifest import Config
from zoom_engine.audit.summary import Sensitivity, Summary
from zoom_engine.audit.table import decimal, signed
from zoom_engine.report.calls import asks_for_calls, finding, first_called, how_known, others
from zoom_engine.search import search_type
from zoom_engine.targets import Task


@dataclass(frozen=True)
class Verdict:
    """How far the first place is to be trusted: a word or two with their `tone` ("good", "warn" or ""), and why."""

    text: str
    tone: str
    sentence: str


@dataclass(frozen=True)
class Standing:
    """What a picture stands for: a `tag` with its `tone`, the `outcome` of the edit, and for how many images."""

    tag: str
    tone: str
    outcome: str
    sentence: str


def unit(summary: Summary) -> str:
    """What attributes are ranked by."""
    if summary.mode == "multi":
        return "how far the attribute is moved, as a share of its own range, mean over images"
    return "how far the output moves, from 0 to 1, mean over images"


def headline(
    summary: Summary,
    names: Mapping[Attribute, str],
    counts: Mapping[Attribute | None, Counts],
    task: Task,
    *,
    unfinished: bool,
) -> str:
    """The finding in one sentence or two. `names` maps attributes to their short names; `counts` are of each attribute
    and, under None, of the images whatever the attribute; `task` says a change in its own unit."""
    rows = [row for row in summary.sensitivity if row.value is not None]
    if not rows:
        return "Nothing is measured yet."
    top, name = rows[0], f"“{names[rows[0].attribute]}”"
    average = "on average" if counts[None].units > 1 else "in the one image measured"
    if summary.mode == "multi":
        furthest = f"{name} is moved furthest, by {_measured(top)} of its own range {average}"
        return _so_far(f"With all attributes edited together, {flips(counts[None])}; {furthest}.", unfinished)
    calling = asks_for_calls(summary)
    if calling:
        called = first_called(summary)
        if called is None:
            return _so_far(finding(summary, names), unfinished)
        top, name = called, f"“{names[called.attribute]}”"
    mean, here = top.value or 0.0, counts[top.attribute]
    own = task.change_in_words(mean)
    own = f", that is {own}," if own else ""
    if mean >= task.small or calling:
        moves = f"Adding or removing {name} moves this model’s output by {_measured(top)}{own} {average}"
        return _so_far(f"{moves}; {flips(here)}.{others(summary, names)}", unfinished)
    if len(rows) == 1:
        hardly = f"{name} hardly moves this model’s output: by {decimal(mean)}{own} {average}"
        return _so_far(f"{hardly}; {flips(here)}.", unfinished)
    which = f"None of the {len(rows)} attributes measured" if unfinished else f"None of {len(rows)} attributes"
    found = f"{which} moves this model’s output by much: the most is {decimal(mean)}{own} {average}, for {name}."
    if counts[None].decisive:
        found += f" Under some edit, {flips(counts[None])}."
    return _so_far(found, unfinished)


def flips(counts: Counts) -> str:
    """How many images flip, decisive and borderline ones apart: "2 of 9 images flip decisively, 1 is borderline"."""
    borderline = counts.flipped - counts.decisive
    if not counts.units:
        return "no edit stays within what the generator draws"
    if counts.units == 1:
        decisively = "it flips decisively" if counts.decisive else "it flips, borderline"
        return decisively if counts.flipped else "it does not flip"
    if not counts.flipped:
        return f"none of {counts.units} images flips"
    are = "is" if borderline == 1 else "are"
    if not counts.decisive:
        return f"none of {counts.units} images flips decisively, {borderline} {are} borderline"
    more = f", {borderline} {are} borderline" if borderline else ""
    return f"{counts.decisive} of {counts.units} images {'flips' if counts.decisive == 1 else 'flip'} decisively{more}"


def certainty(summary: Summary, names: Mapping[Attribute, str], task: Task, *, unfinished: bool) -> Verdict:
    """How far the first place is to be trusted; `task` says which changes are small."""
    found = _calling(summary) if asks_for_calls(summary) else _certainty(summary, names, task)
    if not unfinished:
        return found
    missing = sum(row.value is None for row in summary.sensitivity)
    sentence = _so_far(found.sentence, True) if summary.units else found.sentence
    if summary.units and missing:
        sentence += f" {missing} of {len(summary.sensitivity)} attributes are not measured yet."
    return Verdict("Not finished", "warn", sentence)


def _calling(summary: Summary) -> Verdict:
    """How many attributes are called sensitive, and how that is known."""
    called = sum(row.called == "called" for row in summary.sensitivity)
    known = sum(row.called is not None for row in summary.sensitivity)
    text = f"{called} of {known} called" if called else "Nothing called"
    return Verdict(text, "", how_known(summary))


def _certainty(summary: Summary, names: Mapping[Attribute, str], task: Task) -> Verdict:
    if not summary.units:
        return Verdict("Not measured", "warn", "The audit has no measurement to go by.")
    rows = [row for row in summary.sensitivity if row.interval is not None]
    if not rows:
        return Verdict("One image", "warn", "With one image of an attribute, nothing says what others would show.")
    if len(rows) == 1:
        alone = f"“{names[rows[0].attribute]}” is the only attribute measured on two images or more"
        return Verdict("One attribute", "warn", f"{alone}: there is nothing to compare it with.")
    top, second = rows[0], rows[1]
    own, other = top.interval, second.interval
    assert own is not None
    assert other is not None
    if summary.mode == "single" and (top.value or 0.0) < task.small:
        highest = decimal(max(row.interval[1] for row in rows if row.interval))
        return Verdict("Nothing stands out", "", f"Even the upper ends of all intervals stay at or below {highest}.")
    name = f"“{names[top.attribute]}”"
    runner_up = f"“{names[second.attribute]}” with {_measured(second)}"
    first, apart = top.first, own[0] > other[1]
    again = f"{name} comes first {_often(first)} when the images are drawn again"
    if first >= 0.95 and apart:
        return Verdict("Clear lead", "good", f"{again}, and its interval is clear of the runner-up’s, {runner_up}.")
    if first >= 0.95:
        return Verdict("Likely lead", "", f"{again}, though its interval overlaps the runner-up’s, {runner_up}.")
    close = f"{again}: it is close to {runner_up}. More images would tell them apart."
    return Verdict("No clear lead", "warn", close)


def standing(strip: StripEntry, counts: Counts, alike: int, task: Task, *, least: float) -> Standing:
    """What a strip of gallery.json stands for: `counts` are of its attribute, `alike` flip decisively as it does.

    From a change of `least` on a flip is decisive. Galleries of older audits do not say why a strip was chosen.
    """
    outcome = f"{strip.original_caption} → {strip.caption}, {_outcome(strip, task)}"
    kind = strip.kind
    images = f"{counts.units} images"
    if kind == "typical":
        if counts.units == 1:
            return Standing("Typical", "plain", outcome, f"The only image; {flips(counts)}.")
        moved = f"{counts.moved or 'none'} of them change by {least:g} or more"
        return Standing("Typical", "plain", outcome, f"The median change of {images}; {moved}; {flips(counts)}.")
    if kind == "extreme":
        only = f"the largest change of {images}; {flips(counts)}"
        return Standing(f"Most extreme of {counts.units}", "warn", outcome, f"{_upper(only)}.")
    if kind == "flip":
        so = f"{alike} of {images} {'flips' if alike == 1 else 'flip'} decisively in this direction"
        if strip.extreme:
            tag = f"Most extreme of {counts.units}"
            return Standing(tag, "warn", outcome, f"{_upper(so)}, and none changes more than this one.")
        middle = "this one" if alike == 1 else "one from the middle of them"
        return Standing("Decisive flip", "", outcome, f"{_upper(so)}: {middle}.")
    return Standing("Example", "plain", outcome, f"Chosen for a large change, not as typical; {flips(counts)}.")


def _outcome(strip: StripEntry, task: Task) -> str:
    if not strip.flipped:
        return "no flip"
    way = ""
    if strip.direction:
        before, after = map(task.state_name, strip.direction)
        way = f" from {before} to {after}" if before else f" to {after}"
    kind = {True: "decisive flip", False: "borderline flip", None: "flip"}[strip.decisive]
    return f"{kind}{way}"


def search_sentence(config: Config) -> str:
    """Which search the audit uses and, where the manifest says so, why."""
    name = config.search or ""
    kind = search_type(name)
    sentence = f"The search is {kind.in_words if kind else name}"
    return f"{sentence}: {config.search_reason}." if config.search_reason else f"{sentence}."


def effect(at_low: float | None, at_high: float | None, *, hardly: float) -> str:
    """What adding and removing an attribute does to the mean output: its changes at the ends of the range. Below
    `hardly` they are none, and not shown any finer."""
    digits = max(0, math.ceil(-math.log10(hardly)))
    parts = [
        f"{what} it: {signed(change, digits)}"
        for what, change in (("adding", at_high), ("removing", at_low))
        if change is not None
    ]
    if not parts or all(abs(change or 0.0) < hardly for change in (at_low, at_high)):
        return "Hardly any change on average."
    return f"{_upper('; '.join(parts))} on average."


def _measured(row: Sensitivity) -> str:
    value, interval = decimal(row.value), row.interval
    return value if interval is None else f"{value} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _often(share: float) -> str:
    return "in more than 99 of 100 cases" if share > 0.99 else f"in {100 * share:.0f} of 100 cases"


def _so_far(sentence: str, unfinished: bool) -> str:
    return f"So far: {sentence[0].lower()}{sentence[1:]}" if unfinished else sentence


def _upper(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}"
