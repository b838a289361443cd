"""The parameters of a person: names, ranges, meanings, and their ties."""

from __future__ import annotations

from numpy.typing import ArrayLike

from zoom_engine.domains.parameters import LATENT_DIM, STEEP, Parameter, ParameterTable, Scheme

__all__ = ["HAIR_COLORS", "LATENT_DIM", "PARAMETER_NAMES", "SCHEME", "Parameters", "parameters_from_latents"]

HAIR_COLORS: tuple[str, ...] = ("hair_black", "hair_brown", "hair_blond", "hair_red", "hair_gray")

SCHEME = Scheme(
    subject="person",
    columns=(
        Parameter("skin_tone", 0.0, "0 to 1 along the ten tones of the Monk scale, pale to dark"),
        Parameter("skin_redness", -1.0, "-1 sallow to 1 ruddy: how much blood shows"),
        Parameter("freckles", 0.0, "0 none to 1 many", STEEP, 0.22),
        Parameter("age", 0.0, "perceived age: 0 young, smooth skin to 1 old, wrinkled", 2.5, 0.38),
        Parameter("masculinity", 0.0, "perceived gender: 0 woman to 1 man (skull, jaw, brows, neck)", 5.0, 0.50),
        Parameter("shape_first", 0.0, "share of the first of the base mesh's three mean shapes of faces"),
        Parameter("shape_second", 0.0, "share of the second; the third has the rest"),
        Parameter("face_width", -1.0, "-1 narrow, long face to 1 wide, round face"),
        Parameter("fullness", -1.0, "-1 lean to 1 full cheeks and neck"),
        Parameter("jaw", -1.0, "-1 pointed to 1 square"),
        Parameter("chin", -1.0, "-1 receding to 1 prominent"),
        Parameter("cheekbones", -1.0, "-1 flat to 1 high"),
        Parameter("forehead", -1.0, "-1 low to 1 high"),
        Parameter("nose_size", -1.0, "-1 small to 1 large"),
        Parameter("nose_width", -1.0, "-1 narrow to 1 broad"),
        Parameter("nose_bridge", -1.0, "-1 hollow to 1 humped"),
        Parameter("lips", -1.0, "-1 thin to 1 full"),
        Parameter("mouth_width", -1.0, "-1 narrow to 1 wide"),
        Parameter("eye_size", -1.0, "-1 small to 1 big"),
        Parameter("eye_spacing", -1.0, "-1 close together to 1 far apart"),
        Parameter("eye_slant", -1.0, "-1 outer corners down to 1 up"),
        Parameter("eye_color", 0.0, "0 dark brown over hazel and green to 1 blue"),
        Parameter("ear_size", -1.0, "-1 small to 1 large"),
        Parameter("asymmetry", -1.0, "how the face's two sides differ"),
        Parameter("brow_thickness", 0.0, "0 thin to 1 bushy", 3.0, 0.40),
        Parameter("hair_black", 0.0, "share of black in the hair colour; the five shares sum to 1"),
        Parameter("hair_brown", 0.0, "share of brown in the hair colour"),
        Parameter("hair_blond", 0.0, "share of blond in the hair colour"),
        Parameter("hair_red", 0.0, "share of red in the hair colour"),
        Parameter("hair_gray", 0.0, "share of grey in the hair colour"),
        Parameter("hair_length", 0.0, "0 cropped to 1 long, over the shoulders", 4.0, 0.48),
        Parameter("hair_part", -1.0, "-1 parted on the left of the picture to 1 on the right"),
        Parameter("baldness", 0.0, "0 full hair to 1 none at all", STEEP, 0.17),
        Parameter("curliness", 0.0, "0 straight to 1 curly", 8.0, 0.36),
        Parameter("bangs", 0.0, "0 free forehead to 1 hair down to the brows", STEEP, 0.30),
        Parameter("beard", 0.0, "0 shaven to 1 full beard on cheeks and chin", STEEP, 0.30),
        Parameter("beard_length", 0.0, "0 cropped to 1 long"),
        Parameter("mustache", 0.0, "0 none to 1 full mustache", STEEP, 0.32),
        Parameter("smile", 0.0, "0 serious to 1 broad smile", 6.0, 0.46),
        Parameter("mouth_open", 0.0, "0 closed to 1 open, teeth seen", 9.0, 0.32),
        Parameter("brow_raise", 0.0, "0 at rest to 1 raised", 9.0, 0.28),
        Parameter("eyes_closed", 0.0, "0 open to 1 closed", STEEP, 0.22),
        Parameter("gaze", -1.0, "eyes to -1 the left to 1 the right of the picture"),
        Parameter("lipstick", 0.0, "0 natural lips to 1 lipstick", STEEP, 0.32),
        Parameter("eyeglasses", 0.0, "0 none to 1 worn", STEEP, 0.32),
        Parameter("sunglasses", 0.0, "0 none to 1 worn", STEEP, 0.20),
        Parameter("frame_shape", -1.0, "frames from -1 round to 1 square"),
        Parameter("hat", 0.0, "0 none to 1 worn", STEEP, 0.22),
        Parameter("headscarf", 0.0, "0 none to 1 worn", STEEP, 0.18),
        Parameter("wear_hue", 0.0, "hue of hat, headscarf and frames around the circle"),
        Parameter("head_turn", 0.0, "0 straight into the camera to 1 turned by 40 degrees", 8.0, 0.34),
        Parameter("turn_side", -1.0, "-1 turned to the left to 1 to the right of the picture", 10.0, 0.5),
        Parameter("head_tilt", -1.0, "-1 tilted to the left to 1 to the right of the picture (6 degrees)"),
        Parameter("head_nod", -1.0, "-1 chin down to 1 chin up (7 degrees)"),
        Parameter("side_light", 0.0, "0 light from the front to 1 from one side alone", 8.0, 0.34),
        Parameter("light_x", -1.0, "that side: -1 the left to 1 the right of the picture", 10.0, 0.5),
        Parameter("light_warmth", -1.0, "-1 cold to 1 warm light"),
        Parameter("exposure", 0.0, "0 dark to 1 bright picture"),
        Parameter("outdoors", 0.0, "0 a room behind to 1 trees and sky", 14.0, 0.46),
        Parameter("background_tint", 0.0, "which room, and which hour outdoors"),
        Parameter("background_lightness", 0.0, "0 deep to 1 light"),
        Parameter("clothes_lightness", 0.0, "0 dark to 1 light"),
        Parameter("clothes_hue", 0.0, "hue of the clothes around the circle"),
        Parameter("collar", 0.0, "from 0 a free neck (V or round) over a shirt's collar to 1 a turtleneck"),
    ),
    colours=dict(zip(HAIR_COLORS, (0.20, 0.22, 0.10, -0.02, 0.06), strict=True)),
    sharpness=7.0,
    ties={
        "shape_first": {"skin_tone": 0.45},
        "freckles": {"skin_tone": -0.35},
        "eye_color": {"skin_tone": -0.4},
        "beard": {"masculinity": 0.75},
        "mustache": {"masculinity": 0.8},
        "brow_thickness": {"masculinity": 0.35},
        "jaw": {"masculinity": 0.3},
        "lipstick": {"masculinity": -0.55},
        "hair_length": {"masculinity": -0.5},
        "headscarf": {"masculinity": -0.4},
        "hair_gray": {"age": 0.55},
        "hair_black": {"skin_tone": 0.35},
        "hair_blond": {"skin_tone": -0.3},
        "baldness": {"age": 0.4, "masculinity": 0.35},
        "eyeglasses": {"age": 0.35},
        "smile": {"mouth_open": 0.3},
        "sunglasses": {"outdoors": 0.3},
    },
    plain=dict.fromkeys(
        (
            *HAIR_COLORS, "freckles", "baldness", "curliness", "bangs", "beard", "mustache", "smile", "mouth_open",
            "brow_raise", "eyes_closed", "lipstick", "eyeglasses", "sunglasses", "hat", "headscarf", "head_turn",
            "side_light", "outdoors",
        ),
        0.0,
    )
    | {"hair_brown": 1.0, "hair_length": 0.3, "age": 0.25, "skin_tone": 0.3, "shape_first": 0.2, "shape_second": 0.2},
    seed=20261130,
)  # fmt: skip
PARAMETER_NAMES: tuple[str, ...] = SCHEME.names


class Parameters(ParameterTable):
    """Render parameters of people, a row each (see `SCHEME` for the columns)."""

    scheme = SCHEME


def parameters_from_latents(z: ArrayLike) -> Parameters:
    """Make the `Parameters` of latents, float `[n, 64]`."""
    return Parameters.from_latents(z)
