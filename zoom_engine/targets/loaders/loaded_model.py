"""The arguments and the result of a loader; `loading` makes a `Target` of the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from zoom_engine.targets.preprocessing import InputOptions, Preprocessing
from zoom_engine.targets.tasks.guess import Final
from zoom_engine.targets.tasks.task import Task

PROBE_SIZE, LARGEST_PROBE = 128, 1024
"""The usual and the largest side, in pixels, of the images that a model is tried on where nothing says its size."""


class Reading(NamedTuple):
    """How a model is to be read: the options of `load_target` that are its loader's, `options` of its preprocessing."""

    options: InputOptions = None
    output: str | int | None = None
    trust: bool = False
    download: bool = False
    resolution: int = PROBE_SIZE
    service: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A network and all that its file, folder or class says about it.

    preprocessing: the model's own, as far as it is known, with the user's options in it; assumed: neither says which
        numbers stand for black and white (`scale_is_assumed`).
    task, classes, labels: where the model says them.
    final: the activation that the network is known to end with; "probabilities" where it is only known that
        its outputs are some.
    output_chosen: the network returns the output that `Reading` names; else it is taken out of what it returns.
    note: for the manifest, such as why there are no gradients; content_hash: where the module's own would not do.
    """

    network: nn.Module
    name: str
    preprocessing: Preprocessing
    assumed: bool
    task: Task | None = None
    classes: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    final: Final = ""
    output_chosen: bool = False
    differentiable: bool = True
    note: str = ""
    content_hash: str | None = None
