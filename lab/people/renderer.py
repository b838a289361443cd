"""Pictures of people by the parameters alone: equal rows give equal scenes, and the same picture up to rounding.

The scene is ours (`scene.py`), the light is traced by Blender's Cycles (`cycles.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lab.people.background import composed
from lab.people.cycles import SIZE, Cycles
from lab.people.parameters import PARAMETER_NAMES, Parameters
from lab.people.scene import Studio

LOOK = 4  # raised when the same parameters give another picture: renders of two looks are not mixed


def render(parameters: Parameters) -> NDArray[np.uint8]:
    """Render people, uint8 `[n, 128, 128, 3]`: half a second of one core for each.

    Raises:
        ConfigError: `anny` or `bpy` is not installed.
    """
    pictures = np.zeros((len(parameters), SIZE, SIZE, 3), dtype=np.uint8)
    for index, values in enumerate(parameters.values):
        row = dict(zip(PARAMETER_NAMES, values.astype(float).tolist(), strict=True))
        pictures[index] = composed(row, _cycles().render(_studio().scene(row)))
    return pictures


@cache
def _studio() -> Studio:
    return Studio()


@cache
def _cycles() -> Cycles:
    return Cycles()
