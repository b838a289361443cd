"""What is true of a pet (see `zoom_engine.domains.truth`)."""

from __future__ import annotations

from zoom_engine.domains.truth import CLEAR_MARGIN, Attribute, Truth

__all__ = ["ATTRIBUTES", "CLEAR_MARGIN", "TRUTH", "exclusions", "intervene", "labels", "margins"]

_COLORS = {"black_fur": "fur_black", "white_fur": "fur_white", "ginger_fur": "fur_ginger",
           "gray_fur": "fur_gray", "brown_fur": "fur_brown"}  # fmt: skip

TRUTH = Truth(
    "pet",
    {
        "dog": Attribute("species", 1.0, 0.0),
        "pointed_ears": Attribute("ear_fold", 0.0, 1.0, scale=-1.0),
        "long_snout": Attribute("snout", 0.95, 0.05),
        **{name: Attribute(parameter, 1.0, 0.0) for name, parameter in _COLORS.items()},
        "stripes": Attribute("stripes", 1.0, 0.0),
        "eye_patch": Attribute("patch", 1.0, 0.0),
        "white_blaze": Attribute("blaze", 1.0, 0.0),
        "fluffy": Attribute("fur_length", 0.97, 0.03),
        "blue_eyes": Attribute("eye_color", 1.0, 0.4, threshold=0.8, scale=2.5),
        "big_eyes": Attribute("eye_size", 0.95, -0.5, threshold=0.25, scale=0.7),
        "slit_pupils": Attribute("pupil", 1.0, 0.0),
        "sleepy": Attribute("sleepy", 1.0, 0.0),
        "mouth_open": Attribute("mouth_open", 0.97, 0.0),
        "tongue_out": Attribute("tongue", 1.0, 0.0),
        "pink_nose": Attribute("nose_pink", 1.0, 0.0),
        "whiskers": Attribute("whiskers", 1.0, 0.0),
        "collar": Attribute("collar", 1.0, 0.0),
        "on_grass": Attribute("outdoors", 1.0, 0.0),
    },
    colours=tuple(_COLORS),
    hides={"white_fur": ("white_blaze",)},
)
ATTRIBUTES = TRUTH.attributes
exclusions, margins, labels, intervene = TRUTH.exclusions, TRUTH.margins, TRUTH.labels, TRUTH.intervene
