"""What is true of an avatar: attribute labels, their margins, and interventions that set one of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.avatars.parameters import HAIR_COLORS, Parameters
from zoom_engine.errors import ConfigError


class Attribute(NamedTuple):
    """An attribute read from one parameter: present above `threshold` (below, where `scale` < 0).

    The margin is scale * (value - threshold), cut to ±0.5. Interventions set `on` and `off`.
    """

    parameter: str
    on: float
    off: float
    threshold: float = 0.5
    scale: float = 1.0


_COLORS = {"black_hair": "hair_black", "brown_hair": "hair_brown", "blond_hair": "hair_blond",
           "red_hair": "hair_red", "gray_hair": "hair_gray"}  # fmt: skip

_TABLE: dict[str, Attribute] = {
    "eyeglasses": Attribute("eyeglasses", 1.0, 0.0),
    "smiling": Attribute("smile", 0.95, 0.03),
    "beard": Attribute("beard", 1.0, 0.0),
    "mustache": Attribute("mustache", 1.0, 0.0),
    "bangs": Attribute("bangs", 1.0, 0.0),
    "black_hair": Attribute("hair_black", 1.0, 0.0),
    "brown_hair": Attribute("hair_brown", 1.0, 0.0),
    "blond_hair": Attribute("hair_blond", 1.0, 0.0),
    "red_hair": Attribute("hair_red", 1.0, 0.0),
    "gray_hair": Attribute("hair_gray", 1.0, 0.0),
    "bald": Attribute("baldness", 1.0, 0.0),
    "long_hair": Attribute("hair_length", 0.92, 0.06),
    "curly_hair": Attribute("curliness", 0.97, 0.02),
    "pale_skin": Attribute("skin_tone", 0.08, 0.5, threshold=0.33, scale=-1.6),
    "dark_skin": Attribute("skin_tone", 0.92, 0.5, threshold=0.67, scale=1.6),
    "bushy_eyebrows": Attribute("brow_thickness", 0.95, 0.08),
    "lipstick": Attribute("lipstick", 1.0, 0.0),
    "mouth_open": Attribute("mouth_open", 0.95, 0.0),
    "angry": Attribute("brow_angle", 0.95, -0.5, threshold=0.0, scale=0.5),
    "old": Attribute("age", 0.93, 0.07),
    "male": Attribute("masculinity", 0.95, 0.05),
    "big_eyes": Attribute("eye_size", 0.95, -0.5, threshold=0.25, scale=0.7),
}
ATTRIBUTES: tuple[str, ...] = tuple(_TABLE)

# Attributes that can only be seen where there is hair.
HAIR_ATTRIBUTES: tuple[str, ...] = (*_COLORS, "bangs", "long_hair", "curly_hair")

# At most one attribute of a group is true, but for the last, where `bald` excludes each of the others.
EXCLUSION_GROUPS: tuple[tuple[str, ...], ...] = (
    tuple(_COLORS),
    ("pale_skin", "dark_skin"),
    ("bald", *HAIR_ATTRIBUTES),
)

CLEAR_MARGIN = 0.25


def exclusions(attribute: str) -> frozenset[str]:
    """The attributes whose labels setting this one may change.

    For an attribute of the hair these are `bald` and, for a colour, the other colours. Where baldness has to
    give way, whatever hair it hid comes into view too.
    """
    _check(attribute)
    if attribute == "bald":
        return frozenset(HAIR_ATTRIBUTES)
    related = {other for group in EXCLUSION_GROUPS[:2] if attribute in group for other in group}
    if attribute in HAIR_ATTRIBUTES:
        related.add("bald")
    return frozenset(related - {attribute})


def margins(parameters: Parameters) -> dict[str, NDArray[np.float32]]:
    """Signed distance of each attribute from its threshold, float32 [n] in [-0.5, 0.5]; positive: present.

    Measured in the parameter's own range (a hair colour: its share among the five), so |margin| >= 0.25
    (`CLEAR_MARGIN`) is clearly on one side. An attribute of the hair is present only as far as there is hair:
    its margin is the smaller of its own and that of not being bald.
    """
    shares = parameters.hair_weights()
    result: dict[str, NDArray[np.float32]] = {}
    for name, row in _TABLE.items():
        color = HAIR_COLORS.index(row.parameter) if name in _COLORS else None
        value = parameters[row.parameter] if color is None else shares[:, color]
        result[name] = np.clip(row.scale * (value - row.threshold), -0.5, 0.5).astype(np.float32)
    for name in HAIR_ATTRIBUTES:
        result[name] = np.minimum(result[name], -result["bald"])
    return result


def labels(parameters: Parameters) -> dict[str, NDArray[np.bool_]]:
    """Whether each of `ATTRIBUTES` is seen, bool [n]: the sign of its margin."""
    return {name: margin > 0 for name, margin in margins(parameters).items()}


def intervene(parameters: Parameters, attribute: str, value: bool) -> Parameters:
    """A copy in which the attribute is clearly present (or clearly absent), all else as it was.

    Only the attribute's own parameter is set, but: setting a hair colour moves the share of the others
    (taking one away leaves the next most likely, made pure), and giving hair to a bald head takes its
    baldness away. Raises `ConfigError` for an unknown attribute.
    """
    _check(attribute)
    row = _TABLE[attribute]
    columns: dict[str, NDArray[np.float32]] = {}
    n = len(parameters)
    if attribute in _COLORS:
        columns.update(_with_color(parameters, HAIR_COLORS.index(row.parameter), value))
    elif attribute in ("pale_skin", "dark_skin") and not value:
        tone = parameters["skin_tone"]
        clear = margins(parameters)[attribute] <= -CLEAR_MARGIN
        columns["skin_tone"] = np.where(clear, tone, np.float32(row.off))
    else:
        columns[row.parameter] = np.full(n, row.on if value else row.off, dtype=np.float32)
    if value and attribute in HAIR_ATTRIBUTES:
        baldness = parameters["baldness"]
        columns["baldness"] = np.where(baldness > CLEAR_MARGIN, np.float32(0.0), baldness)
    return parameters.replace(**columns)


def _with_color(parameters: Parameters, color: int, value: bool) -> dict[str, NDArray[np.float32]]:
    shares = parameters.hair_weights().copy()
    pure = np.eye(len(HAIR_COLORS), dtype=np.float32)
    if value:
        shares[:] = pure[color]
    else:
        dominant = shares[:, color] > 0.5 - CLEAR_MARGIN
        rest = shares.copy()
        rest[:, color] = -1.0
        shares = np.where(dominant[:, None], pure[rest.argmax(axis=1)], shares)
    return {name: shares[:, index] for index, name in enumerate(HAIR_COLORS)}


def _check(attribute: str) -> None:
    if attribute not in _TABLE:
        raise ConfigError(f"unknown avatar attribute {attribute!r}; choose from {', '.join(ATTRIBUTES)}")
