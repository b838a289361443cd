"""The protocol of a generator whose pictures can be edited, so that a target can be audited with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from zoom_engine.generators.style_space import StyleSpace


class Renderer(Protocol):
    """The line that everything depends on: codes + edit weights @ directions → images.

    A generator is one; so is whatever runs a generator faster (`zoom_engine.runtime.Synthesizer`).
    """

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw images float32 `[B, 3, R, R]` in [-1, 1], RGB.

        A picture does not depend on the others of its batch.

        Args:
            codes: `[B, S]`.
            edit_weights: `[B, N]`; codes are edited where both these and directions are given.
            directions: `[N, S]`.
        """
        ...


@runtime_checkable
class EditableGenerator(Renderer, Protocol):
    """A frozen generator with a flat code `[B, S]`: of StyleGANs the style vectors, else what its decoder reads.

    `check_editable_generator` holds one to all of it. A generator may have beside: `runs_on`, see `runs_on`;
    `batch_size`, see `batch_size_of`; what makes it `DrawnByGraph`, `ClassConditional`, `Layered`, `TextDirected`,
    `RandomlyDirected` or `Encoding`.
    """

    @property
    def content_hash(self) -> str:
        """Return its identity: equal for equal functions, the key of all caches."""
        ...

    @property
    def space(self) -> StyleSpace:
        """Return the parts of the code, S entries in all, and those that edit directions leave alone."""
        ...

    @property
    def resolution(self) -> int:
        """Return R, the side of its pictures in pixels."""
        ...

    @property
    def device(self) -> torch.device:
        """Return the device on which it draws."""
        ...

    @property
    def differentiable(self) -> bool:
        """Return whether gradients reach the codes and the edit weights."""
        ...

    @property
    def population(self) -> int | None:
        """Return how many different codes there are to sample, None where there is no end of them."""
        ...

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """Return codes `[B, S]`, the same for the same seed.

        Args:
            seeds: integers in 0..2³²-1.
            truncation: ψ; below 1 it pulls codes toward the average.
            truncation_cutoff: of a generator with layered latents, how many of the first are pulled; None: all.
        """
        ...

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw `count` random samples by the (CPU) generator `random`.

        Returns:
            Latents `[count, W]` of which the codes are affine images, and codes `[count, S]`. A generator that knows of
            no such latents returns the codes twice.
        """
        ...

    def affine_weight(self) -> Tensor | None:
        """Return `[S, W]`, the derivative of the codes to their latents, whose column space they never leave.

        None where the codes are their own latents.
        """
        ...

    def to(self, device: torch.device | str) -> Self:
        """Return the generator on `device`."""
        ...


@runtime_checkable
class DrawnByGraph(Protocol):
    """A generator that brings an ONNX graph, from its one input `codes [batch, S]` to its output `images`."""

    @property
    def graph(self) -> bytes:
        """Return the ONNX graph, serialised."""

    def finished(self, images: Tensor) -> Tensor:
        """Return the graph's output as images float32 `[B, 3, R, R]` in [-1, 1]."""
        ...


@runtime_checkable
class ClassConditional(Protocol):
    """A generator that draws several classes where `classes` is above 0: one of them must be chosen."""

    @property
    def classes(self) -> int:
        """Return the number of classes, 0 where there is nothing to choose."""

    def of_class(self, index: int) -> EditableGenerator:
        """Return the generator that draws class `index` alone.

        Raises:
            ConfigError: there is no such class.
        """
        ...


@runtime_checkable
class Layered(Protocol):
    """A generator whose codes are made of a latent for each of `num_ws` layers."""

    @property
    def num_ws(self) -> int:
        """Return the number of layers."""

    def styles(self, w: Tensor) -> Tensor:
        """Return codes `[B, S]` of latents `[B, num_ws, W]`."""
        ...


@runtime_checkable
class TextDirected(Protocol):
    """A generator that reads prompts, so that edit directions follow from their words: see `directions.prompted`."""

    def text_directions(self, attributes: Sequence[str], neutral: str) -> Tensor:
        """Return float32 `[N, S]`: what turns a code of the prompt `neutral` into one of each of the attributes.

        Entries that `space` calls fixed are 0.
        """
        ...


@runtime_checkable
class RandomlyDirected(Protocol):
    """A generator that draws random baseline directions itself, to stand beside its `text_directions`."""

    def random_directions(self, count: int, random: torch.Generator) -> Tensor:
        """Draw float32 `[count, S]` by the (CPU) generator `random`, none of them 0, of any length."""
        ...


@runtime_checkable
class Encoding(Protocol):
    """A generator that finds the codes of pictures itself, where others are inverted by their gradients."""

    def encode(self, images: Tensor) -> Tensor:
        """Return codes `[B, S]` of images float32 `[B, 3, R, R]` in [-1, 1], RGB."""
        ...


FORMS = ("torch", "native", "onnx")
"""What a generator can be run as: itself, by the compiled operators of StyleGAN2, as an ONNX graph on any runtime."""


def runs_on(generator: EditableGenerator) -> tuple[str, ...]:
    """Return which of `FORMS` a generator says that it can be run as; itself alone where it does not say."""
    return tuple(getattr(generator, "runs_on", FORMS[:1]))


def batch_size_of(generator: EditableGenerator) -> int | None:
    """Return how many pictures a generator says that it draws best at a time, None where it does not say."""
    size = getattr(generator, "batch_size", None)
    return None if size is None else int(size)


class GeneratorFamily(Protocol):
    """A family of generators that a package registers under `zoom_engine.generators`, by its name."""

    def load(self, rest: str) -> EditableGenerator:
        """Return the generator that "NAME:REST" names, by what stands behind the colon.

        It may take options beside, each by its name, and of `device`, `cache`, `download` and `trust` those that its
        signature names.
        """
        ...


def shown(images: Tensor) -> Tensor:
    """Clamp images to [-1, 1], float32: what is judged is what can be seen."""
    return images.float().clamp(-1, 1)
