"""A picture as a file that says how it was made: a PNG with its recipe in the metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from zoom_engine.common.files.png import Pixels

KEY = "zoom-engine"
FORMAT = "zoom-engine picture 1"


def png_with_recipe(pixels: Pixels, recipe: Mapping[str, Any]) -> bytes:
    """Return uint8 pixels `[H, W, 3]` as PNG, whose text chunk `KEY` holds the recipe as JSON."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt(KEY, json.dumps({"format": FORMAT, **recipe}, ensure_ascii=False))
    text.add_text("Software", "zoom-engine")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()
