"""The same attributes in several paraphrases: an edit direction of each, to see how much depends on words.

A paraphrase is one of the texts of the attribute (separated by "|") in one template; an attribute's own direction is
that of the mean over all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.settings.attributes import Attribute


def paraphrases(attributes: Sequence[str], templates: Sequence[str], count: int) -> list[tuple[list[str], str]]:
    """Return `count` times a paraphrase of each attribute, and the template for all.

    Templates are spread evenly, or taken in order where they are fewer; the texts of an attribute, separated by "|",
    take turns.

    Raises:
        DirectionError: an attribute has fewer paraphrases.
    """
    several = len(templates) >= count
    texts_of_each = [Attribute.parse(attribute).paraphrases for attribute in attributes]
    for attribute, texts in zip(attributes, texts_of_each, strict=True):
        if len(templates) * len(texts) < count:
            raise DirectionError(
                f"'{attribute}' has {len(templates) * len(texts)} paraphrases (templates times texts), not {count}:"
                " separate more texts of it by '|', or take more templates"
            )
    return [
        (
            [texts[(k if several else k // len(templates)) % len(texts)] for texts in texts_of_each],
            templates[k * len(templates) // count if several else k % len(templates)],
        )
        for k in range(count)
    ]


def paraphrase_directions(
    attributes: Sequence[str],
    templates: Sequence[str],
    count: int,
    find: Callable[[list[str], str], EditDirections],
) -> Tensor:
    """Return directions `[count · N, S]`; row k · N + i is the direction of attribute i in its paraphrase k.

    `find` finds the directions of texts in one template.
    """
    return torch.cat([find(texts, template).matrix for texts, template in paraphrases(attributes, templates, count)])
