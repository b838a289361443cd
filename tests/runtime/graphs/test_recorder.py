"""What torch code does to a symbol, as a graph: against torch itself."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine.common.errors import ExportError
from zoom_engine.runtime.graphs.recorder import Recorder
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession

pytest.importorskip("onnxruntime")
WEIGHT = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))


def scaled(images: Tensor, rows: Tensor) -> Tensor:
    """Rows beside pictures: products with constants, a norm, halves and a largest entry."""
    first, second = torch.split(rows, [3, 4], dim=1)
    norm = (second.square() @ WEIGHT[:, :, 0, 0].square() + 1e-3).rsqrt() / first.abs().amax(1, keepdim=True)
    x = F.conv2d(images * (norm + first)[:, :, None, None], WEIGHT, padding=1)
    return F.leaky_relu(x * second[:, :, None, None], 0.2)[..., 1:5, 2:6].clamp(max=2.0).float()


def folded(images: Tensor, rows: Tensor) -> Tensor:
    """Whatever is made of constants alone."""
    taps = torch.outer(WEIGHT[0, 0, 0], WEIGHT[0, 0, 1]).expand(3, 1, 3, 3).exp()
    bias = (WEIGHT.sum((1, 2, 3))[:3].sin() + len(rows)).to(images)
    return F.conv_transpose2d(images + bias[:, None, None], taps, stride=2, padding=1, groups=3)


@pytest.mark.parametrize("function", [scaled, folded])
def test_the_graph_does_what_torch_does(function: object) -> None:
    assert callable(function)
    recorder = Recorder()
    like = function(recorder.symbol("images", 1, 3, 8, 8), recorder.rows("rows", 7))
    recorder.rename(like, "found")
    model = recorder.model(
        "tested",
        {"images": ["batch", 3, 8, 8], "rows": ["batch", 7]},
        {"found": ["batch", *like.shape[1:]]},
        metadata={},
        producer_version="0",
    )
    random = torch.Generator().manual_seed(1)
    feeds = {"images": torch.randn(5, 3, 8, 8, generator=random), "rows": torch.randn(5, 7, generator=random)}
    result = OnnxRuntimeSession(model.SerializeToString(), batched=True).run(feeds)["found"]
    # Of constants a symbol's batch is one: what is folded is the same for every image.
    wanted = torch.cat([function(*(v[row : row + 1] for v in feeds.values())) for row in range(5)])
    torch.testing.assert_close(result, wanted, rtol=1e-5, atol=1e-5)


def test_equal_constants_are_stored_once() -> None:
    recorder = Recorder()
    images = recorder.symbol("images", 1, 3, 8, 8)
    for _ in range(2):
        images = images + torch.ones(3, 1, 1)
    assert len(recorder.constants) == 1
    (images + torch.ones(3, 1, 1, dtype=torch.float64).float() * 2) * torch.ones(1, 3, 1, 1)
    assert len(recorder.constants) == 3


def test_what_no_operator_is_known_for_is_named() -> None:
    with pytest.raises(ExportError, match="no operators for torch's erfinv"):
        torch.erfinv(Recorder().symbol("images", 1, 3, 8, 8))


def test_names_are_of_the_module_that_this_thread_called() -> None:
    modules, recorder = nn.ModuleDict({"first": nn.Identity(), "second": nn.Identity()}), Recorder()
    with recorder.scopes(modules):
        modules["first"](WEIGHT)
        other = threading.Thread(target=modules["second"], args=(WEIGHT,))
        other.start()
        other.join()
        assert recorder.fresh("node") == "first.node"
