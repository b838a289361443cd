"""Prompt templates: each turns a prompt into a sentence, and a text embedding is averaged over them.

Averaging over templates (Radford 2021, StyleCLIP Patashnik 2021) takes the wording of the sentence out of the
embedding.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from zoom_engine.common.errors import TextEncoderError
from zoom_engine.text.prompts import fill_template, shorten

NONE: tuple[str, ...] = ("{}",)

GENERAL: tuple[str, ...] = ("{}", "a photo of {}", "a picture of {}", "an image of {}")

FACES: tuple[str, ...] = (*GENERAL, "a portrait of {}", "a close-up of {}")

# Seven of the eighty templates of Radford 2021 that do best together, as that paper's notebook has them.
IMAGENET_SHORT: tuple[str, ...] = (
    "itap of {}.",
    "a bad photo of {}.",
    "an origami {}.",
    "a photo of the large {}.",
    "{} in a video game.",
    "art of {}.",
    "a photo of the small {}.",
)


@functools.cache
def _imagenet() -> tuple[str, ...]:
    """Return all eighty of Radford 2021, from open_clip.

    Prompts bring their own article, so the templates' own is left out.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(re.sub(r"\b(a|the|my|one) \{\}", "{}", template("{}")) for template in OPENAI_IMAGENET_TEMPLATES)


TEMPLATE_SETS: dict[str, Callable[[], tuple[str, ...]]] = {
    "none": lambda: NONE,
    "general": lambda: GENERAL,
    "faces": lambda: FACES,
    "imagenet": _imagenet,
    "imagenet-short": lambda: IMAGENET_SHORT,
}
"""What gives the sets, by their names: open_clip is imported for its own alone."""


def own_templates(templates: Iterable[str]) -> Iterator[str]:
    """Yield those of the templates that are in no set: text encoders of domains can read those of sets."""
    of_sets = {template for templates_of in TEMPLATE_SETS.values() for template in templates_of()}
    yield from (template for template in templates if template not in of_sets)


def find_templates(chosen: str | Sequence[str]) -> tuple[str, ...]:
    """Return the set called `chosen`, or the user's own templates.

    Raises:
        TextEncoderError: an unknown name, or a template without its single `{}`.
    """
    if isinstance(chosen, str):
        if chosen not in TEMPLATE_SETS:
            raise TextEncoderError(
                f"there is no set of templates '{shorten(chosen)}': choose one of {', '.join(TEMPLATE_SETS)}, or give a"
                " list such as ['a photo of {}']"
            )
        return TEMPLATE_SETS[chosen]()
    if not chosen:
        raise TextEncoderError("templates must be a non-empty list, such as ['a photo of {}']")
    for template in chosen:
        fill_template(template, "a face")
    return tuple(chosen)
