"""Sessions of runtimes under threads and in forked children, whatever they compile."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from children import in_child
from onnx import TensorProto, helper

from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.session import Session

pytestmark = [pytest.mark.forks, pytest.mark.usefixtures("two_torch_threads")]

OPENS: list[Callable[[bytes], Session]] = [
    lambda model: OpenVinoSession(model, threads=2),
    lambda model: OnnxRuntimeSession(model, threads=2),
]
NAMES = ["openvino", "onnxruntime"]


def convolution() -> bytes:
    weight = onnx.numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32), "w")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", c, 16, 16]) for n, c in (("x", 3), ("y", 8))]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], "g", ends[:1], ends[1:], [weight]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()  # type: ignore[no-any-return]


def computed_sizes(shape: list[int | str] | None) -> bytes:
    """Codes of 48 numbers are pictures of 4 × 4, which the graph computes; `shape` is what it says of them."""
    nodes = [
        helper.make_node("Shape", ["x"], ["b"], start=0, end=1),
        helper.make_node("Shape", ["x"], ["size"], start=1, end=2),
        helper.make_node("Cast", ["size"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["number", "three"], ["square"]),
        helper.make_node("Sqrt", ["square"], ["root"]),
        helper.make_node("Cast", ["root"], ["side"], to=TensorProto.INT64),
        helper.make_node("Concat", ["b", "colours", "side", "side"], ["sides"], axis=0),
        helper.make_node("Reshape", ["x", "sides"], ["y"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([3], np.float32), "three"),
        onnx.numpy_helper.from_array(np.array([3], np.int64), "colours"),
    ]
    codes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 48])
    pictures = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [codes], [pictures], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()  # type: ignore[no-any-return]


@pytest.mark.parametrize("opens", OPENS, ids=NAMES)
@pytest.mark.parametrize("shape", [["b", 3, "height", "width"], None], ids=["open", "unsaid"])
def test_pictures_may_have_sizes_that_the_graph_computes(
    opens: Callable[[bytes], Session], shape: list[int | str] | None
) -> None:
    """The runtime of a decoder's file knows them no sooner than it has drawn: an audit ended in an internal error."""
    codes = torch.randn(5, 48, generator=torch.Generator().manual_seed(0))
    assert torch.equal(opens(computed_sizes(shape)).run({"x": codes})["y"], codes.view(5, 3, 4, 4))


@pytest.mark.parametrize("opens", OPENS, ids=NAMES)
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_an_output_may_be_cast_at_last_whatever_to(opens: Callable[[bytes], Session], kind: int) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["before"]), helper.make_node("Cast", ["before"], ["y"], to=kind)]
    ends = [helper.make_tensor_value_info(n, k, ["b", 5]) for n, k in (("x", TensorProto.FLOAT), ("y", kind))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = torch.arange(-5.0, 10).view(3, 5)
    result = opens(model.SerializeToString()).run({"x": given})["y"]
    assert result.dtype == torch.float32
    assert torch.equal(result, given.relu())


def rows(seed: int, count: int = 7) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


class Slow:
    """A request that computes for long, and refuses another batch meanwhile, as OpenVINO's do."""

    def __init__(self, request: Any) -> None:
        self.request, self.busy = request, False

    def start_async(self, inputs: Any) -> None:
        if self.busy:
            raise RuntimeError("Infer Request is busy")
        self.busy = True
        self.request.start_async(inputs)

    def wait(self) -> None:
        time.sleep(0.01)
        self.request.wait()
        self.busy = False

    def get_tensor(self, name: str) -> Any:
        time.sleep(0.01)  # another batch would be there by now
        return self.request.get_tensor(name)


class WithSlowRequests(OpenVinoSession):
    def _free_requests(self, streams: int, images: int) -> list[Any]:
        results = super()._free_requests(streams, images)
        results[:] = [request if isinstance(request, Slow) else Slow(request) for request in results]
        return results


def test_threads_that_share_a_session_get_each_its_own_answers() -> None:
    pytest.importorskip("openvino")
    session = WithSlowRequests(convolution(), threads=2)
    wanted = [session.run({"x": rows(seed)})["y"] for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: session.run({"x": rows(seed)})["y"], range(4)))
    assert all(torch.equal(*pair) for pair in zip(results, wanted, strict=True))


@pytest.mark.parametrize("opens", OPENS, ids=NAMES)
@pytest.mark.parametrize("count", [1, 7])
def test_a_session_answers_in_a_forked_child_as_in_its_parent(opens: Callable[[bytes], Session], count: int) -> None:
    session = opens(convolution())
    wanted = session.run({"x": rows(0, count)})["y"]

    def same() -> bool:
        return torch.equal(session.run({"x": rows(0, count)})["y"], wanted)

    assert in_child(same, seconds=30) is True
    assert same()


def test_a_child_lets_go_of_a_session_of_its_parents_without_waiting() -> None:
    pytest.importorskip("openvino")
    sessions = [OpenVinoSession(convolution(), threads=2)]
    sessions[0].run({"x": rows(0)})

    def let_go() -> str:
        sessions.clear()
        return "gone"

    assert in_child(let_go, seconds=30) == "gone"
