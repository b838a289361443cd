"""Power: how large an effect an audit could have missed, by effects of known size injected into directions without one.

How well so many images tell an effect depends on how it is spread over them: 0.1 may be 0.1 on every image, or a flip
on one in ten. So an injected effect of mean θ varies over images as the changes by this audit's attributes and random
baseline directions do (`random_edits.Dispersion`: Beta(θκ, (1 − θ)κ) with κ = 1/φ(θ) − 1). The audit's own rules are
applied to `AUDITS` such audits; the fraction of them that finds the effect is the power: to be *sensitive*, and to be
*specific* too, which the spread of random baseline directions decides.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.summary import Power
from zoom_engine.settings.interim_analyses import ERRING
from zoom_engine.statistics.betting import log_wealth_above, log_wealth_below, needed
from zoom_engine.statistics.intervals import Array, column_means
from zoom_engine.statistics.random_edits import Dispersion, variation

SIZES = (0.05, 0.1, 0.2, 0.4)
LIKELY = 0.8
AUDITS = 100
MOST_IMAGES = 1000
PRIOR_IMAGES = 16
"""As many images what is known otherwise counts for, beside what a few images show."""
Spread = Callable[[Array], Array]
"""φ by the mean of an effect, such as a `Dispersion`."""
_STEP = 1.1
_HALVINGS = 6
_LEAST = 1e-4


def power(
    change: Array,
    baseline: Array,
    smallest: float,
    *,
    specific_from: float | None,
    images: int | None = None,
    seed: int = 0,
) -> Power | None:
    """Estimate the power of an audit.

    Args:
        change: float64 `[I, A]` in [0, 1], changes by attributes; NaN where one was not tried.
        baseline: float64 `[I, J]` in [0, 1], changes by random baseline directions; NaN where one was not tried.
        smallest: the smallest effect that matters, in [0, 1].
        specific_from: the mean change from which on an attribute is specific; None without random baseline directions.
        images: number of images on which the audit would try an attribute that is not settled; by default as many as
            the attribute has that was tried on the fewest.
        seed: seed of the simulated audits.

    Returns:
        The power by effect size; None below two images.
    """
    if fewest(change) < 2:
        return None
    images = fewest(change) if images is None else images
    spread, attributes = Dispersion.of_changes(np.concatenate([change, baseline], axis=1)), change.shape[1]
    return power_of(spread, images, attributes, smallest, specific_from=specific_from, seed=seed)


def power_of(
    spread: Spread,
    images: int,
    attributes: int,
    smallest: float,
    *,
    specific_from: float | None = None,
    sizes: Sequence[float] = SIZES,
    seed: int = 0,
    audits: int = AUDITS,
) -> Power:
    """Estimate the power of an audit of so many images and attributes, whose changes vary as `spread` says.

    Args:
        spread: how a change of some mean varies over images.
        images: how many, 2 or more.
        attributes: how many are judged at once.
        smallest: the smallest effect that matters, in [0, 1].
        specific_from: as in `power`.
        sizes: of injected effects, in (0, 1].
        seed: as in `power`.
        audits: how many are simulated.
    """
    injected = _Injected(spread, attributes, seed, audits)

    def fractions_found(size: float) -> tuple[float, float]:
        """Return the fractions of audits that find an effect of that size sensitive, and specific too."""
        drawn = injected.changes(size, images)
        sensitive = injected.is_sensitive(drawn, smallest)
        far = drawn.mean(axis=0) >= (1.0 if specific_from is None else specific_from)
        return float(sensitive.mean()), float((sensitive & far).mean())

    shares = {f"{size:g}": fractions_found(size) for size in sizes}
    return Power(
        {size: round(share, 3) for size, (share, _) in shares.items()},
        None if specific_from is None else {size: round(share, 3) for size, (_, share) in shares.items()},
        _detectable(lambda size: fractions_found(size)[0], smallest),
    )


@dataclass(frozen=True)
class _Injected:
    """Audits of so many `attributes`, into one of which effects are injected, spread over images by `spread`."""

    spread: Spread
    attributes: int
    seed: int
    audits: int = AUDITS

    def is_sensitive(self, changes: Array, smallest: float) -> NDArray[np.bool_]:
        """Tell for each column of `changes` whether the audit finds it sensitive, where no other attribute is."""
        above: NDArray[np.bool_] = log_wealth_above(changes, smallest) >= needed(ERRING, self.attributes)
        return above

    def changes(self, size: float, images: int) -> Array:
        """Draw the changes `[images, audits]` by an effect of mean `size`."""
        random = np.random.default_rng([self.seed, round(1e6 * size)])
        phi = float(self.spread(np.array([size]))[0])
        kappa = max(1 / phi - 1, _LEAST)
        return (
            random.beta(size * kappa, (1 - size) * kappa, (images, self.audits)) if size < 1 else np.ones((images, 1))
        )


def images_for_power(
    change: Array,
    baseline: Array,
    smallest: float,
    size: float,
    share: float,
    *,
    seed: int = 0,
) -> int | None:
    """Estimate how many images such an audit takes to find an effect sensitive in so many cases.

    Args:
        change: as in `power`.
        baseline: as in `power`.
        smallest: as in `power`.
        size: the effect, in [0, 1].
        share: the share of audits that are to find it, in [0, 1].
        seed: as in `power`.

    Returns:
        The number of images, to a tenth; None where it is more than `most_images`, or where no number is enough: an
        effect that is not above the smallest that matters cannot be found sensitive.
    """
    images = fewest(change)
    if images < 1 or size <= smallest:
        return None
    spread = Dispersion.of_changes(np.concatenate([change, baseline], axis=1))
    injected, steps = _Injected(spread, change.shape[1], seed), _steps(images + 1)

    def finds(count: int) -> bool:
        return bool(injected.is_sensitive(injected.changes(size, count), smallest).mean() >= share)

    first = bisect.bisect_left(steps, True, key=finds)
    return steps[first] if first < len(steps) else None


def _steps(images: int) -> list[int]:
    """Return so many images and a tenth more each time, up to `MOST_IMAGES`."""
    steps = [images]
    while steps[-1] < MOST_IMAGES:
        steps.append(min(math.ceil(_STEP * steps[-1]), MOST_IMAGES))
    return steps


def fewest(change: Array) -> int:
    """Return on how many images the attribute was tried that was tried on the fewest; 0 where none was tried at all."""
    images = np.isfinite(change).sum(axis=0)
    return int(images[images > 0].min(initial=len(change))) if images.any() else 0


@dataclass(frozen=True)
class Mixture:
    """φ as the mean of two: `weight` times the first, and the rest of the second."""

    first: Spread
    second: Spread
    weight: float

    def __call__(self, effects: Array) -> Array:
        """Return φ of each effect."""
        mixed: Array = self.weight * self.first(effects) + (1 - self.weight) * self.second(effects)
        return mixed


FLIPS = Dispersion(1.0, 0.0)
"""Effects that are all or nothing: no others take more images to find."""


def spread_of_few(changes: Array, smallest: float) -> Spread:
    """Estimate how larger effects would vary over images, from the changes on a few.

    What hardly moves says nothing of how an effect would be spread, and flips may not have come up yet. So changes
    count as far as their mean reaches the smallest effect that matters, and beside `PRIOR_IMAGES` of `FLIPS`.

    Args:
        changes: float64 `[I, J]` in [0, 1], by attributes and random baseline directions; NaN where one was not tried.
        smallest: the smallest effect that matters, in [0, 1].
    """
    images = np.isfinite(changes).sum(axis=0)
    reached = np.nan_to_num(column_means(changes)) / smallest if smallest else np.ones(len(images))
    known = float((images * reached.clip(max=1.0)).sum())
    return Mixture(Dispersion.of_changes(changes), FLIPS, known / (known + PRIOR_IMAGES))


@dataclass(frozen=True)
class Curve:
    """φ between points: `scale` times `phi [K]` at the rising `effects [K]`, at most 1; beyond the last as there."""

    effects: Array
    phi: Array
    scale: float = 1.0

    def __call__(self, effects: Array) -> Array:
        """Return φ of each effect θ, in [0.001, 1]."""
        return np.asarray((self.scale * np.interp(effects, self.effects, self.phi)).clip(1e-3, 1.0), dtype=np.float64)


CURVE_SCALE, CURVE_KNOWN, FEW_IMAGES = 1.1, 0.4, 1.15
"""What audits of 48 images of twelve classifiers (avatars and pets, seed 100) showed, and pilots of 8 of their images:
how much more changes are spread than a curve of shifted outputs says; for how many squared changes that counts beside a
pilot's; and how much more they are spread on all images than on a few."""
CURVE_UNSURE, FEW_UNSURE = (1 / 3, 1.8), (1 / 3, 3.0)
"""Between how many times φ by a scaled curve, and by `spread_of_few`, that of a larger audit lies: of the first 95 % of
those pilots do, the second is a guess."""


def scaled_curve(curve: Curve, changes: Array) -> Curve:
    """Scale a curve by how the changes on a few images are spread beside what it says of them.

    Args:
        curve: what is expected.
        changes: float64 `[I, J]` in [0, 1], by attributes and random baseline directions; NaN where one was not tried.
    """
    images = np.isfinite(changes).sum(axis=0)
    changes, images = changes[:, images > 1], images[images > 1]
    means = column_means(changes)
    squares = np.nansum((changes - means) ** 2, axis=0)
    possible = (images - 1) * means * (1 - means) + squares / images
    expected = float((possible * curve(means)).sum())
    scale = (FEW_IMAGES * float(squares.sum()) + CURVE_KNOWN * CURVE_SCALE) / (expected + CURVE_KNOWN)
    return replace(curve, scale=curve.scale * scale)


def times(spread: Spread, factor: float) -> Spread:
    """Return `factor` times φ, at most 1."""

    def scaled(effects: Array) -> Array:
        phi: Array = (factor * spread(effects)).clip(1e-3, 1.0)
        return phi

    return scaled


def spread_of_attribute(changes: Array, others: Spread, smallest: float) -> Spread:
    """Estimate how a larger effect of one attribute would vary over images, from its changes on a few.

    Its own variance counts beside that of `others` in the same way as these beside flips: by its images, as far as its
    mean reaches the smallest effect that matters, against `PRIOR_IMAGES`.

    Args:
        changes: float64 `[I]` in [0, 1], by the attribute; NaN where it was not tried.
        others: of all changes.
        smallest: the smallest effect that matters, in [0, 1].
    """
    changes = changes[np.isfinite(changes)]
    if len(changes) < 2 or not (mean := float(changes.mean())) > 0:
        return others
    known = len(changes) * (min(1.0, mean / smallest) if smallest else 1.0)
    return Mixture(Dispersion(float(variation(changes[:, None])[0]), 0.0), others, known / (known + PRIOR_IMAGES))


def _detectable(share: Callable[[float], float], smallest: float) -> float | None:
    low, high = smallest, 1.0
    if share(high) < LIKELY:
        return None
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high)) if low else high / 2
        low, high = (low, middle) if share(middle) >= LIKELY else (middle, high)
    return high


def images_to_settle(
    change: Array,
    baseline: Array,
    smallest: float,
    inconclusive: Sequence[int],
    *,
    tests: tuple[int, int] | None = None,
    seed: int = 0,
) -> list[int | None]:
    """Estimate how many images would settle whether attributes are sensitive or negligible.

    The audit is continued `AUDITS` times: the images that it has are kept, and others are drawn around a mean effect
    that may lie wherever those leave it open, varying over images as in `power`. How open, the spread of an effect that
    matters says: flips that few images show may not have come up yet. (Beta, with half an observation at 0 and at 1, as
    Jeffreys' prior has it.) The verdict is looked at after every further tenth of the images.

    Args:
        change: as in `power`; no column of `inconclusive` holds NaN.
        baseline: as in `power`.
        smallest: the smallest effect that matters, in [0, 1].
        inconclusive: indices of the attributes that are asked about.
        tests: how many attributes are not sensitive yet, and how many are not negligible; by default all of them.
        seed: seed of the simulated audits.

    Returns:
        For each of them the number of images of the whole audit at which `LIKELY` of its continuations are settled;
        None where `MOST_IMAGES` are too few, below two images, and where the audit has as many already.
    """
    images, attributes = change.shape
    if not 2 <= images < MOST_IMAGES:
        return [None] * len(inconclusive)
    spread, steps = Dispersion.of_changes(np.concatenate([change, baseline], axis=1)), _steps(images)
    to_sensitive, to_negligible = (needed(ERRING, count) for count in tests or (attributes, attributes))

    def images_of(column: int) -> int | None:
        random, seen = np.random.default_rng([seed, column]), change[:, column]
        mean = seen.mean().clip(_LEAST, 1 - _LEAST)
        known = images / float(spread(np.array([max(mean, smallest)]))[0])
        effects = random.beta(mean * known + 0.5, (1 - mean) * known + 0.5, AUDITS).clip(_LEAST, 1 - _LEAST)
        kappa = (1 / spread(effects) - 1).clip(min=_LEAST)
        more = random.beta(effects * kappa, (1 - effects) * kappa, (MOST_IMAGES - images, AUDITS))
        audits = np.concatenate([np.repeat(seen[:, None], AUDITS, axis=1), more])

        def settles(count: int) -> bool:
            is_sensitive = log_wealth_above(audits[:count], smallest) >= to_sensitive
            is_negligible = log_wealth_below(audits[:count], smallest) >= to_negligible
            return bool((is_sensitive | is_negligible).mean() >= LIKELY)

        first = bisect.bisect_left(steps, True, lo=1, key=settles)
        return steps[first] if first < len(steps) else None

    return [images_of(column) for column in inconclusive]


def most_images(images: int) -> int:
    """Return up to how many images `images_to_settle` looks, for an audit of so many."""
    return max(MOST_IMAGES, images)
