"""The options of a generator and of a target, written once: what `load_generator`, `load_target`, a configuration file
and the command line take.

Nothing that takes seconds to import is imported here, see `zoom_engine.audit.settings`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from zoom_engine.audit.settings import option

Kind = Literal["logits", "probabilities"]
Resize = Literal["bilinear", "bicubic", "nearest", "area"]
ChannelOrder = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """Options of `load_generator`, for a decoder."""

    codes: str | Path | None = option(
        "of an ONNX generator the file of codes to sample from (.npy or safetensors, [K, S]); by default a normal"
        " distribution",
        None,
    )
    output_range: tuple[float, float] | None = option(
        "of an ONNX generator what it draws for black and white, such as 0,1; by default -1,1", None
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetSettings:
    """Options of `load_target` that the command line has too; one that is None is left to it."""

    task: str | None = option(
        "what it predicts: binary, multiclass, multilabel, regression, keypoints, segmentation, or what a package"
        " brings; by default guessed",
        None,
    )
    task_options: Mapping[str, Any] | None = option(
        "of the task, NAME=VALUE such as range=[0,100] or unit=years", None, name="task_option"
    )
    trust: bool = option("run a target file that contains a program", False)
    classes: Sequence[str] | None = option("a class name, in the outputs' order", None, name="class")
    output: str | int | None = option("of several outputs the one to audit: its name or index", None)
    kind: Kind | None = option("what the output is", None, name="output_kind", choices=get_args(Kind))
    head: str | int | None = option("the one output of a multi-label model to audit: its class or index", None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings:
    """The fields of `Preprocessing`, which says what is done with them."""

    size: int | tuple[int, int] | None = option("pixels: 224, or 192,256 (height, width)", None, name="input_size")
    resize_size: int | tuple[int, int] | None = option("resize to this before the crop", None, name="input_resize_size")
    resize: Resize = option("how to get there", "bilinear", name="input_resize", choices=get_args(Resize))
    value_range: tuple[float, float] = option("of black and white, such as 0,255", (0.0, 1.0), name="input_range")
    mean: tuple[float, ...] = option("one number or three, in units of the range", (0.0, 0.0, 0.0), name="input_mean")
    std: tuple[float, ...] = option("as the mean", (1.0, 1.0, 1.0), name="input_std")
    channel_order: ChannelOrder = option("of the input", "RGB", name="input_channels", choices=get_args(ChannelOrder))
    layout: Layout = option("of the input", "NCHW", name="input_layout", choices=get_args(Layout))
