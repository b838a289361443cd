"""A whole layer as one operator against its literal definition in float64, on every instruction set of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import literal_ops
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine import ops
from zoom_engine.common.errors import BackendError
from zoom_engine.ops import composition

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
# How far from the bend of the leaky ReLU, or from the clamp, rounding may take a value to the other side.
KINK = {torch.float32: 1e-3, torch.bfloat16: 0.2}


@dataclass(frozen=True)
class Case:
    """A problem; tensors are drawn from `seed`. `edits` is N, None for a layer without edits."""

    batch: int = 2
    cin: int = 5
    cout: int = 6
    height: int = 4
    width: int = 7
    kernel: int = 3
    up: bool = False
    edits: int | None = 3
    with_noise: bool = True
    with_bias: bool = True
    with_rgb: bool = True
    clamp: float | None = 1.5
    dtype: torch.dtype = torch.float32
    seed: int = 0

    def operands(self) -> dict[str, Any]:
        """The tensors and options of `modulated_conv2d`; images and weights hold values of the case's dtype."""
        random = torch.Generator().manual_seed(self.seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=random)

        factor = 2 if self.up else 1
        x = draw(self.batch, self.cin, self.height, self.width)
        weight = draw(self.cout, self.cin, self.kernel, self.kernel) / (self.cin * self.kernel**2) ** 0.5
        return {
            "x": x.to(self.dtype).contiguous(memory_format=torch.channels_last),
            "weight": weight.to(self.dtype).float(),
            "styles": draw(self.batch, self.cin) + 1,
            "edit_weights": None if self.edits is None else draw(self.batch, self.edits),
            "edit_directions": None if self.edits is None else draw(self.edits, self.cin) / 6,
            "noise": draw(factor * self.height, factor * self.width) / 2 if self.with_noise else None,
            "bias": draw(self.cout) if self.with_bias else None,
            "up": self.up,
            "clamp": self.clamp,
            "rgb_weight": draw(3, self.cout) if self.with_rgb else None,
            "rgb_styles": draw(self.batch, self.cout) if self.with_rgb else None,
            "rgb_edit_directions": draw(self.edits, self.cout) / 6 if self.edits and self.with_rgb else None,
        }

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Of `out` in the case's dtype and of `rgb`."""
        random = torch.Generator().manual_seed(self.seed + 1)
        factor = 2 if self.up else 1
        size = (factor * self.height, factor * self.width)
        grad = torch.randn((self.batch, self.cout, *size), generator=random)
        grad_rgb = torch.randn((self.batch, 3 if self.with_rgb else 0, *size), generator=random)
        return grad.to(self.dtype).contiguous(memory_format=torch.channels_last), grad_rgb


LEAVES = ("x", "styles", "edit_weights", "rgb_styles")


def leaves_of(operands: dict[str, Any]) -> dict[str, Tensor]:
    """What gradients go to; from now on they do."""
    return {name: operands[name].requires_grad_() for name in LEAVES if operands.get(name) is not None}


def doubled(operands: dict[str, Any]) -> dict[str, Any]:
    return {k: v.detach().double() if isinstance(v, Tensor) else v for k, v in operands.items()}


@dataclass
class Truth:
    """The literal definition's answer in float64; `sizes` by which errors of gradients are measured, where larger."""

    out: Tensor
    rgb: Tensor
    gradients: dict[str, Tensor]
    sizes: dict[str, float]


def truth(case: Case, activations: Tensor) -> Truth:
    """The definition's outputs, and its gradients on the sides of bend and clamp that `activations` chose.

    At the bend of the leaky ReLU and at the clamp the gradient jumps: there either side is right, but nowhere else,
    which is asserted. `activations` are the outputs.
    """
    operands = doubled(case.operands())
    leaves = leaves_of(operands)
    grad, grad_rgb = (g.double() for g in case.gradients())
    clamp, gain, slope = case.clamp, 2**0.5, 0.2
    with torch.no_grad():
        out, rgb = literal_ops.modulated_conv2d(**operands)
    linear = {**operands, "clamp": None, "rgb_weight": None, "rgb_styles": None}
    v, _ = literal_ops.modulated_conv2d(**linear, slope=1.0, gain=1.0)
    chosen = activations.detach().double()
    margin = KINK[case.dtype]
    assert (v.abs()[(chosen > 0) != (v > 0)] < margin).all()
    y = v * torch.where(chosen > 0, gain, gain * slope)
    if clamp is not None:
        limit = torch.tensor(clamp, dtype=case.dtype).double()
        cut = chosen.abs() >= limit
        assert ((y.abs() - clamp).abs()[cut != (y.abs() >= clamp)] < margin).all()
        y = torch.where(cut, clamp * y.sign(), y)
    total = (y * grad).sum()
    if case.with_rgb:
        rgb_styles = operands["rgb_styles"]
        if case.edits:
            rgb_styles = rgb_styles + operands["edit_weights"] @ operands["rgb_edit_directions"]
        mixed = torch.einsum("kc,bc,bchw->bkhw", operands["rgb_weight"], rgb_styles, y)
        total = total + (mixed * grad_rgb).sum()
    dv, *gradients = torch.autograd.grad(total, [v, *leaves.values()])
    result = dict(zip(leaves, gradients, strict=True))
    return Truth(out, rgb, result, sizes_of(case, operands, result["x"], y, v * dv))


def sizes_of(case: Case, operands: dict[str, Any], dx: Tensor, y: Tensor, vdv: Tensor) -> dict[str, float]:
    """The norm that each reduced gradient has if the signs of its terms are random; at times they cancel more.

    Demodulation takes from the gradient to a style what goes along it: with one channel that is all of it. What it
    takes is computed from the stored output, in which noise and bias may be much larger than the convolution: `vdv`
    is the activation's argument times the gradient there.
    """
    edits, directions = operands["edit_weights"], operands["edit_directions"]
    styles = operands["styles"] if edits is None else operands["styles"] + edits @ directions
    grad_rgb = case.gradients()[1].double()
    sizes = {"styles": (operands["x"] * dx / styles[:, :, None, None]).norm().item()}
    energy = operands["weight"].square().sum(dim=(2, 3))
    taken = vdv.square().sum(dim=(2, 3)).sqrt() / (styles.square() @ energy.t())
    sizes["styles"] += torch.einsum("bi,bo,oi->boi", styles, taken, energy).norm().item()
    if case.edits:
        sizes["edit_weights"] = sizes["styles"] * directions.norm().item() / case.cin**0.5
    if case.with_rgb:
        sizes["rgb_styles"] = (torch.einsum("kc,bkhw->bchw", operands["rgb_weight"], grad_rgb) * y).norm().item()
    return sizes


def error(result: Tensor, expected: Tensor, size: float = 0.0) -> float:
    """Norm-wise error relative to what is expected, or to `size` where that is larger."""
    return ((result.double() - expected).norm() / max(expected.norm().item(), size, 1e-30)).item()


def cancelled(operands: dict[str, Any]) -> float:
    """How much larger the terms of the edited styles are than their sum: by as much their roundings weigh more."""
    if operands["edit_weights"] is None:
        return 1.0
    styles, edits, directions = (operands[name].detach() for name in ("styles", "edit_weights", "edit_directions"))
    terms = styles.abs() + edits.abs() @ directions.abs()
    return (terms.norm() / (styles + edits @ directions).norm()).item()


def check(case: Case) -> None:
    operands = case.operands()
    leaves = leaves_of(operands)
    out, rgb = ops.modulated_conv2d(**operands)
    grad, grad_rgb = case.gradients()
    gradients = torch.autograd.grad((out, rgb), list(leaves.values()), (grad, grad_rgb))
    with torch.no_grad():
        activations, _ = ops.modulated_conv2d(**operands)
        if case.with_rgb:
            no_out, same_rgb = ops.modulated_conv2d(**operands, rgb_only=True)
            assert no_out.shape[1] == 0
            assert torch.equal(same_rgb, rgb)
    expected = truth(case, activations)
    tolerance = TOLERANCE[case.dtype] + torch.finfo(torch.float32).eps * cancelled(operands)
    assert error(out, expected.out) < tolerance
    assert error(rgb, expected.rgb) < tolerance
    for (name, leaf), result in zip(leaves.items(), gradients, strict=True):
        assert error(result, expected.gradients[name], expected.sizes.get(name, 0.0)) < tolerance, name
        assert result.dtype == leaf.dtype
    assert out.dtype == case.dtype
    assert rgb.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any sizes whose literal definition takes well under a second."""
    channels = st.one_of(st.integers(1, 40), st.integers(1, 512))
    cin, cout = draw(channels), draw(channels)
    up = draw(st.booleans())
    batch = draw(st.one_of(st.integers(1, 3), st.integers(1, 16)))
    pixels = max(1, int(4e7) // (9 * cin * cout * batch * (4 if up else 1)))
    height = draw(st.integers(1, min(40, pixels)))
    enough = -(-64 // (batch * min(cin, cout) * height))  # a norm over one value that happens to be small says nothing
    width = draw(st.integers(enough, max(enough, min(70, pixels // height))))
    return Case(
        batch=batch,
        cin=cin,
        cout=cout,
        height=height,
        width=width,
        kernel=3 if up else draw(st.sampled_from([1, 3])),
        up=up,
        edits=draw(st.one_of(st.none(), st.integers(1, 32))),
        with_noise=draw(st.booleans()),
        with_bias=draw(st.booleans()),
        with_rgb=draw(st.booleans()),
        clamp=draw(st.sampled_from([None, 0.7, 256.0])),
        dtype=draw(st.sampled_from([torch.float32, torch.bfloat16])),
        seed=draw(st.integers(0, 1000)),
    )


@pytest.mark.usefixtures("isa")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cases())
def test_agrees_with_the_definition(case: Case) -> None:
    check(case)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("batch", "cin", "cout", "size", "up"),
    [(1, 512, 512, 4, False), (3, 512, 512, 4, True), (1, 64, 32, 40, True), (2, 32, 32, 65, False)],
)
def test_layers_of_real_networks(batch: int, cin: int, cout: int, size: int, up: bool, dtype: torch.dtype) -> None:
    check(Case(batch=batch, cin=cin, cout=cout, height=size, width=size, up=up, dtype=dtype, clamp=256.0))


@pytest.mark.ci
@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("size", "up"), [(384, False), (192, True)])
def test_results_that_are_written_past_the_caches(size: int, up: bool) -> None:
    """From 8 MB on, which the small ones above never have."""
    check(Case(batch=1, cin=32, cout=32, height=size, width=size, up=up, dtype=torch.bfloat16, with_rgb=True))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("clamp", [None, 1.0])
def test_float64_agrees_with_the_definition(up: bool, clamp: float | None) -> None:
    """The composition of torch's operators and its backward, which run where the native ones cannot."""
    case = Case(up=up, clamp=clamp, dtype=torch.float64, height=5)
    operands = doubled(case.operands())
    leaves = leaves_of(operands)
    grad, grad_rgb = (g.double() for g in case.gradients())
    results = []
    for function in (literal_ops.modulated_conv2d, ops.modulated_conv2d):
        out, rgb = function(**operands)
        results.append([out, rgb, *torch.autograd.grad((out, rgb), list(leaves.values()), (grad, grad_rgb))])
    assert all(error(a, b) < 1e-12 for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_composition_agrees_with_the_definition(dtype: torch.dtype, up: bool) -> None:
    """Without bends and clamp, at which each step's rounding may decide."""
    case = Case(cin=33, cout=20, height=9, width=11, up=up, clamp=None, edits=None, dtype=dtype)
    operands = {k: v for k, v in case.operands().items() if "edit" not in k} | {"slope": 1.0}
    if dtype == torch.float64:
        operands = doubled(operands)
    wide = doubled(operands)
    grads = case.gradients()
    leaves, wide_leaves = leaves_of(operands), leaves_of(wide)
    outputs = composition.modulated_conv2d(**operands)
    true = literal_ops.modulated_conv2d(**wide)
    results = [*outputs, *torch.autograd.grad(outputs, list(leaves.values()), grads)]
    wanted = [*true, *torch.autograd.grad(true, list(wide_leaves.values()), [g.double() for g in grads])]
    tolerance = 1e-12 if dtype == torch.float64 else 2 * TOLERANCE[dtype]
    assert all(error(a, b) < tolerance for a, b in zip(results, wanted, strict=True))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("clamp", [None, 1.0])
def test_gradcheck(up: bool, clamp: float | None) -> None:
    case = Case(cin=2, cout=3, height=2, width=3, up=up, clamp=clamp)
    operands = doubled(case.operands())
    leaves = leaves_of(operands)
    for function in (literal_ops.modulated_conv2d, ops.modulated_conv2d):
        assert torch.autograd.gradcheck(
            lambda *tensors, f=function: f(**{**operands, **dict(zip(leaves, tensors, strict=True))}),
            tuple(leaves.values()),
        )


ORDER = (
    "x", "weight", "styles", "edit_weights", "edit_directions", "noise", "bias", "up", "slope", "gain", "clamp",
    "rgb_weight", "rgb_styles", "rgb_edit_directions", "rgb_only",
)  # fmt: skip


def positional(operands: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of the torch operator in the order of its schema."""
    return tuple({"slope": 0.2, "gain": 2**0.5, "rgb_only": False, **operands}[name] for name in ORDER)


@pytest.mark.ci
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("full", [True, False])
def test_opcheck(full: bool, dtype: torch.dtype) -> None:
    case = Case(up=full, edits=3 if full else None, with_noise=full, with_rgb=full, dtype=dtype)
    operators = torch.ops.zoom_engine
    grad, grad_rgb = case.gradients()
    arguments = positional(case.operands())
    y = torch.randn(grad.shape).to(dtype).contiguous(memory_format=torch.channels_last)
    torch.library.opcheck(
        operators.modulated_conv2d_backward.default, (grad, grad_rgb if full else None, y, *arguments)
    )
    if full:
        torch.library.opcheck(operators.modulated_conv2d.default, (*arguments[:-1], True))
    operands = case.operands()
    leaves_of(operands)
    torch.library.opcheck(operators.modulated_conv2d.default, positional(operands))


def test_one_gradient_of_two_is_enough() -> None:
    """A layer whose output nobody reads, or whose picture nobody reads."""
    case = Case(up=True)
    operands = case.operands()
    leaves = leaves_of(operands)
    grad, grad_rgb = case.gradients()
    out, rgb = ops.modulated_conv2d(**operands)
    names = [name for name in leaves if name != "rgb_styles"]
    targets = [leaves[name] for name in names]
    of_out = torch.autograd.grad(out, targets, grad, retain_graph=True)
    of_rgb = torch.autograd.grad(rgb, targets, grad_rgb, retain_graph=True)
    of_both = torch.autograd.grad((out, rgb), targets, (grad, grad_rgb), retain_graph=True)
    for a, b, both in zip(of_out, of_rgb, of_both, strict=True):
        assert error(a + b, both.double()) < 1e-5
    assert torch.autograd.grad(out, leaves["rgb_styles"], grad, allow_unused=True)[0] is None


def test_weights_noise_and_bias_get_gradients_from_the_composition() -> None:
    """As training needs; the operator itself has none, and says so instead of returning zeros. So for directions."""
    case = Case(up=True)
    operands = case.operands()
    names = (*LEAVES, "weight", "edit_directions", "noise", "bias", "rgb_weight", "rgb_edit_directions")
    targets = [operands[name].requires_grad_() for name in names]
    grads = case.gradients()
    results = torch.autograd.grad(ops.modulated_conv2d(**operands), targets, grads)
    wide = doubled(operands)
    leaves = [wide[name].requires_grad_() for name in names]
    wanted = torch.autograd.grad(literal_ops.modulated_conv2d(**wide), leaves, [g.double() for g in grads])
    assert all(error(a, b) < 1e-4 for a, b in zip(results, wanted, strict=True))
    out, _ = torch.ops.zoom_engine.modulated_conv2d(*positional(operands))
    with pytest.raises(BackendError, match="no gradients to weights"):
        out.sum().backward()


def test_a_gradient_of_the_gradient_is_refused() -> None:
    operands = Case().operands()
    leaves = leaves_of(operands)
    (first,) = torch.autograd.grad(ops.modulated_conv2d(**operands)[0].sum(), leaves["x"], create_graph=True)
    with pytest.raises(RuntimeError, match="modulated_conv2d_backward has no gradients"):
        first.sum().backward()


def test_only_input_and_output_are_kept_for_the_backward() -> None:
    case = Case(cin=64, cout=48, height=16, width=16, up=True)
    operands = case.operands()
    leaves_of(operands)
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out, rgb = ops.modulated_conv2d(**operands)
    small = sum(v.numel() for k, v in operands.items() if isinstance(v, Tensor) and k != "x")
    assert sum(saved.values()) <= operands["x"].numel() + out.numel() + small
    assert rgb.data_ptr() not in saved


def test_rgb_only_is_kept_whole_where_gradients_need_it() -> None:
    case = Case()
    operands = case.operands()
    operands["styles"].requires_grad_()
    _, rgb = ops.modulated_conv2d(**operands, rgb_only=True)
    (result,) = torch.autograd.grad(rgb.sum(), operands["styles"])
    (wanted,) = torch.autograd.grad(ops.modulated_conv2d(**operands)[1].sum(), operands["styles"])
    assert torch.equal(result, wanted)
    with pytest.raises(BackendError, match="rgb_only"):
        torch.ops.zoom_engine.modulated_conv2d(*positional({**operands, "rgb_only": True}))


@pytest.mark.usefixtures("isa")
def test_clamped_values_get_no_gradient() -> None:
    x = torch.full((1, 1, 1, 4), 3.0, requires_grad=True)
    weight = torch.ones(1, 1, 1, 1)
    y, _ = ops.modulated_conv2d(x, weight, torch.ones(1, 1), clamp=2.0)
    y.sum().backward()
    assert y.tolist() == [[[[2.0] * 4]]]
    assert x.grad is not None
    assert not x.grad.any()


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nan_is_handed_through(dtype: torch.dtype) -> None:
    x = torch.ones(1, 3, 1, 5, dtype=dtype)
    x[0, 1, 0, 2] = torch.nan
    y, _ = ops.modulated_conv2d(x, torch.ones(2, 3, 1, 1), torch.ones(1, 3), clamp=2.0)
    assert y.isnan().nonzero().tolist() == [[0, 0, 0, 2], [0, 1, 0, 2]]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_strange_strides(dtype: torch.dtype) -> None:
    operands = Case(dtype=dtype, cin=6, height=6, width=7).operands()
    plain = ops.modulated_conv2d(**operands)
    wide = torch.full((2, 6, 9, 16), torch.nan, dtype=dtype)
    wide[:, :, 1:7, 2:16:2] = operands["x"]
    strange = {
        name: value.repeat_interleave(2, dim=-1)[..., ::2] if isinstance(value, Tensor) else value
        for name, value in operands.items()
    }
    strided = ops.modulated_conv2d(**{**strange, "x": wide[:, :, 1:7, 2:16:2]})
    assert all(torch.equal(a, b) for a, b in zip(plain, strided, strict=True))


@pytest.mark.usefixtures("two_torch_threads")
@pytest.mark.parametrize("up", [False, True])
def test_threads_change_nothing(up: bool) -> None:
    case = Case(batch=3, cin=24, cout=40, height=33, width=33, up=up)
    grads = case.gradients()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        operands = case.operands()
        leaves = leaves_of(operands)
        outputs = ops.modulated_conv2d(**operands)
        results.append((*outputs, *torch.autograd.grad(outputs, list(leaves.values()), grads)))
    assert all(error(a, b.double()) < 1e-6 for other in results[1:] for a, b in zip(results[0], other, strict=True))
    assert all(torch.equal(results[0][i], other[i]) for other in results[1:] for i in (0, 1, 2))


@pytest.mark.usefixtures("isa")
def test_a_picture_does_not_depend_on_its_batch() -> None:
    """Not by a bit, neither do its gradients."""
    case = Case(batch=3, cin=19, cout=35, height=9, width=5, edits=12)
    operands = case.operands()
    grads = case.gradients()

    def run(rows: slice) -> list[Tensor]:
        leaves = {name: operands[name][rows].detach().requires_grad_() for name in LEAVES}
        outputs = ops.modulated_conv2d(**{**operands, **leaves})
        return [*outputs, *torch.autograd.grad(outputs, list(leaves.values()), [g[rows] for g in grads])]

    whole = run(slice(None))
    for row in range(3):
        alone = run(slice(row, row + 1))
        assert all(torch.equal(a, b[row : row + 1]) for a, b in zip(alone, whole, strict=True))


@pytest.mark.parametrize("count", [1, 12, 32])
def test_directions_may_be_columns_of_a_matrix(count: int) -> None:
    operands = Case(edits=count, cin=20).operands()
    leaf = operands["edit_weights"].requires_grad_()
    results = []
    for apart in (False, True):
        for name in ("edit_directions", "rgb_edit_directions"):
            if apart:
                operands[name] = torch.cat([operands[name], torch.full((count, 7), torch.nan)], 1)[:, :-7]
        out, rgb = ops.modulated_conv2d(**operands)
        results.append([out, rgb, *torch.autograd.grad(out.sum() + rgb.sum(), leaf)])
    assert operands["edit_directions"].stride() == (27, 1)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_no_directions_are_no_edits() -> None:
    operands = Case(edits=None).operands()
    none = {"edit_weights": torch.ones(2, 0), "edit_directions": torch.ones(0, 5)}
    both = ops.modulated_conv2d(**operands), ops.modulated_conv2d(**{**operands, **none})
    assert all(torch.equal(a, b) for a, b in zip(*both, strict=True))


def test_empty_batch() -> None:
    out, rgb = ops.modulated_conv2d(torch.zeros(0, 2, 3, 3), torch.ones(4, 2, 3, 3), torch.ones(0, 2), up=True)
    assert out.shape == (0, 4, 6, 6)
    assert rgb.shape == (0, 0, 6, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 4, 4)}, "x must be"),
        ({"weight": torch.ones(3, 2, 5, 5)}, "weight must be"),
        ({"weight": torch.ones(3, 1, 3, 3)}, "weight must be"),
        ({"weight": torch.ones(3, 2, 1, 1), "up": True}, "3×3"),
        ({"styles": torch.ones(2, 2)}, "styles must be"),
        ({"edit_weights": torch.ones(1, 4)}, "belong together"),
        ({"edit_weights": torch.ones(1, 4), "edit_directions": torch.ones(3, 2)}, "edit_weights must be"),
        ({"edit_weights": torch.ones(1, 3), "edit_directions": torch.ones(3, 5)}, "edit_directions must be"),
        ({"bias": torch.ones(2)}, "bias must be"),
        ({"noise": torch.ones(5, 4)}, "noise must be"),
        ({"rgb_edit_directions": torch.ones(4, 3)}, "need edit_weights"),
        ({"rgb_weight": torch.ones(3, 3)}, "belong together"),
        ({"rgb_weight": torch.ones(1, 3), "rgb_styles": torch.ones(1, 3)}, "rgb_weight must be"),
        ({"rgb_only": True}, "nothing to compute"),
        ({"clamp": 0.0}, "clamp must be positive"),
        ({"gain": float("nan")}, "gain must be positive"),
        ({"slope": -0.2}, "slope must be positive"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], message: str) -> None:
    arguments = {"x": torch.zeros(1, 2, 4, 4), "weight": torch.ones(3, 2, 3, 3), "styles": torch.ones(1, 2)}
    with pytest.raises(ValueError, match=message):
        ops.modulated_conv2d(**{**arguments, **change})


def test_traced_by_compile_and_export() -> None:
    class Layers(torch.nn.Module):
        def forward(self, **operands: Any) -> Tensor:
            y, rgb = ops.modulated_conv2d(**{**operands, "x": operands["x"] * 2})
            return ops.upsample2x(rgb) + y.mean()

    case = Case(cin=8, cout=8, up=True)
    layers, operands = Layers(), case.operands()
    eager = layers(**operands)
    exported = torch.export.export(layers, (), operands)
    assert torch.equal(exported.module()(**operands), eager)
    assert "zoom_engine.modulated_conv2d" in str(exported.graph)

    compiled = torch.compile(layers, backend="aot_eager", fullgraph=True)
    leaf = operands["styles"].requires_grad_()
    y = compiled(**operands)
    assert torch.equal(y, eager)
    assert torch.equal(torch.autograd.grad(y.sum(), leaf)[0], torch.autograd.grad(layers(**operands).sum(), leaf)[0])
