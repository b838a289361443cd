"""`Fitness`: what was measured of a generator beside photographs, and the verdicts on it and on each attribute."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoom_engine.commands.fit.answers import Answers
from zoom_engine.commands.fit.pilot import Pilot
from zoom_engine.commands.fit.verdicts import (
    ANSWERS_FAR,
    ANSWERS_NEAR,
    COVERED,
    DRAWN,
    ENOUGH_POWER,
    EXIT_CODES,
    IMAGES,
    LEAST_READ,
    LITTLE_POWER,
    NOT_COVERED,
    RARE,
    UNKNOWN,
    Foretold,
    Inverted,
    Judgement,
    Read,
    ReadAttribute,
    Verdict,
    worst,
)
from zoom_engine.common.plurals import listed, number_of
from zoom_engine.common.terminal import WIDTH, Column, ruled, wrapped
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.coverage import Coverage
from zoom_engine.statistics.table import decimal, percent
from zoom_engine.text import NO_WORDS

FORMAT = 1
FEATURES = "colours and edges by their place"
"""What compares pictures where there is no text encoder, see `PictureFeatures`."""
THRESHOLDS: Mapping[str, float] = {
    "coverage, relative, fit from": COVERED,
    "coverage, relative, not fit below": NOT_COVERED,
    "answers, excess, fit below": ANSWERS_NEAR,
    "answers, excess, not fit from": ANSWERS_FAR,
    "inversion, accepted, doubtful below": DRAWN,
    "random texts read, doubtful below": LEAST_READ,
    "attribute, has or lacks it, doubtful below": RARE,
    "attribute, has or lacks it, not fit below": UNKNOWN,
    "power for four times the smallest effect, doubtful below": ENOUGH_POWER,
    "power for four times the smallest effect, not fit below": LITTLE_POWER,
}


@dataclass(frozen=True)
class AttributeFitness:
    """An attribute: what the encoder reads of it, its power with `IMAGES` (empty without a pilot), and the verdict.

    `given` is the text that it was given as; None where it was an object.
    """

    attribute: Attribute
    given: str | None
    read: ReadAttribute
    power: tuple[Foretold, ...]
    judgement: Judgement


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """The answer to whether a generator may be audited for a model on such photographs.

    Attributes:
        generator: as it was given.
        target: its name.
        text_encoder: its name; coverage and words are in its eyes. `NO_WORDS` where there is none.
        photographs: how many were compared.
        unread: the names of files that could not be read, and why.
        generated: how many generated images.
        coverage: how the generated images cover the photographs, in the text encoder's eyes.
        outlines: the same by `outlines`, which know of no kind of pictures.
        inverted: what inversion accepts.
        answers: how far the target's answers lie apart.
        read: how the text encoder reads both; None where no attribute is given by words.
        pilot: the small audit behind `power`; None without one.
        parts: a judgement by name of what was looked at.
        attributes: each attribute.
        notices: lines on what was assumed.
        environment: the machine and its packages.
        audit: the words of a command line for the audit, without attributes and folder.
        unsaid: the option that no command line says; "" where they all can be said.
    """

    generator: str
    target: str
    text_encoder: str
    photographs: int
    unread: tuple[tuple[str, str], ...]
    generated: int
    coverage: Coverage
    outlines: Coverage
    inverted: Inverted
    answers: Answers
    read: Read | None
    pilot: Pilot | None
    parts: Mapping[str, Judgement]
    attributes: tuple[AttributeFitness, ...]
    notices: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    audit: tuple[str, ...] = ()
    unsaid: str = ""

    @property
    def eyes(self) -> str:
        """Return in whose eyes pictures are compared."""
        return FEATURES if self.text_encoder == NO_WORDS else self.text_encoder

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on the generator: the worst of its parts."""
        return worst(judgement.verdict for judgement in self.parts.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reasons of the verdict: those of the parts that have it."""
        return tuple(
            reason
            for judgement in self.parts.values()
            if judgement.verdict == self.verdict
            for reason in judgement.reasons
        )

    @property
    def exit_code(self) -> int:
        """Return the command's exit code, by `overall`: 0 fit, 3 doubtful, 1 not fit."""
        return EXIT_CODES[self.overall]

    @property
    def overall(self) -> Verdict:
        """Return the generator's verdict, or "not fit" where no attribute can be audited."""
        usable = any(one.judgement.verdict != "not fit" for one in self.attributes)
        return self.verdict if usable else "not fit"

    @property
    def headline(self) -> str:
        """Return the answer in a sentence."""
        usable = [f"“{one.attribute.name}”" for one in self.attributes if one.judgement.verdict == "fit"]
        if self.verdict == "not fit":
            return f"Not fit: {self.reasons[0].partition(':')[0]}"
        if self.overall == "not fit":
            return "Not fit: no attribute can be audited on this generator"
        which = listed(usable) if len(usable) < len(self.attributes) else "every attribute"
        of = f"for {which}" if usable else "for no attribute without a doubt"
        if self.verdict == "doubtful":
            return f"Doubtful: {self.reasons[0].partition(':')[0]}"
        return f"Fit {of}"

    def to_json(self) -> dict[str, Any]:
        """Return what fit.json holds."""
        plain: dict[str, Any] = _plain(
            {
                "format": FORMAT,
                "verdict": self.overall,
                "headline": self.headline,
                "generator": {"name": self.generator, "verdict": self.verdict, "reasons": self.reasons},
                "target": self.target,
                "text_encoder": self.text_encoder,
                "photographs": self.photographs,
                "unread": dict(self.unread),
                "generated": self.generated,
                "parts": {name: one._asdict() for name, one in self.parts.items()},
                "coverage": _nested(self.coverage),
                "coverage_by_outlines": _nested(self.outlines),
                "inversion": {**dataclasses.asdict(self.inverted), "refusals": dict(self.inverted.refusals)},
                "answers": {
                    **_nested(self.answers.distance),
                    "decisions": [dataclasses.asdict(one) for one in self.answers.decisions],
                    "unit": self.answers.unit,
                },
                "read": None if self.read is None else dataclasses.asdict(self.read),
                "pilot": None
                if self.pilot is None
                else {
                    "images": self.pilot.images,
                    "smallest_effect": self.pilot.smallest,
                    "power": _by_images(self.pilot.audit),
                },
                "attributes": [
                    {
                        "attribute": one.attribute.text,
                        **one.judgement._asdict(),
                        **dataclasses.asdict(one.read),
                        "power": _by_images(one.power),
                    }
                    for one in self.attributes
                ],
                "thresholds": dict(THRESHOLDS),
                "notices": self.notices,
                "environment": dict(self.environment),
            }
        )
        return plain

    def table(self, *, width: int = WIDTH, colors: bool = False) -> str:
        """Return the verdicts as text of at most `width` columns."""
        lines = [
            wrapped(
                f"{self.generator} for {self.target}: {number_of(self.photographs, 'photograph')} beside"
                f" {number_of(self.generated, 'generated image')}, in the eyes of {self.eyes}",
                width=width,
            )
        ]
        parts = [[name, one.verdict, "; ".join(one.reasons)] for name, one in self.parts.items()]
        lines += ruled(
            [Column("generator", text=True), Column("verdict", text=True)],
            [row[:2] for row in parts],
            width=width,
            colors=colors,
            below={number: row[2] for number, row in enumerate(parts)},
        )
        columns = [
            Column("attribute", text=True, name=True),
            Column("verdict", text=True),
            Column("has it", rank=1),
            Column("of photographs", rank=2),
            *([Column(f"power, {images} images", rank=3) for images in IMAGES] if self.pilot else []),
        ]
        rows = [
            [
                one.attribute.name,
                one.judgement.verdict,
                *map(percent, one.read.has),
                *[share_in_words(power) for power in one.power],
            ]
            for one in self.attributes
        ]
        doubts = {
            number: "; ".join(one.judgement.reasons)
            for number, one in enumerate(self.attributes)
            if one.judgement.verdict != "fit"
        }
        lines += ruled(columns, rows, width=width, colors=colors, below=doubts)
        if self.pilot is not None:
            size, _, _ = self.pilot.audit[-1].told
            note = (
                f"power: how many of 100 such audits find an effect of {size} [between what that lies]; by a pilot of"
                f" {self.pilot.images} images. {self.pilot.covers}"
            )
            lines.append(wrapped(note, width=width))
        return "\n".join(lines)


def share_in_words(power: Foretold) -> str:
    """Return the share of audits that find the effect that is told, and its range, or that it is not known."""
    size, share, ends = power.told
    if share is None or ends is None:
        return power.not_known(float(size))
    low, high = map(percent, ends)
    return percent(share) if low == high else f"{percent(share)} [{low}, {high}]"


def found_from(power: Foretold) -> str:
    """Return the smallest effect that 80 % of audits find, or from where on it is not known."""
    if power.detectable is not None:
        return decimal(power.detectable)
    return power.not_known(1.0) if power.known[1] < 1 else "–"


def _by_images(power: tuple[Foretold, ...]) -> dict[str, Any] | None:
    if not power:
        return None
    return {
        str(images): {
            "sensitive": dict(one.sensitive),
            "ranges": {size: None if ends is None else list(ends) for size, ends in one.ranges.items()},
            "detectable": one.detectable,
            "known": list(one.known),
            "at_least": one.at_least,
        }
        for images, one in zip(IMAGES, power, strict=True)
    }


def _nested(value: Any) -> dict[str, Any]:
    """Return a named tuple, and those in it, as dictionaries."""
    return {name: _nested(part) if hasattr(part, "_asdict") else part for name, part in value._asdict().items()}


def _plain(value: Any) -> Any:
    """Round numbers to six digits and turn tuples into lists: what JSON holds."""
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case bool() | None | str() | int():
            return value
        case float():
            return round(value, 6)
    return str(value)
