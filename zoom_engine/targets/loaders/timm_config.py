"""timm's `pretrained_cfg` as `Preprocessing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets.preprocessing import Preprocessing

RESIZES = ("bilinear", "bicubic", "nearest")


def timm_preprocessing(config: Mapping[str, Any]) -> Preprocessing:
    """Convert the evaluation transform that timm makes of `config`, once `timm.data.resolve_data_config` filled it.

    It resizes the shorter side to ⌊size / crop_pct⌋ (crop_mode "squash": both sides), cuts out the centre and
    normalises.

    Raises:
        TargetError: for a resize or a crop mode that has no counterpart here.
    """
    try:
        size = config.get("input_size") or (3, 224, 224)
        height, width = int(size[-2]), int(size[-1])
        crop_fraction = float(config.get("crop_pct") or 0.875)
        mode, resize = str(config.get("crop_mode") or "center"), str(config.get("interpolation") or "bicubic")
        scaled = (int(height / crop_fraction), int(width / crop_fraction))
        mean = tuple(float(value) for value in config.get("mean") or (0.485, 0.456, 0.406))
        std = tuple(float(value) for value in config.get("std") or (0.229, 0.224, 0.225))
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TargetError(
            f"its timm model's input_size, crop_pct, mean or std is no number ({one_line(error)})"
        ) from error
    if resize not in RESIZES or not (mode == "squash" or (mode == "center" and height == width)):
        raise TargetError(
            f"this timm model resizes to {height}×{width} by {resize!r} with crop mode {mode!r}:"
            " that is not known here, convert the model to ONNX and say its preprocessing"
        )
    return Preprocessing(
        size=height if height == width else (height, width),
        resize_size=scaled[0] if mode == "center" else scaled,
        resize=resize,  # type: ignore[arg-type]
        mean=mean,
        std=std,
    )
