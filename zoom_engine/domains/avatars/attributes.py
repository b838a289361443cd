"""What is true of an avatar (see `zoom_engine.domains.truth`)."""

from __future__ import annotations

from zoom_engine.domains.truth import CLEAR_MARGIN, Attribute, Truth

__all__ = [
    "ATTRIBUTES",
    "CLEAR_MARGIN",
    "HAIR_ATTRIBUTES",
    "TRUTH",
    "exclusions",
    "intervene",
    "labels",
    "margins",
]

_COLORS = {"black_hair": "hair_black", "brown_hair": "hair_brown", "blond_hair": "hair_blond",
           "red_hair": "hair_red", "gray_hair": "hair_gray"}  # fmt: skip

# Attributes that can only be seen where there is hair.
HAIR_ATTRIBUTES: tuple[str, ...] = (*_COLORS, "bangs", "long_hair", "curly_hair")

TRUTH = Truth(
    "avatar",
    {
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
    },
    colours=tuple(_COLORS),
    hides={"bald": HAIR_ATTRIBUTES},
)
ATTRIBUTES = TRUTH.attributes

exclusions, margins, labels, intervene = TRUTH.exclusions, TRUTH.margins, TRUTH.labels, TRUTH.intervene
