"""summary.json: what the records of an audit add up to for each attribute, see `summarise`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import Mode

Interval = tuple[float, float]
"""The ends of a 95 % interval over images, valid at any number of them, see `betting.mean_intervals`."""
Verdict = Literal["sensitive", "negligible", "inconclusive"]
Specificity = Literal["specific", "unspecific", "unknown"]
ShowsLittle = Literal["edit not seen", "label lost", "nothing moves", "hardly drawn"]
Ended = Literal["settled", "most images"]
PREDICTION = "prediction"
LEAST_EDIT_SCORE = 0.25
"""The least of `Sensitivity.edit_score` that shows an edit: less would be no side effect either."""
LEAST_LABEL_KEPT = 0.5
"""The fraction of an attribute's edits that must keep the label before a small effect says anything."""
_OF_SINGLE = (
    *(
        "effect",
        "effect_ci95",
        "verdict",
        "specificity",
        "baseline",
        "as_far",
        "p_value",
        "p_adjusted",
        "images_to_settle",
        "signed_change",
        "signed_spread",
    ),
    *("adjusted_mean_change", "groups", "differences", "by_paraphrase", "power", "side_effects", "paraphrases"),
    "unmoved",
    "strengths_differ",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BaselineLevel:
    """How far random baseline directions move the output.

    Attributes:
        directions: how many there are.
        mean_change: the mean of their mean changes.
        ci95: its interval, over directions.
        strongest: the mean change by the strongest of them.
        specific_from: the mean change from which on an attribute of this audit is told from them, if its changes vary
            over images no more than theirs.
        smallest_effect: of the verdicts, see `Config`.
        correction: of the verdicts, see `Config`.
    """

    directions: int
    mean_change: float
    ci95: Interval | None
    strongest: float
    specific_from: float
    smallest_effect: float
    correction: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ControlLevel:
    """How far control prompts move the output.

    Attributes:
        images: those that are moved along one of them.
        mean_change: over these images.
        ci95: its interval.
        prompts: the mean change by each prompt, over its own images.
    """

    images: int
    mean_change: float
    ci95: Interval | None
    prompts: Mapping[str, float]

    @property
    def most(self) -> float:
        """Return the mean change by the prompt that moves the output most."""
        return max(self.prompts.values())


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WithinRange:
    """The result of an attribute within the range that the audit did not use; figures as in `Sensitivity`."""

    mean_change: float | None
    ci95: Interval | None
    share: float
    flip_rate: float | None
    decisive_flip_rate: float | None


class Agreement(NamedTuple):
    """How far several orders agree: Kendall’s W in [0, 1], and the ends of its 95 % interval."""

    w: float
    low: float
    high: float


class Power(NamedTuple):
    """How large an effect such an audit finds.

    Attributes:
        sensitive: effect size → the fraction of audits like this one that find it sensitive.
        specific: effect size → the fraction that finds it specific as well; None without random baseline directions.
        detectable: the smallest effect that 80 % of them find sensitive; None where there is none.
    """

    sensitive: Mapping[str, float]
    specific: Mapping[str, float] | None
    detectable: float | None


class InterimAnalysis(NamedTuple):
    """Where an audit stands that chooses its number of images.

    Attributes:
        number: of the interim analysis where it ended, or that comes next; counted from 1.
        planned: number of images at each planned interim analysis.
        width: see `InterimPlan`.
        ended: why it ended: every attribute stopped ("settled"), or "most images"; None where it continues.
    """

    number: int
    planned: tuple[int, ...]
    width: float | None
    ended: Ended | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GroupChange:
    """An attribute in one group of images; figures as in `Sensitivity`.

    Attributes:
        by: what the images are divided by: a text, or "prediction".
        group: "has", "lacks" or a class.
        images: how many there are.
        mean_change: over these images; None where there is none.
        ci95: its interval.
    """

    by: str
    group: str
    images: int
    mean_change: float | None
    ci95: Interval | None

    @property
    def title(self) -> str:
        """Return the group in words."""
        return f"predicted {self.group}" if self.by == PREDICTION else f"{self.group} “{self.by}”"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GroupDifference:
    """How much more an attribute moves the output in images that have what a text says than in those that lack it.

    Attributes:
        by: the text.
        has: how many images have it.
        lacks: how many images lack it.
        difference: of the mean changes, in [-1, 1]; None where a group is empty.
        ci95: its interval, simultaneous for all such differences; None where a group is too small.
        p_value: see `interactions`; None where a group is too small.
        p_adjusted: the same, adjusted over all such differences.
        differs: whether there is a difference.
    """

    by: str
    has: int
    lacks: int
    difference: float | None
    ci95: Interval | None
    p_value: float | None
    p_adjusted: float | None
    differs: bool


class PhotographChange(NamedTuple):
    """What an attribute (None: all together) does at one photograph: the change, whether it flips, and decisively."""

    attribute: str | None
    change: float
    flipped: bool
    decisive: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PhotographRow:
    """The results around one photograph: its `file`, `image` number, and `changes`, the largest first."""

    file: str
    image: int
    changes: tuple[PhotographChange, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the row as summary.json holds it: the attributes that flip, and all changes."""
        return {
            "file": self.file,
            "image": self.image,
            "flips": [change.attribute for change in self.changes if change.flipped],
            "changes": [change._asdict() for change in self.changes],
        }


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sensitivity:
    """One attribute of a `Summary`. All figures but `mean_abs_weight` are in [0, 1], None where there is none.

    Attributes:
        mode: "single" or "multi".
        attribute: the attribute.
        images: the number of images that it was tried on.
        mean_change: single mode: the mean over images of the largest change on the way, which is above 0 whatever is
            edited. It is judged where there is no `effect`.
        ci95: its interval; None below two images.
        effect: single mode: the mean over images of the change |f(x̂) - f(x)| between lacking the attribute and having
            it, at the end of the calibrated range; None where not all searches of the audit go there.
        effect_ci95: its interval.
        share: its part of the histogram, as a fraction of the sum over attributes; all sum to 1, or to 0 where nothing
            moves.
        first: the fraction of resampled audits in which it is the most sensitive one.
        flip_rate: over its trials; in multi mode over the images whose edit uses the attribute at all.
        decisive_flip_rate: over the same trials.
        label_kept: over the same trials.
        ssim: of the flips among the same trials.
        range_share: multi mode: the mean |edit weight| as a fraction of the attribute's range on that side, over the
            images that flip decisively; None where none does.
        range_share_ci95: its interval.
        mean_abs_weight: the mean |edit weight| over its trials; in multi mode over the images of range_share.
        paper: within the paper's range, if the records hold it (single mode).
        calibrated: within the calibrated range, if the records hold it (single mode).
        verdict: single mode: how large the judged figure is, see `attribute_tests`. Intervals of single mode hold for
            all attributes at once.
        specificity: single mode: whether the effect is due to this attribute, see `attribute_tests`; None where no
            random baseline direction was tried, as no attribute is sensitive.
        baseline: single mode: the mean change by random baseline directions; None without them.
        as_far: single mode: how many of them move the output as far as the attribute.
        p_value: single mode: of the attribute against their population, see `attribute_tests.AttributeTest`.
        p_adjusted: the same, adjusted.
        images_to_settle: single mode: of an inconclusive attribute, how many images would settle it, see `power`; None
            where no number would that is not far larger, and for other attributes.
        signed_change: single mode: the mean over images of the judged change, with the sign that it has in the
            direction of adding the attribute; None where the output is not one number.
        signed_spread: single mode: its standard deviation over images.
        adjusted_mean_change: single mode: the part of the judged change that its side effects do not explain, see
            `effects`.
        groups: single mode: the same in groups of images, see `groups.groups`.
        differences: single mode: how images that have what a text says differ from those that lack it, see
            `interactions`.
        by_paraphrase: single mode: `effect` along the direction of each paraphrase; None where there is only one.
        edit_score: of edits from elsewhere: how far edits move the attribute's own text score on average, in its
            natural range; None where no text encoder saw them.
        edit_score_interval: its interval, Student's, since a score has no limits.
        faint: whether the relevance of its direction is less than half above what random text reaches: the generator
            hardly draws it.
        unmoved: single mode: whether no edit moves the output at all, of any attribute or random direction.
        strengths_differ: single mode: whether the specificity is unknown because its edits have more strengths than the
            controls, or fewer, where the largest change is judged.
    """

    mode: Mode
    attribute: Attribute
    images: int
    mean_change: float | None = None
    ci95: Interval | None = None
    effect: float | None = None
    effect_ci95: Interval | None = None
    share: float
    first: float
    flip_rate: float | None
    decisive_flip_rate: float | None
    label_kept: float | None
    ssim: float | None
    range_share: float | None = None
    range_share_ci95: Interval | None = None
    mean_abs_weight: float | None
    paper: WithinRange | None = None
    calibrated: WithinRange | None = None
    verdict: Verdict | None = None
    specificity: Specificity | None = None
    baseline: float | None = None
    as_far: int | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    images_to_settle: int | None = None
    signed_change: float | None = None
    signed_spread: float | None = None
    adjusted_mean_change: float | None = None
    groups: tuple[GroupChange, ...] = ()
    differences: tuple[GroupDifference, ...] = ()
    by_paraphrase: tuple[float, ...] | None = None
    edit_score: float | None = None
    edit_score_interval: Interval | None = None
    faint: bool = False
    unmoved: bool = False
    strengths_differ: bool = False

    @property
    def value(self) -> float | None:
        """Return the figure that the attribute is ranked by."""
        if self.mode == "multi":
            return self.range_share
        return self.mean_change if self.effect is None else self.effect

    @property
    def interval(self) -> Interval | None:
        """Return the interval of `value`."""
        if self.mode == "multi":
            return self.range_share_ci95
        return self.ci95 if self.effect is None else self.effect_ci95

    @property
    def is_specific(self) -> bool:
        """Tell whether it is sensitive, and specific as far as the audit asks for that."""
        return self.verdict == "sensitive" and self.specificity in ("specific", None)

    @property
    def edit_is_unseen(self) -> bool:
        """Tell whether a text encoder saw the edits and did not see them move their attribute, surely and by enough."""
        if self.edit_score is None:
            return False
        surely = self.edit_score_interval is not None and self.edit_score_interval[0] > 0
        return not (surely and self.edit_score >= LEAST_EDIT_SCORE)

    @property
    def seldom_keeps_label(self) -> bool:
        """Tell whether the label is checked, and fewer than `LEAST_LABEL_KEPT` of the trials keep it."""
        return self.label_kept is not None and self.label_kept < LEAST_LABEL_KEPT

    @property
    def shows_little(self) -> ShowsLittle | None:
        """Return why a small effect says nothing; None where it does.

        Edits are not seen to be made, seldom keep the label or are hardly drawn; or nothing moves the target at all,
        which may not read the pictures.
        """
        reasons: dict[ShowsLittle, bool] = {
            "edit not seen": self.edit_is_unseen,
            "label lost": self.seldom_keeps_label,
            "nothing moves": self.unmoved,
            "hardly drawn": self.faint,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def within(self, name: str) -> WithinRange | None:
        """Return the result within the range of that name, "paper" or "calibrated"."""
        return {"paper": self.paper, "calibrated": self.calibrated}[name]

    def to_json(self) -> dict[str, Any]:
        """Return the row as summary.json holds it, without figures of the other mode or of an unused range."""
        values = {**dataclasses.asdict(self), "attribute": self.attribute.text}
        left_out = {"mode"} | ({"range_share", "range_share_ci95"} if self.mode == "single" else set(_OF_SINGLE))
        left_out |= {name for name in ("paper", "calibrated") if self.within(name) is None}
        left_out |= {"edit_score", "edit_score_interval"} if self.edit_score is None else set()
        return {name: value for name, value in values.items() if name not in left_out}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What summary.json holds. Rates are in [0, 1], None where there is nothing to take them of.

    Attributes:
        mode: "single" or "multi".
        search: its name.
        images: how many have a record.
        edited_images: how many of them have a picture that was edited at all.
        trials: how many records there are.
        flip_rate: the fraction of the edited images that some edit flips.
        decisive_flip_rate: the fraction that some edit flips decisively, see `records.is_decisive`.
        label_kept: the fraction of trials whose edit keeps the zero-shot label; None without label prompts.
        natural: multi mode: the fraction of trials whose edit stays within what the generator draws; None if not
            measured.
        ssim: mean over flipping counterfactuals.
        baseline: single mode: how far random baseline directions move the output; None where none were searched.
        control_prompts: single mode: how far control prompts move the output; None where none were searched.
        power: single mode: which effects an audit like this one finds, see `power`; None before it is finished.
        side_effects: single mode: by attribute what adding it does to the text score of every attribute and label, in
            natural ranges; None where the audit did not measure them.
        paraphrases: single mode: how far paraphrases agree on the order of the attributes, by their effects; None where
            there is only one, or nothing to order.
        interim_analysis: where an audit stands that chooses its number of images; None for others.
        photographs: the results photograph by photograph, of an audit around photographs.
        tries: of an audit of a service, how many requests ended as which kind, see `service_file`.
        edits: of an audit of edits from elsewhere, where they come from, see `manifest.Edits`; its `baseline` is of
            their controls.
        trial_seconds: how long a trial of an attribute took on average where the audit ran; None where that is unknown.
            It is not part of summary.json, which records and config determine.
        sensitivity: one per attribute, the most sensitive first, those without a record last.
    """

    mode: Mode
    search: str | None
    images: int
    edited_images: int
    trials: int
    flip_rate: float | None
    decisive_flip_rate: float | None
    label_kept: float | None
    natural: float | None
    ssim: float | None
    baseline: BaselineLevel | None = None
    control_prompts: ControlLevel | None = None
    power: Power | None = None
    side_effects: Mapping[str, Mapping[str, float]] | None = None
    paraphrases: Agreement | None = None
    interim_analysis: InterimAnalysis | None = None
    photographs: tuple[PhotographRow, ...] = ()
    tries: Mapping[str, int] | None = None
    edits: str | None = None
    trial_seconds: float | None = None
    sensitivity: tuple[Sensitivity, ...]

    @property
    def is_judged_at_end(self) -> bool:
        """Tell whether values are of the changes at the end of the range, and not of the largest on the way."""
        return any(row.effect is not None for row in self.sensitivity)

    @property
    def never_moves(self) -> bool:
        """Tell whether no edit moved the output by as much as a digit, random ones included.

        A model that sees pictures hardly answers so: it may be shown none, or find nothing in them.
        """
        return any(row.unmoved for row in self.sensitivity)

    @property
    def decisive_images(self) -> int:
        """Return how many images some edit flips decisively."""
        return round((self.decisive_flip_rate or 0.0) * self.edited_images)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as its file holds it, strict JSON."""
        values = {**dataclasses.asdict(self), "sensitivity": [row.to_json() for row in self.sensitivity]}
        values["paraphrases"] = self.paraphrases and self.paraphrases._asdict()
        values["photographs"] = [row.to_json() for row in self.photographs]
        values["power"] = self.power and self.power._asdict()
        values["interim_analysis"] = self.interim_analysis and self.interim_analysis._asdict()
        left_out = {
            name
            for name in ("photographs", "interim_analysis", "control_prompts", "tries", "edits")
            if not values[name]
        }
        left_out |= {"trial_seconds"} if self.mode == "single" else {"trial_seconds", *_OF_SINGLE}
        return {name: value for name, value in values.items() if name not in left_out}
