"""Edit directions from a file: as `EditDirections.save` and `zoom-engine discover` write them, or as anybody can.

The open form is a safetensors file with one tensor, float `[N, S]`:

- `directions`: a row for each direction in the generator's code (of StyleGANs the style vector, layer after layer, as
  `generator.space` says), in its own units; or
- `latents`: a row for each in the latents that codes are affine images of (W of StyleGANs), which is carried over by
  the generator's affine layers;

and in its metadata `names`, a JSON list of N names. How long a row is does not matter: one edit weight is made one
standard deviation along it. Entries that no edit may move (colours of toRGB) become 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError, DirectionError, one_line
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling, inverse_std
from zoom_engine.generators import EditableGenerator
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder

TENSORS = ("directions", "latents")
METHOD = "given"
"""The method of directions of the open form."""
MOST = 256
"""The most directions that a file may hold."""
_LONGEST = 1 << 20  # characters of metadata


@dataclass(frozen=True)
class GivenDirections:
    """Directions of the open form, as they lie in the file.

    Attributes:
        names: N names.
        rows: float32 `[N, S]`, or `[N, W]` of latents.
        of_latents: whether they are directions of latents.
        file: SHA-256 (hex) of the file's content.
    """

    names: tuple[str, ...]
    rows: Tensor
    of_latents: bool
    file: str

    def fit(
        self,
        generator: EditableGenerator,
        text_encoder: TextEncoder,
        attributes: Sequence[str],
        *,
        neutral: str,
        templates: Sequence[str],
        sampling: Sampling,
    ) -> EditDirections:
        """Return the directions named `attributes`, as edit directions of `generator`, one σ long each.

        Args:
            generator: whose code they are directions of.
            text_encoder: of the audit, which says what pictures show of them.
            attributes: some of the names.
            neutral: the neutral prompt of the audit.
            templates: of the audit, for names that are prompts.
            sampling: says how codes are drawn, and so what σ is.

        Raises:
            DirectionError: a name is not there, the width is another than the generator's, or nothing of a direction
                may be edited.
        """
        missing = next((name for name in attributes if name not in self.names), None)
        if missing is not None:
            raise DirectionError(
                f"the file of edit directions has none named '{missing}': it has {one_line(', '.join(self.names), 200)}"
            )
        rows = self.rows[[self.names.index(name) for name in attributes]].double()
        if self.of_latents:
            affine = generator.affine_weight()
            width = generator.space.size if affine is None else affine.shape[1]
            self._check_width(rows, width, "latents of this generator")
            rows = rows if affine is None else rows @ affine.double().cpu().T
        else:
            self._check_width(rows, generator.space.size, "this generator's code")
        std = sampling.statistics(generator).std
        per_std = inverse_std(std, generator.space.fixed_mask())
        relevance = rows * per_std
        lengths = relevance.norm(dim=1, keepdim=True)
        for name, length in zip(attributes, lengths[:, 0].tolist(), strict=True):
            if not length > 0:
                raise DirectionError(f"edit direction '{name}' moves nothing that may be edited in this generator")
        matrix = (torch.where(per_std > 0, rows, 0.0) / lengths).float()
        return EditDirections(
            matrix=matrix,
            attributes=tuple(attributes),
            neutral=neutral,
            method=METHOD,
            threshold=0.0,
            channels=tuple((matrix != 0).sum(dim=1).tolist()),
            strength=(1.0,) * len(matrix),
            noise_floor=(0.0,) * len(matrix),
            provenance={
                "generator": str(generator.content_hash),
                "text_encoder": str(text_encoder.content_hash),
                "templates": list(templates),
                "truncation": sampling.truncation,
                "truncation_cutoff": sampling.truncation_cutoff,
                "file": self.file,
                "rows": {name: self._hash_of(name) for name in attributes},
            },
        )

    def _hash_of(self, name: str) -> str:
        """Return the SHA-256 (hex) of a direction as it lies in the file."""
        kind, row = TENSORS[self.of_latents], self.rows[self.names.index(name)]
        return hashlib.sha256(kind.encode() + row.contiguous().numpy().tobytes()).hexdigest()

    def _check_width(self, rows: Tensor, width: int, what: str) -> None:
        if rows.shape[1] != width:
            raise DirectionError(f"the file's edit directions have {rows.shape[1]} entries, and {what} {width}")


def read_directions(path: str | Path) -> EditDirections | GivenDirections:
    """Read a file of edit directions, whoever wrote it.

    Raises:
        DirectionError: in one line, what is wrong with it.
    """
    path = asked_path(path, DirectionError)
    if not path.is_file():
        known = ", ".join(registry.all_names(registry.DIRECTION_METHODS))
        raise DirectionError(f"'{path}' is no method for directions ({known}), and there is no such file of them")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata, keys = file.metadata() or {}, list(file.keys())
            if "zoom_engine" in metadata:
                return EditDirections.load(path)
            if len(keys) != 1 or keys[0] not in TENSORS:
                raise DirectionError(
                    f"{path} holds no edit directions: it must have one tensor, {' or '.join(TENSORS)} [N, S], and no"
                    f" other, not {one_line(', '.join(keys) or 'none', 100)}"
                )
            rows = file.get_tensor(keys[0])
        names = _names(metadata, path)
    except SafetensorError as error:
        raise DirectionError(f"{path} is no safetensors file of edit directions: {one_line(error)}") from error
    except OSError as error:
        raise DirectionError(f"edit directions cannot be read from {path}: {one_line(error)}") from error
    if rows.ndim != 2 or not rows.is_floating_point() or len(rows) != len(names):
        shape = f"{rows.dtype} {list(rows.shape)}".removeprefix("torch.")
        raise DirectionError(f"{path}: {keys[0]} must be floats [{len(names)}, S], a row for each name, not {shape}")
    rows = rows.float()
    if not bool(rows.isfinite().all()) or not bool((rows != 0).any(dim=1).all()):
        raise DirectionError(f"{path}: each row of {keys[0]} must be finite numbers that are not all 0")
    content = hashlib.sha256(json.dumps([keys[0], names]).encode() + rows.contiguous().numpy().tobytes()).hexdigest()
    return GivenDirections(names, rows, keys[0] == "latents", content)


def _names(metadata: dict[str, str], path: Path) -> tuple[str, ...]:
    """Return the names in a file's metadata.

    Raises:
        DirectionError: they are no list of different names that people can be shown.
    """
    text = metadata.get("names", "")
    if len(text) > _LONGEST:
        raise DirectionError(f"{path}: its names are longer than any names are")
    try:
        names = json.loads(text) if text else None
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not 1 <= len(names) <= MOST or not all(isinstance(name, str) for name in names):
        raise DirectionError(
            f"{path}: its metadata must say what the rows are called, as names, a JSON list of 1 to {MOST} texts such"
            ' as ["older", "component 2"]'
        )
    for name in names:
        try:
            attribute = Attribute.parse(name)
        except ConfigError as error:
            raise DirectionError(f"{path}: {error}") from error
        if attribute.source is not None or "=" in name or "|" in name or attribute.text != name:
            raise DirectionError(
                f"{path}: the name {one_line(name, 60)!r} must have no '=', no '|' and no outer spaces"
            )
    if len({name.casefold() for name in names}) < len(names):
        raise DirectionError(f"{path}: two of its names are the same")
    return tuple(names)
