"""Corruptions of photographs, with strengths in physical units: exposure, light, lens, sensor, file and framing.

Pillow does what needs neighbours (blur, JPEG, resampling); the rest is a table of 256 values or a sum. What would lie
outside of a turned or shrunk picture is the picture mirrored, so that no black corner is an edit of its own.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.typed import one_of
from zoom_engine.edits.editor import Picture
from zoom_engine.edits.strengths import Strengths, check_strengths
from zoom_engine.settings.audit_settings import checked_options

Table = NDArray[np.uint8]
VERSION = 1
"""Of the pictures: another one where the same strengths and seeds give others."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""The shares of linear red, green and blue in luminance (Rec. 709, whose primaries sRGB has)."""
FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)
"""From XYZ to linear sRGB (IEC 61966-2-1)."""
DAYLIGHT = 1e6 / 6504
"""sRGB's white, in mired."""
GREY = 128
_MARGIN = 3  # pixels that bicubic interpolation looks at beyond a picture's side, and one for rounding


class Corruption(NamedTuple):
    """How an attribute is changed, the unit of its strengths, and between which strengths it makes sense."""

    change: Callable[[Picture, float, int], Picture]
    unit: str
    lowest: float
    highest: float


def exposed(picture: Picture, stops: float, seed: int) -> Picture:
    """Return the picture in more light or less: linear light times 2^stops, clipped at white."""
    return _in_light(picture, np.full(3, 2.0**stops))


def contrasted(picture: Picture, percent: float, seed: int) -> Picture:
    """Return the picture with its differences from its own mean grey, in sRGB values, larger or smaller by `percent`.

    The grey of a pixel is 0.299 R + 0.587 G + 0.114 B (Rec. 601), as Pillow and torchvision take it.
    """
    middle = float((picture.reshape(-1, 3).mean(0) * (0.299, 0.587, 0.114)).sum())
    table = middle + (1 + percent / 100) * (np.arange(256) - middle)
    return _bytes(table)[picture]


def lit(picture: Picture, mired: float, seed: int) -> Picture:
    """Return the picture under warmer light (above 0) or colder, with the camera set to daylight.

    The light is that of a black body, `mired` away from sRGB's white of 6504 K. A grey is as bright as before.
    """
    lamp, daylight = (FROM_XYZ @ white_of(1e6 / at) for at in (DAYLIGHT + mired, DAYLIGHT))
    gains = lamp / daylight
    return _in_light(picture, gains / (LUMINANCE @ gains))


def blurred(picture: Picture, percent: float, seed: int) -> Picture:
    """Return the picture blurred by a Gaussian, its σ in percent of the shorter side."""
    sigma = percent / 100 * min(picture.shape[:2])
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(picture: Picture, levels: float, seed: int) -> Picture:
    """Return the picture with normal noise on each channel of each pixel, its σ in grey levels, clipped.

    A seed's noise is the same at all strengths but for its size.
    """
    noise = _chance(seed, "noise").standard_normal(picture.shape, dtype=np.float32)
    return _bytes(picture + np.float32(levels) * noise)


def compressed(picture: Picture, lost: float, seed: int) -> Picture:
    """Return the picture after a JPEG file of quality 100 - `lost`, rounded, with Pillow's defaults for the rest."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=max(1, round(100 - lost)))
    return np.asarray(Image.open(file).convert("RGB"))


def turned(picture: Picture, degrees: float, seed: int) -> Picture:
    """Return the picture turned about its middle, counterclockwise, the corners filled by the picture mirrored."""
    height, width = picture.shape[:2]
    along, across = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    beside, above = (
        max(0, math.ceil((reach - side) / 2)) + _MARGIN
        for reach, side in ((width * along + height * across, width), (width * across + height * along, height))
    )
    whole = _surrounded(picture, beside, above)
    # As floats: Pillow cuts off what lies between two grey levels here, which would darken the picture.
    channels = [Image.fromarray(whole[..., channel].astype(np.float32)) for channel in range(3)]
    result = np.stack([np.asarray(it.rotate(degrees, Image.Resampling.BICUBIC)) for it in channels], axis=-1)
    return _bytes(result[above : above + height, beside : beside + width])


def scaled(picture: Picture, percent: float, seed: int) -> Picture:
    """Return the picture larger (above 0) or smaller about its middle; around a smaller one it lies mirrored."""
    height, width = picture.shape[:2]
    seen = 1 / (1 + percent / 100)
    return _window(picture, width * (1 - seen) / 2, height * (1 - seen) / 2, seen)


def cropped(picture: Picture, percent: float, seed: int) -> Picture:
    """Return a window without `percent` of both sides, enlarged to the picture's size.

    The seed says where; a smaller window lies within a larger one.
    """
    height, width = picture.shape[:2]
    across, down = _chance(seed, "crop").random(2) * (percent / 100)
    return _window(picture, across * width, down * height, 1 - percent / 100)


def occluded(picture: Picture, percent: float, seed: int) -> Picture:
    """Return the picture with `percent` of its area grey: a rectangle of the picture's shape.

    The seed says where; a larger rectangle covers a smaller one.
    """
    height, width = picture.shape[:2]
    share = math.sqrt(percent / 100)
    tall, wide = max(1, round(share * height)), max(1, round(share * width))
    across, down = _chance(seed, "occlusion").random(2)
    left, top = round(across * (width - wide)), round(down * (height - tall))
    result = picture.copy()
    result[top : top + tall, left : left + wide] = GREY
    return result


CORRUPTIONS: Mapping[str, Corruption] = {
    "brightness": Corruption(exposed, "stops", -8, 8),
    "contrast": Corruption(contrasted, "% of contrast", -100, 900),
    "colour cast": Corruption(lit, "mired", -110, 440),
    "blur": Corruption(blurred, "% of the side", 0, 50),
    "noise": Corruption(noisy, "grey levels", 0, 255),
    "JPEG": Corruption(compressed, "points of quality lost", 0, 99),
    "rotation": Corruption(turned, "°", -180, 180),
    "scale": Corruption(scaled, "% of size", -90, 900),
    "crop": Corruption(cropped, "% of the side", 0, 90),
    "occlusion": Corruption(occluded, "% of the area", 0, 100),
}
"""By its name each corruption, with a range whose lower end 0 means that strengths are above 0."""
_MOVING = ("rotation", "scale", "crop")
"""Those that move what a picture shows."""


@checked_options("option of corruptions")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Corruptions:
    """The editor `corruptions`. An option is the list of an attribute's strengths; an empty one leaves it out.

    Attributes:
        brightness: in stops, of linear light: at 1 there is twice as much of it.
        contrast: in percent, of the differences from the picture's mean grey.
        colour_cast: in mired (a million by kelvin) away from daylight of 6504 K: 80 is 4278 K, -80 is 13559 K.
        blur: σ of a Gaussian, in percent of the shorter side.
        noise: σ of normal noise on each channel, in grey levels of 255.
        jpeg: the quality that is lost: 70 is a JPEG file of quality 30.
        rotation: in degrees, counterclockwise.
        scale: in percent: at 100 all is twice as large, at -50 half as large.
        crop: in percent of each side that is cut off.
        occlusion: in percent of the area under a grey rectangle.

    Raises:
        ConfigError: strengths that are 0, not ascending, or out of range; or no corruption has any.
    """

    name: ClassVar[str] = "corruptions"

    brightness: Strengths = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
    contrast: Strengths = (-75.0, -50.0, -25.0, 25.0, 50.0, 100.0)
    colour_cast: Strengths = (-80.0, -40.0, 40.0, 80.0, 160.0)
    blur: Strengths = (0.25, 0.5, 1.0, 2.0, 4.0)
    noise: Strengths = (4.0, 8.0, 16.0, 32.0, 64.0)
    jpeg: Strengths = (30.0, 50.0, 70.0, 80.0, 90.0)
    rotation: Strengths = (-30.0, -15.0, -5.0, 5.0, 15.0, 30.0)
    scale: Strengths = (-30.0, -15.0, 25.0, 50.0, 100.0)
    crop: Strengths = (5.0, 10.0, 20.0, 30.0, 40.0)
    occlusion: Strengths = (2.0, 5.0, 10.0, 20.0, 40.0)

    def __post_init__(self) -> None:
        """Check the strengths, and keep them as tuples of floats."""
        for attribute, corruption in CORRUPTIONS.items():
            values = check_strengths(getattr(self, _field(attribute)), f"option '{_field(attribute)}' of corruptions")
            low, high = corruption.lowest, corruption.highest
            if any(not low <= value <= high for value in values):
                raise ConfigError(
                    f"option '{_field(attribute)}' of corruptions: strengths must be in {low:g} to {high:g}"
                    f" ({corruption.unit}), got {list(values)}"
                )
            object.__setattr__(self, _field(attribute), values)
        if not self.attributes:
            raise ConfigError("the options of corruptions leave all of them out: give one of them strengths")

    @property
    def attributes(self) -> tuple[str, ...]:
        """The corruptions that have strengths."""
        return tuple(attribute for attribute in CORRUPTIONS if getattr(self, _field(attribute)))

    def strengths(self, attribute: str) -> tuple[float, ...]:
        """Return the strengths of a corruption, see `Editor`.

        Raises:
            ConfigError: there is no such corruption.
        """
        _known(attribute)
        values: tuple[float, ...] = getattr(self, _field(attribute))
        return values

    def unit(self, attribute: str) -> str:
        """Return the unit of a corruption's strengths, see `Editor`.

        Raises:
            ConfigError: there is no such corruption.
        """
        return _known(attribute).unit

    def moves_places(self, attribute: str) -> bool:
        """Tell whether a corruption moves what a picture shows."""
        return attribute in _MOVING

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return the pictures corrupted, see `Editor`.

        Raises:
            ConfigError: there is no such corruption.
        """
        change = _known(attribute).change
        return [change(picture, strength, seed) for picture, seed in zip(pictures, seeds, strict=True)]

    def describe(self) -> dict[str, Any]:
        """Return name, version and strengths, see `Editor`."""
        strengths = {attribute: list(self.strengths(attribute)) for attribute in self.attributes}
        return {"editor": self.name, "version": VERSION, "strengths": strengths}


def white_of(kelvin: float) -> NDArray[np.float64]:
    """Return XYZ of a black body's colour, with Y = 1, from 1667 K to 25000 K, by the splines of Kim et al. (2002)."""
    t = 1e3 / kelvin
    if kelvin < 4000:
        x = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    else:
        x = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    if kelvin < 2222:
        y = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    elif kelvin < 4000:
        y = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    else:
        y = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the linear light, in 0 to 1, of sRGB values in 0 to 255 (IEC 61966-2-1)."""
    shares = values / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def to_values(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sRGB values of linear light, the inverse of `to_light`."""
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def _in_light(picture: Picture, gains: NDArray[np.float64]) -> Picture:
    """Return the picture with each channel's linear light times its gain."""
    light = to_light(np.arange(256.0))
    tables = [_bytes(to_values(np.minimum(gain * light, 1))) for gain in gains]
    return np.stack([table[picture[..., channel]] for channel, table in enumerate(tables)], axis=-1)


def _window(picture: Picture, left: float, top: float, share: float) -> Picture:
    """Return what is seen through a window of a `share` of both sides, at the picture's size; beyond it, mirrored."""
    # One side after the other, as Pillow does: mirrored along both, a picture seen at a tenth is a hundred pictures.
    height, width = picture.shape[:2]
    beside, above = (max(0, math.ceil(-start)) + _MARGIN if start < 0 else 0 for start in (left, top))
    across = (left + beside, 0.0, left + beside + share * width, float(height))
    wide = Image.fromarray(_surrounded(picture, beside, 0)).resize((width, height), Image.Resampling.BICUBIC, across)
    down = (0.0, top + above, float(width), top + above + share * height)
    tall = Image.fromarray(_surrounded(np.asarray(wide), 0, above))
    return np.asarray(tall.resize((width, height), Image.Resampling.BICUBIC, down))


def _surrounded(picture: Picture, beside: int, above: int) -> Picture:
    return np.pad(picture, ((above, above), (beside, beside), (0, 0)), mode="symmetric")


def _chance(seed: int, what: str) -> np.random.Generator:
    """Return the chance of one seed in one corruption."""
    return np.random.default_rng([seed, *what.encode()])


def _bytes(values: NDArray[Any]) -> Table:
    result: Table = np.rint(values).clip(0, 255).astype(np.uint8)
    return result


def _field(attribute: str) -> str:
    return attribute.lower().replace(" ", "_")


def _known(attribute: str) -> Corruption:
    try:
        return CORRUPTIONS[attribute]
    except KeyError:
        raise ConfigError(f"corruptions cannot change {one_of(attribute, CORRUPTIONS)}") from None
