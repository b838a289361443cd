"""`EditDirections`: what each attribute does to the style vector, and where that came from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zoom_engine.common.errors import DirectionError, one_line
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.typed import fits
from zoom_engine.generators import EditableGenerator

FORMAT = "zoom-engine/edit-directions/1"
MOST_NAMES = 3  # that a repr tells
_MAX_HEADER = 1_000_000  # characters of metadata; ours are a few thousand
_FOUND_BY: dict[str, Any] = {
    **dict.fromkeys(("samples", "seed", "top_k"), int),
    **dict.fromkeys(("ridge", "alpha"), float),
    "estimator": str,
    "absolute_threshold": bool,
    "keep": Sequence,
}
"""What a provenance may hold of the options of `find_directions`, and of which type."""


@dataclass(frozen=True)
class EditDirections:
    """The edit directions of N attributes, checked when they are made.

    One edit weight is one standard deviation along the direction: Δs_i = σ ⊙ r_i with ‖r_i‖₂ = 1. A positive weight
    adds the attribute.

    Attributes:
        matrix: float32 `[N, S]`, CPU. Row i is Δs_i, which is added to a style vector once per unit of edit weight;
            toRGB entries are 0.
        attributes: N prompts.
        neutral: the prompt that they are compared with.
        method: how they were found.
        threshold: λ.
        channels: how many entries of each row are not 0.
        strength: the largest |relevance| of each before scaling, in units of what paraphrases differ by.
        noise_floor: the strength that random texts reach.
        provenance: generator, text encoder, options and hashes (JSON). An audit compares `generator`, `text_encoder`,
            `templates`, `truncation` and `truncation_cutoff` with its own.

    Raises:
        DirectionError: the fields are not valid.
    """

    matrix: Tensor
    attributes: tuple[str, ...]
    neutral: str
    method: str
    threshold: float
    channels: tuple[int, ...]
    strength: tuple[float, ...]
    noise_floor: tuple[float, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse fields that are not valid."""
        fault = _fault(self)
        if fault:
            raise DirectionError(f"edit directions are not valid: {fault}")

    def __repr__(self) -> str:
        """Return the shape, the method and the first attributes in one line."""
        names = ", ".join(map(repr, self.attributes[:MOST_NAMES]))
        more = len(self.attributes) - MOST_NAMES
        shape = "×".join(map(str, self.matrix.shape))
        rest = f" and {more} more" if more > 0 else ""
        return f"EditDirections({shape}, by {self.method}: {one_line(names, 200)}{rest})"

    def of(self, attributes: Sequence[str]) -> EditDirections:
        """Return the directions of these attributes, in their order.

        Raises:
            DirectionError: there is none of one of them.
        """
        missing = next((name for name in attributes if name not in self.attributes), None)
        if missing is not None:
            known = one_line(", ".join(self.attributes), 200)
            raise DirectionError(f"there is no ready edit direction of '{missing}': there are {known}")
        rows = [self.attributes.index(name) for name in attributes]
        return dataclasses.replace(
            self,
            matrix=self.matrix[rows],
            attributes=tuple(attributes),
            channels=tuple(self.channels[row] for row in rows),
            strength=tuple(self.strength[row] for row in rows),
            noise_floor=tuple(self.noise_floor[row] for row in rows),
        )

    def check_fits(self, generator: EditableGenerator) -> None:
        """Refuse these directions where they were not made for `generator`.

        Raises:
            DirectionError: they belong to another generator.
        """
        size = generator.space.size
        made_for = self.provenance.get("generator", generator.content_hash)
        if self.matrix.shape[1] != size or made_for != generator.content_hash:
            raise DirectionError(
                f"edit directions of {self.matrix.shape[1]} style channels were made for another generator"
                f" (this one has {size}): find them anew"
            )

    def check_origin(self) -> None:
        """Refuse these directions where the provenance lacks the templates or truncation they were found with.

        Raises:
            DirectionError: it lacks one of them, or has an option that is none in its place.
        """
        provenance = self.provenance
        strange = [name for name, value in self._told() if not _is_option(name, value)]
        if strange:
            raise DirectionError(
                f"edit directions do not say how they were found: {_short(provenance[strange[0]])} is no"
                f" {strange[0].replace('_', ' ')}; take them from find_directions"
            )
        cutoff = provenance.get("truncation_cutoff", "absent")
        known = {
            "templates": _is_list_of_text(provenance.get("templates")),
            "truncation": _is_number(provenance.get("truncation")),
            "truncation_cutoff": cutoff is None or fits(int, cutoff),
        }
        wrong = [name for name, fine in known.items() if not fine]
        if wrong:
            raise DirectionError(
                f"edit directions do not say how they were found: their provenance lacks {', '.join(wrong)};"
                " take them from find_directions, or add what was used"
            )

    @property
    def found_by(self) -> dict[str, Any]:
        """Return the options of `find_directions` that these were found by, as far as the provenance says them."""
        return {name.removesuffix("_threshold"): value for name, value in self._told()}

    def _told(self) -> list[tuple[str, Any]]:
        return [(name, self.provenance[name]) for name in _FOUND_BY if self.provenance.get(name) is not None]

    def check_settings(self, wanted: Mapping[str, object]) -> None:
        """Refuse these directions where they were found with other settings than an audit's.

        `wanted` holds some of attributes, neutral, threshold, templates, truncation, truncation_cutoff, generator and
        text_encoder (the last two are content hashes).

        Raises:
            DirectionError: a setting differs; the first one is named.
        """
        of_fields = {"attributes": self.attributes, "neutral": self.neutral, "threshold": self.threshold}
        settings = {**self.provenance, **of_fields}
        for name, value in wanted.items():
            what = name.replace("_", " ")
            if name not in settings:
                raise DirectionError(
                    f"edit directions do not say with which {what} they were found: take them from find_directions, or"
                    " add that to their provenance"
                )
            if _plain(settings[name]) != _plain(value):
                raise DirectionError(
                    f"edit directions of another {what} ({_short(settings[name])}, the audit has {_short(value)}): give"
                    " the audit the same, or find them anew"
                )

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the matrix."""
        return hashlib.sha256(self.matrix.contiguous().numpy().tobytes()).hexdigest()

    @property
    def row_hashes(self) -> dict[str, str]:
        """Return the SHA-256 (hex) of each attribute's direction, as it lies in the file that it comes from."""
        told: Any = self.provenance.get("rows")
        if isinstance(told, dict) and all(isinstance(told.get(name), str) for name in self.attributes):
            return {name: told[name] for name in self.attributes}
        return {
            name: hashlib.sha256(row.contiguous().numpy().tobytes()).hexdigest()
            for name, row in zip(self.attributes, self.matrix, strict=True)
        }

    def save(self, path: str | Path) -> None:
        """Write to `path` atomically (safetensors, metadata in its header)."""
        header = {
            "format": FORMAT,
            "attributes": list(self.attributes),
            "neutral": self.neutral,
            "method": self.method,
            "threshold": self.threshold,
            "strength": list(self.strength),
            "noise_floor": list(self.noise_floor),
            "provenance": self.provenance,
        }
        try:
            with replacing(path) as temporary:
                text = json.dumps(header, allow_nan=False)
                save_file({"matrix": self.matrix.contiguous()}, temporary, metadata={"zoom_engine": text})
        except (OSError, SafetensorError, TypeError, ValueError) as error:
            raise DirectionError(f"edit directions cannot be written to {path}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> EditDirections:
        """Read what `save` wrote, and check all of it.

        Raises:
            DirectionError: what is wrong with the file.
        """
        try:
            with safe_open(str(path), framework="pt") as file:
                text = (file.metadata() or {}).get("zoom_engine", "")
                if len(text) > _MAX_HEADER or list(file.keys()) != ["matrix"]:
                    raise DirectionError(f"{path} holds no edit directions")
                matrix = file.get_tensor("matrix")
            header = json.loads(text)
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise DirectionError(f"{path} holds no edit directions of format {FORMAT}")
            return cls(
                matrix=matrix,
                attributes=tuple(header["attributes"]),
                neutral=header["neutral"],
                method=header["method"],
                threshold=header["threshold"],
                channels=tuple((matrix != 0).sum(dim=-1).flatten().tolist()),
                strength=tuple(header["strength"]),
                noise_floor=tuple(header["noise_floor"]),
                provenance=header["provenance"],
            )
        except (OSError, SafetensorError) as error:
            raise DirectionError(f"edit directions cannot be read from {path}: {one_line(error)}") from error
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            reason = f"{type(error).__name__} {one_line(error)}"
            raise DirectionError(f"{path} holds damaged edit directions: {reason}") from error


def _fault(directions: EditDirections) -> str | None:
    """Return what is wrong with the fields, or None."""
    matrix, count = directions.matrix, len(directions.attributes)
    if matrix.ndim != 2 or matrix.dtype != torch.float32 or matrix.shape[0] != count or not matrix.numel():
        return f"the matrix must be float32 [{count}, S], not {matrix.dtype} {list(matrix.shape)}"
    if not bool(torch.isfinite(matrix).all()):
        return "the matrix holds NaN or infinity"
    if not bool((matrix != 0).any(dim=1).all()):
        return "a direction is all zeros"
    texts = (*directions.attributes, directions.neutral, directions.method)
    if not all(_is_text(text) for text in texts):
        return "attributes, neutral prompt and method must be printable text"
    for name in ("strength", "noise_floor", "channels"):
        values = getattr(directions, name)
        if len(values) != count or not all(_is_number(value) for value in values):
            return f"{name} must hold {count} finite numbers"
    if not _is_number(directions.threshold):
        return "the threshold must be a finite number"
    if not fits(dict, directions.provenance):
        return "the provenance must be a mapping"
    return None


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _short(value: object) -> str:
    return one_line(repr(_plain(value)), 60)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_option(name: str, value: Any) -> bool:
    return fits(_FOUND_BY[name], value) and (name != "seed" or abs(value) < 1 << 63)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_is_text(item) for item in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
