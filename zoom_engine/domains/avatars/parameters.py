"""The parameters of an avatar: names, ranges, meanings, and their natural ties."""

from __future__ import annotations

from numpy.typing import ArrayLike

from zoom_engine.domains.parameters import LATENT_DIM, STEEP, Parameter, ParameterTable, Scheme

__all__ = [
    "HAIR_COLORS",
    "LATENT_DIM",
    "PARAMETER_NAMES",
    "SPECIFICATION",
    "TIES",
    "Parameters",
    "parameters_from_latents",
]

SPECIFICATION: tuple[Parameter, ...] = (
    Parameter("skin_tone", 0.0, "0 pale to 1 dark"),
    Parameter("skin_warmth", -1.0, "-1 rosy to 1 olive"),
    Parameter("face_width", -1.0, "-1 narrow to 1 wide"),
    Parameter("jaw", -1.0, "-1 pointed to 1 square"),
    Parameter("age", 0.0, "perceived age: 0 young, smooth skin to 1 old, wrinkled", 2.5, 0.38),
    Parameter("masculinity", 0.0, "perceived gender: 0 woman to 1 man (jaw, neck, lashes, lips)", 4.0, 0.50),
    Parameter("hair_black", 0.0, "share of black in the hair colour; the five shares sum to 1"),
    Parameter("hair_brown", 0.0, "share of brown in the hair colour"),
    Parameter("hair_blond", 0.0, "share of blond in the hair colour"),
    Parameter("hair_red", 0.0, "share of red in the hair colour"),
    Parameter("hair_gray", 0.0, "share of grey in the hair colour"),
    Parameter("hair_length", 0.0, "0 short to 1 long, over the shoulders", 4.0, 0.48),
    Parameter("hair_part", -1.0, "-1 parted on the left of the picture to 1 on the right"),
    Parameter("baldness", 0.0, "0 full hair to 1 none at all", STEEP, 0.17),
    Parameter("curliness", 0.0, "0 straight to 1 curly", 8.0, 0.40),
    Parameter("bangs", 0.0, "0 free forehead to 1 hair down to the brows", STEEP, 0.38),
    Parameter("beard", 0.0, "0 shaven to 1 full beard on cheeks and chin", STEEP, 0.34),
    Parameter("mustache", 0.0, "0 none to 1 full mustache", STEEP, 0.34),
    Parameter("brow_thickness", 0.0, "0 thin to 1 bushy", 3.0, 0.36),
    Parameter("brow_angle", -1.0, "-1 raised inside (mild) to 1 drawn down inside (angry)", 3.0, 0.36),
    Parameter("eyeglasses", 0.0, "0 none to 1 worn", STEEP, 0.36),
    Parameter("smile", 0.0, "0 serious to 1 broad smile", 6.0, 0.48),
    Parameter("mouth_open", 0.0, "0 closed to 1 open, teeth seen", 9.0, 0.36),
    Parameter("lipstick", 0.0, "0 natural lips to 1 red lipstick", STEEP, 0.36),
    Parameter("eye_color", 0.0, "0 dark brown over hazel and green to 1 blue"),
    Parameter("eye_size", -1.0, "-1 small to 1 big"),
    Parameter("eye_spacing", -1.0, "-1 close together to 1 far apart"),
    Parameter("nose_size", -1.0, "-1 small to 1 large"),
    Parameter("mouth_width", -1.0, "-1 narrow to 1 wide"),
    Parameter("head_x", -1.0, "head shift: -1 left to 1 right (3 pixels)"),
    Parameter("head_y", -1.0, "head shift: -1 up to 1 down (2 pixels)"),
    Parameter("tilt", -1.0, "head tilt: -1 to the left to 1 to the right of the picture (5 degrees)"),
    Parameter("background_lightness", 0.0, "0 deep to 1 light"),
    Parameter("background_warmth", -1.0, "-1 blue to 1 orange"),
    Parameter("background_tint", -1.0, "-1 green to 1 pink"),
    Parameter("light_x", -1.0, "light from -1 the left to 1 the right of the picture"),
    Parameter("light_strength", 0.0, "0 flat to 1 strong modelling"),
    Parameter("clothes_lightness", 0.0, "0 dark to 1 light"),
    Parameter("clothes_warmth", -1.0, "-1 blue to 1 orange"),
    Parameter("clothes_tint", -1.0, "-1 green to 1 pink"),
)
HAIR_COLORS: tuple[str, ...] = ("hair_black", "hair_brown", "hair_blond", "hair_red", "hair_gray")

TIES: dict[str, dict[str, float]] = {
    "beard": {"masculinity": 0.55},
    "mustache": {"masculinity": 0.55},
    "lipstick": {"masculinity": -0.55},
    "hair_length": {"masculinity": -0.5},
    "jaw": {"masculinity": 0.4},
    "brow_thickness": {"masculinity": 0.35},
    "hair_gray": {"age": 0.55},
    "baldness": {"age": 0.45, "masculinity": 0.3},
    "eyeglasses": {"age": 0.4},
}

_EXTRAS = ("baldness", "curliness", "bangs", "beard", "mustache", "eyeglasses", "smile", "mouth_open", "lipstick")

SCHEME = Scheme(
    subject="avatar",
    columns=SPECIFICATION,
    colours=dict(zip(HAIR_COLORS, (0.18, 0.22, 0.12, 0.0, 0.08), strict=True)),
    sharpness=7.0,
    ties=TIES,
    plain=dict.fromkeys((*HAIR_COLORS, *_EXTRAS), 0.0)
    | {"hair_brown": 1.0, "hair_length": 0.3, "age": 0.3, "skin_tone": 0.3},
    seed=20231127,
)
PARAMETER_NAMES: tuple[str, ...] = SCHEME.names


class Parameters(ParameterTable):
    """Render parameters of avatars, a row each (see `SPECIFICATION` for the columns)."""

    scheme = SCHEME


def parameters_from_latents(z: ArrayLike) -> Parameters:
    """Make the `Parameters` of latents, float `[n, 64]`."""
    return Parameters.from_latents(z)
