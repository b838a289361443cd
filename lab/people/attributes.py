"""What is true of a person (see `zoom_engine.domains.truth`)."""

from __future__ import annotations

from zoom_engine.domains.truth import CLEAR_MARGIN, Attribute, Truth

__all__ = ["ATTRIBUTES", "CLEAR_MARGIN", "HAIR_ATTRIBUTES", "TRUTH", "exclusions", "intervene", "labels", "margins"]

_COLORS = {"black_hair": "hair_black", "brown_hair": "hair_brown", "blond_hair": "hair_blond",
           "red_hair": "hair_red", "gray_hair": "hair_gray"}  # fmt: skip

# Attributes that can only be seen where there is hair.
HAIR_ATTRIBUTES: tuple[str, ...] = (*_COLORS, "bangs", "long_hair", "curly_hair")

TRUTH = Truth(
    "person",
    {
        "old": Attribute("age", 0.95, 0.05),
        "male": Attribute("masculinity", 0.97, 0.03),
        "round_face": Attribute("face_width", 0.9, -0.9, threshold=0.2, scale=0.7),
        "pale_skin": Attribute("skin_tone", 0.06, 0.5, threshold=0.33, scale=-1.6),
        "dark_skin": Attribute("skin_tone", 0.94, 0.5, threshold=0.67, scale=1.6),
        "freckles": Attribute("freckles", 1.0, 0.0),
        "smiling": Attribute("smile", 0.97, 0.02),
        "mouth_open": Attribute("mouth_open", 0.97, 0.0),
        "raised_brows": Attribute("brow_raise", 1.0, 0.0),
        "eyes_closed": Attribute("eyes_closed", 1.0, 0.0),
        "bushy_eyebrows": Attribute("brow_thickness", 0.95, 0.08),
        "full_lips": Attribute("lips", 0.9, -0.9, threshold=0.2, scale=0.7),
        "eyeglasses": Attribute("eyeglasses", 1.0, 0.0),
        "sunglasses": Attribute("sunglasses", 1.0, 0.0),
        "beard": Attribute("beard", 1.0, 0.0),
        "mustache": Attribute("mustache", 1.0, 0.0),
        "bald": Attribute("baldness", 1.0, 0.0),
        "bangs": Attribute("bangs", 1.0, 0.0),
        "long_hair": Attribute("hair_length", 0.94, 0.06),
        "curly_hair": Attribute("curliness", 0.98, 0.02),
        **{name: Attribute(parameter, 1.0, 0.0) for name, parameter in _COLORS.items()},
        "lipstick": Attribute("lipstick", 1.0, 0.0),
        "hat": Attribute("hat", 1.0, 0.0),
        "headscarf": Attribute("headscarf", 1.0, 0.0),
        # An edit goes one way: heads that look left and heads that look right share none that turns them.
        "head_turned": Attribute("head_turn", 0.9, 0.02),
        "turned_left": Attribute("head_turn", 0.9, 0.02, side="turn_side", towards=-0.95),
        "turned_right": Attribute("head_turn", 0.9, 0.02, side="turn_side", towards=0.95),
        "side_light": Attribute("side_light", 0.97, 0.02),
        "lit_left": Attribute("side_light", 0.97, 0.02, side="light_x", towards=-0.95),
        "lit_right": Attribute("side_light", 0.97, 0.02, side="light_x", towards=0.95),
        "dark_picture": Attribute("exposure", 0.06, 0.5, threshold=0.33, scale=-1.6),
        "bright_picture": Attribute("exposure", 0.94, 0.5, threshold=0.67, scale=1.6),
        "outdoors": Attribute("outdoors", 1.0, 0.0),
    },
    colours=tuple(_COLORS),
    hides={
        "headscarf": ("bald", *HAIR_ATTRIBUTES, "hat"),  # before what it hides, which may hide more
        "bald": HAIR_ATTRIBUTES,
        "hat": ("bangs",),
        "sunglasses": ("eyeglasses", "eyes_closed"),
    },
)
ATTRIBUTES = TRUTH.attributes

exclusions, margins, labels, intervene = TRUTH.exclusions, TRUTH.margins, TRUTH.labels, TRUTH.intervene
