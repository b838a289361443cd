"""What the recipes need to know of a domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.captions import TEMPLATES, DrawCaption
from zoom_engine.domains.subject import Subject
from zoom_engine.domains.truth import Table
from zoom_engine.generators import StyleGAN2Config

GENERATOR = StyleGAN2Config(128, (128, 128, 128, 128, 64, 32), z_dim=64, w_dim=256, mapping_layers=4)
MOST_CLAIMS = 4  # of a caption that a text encoder learns from
TEXT_ENCODER: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 128, "layers": [1, 2, 2, 1], "width": 24, "head_width": 48},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}


@dataclass(frozen=True, eq=False)
class TrainingSubject(Subject[Table]):
    """A domain's subject, the shapes of its networks and the words that its text encoder learns.

    Attributes:
        name: of the domain.
        draw_caption: a true caption of a picture, see `lab.captions`.
        vocabulary: the words that captions can hold.
        zero_shot_prompts: by attribute what a zero-shot classifier compares.
        seed: of the probe, the generator and the text encoder.
        images: how many pictures these see; what w means is taken from the parameters of as many.
        seen: so many of them, where not all have been rendered yet.
        probe: the file of the first.
        held_out: of these pictures the first, which training leaves out and figures are measured on.
        stored: a folder of pictures that were rendered before; without it the recipes render what they need.
        generator: its shape; its resolution is the pictures' side.
        text_encoder: its shape, open_clip's `model_cfg`.
        together: what several parameters show together, float32 `[n, K]` of `n` pictures: w knows them beside the
            parameters.
        mirrored: the parameters that a mirror image has with the other sign. The generator learns from mirror images
            where there are any.
    """

    name: str
    draw_caption: DrawCaption
    vocabulary: Callable[[], list[str]]
    zero_shot_prompts: Callable[[str], tuple[str, str]]
    seed: int
    images: int
    probe: Path
    seen: int | None = None
    held_out: int = 0
    stored: Path | None = None
    generator: StyleGAN2Config = GENERATOR
    text_encoder: Mapping[str, Any] = field(default_factory=TEXT_ENCODER.copy)
    together: Callable[[Table], NDArray[np.float32]] | None = None
    mirrored: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Return how many pictures training sees now."""
        return self.images if self.seen is None else self.seen

    @property
    def side(self) -> int:
        """Return the side of a picture in pixels."""
        return self.generator.resolution

    def margins(self, parameters: Table) -> NDArray[np.float32]:
        """Return the margins of pictures, float32 `[n, A]` in the order of the attributes."""
        table = self.truth.margins(parameters)
        return np.stack([table[name] for name in self.truth.attributes], axis=1)

    def draw_captions(
        self, margins: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[list[str], NDArray[np.int8]]:
        """Draw a true caption of each picture with `margins` `[n, A]`.

        Returns:
            The captions, and what each claims: 1 present, -1 absent, 0 unsaid, int8 `[n, A]`.
        """
        attributes = self.truth.attributes
        captions, claims = [], np.zeros(margins.shape, dtype=np.int8)
        for row, picture in enumerate(margins):
            caption, chosen = self.draw_caption(
                dict(zip(attributes, picture, strict=True)), rng, TEMPLATES, MOST_CLAIMS
            )
            captions.append(caption)
            for name, present in chosen.items():
                claims[row, attributes.index(name)] = 1 if present else -1
        return captions, claims
