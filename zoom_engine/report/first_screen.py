"""The first screen of an audit in words: a headline, one line on how sure it is, the next step.

Plain text only: escaping is the templates' work. What an audit could not see is never told as nothing found: the
headline denies a sensitivity only where the intervals rule it out, of edits that keep the label and are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.summary import Sensitivity, Summary
from zoom_engine.common.plurals import agreeing, few_of, number_of
from zoom_engine.report.sentences import flips, sentence
from zoom_engine.report.verdicts import (
    LEADS,
    amount,
    images_that_settle,
    in_units,
    leading,
    next_steps,
    no_further_than_control,
    numbers_and_unit,
    reacts_to_anything,
    with_its_interval,
)
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.table import beside, percent
from zoom_engine.targets import TaskView

Kind = Literal["sensitive", "inconclusive", "negligible", "unfinished"]
KINDS: tuple[Kind, ...] = ("sensitive", "inconclusive", "negligible", "unfinished")
"""In the order in which an index shows audits."""
MOST_NAMED = 2
PREPOSITIONS = frozenset({"at", "before", "by", "in", "near", "on", "under", "without"})
LABELS_LOST = 0.9
"""Below this fraction of edits that keep the label the first screen says so."""


@dataclass(frozen=True)
class FirstScreen:
    """What the first screen says: the `kind` of the result, and a sentence or two each.

    With `tells_flips` they say how many images the leading attribute flips, so no picture beside them does.
    """

    kind: Kind
    headline: str
    certainty: str
    next: str
    tells_flips: bool


def first_screen(
    summary: Summary,
    config: Config,
    names: Mapping[Attribute, str],
    counts: Mapping[Attribute | None, Counts],
    view: TaskView,
    *,
    progress: str | None = None,
) -> FirstScreen:
    """Say the result of an audit.

    Args:
        summary: of the audit.
        config: of the audit.
        names: short names of the attributes.
        counts: of each attribute and, under None, of the images whatever the attribute.
        view: says a change in the unit of the task.
        progress: how much of an unfinished audit is done, "3 of 9 measurements"; None of a finished one.
    """
    audit = _Audit(summary, config, names, counts, view)
    kind: Kind
    if progress is not None:
        kind, headline, certainty = "unfinished", f"Not finished: {progress} done", audit.so_far()
    elif summary.mode == "multi":
        kind, headline, certainty = audit.together()
    elif leading(summary):
        kind, headline, certainty = "sensitive", audit.sensitive(), audit.how_sure()
    else:
        kind, headline = audit.none_sensitive()
        certainty = audit.largest()
    step = next_steps(summary, config, names, unfinished=progress is not None)[0]
    return FirstScreen(kind, headline, certainty, step, audit.tells_flips(kind))


@dataclass(frozen=True)
class _Audit:
    """What the sentences are made of, see `first_screen`."""

    summary: Summary
    config: Config
    names: Mapping[Attribute, str]
    counts: Mapping[Attribute | None, Counts]
    view: TaskView

    @property
    def rows(self) -> list[Sensitivity]:
        """The attributes that were measured, the largest effect first."""
        return [row for row in self.summary.sensitivity if row.value is not None]

    @property
    def open_ones(self) -> list[Sensitivity]:
        """The attributes of which nothing is shown: neither that they matter nor that they do not."""
        return [row for row in self.summary.sensitivity if row.verdict != "negligible"]

    def tells_flips(self, kind: Kind) -> bool:
        """Tell whether headline or certainty of a result say how many images the leading attribute flips."""
        if self.summary.mode == "multi":
            return bool(self.counts[None].flipped)
        if kind == "unfinished":
            return False
        is_all = len(self.summary.sensitivity) == 1 and bool(self.counts[None].decisive)
        return is_all or bool(leading(self.summary))

    def so_far(self) -> str:
        """Say what the records of an unfinished audit hold."""
        summary, rows = self.summary, self.rows
        if not summary.trials:
            return "Nothing is measured yet."
        if summary.mode == "multi":
            return _joined(f"So far {flips(self.counts[None])}. All figures will change.", self._label())
        if not rows:
            return "So far no picture was edited."
        top, images = rows[0], self.counts[rows[0].attribute].images
        over = "in the one image measured" if images == 1 else f"on average over {images} images"
        most = "moves the output" if len(rows) == 1 else "moves the output most"
        text = f"So far {self.names[top.attribute]} {most}, by {self._effect(top)} {over}. All figures will change."
        missing = len(summary.sensitivity) - len(rows)
        if missing:
            of = number_of(len(summary.sensitivity), "attribute")
            text += f" {missing} of {of} {agreeing(missing, 'is', 'are')} not measured yet."
        return _joined(text, self._label())

    def together(self) -> tuple[Kind, str, str]:
        """Return the kind, headline and certainty of an audit that edits all attributes together."""
        counts, summary = self.counts[None], self.summary
        if not summary.trials:
            return "inconclusive", "Inconclusive: nothing was measured", "The audit has no records."
        several = len(self.names) > 1
        edited = "all attributes are edited together" if several else f"{next(iter(self.names.values()))} is edited"
        beyond = f"{number_of(counts.beyond, 'image')} left what the generator draws." if counts.beyond else ""
        alone = "It says nothing of what an attribute does alone." if several else ""
        if not counts.images:
            text = "Inconclusive: no edit stays within what the generator draws"
            return "inconclusive", text, _joined(beyond, self._label())
        if not counts.decisive:
            which = "in the one image" if counts.images == 1 else f"in {counts.images} images"
            proof = "The search may have missed some: that is no proof that nothing flips the model."
            text = f"No decisive flip found {which} when {edited}"
            borderline = sentence(flips(counts)) if counts.flipped else ""
            return "inconclusive", text, _joined(borderline, proof, beyond, self._label())
        which = "The one image flips" if counts.images == 1 else f"{counts.decisive} of {counts.images} images flip"
        if counts.images > 1 and counts.decisive == 1:
            which = f"1 of {counts.images} images flips"
        furthest, how = self._moved_furthest() if several else ("", "")
        text = f"{which} decisively when {edited}{furthest and f'; most moved: {furthest}'}"
        return "sensitive", text, _joined(how, alone, beyond, self._label())

    def sensitive(self) -> str:
        """Say what the model is sensitive to, or that it reacts to any change."""
        rows = leading(self.summary)
        top, baseline = rows[0], self.summary.baseline
        if baseline is not None and not top.is_specific and any(row.specificity == "unspecific" for row in rows):
            several = beside(self.summary).several
            most = in_units(self.view, baseline.strongest)
            name = self._noun(top.attribute)
            return f"Reacts to any change: {name} moves it by {self._effect(top)}, {several} by up to {most}"
        named = [f"{self._noun(row.attribute)} ({self._effect(row, top)})" for row in rows]
        return f"Sensitive to {few_of(named, MOST_NAMED)}"

    def _noun(self, attribute: Attribute) -> str:
        """Return an attribute's name as it follows "to": “in the snow” is quoted, pale skin is not."""
        name = self.names[attribute]
        return f"“{name}”" if name.partition(" ")[0].lower() in PREPOSITIONS else name

    def how_sure(self) -> str:
        """Say how sure it is that the model is sensitive to what the headline names first."""
        top = leading(self.summary)[0]
        name = "" if len(leading(self.summary)) == 1 else f"{self.names[top.attribute]}: "
        control = self.summary.control_prompts
        as_far = ""
        if control is not None and no_further_than_control(self.summary, top):
            as_far = f"A meaningless control prompt moves the output as far ({in_units(self.view, control.most)})."
        return _joined(
            sentence(f"{name}{flips(self.counts[top.attribute])}"),
            self._against_random(top),
            as_far,
            self._others(top),
            self._label(),
        )

    def none_sensitive(self) -> tuple[Kind, str]:
        """Say that nothing is sensitive, as far as that is shown."""
        summary, rows = self.summary, self.summary.sensitivity
        if not self.rows:
            why = "no picture was edited" if summary.trials else "nothing was measured"
            return "inconclusive", f"Inconclusive: {why}"
        if summary.never_moves:
            return "inconclusive", "Inconclusive: no edit moved the output at all"
        open_ones, count = self.open_ones, len(rows)
        if not open_ones:
            least = amount(self.view, self.config.smallest_effect)
            baseline = summary.baseline
            if baseline is not None and reacts_to_anything(summary):
                much = in_units(self.view, baseline.mean_change, baseline.ci95)
                none = f"none of {count} attributes by {least} or more"
                little = f"the attribute by less than {least}" if count == 1 else none
                return "sensitive", f"Reacts to other changes: {beside(summary).several} move it by {much}, {little}"
            if count == 1:
                return (
                    "negligible",
                    f"Not sensitive to {self._noun(rows[0].attribute)}: it moves the output by less than {least}",
                )
            return "negligible", f"None of {count} attributes moves the output by {least} or more"
        if 2 * len(open_ones) > count:
            which = "" if len(open_ones) == count else f" for {len(open_ones)} of {count} attributes"
            return "inconclusive", f"Inconclusive{which}: {self._why_open(open_ones)}"
        negligible = count - len(open_ones)
        are = agreeing(negligible, "is", "are")
        shown = f"{negligible} of {count} attributes {are} negligible, {len(open_ones)} inconclusive"
        return "inconclusive", f"{shown}: {self._why_open(open_ones)}"

    def largest(self) -> str:
        """Say what was seen where nothing is sensitive: the largest shift, what random edits do, and what flips."""
        rows = self.rows
        if not rows:
            return self._label() or "The audit has no records."
        top, baseline, decisive = rows[0], self.summary.baseline, self.counts[None].decisive
        alone = self.counts[top.attribute].images == 1
        shift = f"Largest shift {self._effect(top)} ({self.names[top.attribute]})"
        if len(self.summary.sensitivity) == 1:
            shift = f"Mean shift {self._effect(top)}" if not alone else f"Shift {self._effect(top)}"
        shift += " in one image" if alone else ""
        if baseline is not None:
            shift += f"; {beside(self.summary).several} {in_units(self.view, baseline.mean_change)} on average"
            shift += (
                f", above {amount(self.view, baseline.smallest_effect)}" if reacts_to_anything(self.summary) else ""
            )
        flipping = ""
        if decisive:
            by = "some edit flips" if len(self.summary.sensitivity) > 1 else "the edit flips"
            flipping = sentence(f"{by} {decisive} of {number_of(self.counts[None].images, 'image')} decisively")
        return _joined(f"{shift}.", flipping, self._unseen(), self._label())

    def _effect(self, row: Sensitivity, top: Sensitivity | None = None) -> str:
        """Say an effect in the unit of the task; beside that of `top` the unit is told and the share of what 1 is."""
        if top is not None and row is not top:
            return numbers_and_unit(self.view, row.value or 0.0, row.interval, limit=self.config.smallest_effect)[0]
        words = in_units(self.view, row.value or 0.0, row.interval, limit=self.config.smallest_effect)
        return f"{words}, {row.value:.2f} of {self.view.whole}" if top and self.view.whole else words

    def _why_open(self, open_ones: Sequence[Sensitivity]) -> str:
        """Say why nothing is shown of most attributes."""
        if any(row.verdict == "inconclusive" and row.value is not None and not row.shows_little for row in open_ones):
            if self.summary.images == 1:
                return "one image says nothing of others"
            if settling := [row for row in open_ones if row.images_to_settle is not None]:
                them = "it" if len(open_ones) == 1 else "them" if len(settling) == len(open_ones) else "some"
                return f"about {images_that_settle(settling)} images would settle {them}"
            if any(row.interval is None for row in open_ones):
                which = "each attribute" if all(row.interval is None for row in self.rows) else "some attributes"
                return f"too few images of {which}"
            return f"too near to {amount(self.view, self.config.smallest_effect)}"
        if any(row.seldom_keeps_label for row in open_ones):
            return "edits seldom keep the label"
        if any(row.edit_is_unseen for row in open_ones):
            return "the text encoder does not see what was edited"
        if any(row.value is not None for row in open_ones):
            return "the generator hardly draws what was asked"
        return "pictures were not edited"

    def _unseen(self) -> str:
        """Say of which attributes the edits showed little, as sentences."""
        rows = self.summary.sensitivity
        faint = [self.names[row.attribute] for row in rows if row.faint]
        still = [self.names[row.attribute] for row in rows if row.value is None]
        unseen = [self.names[row.attribute] for row in rows if row.edit_is_unseen]
        return _joined(
            f"The generator hardly draws {few_of(faint, MOST_NAMED)}." if faint else "",
            f"Not edited: {few_of(still, MOST_NAMED)}." if still else "",
            f"The text encoder does not see the edits of {few_of(unseen, MOST_NAMED)}." if unseen else "",
        )

    def _against_random(self, row: Sensitivity) -> str:
        """Say whether any edit moves the output as far as an attribute."""
        words, baseline = beside(self.summary), self.summary.baseline
        if baseline is None or row.specificity is None:
            return f"{words.missing[:1].upper()}{words.missing[1:]}: any other edit may do as much."
        as_far, count = row.as_far or 0, baseline.directions
        move = agreeing(as_far or 1, "moves", "move")
        tried = number_of(count, words.one)
        if row.specificity == "unknown":
            do = agreeing(as_far or 1, "does", "do")
            return f"Whether any edit does as much is unknown: {as_far or 'none'} of {tried} {do}."
        return f"{as_far or 'None'} of {tried}{words.of_size} {move} the output as far."

    def _others(self, top: Sensitivity) -> str:
        """Say what is known of the attributes that the headline does not count."""
        told = leading(self.summary)
        rest = [row for row in self.summary.sensitivity if row not in told]
        few = f"no further than {beside(self.summary).several}"
        kinds = {
            few: [row for row in rest if row.verdict == "sensitive" and row.specificity == "unspecific"],
            "sensitive for unknown reasons": [
                row for row in rest if row.verdict == "sensitive" and row.specificity == "unknown"
            ],
            "inconclusive": [row for row in rest if row.value is not None and row.verdict == "inconclusive"],
            "negligible": [row for row in rest if row.verdict == "negligible"],
            "not edited": [row for row in rest if row.value is None],
        }
        parts = [f"{len(rows)} {kind}" for kind, rows in kinds.items() if rows]
        return f"Other attributes: {', '.join(parts)}." if parts else ""

    def _label(self) -> str:
        """Say whether edits leave the label alone, where that is not checked or they do not."""
        rate = self.summary.label_kept
        if not self.summary.trials:
            return ""
        if rate is None:
            return "Label not checked."
        return f"Only {percent(rate)} of the edits keep the label." if rate < LABELS_LOST else ""

    def _moved_furthest(self) -> tuple[str, str]:
        """Return what is moved furthest where images flip decisively, and a sentence on how far.

        It is the first attribute alone where it is nearly always the first, else the second too.
        """
        rows = self.rows
        if not rows:
            return "", ""
        top, several = rows[0], self.summary.decisive_images > 1
        name = self.names[top.attribute]
        where = "In these flips" if several else "In this flip"
        by = f"{with_its_interval(top)} of its own range{' on average' if several else ''}"
        if several and len(rows) > 1 and top.first < LEADS:
            second = self.names[rows[1].attribute]
            unsure = f"{where} {name} is moved by {by}; whether {second} is moved further is not certain."
            return f"{name} and {second}", unsure
        return name, f"{where} {name} is moved by {by}."


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
