"""Faster layers for gradients in bfloat16: what torch's own compute, but for rounding; rows apart to the last digit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.runtime import lowered_layers
from zoom_engine.runtime.lowered_layers import (
    PackedConvolution,
    PackedLinear,
    Patches,
    SelfAttention,
    with_faster_layers,
    without_batch_norm,
)


class Tokens(nn.Module):
    """A small vision transformer, as open_clip's and torchvision's call their layers."""

    def __init__(self, *, batch_first: bool, **options: Any) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 32, 8, stride=8, bias=False)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=batch_first, **options)
        self.wide = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32, bias=False))
        self.options: dict[str, Any] = {"need_weights": False}

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        given = tokens if self.batch_first else tokens.transpose(0, 1)
        mixed = self.attention(given, given, given, **self.options)[0]
        tokens = tokens + (mixed if self.batch_first else mixed.transpose(0, 1))
        return (tokens + self.wide(tokens)).mean(dim=1)


class Turned(nn.Module):
    """Channels of places as tokens."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def lowered(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(False).to(torch.bfloat16)


def followed(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_(True)
    outputs = network(leaf)
    (slope,) = torch.autograd.grad(outputs.float().square().sum(), leaf)
    return outputs.detach().float(), slope.float()


def pictures(count: int = 4, side: int = 32) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(params=["packed", "plain"])
def _packing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the operators that pack weights, and on a torch that lacks them."""
    if request.param == "plain":
        monkeypatch.setattr(lowered_layers, "_packs", lambda: False)


@pytest.mark.usefixtures("_packing")
@pytest.mark.parametrize("batch_first", [True, False])
def test_a_transformer_and_its_gradients_are_those_of_torch_s_layers(batch_first: bool) -> None:
    torch.manual_seed(0)
    plain = Tokens(batch_first=batch_first)
    x = pictures(side=35)  # three pixels that no patch covers
    wanted, slope_wanted = followed(plain.eval(), x)
    torch.manual_seed(0)
    network = with_faster_layers(lowered(Tokens(batch_first=batch_first)))
    result, slope = followed(network, x.bfloat16())
    assert isinstance(network.attention, SelfAttention)
    assert isinstance(network.patches, Patches)
    assert float((result - wanted).norm() / wanted.norm()) < 0.02
    assert float(F.cosine_similarity(slope.flatten(1), slope_wanted.flatten(1)).min()) > 0.998
    assert not slope[..., 32:].any()


@pytest.mark.usefixtures("_packing")
def test_code_that_asks_a_layer_for_what_it_has_finds_it() -> None:
    """Torch's encoders ask their attention how it is laid out, those of transformers their patches for a type."""
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)
    network = nn.Sequential(nn.Conv2d(3, 32, 8, stride=8), nn.Flatten(2), Turned(), encoder, nn.Linear(32, 4)).eval()
    x = pictures()
    wanted, slope_wanted = followed(network, x)
    result, slope = followed(with_faster_layers(lowered(network)), x.bfloat16())
    assert isinstance(encoder.layers[0].self_attn, SelfAttention)
    assert network[0].weight.dtype == torch.bfloat16
    assert float((result - wanted).norm() / wanted.norm()) < 0.02
    assert float(F.cosine_similarity(slope.flatten(1), slope_wanted.flatten(1)).min()) > 0.99
    with pytest.raises(AttributeError):
        _ = network[0].no_such_thing


@pytest.mark.parametrize(
    "options",
    [{"attn_mask": torch.full((16, 16), -torch.inf).triu(1)}, {"need_weights": True}],
    ids=["a mask", "weights asked for"],
)
def test_attention_of_another_kind_stays_torch_s_own(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = lowered(Tokens(batch_first=True))
    network.options = {"need_weights": False, **options}  # type: ignore[assignment]
    if "attn_mask" in options:
        network.options["attn_mask"] = options["attn_mask"].bfloat16()  # type: ignore[index,operator]
    x = pictures().bfloat16()
    wanted = network.attention(*[network.patches(x).flatten(2).transpose(1, 2)] * 3, **network.options)[0]  # type: ignore[operator]
    with_faster_layers(network)
    tokens = network.patches(x).flatten(2).transpose(1, 2)  # type: ignore[operator]
    torch.testing.assert_close(network.attention(*[tokens] * 3, **network.options)[0], wanted, rtol=0.05, atol=0.05)  # type: ignore[operator]


def test_attention_between_two_sequences_stays_torch_s_own() -> None:
    torch.manual_seed(0)
    plain = lowered(nn.MultiheadAttention(32, 4, batch_first=True))
    query, other = torch.randn(2, 5, 32).bfloat16(), torch.randn(2, 7, 32).bfloat16()
    wanted = plain(query, other, other, need_weights=False)[0]
    holder = with_faster_layers(nn.ModuleDict({"attention": plain}))
    torch.testing.assert_close(holder["attention"](query, other, other, need_weights=False)[0], wanted)  # type: ignore[index]


@pytest.mark.parametrize(
    "layer",
    [
        nn.MultiheadAttention(32, 4, kdim=16, vdim=16),
        nn.MultiheadAttention(32, 4, add_bias_kv=True),
        nn.MultiheadAttention(32, 4, add_zero_attn=True),
        nn.Conv2d(4, 8, 3, groups=2),
        nn.Conv2d(4, 8, 4, stride=4, groups=2),
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 8, 3, padding="same"),
        nn.Conv1d(3, 8, 3),
    ],
)
def test_layers_of_another_kind_are_left_alone(layer: nn.Module) -> None:
    network = with_faster_layers(nn.Sequential(lowered(layer)))
    assert network[0] is layer  # type: ignore[index]


@pytest.mark.skipif(not lowered_layers._packs(), reason="this torch has no packed products")
@pytest.mark.parametrize("rows", [1, 50, 128, 129, 300])
def test_a_packed_product_is_that_of_its_weights(rows: int) -> None:
    torch.manual_seed(0)
    weight, bias = torch.randn(96, 160).bfloat16(), torch.randn(96).bfloat16()
    layer, x = PackedLinear(weight, bias), torch.randn(rows, 160).bfloat16()
    result, slope = followed(layer, x)
    wanted = x.double() @ weight.double().T + bias.double()
    assert float((result - wanted).norm() / wanted.norm()) < 0.005
    slope_wanted = 2 * result.double() @ weight.double()
    assert float((slope - slope_wanted).norm() / slope_wanted.norm()) < 0.01


@pytest.mark.usefixtures("_packing")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3},
        {"kernel_size": (3, 5), "padding": (0, 3), "bias": False},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": 4},
        {"kernel_size": 7, "padding": 3, "stride": 2},
        {"kernel_size": 2, "stride": 2, "dilation": 2},
        {"kernel_size": 4, "stride": 4, "padding": 2},
        {"kernel_size": 1},
        {"kernel_size": 1, "padding": 1},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "stride": (3, 2), "padding": 1},
    ],
)
def test_a_packed_convolution_is_that_of_its_weights(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(24, 40, **options)
    (layer,) = with_faster_layers(nn.Sequential(lowered(copy.deepcopy(plain)))).children()
    assert isinstance(layer, PackedConvolution)
    for side in (20, 13, 20):  # packed for pictures of the first size
        x = torch.randn(2, 24, side, side + 3).bfloat16().contiguous(memory_format=torch.channels_last)
        result, slope = followed(layer, x)
        exact = plain.double()
        exact.weight.data, leaf = layer.plain.weight.double(), x.double().requires_grad_(True)
        wanted = exact(leaf)
        (slope_wanted,) = torch.autograd.grad(wanted, leaf, 2 * result.double())
        assert float((result - wanted.detach()).norm() / wanted.detach().norm()) < 0.005
        assert float((slope - slope_wanted).norm() / slope_wanted.norm()) < 0.01


class Normalised(nn.Module):
    """Convolutions with and without a batch normalisation of their own."""

    def __init__(self, *, readable: bool) -> None:
        super().__init__()
        self.readable = readable
        self.convolution, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.shared, self.shared_norm = nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.twice, self.once_norm, self.other_norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        if not self.readable and x.mean() > 100:
            return x
        x = self.norm(self.convolution(x)).relu()
        y = self.shared(x)
        x = self.shared_norm(y) + y
        x = self.once_norm(self.twice(x)) + self.other_norm(self.twice(x))
        outputs: Tensor = self.block(x).mean(dim=(2, 3))
        return outputs


@pytest.mark.parametrize(("readable", "left"), [(True, 3), (False, 4)])
def test_batch_normalisations_go_into_the_convolution_that_is_theirs_alone(readable: bool, left: int) -> None:
    torch.manual_seed(0)
    network = Normalised(readable=readable)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean, layer.running_var = torch.randn(8), torch.rand(8) + 0.5
            layer.weight.data, layer.bias.data = torch.randn(8), torch.randn(8)
    network.eval().requires_grad_(False)
    wanted, slope_wanted = followed(network, pictures())
    fused = without_batch_norm(network)
    layers, called = dict(fused.named_modules()), reached(fused)
    assert sum(isinstance(layers[name], nn.BatchNorm2d) for name in called) == left
    result, slope = followed(fused, pictures())
    torch.testing.assert_close(result, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope, slope_wanted, rtol=1e-3, atol=1e-6)


def reached(network: nn.Module) -> set[str]:
    """Names of the layers that a forward pass calls."""
    called: set[str] = set()
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in network.named_modules()
    ]
    network(pictures())
    for hook in hooks:
        hook.remove()
    return called


class ReadTwice(nn.Module):
    """A convolution whose weights are read once more, beside its normalisation; of code that may not be readable."""

    def __init__(self, *, readable: bool = True) -> None:
        super().__init__()
        self.convolution, self.normal, self.readable = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), readable

    def forward(self, x: Tensor) -> Tensor:
        if not self.readable and x.mean() > 1e9:
            return x
        normal, layer = self.normal(self.convolution(x)), self.convolution
        return (normal * F.conv2d(x, layer.weight, layer.bias)).mean((2, 3)) if self.readable else normal.mean((2, 3))


class Hooked(nn.Module):
    """Layers with hooks that change what they answer; the last is of one that cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.unreadable = ReadTwice(), ReadTwice(readable=False)
        self.product, self.block = nn.Linear(8, 8), nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        for layer in (self.inner.convolution, self.unreadable.normal, self.product, self.block):
            layer.register_forward_hook(lambda _, __, outputs: outputs.flip(1).relu())

    def forward(self, x: Tensor) -> Tensor:
        return self.product(self.unreadable(x)) + self.block(x).mean((2, 3)) + self.inner.convolution(x).mean((2, 3))


@pytest.mark.parametrize("kind", [ReadTwice, Hooked])
def test_weights_that_are_read_twice_and_hooks_are_followed_as_they_are(kind: type[nn.Module]) -> None:
    """Gradients were those of another network, which pointed near enough to the right ones to be taken."""
    torch.manual_seed(0)
    network = kind()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean, layer.weight.data = torch.randn(8), 3 * torch.rand(8) + 0.5
    wanted, slope_wanted = followed(network.eval().requires_grad_(False), pictures())
    fused = without_batch_norm(copy.deepcopy(network))
    result, slope = followed(fused, pictures())
    torch.testing.assert_close(result, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope, slope_wanted, rtol=1e-3, atol=1e-6)
    result, _ = followed(with_faster_layers(lowered(fused)), pictures().to(torch.bfloat16))
    torch.testing.assert_close(result, wanted, rtol=0.1, atol=0.1)
