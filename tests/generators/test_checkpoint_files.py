"""The builders write the types that the original programs write.

The tables were made once by running the original constructors and training loops' snapshots, with torch 1.9 and 2.13,
and by TensorFlow 1.15; "|" separates what one attribute may be. A tensor is told by its dtype and dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import (
    Network,
    Persistent,
    draw,
    nvidia_bytes,
    nvidia_generator,
    relative_error,
    rosinality_state,
    stylegan3_generator,
    write,
)
from literal_stylegan2 import Literal
from literal_stylegan3 import Literal3
from tensorflow_files import tensorflow_networks
from torch import nn

from zoom_engine.generators import load_generator

Table = dict[str, dict[str, str]]

INTEGER, WHOLE, SINGLE = "int", "NoneType | int", "Parameter float32 "
SIZES = dict.fromkeys(("z_dim", "c_dim", "w_dim", "num_ws"), INTEGER)
WIDTHS = dict.fromkeys(("in_channels", "out_channels", "w_dim"), INTEGER)
COMMON: Table = {
    "Generator": {**SIZES, "img_resolution": INTEGER, "img_channels": INTEGER},
    "MappingNetwork": {
        **SIZES,
        "num_layers": INTEGER,
        "w_avg_beta": "float",
        "embed": "NoneType",
        "w_avg": "Tensor float32 1",
    },
    "FullyConnectedLayer": {
        "activation": "str",
        "weight_gain": "numpy.float64",
        "bias_gain": "float | int",
        "weight": SINGLE + "2",
        "bias": SINGLE + "1",
    },
}
STYLEGAN2: Table = COMMON | {
    "SynthesisNetwork": {
        **dict.fromkeys(("w_dim", "num_ws", "img_resolution", "img_resolution_log2", "img_channels"), INTEGER),
        "block_resolutions": "list of int",
    },
    "SynthesisBlock": {
        **dict.fromkeys(("in_channels", "w_dim", "resolution", "img_channels", "num_conv", "num_torgb"), INTEGER),
        **dict.fromkeys(("is_last", "use_fp16", "channels_last"), "bool"),
        "architecture": "str",
        "const": SINGLE + "3",
        "resample_filter": "Tensor float32 2",
    },
    "SynthesisLayer": {
        **dict.fromkeys(("resolution", "up", "padding"), INTEGER),
        "use_noise": "bool",
        "activation": "str",
        "conv_clamp": WHOLE,
        "act_gain": "numpy.float64",
        "weight": SINGLE + "4",
        "bias": SINGLE + "1",
        "noise_strength": SINGLE + "0",
        "noise_const": "Tensor float32 2",
        "resample_filter": "Tensor float32 2",
    },
    "ToRGBLayer": {
        "conv_clamp": WHOLE,
        "weight_gain": "numpy.float64",
        "weight": SINGLE + "4",
        "bias": SINGLE + "1",
    },
    "Conv2dLayer": {
        **dict.fromkeys(("up", "down", "padding", "act_gain"), INTEGER),
        "activation": "str",
        "conv_clamp": "NoneType",
        "weight_gain": "numpy.float64",
        "bias": "NoneType",
        "weight": SINGLE + "4",
        "resample_filter": "Tensor float32 2",
    },
}
WIDER: Table = {  # what the same classes have besides in the stylegan3 repository
    "SynthesisNetwork": {"num_fp16_res": INTEGER},
    "SynthesisBlock": {"fused_modconv_default": "str"},
    "SynthesisLayer": WIDTHS,
    "ToRGBLayer": WIDTHS,
    "Conv2dLayer": {"in_channels": INTEGER, "out_channels": INTEGER},
    "FullyConnectedLayer": {"in_features": INTEGER, "out_features": INTEGER},
}
STYLEGAN2_OF_3 = {name: fields | WIDER.get(name, {}) for name, fields in STYLEGAN2.items()}
STYLEGAN3: Table = COMMON | {
    "FullyConnectedLayer": STYLEGAN2_OF_3["FullyConnectedLayer"],
    "SynthesisNetwork": {
        **dict.fromkeys(("w_dim", "num_ws", "img_resolution", "img_channels", "num_layers"), INTEGER),
        **dict.fromkeys(("num_critical", "margin_size", "num_fp16_res"), INTEGER),
        "output_scale": "float",
        "layer_names": "list of str",
    },
    "SynthesisInput": {
        "w_dim": INTEGER,
        "channels": INTEGER,
        "size": "array int64 1",
        "sampling_rate": "numpy.float64",
        "bandwidth": "numpy.float64",
        "weight": SINGLE + "2",
        **dict.fromkeys(("transform", "freqs"), "Tensor float32 2"),
        "phases": "Tensor float32 1",
    },
    "SynthesisLayer": {
        **WIDTHS,
        **dict.fromkeys(("is_torgb", "is_critically_sampled", "down_radial"), "bool"),
        "use_fp16": "numpy.bool",
        **dict.fromkeys(("in_size", "out_size"), "array int64 1"),
        **dict.fromkeys(("in_sampling_rate", "out_sampling_rate", "tmp_sampling_rate", "conv_kernel"), INTEGER),
        **dict.fromkeys(("in_cutoff", "out_cutoff", "in_half_width", "out_half_width"), "numpy.float64"),
        "conv_clamp": WHOLE,
        "magnitude_ema_beta": "float",
        **dict.fromkeys(("up_factor", "up_taps", "down_factor", "down_taps"), INTEGER),
        "padding": "list of int",
        "weight": SINGLE + "4",
        "bias": SINGLE + "1",
        "magnitude_ema": "Tensor float32 0",
        "up_filter": "NoneType | Tensor float32 1",
        "down_filter": "NoneType | Tensor float32 1 | Tensor float32 2",
    },
}
ONLY_SOMETIMES = {"const", "embed"}  # at the lowest resolution; None where there are no classes


def kind(value: Any) -> str:
    match value:
        case torch.Tensor():
            return f"{type(value).__name__} {str(value.dtype).removeprefix('torch.')} {value.dim()}"
        case np.ndarray():
            return f"array {value.dtype} {value.ndim}"
        case np.generic():
            return f"numpy.{value.dtype}".removesuffix("_")
        case list():
            return "list of " + " | ".join(sorted({kind(item) for item in value}))
    return type(value).__name__


def _attributes(module: Persistent) -> dict[str, Any]:
    """The module's own, and its parameters and buffers; torch keeps the rest of its ``__dict__``."""
    attributes = {name: value for name, value in module.__dict__.items() if name not in nn.Module().__dict__}
    values = {**attributes, **module._parameters, **module._buffers}
    return {name: value for name, value in values.items() if name not in ("_init_args", "_init_kwargs")}


@pytest.mark.parametrize(
    ("generator", "table"),
    [
        (nvidia_generator(Literal(conv_clamp=256.0)), STYLEGAN2),
        (nvidia_generator(Literal(architecture="resnet")), STYLEGAN2),
        (nvidia_generator(Literal(architecture="orig", c_dim=3, embed_dim=12)), STYLEGAN2),
        (nvidia_generator(Literal(conv_clamp=256.0), repository="stylegan3"), STYLEGAN2_OF_3),
        (
            nvidia_generator(Literal(architecture="resnet", c_dim=2, embed_dim=12), repository="stylegan3"),
            STYLEGAN2_OF_3,
        ),
        (stylegan3_generator(Literal3()), STYLEGAN3),
        (stylegan3_generator(Literal3(kernel=1, radial=True)), STYLEGAN3),
        (stylegan3_generator(Literal3(c_dim=3, conv_clamp=None)), STYLEGAN3),
    ],
    ids=["ada", "ada resnet", "ada classes", "two of three", "two of three classes", "T", "R", "T classes"],
)
def test_every_attribute_of_nvidias_modules_has_the_type_of_the_original(generator: Persistent, table: Table) -> None:
    seen = set()
    for module in generator.modules():
        name, _ = Persistent.names[id(module)]
        seen.add(name)
        result, wanted = _attributes(module), table[name]
        assert wanted.keys() - result.keys() <= ONLY_SOMETIMES
        for attribute, value in result.items():
            assert kind(value) in wanted[attribute].split(" | "), f"{name}.{attribute}"
    assert table.keys() - {"Conv2dLayer", "ToRGBLayer"} <= seen


def test_the_other_repositorys_stylegan2_is_the_same_generator(tmp_path: Any) -> None:
    literal = Literal(conv_clamp=2.0)
    generator = nvidia_generator(literal, repository="stylegan3")
    network = load_generator(write(tmp_path / "x", nvidia_bytes(literal, generator=generator)))
    assert relative_error(draw(network, 1), literal.image(1)) < 1e-4


NETWORK_4 = {
    "version": INTEGER,
    **dict.fromkeys(("name", "build_module_src", "build_func_name"), "str"),
    **dict.fromkeys(("static_kwargs", "components"), "dict"),
    "variables": "list of tuple",
}
NETWORK_5 = NETWORK_4 | {
    **dict.fromkeys(("input_shapes", "output_shapes"), "list of list of NoneType | int"),
    **dict.fromkeys(("input_names", "output_names"), "list of str"),
}


@pytest.mark.parametrize(("version", "table"), [(4, NETWORK_4), (5, NETWORK_5)])
def test_every_field_and_variable_of_tensorflows_networks_has_the_type_of_the_original(
    version: int, table: dict[str, str]
) -> None:
    literal = Literal(c_dim=3, embed_dim=10, conv_clamp=256.0) if version == 5 else Literal()
    networks = tensorflow_networks(literal, version=version)
    assert type(networks) is tuple
    average = networks[2]
    assert list(average.state["components"]) == ["synthesis", "mapping"]
    scalars = set()
    for network in (average, *average.state["components"].values()):
        assert isinstance(network, Network)
        assert {name: kind(value) for name, value in network.state.items()} == table
        assert {kind(value) for value in network.state["static_kwargs"].values()} <= {INTEGER, "str"}
        for name, value in network.state["variables"]:
            assert type(name) is str
            assert kind(value) == "numpy.float32" or kind(value).startswith("array float32 ")
            scalars |= {name.split("/")[-1]} if isinstance(value, np.generic) else set()
    assert scalars == ({"noise_strength"} if version == 5 else {"noise_strength", "lod"})
    arguments = average.state["static_kwargs"]
    assert ("conv_clamp" in arguments, "architecture" in arguments) == (version == 5, False)
    assert average.state["components"]["mapping"].state["static_kwargs"] == {"dlatent_broadcast": 8, **arguments}


def test_rosinalitys_state_has_the_types_and_shapes_of_the_original() -> None:
    state = rosinality_state(Literal(resolution=8, channels=(5, 4)))
    assert (type(state).__name__, hasattr(state, "_metadata")) == ("OrderedDict", True)
    assert {kind(value).rsplit(" ", 1)[0] for value in state.values()} == {"Tensor float32"}
    assert {name: tuple(state[name].shape) for name in state if name.startswith(("input", "convs.0", "to_rgbs"))} == {
        "input.input": (1, 5, 4, 4),
        "convs.0.conv.weight": (1, 4, 5, 3, 3),
        "convs.0.conv.blur.kernel": (4, 4),
        "convs.0.conv.modulation.weight": (5, 12),
        "convs.0.conv.modulation.bias": (5,),
        "convs.0.noise.weight": (1,),
        "convs.0.activate.bias": (4,),
        "to_rgbs.0.bias": (1, 3, 1, 1),
        "to_rgbs.0.upsample.kernel": (4, 4),
        "to_rgbs.0.conv.weight": (1, 3, 4, 1, 1),
        "to_rgbs.0.conv.modulation.weight": (4, 12),
        "to_rgbs.0.conv.modulation.bias": (4,),
    }
