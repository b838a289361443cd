"""The conclusions that a reader must not draw from an audit, in words. Plain text: escaping is the templates' work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zoom_engine.audit.manifest import Edits, Manifest
from zoom_engine.audit.summary import Summary
from zoom_engine.common.plurals import agreeing, few_of, listed, number_of, tries_in_words
from zoom_engine.report.sentences import made_by
from zoom_engine.report.verdicts import no_further_than_control
from zoom_engine.settings.attributes import Attribute, text_key
from zoom_engine.statistics.attribute_tests import LEAST
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.table import agreement_in_words, decimal, keeping, percent, with_interval

_LABELS_OFF = (
    "No label prompts were given, so nothing checks that an edit leaves alone the very thing that the model "
    "is meant to recognise. A flip may be a right answer to a changed picture."
)
_GENERATED = (
    "All pictures are synthetic. The audit sees what its generator can draw and what its text model "
    "understands by the prompts; it cannot find a sensitivity to anything else."
)
_INVERTED = (
    "The pictures are not the photographs: they are what the generator draws of them, and are edited there. What it"
    " cannot draw is left out, so these images are no fair sample of the photographs; and the audit cannot find a"
    " sensitivity to anything that the generator does not draw or the text model does not understand by the prompts."
)
_NOT_A_FAULT = "A model may rightly use an attribute. The audit says what moves the output, not whether it should."
_POWER = (
    "It is of effects that vary over images as the changes in this audit do, with edits going as far as they went here."
    " An effect of {:g} itself, the smallest that matters, is never found. What no attribute names is not included."
)
_COVERED = (
    "where the means over all images lie that the generator could draw, of which {} were seen. How truly it draws an"
    " attribute, and whether an edit changes that alone, is not in them: look at the direction sheets for that."
)


_OF_PHOTOGRAPHS = (
    "where the means over all photographs lie of which these {} would be a random choice, after their inversion. How"
    " truly the generator draws an attribute, and whether an edit changes that alone, is not in them: look at the"
    " direction sheets for that."
)


_NOT_LABELLED = (
    "Nothing checks that an edit leaves alone the very thing that the model is meant to recognise. A flip may be a"
    " right answer to a changed picture."
)
_NOT_LOOKED_AT = (
    "Here {}. The audit cannot tell whether an edit was made as its name says, or what else it changed: look at the"
    " pictures. What is named nowhere among the attributes is not audited."
)
_SCORED = (
    "Here {}. A text encoder scored all pictures against the names of the attributes. By the largest edit of each image"
    " the attribute’s own score moves by {}, in its natural range: from the images that lack it to those that have it."
    " The encoder can be wrong, and of all else that an edit changes it tells what the table of side effects has: look"
    " at the pictures. What is named nowhere among the attributes is not audited."
)
_UNSEEN = (
    "Of {} the text encoder does not see that pictures were edited: their score moves by less than a quarter of its"
    " natural range, or not surely. Where no effect on the output is shown either, nothing is known of the attribute:"
    " it is inconclusive, and not negligible."
)
_NOT_MADE = (
    "Of {} no edited picture differs from the unedited one by more than rounding, or it is marked as not made. They"
    " are left out of all means, for they do not say that the model does not mind."
)
_ORDER = (
    "An attribute that is edited further moves the output further, and how far each is edited was chosen and not"
    " measured. The order of attributes, and their shares of the sum, are those of these strengths."
)
_WITHOUT_CONTROLS = (
    "No edit is marked as one that should not matter. So the audit cannot tell whether the model reacts to these"
    " attributes or to any change of a picture: another edit that changes as much might move it as far."
)
_CONTROLS = (
    "Edits that should not matter are what somebody marked as such: {}. An effect is told from theirs alone, and as far"
    " as they change pictures by as much as the attributes’ edits do, which nothing here measures."
)
_A_LABEL = (
    "{} says what a label prompt says, so its edit changes the ground truth. Edits that lose the label count as no"
    " change; a model that follows those that the label check lets pass may be right."
)
_LARGEST = (
    "An edit leads to both sides of 0, so the largest change is judged, which grows with the number of strengths. With"
    " more of them than the controls have, no attribute is called specific, and with fewer none unspecific."
)
_GIVEN_BY = (
    "{} got its meaning from pictures or from a model: whatever goes with it there is edited with it, whatever the name"
    " says. Look at the pictures."
)
_OF_EDITS = (
    "where the means over all images lie of which these {} would be a random choice. Whether an edit shows what its"
    " name says, and changes that alone, is not in them: look at the pictures for that."
)


def limits(
    summary: Summary,
    manifest: Manifest,
    names: Mapping[Attribute, str],
    counts: Counts,
    *,
    beyond: float | None,
    edited: Mapping[Attribute, int] | None = None,
    not_edited: Mapping[str, int] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield (title, explanation) pairs.

    `counts` are those of images whatever the attribute; `beyond` is the fraction of flips in the paper's range that
    need weights outside the calibrated range, None where unknown. `edited` says in how many images each attribute is
    edited, of an audit of edits from elsewhere, and `not_edited` by name in how many one, or a control, was to
    be and the pictures stayed as they were.
    """
    config = manifest.config
    labels, label_rate = config.labels, summary.label_kept
    if config.edits is not None:
        yield "No label check", _NOT_LABELLED
    elif (label_rate is None and summary.trials) or labels == ():
        yield "Label check off", _LABELS_OFF
    elif labels or label_rate is not None:
        named = ", ".join(f"“{label}”" for label in labels or ())
        note = f"; {keeping(label_rate)} of the reported edits keep their label" if summary.trials else ""
        yield (
            "Label check on",
            f"A model of text and images compares the edited pictures with the label prompts{named and f' ({named})'}"
            f"{note}. It can be wrong too.",
        )
        texts = {text_key(label) for label in labels or ()}
        if alike := [f"“{names[one]}”" for one in config.attributes if not texts.isdisjoint(one.keys)]:
            yield "An attribute that is a label", _A_LABEL.format(few_of(alike))
    if counts.flipped > counts.decisive:
        borderline = counts.flipped - counts.decisive
        one, several = "flips in no other way than", "flip in no other way than"
        near = "near the decision to begin with, and"
        why = agreeing(borderline, f"it was {near} proves little", f"they were {near} prove little")
        yield (
            "Borderline flips",
            f"Of {number_of(counts.images, 'image')}, {borderline} {agreeing(borderline, one, several)} by less than"
            f" {config.decisive_change:g} of the output: {why}.",
        )
    if counts.beyond:
        yield (
            "Edits beyond the generator",
            f"{counts.beyond} of {number_of(counts.images + counts.beyond, 'image')}"
            f" {agreeing(counts.beyond, 'was', 'were')} edited beyond what the generator draws, and"
            f" {agreeing(counts.beyond, 'is', 'are')} left out of the pictures and of the flips in the headline: a flip"
            " out there proves nothing.",
        )
    elif summary.mode == "multi" and summary.trials and summary.natural is None:
        yield (
            "Edits not held to the generator’s range",
            "Several attributes edited together can leave what the generator draws though each stays within its own"
            " range. This audit did not measure that: look at the pictures before a flip is believed.",
        )
    if beyond is not None:
        yield (
            "Edits out of range",
            f"Of the flips found with edit weights up to ±{config.bound:g}, {percent(beyond)} need a"
            " stronger edit than the attribute varies by itself. Pictures out there can look unreal.",
        )
    if manifest.misread:
        quoted = listed([f"“{prompt}”" for prompt in manifest.misread])
        yield (
            "Prompts that lead the other way",
            f"The text model hardly reads the denial in {quoted}: more of it is more of what it denies. Type what is"
            " there in its place; an edit both adds and removes it.",
        )
    if config.given_by:
        given = [f"“{names[attribute]}”" for attribute in config.attributes if attribute.text in config.given_by]
        yield "What no words say", _GIVEN_BY.format(few_of(given or [f"“{name}”" for name in config.given_by]))
    faint = {row.attribute for row in summary.sensitivity if row.faint}
    if weak := ", ".join(f"“{names[attribute]}”" for attribute in config.attributes if attribute in faint):
        yield "Faint directions", f"The generator hardly answers to {weak}: read those rows with care."
    if wording := agreement_in_words(summary):
        spread = max(
            (row for row in summary.sensitivity if row.by_paraphrase),
            key=lambda row: max(row.by_paraphrase or (0.0,)) - min(row.by_paraphrase or (0.0,)),
        )
        low, high = (decimal(end(spread.by_paraphrase or (0.0,))) for end in (min, max))
        yield (
            "How much depends on the wording",
            f"{wording}. Words matter most for “{names[spread.attribute]}”, whose effect is {low} in one and {high} in"
            " another.",
        )
    if no_further := _no_further_than_controls(summary, names):
        yield "No further than control prompts", no_further
    if summary.power is not None:
        yield "What a power covers", _POWER.format(config.smallest_effect)
    if config.note:
        yield "About the target", config.note
    if summary.tries:
        tries = sum(summary.tries.values())
        incomplete = tries > summary.tries.get("answered", 0)
        again = " What was not answered was asked again: no result stands on it." if incomplete else ""
        yield "How the service answered", f"Of {tries} tries: {tries_in_words(summary.tries)}.{again}"
    if config.edits is not None:
        yield from _of_edits(config.edits, summary, names, edited or {})
        if not_edited:
            which = [f"“{name}” in {number_of(count, 'image')}" for name, count in not_edited.items()]
            yield "Edits that were not made", _NOT_MADE.format(few_of(which))
    elif config.photographs:
        yield "Inverted photographs", _INVERTED
    else:
        yield "Generated pictures", _GENERATED
    yield "Sensitivity is not yet a fault", _NOT_A_FAULT
    if summary.images > 1:
        covered = _OF_EDITS if config.edits is not None else _OF_PHOTOGRAPHS if config.photographs else _COVERED
        yield "What the intervals cover", f"They say {covered.format(summary.images)}"


def _of_edits(
    edits: Edits, summary: Summary, names: Mapping[Attribute, str], edited: Mapping[Attribute, int]
) -> Iterator[tuple[str, str]]:
    """Yield what an audit of edits from elsewhere cannot say; `edited` says how many images have each edit."""
    images, scored = summary.images, [row for row in summary.sensitivity if row.edit_score is not None]
    told = [
        f"{with_interval(row.edit_score, row.edit_score_interval, 2)} for “{names[row.attribute]}”" for row in scored
    ]
    looked = _SCORED.format(made_by(edits), few_of(told)) if scored else _NOT_LOOKED_AT.format(made_by(edits))
    yield "Whether edits are what they are called", looked
    if unseen := [f"“{names[row.attribute]}”" for row in scored if row.edit_is_unseen]:
        yield "Edits that were not seen", _UNSEEN.format(few_of(unseen))
    if len(edits.attributes) > 1:
        yield "What the order means", _ORDER
    controls = [f"“{control.name}”" for control in edits.controls]
    if not controls:
        yield "No controls", _WITHOUT_CONTROLS
    else:
        few = f" With fewer than {LEAST} of them no attribute is called specific." if len(controls) < LEAST else ""
        yield "What controls are", f"{_CONTROLS.format(few_of(controls))}{few}"
        if not summary.is_judged_at_end:
            yield "Strengths of controls", _LARGEST
    partly = [f"“{names[attribute]}” in {count}" for attribute, count in edited.items() if count < images]
    if partly:
        yield (
            "Not every image has each edit",
            f"Of {number_of(images, 'image')} {few_of(partly)}: means of two attributes are over different images.",
        )


def _no_further_than_controls(summary: Summary, names: Mapping[Attribute, str]) -> str:
    """Name what is sensitive and yet moves the output no further than a control prompt; "" where nothing does."""
    within = ", ".join(
        f"“{names[row.attribute]}”" for row in summary.sensitivity if no_further_than_control(summary, row)
    )
    if summary.control_prompts is None or not within:
        return ""
    return (
        f"A meaningless control prompt moves the output by {decimal(summary.control_prompts.most)},"
        f" and {within} by no more: look at the pictures before that is believed."
    )
