"""`AttributeEncoder`: tells attributes that are no words apart on pictures, as a text encoder tells words apart.

Everything that is measured on an attribute is made of two things: coordinates of a picture, and the direction in them
along which the attribute grows. A text encoder gives both for words. This one gives more coordinates, one for each
scorer, whose number it is, and the directions of attributes by examples. There need be no text encoder: examples are
then told apart by `PictureFeatures`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import TextEncoderError
from zoom_engine.common.module_hash import Identity
from zoom_engine.common.probes import Answers
from zoom_engine.targets.scorer import PictureScorer
from zoom_engine.text.encoder import TextEncoder
from zoom_engine.text.examples import ExamplePictures, Separation, separation
from zoom_engine.text.picture_features import PictureFeatures
from zoom_engine.text.templates import NONE

NO_WORDS = "none"
"""The name of no text encoder."""
_ANY_SIZE = 1 << 16  # pixels: what reads pictures of any size is shown whole ones
_AT_ONCE = 32  # examples


class _Learnt:
    """What was learnt from examples, once for all copies of an encoder."""

    def __init__(self, seen_of: Callable[[Tensor], Tensor]) -> None:
        self.seen_of = seen_of  # that of the first copy: what runs faster may round
        self.population: Callable[[], Tensor] | None = None
        self.edited: Callable[[str], tuple[Tensor, Tensor]] | None = None
        self.separations: dict[str, Separation] = {}
        self.lock = Lock()


class AttributeEncoder(TextEncoder):
    """A text encoder, or none, with attributes that are given by examples and by scorers.

    Embeddings `[B, D]` are those of the text encoder (or picture features, where there is none and there are examples),
    then a coordinate for each scorer.

    Args:
        reader: the text encoder; None where there are no words.
        scorers: each with the names of the attributes that its outputs score, in their order.
        examples: by the attributes' names.
        edits: names of attributes that mean what edits along their ready directions show.
        answers: how the scorers answer probes, where that is known.
    """

    def __init__(
        self,
        reader: TextEncoder | None,
        *,
        scorers: Sequence[tuple[Sequence[str], PictureScorer]],
        examples: Mapping[str, ExamplePictures],
        edits: Sequence[str] = (),
        answers: Answers | None = None,
    ) -> None:
        """Join the parts."""
        nn.Module.__init__(self)
        self.reader = reader
        self.image_tower: Any = None if reader is None else reader.image_tower
        self.features = PictureFeatures() if reader is None and (examples or edits) else None
        self.names_of_scorers = tuple(tuple(names) for names, _ in scorers)
        self.scorers = nn.ModuleList(scorer for _, scorer in scorers)
        self.scored = tuple(name for names in self.names_of_scorers for name in names)
        self.examples, self.edits = dict(examples), tuple(edits)
        self.name = NO_WORDS if reader is None else reader.name
        self.words = None if reader is None else reader.words
        self.precision = "fp32" if reader is None else reader.precision
        self.logit_scale = 1.0 if reader is None else reader.logit_scale
        self.tokenizer = None if reader is None else reader.tokenizer
        self.seen = reader.dim if reader is not None else 0 if self.features is None else self.features.dim
        self.dim = self.seen + len(self.scored)
        sizes = [part.image_size for part in (reader, self.features) if part is not None]
        self.image_size = max([*sizes, *(scorer.image_size or _ANY_SIZE for _, scorer in scorers)])
        rounding = None if reader is None else reader.rounding
        self.rounding = None if rounding is None else F.pad(rounding, (0, len(self.scored)))
        self.answers = answers
        self._learnt = _Learnt(self._seen_of)

    @property
    def differentiable(self) -> bool:
        """Return whether gradients reach pictures from all coordinates."""
        return all(bool(getattr(scorer, "differentiable", False)) for scorer in self.scorers)

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Return which coordinates belong together: what is seen, and each scorer's own."""
        first = [slice(0, self.seen)] if self.seen else []
        return (*first, *(slice(self.seen + k, self.seen + k + 1) for k in range(len(self.scored))))

    @property
    def content_hash(self) -> Identity:
        """Return the SHA-256 (hex) of all parts, with the scorers' answers: the key of all caches."""
        return self._hash_with(self.sources())

    @property
    def embedding_hash(self) -> str:
        """Return that of what embeds pictures: other examples find in the cache what it sees of them."""
        if self.reader is not None and not self.scored:
            return self.reader.embedding_hash
        return self._hash_with(self.sources()["scorers"])

    def _hash_with(self, sources: Mapping[str, object]) -> Identity:
        """Return the hash of what embeds pictures, and of these sources of attributes, with the scorers' answers."""
        parts = {
            "reader": None if self.reader is None else self.reader.content_hash,
            "features": None if self.features is None else self.features.content_hash,
            "sources": sources,
            "coordinates": self.scored,  # in their order, which names alone do not say
        }
        identity = Identity(hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())
        identity.answers = self.answers
        return identity

    @property
    def described(self) -> dict[str, str]:
        """Return what a manifest says of the text encoder, or of what sees pictures in its place."""
        if self.reader is not None:
            return self.reader.described
        return {"name": self.name, "content_hash": "" if self.features is None else self.features.content_hash}

    def sources(self) -> dict[str, dict[str, str]]:
        """Return the content hashes of what gives each attribute, by kind and name."""
        scorers: Any = zip(self.names_of_scorers, self.scorers, strict=True)
        return {
            "scorers": {name: scorer.hash_of(k) for names, scorer in scorers for k, name in enumerate(names)},
            "examples": {name: pictures.content_hash for name, pictures in self.examples.items()},
            "edits": dict.fromkeys(self.edits, "ready"),
        }

    def with_parts(self, reader: TextEncoder | None, scorers: Iterable[nn.Module]) -> AttributeEncoder:
        """Return the same encoder with its parts run elsewhere; what was learnt is shared."""
        named: Any = list(zip(self.names_of_scorers, scorers, strict=True))
        other = AttributeEncoder(reader, scorers=named, examples=self.examples, edits=self.edits, answers=self.answers)
        other._learnt = self._learnt
        return other

    def replaced(self, **_: Any) -> TextEncoder:
        """Refuse: its parts are replaced one by one, see `with_parts`."""
        raise NotImplementedError("an AttributeEncoder is compiled part by part")

    def learn_from(
        self, population: Callable[[], Tensor], edited: Callable[[str], tuple[Tensor, Tensor]] | None = None
    ) -> None:
        """Learn directions when they are first needed.

        Args:
            population: returns the embeddings `[K, D]` of the generator's unedited pictures.
            edited: returns those of pictures edited to more and to less along the ready direction of that name.
        """
        self._learnt.population, self._learnt.edited = population, edited

    def check_words(self, prompts: Iterable[str]) -> None:
        """Refuse prompts as a text encoder does; names of examples and scorers are not read.

        Raises:
            TextEncoderError: see `TextEncoder.check_words`.
        """
        if self.reader is not None:
            self.reader.check_words(prompt for prompt in prompts if not self.knows(prompt))

    def embed_texts(self, prompts: Sequence[str], *, templates: Sequence[str] = NONE) -> Tensor:
        """Return unit vectors `[P, D]` of prompts, 0 in the coordinates of scorers.

        Raises:
            TextEncoderError: as `TextEncoder.embed_texts`, or there is no text encoder.
        """
        if self.reader is None:
            raise TextEncoderError(
                f"'{next(iter(prompts), '')}' is a text, and there is no text encoder to read it: give one with"
                " --text-encoder, or name no words"
            )
        return F.pad(self.reader.embed_texts(prompts, templates=templates), (0, len(self.scored)))

    def embed_images(self, images: Tensor) -> Tensor:
        """Return embeddings `[B, D]` (float32) of RGB images `[B, 3, H, W]` (floats in [-1, 1])."""
        shown = images.float().clamp(-1, 1)
        return torch.cat([self._see(images), *(scorer(shown) for scorer in self.scorers)], dim=1)

    def knows(self, attribute: str) -> bool:
        """Return whether an attribute is given by something else than words."""
        return attribute in self.examples or attribute in self.scored or attribute in self.edits

    def direction_of(self, attribute: str) -> Tensor | None:
        """Return the unit vector `[D]` (float32, CPU) along which an attribute grows; None where it is given by words.

        Raises:
            TextEncoderError: see `separation_of`.
        """
        if attribute in self.scored:
            return F.one_hot(torch.tensor(self.seen + self.scored.index(attribute)), self.dim).float()
        if not self.knows(attribute):
            return None
        return F.pad(self.separation_of(attribute).direction, (0, len(self.scored)))

    def separation_of(self, attribute: str) -> Separation:
        """Return what was learnt from the examples of an attribute, or from its own edits.

        Raises:
            TextEncoderError: there is no generator yet whose pictures they could be compared with.
        """
        learnt = self._learnt
        with learnt.lock:
            if attribute not in learnt.separations:
                if learnt.population is None:
                    raise TextEncoderError("examples are compared with a generator's pictures: give a generator")
                population = learnt.population()[:, : self.seen]
                lacking: Tensor | None
                if attribute in self.edits and learnt.edited is not None:
                    having, lacking = (seen[:, : self.seen] for seen in learnt.edited(attribute))
                else:
                    pictures = self.examples[attribute]
                    having = learnt.seen_of(pictures.having)
                    lacking = None if pictures.without is None else learnt.seen_of(pictures.without)
                learnt.separations[attribute] = separation(having, lacking, population)
            return learnt.separations[attribute]

    def _see(self, images: Tensor) -> Tensor:
        """Return the coordinates `[B, d]` that are no scorer's."""
        if self.reader is not None:
            return self.reader.embed_images(images)
        if self.features is not None:
            seen: Tensor = self.features(images)
            return seen
        return images.new_zeros(len(images), 0)

    @torch.no_grad()
    def _seen_of(self, pictures: Tensor) -> Tensor:
        device = next((tensor.device for tensor in (*self.parameters(), *self.buffers())), pictures.device)
        return torch.cat([self._see(part.to(device)).cpu() for part in torch.split(pictures, _AT_ONCE)])
