"""Several pictures at once, a thread to each: no result knows of another's."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn

from zoom_engine.evaluation.side_by_side import side_by_side
from zoom_engine.runtime import lowered_layers
from zoom_engine.runtime.lowered_networks import LoweredNetwork

pytestmark = pytest.mark.usefixtures("two_torch_threads")


def test_results_are_in_order_and_each_is_computed_on_one_thread() -> None:
    both = threading.Barrier(2, timeout=30)

    def work(part: int) -> tuple[int, int, str]:
        both.wait()  # nobody passes alone
        return part, torch.get_num_threads(), threading.current_thread().name

    results = side_by_side(work, range(6))
    assert [(part, threads) for part, threads, _ in results] == [(part, 1) for part in range(6)]
    assert len({name for *_, name in results}) == 2
    assert torch.get_num_threads() == 2
    assert side_by_side(work, []) == []


def test_what_work_raises_is_raised() -> None:
    def work(part: int) -> int:
        if part == 2:
            raise ValueError("of the third")
        return part

    with pytest.raises(ValueError, match="of the third"):
        side_by_side(work, range(4))


class Keeps(nn.Module):
    """A network that keeps what it saw between two layers, as those with hooks do."""

    def __init__(self, both: threading.Barrier) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.both = [both]

    def __deepcopy__(self, memo: dict[int, object]) -> Keeps:
        copied = Keeps(self.both[0])
        copied.weight = memo.get(id(self.weight), nn.Parameter(self.weight.detach().clone()))
        return copied

    def forward(self, x: Tensor) -> Tensor:
        self.last = x
        self.both[0].wait()
        return self.last * self.weight


def test_threads_do_not_share_what_a_network_keeps_but_its_weights() -> None:
    network = LoweredNetwork(Keeps(threading.Barrier(2, timeout=30)))
    pictures = torch.arange(8.0).view(8, 1, 1, 1)
    seen = side_by_side(lambda row: network(pictures[row : row + 1]), range(8))
    assert torch.equal(torch.cat(seen), pictures)
    with torch.no_grad():
        network.network.weight.fill_(2)
    again = side_by_side(lambda row: network(pictures[row : row + 1]), range(8))
    assert torch.equal(torch.cat(again), 2 * pictures)


def test_threads_pack_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[Tensor] = []

    def pack(weight: Tensor) -> Tensor:
        packed.append(weight)
        return weight

    monkeypatch.setattr(lowered_layers, "_packs", lambda: True)
    monkeypatch.setattr(lowered_layers, "_pack", pack)
    monkeypatch.setattr(lowered_layers, "_product", lambda rows, weight, bias: rows @ weight.t())
    network = LoweredNetwork(nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False)))
    pictures = torch.arange(12.0).view(4, 3, 1, 1)
    alone = network(pictures)
    assert torch.equal(torch.cat(side_by_side(lambda row: network(pictures[row : row + 1]), range(4))), alone)
    assert len(packed) == 2  # for the way there and the way back
