"""What an audit calls sensitive, what it leaves undecided and what is below, in words; and how that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoom_engine.attributes import Attribute
from zoom_engine.audit.evidence import LEVEL
from zoom_engine.audit.summary import Called, Sensitivity, Summary
from zoom_engine.audit.table import decimal, percent, with_interval
from zoom_engine.plurals import agreeing, listed, number_of
from zoom_engine.targets import Task

WEAK, TOLD = 0.8, 0.1
MOST_IN_SHORT = 2
LEADS = 0.95  # in so many of resampled audits an attribute that leads comes first


@dataclass(frozen=True)
class Calls:
    """The attributes that have one thing in common: `names`, the strongest first, and what that `meaning` is."""

    called: Called
    title: str
    names: tuple[str, ...]
    meaning: str


def calls(summary: Summary, names: Mapping[Attribute, str], *, smallest_effect: float) -> list[Calls]:
    """What is called, undecided and below, those without an attribute left out; nothing where none is asked for.

    The two reasons for which an attribute is below are told apart: an interval that ends below the smallest effect
    rules that effect out, whereas an attribute that moves the output less than random edits do may have any interval.
    """
    least, below = f"{smallest_effect:g}", _that_are(summary, "below")
    ruled_out = [row for row in below if row.interval is not None and row.interval[1] < smallest_effect]
    groups: list[tuple[Called, str, list[Sensitivity], str]] = [
        (
            "called",
            "Called sensitive",
            _that_are(summary, "called"),
            f"moving the output by {least} or more on average, and further than random edits do",
        ),
        (
            "undecided",
            "Undecided",
            _that_are(summary, "undecided"),
            "neither shown nor ruled out: more images would tell",
        ),
        (
            "below",
            f"Below {least}",
            ruled_out,
            f"a mean effect of {least} or more is ruled out: the 95 % interval ends under it",
        ),
        (
            "below",
            "Below random edits",
            [row for row in below if row not in ruled_out],
            "moving the output less than random edits of the same images do, which is no sign that the model uses them;"
            f" a mean effect of {least} or more is not ruled out",
        ),
    ]
    return [
        Calls(called, title, tuple(names[row.attribute] for row in rows), meaning)
        for called, title, rows, meaning in groups
        if rows
    ]


def how_known(summary: Summary) -> str:
    """What attributes were held against, and what makes a call."""
    null = summary.null
    if null is None:
        return "The random directions that attributes are held against are not measured yet."
    several = null.directions > 1
    strongest = f", the strongest by {decimal(null.strongest)}" if several else ""
    same = agreeing(summary.images, "the same image", f"the same {summary.images} images")
    move = f"{null.directions} random directions move" if several else "A random direction moves"
    so = f"{move} the output by {decimal(null.mean_change)} on average{strongest}, on {same}"
    if summary.nothing is not None:
        so += f"; prompts that name nothing visible moved it by at most {decimal(summary.nothing.most)}"
    further = f"moves it further than {'these' if several else 'this'}, with an adjusted p-value below {percent(LEVEL)}"
    return f"{so}. What is called {further}, and by {null.smallest_effect:g} or more."


def missed(summary: Summary) -> str:
    """How large an effect could have been missed; "" where that was not measured."""
    if not summary.power:
        return ""
    (first, share), *more = ((size, f"{100 * share:.0f}") for size, share in summary.power.items())
    rest = " and ".join(f"one of {size} in {share}" for size, share in more)
    more_images = " More images would raise that." if is_weak(summary) else ""
    return f"Of 100 such audits {share} would call an effect of {first}, {rest}.{more_images}"


def is_weak(summary: Summary) -> bool:
    """The audit could have missed an effect of `TOLD` or more in over a fifth of such audits."""
    return any(share < WEAK for size, share in (summary.power or {}).items() if float(size) >= TOLD)


def what_now(summary: Summary, names: Mapping[Attribute, str], *, unfinished: bool) -> str:
    """What a reader should do next."""
    if unfinished:
        return "Run the same command again: it goes on where it stopped. Nothing on this page is final yet."
    if summary.mode == "multi":
        return (
            "Look at the pictures: does each still show its label? Run it with --mode single to see what each"
            " attribute does alone."
        )
    called, undecided = ([names[row.attribute] for row in _that_are(summary, c)] for c in ("called", "undecided"))
    steps = []
    if called:
        it = f"“{called[0]}”" if len(called) == 1 else "each of them"
        steps.append(f"Look whether the edits show what their words say; then decide whether the model may use {it}.")
    if undecided:
        steps.append(f"More images would decide {_quoted(undecided)}.")
    elif is_weak(summary):
        steps.append("Run more images before anybody concludes that the rest does not matter.")
    if not asks_for_calls(summary):
        steps.append("Run it with random directions beside (--null 2), which tell an effect from noise.")
    if not steps:
        steps.append(
            "Look whether the edits show what their words say: only then it means something that none matters."
        )
    return " ".join(steps)


def finding(summary: Summary, names: Mapping[Attribute, str], task: Task) -> str:
    """The headline where nothing is called; `task` says a change in its own unit."""
    rows = [row for row in summary.sensitivity if row.value is not None]
    undecided = sum(row.called == "undecided" for row in rows)
    null = summary.null
    if null is not None and not undecided:
        reach = f"by {null.smallest_effect:g} or more on average and further than random edits do"
        return f"{_none_of(rows)} moves this model’s output {reach}."
    own = task.change_in_words(rows[0].value or 0.0)
    own = f", that is {own}," if own else ""
    most = f"the most is {decimal(rows[0].value)}{own} on average, for “{names[rows[0].attribute]}”"
    left = "all" if undecided == len(rows) else str(undecided)
    known = f"; {left} {agreeing(undecided, 'is', 'are')} undecided" if len(rows) > 1 else ""
    beside = "" if null is None else f", and random edits come to {decimal(null.mean_change)}"
    return f"{_none_of(rows)} is called sensitive{known}: {most}{beside}."


def in_short(summary: Summary, names: Mapping[Attribute, str], *, unfinished: bool) -> str:
    """What is called, in a few words for a list of audits; where nothing was to be called what moves the output most,
    or is moved furthest."""
    most = next((row for row in summary.sensitivity if row.value is not None), None)
    if unfinished:
        return "not finished yet"
    if summary.mode == "multi" and summary.units:
        of = f"{summary.decisive_images} of {number_of(summary.images, 'image')}"
        so = f"{of} {agreeing(summary.decisive_images, 'flips', 'flip')} decisively, all attributes edited together"
        return so + moved_furthest(summary, names)
    if most is None:
        return "nothing was measured"
    if not asks_for_calls(summary):
        return f"“{names[most.attribute]}” moves the output most, by {measured(most)}"
    called = _that_are(summary, "called")
    if not called:
        return "nothing is called sensitive"
    told = [f"“{names[row.attribute]}”, {measured(row)}" for row in called[:MOST_IN_SHORT]]
    rest = len(called) - len(told)
    return f"sensitive to {listed([*told, f'{rest} more'] if rest else told)}"


def moved_furthest(summary: Summary, names: Mapping[Attribute, str]) -> str:
    """What is moved furthest in the images that flip decisively, as the end of a sentence: the first attribute alone
    where it is nearly always the first, else the second too. "" where nothing flips."""
    rows = [row for row in summary.sensitivity if row.value is not None]
    if not rows:
        return ""
    top, rest = rows[0], rows[1:]
    several = summary.decisive_images > 1
    where = "in the decisive flips" if several else "in the decisive flip"
    if several and rest and top.first < LEADS:
        return f"; {where} “{names[top.attribute]}” and “{names[rest[0].attribute]}” are moved furthest"
    average = " on average" if several else ""
    return f"; {where} “{names[top.attribute]}” is moved furthest, by {measured(top)} of its own range{average}"


def measured(row: Sensitivity) -> str:
    """A value with its interval."""
    return with_interval(row.value, row.interval, 2)


def others(summary: Summary, names: Mapping[Attribute, str]) -> str:
    """What is called besides the first."""
    rest = [names[row.attribute] for row in _that_are(summary, "called")[1:]]
    return f" Called sensitive too: {_quoted(rest)}." if rest else ""


def asks_for_calls(summary: Summary) -> bool:
    """The audit holds its attributes against random directions."""
    return any(row.called for row in summary.sensitivity)


def first_called(summary: Summary) -> Sensitivity | None:
    """The most sensitive attribute of those that are called."""
    return next(iter(_that_are(summary, "called")), None)


def _that_are(summary: Summary, called: Called) -> list[Sensitivity]:
    return [row for row in summary.sensitivity if row.called == called]


def _none_of(rows: list[Sensitivity]) -> str:
    return f"None of {len(rows)} attributes" if len(rows) > 1 else "The attribute measured"


def _quoted(names: Sequence[str]) -> str:
    return listed([f"“{name}”" for name in names])
