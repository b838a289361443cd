"""The effects of random edits of equal visible size, as a population: how far one more of them would move a target.

All images share a random baseline direction, so the direction is what is sampled, not the image: its mean effect θⱼ
differs from that of the next one, and more images do not change that. An attribute counts as another random edit unless
its mean effect is larger than that of *one more* random direction would be. A prediction interval of a random-effects
model tells this (Higgins, Thompson and Spiegelhalter, 2009). Here effects lie in [0, 1], so

    log θⱼ ~ N(μ, s²)          the mean over n images of direction j ~ Beta(θⱼκ, (1 − θⱼ)κ),  κ = n/φ − 1

φ is the variance of one image's change in units of θ(1 − θ), pooled within directions: 1 where a change is all or
nothing. μ and s are integrated out, with flat priors over μ and over s in `SPREADS`; without noise a normal population
would give Student's t. The directions need not be tried on the same images, nor on equally many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from zoom_engine.statistics.intervals import Array, column_means

SPREADS = np.linspace(0.1, 3.0, 30)
_EDGES = np.linspace(np.log(1e-5), 0.0, 151)
_EFFECTS = np.exp((_EDGES[1:] + _EDGES[:-1]) / 2)
_STEPS = np.linspace(-5.0, 5.0, 41)  # of μ, in standard errors
_LEAST = 1e-4  # an effect below is rounding
_MOST = float(_EFFECTS[-1])  # the grid ends here: a mean beyond is as likely as this one
_ROUNDING = 1e-9
_MOST_EXACT = 2000.0  # κ: means are known no better than the grid of effects


class RandomEdits:
    """The population that the changes by J random baseline directions are drawn from."""

    def __init__(self, baseline: Array) -> None:
        """Fit the population to the changes `baseline [I, J]`, in [0, 1], NaN where one was not tried on an image.

        Raises:
            ValueError: no direction was tried.
        """
        images = np.isfinite(baseline).sum(axis=0)
        baseline, images = baseline[:, images > 0], images[images > 0]
        if not len(images):
            raise ValueError("no random direction was tried")
        self.means = column_means(baseline)
        self.dispersion = Dispersion.of_changes(baseline)
        self._density = self._posterior(images)

    def p_values(self, means: Array, images: Array, dispersions: Array) -> Array:
        """Compute the p-value `[A]` of each attribute against one more random baseline direction.

        Args:
            means: float64 `[A]`, mean changes by the attributes.
            images: `[A]`, over how many images each mean is.
            dispersions: float64 `[A]`, φ of each attribute's changes.

        Returns:
            The probabilities that one more direction moves the output at least as far; NaN where a mean is NaN.
        """
        p_values = np.full(len(means), np.nan)
        for a in np.flatnonzero(np.isfinite(means)):
            p_values[a] = self._beyond(float(means[a]), int(images[a]), float(dispersions[a]))
        return p_values

    def reach(self, p_value: float, images: int) -> float:
        """Return the smallest mean over so many images whose p-value is no larger than `p_value`; 1 where none is."""
        low, high = 0, len(_EFFECTS)
        while low < high:
            middle = (low + high) // 2
            if self._beyond(float(_EFFECTS[middle]), images, 0.0) > p_value:
                low = middle + 1
            else:
                high = middle
        return float(_EFFECTS[low]) if low < len(_EFFECTS) else 1.0

    def _beyond(self, mean: float, images: int, dispersion: float) -> float:
        kappa = _kappa(images, np.maximum(self.dispersion(_EFFECTS), dispersion))
        reached = special.betaincc(_EFFECTS * kappa, (1 - _EFFECTS) * kappa, min(max(mean, _LEAST), _MOST))
        return float(self._density @ reached)

    def _posterior(self, images: Array) -> Array:
        """Compute the density of one more direction's effect over `_EFFECTS`; it sums to 1."""
        seen, effects = self.means.clip(_LEAST, _MOST), _EFFECTS[:, None]
        kappa = _kappa(images, self.dispersion(effects))
        a, b = effects * kappa, (1 - effects) * kappa
        log_seen = (a - 1) * np.log(seen) + (b - 1) * np.log1p(-seen) - special.betaln(a, b)
        noise = np.median((1 - seen) / (seen * _kappa(images, self.dispersion(seen))))
        error = np.sqrt((SPREADS**2 + noise) / len(seen))
        mu = np.median(np.log(seen)) + _STEPS[:, None] * error  # [steps, spreads]
        below = special.ndtr((_EDGES[1:-1] - mu[..., None]) / SPREADS[:, None])
        density = np.diff(below, axis=-1, prepend=0.0, append=1.0)  # no effect is above 1
        likelihood = np.log(density @ np.exp(log_seen - log_seen.max(axis=0)) + 1e-300).sum(axis=-1)
        weight = np.exp(likelihood - likelihood.max()) * error  # the step of μ
        posterior: Array = np.tensordot(weight, density, axes=2) / weight.sum()
        return posterior


@dataclass(frozen=True)
class Dispersion:
    """φ(θ) = `scale` · θ^`slope`, at most 1: the variance of an image's change at mean θ, in units of θ(1 − θ).

    A slope of 0 belongs to flips, a slope of 1 to changes that are all larger by one factor.
    """

    scale: float
    slope: float

    def __call__(self, effects: Array) -> Array:
        """Return φ of each effect θ, in [0.001, 1]."""
        return np.asarray((self.scale * effects**self.slope).clip(1e-3, 1.0), dtype=np.float64)

    @classmethod
    def of_changes(cls, change: Array) -> Dispersion:
        """Fit it to the columns of `change [I, A]`, NaN where there is none."""
        images = np.isfinite(change).sum(axis=0)
        change, images = change[:, images > 0], images[images > 0]
        means = column_means(change)
        return cls.of(means, np.nansum((change - means) ** 2, axis=0), images)

    @classmethod
    def of(cls, means: Array, squares: Array, images: Array) -> Dispersion:
        """Fit it to pooled columns: `squares` are the sums of squared deviations from `means`, over `images` each."""
        freedom = (images - 1).clip(min=0)
        if not freedom.sum():
            return cls(1.0, 0.0)
        variance = squares / freedom.clip(min=1)
        means = means.clip(_LEAST, 1 - _LEAST)
        possible = means * (1 - means) + variance / images
        slope, known = 0.0, (variance > _ROUNDING * possible) & (freedom > 0)
        if known.sum() > 2 and np.ptp(logs := np.log(means[known])) > 0.1:
            slope = float(np.clip(np.polyfit(logs, np.log(variance[known] / possible[known]), 1)[0], 0.0, 1.0))
        return cls(float(squares.sum() / (freedom * possible * means**slope).sum()), slope)


def variation(change: Array) -> Array:
    """Compute φ of each column of `change [I, A]` alone; 0 for a column without variation."""
    images = np.isfinite(change).sum(axis=0)
    means = column_means(change)
    squares = np.nansum((change - means) ** 2, axis=0)
    variance = squares / (images - 1).clip(min=1)
    possible = (means * (1 - means) + variance / images.clip(min=1)).clip(min=_LEAST)
    dispersions: Array = np.nan_to_num(variance / possible).clip(max=1.0)
    return dispersions


def _kappa(images: Array | int, spread: Array) -> Array:
    return np.asarray(np.clip(images / spread - 1.0, 0.2, _MOST_EXACT), dtype=np.float64)
