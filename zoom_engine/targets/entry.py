"""Networks around networks: one entry of what another returns, its list of boxes as one tensor, and one image after the
other for a batch of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from zoom_engine.common.errors import TargetError


class Entry(nn.Module):
    """Runs a network and hands on one entry of the dict or tuple that it returns.

    entry: key of a dict (or of what behaves like one), index of a tuple or list.
    """

    def __init__(self, network: nn.Module, entry: str | int) -> None:
        super().__init__()
        self.network, self.entry = network, entry

    def forward(self, x: Tensor) -> Any:
        """The network's input → the entry; `TargetError` where there is none of that name."""
        result = self.network(x)
        if isinstance(result, Mapping) and self.entry in result:
            return result[self.entry]
        if isinstance(result, tuple | list) and str(self.entry).isdecimal() and int(self.entry) < len(result):
            return result[int(self.entry)]
        raise TargetError(f"there is no output {self.entry!r}: the network returns {entries(result)}")


class OneByOne(nn.Module):
    """Feeds a network whose batch is fixed to 1 image by image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.network(x[i : i + 1]) for i in range(len(x))])


def entries(result: Any) -> str:
    """What a network returned, in words."""
    if isinstance(result, Mapping):
        return f"a {type(result).__name__} with the entries {', '.join(str(key) for key in result)}"
    if isinstance(result, tuple | list):
        return f"a {type(result).__name__} of {len(result)}"
    return "one tensor" if isinstance(result, Tensor) else f"a {type(result).__name__}"


def are_boxes(result: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """The result is a list with the boxes of each picture, as torchvision's detectors return it."""
    listed = isinstance(result, list | tuple) and len(result) > 0
    return listed and all(isinstance(each, Mapping) and "boxes" in each and "scores" in each for each in result)


def stacked_boxes(pictures: Sequence[Mapping[str, Any]]) -> Tensor:
    """ "boxes" `[n, 4]`, "scores" `[n]` and "labels" `[n]` (0 where there are none) of each picture as rows
    `[B, N, 6]`, filled up with zeros.

    Raises:
        TargetError: these are of other shapes, or are being traced, which keeps how many boxes there were.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise TargetError("a list of boxes has another length for each picture, so it cannot be traced")
    rows = []
    for each in pictures:
        boxes, scores = (torch.as_tensor(each[key], dtype=torch.float32) for key in ("boxes", "scores"))
        labels = torch.as_tensor(each.get("labels", torch.zeros_like(scores)), dtype=torch.float32)
        if scores.ndim != 1 or labels.shape != scores.shape or boxes.numel() != 4 * len(scores):
            shapes = ", ".join(f"{list(part.shape)}" for part in (boxes, scores, labels))
            raise TargetError(f"boxes, scores and labels of a picture are [n, 4], [n] and [n], not {shapes}")
        rows.append(torch.cat([boxes.reshape(-1, 4), scores[:, None], labels[:, None].to(scores)], dim=1))
    return pad_sequence(rows, batch_first=True)


def one_tensor(result: Any, name: str) -> Tensor:
    """The network's output, if it is a tensor or a list of boxes (`stacked_boxes`); else a `TargetError` that says how
    to choose one."""
    if isinstance(result, Tensor):
        return result
    if are_boxes(result):
        return stacked_boxes(result)
    how = (
        "choose one with output (--output)"
        if isinstance(result, Mapping | tuple | list)
        else "wrap it so that it returns one tensor"
    )
    raise TargetError(f"target {name!r} returns {entries(result)}, not a tensor: {how}")
