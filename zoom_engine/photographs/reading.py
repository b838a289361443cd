"""A picture of somebody else's, read with limits: what it claims is held against them before memory is taken."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from zoom_engine.errors import PhotographError, one_line

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 80_000_000
"""Of a picture: 240 MB as RGB, and below what Pillow itself calls a bomb."""
MOST_BYTES = 1 << 28
LEAST_SIDE = 16
_AT_ONCE = 1 << 23  # pixels


def read_photograph(path: Path) -> Image.Image:
    """The picture of a file, RGB, upright by its EXIF orientation; of an animation the first frame.

    What it is, is told by its content, whatever its name says. Transparent pixels lie on white. All else that the file
    holds (EXIF, location, comments, thumbnails, colour profile) is left behind: nothing of it reaches what is written.

    Raises:
        PhotographError: one line, without the folder, for what is no such picture, is damaged, or is too large.
    """
    try:
        if not path.is_file():
            raise PhotographError(f"{path.name} is no file")
        if path.stat().st_size > MOST_BYTES:
            raise PhotographError(f"{path.name} has more than {MOST_BYTES >> 20} MiB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, and of bombs, which are refused here
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS or min(width, height) < LEAST_SIDE:
                    raise PhotographError(
                        f"{path.name} claims {width} × {height} pixels: {LEAST_SIDE} a side is the least and"
                        f" {MOST_PIXELS:,} in all the most"
                    )
                ImageOps.exif_transpose(picture, in_place=True)
                return _in_parts(picture, _on_white)
    except PhotographError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotographError(
            f"{path.name} claims more pixels than a picture has: {MOST_PIXELS:,} are the most"
        ) from error
    except UnidentifiedImageError as error:
        raise PhotographError(f"{path.name} is no JPEG, PNG or WebP picture") from error
    except Exception as error:  # decoders raise whatever they stumble on
        raise PhotographError(f"{path.name} is damaged ({one_line(error, 120)})") from error


def _in_parts(picture: Image.Image, seen: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """What is ``seen`` of the picture, RGB, some rows at a time: whole, its layers would take four times its memory."""
    whole = Image.new("RGB", picture.size)
    rows = max(1, _AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        part = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        whole.paste(seen(part), (0, top))
    return whole


def _on_white(picture: Image.Image) -> Image.Image:
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    layers = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
