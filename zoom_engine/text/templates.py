"""Prompt templates: each turns a prompt into a sentence, and a text embedding is averaged over them.

Averaging over templates (Radford 2021, StyleCLIP Patashnik 2021) takes the wording of the sentence out of
the embedding.
"""

from __future__ import annotations

NONE: tuple[str, ...] = ("{}",)

GENERAL: tuple[str, ...] = ("{}", "a photo of {}", "a picture of {}", "an image of {}")

FACES: tuple[str, ...] = (*GENERAL, "a portrait of {}", "a close-up of {}")

# Seven of the eighty templates of Radford 2021 that do best together, in the wording of that paper's
# notebook.
IMAGENET_SHORT: tuple[str, ...] = (
    "itap of {}.",
    "a bad photo of {}.",
    "an origami {}.",
    "a photo of the large {}.",
    "{} in a video game.",
    "art of {}.",
    "a photo of the small {}.",
)
