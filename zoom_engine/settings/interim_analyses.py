"""The interim analyses of an audit that chooses its number of images by itself.

It analyses its records after 24, 48, 96, … images and ends at the first interim analysis that leaves nothing to be
found out, or at the last.

An audit that is analysed K times and stops when it suits errs more often than one that is analysed once. So each
interim analysis is paid for: of the 5 % of audits that may err, each of the K planned ones spends 5 % / K (alpha
spending, Lan and DeMets 1983, in the equal parts of Pocock 1977). An interval Cₖ of a mean μ at interim analysis k is
one of 1 − 0.05 / K, and a p-value counts K times. Then, by Bonferroni's inequality, whatever changes are distributed
like and whenever the audit stops,

    P(μ is not in the interval that is reported) ≤ Σₖ P(μ ∉ Cₖ) ≤ K · 0.05 / K = 0.05,

and alike for a false verdict. It costs width: with five interim analyses an interval is about a third wider than one of
the same images that were chosen beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FIRST_ANALYSIS = 24
MOST_IMAGES = 384
KNOWN_WIDTH = 0.1
ERRING = 0.05
"""The share of audits in which an interval may miss or a verdict be false."""


def planned_analyses(most: int) -> tuple[int, ...]:
    """Return after how many images each interim analysis comes: twice as many as at the one before, at last `most`."""
    planned = [min(FIRST_ANALYSIS, most)]
    while planned[-1] < most:
        planned.append(min(2 * planned[-1], most))
    return tuple(planned)


def confidence(analyses: int, attributes: int = 1) -> float:
    """Return the confidence of each interval, so that all together have 95 %.

    Args:
        analyses: how many interim analyses there are.
        attributes: how many attributes have an interval at each.
    """
    return 1 - ERRING / (analyses * max(1, attributes))


@dataclass(frozen=True, slots=True)
class InterimPlan:
    """The plan of interim analyses.

    Attributes:
        planned: the numbers of images at which an audit is analysed, rising.
        width: how narrow each interval must be for it to end; None where it also ends when every attribute is
            sensitive, negligible or known to `KNOWN_WIDTH`.
    """

    planned: tuple[int, ...]
    width: float | None

    def all_known(self, results: Iterable[tuple[str | None, tuple[float, float] | None]]) -> bool:
        """Return whether every attribute is known well enough.

        It is by a narrow interval or, without a `width`, by its verdict.

        Args:
            results: verdict and interval of each attribute.
        """
        widest = KNOWN_WIDTH if self.width is None else self.width

        def is_known(verdict: str | None, ends: tuple[float, float] | None) -> bool:
            known = ends is not None and ends[1] - ends[0] <= widest
            return known or (self.width is None and verdict in ("sensitive", "negligible"))

        return all(is_known(verdict, ends) for verdict, ends in results)
