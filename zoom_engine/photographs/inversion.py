"""Inversion: the code of a generator that draws a photograph, by its own `encode`, else found by following gradients.

W+ first (Abdal 2019; the w of each layer is a common one and its own offset from it, after Tov 2021, who keep offsets
small so that edits work): w = w̄ + σ·(u + v_l), with Adam, from the mean latent. Then StyleSpace: s = s(w) + σ_s·r. Of
generators without layered latents the code itself, from its mean. What is minimised is

    1 − cos(E(x), E(y)) + Σ_k |x_k − y_k|² / n + λ_mean·|u|² / n + λ_layers·|v|² / n       (λ_refined·|r|² / n in S)

with the text encoder's image tower E, and pixels x_k of 64² and 16² (areas' means). σ are standard deviations over
unedited samples.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from zoom_engine.common.contracts import theirs
from zoom_engine.common.errors import AuditError, ConfigError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import followed_at_once
from zoom_engine.common.module_hash import module_hash
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.generators import EditableGenerator, Encoding, Renderer, check_gradients_of
from zoom_engine.generators.generator import Layered
from zoom_engine.photographs.crops import Crop
from zoom_engine.text import TextEncoder

LOW = (64, 16)  # pixels of a side
_LEAST_STD = 1e-6
_WARM = 10  # steps until the rate is full


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """Options of the inversion.

    Attributes:
        steps: in W+ (of flat codes, these and `refining` together).
        refining: steps in S.
        rate: Adam's, in standard deviations; half of it in S.
        mean_weight: λ_mean of the module's formula.
        layer_weight: λ_layers.
        refining_weight: λ_refined.
        samples: how many unedited samples means and σ are taken from.
    """

    steps: int = 100
    refining: int = 50
    rate: float = 0.1
    mean_weight: float = 1e-3
    layer_weight: float = 1e-2
    refining_weight: float = 1e-3
    samples: int = 2048


def check_invertible(generator: EditableGenerator) -> None:
    """Refuse a generator that neither encodes photographs nor has gradients.

    Raises:
        ConfigError: it is forward only, or its gradients are wrong.
    """
    if isinstance(generator, Encoding):
        return
    if not generator.differentiable:
        raise ConfigError(
            f"photographs are found in a generator by its gradients, and {type(generator).__name__} has none (it is"
            " forward only): give a StyleGAN checkpoint, a torch module, or a generator with `encode`"
        )
    check_gradients_of(generator)


class Inverter:
    """The inversion of photographs. Equal seeds give equal codes, whatever else is in a batch."""

    def __init__(
        self,
        generator: EditableGenerator,
        text_encoder: TextEncoder,
        renderer: Renderer,
        *,
        inversion: Inversion | None = None,
        seed: int = 0,
        made_by: object = None,
    ) -> None:
        """Prepare for one generator.

        Args:
            generator: whose codes are wanted.
            text_encoder: its image tower is E of the module's formula.
            renderer: what draws in the audit.
            inversion: the options.
            seed: of the samples that means and σ are taken from.
            made_by: ready for JSON, what else the result depends on: what `renderer` is.

        Raises:
            ConfigError: the generator is forward only.
        """
        check_invertible(generator)
        self.generator, self.text_encoder, self.renderer = generator, text_encoder, renderer
        self.inversion, self.seed = inversion or Inversion(), seed
        self._made_by = made_by

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a photograph's code depends on beside its pixels, ready for JSON."""
        if isinstance(self.generator, Encoding):
            # What encodes may have code and weights of its own, which draw nothing.
            reads = module_hash(self.generator.encode)
            return {"generator": self.generator.content_hash, "by": "encode", "reads": reads}
        return {
            "generator": self.generator.content_hash,
            "text_encoder": self.text_encoder.content_hash,
            "renderer": self._made_by,
            "seed": self.seed,
            **asdict(self.inversion),
        }

    def codes(
        self,
        crops: Sequence[Crop],
        *,
        cache: Path | None = None,
        batch_size: int = 8,
        progress: ProgressFactory = silent,
    ) -> Tensor:
        """Return the codes `[I, S]` (float32, CPU) of readable photographs.

        Args:
            crops: the photographs.
            cache: a folder where the codes are written, and from which they are read when they are asked for again.
            batch_size: photographs at a time, at most; the CPU follows few large ones at once.
            progress: a bar over the photographs.

        Raises:
            AuditError: the folder cannot be written.
        """
        codes = self.stored(crops, cache=cache)
        wanted = [index for index in range(len(crops)) if index not in codes]
        if self.generator.device.type == "cpu":
            batch_size = min(batch_size, followed_at_once(self.generator.resolution))
        with progress(len(crops), "Inverting photographs", unit="photograph", initial=len(codes)) as bar:
            for part in (wanted[at : at + batch_size] for at in range(0, len(wanted), batch_size)):
                inverted = self.invert(torch.cat([crops[index].image for index in part]))
                for index, code in zip(part, inverted, strict=True):
                    codes[index] = code
                    _write(self._file(crops[index], cache), code)
                bar.update(len(part))
        return torch.stack([codes[index] for index in range(len(crops))])

    def stored(self, crops: Sequence[Crop], *, cache: Path | None) -> dict[int, Tensor]:
        """Return the codes that the folder `cache` holds of readable photographs, by their places in `crops`."""
        codes = (self._read(self._file(crop, cache)) for crop in crops)
        return {index: code for index, code in enumerate(codes) if code is not None}

    def invert(self, images: Tensor) -> Tensor:
        """Return the codes `[B, S]` (CPU) that draw `images [B, 3, R, R]` best.

        Raises:
            ConfigError: the generator's own `encode` fails, or gives no codes.
        """
        if isinstance(self.generator, Encoding):
            return self._encoded(self.generator, images)
        how, count = self.inversion, len(images)
        images = images.to(self.generator.device)
        with torch.no_grad():
            seen = torch.cat([self.text_encoder.embed_images(image[None]) for image in images])
        mean, std = self._codes_statistics
        if isinstance(self.generator, Layered):
            layered, latent, spread = self.generator, *self._latents_statistics
            common, per_layer = self._zeros(count, len(latent)), self._zeros(count, layered.num_ws, len(latent))

            def styles() -> Tensor:
                w = latent + spread * (common[:, None] + per_layer)
                return torch.cat([layered.styles(row) for row in torch.split(w, 1)])

            def far() -> Tensor:
                return how.mean_weight * _energy(common) + how.layer_weight * _energy(per_layer)

            start = self._descend([common, per_layer], styles, far, images, seen, how.steps, how.rate)
            steps, rate, weight = how.refining, how.rate / 2, how.refining_weight
        else:
            start, steps, rate, weight = mean.expand(count, -1), how.steps + how.refining, how.rate, how.mean_weight
        moved = self._zeros(count, len(mean))
        inverted = self._descend(
            [moved], lambda: start + std * moved, lambda: weight * _energy(moved), images, seen, steps, rate
        )
        return inverted.cpu()

    @torch.no_grad()
    def _encoded(self, generator: Encoding, images: Tensor) -> Tensor:
        """Return the codes that the generator finds itself, of each picture alone."""
        place, size = self.generator.device, self.generator.space.size
        with theirs(ConfigError, "the generator's encode fails"):
            codes: object = torch.cat([generator.encode(image[None].to(place)) for image in images])
        if (
            not isinstance(codes, Tensor)
            or tuple(codes.shape) != (len(images), size)
            or not bool(codes.isfinite().all())
        ):
            seen = list(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
            raise ConfigError(f"the generator's encode must give finite codes {[len(images), size]}, not {seen}")
        return codes.float().cpu()

    def _descend(
        self,
        variables: list[Tensor],
        codes: Callable[[], Tensor],
        far: Callable[[], Tensor],
        images: Tensor,
        seen: Tensor,
        steps: int,
        rate: float,
    ) -> Tensor:
        """Return the codes after so many steps of Adam, the rate rising, then falling as a cosine."""
        adam = torch.optim.Adam(variables, lr=rate)
        low = [F.interpolate(images, size=side, mode="area") for side in self._sides]
        for step in range(steps):
            adam.param_groups[0]["lr"] = (
                rate * min(1.0, (step + 1) / _WARM) * 0.5 * (1 + math.cos(math.pi * step / steps))
            )
            drawn = self.renderer.render(codes())
            embedded = torch.cat([self.text_encoder.embed_images(image[None]) for image in drawn])
            away = 1 - (embedded * seen).sum(1) + far()
            for wanted in low:
                away = away + _energy(F.interpolate(drawn, size=wanted.shape[-1], mode="area") - wanted)
            for variable, slope in zip(variables, torch.autograd.grad(away.sum(), variables), strict=True):
                variable.grad = slope.nan_to_num(0.0)
            adam.step()
        with torch.no_grad():
            return codes()

    @property
    def _sides(self) -> list[int]:
        """`LOW`, no larger than the pictures."""
        return sorted({min(side, self.generator.resolution) for side in LOW})

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, device=self.generator.device, requires_grad=True)

    @cached_property
    def _samples(self) -> tuple[Tensor, Tensor]:
        """Latents and codes of unedited samples."""
        return self.generator.draw(self.inversion.samples, torch.Generator().manual_seed(self.seed))

    @cached_property
    def _latents_statistics(self) -> tuple[Tensor, Tensor]:
        return _statistics(self._samples[0])

    @cached_property
    def _codes_statistics(self) -> tuple[Tensor, Tensor]:
        return _statistics(self._samples[1])

    def _file(self, crop: Crop, cache: Path | None) -> Path | None:
        identity = json.dumps([crop.sha256, self.identity], sort_keys=True)
        return None if cache is None else cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.safetensors"

    def _read(self, file: Path | None) -> Tensor | None:
        """Read a code that was kept; None where there is none, or a damaged one."""
        try:
            code = None if file is None else load(file.read_bytes()).get("code")
        except (OSError, ValueError, SafetensorError):
            return None
        if code is None or code.shape != (self.generator.space.size,) or code.dtype != torch.float32:
            return None
        return code if bool(code.isfinite().all()) else None


def _write(file: Path | None, code: Tensor) -> None:
    if file is None:
        return
    with system_errors(AuditError, f"cannot write {file}", advice=": fix that, or choose another folder"):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(file, save({"code": code.contiguous()}))


def _energy(values: Tensor) -> Tensor:
    """Return the mean square of each row `[B]`."""
    return values.flatten(1).square().mean(1)


@torch.no_grad()
def _statistics(samples: Tensor) -> tuple[Tensor, Tensor]:
    return samples.mean(0), samples.std(0, correction=0).clamp_min(_LEAST_STD)
