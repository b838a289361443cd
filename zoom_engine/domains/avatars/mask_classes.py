"""The classes of the avatars' masks."""

from __future__ import annotations

BACKGROUND, SKIN, HAIR, EYES, BROWS, MOUTH, GLASSES = range(7)
MASK_NAMES: tuple[str, ...] = ("background", "skin", "hair", "eyes", "brows", "mouth", "glasses")
