"""Checkpoints in other projects' formats, built from a `Literal` generator in the documented structures.

Every attribute has the type that the original code gives it (a rate computed with numpy is a numpy.float64), as
`test_checkpoint_files.py` holds it to: a builder of plainer types hides what a reader cannot read.

The classes whose names such files carry live in modules that exist only while a file is written. Calling what the
pickles ask to call would raise: a loader that passes these tests executes nothing of them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from literal_stylegan2 import RATE, Literal, Mapped
from literal_stylegan3 import LayerSpec, Literal3, first_place
from torch import nn

from zoom_engine.generators import Generator

SOURCE = "raise RuntimeError('the source code of a checkpoint was run')\n"
FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


class EasyDict(dict):  # type: ignore[type-arg]
    """Stands for dnnlib.util.EasyDict."""


class Network:
    """Stands for dnnlib.tflib.network.Network."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
    """Stands for torch_utils.persistence._reconstruct_persistent_obj."""
    raise AssertionError("a persistent object was rebuilt")


@contextlib.contextmanager
def fake_modules() -> Iterator[None]:
    """`torch_utils` and `dnnlib`, for as long as a pickle is written."""
    homes = {
        "torch_utils.persistence": _reconstruct_persistent_obj,
        "dnnlib.util": EasyDict,
        "dnnlib.tflib.network": Network,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, member in homes.items():
            for parent in (name.rsplit(".", depth)[0] for depth in range(name.count("."), 0, -1)):
                patch.setitem(sys.modules, parent, types.ModuleType(parent))
            module = types.ModuleType(name)
            setattr(module, member.__name__, member)
            patch.setattr(member, "__module__", name)
            patch.setitem(sys.modules, name, module)
        yield


class Persistent(nn.Module):
    """Reduces as a class under NVIDIA's ``persistent_class`` does."""

    def __init__(self, class_name: str, source: str = SOURCE, **attributes: Any) -> None:
        super().__init__()
        type(self).names[id(self)] = (class_name, source)
        self.__dict__.update(attributes, _init_args=(), _init_kwargs={"mapping_kwargs": EasyDict(num_layers=8)})

    names: dict[int, tuple[str, str]] = {}  # noqa: RUF012

    def __reduce__(self) -> Any:
        class_name, source = self.names[id(self)]
        meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": class_name,
            "state": self.__dict__,
        }
        return _reconstruct_persistent_obj, (meta,), None


def whole_where_it_can_be(value: float | None) -> float | None:
    """A clamp as a training script gives it: a whole number is an int."""
    return int(value) if value is not None and value == int(value) else value


def _fully_connected(g: Mapped, name: str, rate: float, activation: str, *, widths: bool = True) -> Persistent:
    """`widths`: whether it knows its own, as the layers of the stylegan3 repository do."""
    weight = g.p[f"{name}.weight"]
    known = {"in_features": weight.shape[1], "out_features": weight.shape[0]} if widths else {}
    layer = Persistent(
        "FullyConnectedLayer",
        **known,
        activation=activation,
        weight_gain=rate / np.sqrt(weight.shape[1]),
        bias_gain=rate,
    )
    layer.weight = nn.Parameter(weight)
    layer.bias = nn.Parameter(g.p[f"{name}.bias"])
    return layer


def _channels(weight: torch.Tensor) -> dict[str, int]:
    return {"in_channels": weight.shape[1], "out_channels": weight.shape[0]}


def _synthesis_layer(g: Literal, name: str, up: int, *, widths: bool) -> Persistent:
    weight = g.p[f"{name}.weight"]
    layer = Persistent(
        "SynthesisLayer",
        **({**_channels(weight), "w_dim": g.w_dim} if widths else {}),
        resolution=g.p[f"{name}.noise_const"].shape[0],
        up=up,
        use_noise=True,
        activation="lrelu",
        conv_clamp=whole_where_it_can_be(g.conv_clamp),
        padding=1,
        act_gain=np.sqrt(2),
    )
    layer.affine = _fully_connected(g, f"{name}.affine", 1, "linear", widths=widths)
    for part in ("weight", "bias", "noise_strength"):
        setattr(layer, part, nn.Parameter(g.p[f"{name}.{part}"], requires_grad=False))
    layer.register_buffer("noise_const", g.p[f"{name}.noise_const"])
    layer.register_buffer("resample_filter", FILTER)
    return layer


def _to_rgb(g: Literal, name: str, *, widths: bool) -> Persistent:
    weight = g.p[f"{name}.weight"]
    known = {**_channels(weight), "w_dim": g.w_dim} if widths else {}
    layer = Persistent(
        "ToRGBLayer", **known, conv_clamp=whole_where_it_can_be(g.conv_clamp), weight_gain=1 / np.sqrt(weight.shape[1])
    )
    layer.affine = _fully_connected(g, f"{name}.affine", 1, "linear", widths=widths)
    layer.weight = nn.Parameter(weight)
    layer.bias = nn.Parameter(g.p[f"{name}.bias"])
    return layer


def _skip(weight: torch.Tensor, *, widths: bool) -> Persistent:
    layer = Persistent(
        "Conv2dLayer",
        **(_channels(weight) if widths else {}),
        activation="linear",
        up=2,
        down=1,
        conv_clamp=None,
        padding=0,
        weight_gain=1 / np.sqrt(weight.shape[1]),
        act_gain=1,
        bias=None,
    )
    layer.weight = nn.Parameter(weight)
    layer.register_buffer("resample_filter", FILTER)
    return layer


def _synthesis_block(g: Literal, index: int, *, widths: bool) -> Persistent:
    resolution = 4 << index
    name = f"synthesis.b{resolution}"
    block = Persistent(
        "SynthesisBlock",
        in_channels=g.channels[index - 1] if index else 0,
        w_dim=g.w_dim,
        resolution=resolution,
        img_channels=3,
        is_last=resolution == g.resolution,
        architecture=g.architecture,
        use_fp16=index >= len(g.channels) - 2,
        channels_last=False,
        **({"fused_modconv_default": "inference_only"} if widths else {}),
        num_conv=2 if index else 1,
        num_torgb=int(f"{name}.torgb.weight" in g.p),
    )
    block.register_buffer("resample_filter", FILTER)
    if index == 0:
        block.const = nn.Parameter(g.p["synthesis.b4.const"])
    else:
        block.conv0 = _synthesis_layer(g, f"{name}.conv0", 2, widths=widths)
    block.conv1 = _synthesis_layer(g, f"{name}.conv1", 1, widths=widths)
    if f"{name}.torgb.weight" in g.p:
        block.torgb = _to_rgb(g, f"{name}.torgb", widths=widths)
    if f"{name}.skip.weight" in g.p:
        block.skip = _skip(g.p[f"{name}.skip.weight"], widths=widths)
    return block


def _whole_generator(g: Literal | Literal3, num_ws: int, source: str = SOURCE) -> Persistent:
    sizes = {"z_dim": g.z_dim, "c_dim": g.c_dim, "w_dim": g.w_dim, "img_resolution": g.resolution}
    return Persistent("Generator", source, **sizes, img_channels=3, num_ws=num_ws)


def nvidia_generator(g: Literal, source: str = SOURCE, *, repository: str = "stylegan2-ada-pytorch") -> Persistent:
    """A StyleGAN2 generator, as that repository or ``stylegan3``, which trains both families, has it."""
    widths = repository == "stylegan3"
    num_ws, resolutions = 2 * len(g.channels), [4 << i for i in range(len(g.channels))]
    generator = _whole_generator(g, num_ws, source)
    generator.synthesis = Persistent(
        "SynthesisNetwork",
        w_dim=g.w_dim,
        img_resolution=g.resolution,
        img_resolution_log2=int(np.log2(g.resolution)),
        img_channels=3,
        **({"num_fp16_res": 2} if widths else {}),
        block_resolutions=resolutions,
        num_ws=num_ws,
    )
    for index, resolution in enumerate(resolutions):
        setattr(generator.synthesis, f"b{resolution}", _synthesis_block(g, index, widths=widths))
    generator.mapping = _mapping_network(g, num_ws, widths=widths)
    return generator


def _mapping_network(g: Mapped, num_ws: int, *, widths: bool) -> Persistent:
    mapping = Persistent(
        "MappingNetwork",
        z_dim=g.z_dim,
        c_dim=g.c_dim,
        w_dim=g.w_dim,
        num_ws=num_ws,
        num_layers=g.mapping_layers,
        w_avg_beta=0.998 if widths else 0.995,
    )
    for i in range(g.mapping_layers):
        setattr(mapping, f"fc{i}", _fully_connected(g, f"mapping.fc{i}", RATE, "lrelu", widths=widths))
    mapping.embed = _fully_connected(g, "mapping.embed", 1, "linear", widths=widths) if g.c_dim else None
    mapping.register_buffer("w_avg", g.p["mapping.w_avg"])
    return mapping


def _both(size: int) -> Any:
    """A size as StyleGAN3 keeps it: an array of two sides."""
    return np.asarray([size, size])


def _stylegan3_layer(g: Literal3, layer: LayerSpec) -> Persistent:
    name = f"synthesis.{layer.name}"
    weight = g.p[f"{name}.weight"]
    kernel = weight.shape[2]
    taps = [len(g.p[f"{name}.{which}"]) if not layer.is_rgb else 1 for which in ("up_filter", "down_filter")]
    widened = layer.size[0] + kernel - 1
    samples = (layer.size[1] - 1) * layer.down + taps[1] + taps[0] - 1
    first = first_place(widened, layer.up, samples)
    module = Persistent(
        "SynthesisLayer",
        w_dim=g.w_dim,
        is_torgb=layer.is_rgb,
        is_critically_sampled=layer.critical,
        use_fp16=np.bool_(layer.rate[1] * 16 > g.resolution),
        in_channels=layer.channels[0],
        out_channels=layer.channels[1],
        in_size=_both(layer.size[0]),
        out_size=_both(layer.size[1]),
        in_sampling_rate=layer.rate[0],
        out_sampling_rate=layer.rate[1],
        tmp_sampling_rate=layer.inner_rate,
        in_cutoff=np.float64(layer.cutoff[0]),
        out_cutoff=np.float64(layer.cutoff[1]),
        in_half_width=np.float64(layer.half_width[0]),
        out_half_width=np.float64(layer.half_width[1]),
        conv_kernel=kernel,
        conv_clamp=whole_where_it_can_be(g.conv_clamp),
        magnitude_ema_beta=0.999,
        up_factor=layer.up,
        up_taps=taps[0],
        down_factor=layer.down,
        down_taps=taps[1],
        down_radial=g.radial and not layer.critical,
        padding=[first, samples - widened * layer.up - first] * 2,
    )
    module.affine = _fully_connected(g, f"{name}.affine", 1, "linear")
    module.weight = nn.Parameter(weight)
    module.bias = nn.Parameter(g.p[f"{name}.bias"])
    module.register_buffer("magnitude_ema", g.p[f"{name}.magnitude_ema"])
    for which in ("up_filter", "down_filter"):
        module.register_buffer(which, g.p.get(f"{name}.{which}"))
    return module


def stylegan3_generator(g: Literal3) -> Persistent:
    num_ws = g.num_layers + 2
    generator = _whole_generator(g, num_ws)
    synthesis = Persistent(
        "SynthesisNetwork",
        w_dim=g.w_dim,
        num_ws=num_ws,
        img_resolution=g.resolution,
        img_channels=3,
        num_layers=g.num_layers,
        num_critical=g.num_critical,
        margin_size=g.margin,
        output_scale=g.output_scale,
        num_fp16_res=4,
        layer_names=[layer.name for layer in g.layers],
    )
    size, rate, bandwidth = g.input_shape
    channels = g.layers[0].channels[0]
    source = Persistent(
        "SynthesisInput",
        w_dim=g.w_dim,
        channels=channels,
        size=_both(size),
        sampling_rate=np.float64(rate),
        bandwidth=np.float64(bandwidth),
    )
    source.weight = nn.Parameter(g.p["synthesis.input.weight"])
    source.affine = _fully_connected(g, "synthesis.input.affine", 1, "linear")
    for name in ("transform", "freqs", "phases"):
        source.register_buffer(name, g.p[f"synthesis.input.{name}"])
    synthesis.input = source
    for layer in g.layers:
        setattr(synthesis, layer.name, _stylegan3_layer(g, layer))
    generator.synthesis = synthesis
    generator.mapping = _mapping_network(g, num_ws, widths=True)
    return generator


def stylegan3_bytes(g: Literal3, *, protocol: int = 4, generator: Persistent | None = None) -> bytes:
    """What the stylegan3 repository's training loop writes."""
    return _snapshot(generator or stylegan3_generator(g), protocol)


def nvidia_bytes(g: Literal, *, protocol: int = 4, generator: Persistent | None = None) -> bytes:
    """What stylegan2-ada-pytorch's training loop writes."""
    return _snapshot(generator or nvidia_generator(g), protocol)


def _snapshot(generator: Persistent, protocol: int) -> bytes:
    """G and G_ema differ, D is a network too."""
    other = Literal(resolution=8, channels=(4, 4), seed=99)
    augment = Persistent("AugmentPipe", xflip=1.0, imgfilter_bands=[1, 1, 1, 1])
    augment.register_buffer("p", torch.zeros([]))
    with fake_modules():
        root = {
            "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset", "use_labels": False},
            "G": nvidia_generator(other),
            "D": nvidia_generator(other),
            "G_ema": generator,
            "augment_pipe": augment,
        }
        return pickle.dumps(root, protocol=protocol)


def rosinality_state(g: Literal) -> dict[str, torch.Tensor]:
    """The state dictionary of rosinality's Generator."""
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]

    def conv(path: str, name: str, noise: int | None) -> None:
        weight = g.p[f"{name}.weight"]
        if noise is not None:
            weight = weight * math.sqrt(weight[0].numel())
            state[f"{path}.activate.bias"] = g.p[f"{name}.bias"]
            state[f"{path}.noise.weight"] = g.p[f"{name}.noise_strength"].reshape(1)
            state[f"noises.noise_{noise}"] = g.p[f"{name}.noise_const"][None, None]
        else:
            state[f"{path}.bias"] = g.p[f"{name}.bias"].reshape(1, 3, 1, 1)
        state[f"{path}.conv.weight"] = weight[None]
        state[f"{path}.conv.modulation.weight"] = g.p[f"{name}.affine.weight"]
        state[f"{path}.conv.modulation.bias"] = g.p[f"{name}.affine.bias"]

    for i in range(g.mapping_layers):
        state[f"style.{i + 1}.weight"] = g.p[f"mapping.fc{i}.weight"]
        state[f"style.{i + 1}.bias"] = g.p[f"mapping.fc{i}.bias"]
    state["input.input"] = g.p["synthesis.b4.const"][None]
    conv("conv1", "synthesis.b4.conv1", 0)
    conv("to_rgb1", "synthesis.b4.torgb", None)
    for i in range(len(g.channels) - 1):
        name = f"synthesis.b{8 << i}"
        conv(f"convs.{2 * i}", f"{name}.conv0", 2 * i + 1)
        conv(f"convs.{2 * i + 1}", f"{name}.conv1", 2 * i + 2)
        conv(f"to_rgbs.{i}", f"{name}.torgb", None)
        state[f"convs.{2 * i}.conv.blur.kernel"] = FILTER * 4
        state[f"to_rgbs.{i}.upsample.kernel"] = FILTER * 4
    return state


def rosinality_bytes(g: Literal, *, kind: str = "converted", legacy: bool = False) -> bytes:
    """kind: "converted" (g_ema and latent_avg), "training" (everything) or "bare" (the state dictionary)."""
    state = rosinality_state(g)
    root: Any = {"g_ema": state, "latent_avg": g.p["mapping.w_avg"]}
    if kind == "training":
        weight = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.Adam([weight])
        weight.sum().backward()
        optimizer.step()
        root = {"g": nn.Linear(2, 2).state_dict(), "d": {}, "g_ema": state, "g_optim": optimizer.state_dict()}
        root |= {"args": argparse.Namespace(size=g.resolution, n_mlp=g.mapping_layers), "ada_aug_p": 0.0}
    if kind == "bare":
        root = state
    buffer = io.BytesIO()
    torch.save(root, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def draw(network: Generator, seed: int, *, truncation: float = 1.0, cutoff: int | None = None) -> torch.Tensor:
    """The picture ``[3, R, R]`` of a seed."""
    w = network.mapping(network.latents([seed]), truncation=truncation, truncation_cutoff=cutoff)
    return network.synthesis(network.styles(w))[0]


def relative_error(result: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((result.double() - wanted).norm() / wanted.norm())
