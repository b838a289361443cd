"""The options of a generator and of a target, written once.

`load_generator`, `load_target`, a configuration file and the command line take them. Nothing that takes seconds to
import is imported here, see `zoom_engine.settings.audit_settings`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.audit_settings import checked_options, option, told

Kind = Literal["logits", "probabilities"]
Resize = Literal["bilinear", "bicubic", "nearest", "area"]
ChannelOrder = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC"]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """Options of `load_generator`, for a decoder."""

    codes: str | Path | None = option(
        "for an ONNX generator, the file of codes to sample from (.npy or safetensors, [K, S]); by default a normal"
        " distribution",
        None,
    )
    output_range: tuple[float, float] | None = option(
        "for an ONNX generator: its black and white, such as 0,1 (-1,1)", None
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetSettings:
    """Options of `load_target` that the command line has too; one that is None is left to it."""

    task: str | None = option(
        "what it predicts: binary, multiclass, multilabel, regression, keypoints, segmentation, detection,"
        " embedding, or a package's; by default guessed",
        None,
        registered=registry.TASKS,
    )
    task_options: Mapping[str, Any] | None = option(
        "options of the task, NAME=VALUE such as range=[0,100] or unit=years", None, name="task_option"
    )
    trust: bool = option("run a target file that contains a program, and Python code that is named", False)
    classes: Sequence[str] | None = option("a class name, in the outputs' order", None, name="class")
    output: str | int | None = option("which of several outputs to audit: its name or index", None)
    kind: Kind | None = option("what the output is", None, name="output_kind", choices=get_args(Kind))
    head: str | int | None = option("the one output of a multi-label model to audit: its class or index", None)
    service: Mapping[str, Any] | None = option(
        "for a target behind HTTP, NAME=VALUE such as form=png or timeout=5",
        None,
        secret=True,  # headers
    )


@checked_options("service option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Settings for asking a service about pictures, one in a request.

    Attributes:
        form: of the request: "json" with a PNG in base64, "png" (the bytes of one, as TorchServe takes them),
            "multipart" (a form with one file), or "kserve" (a tensor, by the Open Inference Protocol 2).
        field: of the JSON object, of the form, or the name of the input tensor.
        template: a JSON file that is sent in place of an object with that one field; "{png}" in it is the picture.
        answer: where the numbers stand in the JSON that comes back, such as "predictions.0.scores", or the name of the
            output tensor; None takes the whole answer, or the only thing in it. An object of numbers is read in the
            order of its names, which are the classes.
        datatype: of the tensor.
        headers: beside the usual ones; a value "$NAME" is taken from the environment. No message shows a value.
        timeout: seconds that one answer may take, from asking to its last byte.
        patience: seconds that a picture is asked for again and again.
        at_once: how many requests at a time.
        rate: how many requests in a second, at most.
        cache: keep answers on disk, by picture.

    Raises:
        ConfigError: a value out of these.
    """

    form: Literal["json", "png", "multipart", "kserve"] = "json"
    field: str = "image"
    template: str | None = None
    answer: str | None = None
    datatype: Literal["FP32", "UINT8"] = "FP32"
    headers: Mapping[str, str] = dataclasses.field(
        default_factory=dict, repr=False, metadata=told("beside the usual ones", secret=True)
    )
    timeout: float = 10.0
    patience: float = 60.0
    at_once: int = 4
    rate: float | None = None
    cache: bool = True

    def __post_init__(self) -> None:
        """Refuse values out of range by a ConfigError."""
        check_headers(self.headers)
        if not self.field or not self.field.isprintable() or '"' in self.field:
            raise ConfigError("service option 'field' must be a name")
        for name in ("timeout", "patience", "at_once", "rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"service option '{name}' must be greater than 0, got {value}")

    def shared(self, count: int) -> ServiceSettings:
        """Return the settings for one of `count` processes that ask the service at the same time.

        There are at most `at_once` of them, and together they keep to these limits.
        """
        rate = None if self.rate is None else self.rate / count
        return dataclasses.replace(self, at_once=max(1, self.at_once // count), rate=rate)

    def deciding(self) -> dict[str, Any]:
        """Return the options that an answer depends on."""
        return {name: getattr(self, name) for name in ("form", "field", "template", "answer", "datatype")}


def check_headers(headers: object) -> None:
    """Refuse what are no headers (RFC 9110), and those that say where a body ends, which is not the user's to say.

    Raises:
        ConfigError: it shows no value.
    """
    if not isinstance(headers, Mapping) or not all(isinstance(text, str) for pair in headers.items() for text in pair):
        raise ConfigError("service option 'headers' must be a table of texts, such as {Authorization = \"$TOKEN\"}")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigError("service option 'headers': a name must be letters, digits and dashes")
        if name.lower() in ("content-length", "transfer-encoding"):
            raise ConfigError(f"service option 'headers': {name} follows from the request: leave it out")
        if not _HEADER_VALUE.fullmatch(value):
            raise ConfigError(
                f"service option 'headers': the value of {name} has a line break, another control character or one"
                " beyond Latin-1, which no header can hold: remove it (it is not shown here)"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings:
    """The fields of `Preprocessing`, which says what is done with them."""

    size: int | tuple[int, int] | None = option("pixels: 224, or 192,256 (height, width)", None, name="input_size")
    resize_size: int | tuple[int, int] | None = option("resize to this before the crop", None, name="input_resize_size")
    resize: Resize = option("how to resize", "bilinear", name="input_resize", choices=get_args(Resize))
    value_range: tuple[float, float] = option(
        "its values of black and white, such as 0,255", (0.0, 1.0), name="input_range"
    )
    mean: tuple[float, ...] = option("one number or three, in units of the range", (0.0, 0.0, 0.0), name="input_mean")
    std: tuple[float, ...] = option("one number or three, as for the mean", (1.0, 1.0, 1.0), name="input_std")
    channel_order: ChannelOrder = option(
        "order of the colours", "RGB", name="input_channels", choices=get_args(ChannelOrder)
    )
    layout: Layout = option("order of the axes", "NCHW", name="input_layout", choices=get_args(Layout))
