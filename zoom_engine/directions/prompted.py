"""Edit directions of a generator that reads prompts itself: what the words of an attribute add to a code.

In each template the generator gives the difference of the attribute's prompt and the neutral one, as a direction of its
codes; the mean over templates and paraphrases is the attribute's. Nothing is regressed. One edit weight is one standard
deviation of codes along the direction, or a tenth of the difference where they vary by less (where all codes have one
prompt): so ±30 reaches three times the difference at least.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoom_engine.common.contracts import theirs
from zoom_engine.common.errors import DirectionError, ZoomError
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Relevance, Sampling
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.generators import EditableGenerator, TextDirected
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder
from zoom_engine.text.prompts import fill_template

PROMPTED = "generator"
_LEAST_UNIT = 0.1  # of the difference of prompts
_SAME = 1e-6  # of the typical difference: a smaller one is rounding


@dataclass(frozen=True)
class Prompted:
    """The method "generator": directions that a `TextDirected` generator gives."""

    name: ClassVar[str] = PROMPTED
    samples: ClassVar[int] = SAMPLES
    needs_gradient: ClassVar[bool] = False

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> Relevance:
        """Refuse: differences of prompts are no relevance.

        Raises:
            DirectionError: always.
        """
        raise DirectionError("directions by the generator have no relevance: choose regression, sampled or gradient")

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float | None:
        """None: no pictures but unedited ones are needed."""
        return None

    @torch.no_grad()
    def directions(
        self,
        generator: EditableGenerator,
        attributes: Sequence[str],
        *,
        neutral: str,
        templates: Sequence[str],
        sampling: Sampling,
        provenance: dict[str, Any],
    ) -> EditDirections:
        """Return the generator's own directions, scaled as above.

        Args:
            generator: a `TextDirected` one.
            attributes: N prompts.
            neutral: the prompt that they are compared with.
            templates: sentences that prompts are put into.
            sampling: says how codes are drawn.
            provenance: of the directions.

        Raises:
            DirectionError: the generator reads no prompts, fails on these, or cannot tell one from the neutral prompt.
        """
        in_templates = _differences(generator, attributes, neutral, templates)
        differences = in_templates.mean(dim=0)
        lengths = differences.norm(dim=1)
        typical = in_templates.norm(dim=2).mean()
        for attribute, length in zip(attributes, lengths.tolist(), strict=True):
            if not length > _SAME * max(float(typical), 1e-30):
                raise DirectionError(
                    f"the generator cannot tell '{attribute}' from the neutral prompt '{neutral}': reword one"
                )
        units = differences / lengths[:, None]
        codes = replace(sampling, samples=SAMPLES).codes(generator).cpu()
        along = (codes - codes.mean(dim=0)) @ units.T
        scales = torch.maximum(along.std(dim=0, correction=0), _LEAST_UNIT * lengths)
        matrix = (units * scales[:, None]).contiguous()
        wording = (in_templates - differences).norm(dim=2).square().mean(dim=0).sqrt()
        return EditDirections(
            matrix=matrix,
            attributes=tuple(attributes),
            neutral=neutral,
            method=self.name,
            threshold=0.0,
            channels=tuple((matrix != 0).sum(dim=1).tolist()),
            strength=tuple((lengths / torch.maximum(wording, _SAME * lengths)).tolist()),
            noise_floor=(0.0,) * len(attributes),
            provenance=provenance,
        )


def default_method(generator: EditableGenerator, others: Collection[str] = ()) -> str:
    """Return the name of the method that finds a generator's directions unless the user chooses another.

    `others` are attributes that are no prompts, which no generator reads.
    """
    return PROMPTED if isinstance(generator, TextDirected) and not others else "regression"


def reads(generator: EditableGenerator, prompt: str, *, neutral: str, templates: Sequence[str]) -> bool:
    """Tell whether a generator gives a direction of a prompt; it may not read all that a text encoder does."""
    try:
        return bool(_differences(generator, [prompt], neutral, templates).any())
    except ZoomError:
        return False


def _differences(
    generator: EditableGenerator, attributes: Sequence[str], neutral: str, templates: Sequence[str]
) -> Tensor:
    """Return float32 `[T, N, S]`, in each template the mean over an attribute's paraphrases."""
    if not isinstance(generator, TextDirected):
        raise DirectionError(
            f"a {type(generator).__name__} reads no prompts: find directions by regression, sampled or gradient"
        )
    texts = [Attribute.parse(attribute).paraphrases for attribute in attributes]
    counts = [len(paraphrases) for paraphrases in texts]
    flat, shape = [text for paraphrases in texts for text in paraphrases], (sum(counts), generator.space.size)
    rows = []
    for template in templates:
        prompts = [fill_template(template, text) for text in flat]
        with theirs(DirectionError, "the generator fails on the attributes' prompts"):
            given: object = generator.text_directions(prompts, fill_template(template, neutral))
        if not isinstance(given, Tensor) or tuple(given.shape) != shape or not bool(given.isfinite().all()):
            seen = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise DirectionError(f"the generator's text_directions must be finite numbers {list(shape)}, not {seen}")
        movable = given.detach().float().cpu() * ~generator.space.fixed_mask()
        rows.append(torch.stack([part.mean(dim=0) for part in torch.split(movable, counts)]))
    return torch.stack(rows)
