"""Networks around networks: one entry of a result, lists of boxes as one tensor, one image at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from zoom_engine.common.errors import TargetError, one_line


class Entry(nn.Module):
    """A network of which one entry of the dict or tuple that it returns is used."""

    def __init__(self, network: nn.Module, entry: str | int) -> None:
        """Wrap a network.

        Args:
            network: returns a dict, a tuple or a list.
            entry: key of a dict (or of what behaves like one), index of a tuple or list.
        """
        super().__init__()
        self.network, self.entry = network, entry

    def forward(self, x: Tensor) -> Any:
        """Return the entry for the network's input.

        Raises:
            TargetError: there is none of that name.
        """
        result = self.network(x)
        if isinstance(result, Mapping) and self.entry in result:
            return result[self.entry]
        if isinstance(result, tuple | list) and str(self.entry).isdecimal() and int(self.entry) < len(result):
            return result[int(self.entry)]
        raise TargetError(f"there is no output {self.entry!r}: the network returns {entries(result)}")


class OneByOne(nn.Module):
    """A network whose batch is fixed to 1, fed image by image."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap the network."""
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        """Return the outputs of a batch, in a dict or a tuple where the network returns one."""
        return _joined([self.network(x[i : i + 1]) for i in range(len(x))])


def _joined(results: list[Any] | tuple[Any, ...]) -> Any:
    """Return results for single images as the one for all of them; what is no tensor is that of the first."""
    first = results[0]
    if isinstance(first, Tensor):
        uneven = first.ndim == 3 and len({result.shape[1] for result in results}) > 1
        # Of boxes that a network chose there are more in one image than in another: zeros fill up, which are none.
        return pad_sequence([result[0] for result in results], batch_first=True) if uneven else torch.cat(results)
    if are_boxes(first):
        return [picture for result in results for picture in result]
    if isinstance(first, Mapping):
        return {key: _joined([result[key] for result in results]) for key in first}
    if isinstance(first, tuple | list):
        return tuple(map(_joined, zip(*results, strict=True)))
    return first


def entries(result: object) -> str:
    """Describe in words what a network returned."""
    if isinstance(result, Mapping):
        return f"a {type(result).__name__} with the entries {', '.join(str(key) for key in result)}"
    if isinstance(result, tuple | list):
        return f"a {type(result).__name__} of {len(result)}"
    return "one tensor" if isinstance(result, Tensor) else f"a {type(result).__name__}"


def are_boxes(result: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """Return whether the result is a list with the boxes of each picture, as torchvision's detectors return it."""
    listed = isinstance(result, list | tuple) and len(result) > 0
    return listed and all(
        isinstance(picture, Mapping) and "boxes" in picture and "scores" in picture for picture in result
    )


def stacked_boxes(pictures: Sequence[Mapping[str, object]]) -> Tensor:
    """Stack the boxes of each picture as rows `[B, N, 6]`, filled up with zeros.

    Args:
        pictures: "boxes" `[n, 4]`, "scores" `[n]` and "labels" `[n]` (0 where there are none) of each.

    Raises:
        TargetError: these are no numbers, of other shapes, or being traced, which keeps how many boxes there were.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise TargetError("a list of boxes has another length for each picture, so it cannot be traced")
    rows = []
    for picture in pictures:
        try:
            boxes, scores = (torch.as_tensor(picture[key], dtype=torch.float32) for key in ("boxes", "scores"))
            labels = torch.as_tensor(picture.get("labels", torch.zeros_like(scores)), dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:  # names as labels, None
            raise TargetError(
                f"boxes, scores and labels (the numbers of classes) of a picture are numbers: {one_line(error)}"
            ) from error
        if scores.ndim != 1 or labels.shape != scores.shape or boxes.numel() != 4 * len(scores):
            shapes = ", ".join(f"{list(part.shape)}" for part in (boxes, scores, labels))
            raise TargetError(f"boxes, scores and labels of a picture are [n, 4], [n] and [n], not {shapes}")
        rows.append(torch.cat([boxes.reshape(-1, 4), scores[:, None], labels[:, None].to(scores)], dim=1))
    return pad_sequence(rows, batch_first=True)


def one_tensor(result: object, name: str) -> Tensor:
    """Return the network's output, if it is a tensor or a list of boxes (`stacked_boxes`).

    Raises:
        TargetError: it is neither; the message says how to choose a tensor.
    """
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
