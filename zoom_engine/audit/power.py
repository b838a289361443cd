"""How large an effect an audit could have missed: the target is spiked, on the pictures that are there.

f' = f + κ · (the attribute's text score, in natural ranges) has by construction an effect of κ: that is what adding the
attribute, from the mean of the images that lack it to the mean of those that have it, does to f'. What the search found
of f is known at every point, and so is the text score; so is, then, what it finds of f'. The spiked attribute takes
the place of the real one, images are drawn with replacement, and the audit makes its calls anew: the share of such
audits in which it is called is the power. Attributes that are called already would tell nothing, so the others are
spiked, as far as there are any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoom_engine.audit.effects import Effect
from zoom_engine.audit.evidence import adjust, exceedance, is_called
from zoom_engine.audit.intervals import Array

SIZES = (0.05, 0.1, 0.2)
AUDITS = 40
DRAWS = 2000


def spiked(effect: Effect, size: float) -> float | None:
    """The change that the unit's search finds when the target gains `size` per natural range of the attribute; None
    where its scores were not measured."""
    if effect.scores is None:
        return None
    gained = size * float(effect.scores[effect.column])
    if not len(effect.share):
        return min(1.0, max(effect.change, abs(gained)))
    return float(np.abs(effect.moved + gained * effect.share).max().clip(max=1.0))


def power(
    change: Array,
    null: Array,
    spikes: Array,
    smallest: float,
    correction: str,
    *,
    called: Sequence[bool],
    looks: int = 1,
    audits: int | None = None,
    seed: int = 0,
) -> dict[str, float] | None:
    """Of each of `SIZES` the share of audits that call an attribute with such an effect; None where nothing was spiked.

    `change [I, A]` and `null [I, J]` as for `standings`, none of them missing; `spikes [K, I, A]`: the changes with
    each size of spike, NaN in the columns of attributes that cannot be spiked; `called [A]`: which are called as they
    are; `looks`: how many were planned.
    """
    images, count = change.shape
    possible = np.atleast_1d(np.isfinite(spikes).all(axis=(0, 1)))
    chosen = [column for column in range(count) if possible[column] and (all(called) or not called[column])]
    if not chosen or not images:
        return None
    audits = max(5, min(AUDITS, 20_000 // images)) if audits is None else audits
    every = np.concatenate([change, *spikes[:, :, chosen]], axis=1)
    draws = max(DRAWS, 50 * count * looks)
    random = np.random.default_rng(seed)
    hits = np.zeros(len(spikes))
    for again in range(audits):
        rows = random.integers(0, images, images)
        p_values = exceedance(every[rows], null[rows], draws=draws, seed=again)
        means, strongest = every[rows].mean(axis=0), null[rows].mean(axis=0).max()
        for place, column in enumerate(chosen * len(spikes), start=count):
            beside = p_values[:count].copy()
            beside[column] = p_values[place]
            adjusted = looks * adjust(beside, correction)[column]
            hits[(place - count) // len(chosen)] += is_called(adjusted, means[place], strongest, smallest)
    return {f"{size:g}": round(float(hit) / audits / len(chosen), 3) for size, hit in zip(SIZES, hits, strict=True)}
