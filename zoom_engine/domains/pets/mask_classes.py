"""The classes of the pets' masks."""

from __future__ import annotations

BACKGROUND, FUR, EARS, EYES, NOSE, MOUTH, COLLAR = range(7)
MASK_NAMES: tuple[str, ...] = ("background", "fur", "ears", "eyes", "nose", "mouth", "collar")
