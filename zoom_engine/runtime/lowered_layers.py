"""Layers of networks in bfloat16 on the CPU, equal to torch's but for speed, and for rounding.

Torch packs weights again each time, which takes longer than one picture's products where channels are many. Of a vision
transformer's backward pass it spends most where nothing is multiplied: it copies weights for each token where tokens
come first, and walks back through attention and through convolutions that do not overlap by loops of its own. Measured
for ViT-B/32, forward and backward, one thread with AMX: 177 ms a picture with torch's layers, 75 with these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def with_faster_layers(network: nn.Module) -> nn.Module:
    """Replace in `network`, in place, each layer that has a faster form here; return it.

    The network is in bfloat16, for inference alone. A layer with hooks stays: its outputs are not what it computes.
    """
    for name, layer in network.named_children():
        if _has_hooks(layer):
            with_faster_layers(layer)
        elif type(layer) is nn.Linear:
            setattr(network, name, PackedLinear(layer.weight, layer.bias))
        elif type(layer) is nn.MultiheadAttention and _is_plain(layer):
            setattr(network, name, SelfAttention(layer))
        elif type(layer) is nn.Conv2d and _is_patches(layer):
            setattr(network, name, Patches(layer))
        elif type(layer) is nn.Conv2d and _is_packable(layer):
            setattr(network, name, PackedConvolution(layer))
        else:
            with_faster_layers(layer)
    return network


def without_batch_norm(network: nn.Module) -> nn.Module:
    """Multiply batch normalisations into the convolutions before them, in place; return the network.

    The network is in evaluation mode, float32. This is done where torch.fx can read the code; parts that it cannot read
    are searched for parts that it can.
    """
    if not any(isinstance(part, nn.BatchNorm2d) for child in network.children() for part in child.modules()):
        return network
    try:
        traced = None if _has_hooks(network) else fx.symbolic_trace(network)  # which would read nothing of its own
    except Exception:  # other people's code: it runs as it is
        traced = None
    if traced is None:
        for name, child in network.named_children():
            setattr(network, name, without_batch_norm(child))
        return network
    layers = dict(traced.named_modules())
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    # Weights that code reads by themselves are to stay as they are.
    calls.update(str(node.target).rpartition(".")[0] for node in traced.graph.nodes if node.op == "get_attr")

    def is_called_once(node: Any, kind: type[nn.Module]) -> bool:
        if not (isinstance(node, fx.Node) and node.op == "call_module" and calls[node.target] == 1):
            return False
        layer = layers[str(node.target)]
        return type(layer) is kind and not _has_hooks(layer)

    for node in list(traced.graph.nodes):
        if is_called_once(node, nn.BatchNorm2d) and is_called_once(conv := node.args[0], nn.Conv2d):
            if len(conv.users) > 1:
                continue
            fused = fuse_conv_bn_eval(layers[conv.target], layers[node.target])
            traced.set_submodule(conv.target, fused)
            node.replace_all_uses_with(conv)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced


class _InPlaceOf(nn.Module):
    """A layer in the place of a plain one, which answers for what else code asks of it, such as its weights' type."""

    plain: Any

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("plain"), name)


class PackedLinear(nn.Module):
    """x·Wᵀ + b with weights that are packed once for each pass (oneDNN, as torch's own compiler calls it).

    Where this torch cannot pack, it is torch's own product.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Keep the weights `[M, K]` and the bias `[M]`; they are packed at the first call."""
        super().__init__()
        self.weight, self.bias = weight, bias
        self._packed: tuple[Tensor, Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> PackedLinear:
        """Return itself: it keeps nothing but its weights, and copies of a network pack them once."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `[…, K]` to `[…, M]`."""
        if not _packs():
            return F.linear(x, self.weight, self.bias)
        if self._packed is None:  # many a network has layers that nobody calls
            self._packed = _pack(self.weight.detach()), _pack(self.weight.detach().t())
        rows = x.reshape(-1, x.shape[-1]).contiguous()
        outputs: Tensor = _Product.apply(rows, *self._packed, self.bias)  # type: ignore[no-untyped-call]
        return outputs.view(*x.shape[:-1], -1)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, forth: Tensor, back: Tensor, bias: Tensor | None) -> Tensor:
        ctx.back = back
        return _product(rows, forth, bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        return _product(slopes[0].contiguous(), ctx.back, None), None, None, None


class PackedConvolution(_InPlaceOf):
    """An `nn.Conv2d` of one group, packed as `PackedLinear` is.

    Where windows lie a pixel apart, its gradient is a convolution with the turned kernel; where they are of one pixel,
    it is one, spread out. Other gradients are torch's.
    """

    def __init__(self, plain: nn.Conv2d) -> None:
        """Keep the plain layer; its weights are packed at the first call."""
        super().__init__(plain)
        self._packed: dict[str, Tensor] = {}

    def __deepcopy__(self, memo: dict[int, object]) -> PackedConvolution:
        """Return itself, as `PackedLinear` does."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `[B, C, H, W]` to `[B, M, H', W']`."""
        packs = _packs() and x.ndim == 4
        outputs: Tensor = _Convolution.apply(x, self._packed, self.plain) if packs else self.plain(x)  # type: ignore[no-untyped-call]
        return outputs


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: dict[str, Tensor], plain: Any) -> Tensor:
        ctx.save_for_backward(x)
        ctx.packed, ctx.plain = packed, plain
        geometry = plain.padding, plain.stride, plain.dilation
        if "forth" not in packed:
            packed["forth"] = _pack_windows(plain.weight, x, *geometry)
        return _convolved(x, packed["forth"], plain.bias, *geometry)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (x,), (slope,), plain, packed = ctx.saved_tensors, slopes, ctx.plain, ctx.packed
        apart = plain.stride != (1, 1)
        beyond = [
            step * (size - 1) - side
            for step, size, side in zip(plain.dilation, plain.kernel_size, plain.padding, strict=True)
        ]
        if min(beyond) < 0 or (apart and (plain.kernel_size != (1, 1) or max(beyond) > 0)):
            window = plain.stride, plain.padding, plain.dilation, False, [0, 0], 1
            gradient = torch.ops.aten.convolution_backward(slope, x, plain.weight, None, *window, [True, False, False])[
                0
            ]
            return gradient, None, None
        geometry = beyond, (1, 1), plain.dilation
        if "back" not in packed:
            packed["back"] = _pack_windows(plain.weight.flip(2, 3).transpose(0, 1), slope, *geometry)
        gradient = _convolved(slope, packed["back"], None, *geometry)
        if apart:
            gradient, close = torch.zeros_like(x), gradient
            gradient[:, :, :: plain.stride[0], :: plain.stride[1]] = close
        return gradient, None, None


class SelfAttention(_InPlaceOf):
    """An `nn.MultiheadAttention` for calls whose queries, keys and values are one tensor, without a mask.

    Other calls go to the plain layer.
    """

    def __init__(self, plain: nn.MultiheadAttention) -> None:
        """Take over the projections of the plain layer."""
        super().__init__(plain)
        self.projected_in = PackedLinear(plain.in_proj_weight, plain.in_proj_bias)
        self.projected_out = PackedLinear(plain.out_proj.weight, plain.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **options: object) -> tuple[Tensor, Tensor | None]:
        """Return `[B, L, E]`, or `[L, B, E]` where the plain layer has it so, and no attention weights."""
        given = {name for name, option in options.items() if option is not None and option is not False}
        if not (query is key is value) or query.ndim != 3 or given or options.get("need_weights", True):
            attended: tuple[Tensor, Tensor | None] = self.plain(query, key, value, **options)
            return attended
        x = query if self.plain.batch_first else query.transpose(0, 1)
        pictures, tokens, width = x.shape
        heads = self.plain.num_heads
        qkv = self.projected_in(x).view(pictures, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, pictures * heads, tokens, width // heads).unbind(0)
        mixed = torch.bmm(torch.bmm(q * (width // heads) ** -0.5, k.transpose(1, 2)).softmax(-1), v)
        mixed = mixed.view(pictures, heads, tokens, width // heads).transpose(1, 2)
        outputs: Tensor = self.projected_out(mixed.reshape(pictures, tokens, width))
        return outputs if self.plain.batch_first else outputs.transpose(0, 1), None


class Patches(_InPlaceOf):
    """A convolution whose windows lie side by side: one product of patches and weights."""

    def __init__(self, plain: nn.Conv2d) -> None:
        """Take over the weights of the plain layer."""
        super().__init__(plain)
        self.size = plain.kernel_size
        self.product = PackedLinear(plain.weight.flatten(1), plain.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `[B, C, H, W]` to `[B, M, H // h, W // w]` for windows `h × w`."""
        (h, w), (pictures, channels, height, width) = self.size, x.shape
        rows, columns = height // h, width // w
        windows = x[:, :, : rows * h, : columns * w].reshape(pictures, channels, rows, h, columns, w)
        outputs: Tensor = self.product(windows.permute(0, 2, 4, 1, 3, 5).reshape(pictures, rows * columns, -1))
        return outputs.transpose(1, 2).reshape(pictures, -1, rows, columns)


def _has_hooks(layer: nn.Module) -> bool:
    return bool(layer._forward_hooks or layer._forward_pre_hooks)


def _is_plain(layer: nn.MultiheadAttention) -> bool:
    return layer._qkv_same_embed_dim and layer.bias_k is None and not layer.add_zero_attn


def _is_patches(layer: nn.Conv2d) -> bool:
    apart = layer.kernel_size == layer.stride and layer.kernel_size != (1, 1)
    return apart and layer.padding in ((0, 0), "valid") and layer.dilation == (1, 1) and layer.groups == 1


def _is_packable(layer: nn.Conv2d) -> bool:
    return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _packs() -> bool:
    """Return whether this torch has the operators; they are not promised to stay."""
    names = ("_reorder_linear_weight", "_linear_pointwise", "_reorder_convolution_weight", "_convolution_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in names)


def _pack(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)
    return packed


def _pack_windows(weight: Tensor, x: Tensor, *geometry: Sequence[int]) -> Tensor:
    """Pack `weight` for `_convolved` of single pictures of the size of `x`; other sizes take longer."""
    shape = [1, *x.shape[1:]]
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight.contiguous(), *geometry, 1, shape)
    return packed


def _convolved(x: Tensor, packed: Tensor, bias: Tensor | None, *geometry: Sequence[int]) -> Tensor:
    """Convolve by packed weights; `geometry` is padding, stride and dilation."""
    convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(x, packed, bias, *geometry, 1, "none", [], "")
    return convolved


def _product(rows: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return product
