"""`_core.modulated_conv2d` and its gradients against a literal definition in float64, on every instruction set."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterator
from typing import Any

import literal_ops
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.ops import native

pytestmark = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
LIMITS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
GRADIENTS = ("x", "style", "scale", "rgb_weight")


def core() -> Any:
    return native.require()


@pytest.fixture(autouse=True)
def keep_isa() -> Iterator[None]:
    before = ops.isa()
    yield
    ops.select_isa(before)


def channels_last(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Not initialised but for NaN: what is not written shows."""
    return torch.full(shape, torch.nan, dtype=dtype).contiguous(memory_format=torch.channels_last)


class Layer:
    """One layer with random tensors, computed natively and literally."""

    def __init__(
        self,
        *,
        batch: int = 1,
        cin: int,
        cout: int,
        height: int,
        width: int,
        kernel: int = 3,
        up: bool = False,
        dtype: torch.dtype = torch.float32,
        without: tuple[str, ...] = (),
        clamp: float | None = 1.5,
        slope: float = 0.2,
        seed: int = 0,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator)

        self.up, self.kernel, self.dtype = up, kernel, dtype
        self.options: dict[str, Any] = {"slope": slope, "gain": 2**0.5, "clamp": clamp}
        self.out_shape = (batch, cout, height << up, width << up)
        self.rgb_shape = (batch, 3, *self.out_shape[2:])
        self.x = draw(batch, cin, height, width).to(dtype).contiguous(memory_format=torch.channels_last)
        self.weight = draw(cout, cin, kernel, kernel) / (cin * kernel**2) ** 0.5
        small = {
            "style": draw(batch, cin) + 1,
            "scale": draw(batch, cout).abs() + 0.2,
            "noise": 0.3 * draw(*self.out_shape[2:]),
            "bias": 0.3 * draw(cout),
            "rgb_weight": draw(batch, 3, cout) / cout**0.5,
        }
        self.small: dict[str, Tensor | None] = {k: None if k in without else v for k, v in small.items()}
        self.grad = draw(*self.out_shape).to(dtype).contiguous(memory_format=torch.channels_last)
        self.grad_rgb = draw(*self.rgb_shape) if self.small["rgb_weight"] is not None else None

    def pack(self) -> Any:
        return core().PackedWeight(weight=native.view(self.weight), up=self.up, storage=native.DTYPES[self.dtype])

    def views(self, *names: str) -> dict[str, Any]:
        return {name: self.view(self.small[name]) for name in names}

    @staticmethod
    def view(tensor: Tensor | None) -> Any:
        return None if tensor is None else native.view(tensor)

    def forward(self, packed: Any = None, *, threads: int = 2) -> dict[str, Tensor]:
        out = channels_last(self.out_shape, self.dtype)
        rgb = torch.full(self.rgb_shape, torch.nan) if self.small["rgb_weight"] is not None else None
        core().modulated_conv2d(
            x=native.view(self.x),
            weight=packed or self.pack(),
            **self.views("style", "scale", "noise", "bias", "rgb_weight"),
            out=native.view(out),
            rgb=self.view(rgb),
            **self.options,
            threads=threads,
        )
        return {"out": out} if rgb is None else {"out": out, "rgb": rgb}

    def backward(self, packed: Any = None, *, threads: int = 2) -> dict[str, Tensor]:
        packed = packed or self.pack()
        y = self.forward(packed)["out"]
        results = {"x": channels_last(tuple(self.x.shape), self.dtype)}
        for name in GRADIENTS[1:]:
            like = self.small[name]
            if like is not None:
                results[name] = torch.full_like(like, torch.nan)
        core().modulated_conv2d_backward(
            grad=native.view(self.grad),
            grad_rgb=self.view(self.grad_rgb),
            x=native.view(self.x),
            y=native.view(y),
            weight=packed,
            **self.views("style", "scale", "noise", "bias", "rgb_weight"),
            **{f"d{name}": self.view(results.get(name)) for name in GRADIENTS},
            **self.options,
            threads=threads,
        )
        return results

    def literal(self, y: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, float]]:
        """Results, gradients (of y and rgb) in float64, and how large each of the sums is without cancellation.

        The gradients are those of the linear piece that the stored ``y`` is on: it is an input of the backward pass,
        and next to a kink its rounding decides. A sum is rounded by the size of its terms: of pixels that are not
        clamped, the few of a layer with large sums, the values are small and the terms are not.
        """
        leaves = {"x": self.x.double().requires_grad_()}
        for name, value in self.small.items():
            if value is not None:
                leaves[name] = value.double().requires_grad_(name in GRADIENTS)
        x, weight = leaves["x"], self.weight.double()
        cout = self.out_shape[1]
        style = leaves["style"][:, :, None, None]
        scale = leaves["scale"]
        modulated = x * style
        modulated.retain_grad()
        if self.up:
            u = F.conv_transpose2d(modulated, weight.transpose(0, 1), stride=2)
            filtered = literal_ops.correlate(weight, 3, 3).transpose(0, 1)
            squares = F.conv_transpose2d(modulated.square(), filtered.square(), stride=2, padding=2)
        else:
            u = F.conv2d(modulated, weight, padding=self.kernel // 2)
            squares = F.conv2d(modulated.square(), weight.square(), padding=self.kernel // 2)
        linear: dict[str, Any] = {"slope": 1.0, "gain": 1.0, "clamp": None}
        scaled = literal_ops.modulated_epilogue(u, scale, None, torch.zeros(cout).double(), fir=self.up, **linear)
        spread = (squares.sqrt() * scale[:, :, None, None]).detach()
        v = scaled + leaves.get("noise", 0) + leaves.get("bias", torch.zeros(cout))[:, None, None]
        v.retain_grad()
        slope, gain, clamp = (self.options[name] for name in ("slope", "gain", "clamp"))
        value = F.leaky_relu(v.detach(), slope) * gain
        piece = gain * torch.where(y > 0, 1.0, slope).double()
        if clamp is not None:
            value = value.clamp(-clamp, clamp)
            piece = piece * (y.abs() < torch.tensor(clamp).to(y.dtype))
        out = value + (v - v.detach()) * piece
        loss = (out * self.grad.double()).sum()
        results = {"out": out}
        if self.grad_rgb is not None:
            results["rgb"] = torch.einsum("bkc,bchw->bkhw", leaves["rgb_weight"], out)
            loss = loss + (results["rgb"] * self.grad_rgb.double()).sum()
        loss.backward()
        gradients = {name: leaves[name].grad for name in GRADIENTS if name in leaves}
        # The gradient to the scale is taken from v, from which noise and bias are subtracted.
        terms = v.grad * torch.maximum(torch.maximum(v.abs(), scaled.abs()), spread) / scale[:, :, None, None]
        spread = (spread * piece).square()
        sizes = {"out": spread.sum().sqrt().item()}
        sizes |= {"style": (x * modulated.grad).norm().item(), "scale": terms.norm().item()}
        if self.grad_rgb is not None:
            sizes["rgb"] = torch.einsum("bkc,bchw->", leaves["rgb_weight"].square(), spread).sqrt().item()
            squares = self.grad_rgb.double().square().sum(dim=1) * out.square().sum(dim=1)
            sizes["rgb_weight"] = squares.sum().sqrt().item()
        return {k: v.detach() for k, v in results.items()}, {k: v for k, v in gradients.items() if v is not None}, sizes


def error(result: Tensor, expected: Tensor, size: float = 0.0) -> float:
    """Norm-wise error relative to what is expected, or to `size` where that is larger; 0 where all is clamped."""
    difference = float((result.double() - expected).norm())
    return difference and difference / max(float(expected.norm()), size)


def check(layer: Layer) -> None:
    packed = layer.pack()
    forward = layer.forward(packed)
    results, gradients, sizes = layer.literal(forward["out"])
    few = layer.weight.numel() < 64  # their rounding does not average out
    limit = LIMITS[layer.dtype] * (2 if few else 1)
    for name, value in forward.items():
        assert error(value, results[name], sizes.get(name, 0.0)) < limit, name
    for name, value in layer.backward(packed).items():
        assert error(value, gradients[name], sizes.get(name, 0.0)) < limit, f"d{name}"


isas = pytest.mark.parametrize("isa", ops.supported_isas())
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


@isas
@dtypes
@pytest.mark.parametrize(
    "shape",
    [
        {"batch": 16, "cin": 33, "cout": 70, "height": 4, "width": 4},
        {"batch": 3, "cin": 130, "cout": 64, "height": 7, "width": 13},
        {"cin": 512, "cout": 512, "height": 4, "width": 5},
        {"cin": 8, "cout": 40, "height": 70, "width": 131},
        {"cin": 1, "cout": 1, "height": 1, "width": 1},
        {"batch": 2, "cin": 3, "cout": 5, "height": 11, "width": 2},
        {"batch": 2, "cin": 48, "cout": 3, "height": 9, "width": 20, "kernel": 1},
    ],
    ids=["batch", "odd", "deep", "wide", "one", "few", "1x1"],
)
@pytest.mark.parametrize("up", [False, True], ids=["same", "up"])
def test_against_float64(isa: str, dtype: torch.dtype, shape: dict[str, Any], up: bool) -> None:
    if up and shape.get("kernel") == 1:
        pytest.skip("1x1 convolutions do not up-sample")
    ops.select_isa(isa)
    check(Layer(**shape, up=up, dtype=dtype))


@isas
@dtypes
@pytest.mark.parametrize("cin", [96, 112, 192])
def test_the_last_block_of_a_row_may_be_narrower(isa: str, dtype: torch.dtype, cin: int) -> None:
    """By a column: work space is that of the first, whose strips of so many channels have one row of squares less."""
    ops.select_isa(isa)
    check(Layer(batch=2, cin=cin, cout=40, height=9, width=69, up=True, dtype=dtype))


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """Any sizes whose literal definition takes well under a second."""
    channels = st.one_of(st.integers(1, 40), st.integers(1, 512))
    cin, cout = draw(channels), draw(channels)
    kernel, up = draw(st.sampled_from([(1, False), (3, False), (3, True)]))
    batch = draw(st.one_of(st.integers(1, 3), st.integers(1, 16)))
    pixels = max(1, int(4e7) // (9 * cin * cout * batch * (4 if up else 1)))
    height = draw(st.integers(1, min(40, pixels)))
    enough = -(-64 // (batch * min(cin, cout) * height))  # a norm over one value that happens to be small says nothing
    width = draw(st.integers(enough, max(enough, min(70, pixels // height))))
    names = ["noise", "bias", "rgb_weight"]
    return {
        "batch": batch,
        "cin": cin,
        "cout": cout,
        "height": height,
        "width": width,
        "kernel": kernel,
        "up": up,
        "dtype": draw(st.sampled_from([torch.float32, torch.bfloat16])),
        "without": tuple(draw(st.sets(st.sampled_from(names)))),
        "clamp": draw(st.sampled_from([None, 0.75])),
        "slope": draw(st.sampled_from([0.2, 1.0])),
        "seed": draw(st.integers(0, 1000)),
    }


MOSTLY_CLAMPED: dict[str, Any] = {"cin": 118, "cout": 1, "dtype": torch.bfloat16, "clamp": 0.75}


@given(isa=st.sampled_from(ops.supported_isas() or ["portable"]), layer=layers())
@example(isa=ops.supported_isas()[0], layer={**MOSTLY_CLAMPED, "height": 3, "width": 22, "kernel": 1})
@example(isa=ops.supported_isas()[0], layer={**MOSTLY_CLAMPED, "height": 12, "width": 14})
def test_random_layers(isa: str, layer: dict[str, Any]) -> None:
    ops.select_isa(isa)
    check(Layer(**layer))


def assert_same(results: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        assert torch.equal(results[name], value), name


@isas
@pytest.mark.parametrize("up", [False, True], ids=["same", "up"])
@pytest.mark.parametrize("batch", [1, 5])
def test_threads_do_not_change_a_bit(isa: str, up: bool, batch: int) -> None:
    ops.select_isa(isa)
    layer = Layer(batch=batch, cin=24, cout=40, height=33, width=40, up=up)
    packed = layer.pack()
    expected, gradients = layer.forward(packed, threads=1), layer.backward(packed, threads=1)
    for threads in (2, 5, 64):
        assert_same(layer.forward(packed, threads=threads), expected)
        assert_same(layer.backward(packed, threads=threads), gradients)


@isas
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (9, 5), (33, 40)])
@pytest.mark.parametrize("up", [False, True], ids=["same", "up"])
def test_a_picture_does_not_depend_on_its_batch(
    isa: str, up: bool, height: int, width: int, dtype: torch.dtype
) -> None:
    """Not by a bit, neither do its gradients: a search that follows them would go elsewhere beside other units."""
    ops.select_isa(isa)
    layer = Layer(batch=7, cin=40, cout=72, height=height, width=width, up=up, dtype=dtype)
    together = layer.forward() | {f"d{name}": value for name, value in layer.backward().items()}
    for rows in (slice(2, 3), slice(3, 7)):
        part = copy.copy(layer)
        part.x, part.grad = layer.x[rows], layer.grad[rows]
        part.grad_rgb = None if layer.grad_rgb is None else layer.grad_rgb[rows]
        part.small = {k: v if v is None or k in ("noise", "bias") else v[rows] for k, v in layer.small.items()}
        part.out_shape, part.rgb_shape = ((len(part.x), *shape[1:]) for shape in (layer.out_shape, layer.rgb_shape))
        alone = part.forward() | {f"d{name}": value for name, value in part.backward().items()}
        assert_same(alone, {name: value[rows] for name, value in together.items()})


def test_safe_from_many_threads() -> None:
    """The backward weights are packed by whoever comes first."""
    layer = Layer(batch=2, cin=64, cout=64, height=24, width=24)
    expected = layer.backward(threads=1)
    packed = layer.pack()
    wrong: list[str] = []

    def work() -> None:
        for _ in range(3):
            results = layer.backward(packed, threads=3)
            wrong.extend(name for name in expected if not torch.equal(results[name], expected[name]))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_safe_in_a_forked_child() -> None:
    layer = Layer(batch=2, cin=64, cout=64, height=24, width=24)
    packed = layer.pack()
    expected = layer.backward(packed)
    child = os.fork()
    if child == 0:
        results = layer.backward(packed)
        os._exit(0 if all(torch.equal(results[name], expected[name]) for name in expected) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert_same(layer.backward(packed), expected)


def test_packed_weights_know_their_instruction_set() -> None:
    if len(ops.supported_isas()) < 2:
        pytest.skip("only one instruction set here")
    ops.select_isa("portable")
    layer = Layer(cin=32, cout=48, height=8, width=8)
    packed = layer.pack()
    ops.select_isa("auto")
    with pytest.raises(ValueError, match=f"packed for portable, but {ops.isa()} is selected: pack it again"):
        layer.forward(packed)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"shape": (4, 3, 3)}, ValueError, "four axes"),
        ({"shape": (4, 3, 2, 2)}, ValueError, "3x3, or 1x1 without up"),
        ({"shape": (4, 3, 3, 1)}, ValueError, "3x3, or 1x1 without up"),
        ({"shape": (4, 3, 1, 1), "up": True}, ValueError, "3x3, or 1x1 without up"),
        ({"dtype": torch.bfloat16}, TypeError, "weight must be float32"),
        ({"storage": "float16"}, TypeError, "dtype must be"),
    ],
)
def test_bad_weights_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    weight = torch.ones(change.get("shape", (4, 3, 3, 3)), dtype=change.get("dtype", torch.float32))
    with pytest.raises(error, match=message):
        core().PackedWeight(
            weight=native.view(weight), up=change.get("up", False), storage=change.get("storage", "float32")
        )


class Call:
    """The arguments of good calls, to be spoilt one by one."""

    def __init__(self) -> None:
        nhwc = torch.channels_last
        self.both: dict[str, Any] = {
            "x": torch.ones(2, 3, 5, 6).contiguous(memory_format=nhwc),
            "weight": core().PackedWeight(weight=native.view(torch.ones(4, 3, 3, 3)), up=False, storage="float32"),
            "style": torch.ones(2, 3),
            "scale": torch.ones(2, 4),
            "noise": torch.ones(5, 6),
            "bias": torch.ones(4),
            "rgb_weight": torch.ones(2, 3, 4),
            "slope": 0.2,
            "gain": 1.0,
            "clamp": 2.0,
            "threads": 1,
        }
        image = torch.ones(2, 4, 5, 6).contiguous(memory_format=nhwc)
        rgb = torch.ones(2, 3, 5, 6)
        self.forward = {"out": image.clone(), "rgb": rgb.clone()}
        self.backward = {
            "grad": image.clone(),
            "grad_rgb": rgb.clone(),
            "y": image.clone(),
            "dx": self.both["x"].clone(),
            "dstyle": torch.ones(2, 3),
            "dscale": torch.ones(2, 4),
            "drgb_weight": torch.ones(2, 3, 4),
        }

    def run(self, name: str, change: dict[str, Any]) -> None:
        merged = {**self.both, **getattr(self, name), **change}
        views = {k: native.view(v) if isinstance(v, Tensor) else v for k, v in merged.items()}
        {"forward": core().modulated_conv2d, "backward": core().modulated_conv2d_backward}[name](**views)


@pytest.mark.parametrize("name", ["forward", "backward"])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": torch.ones(2, 3, 5, 6)}, ValueError, "x must be channels-last"),
        ({"x": torch.ones(3, 5, 6)}, ValueError, "x must have four axes"),
        ({"x": torch.ones(2, 4, 5, 6)}, ValueError, "x has the wrong shape"),
        ({"x": torch.ones(2, 5, 6, 3).bfloat16().permute(0, 3, 1, 2)}, TypeError, "x has another dtype than"),
        ({"style": torch.ones(2, 4)}, ValueError, "style has the wrong shape"),
        ({"scale": torch.ones(4, 2).t()}, ValueError, "scale must be contiguous"),
        ({"noise": torch.ones(6, 5)}, ValueError, "noise has the wrong shape"),
        ({"bias": torch.ones(4).bfloat16()}, TypeError, "bias must be float32"),
        ({"rgb_weight": torch.ones(2, 4)}, ValueError, "rgb_weight has the wrong shape"),
        ({"rgb_weight": None}, ValueError, "rgb needs rgb_weight"),
        ({"clamp": 0.0}, ValueError, "clamp must be positive"),
        ({"threads": 0}, ValueError, "threads must be"),
        ({"weight": None}, TypeError, "incompatible"),
    ],
)
def test_bad_calls_are_refused(name: str, change: dict[str, Any], error: type[Exception], message: str) -> None:
    call = Call()
    call.run(name, {})
    with pytest.raises(error, match=message):
        call.run(name, change)


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("forward", {"out": torch.ones(2, 4, 5, 6)}, ValueError, "out must be channels-last"),
        ("forward", {"out": None, "rgb": None}, ValueError, "one of out and rgb"),
        ("forward", {"rgb": torch.ones(2, 5, 6, 3).permute(0, 3, 1, 2)}, ValueError, "rgb must be contiguous"),
        ("backward", {"y": torch.ones(2, 4, 6, 5)}, ValueError, "y has the wrong shape"),
        ("backward", {"grad": None, "grad_rgb": None}, ValueError, "one of grad and grad_rgb"),
        ("backward", {"grad_rgb": None}, ValueError, "drgb_weight needs grad_rgb"),
        ("backward", {"dstyle": torch.ones(2, 4)}, ValueError, "dstyle has the wrong shape"),
        ("backward", {"slope": 0.0}, ValueError, "slope and gain must be positive"),
    ],
)
def test_bad_results_are_refused(name: str, change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Call().run(name, change)


def test_results_that_share_memory_are_refused() -> None:
    call = Call()
    memory = torch.ones(2, 5, 6, 5)
    out = memory.flatten()[:240].view(2, 5, 6, 4).permute(0, 3, 1, 2)
    inside = memory.flatten()[100:280].view(2, 5, 6, 3).permute(0, 3, 1, 2)
    with pytest.raises(ValueError, match="out shares memory with x"):
        call.run("forward", {"x": inside, "out": out})
    with pytest.raises(ValueError, match="dx shares memory with y"):
        call.run("backward", {"dx": inside, "y": out})
    with pytest.raises(ValueError, match="rgb shares memory with out"):
        call.run("forward", {"out": out, "rgb": memory.flatten()[-180:].view(2, 3, 5, 6)})


@isas
@dtypes
@pytest.mark.parametrize("up", [False, True], ids=["same", "up"])
def test_reads_and_writes_nothing_else(isa: str, dtype: torch.dtype, up: bool) -> None:
    """Inputs lie among NaN, results among poison."""
    ops.select_isa(isa)
    margin, poison = 64, 12345.0

    def guarded(tensor: Tensor, around: float) -> tuple[Tensor, Tensor]:
        memory = torch.full((tensor.numel() + 2 * margin,), around, dtype=tensor.dtype)
        inner = torch.as_strided(memory, tensor.shape, tensor.stride(), margin)
        return inner.copy_(tensor), memory

    layer = Layer(batch=2, cin=19, cout=37, height=6, width=9, up=up, dtype=dtype)
    packed = layer.pack()
    expected, gradients = layer.forward(packed), layer.backward(packed)
    layer.x, _ = guarded(layer.x, torch.nan)
    layer.grad, _ = guarded(layer.grad, torch.nan)
    layer.small = {k: v if v is None else guarded(v, torch.nan)[0] for k, v in layer.small.items()}
    assert_same(layer.forward(packed), expected)
    assert_same(layer.backward(packed), gradients)

    memories = {name: guarded(value, poison) for name, value in {**expected, **gradients}.items()}
    inner = {name: native.view(value) for name, (value, _) in memories.items()}
    core().modulated_conv2d(
        x=native.view(layer.x),
        weight=packed,
        **layer.views("style", "scale", "noise", "bias", "rgb_weight"),
        out=inner["out"],
        rgb=inner["rgb"],
        **layer.options,
        threads=2,
    )
    y = layer.forward(packed)["out"]
    core().modulated_conv2d_backward(
        grad=native.view(layer.grad),
        grad_rgb=layer.view(layer.grad_rgb),
        x=native.view(layer.x),
        y=native.view(y),
        weight=packed,
        **layer.views("style", "scale", "noise", "bias", "rgb_weight"),
        **{f"d{name}": inner[name] for name in GRADIENTS},
        **layer.options,
        threads=2,
    )
    for name, (_, memory) in memories.items():
        edges = torch.cat([memory[:margin], memory[-margin:]])
        assert torch.equal(edges, torch.full_like(edges, poison)), name
