"""The next edit of a search that has linearised a margin: a quadratic problem with one linear constraint in a box.

minimise c·d + ½ Σᵢ hᵢ dᵢ²  over the step d  with  g·d ≤ b  and  low ≤ d ≤ high
"""

from __future__ import annotations

import numpy as np

from zoom_engine.search.trials import Array, Trial

# Share of the way from the free minimiser to the least g·d in the box. At the end of the way each entry goes to a bound
# by the sign of its slope, however small that is, so that its rounding would turn the step; the last bit counts little
# while there are steps to come.
REACH = 0.8
CUTS, HALVINGS = 5, 12


def least_step(c: Array, h: Array, g: Array, b: float, low: Array, high: Array, *, reach: float = REACH) -> Array:
    """Return the minimiser d `[N]` of the problem above.

    d(λ) = clip(−(c + λg)/h, low, high), with the smallest λ ≥ 0 that meets the constraint. g·d(λ) falls and is linear
    between the λ at which an entry meets its bound, so that λ follows from its values there.

    Args:
        c: linear costs `[N]`.
        h: quadratic costs `[N]`, above 0.
        g: the constraint's slope `[N]`.
        b: the constraint's limit. One that lies beyond `reach` of the way from the free minimiser to the least g·d in
            the box, or beyond the box, is raised to there.
        low: lower bounds `[N]`, at most 0.
        high: upper bounds `[N]`, at least 0.
        reach: in [0, 1].
    """

    def steps(multipliers: Array) -> Array:
        return np.array(np.clip(-(c + multipliers[:, None] * g) / h, low, high))

    free: Array = steps(np.zeros(1))[0]
    if g @ free <= b:
        return free
    least = float(np.minimum(g * low, g * high).sum())
    b = max(b, reach * least + (1 - reach) * float(g @ free))
    slope = np.where(g == 0, np.inf, g)
    kinks = np.concatenate([-(c + h * bound) / slope for bound in (low, high)])
    kinks = np.sort(np.concatenate([[0.0], kinks[kinks > 0]]))
    values = steps(kinks) @ g
    after = int(np.argmax(values <= b)) if values[-1] <= b else len(kinks) - 1
    share = (values[after - 1] - b) / (values[after - 1] - values[after]) if after else 0.0
    multiplier = kinks[after - 1] + min(share, 1.0) * (kinks[after] - kinks[after - 1])
    return np.asarray(steps(np.array([multiplier]))[0])


def next_edit(
    trial: Trial, at: Array, c: Array, h: Array, g: Array, b: float, *, radius: Array, reach: float = REACH
) -> Array:
    """Return edit weights `[N]`: `at` plus the least step within `radius [N]` and where the trial may look.

    Where the edit is not natural, a plane cuts off what is beyond: it touches the region where the projected edit meets
    its surface (Kelley 1960). The plane is one more linear term, whose weight is found by bisection. There are a few
    such cuts, each in place of the one before; of the edits that they lead to, projected, the best is taken. For the
    other arguments see `least_step`.
    """
    low = np.maximum(trial.bounds[:, 0] - at, -radius)
    high = np.minimum(trial.bounds[:, 1] - at, radius)
    candidate = at + least_step(c, h, g, b, low, high, reach=reach)
    natural = trial.natural if trial.stay_natural else None
    projected = [trial.allowed(candidate)]
    for _ in range(CUTS):
        if natural is None or natural.holds(candidate):
            break
        surface = projected[-1]
        normal = natural.normal(surface)

        def edit(weight: float, normal: Array = normal) -> Array:
            return at + least_step(c + weight * normal, h, g, b, low, high, reach=reach)

        low_weight, high_weight = (
            0.0,
            float(np.abs(candidate - at) @ h) / max(float(np.abs(normal).sum()), 1e-12) + 1e-12,
        )
        for _ in range(HALVINGS):
            if normal @ (edit(high_weight) - surface) <= 0:
                break
            low_weight, high_weight = high_weight, 4 * high_weight
        for _ in range(HALVINGS):
            middle = (low_weight + high_weight) / 2
            low_weight, high_weight = (
                (middle, high_weight) if normal @ (edit(middle) - surface) > 0 else (low_weight, middle)
            )
        candidate = edit(high_weight)
        projected.append(trial.allowed(candidate))

    def price(edit: Array) -> tuple[float, float]:
        """Return how far an edit lies beyond b, and what is minimised."""
        d = edit - at
        return max(float(g @ d) - b, 0.0), float(c @ d + h @ d**2 / 2)

    return min(projected, key=price)
