"""The image processors of Hugging Face transformers, as they are saved, as `Preprocessing`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.json_object import JsonObject, shown
from zoom_engine.targets.preprocessing import InputOptions, Preprocessing

RESAMPLE = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that have a counterpart here."""
STEPS = (
    *("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_flip_channel_order"),
    *("do_convert_rgb", "do_reduce_labels"),
)
"""The steps of image processors that are known here; the last two change nothing of an RGB picture."""
SHORTER_SIDE = (
    *("Bit", "CLIP", "ConvNext", "Levit", "MobileNetV1", "MobileNetV2", "MobileViT", "PoolFormer", "TextNet"),
)
"""Image processors to which a lone number is the shorter side; to others it is both."""
BICUBIC = (
    *("Beit", "Bit", "CLIP", "ConvNext", "DeiT", "EfficientNet", "Levit", "MobileViT", "Perceiver", "PoolFormer"),
    *("Pvt", "Siglip"),
)
"""Image processors whose filter is bicubic where the file says none; that of others is bilinear."""
CROPPING = (
    *("Bit", "CLIP", "DeiT", "Levit", "MobileNetV1", "MobileNetV2", "MobileViT", "PPLCNet", "Perceiver", "PoolFormer"),
)
"""Image processors that cut out the centre where the file does not say whether."""
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPENAI = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MEAN_AND_STD = {
    **dict.fromkeys(("Bit", "CLIP"), OPENAI),
    **dict.fromkeys(("Levit", "Perceiver", "PoolFormer", "Pvt", "Segformer", "TextNet"), IMAGENET),
    "PPLCNet": (IMAGENET[0][::-1], IMAGENET[1][::-1]),
}
"""Those of image processors where the file says none; of others they are 0.5."""
SAY = "say the size that the network takes with --input-size"

Size = int | tuple[int, int] | None


def hugging_face_preprocessing(
    values: Mapping[str, object], path: Path | str, options: InputOptions = None
) -> Preprocessing:
    """Convert `preprocessor_config.json` to `Preprocessing`.

    Its do_resize, do_center_crop, do_rescale, do_normalize and do_flip_channel_order, with what belongs to them, are
    taken as transformers' image processor of that name takes them. What the user's `options` say is not asked of the
    file: a size stands for the file's resize and crop.

    Args:
        values: the content of the file.
        path: the file or the processor's name, for messages.
        options: the user's.

    Raises:
        TargetError: for what has no counterpart here, and for values of another type.
    """
    if isinstance(options, Preprocessing):
        return options
    given = options or {}
    try:
        config = JsonObject(values)
        name = config.get("image_processor_type", str) or config.get("feature_extractor_type", str) or ""
        family = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", name)
        if values.get("do_color_quantize") or "max_num_patches" in values:
            raise ValueError("feeds the network other things than pictures: wrap it as python:FILE.py:NAME")
        fields: dict[str, Any] = _scale(config, family)
        if "size" not in given:
            fields["size"], fields["resize_size"] = _sizes(config, family)
            fields["floor_crop"] = fields["resize_size"] is not None
        if "resize" not in given:
            number = config.get("resample", int)
            resize = RESAMPLE.get((3 if family in BICUBIC else 2) if number is None else number)
            if resize is None and (fields.get("size") or "size" in given):
                raise ValueError(
                    f"resizes by a filter that is not known here (resample {number}): say one by --input-resize"
                )
            fields["resize"] = resize or "bilinear"
        return Preprocessing(**fields).updated(options)
    except (ValueError, OverflowError, TargetError) as error:
        raise TargetError(f"{path}: {one_line(error)} (preprocessing= in Python)") from error


def _scale(config: JsonObject, family: str) -> dict[str, Any]:
    """Return the fields of `Preprocessing` that say what numbers the network is fed; ValueError."""

    def three(key: str) -> tuple[float, ...]:
        if isinstance(config.values.get(key), int | float):
            return (config.need(key, float),)
        usual = MEAN_AND_STD.get(family, ((0.5,), (0.5,)))[key == "image_std"]
        return config.get(key, tuple[float, ...]) or usual

    def step(key: str, default: bool) -> bool:
        value = config.get(key, bool)
        return default if value is None else value

    factor = config.get("rescale_factor", float)
    white = 255 * (1 / 255 if factor is None else factor) if step("do_rescale", True) else 255.0
    low = -1.0 if step("rescale_offset", False) else 0.0
    normalise = step("do_normalize", family != "MobileViT")
    mean, std = three("image_mean") if normalise else (0.0,), three("image_std") if normalise else (1.0,)
    if step("include_top", family == "EfficientNet"):  # divided once more, by what the weights were trained with
        again = three("image_std")
        std = tuple(std[i % len(std)] * again[i % len(again)] for i in range(max(len(std), len(again))))
    flipped = step("do_flip_channel_order", family == "MobileViT") or family == "PPLCNet"
    order = "BGR" if flipped else "RGB"
    return {"value_range": (low, white + low), "mean": mean, "std": std, "channel_order": order}


def _sizes(config: JsonObject, family: str) -> tuple[Size, Size]:
    """Return what is cut out (or resized to) and what the picture is resized to before; ValueError."""
    odd = sorted(
        key for key, value in config.values.items() if key.startswith("do_") and value is True and key not in STEPS
    )
    if odd or config.values.get("size_divisor") not in (None, 1):
        raise ValueError(f"resizes in a way that is not known here ({', '.join(odd) or 'size_divisor'}): {SAY}")
    cropped = config.get("do_center_crop", bool)
    crop = _both(_size(config, "crop_size")) if (family in CROPPING if cropped is None else cropped) else None
    if config.get("do_resize", bool) is False:
        if crop is not None:
            raise ValueError(f"crops without a resize: {SAY}")
        return None, None
    short = config.get("resize_short", int)
    size = _size(config, "size") if short is None else short
    if isinstance(size, int) and short is None and not isinstance(config.values.get("size"), dict):
        size = size if family in SHORTER_SIDE or (not family and crop) else (size, size)
    resized = size
    crop_fraction = config.get("crop_pct", float)
    if family == "Levit" and isinstance(size, int):
        resized = int(256 / 224 * size)
    elif (family == "ConvNext" or crop_fraction is not None) and isinstance(size, int):
        crop_fraction = (0.9 if family == "PoolFormer" else 0.875) if crop_fraction is None else crop_fraction
        config.check("crop_pct", 0 < crop_fraction <= 1, "be a share")
        if family != "PoolFormer" and size >= 384:
            resized = (size, size)
        else:
            resized, crop = int(size / crop_fraction), crop or ((size, size) if family != "PoolFormer" else None)
    if crop is None:
        if isinstance(resized, int):
            raise ValueError(f"resizes the shorter side without a crop: {SAY}")
        return resized, None
    if any(side < cut for side, cut in zip(_both(resized), crop, strict=True)):
        raise ValueError(f"cuts out more than it resizes to ({crop} of {resized}): {SAY}")
    return crop, resized


def _both(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _size(config: JsonObject, key: str) -> int | tuple[int, int]:
    """Return a number or {"shortest_edge"}; of {"height", "width"} both. ValueError for another form."""
    if config.values.get(key) is None:
        raise ValueError(f"says no {key}: {SAY}")
    if not isinstance(config.values[key], dict):
        return config.need(key, int)
    form = {name: value for name, value in config.values[key].items() if value is not None}
    sides = config.object(key)
    if set(form) == {"shortest_edge"}:
        return sides.need("shortest_edge", int)
    if set(form) == {"height", "width"}:
        return sides.need("height", int), sides.need("width", int)
    raise ValueError(f"resizes in a way that is not known here ({key} {shown(form)}): {SAY}")
