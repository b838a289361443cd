"""Networks that return several things: one entry of them is the output under audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from zoom_engine.errors import TargetError


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


def entries(result: Any) -> str:
    """What a network returned, in words."""
    if isinstance(result, Mapping):
        return f"a {type(result).__name__} with the entries {', '.join(str(key) for key in result)}"
    if isinstance(result, tuple | list):
        return f"a {type(result).__name__} of {len(result)}"
    return "one tensor" if isinstance(result, Tensor) else f"a {type(result).__name__}"


def one_tensor(result: Any, name: str) -> Tensor:
    """The network's output, if it is a tensor; else a `TargetError` that says how to choose one."""
    if isinstance(result, Tensor):
        return result
    how = (
        "choose one with output (--output)"
        if isinstance(result, Mapping | tuple)
        else "wrap it so that it returns one tensor"
    )
    raise TargetError(f"target {name!r} returns {entries(result)}, not a tensor: {how}")
