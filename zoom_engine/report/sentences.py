"""The audit in words: what was measured, how sure the order is, what a picture stands for.

Plain text only: escaping is the templates' work. Every sentence must hold for an audit at any stage, from the first
record on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from zoom_engine.audit.gallery_file import FrameEntry, StripEntry
from zoom_engine.audit.manifest import Config, Edit, Edits
from zoom_engine.audit.summary import Summary
from zoom_engine.common import registry
from zoom_engine.common.errors import one_line
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.report.curves import Side
from zoom_engine.report.verdicts import LEADS, amount, how_known, is_judged, with_its_interval
from zoom_engine.search import search_type
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.table import decimal, percent, signed
from zoom_engine.targets import TaskView

FLIPS, FLIPPED = "flips here", "flipped"
ADDING = ("adding it", "removing it")
BY_DEFINITION = "corruptions"
"""The editor whose edits are what they are called."""
STRENGTHENING = ("a strength above 0", "a strength below 0")
"""What an edit from elsewhere does: whether that adds the attribute is not known."""


@dataclass(frozen=True)
class Verdict:
    """A verdict on how far the first place can be trusted: a word or two with their `tone` ("warn" or ""), and why."""

    text: str
    tone: str
    sentence: str


@dataclass(frozen=True)
class StripNote:
    """The role of a picture: a `tag` with its `tone`, the `outcome`, and how many images are like it."""

    tag: str
    tone: str
    outcome: str
    sentence: str


def unit(summary: Summary) -> str:
    """Say what attributes are ranked by."""
    if summary.mode == "multi":
        return "how far the attribute is moved, as a share of its own range, mean over the images that flip decisively"
    if summary.is_judged_at_end:
        way = "between lacking the attribute and having it" if summary.edits is None else "at the strongest edit"
        return f"how far the output moves, from 0 to 1, {way}, mean over images"
    return "how far the output moves at most on the way, from 0 to 1, mean over images"


def measurement(summary: Summary, config: Config, view: TaskView) -> str:
    """Say what of the model was measured, on what, under which edits, and from where on a prediction flips."""
    images, attributes = summary.images, len(config.attributes)
    kind = "photograph" if config.photographs else "generated image" if config.edits is None else "image"
    on = number_of(images, kind) if images else f"no {kind}s"
    on = f"up to {on}" if len({row.images for row in summary.sensitivity}) > 1 and config.edits is None else on
    if summary.edited_images < images:
        on += f", of which {summary.edited_images} {agreeing(summary.edited_images, 'was', 'were')} edited"
    how = "" if attributes == 1 else " one at a time" if summary.mode == "single" else " together"
    label = view.response_axis.label
    corner, caption = "", f" In the corner of a picture: {view.caption_label}."
    if view.caption_label == label:
        corner, caption = " (in the corner of a picture)", ""
    flip = f" A flip: {view.flip_in_words}." if view.flip_in_words else ""
    least = ""
    if summary.mode == "single":
        least = f" Sensitive: a mean change of more than {amount(view, config.smallest_effect)}."
    opening = f"Measured: {label}{corner}, on {on}; {number_of(attributes, 'attribute')} edited{how}."
    return f"{opening}{least}{flip}{caption}"


def flips(counts: Counts) -> str:
    """Say how many images flip: "2 of 9 images flip decisively, 1 is borderline"."""
    borderline = counts.flipped - counts.decisive
    if not counts.images:
        return "no edit stays within what the generator draws"
    if counts.images == 1:
        decisively = "it flips decisively" if counts.decisive else "it flips, borderline"
        return decisively if counts.flipped else "it does not flip"
    if not counts.flipped:
        return f"none of {counts.images} images flips"
    more = f", {borderline} {agreeing(borderline, 'is', 'are')} borderline" if borderline else ""
    if not counts.decisive:
        return f"none of {counts.images} images flips decisively{more}"
    return f"{counts.decisive} of {counts.images} images {agreeing(counts.decisive, 'flips', 'flip')} decisively{more}"


def certainty(summary: Summary, names: Mapping[Attribute, str], view: TaskView, *, unfinished: bool) -> Verdict:
    """Say how far the first place can be trusted; `view` says changes in the unit of the task."""
    verdict = _judged(summary, view) if is_judged(summary) else _certainty(summary, names)
    if not unfinished:
        return verdict
    missing = sum(row.value is None for row in summary.sensitivity)
    sentence = _so_far(verdict.sentence, True) if summary.trials else verdict.sentence
    if summary.trials and missing:
        of = number_of(len(summary.sensitivity), "attribute")
        sentence += f" {missing} of {of} {agreeing(missing, 'is', 'are')} not measured yet."
    return Verdict("Not finished", "warn", sentence)


def _judged(summary: Summary, view: TaskView) -> Verdict:
    """Say how many attributes are sensitive, and how that is known."""
    rows = [row for row in summary.sensitivity if row.value is not None]
    specific = sum(row.is_specific and row.specificity is not None for row in rows)
    sensitive = sum(row.verdict == "sensitive" for row in rows)
    inconclusive = sum(row.verdict == "inconclusive" for row in rows)
    if sensitive:
        text = f"{sensitive} of {len(rows)} sensitive"
        text += "" if summary.baseline is None else f", {specific} specific"
    else:
        all_are = "All" if len(rows) == len(summary.sensitivity) else f"{len(rows)} of {len(summary.sensitivity)}"
        text = f"{inconclusive} of {len(rows)} inconclusive" if inconclusive else f"{all_are} negligible"
    return Verdict(text, "" if specific or not inconclusive else "warn", how_known(summary, view))


def _certainty(summary: Summary, names: Mapping[Attribute, str]) -> Verdict:
    if not summary.trials:
        return Verdict("Not measured", "warn", "The audit has no measurement to go by.")
    rows = [row for row in summary.sensitivity if row.interval is not None]
    if summary.mode == "multi" and not rows:
        if not summary.decisive_images:
            why = "Where nothing flips decisively, how far the search moves an attribute says nothing of the model."
            return Verdict("No decisive flip", "warn", why)
        return Verdict("One decisive flip", "warn", "With one image that flips, nothing says what others would show.")
    if not any(row.value is not None for row in summary.sensitivity):
        return Verdict("Not edited", "warn", "The edited pictures are the unedited ones, or are marked as not made.")
    if not rows:
        return Verdict("One image", "warn", "With one image of an attribute, nothing says what others would show.")
    if len(rows) == 1:
        alone = f"“{names[rows[0].attribute]}” is the only attribute measured on two images or more"
        return Verdict("One attribute", "warn", f"{alone}: there is nothing to compare it with.")
    top, second = rows[0], rows[1]
    interval, other = top.interval, second.interval
    assert interval is not None
    assert other is not None
    name = f"“{names[top.attribute]}”"
    runner_up = f"“{names[second.attribute]}” with {with_its_interval(second)}"
    first, apart = top.first, interval[0] > other[1]
    again = f"{name} comes first {_often(first)} when the images are drawn again"
    if first >= LEADS and apart:
        return Verdict("Clear lead", "", f"{again}, and its interval is clear of the runner-up’s, {runner_up}.")
    if first >= LEADS:
        return Verdict("Likely lead", "", f"{again}, though its interval overlaps the runner-up’s, {runner_up}.")
    close = f"{again}: it is close to {runner_up}. More images would tell them apart."
    return Verdict("No clear lead", "warn", close)


def strip_note(
    strip: StripEntry, counts: Counts, alike: int, view: TaskView, *, least: float, flips_said: bool = False
) -> StripNote:
    """Say what a strip of gallery.json stands for.

    `counts` are those of its attribute; `alike` images flip decisively as it does; a flip is decisive from a change of
    `least` on; with `flips_said` something beside it says how many flip. Galleries of older audits do not say why a
    strip was chosen.
    """
    outcome = f"{strip.original_caption} → {strip.caption}, {_outcome(strip, view)}"
    images = number_of(counts.images, "image")
    count = "" if flips_said else flips(counts)

    def note(tag: str, tone: str, *clauses: str) -> StripNote:
        return StripNote(tag, tone, outcome, sentence("; ".join(filter(None, clauses))))

    if strip.kind == "typical":
        if counts.images == 1:
            return note("Typical", "plain", "the only image", count)
        change = agreeing(counts.moved or 1, "changes", "change")  # none of them changes
        moved = f"{counts.moved or 'none'} of them {change} by {amount(view, least)} or more"
        return note("Typical", "plain", f"the median change of {images}", moved, count)
    if strip.kind == "extreme":
        return note(f"Most extreme of {counts.images}", "warn", f"the largest change of {images}", count)
    if strip.kind == "clearest":
        if counts.decisive == 1:
            only = "The only flip" if counts.flipped == 1 else "The only decisive flip"
            return note(only, "", count or "no other image flips decisively")
        return note(f"Clearest of {counts.decisive} flips", "", count, "in this one the output moves furthest")
    if strip.kind == "flip":
        so = f"{alike} of {images} {agreeing(alike, 'flips', 'flip')} decisively in this direction"
        is_said = flips_said and alike == counts.decisive
        if strip.extreme:
            most = "none changes more than this one" if is_said else f"{so}, and none changes more than this one"
            return note(f"Most extreme of {counts.images}", "warn", most)
        middle = agreeing(alike, "this one", "one from the middle of them")
        if is_said:
            so, middle = "", agreeing(alike, "the only one that flips so", "one from the middle of those that flip so")
        is_typical = 2 * counts.decisive >= counts.images > 1 and 2 * alike >= counts.decisive
        tag, tone = ("Typical flip", "plain") if is_typical else ("Decisive flip", "")
        return note(tag, tone, f"{so}: {middle}" if so else middle)
    return note("Example", "plain", "chosen for a large change, not as typical", count)


def edits_in_short(config: Config) -> str:
    """Say where an audit's edits come from and what nothing there can tell of them, for a line of a page."""
    if config.edits is None:
        checked = "label checked" if config.labels else "label not checked"
        return f"edit directions of a generator, {checked}"
    controls = f"{number_of(len(config.edits.controls), 'control')}" if config.edits.controls else "no controls"
    kind = one_line(config.edits.kind, 80)
    is_told = kind == BY_DEFINITION or "text_encoder" in config.content
    scored = "" if is_told else ", whether they show what they are called not checked"
    source = "pairs that others edited" if kind == "pairs" else f"pictures edited by “{kind}”"
    return f"{source}, {controls}, label not checked{scored}"


def image_in_words(config: Config, image: int | None, seed: int) -> str:
    """Name an image: by its number with the seed or the file; by the seed alone where the number is not known."""
    if image is None:
        return f"Seed {seed}"
    if config.edits is not None:
        return f"Image {image}, “{one_line(config.edits.images[image], 80)}”"
    if config.photographs:
        return f"Image {image}, photograph {one_line(config.photographs[image], 80)}"
    return f"Image {image}, seed {seed}"


def _outcome(strip: StripEntry, view: TaskView) -> str:
    if not strip.flipped:
        return "no flip"
    way = ""
    if strip.direction:
        before, after = map(view.state_name, strip.direction)
        way = f" from {before} to {after}" if before else f" to {after}"
    kind = {True: "decisive flip", False: "borderline flip", None: "flip"}[strip.decisive]
    return f"{kind}{way}"


def edit_in_words(
    strip: StripEntry, name: str, *, bounds: tuple[float, float] | None = None, edit: Edit | None = None
) -> str:
    """Say what an edit makes of a picture: "no eyeglasses → eyeglasses".

    Args:
        strip: the pictures.
        name: short name of the attribute.
        bounds: of the image's range. Where it lies on one side of 0 the image lacks the attribute, or has it, before
            the edit; else it is only said what the edit does. Short of the end of the range it does so partly.
        edit: the attribute's, of an audit of edits from elsewhere.
    """
    weight = strip.way[-1].weight
    if strip.attribute is None or weight is None:
        return "unedited → all attributes edited"
    if edit is not None:
        is_graded = bool(edit.unit) or {*edit.strengths} - {0.0, 1.0}  # else a picture has the edit or not
        return f"unedited → {name} {strength(weight, edit)}" if is_graded else f"unedited → {name}"
    if not weight:
        return f"{name}, unedited"
    lacks, done = _without(name, strip.attribute.name), "added" if weight > 0 else "removed"
    is_partial = strip.shown is not None and strip.shown < len(strip.frames) - 1
    if bounds is None or (bounds[0] < 0 < bounds[1]) or not lacks:
        return f"{name}{' partly' if is_partial else ''} {done}"
    before, after = (lacks, name) if weight > 0 else (name, lacks)
    return f"{before} → {name} partly {done}" if is_partial else f"{before} → {after}"


def _without(name: str, prompt: str) -> str:
    """Say that a picture lacks what a prompt names: "no beard", "not smiling", "without the cap"; "" of denials."""
    first, _, rest = name.partition(" ")
    if {"no", "not", "without"} & {*name.lower().split()}:
        return ""
    if first.lower() in ("a", "an") and rest:
        return f"no {rest}"
    if first.lower() in ("the", "his", "her", "its", "their"):
        return f"without {name}"
    is_thing = any(f" {word} {name}" in prompt for word in ("with", "wearing", "in"))
    return f"{'no' if is_thing else 'not'} {name}"


def flip_notes(strip: StripEntry) -> list[str]:
    """Return a note for each picture of a strip: the prediction flips or has flipped, or the label is not kept.

    "" where there is nothing to say, and in galleries of older versions.
    """
    return [_flip_note(frame, strip.flip_weight) for frame in strip.frames]


def _flip_note(frame: FrameEntry, flip_weight: float | None) -> str:
    if flip_weight is not None and frame.weight == flip_weight:
        return FLIPS
    if frame.label_kept is False:
        return "label not kept"
    return FLIPPED if frame.flipped else ""


def flips_at(strip: StripEntry) -> float | None:
    """Return the fraction of its way at which the prediction flips.

    Where all attributes are edited, it is that of the first picture at which it has flipped. None where it does not
    flip, and in galleries of older versions.
    """
    end = strip.frames[-1].weight
    if strip.attribute is None or not end:
        flipped = [index for index, frame in enumerate(strip.frames) if frame.counts_as_flip]
        return flipped[0] / (len(strip.frames) - 1) if flipped else None
    return None if strip.flip_weight is None else strip.flip_weight / end


def way(strip: StripEntry, edit: Edit | None = None) -> str:
    """Say where on its way through its range the prediction flips; "" in galleries of older versions.

    `edit` is the attribute's, of an audit of edits from elsewhere, whose strengths are all that there is of the way.
    """
    if edit is not None:
        return _way_of_strengths(strip, edit)
    frames, flip_at = strip.frames, flips_at(strip)
    if any(frame.flipped is None for frame in frames):
        return ""
    if flip_at is None and any(frame.counts_as_flip for frame in frames):
        return "The prediction flips and is back between two weights that the search tried, which does not count."
    if flip_at is None and any(frame.flipped for frame in frames):
        return "The prediction flips only where that does not count, as the label is not kept there."
    if strip.attribute is None:
        if flip_at is None:
            return "The prediction does not flip on the way."
        before = flip_at - 1 / (len(frames) - 1)
        return f"The prediction flips between {percent(before)} and {percent(flip_at)} of the way."
    end = signed(frames[-1].weight or 0.0)
    if flip_at is None:
        return f"The prediction does not flip on the way to weight {end}, an end of this image’s range."
    at = f"The prediction flips at weight {signed(strip.flip_weight or 0.0)}, {percent(flip_at)} of the way to {end},"
    last = "the label is not kept" if frames[-1].label_kept is False else "it has flipped back"
    return f"{at} the end of this image’s range{'' if frames[-1].counts_as_flip else f'; there {last}'}."


def _way_of_strengths(strip: StripEntry, edit: Edit) -> str:
    """Say from which strength on the prediction flips."""
    end = strength(strip.frames[-1].weight or 0.0, edit)
    if strip.flip_weight is None:
        return f"The prediction does not flip at any strength of this image’s edits from 0 to {end}."
    return f"The prediction flips at strength {strength(strip.flip_weight, edit)}, the first that does, of up to {end}."


def strength_name(edit: Edit | None) -> str:
    """Return what `strength` tells is called: "Strength", or "Edit weight" where `edit` is None."""
    return "Edit weight" if edit is None else "Strength"


def strength(value: float, edit: Edit | None) -> str:
    """Format a strength with its unit: "+0.05", "−30°", "+2 stops"; an edit weight where `edit` is None."""
    if edit is None:
        return signed(value)
    space = "" if edit.unit in ("", "°") else " "
    return f"{signed(value, 6)}{space}{edit.unit}"


def edited(name: str, weight: float | None, edit: Edit | None = None) -> str:
    """Say what was done to a picture, and how strongly: "with smiling added, edit weight +8.2".

    Args:
        name: short name of the attribute, or of all of them together.
        weight: the edit weight, or the strength; None where several attributes have one.
        edit: the attribute's, of an audit of edits from elsewhere.
    """
    if weight is None:
        return f"with {name} edited"
    if edit is not None:
        return f"edited, {name}, strength {strength(weight, edit)}"
    way = "unchanged" if weight == 0 else "added" if weight > 0 else "removed"
    return f"with {name} {way}, edit weight {signed(weight)}"


_GIVEN_BY = {
    "examples": "examples",
    "scorers": "models that score pictures",
    "edits": "what ready-made edits show",
}
"""What gives attributes that are no words, see `Config.given_by`."""


def search_sentence(config: Config) -> str:
    """Say which search the audit uses and, where the manifest has a reason, why."""
    if config.edits is not None:
        return "Nothing is searched: the model is asked about each strength that an edit has."
    name = config.search or ""
    kind = search_type(name)
    sentence = f"The search is {kind.in_words if kind else name}"
    return f"{sentence}: {config.search_reason}." if config.search_reason else f"{sentence}."


def left_out(config: Config) -> str:
    """Say which random directions the audit left out, as a sentence with a space before it; "" where it did not."""
    out = config.random_directions_left_out
    left = agreeing(
        out, "1 more was drawn and left out: it changes", f"{out} more were drawn and left out: they change"
    )
    return f" {left} the label on more than one picture in ten." if out else ""


def uses_text(config: Config) -> bool:
    """Tell whether the edit directions were found from the attributes' prompts.

    They were not where they were given ready-made, by a method that is not built in, and where there are none.
    """
    by_text = config.method is None or config.method in registry.all_names(registry.DIRECTION_METHODS)
    return by_text and config.edits is None


def score(config: Config) -> str:
    """Return what the score of an attribute is called: a text score where all are words."""
    return "score" if config.given_by else "text score"


def described(config: Config) -> str:
    """Say what attributes are described by, before the name of the first."""
    if not uses_text(config) and not config.given_by:
        return "along directions that were given ready-made, under names such as"
    kinds = {config.given_by[attribute.text][0] for attribute in config.attributes if attribute.text in config.given_by}
    if not kinds:
        return "described only by words such as"
    words = ["words"] if any(attribute.text not in config.given_by for attribute in config.attributes) else []
    told = [_GIVEN_BY[kind] for kind in _GIVEN_BY if kind in kinds]
    return f"described by {listed([*words, *told])}, under names such as"


def edit(config: Config) -> str:
    """Say what an edit is, and where its direction comes from."""
    if config.edits is not None:
        return (
            f"{_upper(made_by(config.edits))}. Strength 0 is the unedited picture; what another strength means is up to"
            " what edits, so strengths of two attributes need not compare."
        )
    unit = "an edit weight of 1 is one standard deviation of unedited codes along it"
    if config.method == "generator":
        made = (
            "The generator gives each attribute a direction itself: what its prompt adds to a code in place of"
            f" “{config.neutral}”"
        )
        unit += ", or a tenth of that difference where they vary by less"
    elif uses_text(config):
        words = any(attribute.text not in config.given_by for attribute in config.attributes)
        of_words = (
            f"The text model gives each attribute a direction among texts, its prompt less “{config.neutral}”. "
            if words
            else ""
        )
        made = (
            f"{of_words}{_of_sources(config)}The channels of the generator’s code that answer to it make the edit"
            " direction"
        )
    else:
        made = (
            f"The edit directions were given to the audit, made by “{one_line(config.method or '', 80)}”:"
            " it did not find them from the attributes’ prompts, so check that each shows what its name says"
        )
    return f"{made}; {unit}, and a positive weight adds the attribute."


def _of_sources(config: Config) -> str:
    """Say where directions of attributes that are no words come from, each sentence with a space after it."""
    kinds = {kind for kind, _ in config.given_by.values()}
    told = ""
    if "examples" in kinds:
        told += "Examples give theirs by what sets them apart from pictures without it. "
    if "scorers" in kinds:
        told += "A model that scores pictures gives its score. "
    return told


def made_by(edits: Edits) -> str:
    """Say who edited the pictures, without a full stop."""
    if edits.kind == "pairs":
        return "others edited the pictures, and a table says which is an edit of which"
    return f"the editor “{one_line(edits.kind, 80)}” edits the pictures"


def effect(removing: Side, adding: Side, *, negligible: float, verbs: tuple[str, str] = ADDING) -> str:
    """Say what adding and removing an attribute does to the output on average; `verbs` name the two.

    Below the negligible threshold `negligible` that is nothing, and no digits finer than it are shown.
    """
    digits = _digits(negligible)
    sides = [(what, side) for what, side in zip(verbs, (adding, removing), strict=True) if side.images]
    if not sides:
        return "Not measured yet."
    if all(abs(side.mean) < negligible for _, side in sides):
        return "Hardly any change on average."
    return f"{_upper('; '.join(f'{what}: {signed(side.mean, digits)}' for what, side in sides))} on average."


def direction(removing: Side, adding: Side, what: str, *, negligible: float, verbs: tuple[str, str] = ADDING) -> str:
    """Say in which direction an attribute moves the output, called `what`; "" before anything is measured."""
    parts = [
        f"{doing} {_way_of(side, what, negligible)}"
        for doing, side in zip(verbs, (adding, removing), strict=True)
        if side.images
    ]
    return f"{_upper('; '.join(parts))}." if parts else ""


def _way_of(side: Side, what: str, negligible: float) -> str:
    up, down = side.beyond(negligible)
    images = number_of(side.images, "image")
    digits = max(2, _digits(negligible))
    if side.mean and abs(side.mean) >= negligible:
        other = down if side.mean > 0 else up
        way = "raises" if side.mean > 0 else "lowers"
        average = " on average" if side.images > 1 else ""
        against = f", {other} of them the other way" if other else ""
        return f"{way} {what} by {decimal(abs(side.mean), digits)}{average} ({images}{against})"
    if up and down:
        return f"moves {what} both ways (of {images} {up} up, {down} down)"
    return f"hardly moves {what} on average ({images})"


def _digits(negligible: float) -> int:
    """Return with how many decimals a negligible threshold is told; 2 where none is negligible."""
    return max(0, math.ceil(-math.log10(negligible))) if negligible else 2


def _often(rate: float) -> str:
    return "in more than 99 of 100 cases" if rate > 0.99 else f"in {100 * rate:.0f} of 100 cases"


def _so_far(sentence: str, unfinished: bool) -> str:
    return f"So far: {sentence[0].lower()}{sentence[1:]}" if unfinished else sentence


def sentence(clause: str) -> str:
    """Make a sentence of a clause."""
    return f"{_upper(clause)}."


def _upper(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}"
