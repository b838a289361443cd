"""The avatar domain: parametric faces whose truth is known, with a generator, a text encoder and targets.

Names are imported when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "parameters": ("LATENT_DIM", "PARAMETER_NAMES", "Parameters", "parameters_from_latents"),
    "attributes": (
        "ATTRIBUTES", "CLEAR_MARGIN", "EXCLUSION_GROUPS", "exclusions", "intervene", "labels", "margins",
    ),
    "wording": (
        "ATTRIBUTE_PHRASES", "HELD_OUT_TEMPLATES", "TEMPLATES", "captions", "prompt", "zero_shot_prompts",
    ),
    "geometry": ("LANDMARK_NAMES", "landmarks"),
    "renderer": ("MASK_NAMES", "masks", "render", "sample"),
}  # fmt: skip
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
