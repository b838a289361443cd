"""Tables of render parameters: their ranges, and how latents become them with natural ties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoom_engine.common.errors import ConfigError

Array = NDArray[np.float32]

LATENT_DIM = 64
STEEP = 20.0


class Parameter(NamedTuple):
    """One column of a table.

    Where `steepness` is 0, the value is spread evenly over its range (normal CDF of the factor). Otherwise the value is
    sigmoid(steepness * (factor - t)), with t such that a fraction `frequency` of all pictures lies above one half.
    """

    name: str
    low: float
    meaning: str
    steepness: float = 0.0
    frequency: float = 0.5


@dataclass(frozen=True)
class Scheme:
    """The columns of a domain's parameters and their distribution.

    `colours` maps the columns that share out one whole to the offsets of their factors before the soft-max of
    `sharpness`. `ties`: factor → {the factor it is tied to, as that is before ties of its own: correlation}; the rest
    of the variance is its own. `plain` are the values of the neutral picture that are not the middle of their range.
    `seed` draws the projection.
    """

    subject: str
    columns: tuple[Parameter, ...]
    colours: Mapping[str, float]
    sharpness: float
    ties: Mapping[str, Mapping[str, float]]
    plain: Mapping[str, float]
    seed: int

    def __post_init__(self) -> None:
        """Refuse ties that leave a factor no variance, and colours of which the plain picture has no share."""
        for name, ties in self.ties.items():
            if (total := sum(weight**2 for weight in ties.values())) > 1.0:
                raise ConfigError(
                    f"the ties of {self.subject} parameter {name!r} are too strong: {total:.2f}, the sum of"
                    " their squares, is above 1"
                )
        for name in self.colours:
            if name not in self.plain:
                raise ConfigError(f"{self.subject} parameter {name!r} is one of the colours: give its share in `plain`")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(row.name for row in self.columns)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Return the lowest and highest allowed values, float32 `[P]` each."""
        low = np.array([row.low for row in self.columns], dtype=np.float32)
        return low, np.ones_like(low)

    def column(self, name: str) -> int:
        """Return the index of a column.

        Raises:
            ConfigError: there is no column of that name.
        """
        if name not in self.names:
            raise ConfigError(f"unknown {self.subject} parameter {name!r}; choose from {', '.join(self.names)}")
        return self.names.index(name)

    @cached_property
    def factor_matrix(self) -> NDArray[np.float64]:
        """Return the fixed map from a pixel-normalised latent to the P tied factors, float64 `[64, P]`.

        An orthonormal projection drawn once from a fixed seed gives independent factors of unit variance; `ties` then
        mixes them, keeping unit variance: the columns' inner products are the factors' correlations.
        """
        rng = np.random.default_rng(self.seed)
        basis, triangle = np.linalg.qr(rng.standard_normal((LATENT_DIM, LATENT_DIM)))
        basis = basis * np.sign(np.diag(triangle))
        columns = basis[:, : len(self.names)]
        mixed = columns.copy()
        for name, ties in self.ties.items():
            rest = np.sqrt(1.0 - sum(weight**2 for weight in ties.values()))
            mixed[:, self.column(name)] = rest * columns[:, self.column(name)]
            for other, weight in ties.items():
                mixed[:, self.column(name)] += weight * columns[:, self.column(other)]
        return mixed

    def factors(self, z: ArrayLike) -> NDArray[np.float64]:
        """Compute the tied, nearly standard normal factors of latents `[n, 64]`, float64 `[n, P]`.

        The latent is pixel-normalised first (Karras 2018): z * rsqrt(mean(z^2)), so only its direction counts.

        Raises:
            ConfigError: the latents have another shape.
        """
        latents = np.asarray(z, dtype=np.float64)
        if latents.ndim != 2 or latents.shape[1] != LATENT_DIM:
            raise ConfigError(f"{self.subject} latents have shape {latents.shape}; give an array [n, {LATENT_DIM}]")
        norm = latents / np.sqrt(np.mean(latents**2, axis=1, keepdims=True) + 1e-8)
        return np.asarray(norm @ self.factor_matrix, dtype=np.float64)

    def values(self, z: ArrayLike) -> Array:
        """Compute the values `[n, P]` of latents, float `[n, 64]`.

        They come by pixel norm, fixed projection, natural ties and smooth squashing.
        """
        factors = self.factors(z)
        values = np.empty(factors.shape, dtype=np.float64)
        for column, row in enumerate(self.columns):
            if row.steepness:
                threshold = NormalDist().inv_cdf(1.0 - row.frequency)
                unit = 1.0 / (1.0 + np.exp(-row.steepness * (factors[:, column] - threshold)))
            else:
                unit = _normal_cdf(factors[:, column])
            values[:, column] = unit * (1.0 - row.low) + row.low
        if not self.colours:
            return values.astype(np.float32)
        colours = [self.column(name) for name in self.colours]
        logits = self.sharpness * (factors[:, colours] + np.array(list(self.colours.values())))
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        values[:, colours] = weights / weights.sum(axis=1, keepdims=True)
        return values.astype(np.float32)


class ParameterTable:
    """Float32 `values [n, P]`, a row per picture and a column per name of the domain's `scheme`.

    Every value lies in [0, 1] or [-1, 1]; the colours' shares are normalised to sum 1 by the renderer.
    """

    scheme: ClassVar[Scheme]

    def __init__(self, values: ArrayLike) -> None:
        """Copy the values, `[n, P]` or one row `[P]`, and make them read-only.

        Raises:
            ConfigError: they have another shape, or a value is out of range.
        """
        array = np.array(values, dtype=np.float32, ndmin=2)
        names, subject = self.scheme.names, self.scheme.subject
        if array.ndim != 2 or array.shape[1] != len(names):
            raise ConfigError(f"{subject} parameters have shape {array.shape}; give an array [n, {len(names)}]")
        low, high = self.scheme.bounds
        bad = ~((array >= low) & (array <= high))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ConfigError(
                f"{subject} parameter {names[column]} is {array[row, column]:g} in row {row}; "
                f"keep it within [{low[column]:g}, {high[column]:g}]"
            )
        array.setflags(write=False)
        self.values: Array = array

    @classmethod
    def neutral(cls, n: int = 1) -> Self:
        """Make `n` copies of one plain picture: the middle of every range, but for what the scheme calls plain."""
        low, _ = cls.scheme.bounds
        row = np.where(low < 0, 0.0, 0.5).astype(np.float32)
        for name, value in cls.scheme.plain.items():
            row[cls.scheme.column(name)] = value
        return cls(np.repeat(row[None], n, axis=0))

    @classmethod
    def from_latents(cls, z: ArrayLike) -> Self:
        """Make the parameters of latents, float `[n, 64]`, as `Scheme.values` says."""
        return cls(cls.scheme.values(z))

    def __len__(self) -> int:
        """Return the number of pictures."""
        return int(self.values.shape[0])

    def __iter__(self) -> Iterator[Self]:
        """Yield a table for each row."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return a column, float32 `[n]`, for a name; a table of the rows for an integer, slice, list or mask."""
        if isinstance(key, str):
            return self.values[:, self.scheme.column(key)]
        if isinstance(key, (int, np.integer)):
            return type(self)(self.values[int(key)][None])
        return type(self)(self.values[key])

    def __eq__(self, other: object) -> bool:
        """Compare the values with those of a table of the same class."""
        return isinstance(other, type(self)) and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def replace(self, **columns: ArrayLike) -> Self:
        """Return a copy with the named columns set, each to a number or an array `[n]`."""
        values = self.values.copy()
        for name, column in columns.items():
            values[:, self.scheme.column(name)] = column
        return type(self)(values)

    def colour_shares(self) -> Array:
        """Return the shares of the scheme's colours, float32 `[n, C]`, summing to 1 (the plain one where all are 0)."""
        names = list(self.scheme.colours)
        if not names:
            return np.empty((len(self), 0), dtype=np.float32)
        weights = np.stack([self[name] for name in names], axis=1)
        total = weights.sum(axis=1, keepdims=True)
        plain = np.array([self.scheme.plain[name] for name in names], dtype=np.float32)
        shares: Array = np.where(total > 0, weights / np.where(total > 0, total, 1), plain).astype(np.float32)
        return shares


def _normal_cdf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the normal CDF by Abramowitz and Stegun 7.1.26 (absolute error below 1e-7), no scipy needed."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x) / np.sqrt(2.0))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = 0.5 * poly * np.exp(-0.5 * x**2)
    return np.asarray(np.where(x >= 0, 1.0 - tail, tail), dtype=np.float64)
