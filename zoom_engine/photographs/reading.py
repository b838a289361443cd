"""Pictures from others, read with limits: what a file claims is checked against them before memory is taken."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from zoom_engine.common.errors import PhotographError, one_line
from zoom_engine.common.threads import quiet

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 80_000_000
"""The most pixels of a picture: 240 MB as RGB, and below what Pillow itself calls a bomb."""
MOST_BYTES = 1 << 28
LEAST_SIDE = 16
MOST_PROFILE = 1 << 23
"""The largest colour profile, in bytes: those of printers have two million."""
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
CHANNELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""The colour space that a profile must be made for, by Pillow's name for the pixels."""
SRGB = frozenset({"sRGB IEC61966-2.1", "sRGB built-in", "sRGB"})
"""The names of the usual profiles of sRGB itself; those of linear light and of other gammas have the word in theirs."""
_AT_ONCE = 1 << 23  # pixels
_TURNED = (5, 6, 7, 8)  # orientations of EXIF that lay a picture on its side


def read_photograph(path: Path) -> Image.Image:
    """Return the picture of a file, RGB, upright by its EXIF orientation; of an animation the first frame.

    The content says what kind of file it is, whatever its name says. Transparent pixels lie on white, 16 bits are read
    as 8, and colours of another profile are brought to sRGB. All else that the file holds (EXIF, location, comments,
    thumbnails) is left behind: nothing of it reaches what is written.

    Raises:
        PhotographError: one line, without the folder, for what is no such picture, is damaged, or is too large.
    """
    name = one_line(path.name)
    with _opened(path, name) as picture:
        return _upright(picture, name)


def read_picture(content: bytes, name: str, *, size: tuple[int, int]) -> Image.Image:
    """Return the picture that bytes hold, as `read_photograph` does; `name` begins messages.

    Raises:
        PhotographError: as `read_photograph`, and where height and width are not `size`; its head alone is read then.
    """
    with _opened(content, name) as picture:
        (height, width), (h, w) = _size(picture), size
        if (height, width) != size:
            raise PhotographError(f"{name} has {width} × {height} pixels, not {w} × {h}")
        return _upright(picture, name)


def given_picture(picture: object) -> Image.Image:
    """Return a picture in memory as `read_photograph` returns those of files.

    Args:
        picture: a uint8 array `[H, W, 3]`, or `[H, W]` of grey; or a picture of Pillow.

    Raises:
        PhotographError: it is none, or has too few pixels or too many; the message goes on after its name.
    """
    if not isinstance(picture, Image.Image):
        try:
            pixels = np.asarray(picture)
        except Exception as error:  # whatever a tensor of torch, or rows of several lengths, raise
            raise PhotographError(f"is no array that NumPy can read ({one_line(error, 120)})") from error
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
            shape = f"{pixels.dtype} {list(pixels.shape)}" if pixels.dtype != object else type(picture).__name__
            raise PhotographError(f"must be uint8 [H, W, 3], [H, W] or a picture of Pillow, not {shape}")
        picture = Image.fromarray(np.ascontiguousarray(pixels))
    if min(picture.size) < LEAST_SIDE or picture.width * picture.height > MOST_PIXELS:
        raise PhotographError(
            f"has {picture.width} × {picture.height} pixels: {LEAST_SIDE} a side is the least and {MOST_PIXELS:,} in"
            " all the most"
        )
    profile = picture.info.get("icc_profile")
    try:
        with quiet():
            upright = ImageOps.exif_transpose(picture)
            return _in_parts(upright, lambda part: _as_seen(part, profile))
    except PhotographError:
        raise
    except Exception as error:  # a file that Pillow has not read yet
        raise PhotographError(f"is damaged ({one_line(error, 120)})") from error


def photograph_size(path: Path) -> tuple[int, int]:
    """Return height and width that `read_photograph` gives, in pixels, by the head of the file alone.

    Raises:
        PhotographError: as `read_photograph`, as far as the head shows it.
    """
    with _opened(path, one_line(path.name)) as picture:
        return _size(picture)


def _size(picture: ImageFile.ImageFile) -> tuple[int, int]:
    width, height = picture.size
    # Of a PNG without EXIF in its head, its own method would decode the whole picture to look behind it.
    turned = Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1) in _TURNED
    return (width, height) if turned else (height, width)


def _upright(picture: ImageFile.ImageFile, name: str) -> Image.Image:
    profile = picture.info.get("icc_profile")
    try:
        ImageOps.exif_transpose(picture, in_place=True)
        return _in_parts(picture, lambda part: _as_seen(part, profile))
    except PhotographError as error:
        raise PhotographError(f"{name} {error}") from error


@contextlib.contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[ImageFile.ImageFile]:
    """Open a picture whose head says that it is one, and not too large.

    What its reading raises meanwhile becomes a PhotographError.
    """
    try:
        if isinstance(source, Path) and not source.is_file():
            raise PhotographError(f"{name} is no file")
        if (source.stat().st_size if isinstance(source, Path) else len(source)) > MOST_BYTES:
            raise PhotographError(f"{name} has more than {MOST_BYTES >> 20} MiB")
        file = source if isinstance(source, Path) else io.BytesIO(source)
        # Warnings are of damaged EXIF, and of bombs, which are refused here.
        with quiet(), Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS or min(width, height) < LEAST_SIDE:
                raise PhotographError(
                    f"{name} claims {width} × {height} pixels: {LEAST_SIDE} a side is the least and"
                    f" {MOST_PIXELS:,} in all the most"
                )
            yield picture
    except PhotographError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotographError(f"{name} claims more pixels than a picture has: {MOST_PIXELS:,} are the most") from error
    except UnidentifiedImageError as error:
        raise PhotographError(f"{name} is no JPEG, PNG or WebP picture") from error
    except Exception as error:  # decoders raise whatever they stumble on
        raise PhotographError(f"{name} is damaged ({one_line(error, 120)})") from error


def _in_parts(picture: Image.Image, seen: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return what is `seen` of the picture, RGB, computed some rows at a time."""
    whole = Image.new("RGB", picture.size)
    # Whole, its layers would take four times its memory.
    rows = max(1, _AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        part = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        whole.paste(seen(part), (0, top))
    return whole


def _as_seen(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return RGB as a screen shows it: 16 bits as 8, transparent pixels on white, the profile's colours in sRGB."""
    if picture.mode.startswith("I"):
        picture = _of_sixteen_bits(picture)
    if picture.mode not in MODES:
        raise PhotographError(f"has pixels of the kind {picture.mode}: save it as RGB or grey, 8 bits a channel")
    alpha = None
    if "A" in picture.getbands() or "transparency" in picture.info:
        layers = picture.convert("LA" if picture.mode in ("1", "L", "LA") else "RGBA")
        alpha, picture = layers.getchannel("A"), layers.convert(layers.mode.removesuffix("A"))
    if picture.mode in ("1", "P"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    shown = _in_srgb(picture, profile) if profile else picture
    shown = shown.convert("RGB")
    if alpha is None:
        return shown
    return Image.composite(shown, Image.new("RGB", shown.size, "white"), alpha)


def _of_sixteen_bits(picture: Image.Image) -> Image.Image:
    """Return grey of 16 bits as grey of 8, and what is transparent beside it."""
    wide = np.asarray(picture)
    if wide.min() < 0 or wide.max() > 65535:
        raise PhotographError("has pixels of more than 16 bits: save it as RGB or grey, 8 bits a channel")
    # Pillow itself takes all above 255 for white.
    values = wide.astype(np.uint16)
    grey = Image.fromarray(((values - (values >> 8) + 127) >> 8).astype(np.uint8))
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert the colours of the file's profile to sRGB.

    A profile with the name of sRGB itself, and one made for other channels, changes nothing.
    """
    if len(profile) > MOST_PROFILE:
        raise PhotographError(f"has a colour profile of more than {MOST_PROFILE >> 20} MiB: save it as sRGB")
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        known = (theirs.profile.profile_description or "").strip() in SRGB
        if known or theirs.profile.xcolor_space.strip() != CHANNELS.get(picture.mode):
            return picture
        converted = ImageCms.profileToProfile(picture, theirs, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise PhotographError(
            f"has a colour profile that cannot be read ({one_line(error, 80)}): save it as sRGB"
        ) from error
    assert converted is not None
    return converted
