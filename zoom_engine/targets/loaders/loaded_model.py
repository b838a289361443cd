"""What a loader found out about a model; `loading` makes a `Target` of it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from torch import nn

from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.tasks.task import Task

Final = Literal["", "sigmoid", "softmax", "probabilities"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A network and all that its file, folder or class says about it.

    preprocessing: the model's own, as far as it is known, with the user's options in it; assumed: neither says which
        numbers stand for black and white (`scale_is_assumed`).
    task, classes, labels: where the model says them.
    final: the activation that the network is known to end with; "probabilities" where it is only known that
        its outputs are some.
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
    differentiable: bool = True
    note: str = ""
    content_hash: str | None = None
