"""The step from the engine's images to a network's input; part of the target, and saved with it.

`Preprocessing.__call__` is the one place that says what is done, in which order and with which numbers: exported graphs
are recorded from it (`zoom_engine.runtime.graphs.recorder`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.typed import fits, one_of, plain
from zoom_engine.settings.model_settings import ChannelOrder, InputSettings, Layout, Resize

BLACK, WHITE = -1.0, 1.0
"""The values of black and white in the engine's images."""


SCALE = ("value_range", "mean", "std")
"""The fields that say which numbers stand for black and white."""
MOST_PIXELS = 2**22
"""The most pixels of a network's input: 2048², four times what any generator draws."""
MOST_SIDE = 2**13
"""The longest side: a resize on the way to a line of pixels keeps the other side whole."""
LARGEST = 1e6
"""The largest absolute value of the numbers in `SCALE`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preprocessing(InputSettings):
    """Resize, crop, scale, normalise, reorder: in this order, differentiable throughout.

    Attributes:
        size: height and width that the network wants (one number for a square); None leaves the image as it is.
        resize_size: what the image is resized to before its centre of `size` is cut out: one number is the shorter
            side, two are height and width; None resizes to `size` itself, whatever the sides' proportion.
        resize: how to get there; "bilinear" and "bicubic" are antialiased, as Pillow's are.
        value_range: the values of black and white before normalisation, such as (0, 1), (0, 255) or (-1, 1).
        mean: one number per RGB channel (or one for all), in the units of `value_range`.
        std: as the mean, above 0.
        channel_order: of the network's input.
        layout: of the network's input.
        floor_crop: where the crop cannot lie in the middle it lies half a pixel nearer to the top left, as transformers
            has it; torchvision rounds to the even pixel.
    """

    floor_crop: bool = False

    def __post_init__(self) -> None:
        """Refuse values of other types or out of range, by a TargetError."""
        for name, allowed in (("resize", Resize), ("channel_order", ChannelOrder), ("layout", Layout)):
            if getattr(self, name) not in get_args(allowed):
                choices = ", ".join(get_args(allowed))
                raise TargetError(f"preprocessing: {name} is {getattr(self, name)!r}; choose one of {choices}")
        self._check_numbers()
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, 3):
                raise TargetError(f"preprocessing: {name} needs one number or three, one per RGB channel")
        if any(value <= 0 for value in self.std):
            raise TargetError("preprocessing: every entry of std must be greater than 0")
        if self.value_range[0] >= self.value_range[1]:
            raise TargetError("preprocessing: value_range must be (black, white) with black < white")
        if self.size is not None and min(self.hw or (0, 0)) < 1:
            raise TargetError(f"preprocessing: size {self.size} is not a size in pixels")
        if self.resize_size is not None:
            smallest = self.resize_size if isinstance(self.resize_size, int) else min(self.resize_size)
            if self.hw is None or smallest < 1:
                raise TargetError("preprocessing: resize_size comes before a crop, so it needs size, the crop's")

    def _check_numbers(self) -> None:
        """Refuse values of another type, as in a file of others, and pictures that nothing here could draw."""
        for name, most in (("size", MOST_PIXELS), ("resize_size", 4 * MOST_PIXELS)):
            given = getattr(self, name)
            sides = given if isinstance(given, tuple | list) else (given, given)
            if given is None:
                continue
            if len(sides) != 2 or not all(fits(int, side) for side in sides):
                wanted = "a number of pixels, or two (height, width)"
                raise TargetError(f"preprocessing: {name} has the wrong type: {_shown(given)} is not {wanted}")
            if sides[0] * sides[1] > most:
                raise TargetError(f"preprocessing: {name} {_shown(given)} is too large: {most} pixels are the limit")
            if max(sides) > MOST_SIDE:
                raise TargetError(f"preprocessing: {name} {_shown(given)} is too large: a side has {MOST_SIDE} at most")
        if not isinstance(self.floor_crop, bool):
            raise TargetError("preprocessing: floor_crop has the wrong type: it is true or false")
        for name in SCALE:
            given = getattr(self, name)
            if not isinstance(given, tuple | list) or not all(map(_is_number, given)):
                raise TargetError(f"preprocessing: {name} has the wrong type: {_shown(given)} are not finite numbers")
        if len(self.value_range) != 2:
            raise TargetError("preprocessing: value_range needs two numbers, those of black and white")

    @property
    def hw(self) -> tuple[int, int] | None:
        """(height, width) of the network's input, None where any is taken."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images float `[B, 3, H, W]` RGB in [-1, 1] into the network's input, in its layout.

        Steps that change nothing are left out.

        Raises:
            TargetError: the image is too small for the crop.
        """
        x, source = images, (images.shape[-2], images.shape[-1])
        (height, width), size = self._resized(*source), self.hw or source
        if (height, width) != source:
            antialias = self.resize in ("bilinear", "bicubic")
            mode = (
                "nearest-exact" if self.resize == "nearest" else self.resize
            )  # Pillow's; torch's other one is shifted
            x = F.interpolate(x, size=(height, width), mode=mode, antialias=antialias)
            if self.resize == "bicubic":  # it overshoots
                x = x.clamp(BLACK, WHITE)
        if height < size[0] or width < size[1]:
            raise TargetError(
                f"preprocessing: the image is {height}×{width} after the resize, too small for a crop of"
                f" {size[0]}×{size[1]}: set a larger resize_size"
            )
        if (height, width) != size:
            rounded = math.floor if self.floor_crop else round
            top, left = rounded((height - size[0]) / 2), rounded((width - size[1]) / 2)
            x = x[..., top : top + size[0], left : left + size[1]]
        # ((x + 1) / 2 · (high − low) + low − mean) / std, in as few passes over the pictures as it takes
        low, high = self.value_range
        mean, std = (torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for values in (self.mean, self.std))
        scale, shift = (high - low) / 2 / std, ((high + low) / 2 - mean) / std
        if bool((scale != 1).any() | (shift != 0).any()):
            x = x * scale.to(x) + shift.to(x)
        if self.channel_order == "BGR":
            x = x.flip(1)
        return x.permute(0, 2, 3, 1) if self.layout == "NHWC" else x

    def picture(self, x: Tensor) -> Tensor:
        """Turn a network's input into the RGB picture `[B, 3, h, w]` in [-1, 1] that it sees.

        It is the inverse of the preprocessing, but for resize and crop.
        """
        if self.layout == "NHWC":
            x = x.permute(0, 3, 1, 2)
        if self.channel_order == "BGR":
            x = x.flip(1)
        low, high = self.value_range
        std, mean = x.new_tensor(self.std).view(1, -1, 1, 1), x.new_tensor(self.mean).view(1, -1, 1, 1)
        return ((x * std + mean - low) / (high - low) * 2 - 1).clamp(-1, 1)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) after the resize and before the crop."""
        if self.hw is None:
            return height, width
        if self.resize_size is None:
            return self.hw
        if isinstance(self.resize_size, int):
            shorter = min(height, width)
            return self.resize_size * height // shorter, self.resize_size * width // shorter
        return self.resize_size

    def updated(self, options: InputOptions) -> Preprocessing:
        """Return this preprocessing with the user's `options` in it: some fields, or (a `Preprocessing`) all of them.

        A new size without a resize_size drops this one's.
        """
        if isinstance(options, Preprocessing):
            return options
        given = dict(options or {})
        if "size" in given:
            given = {"resize_size": None, **given}
        return Preprocessing.from_dict({**self.to_dict(), **given})

    @property
    def in_words(self) -> str:
        """What the network is fed: "RGB in [0, 1], mean 0.5, std 0.25, 24×24 pixels"."""
        low, high = self.value_range
        parts = [f"{self.channel_order} in [{low:g}, {high:g}]"]
        for name, values, neutral in (("mean", self.mean, 0.0), ("std", self.std, 1.0)):
            if any(value != neutral for value in values):
                parts.append(f"{name} {', '.join(f'{value:g}' for value in values)}")
        if self.hw is not None:
            parts.append(f"{self.hw[0]}×{self.hw[1]} pixels")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict, ready for JSON, that `from_dict` takes back; `floor_crop` only where it is true."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}
        return values if self.floor_crop else {name: v for name, v in values.items() if name != "floor_crop"}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Preprocessing:
        """Make a preprocessing of what `to_dict` returned.

        Raises:
            TargetError: an unknown key, or a value of another type.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = set(values) - set(known)
        if unknown:
            raise TargetError(f"preprocessing: unknown option {one_of(sorted(unknown)[0], known)}")
        options: dict[str, Any] = {
            k: tuple(map(plain, v)) if isinstance(v, list | tuple) else plain(v) for k, v in values.items()
        }
        try:
            return cls(**options)
        except TypeError as error:
            raise TargetError(f"preprocessing: an option has the wrong type ({error})") from error


def _is_number(value: Any) -> bool:
    return fits(float, value) and abs(value) < LARGEST  # no NaN


def _shown(value: object) -> str:
    return one_line(repr(value), 60)


InputOptions = Preprocessing | Mapping[str, Any] | None
"""A whole preprocessing, or those of its fields that differ from the model's own."""


def scale_is_assumed(options: InputOptions, *, told: bool) -> bool:
    """Return whether neither the model nor the user says which numbers stand for black and white.

    The model says it where its file or library does (`told`), the user by the `options`.
    """
    return not told and not isinstance(options, Preprocessing) and not any(name in (options or {}) for name in SCALE)


def check_bytes(preprocessing: Preprocessing, whom: str) -> None:
    """Refuse, by a TargetError that begins with `whom`, other numbers than 0 to 255 where bytes are made of them."""
    scaled = any(mean != 0 for mean in preprocessing.mean) or any(std != 1 for std in preprocessing.std)
    if scaled or tuple(preprocessing.value_range) != (0.0, 255.0):
        raise TargetError(
            f"{whom} from 0 to 255, and not {preprocessing.in_words}: let it make other numbers of them itself, or say"
            " its size alone, --input-size 224 (preprocessing={'size': 224} in Python)"
        )
