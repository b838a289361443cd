"""Legacy TensorFlow pickles: NVIDIA's `stylegan2` and `stylegan2-ada`, without TensorFlow.

The pickle is the tuple (G, D, Gs) of `dnnlib.tflib.network.Network` objects, each a dictionary with the arguments
(`static_kwargs`), the variables as (name, value) pairs and the component networks `mapping` and `synthesis`. Gs has the
averaged weights. A value is what a TensorFlow session returned: an array, or a numpy scalar where the variable has no
dimensions (`noise_strength`, `lod`). Convolution weights are stored height × width × in × out; up-sampling convolutions
are stored flipped with regard to a transposed convolution; the affine layers' bias is stored without its 1. Gains of
the equalised learning rate are multiplied in as TensorFlow did when it ran.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.pickles import ArrayRecord, DtypeRecord, NetworkRecord, printable
from zoom_engine.generators.checkpoints.recipe import MOST_MAPPING_LAYERS, W_AVG, Array, Recipe, Source, mapping_fields
from zoom_engine.generators.stylegan2.config import StyleGAN2Config

FORMAT = "NVIDIA TensorFlow pickle"
OLDEST_VERSION = 4
LONGEST_NAME = 200

REQUIRED: dict[str, tuple[Any, ...]] = {  # arguments that change the arithmetic, and the values supported
    "num_channels": (3,),
    "nonlinearity": ("lrelu",),
    "mapping_nonlinearity": ("lrelu",),
    "use_noise": (True,),
    "normalize_latents": (True,),
    "fused_modconv": (True, False),
    "structure": ("auto", "fixed"),
    "conditioning": (None,),
}
READ = {"architecture", "conv_clamp", "mapping_lrmul", "resample_kernel", "fmap_base", "fmap_max", "num_fp16_res"}
UNIMPORTANT = {  # told by the shapes, or only of use in training
    *("latent_size", "label_size", "dlatent_size", "resolution", "fmap_decay", "fmap_min", "mapping_layers"),
    *("mapping_fmaps", "label_fmaps", "truncation_psi", "truncation_cutoff", "truncation_psi_val"),
    *("truncation_cutoff_val", "dlatent_avg_beta", "w_avg_beta", "style_mixing_prob", "randomize_noise", "dtype"),
}


def tensorflow_recipe(root: object) -> Recipe:
    """Return the recipe of Gs in an unpickled file.

    Raises:
        CheckpointError: there is no such network, or it is damaged or not supported.
    """
    networks = root if isinstance(root, tuple) else ()
    if len(networks) != 3 or not all(isinstance(network, NetworkRecord) for network in networks):
        raise CheckpointError("is a pickle, but not the three networks (G, D, Gs) of NVIDIA's TensorFlow code")
    average: NetworkRecord = networks[2]
    version = average.state.get("version")
    if type(version) is not int or version < OLDEST_VERSION:
        raise CheckpointError(f"is too old: networks of StyleGAN2 have version {OLDEST_VERSION} or more")
    arguments = average.state.get("static_kwargs")
    reader = _Reader(_variables(average), arguments if isinstance(arguments, dict) else {})
    return Recipe(FORMAT, reader.read(), reader.sources, reader.facts())


def _variables(network: NetworkRecord) -> dict[str, ArrayRecord]:
    """Return the variables of the network and its two components, under "mapping/" and "synthesis/"."""
    variables: dict[str, ArrayRecord] = {}
    components = network.state.get("components")
    parts: dict[str, Any] = {"": network}
    if isinstance(components, dict):
        parts |= {f"{name}/": components[name] for name in ("mapping", "synthesis") if name in components}
    for prefix, part in parts.items():
        pairs = part.state.get("variables") if isinstance(part, NetworkRecord) else None
        for pair in pairs if isinstance(pairs, list) else []:
            match pair:
                case (str() as name, ArrayRecord() as value) if len(name) <= LONGEST_NAME:
                    variables[prefix + name] = value
                case (str() as name, float() as value) if len(name) <= LONGEST_NAME:
                    variables[prefix + name] = _without_dimensions(value)
    return variables


def _without_dimensions(value: float) -> ArrayRecord:
    """Return the array that a floating-point scalar stands for, of shape ()."""
    return ArrayRecord(shape=(), dtype=DtypeRecord("f8"), data=struct.pack("<d", value))


class _Reader:
    def __init__(self, variables: dict[str, ArrayRecord], arguments: dict[Any, Any]) -> None:
        self.variables = variables
        self.arguments = arguments
        self.sources: dict[str, Source] = {}

    def facts(self) -> tuple[tuple[str, str], ...]:
        base = self.arguments.get("fmap_base")
        return (("note", f"channel_base {2 * base} (fmap_base {base})"),) if type(base) is int else ()

    def record(self, name: str, dimensions: int) -> ArrayRecord:
        variable = self.variables.get(name)
        if variable is None or len(variable.shape) != dimensions:
            shape = (
                "missing, or neither an array nor a floating-point number"
                if variable is None
                else f"of shape {list(variable.shape)}"
            )
            raise CheckpointError(f"does not fit: TensorFlow's variable '{name}' is {shape}")
        return variable

    def number(self, name: str, default: float) -> float:
        value = self.arguments.get(name, default)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise CheckpointError(f"is not understood: its argument '{name}' is no number")
        return float(value)

    def check_arguments(self) -> str:
        """Return the architecture, once nothing in the arguments asks for what is not supported."""
        for name, value in self.arguments.items():
            shown = printable(name)
            if name in REQUIRED and (type(value) not in (str, int, bool, type(None)) or value not in REQUIRED[name]):
                raise CheckpointError(f"cannot be loaded: its argument '{shown}' is not {REQUIRED[name][0]!r}")
            if name not in REQUIRED and name not in READ and name not in UNIMPORTANT:
                raise CheckpointError(f"cannot be loaded: its argument '{shown}' is unknown to StyleGAN2")
        kernel = self.arguments.get("resample_kernel")
        if kernel is not None and list(kernel if type(kernel) in (list, tuple) else ()) != [1, 3, 3, 1]:
            raise CheckpointError("cannot be loaded: it up-samples with another filter than [1, 3, 3, 1]")
        architecture = self.arguments.get("architecture") or "skip"
        if architecture not in ("skip", "orig", "resnet"):
            raise CheckpointError("cannot be loaded: its architecture is unknown")
        return str(architecture)

    def dense(self, target: str, weight: str, bias: str, *, rate: float = 1.0, plus: float = 0.0) -> None:
        record, offset = self.record(weight, 2), self.record(bias, 1)
        gain = np.float32(rate / math.sqrt(max(record.shape[0], 1)))
        self.sources[f"{target}.weight"] = lambda: record.array().T * gain
        self.sources[f"{target}.bias"] = lambda: offset.array() * np.float32(rate) + np.float32(plus)

    def weight(self, target: str, name: str, *, flip: bool = False, gain: float = 1.0) -> int:
        record = self.record(name, 4)
        height, width, cin, cout = record.shape
        scale = np.float32(gain / math.sqrt(max(height * width * cin, 1)))

        def source() -> Array:
            value = record.array()
            return (value[::-1, ::-1] if flip else value).transpose(3, 2, 0, 1) * scale

        self.sources[target] = source
        return cout

    def leading(self, target: str, name: str, dimensions: int, drop: int) -> None:
        """Read a variable whose first `drop` axes have length 1."""
        record = self.record(name, dimensions)
        if any(size != 1 for size in record.shape[:drop]):
            raise CheckpointError(f"does not fit: TensorFlow's variable '{name}' is of shape {list(record.shape)}")
        self.sources[target] = lambda: record.array().reshape(record.shape[drop:])

    def modulated(self, target: str, scope: str, *, flip: bool = False) -> int:
        self.dense(f"{target}.affine", f"{scope}/mod_weight", f"{scope}/mod_bias", plus=1.0)
        self.leading(f"{target}.bias", f"{scope}/bias", 1, 0)
        return self.weight(f"{target}.weight", f"{scope}/weight", flip=flip)

    def convolution(self, target: str, scope: str, noise: int, *, up: bool = False) -> int:
        self.leading(f"{target}.noise_strength", f"{scope}/noise_strength", 0, 0)
        self.leading(f"{target}.noise_const", f"synthesis/noise{noise}", 4, 2)
        return self.modulated(target, scope, flip=up)

    def read(self) -> StyleGAN2Config:
        architecture = self.check_arguments()
        if any("LabelConcat" in name for name in self.variables):
            raise CheckpointError(
                "cannot be loaded: it normalises latent and class together; with classes only stylegan2-ada's are read"
            )
        matches = (re.fullmatch(r"synthesis/(\d{1,5})x\1/Conv1/weight", name) for name in self.variables)
        resolutions = [4, *sorted(int(match[1]) for match in matches if match)]
        if resolutions != [4 << i for i in range(len(resolutions))]:
            raise CheckpointError(f"has no StyleGAN2 generator: its blocks are {resolutions[:8]}")
        self.leading("const", "synthesis/4x4/Const/const", 4, 1)
        channels = [self.convolution("convs.b4_conv1", "synthesis/4x4/Conv", 0)]
        for index, resolution in enumerate(resolutions[1:]):
            scope, block = f"synthesis/{resolution}x{resolution}", f"convs.b{resolution}"
            self.convolution(f"{block}_conv0", f"{scope}/Conv0_up", 2 * index + 1, up=True)
            channels.append(self.convolution(f"{block}_conv1", f"{scope}/Conv1", 2 * index + 2))
            if architecture == "resnet":
                self.weight(f"around.b{resolution}_conv1.weight", f"{scope}/Skip/weight", gain=math.sqrt(0.5))
        for resolution in resolutions if architecture == "skip" else resolutions[-1:]:
            self.modulated(f"to_rgb.b{resolution}_torgb", f"synthesis/{resolution}x{resolution}/ToRGB")
        clamp = self.arguments.get("conv_clamp")
        return StyleGAN2Config(
            resolution=resolutions[-1],
            channels=tuple(channels),
            conv_clamp=None if clamp is None else self.number("conv_clamp", 0.0),
            architecture=architecture,
            **self.read_mapping(),
        )

    def read_mapping(self) -> dict[str, Any]:
        count = 0
        while f"mapping/Dense{count}/weight" in self.variables and count <= MOST_MAPPING_LAYERS:
            count += 1
        if not 1 <= count <= MOST_MAPPING_LAYERS:
            raise CheckpointError(f"does not fit: its mapping network has {count} layers")
        rate = self.number("mapping_lrmul", 0.01)
        for index in range(count):
            scope = f"mapping/Dense{index}"
            self.dense(f"mapping_network.layers.{index}", f"{scope}/weight", f"{scope}/bias", rate=rate)
        c_dim = embed_dim = 0
        if "mapping/LabelEmbed/weight" in self.variables:
            self.dense("mapping_network.embed", "mapping/LabelEmbed/weight", "mapping/LabelEmbed/bias")
            c_dim, embed_dim = self.record("mapping/LabelEmbed/weight", 2).shape
        self.leading(W_AVG, "dlatent_avg", 1, 0)
        inputs, inner = self.record("mapping/Dense0/weight", 2).shape
        w_dim = self.record(f"mapping/Dense{count - 1}/weight", 2).shape[1]
        return mapping_fields(inputs, inner, w_dim, layers=count, c_dim=c_dim, embed_dim=embed_dim)
