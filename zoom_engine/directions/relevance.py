"""The members of every kind of relevance: how strongly each style channel answers a text direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.wording import RANDOM_TEXTS
from zoom_engine.generators import EditableGenerator, Renderer, StyleStatistics, sample_styles, style_statistics
from zoom_engine.runtime import Synthesizer
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder
from zoom_engine.text.templates import GENERAL, own_templates

_SAME_TEXT = 1e-4  # a difference of two unit vectors below this is rounding, not meaning


@dataclass(frozen=True)
class Sampling:
    """The random images that something is measured on, and how.

    Attributes:
        samples: number of latents; at most, where `texts` are given.
        seed: of the latents.
        truncation: ψ; 1 is none.
        truncation_cutoff: how many layers are truncated; None is all.
        synthesizer: makes the images of measurements that only look forward; None is torch in float32.
        texts: float `[N, D]`, the text directions that edit directions are wanted for: a method may stop before
            `samples` where these need no more. None: it takes all.
        batch_size: images at a time.
        cache: folder for what is measured.
        progress: how work shows itself.
    """

    samples: int
    seed: int = 0
    truncation: float = 1.0
    truncation_cutoff: int | None = None
    synthesizer: Synthesizer | None = None
    texts: Tensor | None = field(default=None, compare=False, kw_only=True)
    batch_size: int = field(default=32, compare=False)
    cache: Path | None = field(default=None, compare=False)
    progress: ProgressFactory = field(default=silent, compare=False)

    def renderer_of(self, generator: EditableGenerator) -> Renderer:
        """Return what draws the pictures of `generator`."""
        return generator if self.synthesizer is None else self.synthesizer

    def draw(self, generator: EditableGenerator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (latents `[b, W]`, codes `[b, S]`) in batches."""
        return sample_styles(
            generator,
            samples=self.samples,
            seed=self.seed,
            truncation=self.truncation,
            truncation_cutoff=self.truncation_cutoff,
        )

    def codes(self, generator: EditableGenerator) -> Tensor:
        """Return all codes `[samples, S]`."""
        return torch.cat([codes for _, codes in self.draw(generator)])

    def statistics(self, generator: EditableGenerator) -> StyleStatistics:
        """Return mean and σ of the styles `[S]`, on the CPU: one definition for all kinds of relevance."""
        cut = None if self.truncation == 1 else self.truncation_cutoff  # it means nothing then
        depends_on = {"generator": generator.content_hash, "truncation": self.truncation, "truncation_cutoff": cut}

        def measure() -> dict[str, Tensor]:
            truncation, progress = self.truncation, self.progress
            statistics = style_statistics(generator, truncation=truncation, truncation_cutoff=cut, progress=progress)
            return {"mean": statistics.mean.cpu(), "std": statistics.std.cpu()}

        return StyleStatistics(**DirectionCache(self.cache).cached("statistics", depends_on, measure))

    def untruncated(self) -> Sampling:
        """Return the same samples without truncation."""
        return dataclasses.replace(self, truncation=1.0)

    def truncated_as(self, provenance: Mapping[str, Any]) -> Sampling:
        """Return the same samples with the truncation that edit directions of this `provenance` were measured with."""
        truncation, cutoff = provenance["truncation"], provenance["truncation_cutoff"]
        return dataclasses.replace(self, truncation=truncation, truncation_cutoff=cutoff)

    def drawn_by(self) -> dict[str, Any]:
        """Return what draws the pictures, for keys of caches (JSON)."""
        return {"backend": "torch", "precision": "fp32"} if self.synthesizer is None else self.synthesizer.describe()

    def seen(self, generator: EditableGenerator, text_encoder: TextEncoder) -> dict[str, Any]:
        """Return what the pictures and their embeddings depend on, for keys of caches that hold nothing else (JSON)."""
        return {**self.identity(generator, text_encoder), "text_encoder": text_encoder.embedding_hash}

    def identity(self, generator: EditableGenerator, text_encoder: TextEncoder) -> dict[str, Any]:
        """Return what a measurement on these samples depends on, for cache keys and provenance (JSON)."""
        made = self.drawn_by()
        if text_encoder.precision != "fp32":
            made |= {"embedded_in": text_encoder.precision}
        return {
            "generator": generator.content_hash,
            "text_encoder": text_encoder.content_hash,
            "samples": self.samples,
            "seed": self.seed,
            "truncation": self.truncation,
            "truncation_cutoff": self.truncation_cutoff,
            **made,
        }


class Relevance(Protocol):
    """The relevance of all style channels to text directions.

    `method` is the name of the `DirectionMethod` that measured it; `details` are the options and hashes that it
    depends on (JSON), `Sampling.identity` among them; `random_texts` is how many random texts it can afford to be
    compared with.
    """

    @property
    def method(self) -> str:
        """Return "sampled", "regression" or "gradient"."""

    @property
    def sampling(self) -> Sampling:
        """Return the samples that it is measured on."""

    @property
    def details(self) -> dict[str, Any]:
        """Return the options and hashes that it depends on (JSON)."""

    @property
    def random_texts(self) -> int:
        """Return how many random texts it can afford to be compared with."""

    def relevance(self, text_directions: Tensor) -> Tensor:
        """Return relevance `[P, S]` of unit vectors `[P, D]`, 0 for toRGB channels; the edit is σ ⊙ relevance."""
        ...

    def strength(self, text_directions: Tensor) -> Tensor:
        """Return the largest |relevance| before scaling `[P]` of each of the unit vectors `[P, D]`."""
        ...


class DirectionMethod(Protocol):
    """A way to measure relevance: a frozen dataclass of its options.

    `name` is what an audit calls it; `samples`: on how many random images it measures by default, at most;
    `needs_gradient`: it follows the generator's own gradients, else pictures come from what draws them fastest.
    """

    name: ClassVar[str]
    samples: ClassVar[int]
    needs_gradient: ClassVar[bool]

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> Relevance:
        """Measure the relevance on random images of the generator, those of `sampling`."""
        ...

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float | None:
        """Return how many pictures that takes on `samples` images beside unedited ones, for plans.

        On others it takes in proportion.

        Args:
            channels: how many may be edited.
            texts: how many were not measured yet.
            first: whether nothing was.
            step: as how many pictures a step with gradients counts.

        Returns:
            The number, None of a method that measures on unedited pictures alone.
        """
        ...


@dataclass(frozen=True)
class MatrixRelevance:
    """Relevance that is one product: `matrix [S, D]` serves every prompt.

    `strength_matrix [S, D]` gives the strength, where the matrix itself is rescaled too much for that.
    """

    method: str
    matrix: Tensor
    strength_matrix: Tensor
    sampling: Sampling
    details: dict[str, Any] = field(default_factory=dict)
    random_texts: int = RANDOM_TEXTS

    def relevance(self, text_directions: Tensor) -> Tensor:
        """Return relevance `[P, S]` of unit vectors `[P, D]`."""
        return text_directions.to(self.matrix) @ self.matrix.T

    def strength(self, text_directions: Tensor) -> Tensor:
        """Return the strength `[P]` of unit vectors `[P, D]`."""
        return (text_directions.to(self.strength_matrix) @ self.strength_matrix.T).abs().amax(dim=1)


def text_directions(
    text_encoder: TextEncoder, attributes: Sequence[str], *, neutral: str, templates: Sequence[str] = GENERAL
) -> Tensor:
    """Return unit vectors Δt `[N, D]` (float32, CPU): normalise(E(attribute) − E(neutral)) (Patashnik 2021).

    Paraphrases of one attribute, separated by "|", are averaged before the difference. Those of attributes that are no
    words are the encoder's own, see `AttributeEncoder`.

    Raises:
        DirectionError: the text encoder cannot tell an attribute from the neutral prompt.
        TextEncoderError: it is known that its training never read a word of an attribute or of a template.
    """
    if isinstance(attributes, str) or not attributes:
        raise DirectionError("attributes must be a non-empty list of prompts, such as ['a smiling face']")
    sourced = next((name for name in attributes if Attribute.parse(name).source is not None), None)
    if sourced is not None:
        raise DirectionError(f"'{sourced}' is no text: attributes by examples or scorers belong to an audit's options")
    names: list[object] = list(attributes)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DirectionError(f"attribute '{twice}' is given twice: remove one")
    known = {attribute: text_encoder.direction_of(attribute) for attribute in attributes}
    if any(direction is None for direction in known.values()):
        text_encoder.check_words([neutral, *attributes])
        text_encoder.check_words(own_templates(templates))
        base = _mean_of_paraphrases(text_encoder, neutral, templates)
    rows = []
    for attribute in attributes:
        if (direction := known[attribute]) is not None:
            rows.append(direction)
            continue
        difference = _mean_of_paraphrases(text_encoder, attribute, templates) - base
        if difference.norm() < _SAME_TEXT:
            raise DirectionError(
                f"the text encoder cannot tell '{attribute}' from the neutral prompt '{neutral}': reword one"
            )
        rows.append(F.normalize(difference, dim=0))
    return torch.stack(rows)


def _mean_of_paraphrases(text_encoder: TextEncoder, prompt: str, templates: Sequence[str]) -> Tensor:
    paraphrases = Attribute.parse(prompt).paraphrases
    embedded = text_encoder.embed_texts(paraphrases, templates=templates)
    return F.normalize(embedded.mean(dim=0), dim=0).float().cpu()


def check_finite(embeddings: Tensor) -> Tensor:
    """Return `embeddings` as they are.

    Raises:
        DirectionError: they are not finite.
    """
    if not bool(torch.isfinite(embeddings).all()):
        raise DirectionError("the generator gives images that are not finite (NaN): check its checkpoint")
    return embeddings


def inverse_std(std: Tensor, fixed_mask: Tensor) -> Tensor:
    """Return 1/σ `[S]` (float64), 0 for toRGB channels and for channels that never move."""
    moves = (std > 1e-6 * std.max()) & ~fixed_mask.cpu()
    return torch.where(moves, 1 / std.double().clamp(min=1e-30), 0.0)
