"""From figures to verdicts: fit, doubtful or not fit, and why. The thresholds stand here, on the page, and in the docs.

They were set from what is known of the embedded domains before any other generator was looked at: renders, which a
domain's generator was trained to draw, cover as renders cover each other; those of the other domain, and photographs of
a camera, hardly at all. A threshold lies between, nearer to the renders where a false "fit" costs more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from zoom_engine.audit.summary import Interval
from zoom_engine.common.plurals import number_of
from zoom_engine.directions.answers import LEAST_RECOGNISED
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE
from zoom_engine.statistics.coverage import Coverage
from zoom_engine.statistics.table import percent
from zoom_engine.statistics.two_samples import Distance

Verdict = Literal["fit", "doubtful", "not fit"]
VERDICTS: tuple[Verdict, ...] = ("fit", "doubtful", "not fit")
EXIT_CODES: dict[Verdict, int] = {"fit": 0, "doubtful": 3, "not fit": 1}

COVERED, NOT_COVERED = 0.7, 0.4
"""Coverage over what photographs reach among themselves: fit from the first on, not fit below the second."""
DRAWN = 0.5
"""The fraction of photographs that inversion accepts, below which a generator is doubtful."""
ANSWERS_NEAR, ANSWERS_FAR = DECISIVE_CHANGE, 0.3
"""Excess distance of the target's answers, in [0, 1]: fit below the first, not fit from the second on."""
LEAST_READ = LEAST_RECOGNISED
"""The fraction of random texts that pictures must answer alike in another paraphrase, as for an audit."""
RARE, UNKNOWN = 0.05, 0.02
"""The fraction of generated pictures that has, or lacks, an attribute: doubtful below the first, not fit below the
second."""
ENOUGH_POWER, LITTLE_POWER = 0.8, 0.5
"""The power of an audit of the most of `IMAGES` for an effect of four times the smallest that matters: doubtful below
the first, not fit below the second. Of 200 images even flips of that size are found nearly always; effects of twice the
smallest only where they are spread more evenly, which is told and not judged."""
IMAGES = (50, 200)
"""Numbers of images whose power is told; the last is the default of an audit."""
MULTIPLES = (1, 2, 4)
"""Sizes of injected effects, in units of the smallest that matters. An effect of just that size is found by no audit,
however large: its interval would have to lie above the effect itself."""


class Foretold(NamedTuple):
    """The power that an audit would have.

    Attributes:
        sensitive: by the size of an effect in text, the share of such audits that find it; None outside `known`.
        ranges: between which shares that lies, as far as a pilot can tell; None outside `known`.
        detectable: the smallest effect that 80 % of them find; None where there is none, or it lies outside `known`.
        known: from which to which effect the measured spread over images reaches.
        at_least: the share for the largest size, where it lies outside `known`, by the largest spread that there can
            be: the effect is all or nothing. None inside.
    """

    sensitive: Mapping[str, float | None]
    ranges: Mapping[str, Interval | None]
    detectable: float | None
    known: Interval = (0.0, 1.0)
    at_least: float | None = None

    @property
    def told(self) -> tuple[str, float | None, Interval | None]:
        """Return the size that tables show, its share and the range."""
        size = list(self.sensitive)[-2 if len(self.sensitive) > 2 else -1]  # of the smallest nothing is found
        return size, self.sensitive[size], self.ranges[size]

    def not_known(self, size: float) -> str:
        """Return from which effect on power is not known, on the side of `size`."""
        low, high = self.known
        return f"not known below {low:.2g}" if size < low else f"not known above {high:.2g}"


class Judgement(NamedTuple):
    """A verdict, and why in words, a clause each."""

    verdict: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Inverted:
    """What inversion accepts.

    Attributes:
        tried: how many photographs were looked for; 0 where the generator cannot be inverted or nobody asked.
        accepted: how many are drawn so that the target sees them alike.
        interval: 95 % of the fraction, by Wilson (1927); None without any.
        error: median of the larger reconstruction error, and its limit; None without any.
        limit: of the error.
        refusals: why a photograph is left out, and how many are.
        note: why nothing was looked for; "" where it was.
    """

    tried: int
    accepted: int
    interval: Interval | None
    error: float | None
    limit: float
    refusals: tuple[tuple[str, int], ...] = ()
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """Return the fraction that is accepted; None where nothing was tried."""
        return self.accepted / self.tried if self.tried else None


@dataclass(frozen=True)
class Read:
    """How the text encoder reads the pictures of both kinds.

    Attributes:
        photographs: the fraction of random texts that photographs answer alike in another paraphrase.
        generated: the same of generated pictures.
        pictures: how many of each.
    """

    photographs: float
    generated: float
    pictures: int


@dataclass(frozen=True)
class ReadAttribute:
    """How an attribute is told apart: by the text encoder, or by what gives it in place of words.

    Attributes:
        generated: of words the agreement of their paraphrases on generated pictures; of examples how far they lie
            apart, of a scorer how well the generator's codes predict it. None where nothing was measured.
        photographs: the agreement on photographs; None where it is no words.
        floor: what random texts reach on generated pictures, and on photographs; of others what is reached by chance.
        has: of generated pictures and of photographs, the fraction that has it; the score that tells is Otsu's (1979)
            over as many pictures of both kinds.
        refused: why an audit on this generator refuses it; "" where it does not.
    """

    generated: float | None
    photographs: float | None
    floor: tuple[float, float]
    has: tuple[float, float]
    refused: str = ""

    @property
    def beyond_random(self) -> tuple[float | None, float | None]:
        """Return both in times of what is reached by chance; None where it was not measured, or chance reaches 0."""
        generated, photographs = (
            None if value is None or not floor > 0 else value / floor
            for value, floor in zip((self.generated, self.photographs), self.floor, strict=True)
        )
        return generated, photographs


def judge_coverage(coverage: Coverage, of_outlines: Coverage) -> Judgement:
    """Judge how the generator covers the photographs, in the text encoder's eyes and by outlines: by the worse."""
    worse = min(coverage, of_outlines, key=lambda one: one.relative.value)
    relative, (low, _) = worse.relative
    text = (
        f"its pictures cover {percent(worse.coverage.value)} of the photographs"
        f"{' by their outlines' if worse is of_outlines else ''}, where photographs cover"
        f" {percent(worse.reference_coverage.value)} of one another"
    )
    if relative < NOT_COVERED:
        return Judgement("not fit", (f"it does not draw such pictures: {text}",))
    if relative < COVERED:
        return Judgement("doubtful", (f"a part of such pictures it does not draw: {text}",))
    if low < NOT_COVERED:
        return Judgement("doubtful", (f"there are too few photographs to be sure: {text}",))
    return Judgement("fit", (text,))


def judge_answers(answers: Distance, worded: str) -> Judgement:
    """Judge how far the target answers generated pictures otherwise than photographs; `worded` is the excess."""
    if answers.excess >= ANSWERS_NEAR:
        verdict: Verdict = "not fit" if answers.excess >= ANSWERS_FAR else "doubtful"
        return Judgement(verdict, (f"the model answers generated pictures otherwise than photographs, by {worded}",))
    text = "the model answers generated pictures as it answers photographs"
    return Judgement("fit", (f"{text}, but for {worded}" if answers.excess > 0 else text,))


def judge_inversion(inverted: Inverted) -> Judgement:
    """Judge what inversion accepts; at worst it makes a generator doubtful, as most audits invert nothing."""
    if inverted.fraction is None:
        return Judgement("fit", (inverted.note,))
    text = f"inversion accepts {inverted.accepted} of {number_of(inverted.tried, 'photograph')}"
    if inverted.fraction < DRAWN:
        why = f" (most often one “{inverted.refusals[0][0]}”)" if inverted.refusals else ""
        return Judgement("doubtful", (f"{text}{why}: audits around photographs would leave most out",))
    return Judgement("fit", (text,))


def judge_reading(read: Read | None) -> Judgement:
    """Judge whether the text encoder reads photographs at all; None: no attribute is given by words."""
    if read is None:
        return Judgement("fit", ("no attribute is given by words",))
    text = f"of random texts photographs answer {percent(read.photographs)} alike in another paraphrase"
    if read.photographs < LEAST_READ:
        why = f"the text encoder reads little on the photographs: {text}, generated pictures {percent(read.generated)}"
        return Judgement("doubtful", (why,))
    return Judgement("fit", (text,))


def judge_attribute(read: ReadAttribute, power: Sequence[Foretold], generator: Verdict) -> Judgement:
    """Judge an attribute: what the encoder reads, who has it, and which effects an audit would find.

    Args:
        read: what the encoder reads.
        power: with each of `IMAGES`; empty where there was no pilot.
        generator: the verdict on the generator: on one that is not fit no attribute is.
    """
    has, of_photographs = read.has
    reasons: list[tuple[Verdict, str]] = []
    if generator == "not fit":
        reasons.append(("not fit", "the generator itself is not fit"))
    if read.refused:
        reasons.append(("not fit", f"an audit refuses it: {read.refused}"))
    for share, one, several in ((has, "has it", "have it"), (1 - has, "lacks it", "lack it")):
        if share < UNKNOWN:
            reasons.append(("not fit", f"nearly nobody that the generator draws {one} ({percent(share)})"))
        elif share < RARE:
            reasons.append(("doubtful", f"few that the generator draws {several} ({percent(share)})"))
    if read.photographs is not None and not read.photographs > read.floor[1]:
        reasons.append(("doubtful", "photographs answer it no better than random text"))
    if power:
        size, finding = list(power[-1].sensitive.items())[-1]
        at_least = power[-1].at_least
        if finding is not None and finding < ENOUGH_POWER:
            would = f"{percent(finding)} of audits of {IMAGES[-1]} images would find an effect of {size}"
            reasons.append(("not fit" if finding < LITTLE_POWER else "doubtful", would))
        elif finding is None and (at_least is None or at_least < ENOUGH_POWER):
            reasons.append(("doubtful", f"the power for an effect of {size} is {power[-1].not_known(float(size))}"))
    if not reasons:
        text = f"{percent(has)} that the generator draws have it, {percent(of_photographs)} of the photographs"
        return Judgement("fit", (text,))
    return Judgement(worst(verdict for verdict, _ in reasons), tuple(reason for _, reason in reasons))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of the verdicts."""
    return max(verdicts, key=VERDICTS.index)
