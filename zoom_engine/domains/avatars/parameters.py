"""The parameters of an avatar: names, ranges, meanings, and how latents become parameters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoom_engine.errors import ConfigError

Array = NDArray[np.float32]

LATENT_DIM = 64
_PROJECTION_SEED = 20231127


class Parameter(NamedTuple):
    """One column of `Parameters`.

    `steepness` 0: the value is spread evenly over its range (normal CDF of the factor). Otherwise the value
    is sigmoid(steepness * (factor - t)), with t such that a share `share` of all faces lies above one half.
    """

    name: str
    low: float
    meaning: str
    steepness: float = 0.0
    share: float = 0.5


_STEEP = 20.0
_HAIR_SHARPNESS = 7.0

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
    Parameter("baldness", 0.0, "0 full hair to 1 none at all", _STEEP, 0.17),
    Parameter("curliness", 0.0, "0 straight to 1 curly", 8.0, 0.40),
    Parameter("bangs", 0.0, "0 free forehead to 1 hair down to the brows", _STEEP, 0.38),
    Parameter("beard", 0.0, "0 shaven to 1 full beard on cheeks and chin", _STEEP, 0.34),
    Parameter("mustache", 0.0, "0 none to 1 full mustache", _STEEP, 0.34),
    Parameter("brow_thickness", 0.0, "0 thin to 1 bushy", 3.0, 0.36),
    Parameter("brow_angle", -1.0, "-1 raised inside (mild) to 1 drawn down inside (angry)", 3.0, 0.36),
    Parameter("eyeglasses", 0.0, "0 none to 1 worn", _STEEP, 0.36),
    Parameter("smile", 0.0, "0 serious to 1 broad smile", 6.0, 0.48),
    Parameter("mouth_open", 0.0, "0 closed to 1 open, teeth seen", 9.0, 0.36),
    Parameter("lipstick", 0.0, "0 natural lips to 1 red lipstick", _STEEP, 0.36),
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
PARAMETER_NAMES: tuple[str, ...] = tuple(row.name for row in SPECIFICATION)
HAIR_COLORS: tuple[str, ...] = ("hair_black", "hair_brown", "hair_blond", "hair_red", "hair_gray")
_COLUMN = {name: index for index, name in enumerate(PARAMETER_NAMES)}

# How common each hair colour is, as an offset of its factor before the soft-max.
_HAIR_OFFSETS = dict(zip(HAIR_COLORS, (0.18, 0.22, 0.12, 0.0, 0.08), strict=True))

# factor -> {the factor it is tied to: correlation}. The rest of its variance is its own.
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


class Parameters:
    """Float32 `values [n, P]`, a row per avatar and a column per name of `PARAMETER_NAMES`.

    Every value lies in [0, 1] or [-1, 1] (see `SPECIFICATION`); the five hair colours are normalised to sum 1
    by the renderer. Raises `ConfigError` for another shape or a value out of range.
    """

    def __init__(self, values: ArrayLike) -> None:
        array = np.array(values, dtype=np.float32, ndmin=2)
        if array.ndim != 2 or array.shape[1] != len(PARAMETER_NAMES):
            raise ConfigError(f"avatar parameters have shape {array.shape}; give an array [n, {len(PARAMETER_NAMES)}]")
        low, high = parameter_bounds()
        bad = ~((array >= low) & (array <= high))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ConfigError(
                f"avatar parameter {PARAMETER_NAMES[column]} is {array[row, column]:g} in row {row}; "
                f"keep it within [{low[column]:g}, {high[column]:g}]"
            )
        array.setflags(write=False)
        self.values: Array = array

    @classmethod
    def neutral(cls, n: int = 1) -> Parameters:
        """`n` copies of one plain face: the middle of every range, no extras, brown hair."""
        low, _ = parameter_bounds()
        row = np.where(low < 0, 0.0, 0.5).astype(np.float32)
        extras = ("baldness", "curliness", "bangs", "beard", "mustache", "eyeglasses")
        for name in (*HAIR_COLORS, *extras, "smile", "mouth_open", "lipstick"):
            row[_COLUMN[name]] = 0.0
        row[_COLUMN["hair_brown"]] = 1.0
        row[_COLUMN["hair_length"]] = row[_COLUMN["age"]] = row[_COLUMN["skin_tone"]] = 0.3
        return cls(np.repeat(row[None], n, axis=0))

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __iter__(self) -> Iterator[Parameters]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """A column float32 [n] for a name; `Parameters` of the rows for an integer, slice, list or mask."""
        if isinstance(key, str):
            return self.values[:, _column(key)]
        if isinstance(key, (int, np.integer)):
            return Parameters(self.values[int(key)][None])
        return Parameters(self.values[key])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameters) and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def replace(self, **columns: ArrayLike) -> Parameters:
        """A copy with the named columns set, each to a number or an array [n]."""
        values = self.values.copy()
        for name, column in columns.items():
            values[:, _column(name)] = column
        return Parameters(values)

    def hair_weights(self) -> Array:
        """Shares of the five `HAIR_COLORS`, float32 [n, 5], summing to 1 (brown where all are 0)."""
        weights = np.stack([self[name] for name in HAIR_COLORS], axis=1)
        total = weights.sum(axis=1, keepdims=True)
        brown = np.eye(len(HAIR_COLORS), dtype=np.float32)[HAIR_COLORS.index("hair_brown")]
        shares: Array = np.where(total > 0, weights / np.where(total > 0, total, 1), brown).astype(np.float32)
        return shares


def _column(name: str) -> int:
    if name not in _COLUMN:
        raise ConfigError(f"unknown avatar parameter {name!r}; choose from {', '.join(PARAMETER_NAMES)}")
    return _COLUMN[name]


@lru_cache(maxsize=1)
def parameter_bounds() -> tuple[Array, Array]:
    """Lowest and highest allowed values, float32 [P] each."""
    low = np.array([row.low for row in SPECIFICATION], dtype=np.float32)
    return low, np.ones_like(low)


@lru_cache(maxsize=1)
def factor_matrix() -> NDArray[np.float64]:
    """The fixed map from a pixel-normalised latent to the P tied factors, float64 [64, P].

    An orthonormal projection drawn once from a fixed seed gives independent factors of unit variance; `TIES`
    then mixes them, keeping unit variance: the columns' inner products are the factors' correlations.
    """
    rng = np.random.default_rng(_PROJECTION_SEED)
    basis, triangle = np.linalg.qr(rng.standard_normal((LATENT_DIM, LATENT_DIM)))
    basis = basis * np.sign(np.diag(triangle))
    own = basis[:, : len(PARAMETER_NAMES)]
    mixed = own.copy()
    for name, ties in TIES.items():
        rest = np.sqrt(1.0 - sum(weight**2 for weight in ties.values()))
        mixed[:, _COLUMN[name]] = rest * own[:, _COLUMN[name]]
        for other, weight in ties.items():
            mixed[:, _COLUMN[name]] += weight * own[:, _COLUMN[other]]
    return mixed


def factors_from_latents(z: ArrayLike) -> NDArray[np.float64]:
    """Latents [n, 64] -> tied, nearly standard normal factors, float64 [n, P].

    The latent is pixel-normalised first (Karras 2018): z * rsqrt(mean(z^2)), so only its direction counts.
    """
    latents = np.asarray(z, dtype=np.float64)
    if latents.ndim != 2 or latents.shape[1] != LATENT_DIM:
        raise ConfigError(f"avatar latents have shape {latents.shape}; give an array [n, {LATENT_DIM}]")
    norm = latents / np.sqrt(np.mean(latents**2, axis=1, keepdims=True) + 1e-8)
    return np.asarray(norm @ factor_matrix(), dtype=np.float64)


def parameters_from_latents(z: ArrayLike) -> Parameters:
    """Latents float [n, 64] -> `Parameters`: pixel norm, fixed projection, natural ties, smooth squashing."""
    factors = factors_from_latents(z)
    values = np.empty(factors.shape, dtype=np.float64)
    for column, row in enumerate(SPECIFICATION):
        if row.steepness:
            threshold = NormalDist().inv_cdf(1.0 - row.share)
            unit = 1.0 / (1.0 + np.exp(-row.steepness * (factors[:, column] - threshold)))
        else:
            unit = _normal_cdf(factors[:, column])
        values[:, column] = unit * (1.0 - row.low) + row.low
    hair = [_COLUMN[name] for name in HAIR_COLORS]
    logits = _HAIR_SHARPNESS * (factors[:, hair] + np.array([_HAIR_OFFSETS[name] for name in HAIR_COLORS]))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    values[:, hair] = weights / weights.sum(axis=1, keepdims=True)
    return Parameters(values.astype(np.float32))


def _normal_cdf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal CDF by Abramowitz and Stegun 7.1.26 (absolute error below 1e-7), no scipy needed."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x) / np.sqrt(2.0))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = 0.5 * poly * np.exp(-0.5 * x**2)
    return np.asarray(np.where(x >= 0, 1.0 - tail, tail), dtype=np.float64)
