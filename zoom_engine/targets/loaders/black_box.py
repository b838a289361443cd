"""A plain function as a target: a remote service, a model of another framework, anything that can be called."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.module_hash import module_hash
from zoom_engine.targets.entry import are_boxes, stacked_boxes
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.preprocessing import Preprocessing, check_bytes, scale_is_assumed
from zoom_engine.targets.target import probe_inputs

BlackBox = Callable[[NDArray[np.uint8]], Any]
NOTE = "a function that is only called, so there are no gradients"


class FunctionNetwork(nn.Module):
    """A module that hands images to a function and checks what comes back."""

    def __init__(self, function: BlackBox) -> None:
        """Keep the function."""
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Return what the function returns for images `[B, H, W, 3]` with values 0 to 255, given to it as uint8.

        Returns:
            Float32 `[B]`, `[B, C]`, or with the axes that a task reads; a list of boxes as `stacked_boxes` makes it
            one.

        Raises:
            TargetError: when the function raises, or returns no array of numbers with one row per image.
        """
        pixels = x.detach().round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        try:
            answer = self.function(pixels)
            values = np.asarray(stacked_boxes(answer) if are_boxes(answer) else answer, dtype=np.float32)
        except (Exception, SystemExit) as error:  # whatever the caller's function raises
            raise TargetError(
                f"the function fails on uint8 images {pixels.shape} ({type(error).__name__}: {one_line(error)})"
            ) from error
        if values.ndim < 1 or len(values) != len(pixels):
            raise TargetError(
                f"the function returns shape {values.shape} for {len(pixels)} images:"
                " return one probability, one row of probabilities, or what the task reads, for each"
            )
        return torch.from_numpy(values.copy()).to(x.device)


def load_black_box(function: BlackBox, how: Reading) -> LoadedModel:
    """Load a function from uint8 RGB images `[B, H, W, 3]` to probabilities: `[B]`, `[B, 1]`, `[B, 2]` or `[B, C]`.

    Raises:
        TargetError: a preprocessing is given that makes other numbers than bytes.
    """
    preprocessing = Preprocessing(layout="NHWC", value_range=(0.0, 255.0)).updated(how.options)
    check_bytes(preprocessing, "a function is given bytes, uint8 [B, H, W, 3]")
    if isinstance(how.options, Preprocessing):  # of another library's, which has its own order of axes
        preprocessing = dataclasses.replace(preprocessing, layout="NHWC")
    network = FunctionNetwork(function)
    name = str(getattr(function, "__name__", type(function).__name__))
    return LoadedModel(
        network=network,
        name=name,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=False),
        final="probabilities",
        differentiable=False,
        note=NOTE,
        content_hash=hash_of_answers(network, name, preprocessing, how, made_of=function),
    )


def hash_of_answers(
    network: nn.Module, name: str, preprocessing: Preprocessing, how: Reading, made_of: Any = None
) -> str:
    """Return a hash of what cannot be hashed itself: of its name and its answers on fixed images, to three decimals.

    So an audit is not resumed with another function. Where all answers are alike, as those of a detector that finds
    nothing in noise, what it is `made_of` is hashed too: a function, a method of an object, or weights.
    """
    answers = np.round(network(probe_inputs(preprocessing, how.resolution)).double().cpu().numpy(), 3)
    digest = hashlib.sha256(name.encode())
    digest.update(answers.tobytes())
    if made_of is not None and bool((answers == answers[:1]).all()):
        digest.update(module_hash(FunctionNetwork(made_of)).encode())
    return digest.hexdigest()
