"""What several parameters of a person show together: no sum of their own shows has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lab.people.parameters import HAIR_COLORS, Parameters

# Of a mirror image these have the other sign; rooms and trees have no parameter that would mirror them.
MIRRORED = ("turn_side", "light_x", "hair_part", "gaze", "head_tilt", "asymmetry")


def together(parameters: Parameters) -> NDArray[np.float32]:
    """Return products of parameters, and hues around their circle, float32 `[n, K]`."""
    turn = parameters["head_turn"] * parameters["turn_side"]
    light = parameters["side_light"] * parameters["light_x"]
    uncovered = 1 - parameters["headscarf"]
    hair = uncovered * (1 - parameters["baldness"])
    covered = np.maximum(parameters["hat"], parameters["headscarf"])
    wear, clothes = (2 * np.pi * parameters[name] for name in ("wear_hue", "clothes_hue"))
    columns = [
        turn,
        light,
        light * turn,
        hair,
        hair * (1 - parameters["hat"]),
        uncovered * parameters["hat"],
        turn * hair,
        *(hair * parameters[name] for name in ("hair_length", "curliness", "bangs", "hair_part")),
        turn * hair * parameters["hair_length"],
        *(hair * parameters[name] for name in HAIR_COLORS),
        *(hair * parameters["hair_length"] * parameters[name] for name in HAIR_COLORS),
        *(parameters["beard"] * parameters[name] for name in HAIR_COLORS),
        *(turn * parameters[name] for name in ("beard", "mustache", "eyeglasses", "sunglasses", "smile", "mouth_open")),
        *(light * parameters[name] for name in ("skin_tone", "exposure", "outdoors")),
        *(
            parameters["exposure"] * parameters[name]
            for name in ("skin_tone", "outdoors", "background_lightness", "clothes_lightness", "light_warmth")
        ),
        *(parameters["outdoors"] * parameters[name] for name in ("background_tint", "background_lightness")),
        (1 - parameters["sunglasses"]) * parameters["eyeglasses"],
        *(around(wear) * share for share in (1, covered) for around in (np.cos, np.sin)),
        *(around(clothes) * share for share in (1, parameters["clothes_lightness"]) for around in (np.cos, np.sin)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
