"""Pictures between those that lack an attribute and those that have it, such as dusk between day and night."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zoom_engine.domains.truth import Table, Truth


def at_degree(truth: Truth, parameters: Table, attribute: str, degrees: ArrayLike) -> Table:
    """Return a copy in which the attribute is present to a degree: 0 is absent, 1 is clearly present.

    Args:
        truth: of the domain.
        parameters: of n pictures.
        attribute: its name.
        degrees: a number, or an array `[n]`.
    """
    absent, present = (truth.intervene(parameters, attribute, value).values for value in (False, True))
    share = np.broadcast_to(np.asarray(degrees, dtype=np.float32), len(parameters))[:, None]
    return type(parameters)((1 - share) * absent + share * present)
