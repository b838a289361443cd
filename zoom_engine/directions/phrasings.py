"""The same attributes in several phrasings: an edit direction of each, to see how much hangs on words.

A phrasing is one wording of the attribute in one template; an attribute's own direction is of the mean over all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.settings.attributes import Attribute


def phrasings(attributes: Sequence[str], templates: Sequence[str], count: int) -> list[tuple[list[str], str]]:
    """``count`` times a wording of each attribute and the template for all: the templates evenly, or, where they are
    fewer, one after the other; wordings by turns.

    Raises DirectionError where an attribute has fewer phrasings.
    """
    several = len(templates) >= count
    every = [Attribute.parse(attribute).wordings for attribute in attributes]
    for attribute, wordings in zip(attributes, every, strict=True):
        if len(templates) * len(wordings) < count:
            raise DirectionError(
                f"'{attribute}' has {len(templates) * len(wordings)} phrasings (templates times wordings), not {count}:"
                " separate more wordings of it by '|', or take more templates"
            )
    return [
        (
            [wordings[(k if several else k // len(templates)) % len(wordings)] for wordings in every],
            templates[k * len(templates) // count if several else k % len(templates)],
        )
        for k in range(count)
    ]


def phrased_directions(
    attributes: Sequence[str],
    templates: Sequence[str],
    count: int,
    find: Callable[[list[str], str], EditDirections],
) -> Tensor:
    """Row k · N + i of ``[count · N, S]`` is the direction of attribute i in its phrasing k; ``find`` finds those of
    texts in one template."""
    return torch.cat([find(texts, template).matrix for texts, template in phrasings(attributes, templates, count)])
