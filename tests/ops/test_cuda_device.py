"""What only a device can show: streams, graphs, several devices, and that nothing waits for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoom_engine.ops import cuda

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.fixture(autouse=True)
def kernels() -> None:
    """The kernels can run here."""
    if reason := cuda.unusable(torch.cuda.current_device()):
        pytest.skip(reason)


def tensors() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, scale, noise, bias of a filtered epilogue, and the gradient of its output."""
    torch.manual_seed(0)
    x, grad = (torch.randn(2, 16, size, size, device="cuda") for size in (33, 32))
    scale, noise, bias = (torch.randn(shape, device="cuda") for shape in ((2, 16), (32, 32), (16,)))
    last = torch.channels_last
    return x.contiguous(memory_format=last), scale, noise, bias, grad.contiguous(memory_format=last)


def step(x: Tensor, scale: Tensor, noise: Tensor, bias: Tensor, grad: Tensor) -> list[Tensor]:
    """Every kernel that a layer and the skip path use, forward and backward."""
    modulated, style = cuda.modulate(x, scale, scale[:, :4], bias.expand(4, -1))
    options = {"fir": True, "slope": 0.2, "gain": 1.0, "clamp": 256.0}
    y = cuda.modulated_epilogue(modulated, scale, noise, bias, **options)  # type: ignore[arg-type]
    gradients = cuda.modulated_epilogue_backward(grad, modulated, scale, noise, bias, **options)  # type: ignore[arg-type]
    dx, dstyle = cuda.modulate_backward(gradients[0], x, style)
    return [y, *gradients, dx, dstyle, cuda.upsample2x(y, cuda.upsample2x(y)), cuda.upsample2x_backward(y)]


def test_captured_by_a_graph() -> None:
    inputs = tensors()
    expected = step(*inputs)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step(*inputs)
    for tensor in captured:
        tensor.fill_(torch.nan)
    graph.replay()
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(captured, expected, strict=True))


def test_on_another_stream() -> None:
    """The kernels wait for what is queued before them on the current stream, and only there."""
    inputs = tensors()
    expected = step(*inputs)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        late = [torch.full_like(tensor, torch.nan) for tensor in inputs]
        torch.cuda._sleep(50_000_000)
        for tensor, value in zip(late, inputs, strict=True):
            tensor.copy_(value)
        results = step(*late)
    stream.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(results, expected, strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
def test_on_another_device() -> None:
    inputs = tensors()
    expected = step(*inputs)
    results = step(*(tensor.to("cuda:1") for tensor in inputs))
    assert torch.cuda.current_device() == 0
    assert all(torch.equal(a.to("cuda:0"), b) for a, b in zip(results, expected, strict=True))


def test_no_call_waits_for_the_device() -> None:
    inputs = tensors()
    step(*inputs)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(*inputs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
