"""The parameters of a pet: names, ranges, meanings, and their natural ties."""

from __future__ import annotations

from numpy.typing import ArrayLike

from zoom_engine.domains.parameters import LATENT_DIM, STEEP, Parameter, ParameterTable, Scheme

__all__ = ["FUR_COLORS", "LATENT_DIM", "PARAMETER_NAMES", "SCHEME", "Parameters", "parameters_from_latents"]

SCHEME = Scheme(
    subject="pet",
    columns=(
        Parameter("species", 0.0, "0 cat to 1 dog: head, muzzle, nose and eyes", 14.0, 0.50),
        Parameter("ear_fold", 0.0, "0 pointed, upright ears to 1 floppy ears", 14.0, 0.42),
        Parameter("ear_size", -1.0, "-1 small to 1 large"),
        Parameter("snout", 0.0, "0 short to 1 long", 4.0, 0.46),
        Parameter("head_width", -1.0, "-1 narrow to 1 wide"),
        Parameter("fur_black", 0.0, "share of black in the fur colour; the five shares sum to 1"),
        Parameter("fur_white", 0.0, "share of white in the fur colour"),
        Parameter("fur_ginger", 0.0, "share of ginger in the fur colour"),
        Parameter("fur_gray", 0.0, "share of grey in the fur colour"),
        Parameter("fur_brown", 0.0, "share of brown in the fur colour"),
        Parameter("stripes", 0.0, "0 none to 1 tabby stripes", STEEP, 0.36),
        Parameter("patch", 0.0, "0 none to 1 a patch around one eye", STEEP, 0.34),
        Parameter("patch_side", -1.0, "-1 the patch lies left in the picture to 1 right", 8.0, 0.5),
        Parameter("blaze", 0.0, "0 none to 1 a white blaze, muzzle and chest", STEEP, 0.36),
        Parameter("fur_length", 0.0, "0 short and smooth to 1 long and fluffy", 5.0, 0.42),
        Parameter("eye_color", 0.0, "0 brown over amber and green to 1 blue"),
        Parameter("eye_size", -1.0, "-1 small to 1 big"),
        Parameter("pupil", 0.0, "0 round to 1 a vertical slit", 14.0, 0.40),
        Parameter("sleepy", 0.0, "0 wide awake to 1 eyes half closed", 12.0, 0.32),
        Parameter("mouth_open", 0.0, "0 closed to 1 open", 9.0, 0.38),
        Parameter("tongue", 0.0, "0 inside to 1 hanging out", STEEP, 0.36),
        Parameter("nose_pink", 0.0, "0 dark to 1 pink nose", STEEP, 0.40),
        Parameter("whiskers", 0.0, "0 none seen to 1 long whiskers", 14.0, 0.45),
        Parameter("collar", 0.0, "0 none to 1 a collar with a tag", STEEP, 0.40),
        Parameter("collar_hue", 0.0, "0 red over blue to 1 green"),
        Parameter("outdoors", 0.0, "0 indoors to 1 on grass", 14.0, 0.45),
        Parameter("background_lightness", 0.0, "0 deep to 1 light"),
        Parameter("background_warmth", -1.0, "-1 blue to 1 orange"),
        Parameter("background_tint", -1.0, "-1 green to 1 pink"),
        Parameter("head_x", -1.0, "head shift: -1 left to 1 right (3 pixels)"),
        Parameter("head_y", -1.0, "head shift: -1 up to 1 down (2 pixels)"),
        Parameter("tilt", -1.0, "head tilt: -1 to the left to 1 to the right of the picture (5 degrees)"),
        Parameter("light_x", -1.0, "light from -1 the left to 1 the right of the picture"),
        Parameter("light_strength", 0.0, "0 flat to 1 strong modelling"),
    ),
    colours={"fur_black": 0.08, "fur_white": 0.05, "fur_ginger": 0.05, "fur_gray": 0.0, "fur_brown": 0.12},
    sharpness=7.0,
    ties={
        "ear_fold": {"species": 0.65},
        "snout": {"species": 0.4},
        "stripes": {"species": -0.35},
        "eye_color": {"species": -0.45},
        "pupil": {"species": -0.6},
        "tongue": {"species": 0.5},
        "nose_pink": {"species": -0.5},
        "whiskers": {"species": -0.6},
    },
    plain={
        "species": 0.0,
        "ear_fold": 0.0,
        "snout": 0.3,
        "fur_black": 0.0,
        "fur_white": 0.0,
        "fur_ginger": 0.0,
        "fur_gray": 0.0,
        "fur_brown": 1.0,
        "stripes": 0.0,
        "patch": 0.0,
        "blaze": 0.0,
        "fur_length": 0.2,
        "pupil": 0.0,
        "sleepy": 0.0,
        "mouth_open": 0.0,
        "tongue": 0.0,
        "nose_pink": 0.0,
        "whiskers": 0.0,
        "collar": 0.0,
        "outdoors": 0.0,
    },
    seed=20231128,
)
PARAMETER_NAMES: tuple[str, ...] = SCHEME.names
FUR_COLORS: tuple[str, ...] = tuple(SCHEME.colours)


class Parameters(ParameterTable):
    """Render parameters of pets, a row each (see `SCHEME` for the columns)."""

    scheme = SCHEME


def parameters_from_latents(z: ArrayLike) -> Parameters:
    """Make the `Parameters` of latents, float `[n, 64]`."""
    return Parameters.from_latents(z)
