"""The interim analyses of an audit that chooses the number of images of each attribute.

The audit analyses its records after 24, 32, 40, … images. An attribute that is sensitive or negligible by then stops;
the others continue, up to the largest number of images. Verdicts and intervals are valid at any number of images
(`statistics.betting`), so an analysis costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_ANALYSIS = 24
STEPS = (8, 16, 32, 64)
"""The numbers of images between two analyses: each serves until the audit has six times as many images."""
MOST_IMAGES = 384
ERRING = 0.05
"""The share of audits in which a verdict may be false, and in which an interval may miss."""


def planned_analyses(most: int) -> tuple[int, ...]:
    """Return the number of images at each analysis: about a fifth more than at the one before, at last `most`."""
    planned = [min(FIRST_ANALYSIS, most)]
    while planned[-1] < most:
        step = next((step for step in STEPS if planned[-1] < 6 * step), STEPS[-1])
        planned.append(min(planned[-1] + step, most))
    return tuple(planned)


def confidence(analyses: int, attributes: int = 1) -> float:
    """Return the confidence of each interval, so that all together have 95 % (Bonferroni).

    Args:
        analyses: number of analyses at which such an interval is computed.
        attributes: number of intervals at each of them.
    """
    return 1 - ERRING / (analyses * max(1, attributes))


@dataclass(frozen=True, slots=True)
class InterimPlan:
    """The plan of interim analyses.

    Attributes:
        planned: the numbers of images at which an audit is analysed, rising.
        width: the width of its interval at which an attribute stops; None where it stops when it is sensitive or
            negligible.
    """

    planned: tuple[int, ...]
    width: float | None
