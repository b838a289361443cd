"""What summary.json holds: what the records of an audit add up to, attribute by attribute (see `summarise`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import Mode

Interval = tuple[float, float]
"""The ends of a 95 % interval over images, see `intervals.mean_intervals`; of an audit that looks several times, of
all its looks together, see `looks`."""
Verdict = Literal["sensitive", "negligible", "inconclusive"]
Specificity = Literal["specific", "unspecific", "unknown"]
Ended = Literal["settled", "most images"]
PREDICTION = "prediction"
_OF_SINGLE = (
    *(
        "effect",
        "effect_ci95",
        "verdict",
        "specificity",
        "null",
        "as_far",
        "p_value",
        "p_adjusted",
        "signed_change",
        "signed_spread",
    ),
    *("adjusted_mean_change", "groups", "differences", "by_wording", "power", "leakage", "wordings"),
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NullLevel:
    """How far random directions move the output: `directions` of them, the mean of their mean changes with its interval
    (over directions), and that of the strongest of them; `specific_from`, the mean change from which on an attribute of
    this audit is told from them; `smallest_effect` and `correction` of the verdicts, see `Config`."""

    directions: int
    mean_change: float
    ci95: Interval | None
    strongest: float
    specific_from: float
    smallest_effect: float
    correction: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NothingLevel:
    """How far prompts that name nothing visible move the output: by mean change over the `images` that are moved along
    one of them, with its interval, and by that of each of the `prompts` over its own images."""

    images: int
    mean_change: float
    ci95: Interval | None
    prompts: Mapping[str, float]

    @property
    def most(self) -> float:
        """The mean change by the prompt that moves it most."""
        return max(self.prompts.values())


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WithinRange:
    """An attribute within the range that the audit did not use; the figures are those of `Sensitivity`."""

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
    """By its size the share of audits like this one that find an effect `sensitive`, and that find it `specific` as
    well (None without random directions); `detectable`, the smallest effect that 80 % of them find sensitive, None
    where they find none."""

    sensitive: Mapping[str, float]
    specific: Mapping[str, float] | None
    detectable: float | None


class Look(NamedTuple):
    """Where an audit is that finds out how many images it takes: it ended at, or is on its way to, the look of that
    `number`, counted from 1, of those `planned` (in images); `confidence` of the intervals at each; `width`, see
    `looks.Looks`; why it `ended`, None where it goes on."""

    number: int
    planned: tuple[int, ...]
    confidence: float
    width: float | None
    ended: Ended | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GroupChange:
    """An attribute among a part of the images: told apart `by` a text or by the "prediction", `group` being "has",
    "lacks" or a class; the figures are those of `Sensitivity`."""

    by: str
    group: str
    images: int
    mean_change: float | None
    ci95: Interval | None

    @property
    def title(self) -> str:
        """The group in words."""
        return f"predicted {self.group}" if self.by == PREDICTION else f"{self.group} “{self.by}”"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GroupDifference:
    """How much more an attribute moves the output in the images that have what a text (`by`) says than in those that
    lack it: the `difference` of mean changes, in [-1, 1], so many images of either kind in `has` and `lacks`.

    None where a group is empty. ci95, p_value, p_adjusted: its interval, which holds for all such differences together,
    and p-values, see `interactions`; None where a group is too small. found: whether there is one.
    """

    by: str
    has: int
    lacks: int
    difference: float | None
    ci95: Interval | None
    p_value: float | None
    p_adjusted: float | None
    found: bool


class PhotographChange(NamedTuple):
    """An attribute (None: all together) at one photograph: how far the output moves, whether it flips, decisively."""

    attribute: str | None
    change: float
    flipped: bool
    decisive: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PhotographRow:
    """What is found around one photograph: its `file`, `image` number, and `changes`, the largest first."""

    file: str
    image: int
    changes: tuple[PhotographChange, ...]

    def to_json(self) -> dict[str, Any]:
        """As summary.json has it: the attributes that flip beside all changes."""
        return {
            "file": self.file,
            "image": self.image,
            "flips": [change.attribute for change in self.changes if change.flipped],
            "changes": [change._asdict() for change in self.changes],
        }


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sensitivity:
    """One attribute of a `Summary`. All figures but `mean_abs_weight` are in [0, 1], None where there is none.

    effect, effect_ci95: single mode: the mean over images of the change |f(x̂) - f(x)| between lacking the attribute and
        having it, at the end of the calibrated range; None where not all of the audit's searches go there.
    mean_change, ci95: single mode: the mean over images of the largest change on the way, above 0 whatever is edited;
        None below one image, two for the interval. Judged where there is no `effect`.
    verdict, specificity: single mode: how large what is judged is, and whether it is this attribute's, see `evidence`;
        specificity is None in audits without random directions. Intervals of single mode hold for all attributes at
        once.
    range_share, range_share_ci95: multi mode: the mean |edit weight| in units of the attribute's range on that side,
        over the images that flip decisively; None where none does.
    share: its part of the histogram; all sum to 1, or to 0 where nothing moves.
    first: the share of resampled audits in which it is the most sensitive one.
    flip_rate, decisive_flip_rate, label_kept, ssim (of flips): over its units; in multi mode over the images whose edit
        uses the attribute at all.
    mean_abs_weight: the mean |edit weight| over its units; in multi mode over the images of range_share.
    paper, calibrated: within that range, if the records hold it (single mode).
    null, as_far, p_value, p_adjusted: single mode: the mean change by random directions, how many of them move the
        output as far as the attribute, and how it stands beside their population, see `evidence.Standing`; None in
        audits without random directions.
    signed_change, signed_spread: single mode: mean and standard deviation over images of the judged change, with the
        sign that it has in the direction of adding the attribute; None where the output is not one number.
    adjusted_mean_change: single mode: what of the judged change the attributes that it drags along do not explain, see
        `effects`.
    groups: single mode: the same among parts of the images, see `groups.groups`.
    differences: single mode: how those that have what a text says differ from those that lack it, see `interactions`.
    by_wording: single mode: what `effect` is along the direction of each phrasing; None where there is one alone.
    """

    mode: Mode
    attribute: Attribute
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
    null: float | None = None
    as_far: int | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    signed_change: float | None = None
    signed_spread: float | None = None
    adjusted_mean_change: float | None = None
    groups: tuple[GroupChange, ...] = ()
    differences: tuple[GroupDifference, ...] = ()
    by_wording: tuple[float, ...] | None = None

    @property
    def value(self) -> float | None:
        """What the attribute is ranked by."""
        if self.mode == "multi":
            return self.range_share
        return self.mean_change if self.effect is None else self.effect

    @property
    def interval(self) -> Interval | None:
        """That of `value`."""
        if self.mode == "multi":
            return self.range_share_ci95
        return self.ci95 if self.effect is None else self.effect_ci95

    @property
    def is_specific(self) -> bool:
        """It is sensitive, and that is this attribute's, as far as the audit asks."""
        return self.verdict == "sensitive" and self.specificity in ("specific", None)

    def within(self, name: str) -> WithinRange | None:
        """What was found within the range of that name, "paper" or "calibrated"."""
        return {"paper": self.paper, "calibrated": self.calibrated}[name]

    def to_json(self) -> dict[str, Any]:
        """The row as summary.json has it: without what belongs to the other mode, or to a range that was not used."""
        values = {**dataclasses.asdict(self), "attribute": self.attribute.text}
        left_out = {"mode"} | ({"range_share", "range_share_ci95"} if self.mode == "single" else set(_OF_SINGLE))
        left_out |= {name for name in ("paper", "calibrated") if self.within(name) is None}
        return {name: value for name, value in values.items() if name not in left_out}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What summary.json holds. Shares are in [0, 1], None where there is nothing to take them of.

    search: its name. images: how many have a record. units: how many records there are.
    flip_rate: of the images, those that some edit flips; decisive_flip_rate: decisively, see `records.is_decisive`.
    label_kept: of the units, those whose edit keeps the zero-shot label; None without label prompts.
    natural: multi mode: of the units, those whose edit stays within what the generator draws; None if not measured.
    ssim: mean over flipping counterfactuals.
    null: single mode: how far random directions move the output, None where none were searched.
    nothing: single mode: how far prompts that name nothing visible do; None where none were searched.
    power: single mode: which effects an audit like this one finds, see `power`; None before it is finished.
    leakage: single mode: by attribute what adding it does to the text score of every attribute and label, in natural
        ranges; None where the audit did not measure it.
    wordings: single mode: how far phrasings agree on the order of the attributes, by their effects; None where there is
        one alone, or nothing to order.
    look: where an audit is that finds out how many images it takes; None for others.
    photographs: the same photograph by photograph, of an audit around photographs.
    tries: of an audit of a service, how many questions ended as which kind, see `service_file`.
    sensitivity: one per attribute, the most sensitive first, those without a record last.
    """

    mode: Mode
    search: str | None
    images: int
    units: int
    flip_rate: float | None
    decisive_flip_rate: float | None
    label_kept: float | None
    natural: float | None
    ssim: float | None
    null: NullLevel | None = None
    nothing: NothingLevel | None = None
    power: Power | None = None
    leakage: Mapping[str, Mapping[str, float]] | None = None
    wordings: Agreement | None = None
    look: Look | None = None
    photographs: tuple[PhotographRow, ...] = ()
    tries: Mapping[str, int] | None = None
    sensitivity: tuple[Sensitivity, ...]

    @property
    def decisive_images(self) -> int:
        """How many images some edit flips decisively."""
        return round((self.decisive_flip_rate or 0.0) * self.images)

    def to_json(self) -> dict[str, Any]:
        """The summary as its file holds it, strict JSON."""
        values = {**dataclasses.asdict(self), "sensitivity": [row.to_json() for row in self.sensitivity]}
        values["wordings"] = self.wordings and self.wordings._asdict()
        values["photographs"] = [row.to_json() for row in self.photographs]
        values["power"] = self.power and self.power._asdict()
        values["look"] = self.look and self.look._asdict()
        left_out = {name for name in ("photographs", "look", "nothing", "tries") if not values[name]}
        left_out |= set() if self.mode == "single" else set(_OF_SINGLE)
        return {name: value for name, value in values.items() if name not in left_out}
