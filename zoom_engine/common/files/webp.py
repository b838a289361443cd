"""Pictures as WebP, scaled down: what lies in audit folders and inside pages."""

from __future__ import annotations

import base64
import io

from PIL import Image


def webp_bytes(image: Image.Image, *, side: int, quality: int) -> bytes:
    """Scale a picture down in place, to at most `side` pixels wide and high, and return it as WebP."""
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=quality)
    return buffer.getvalue()


def webp_uri(image: Image.Image, *, side: int, quality: int) -> str:
    """Do what `webp_bytes` does and return a data URI."""
    return "data:image/webp;base64," + base64.b64encode(webp_bytes(image, side=side, quality=quality)).decode("ascii")
