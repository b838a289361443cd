"""The avatar domain: parametric faces whose truth is known, with a generator, a text encoder and targets."""

from __future__ import annotations

from zoom_engine.domains.lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "parameters": ("LATENT_DIM", "PARAMETER_NAMES", "Parameters", "parameters_from_latents"),
        "attributes": (
            "ATTRIBUTES", "CLEAR_MARGIN", "exclusions", "intervene", "labels", "margins",
        ),
        "wording": ("ATTRIBUTE_PHRASES", "prompt", "zero_shot_prompts"),
        "geometry": ("LANDMARK_NAMES", "landmarks"),
        "renderer": ("MASK_NAMES", "masks", "render", "sample"),
    },
)  # fmt: skip
