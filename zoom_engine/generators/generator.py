"""What a generator must offer so that its pictures can be edited and a target audited with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from zoom_engine.generators.style_space import StyleSpace


class Renderer(Protocol):
    """The line that everything hangs on: codes + edit weights @ directions → images.

    A generator is one; so is whatever runs a generator faster (`zoom_engine.runtime.Synthesizer`).
    """

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Images float32 ``[B, 3, R, R]`` in [-1, 1], RGB, of ``codes [B, S]``, edited by ``edit_weights [B, N]`` along
        ``directions [N, S]`` where both are given. A picture does not depend on the others of its batch.
        """
        ...


@runtime_checkable
class EditableGenerator(Renderer, Protocol):
    """A frozen generator with a flat code ``[B, S]``: of StyleGANs the style vectors, else what its decoder reads.

    ``content_hash`` is its identity: equal for equal functions, the key of all caches. ``space`` names the parts of the
    code, S entries in all, and those that edit directions leave alone. ``resolution`` is R. ``differentiable``:
    gradients reach the codes and the edit weights. ``population``: how many different codes there are to sample, None
    where there is no end of them. `check_editable_generator` holds one to all of it.
    """

    @property
    def content_hash(self) -> str: ...

    @property
    def space(self) -> StyleSpace: ...

    @property
    def resolution(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def differentiable(self) -> bool: ...

    @property
    def population(self) -> int | None: ...

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """Codes ``[B, S]`` of integers in 0..2³²-1, the same for the same seed. ``truncation`` below 1 pulls them
        toward the average, of a generator with layered latents only the first ``truncation_cutoff`` of them.
        """
        ...

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """``count`` random samples by the (CPU) generator ``random``: latents ``[count, W]`` of which the codes are
        affine images, and codes ``[count, S]``. A generator that knows of none returns the codes twice.
        """
        ...

    def affine_weight(self) -> Tensor | None:
        """``[S, W]``: the derivative of the codes to their latents, whose column space they never leave; None where the
        codes are their own latents.
        """
        ...

    def to(self, device: torch.device | str) -> Self:
        """The generator on ``device``."""
        ...


class GeneratorFamily(Protocol):
    """What a package registers under ``zoom_engine.generators``, by the name of its family."""

    def load(self, rest: str) -> EditableGenerator:
        """The generator that "NAME:REST" names, of what stands behind the colon."""
        ...


def shown(images: Tensor) -> Tensor:
    """Images as they can be shown, float32 within [-1, 1]: what is judged is what can be seen."""
    return images.float().clamp(-1, 1)
