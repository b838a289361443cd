"""NVIDIA's PyTorch pickles: what stylegan2-ada-pytorch and the stylegan3 repository write.

The pickle is a dictionary with `G`, `D`, `G_ema` and more. Each module reduces to
`torch_utils.persistence._reconstruct_persistent_obj` with its class name, its source code and its `__dict__`; the
source is never run. Where defaults changed between releases (gains, clamps, half precision), values are read from the
stored modules, not from the arguments they were made with.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.nvidia_modules import Module, Reader
from zoom_engine.generators.checkpoints.nvidia_stylegan3 import StyleGAN3Reader
from zoom_engine.generators.checkpoints.pickles import PersistentRecord, printable
from zoom_engine.generators.checkpoints.recipe import Recipe
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan3.config import StyleGAN3Config

FORMAT = "NVIDIA PyTorch pickle"
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def nvidia_recipe(root: object) -> Recipe:
    """Return the recipe of `G_ema` in an unpickled file.

    Raises:
        CheckpointError: there is no such network, or it is damaged or not supported.
    """
    if isinstance(root, dict):
        if "G_ema" in root and not isinstance(root["G_ema"], PersistentRecord):
            raise CheckpointError("is a pickle whose 'G_ema' is none of NVIDIA's networks, as their code saves them")
        if "G_ema" not in root:
            keys = ", ".join(printable(key) for key in list(root)[:8])
            raise CheckpointError(f"is a pickle without the network 'G_ema'; it has {keys or 'nothing'}")
        root = root["G_ema"]
    if not isinstance(root, PersistentRecord):
        raise CheckpointError("is a pickle, but none of NVIDIA's networks")
    if "input" in Module(root, "G_ema", "StyleGAN").child("synthesis").names():
        third, generator = StyleGAN3Reader(), Module(root, "G_ema", "StyleGAN3")
        shape = third.read_synthesis(generator.child("synthesis")) | third.read_mapping(generator.child("mapping"))
        return Recipe(FORMAT, StyleGAN3Config(**shape), third.sources, third.facts(generator))
    reader, generator = _StyleGAN2Reader(), Module(root, "G_ema", "StyleGAN2")
    shape = reader.read_synthesis(generator.child("synthesis")) | reader.read_mapping(generator.child("mapping"))
    return Recipe(FORMAT, StyleGAN2Config(**shape), reader.sources, reader.facts(generator))


class _StyleGAN2Reader(Reader):
    def __init__(self) -> None:
        super().__init__()
        self.architectures: set[str] = set()

    def filter(self, module: Module) -> None:
        stored = module.optional_tensor("resample_filter")
        if stored is None:
            return
        values = stored.array() if math.prod(stored.shape) == 16 else None
        if values is None or values.shape != FILTER.shape or not np.allclose(values, FILTER, atol=1e-6):
            raise CheckpointError(f"cannot be loaded: {module.path} up-samples with another filter than [1, 3, 3, 1]")

    def convolution(self, target: str, module: Module, *, up: int, resolution: int) -> None:
        module.expect("activation", "lrelu")
        module.expect("up", up)
        if abs(module.number("act_gain") - math.sqrt(2)) > 1e-6:
            raise CheckpointError(f"cannot be loaded: {module.path}.act_gain is not √2")
        self.clamp(module)
        self.filter(module)
        self.fully_connected(f"{target}.affine", module.child("affine"), "linear")
        self.take(f"{target}.weight", module, "weight")
        self.take(f"{target}.bias", module, "bias")
        if module.optional_tensor("noise_strength") is not None and module.value("use_noise", True) is True:
            self.take(f"{target}.noise_strength", module, "noise_strength")
            self.take(f"{target}.noise_const", module, "noise_const")
        else:
            self.sources[f"{target}.noise_strength"] = lambda: np.zeros((), np.float32)
            self.sources[f"{target}.noise_const"] = lambda: np.zeros((resolution, resolution), np.float32)

    def read_synthesis(self, synthesis: Module) -> dict[str, Any]:
        names = [name for name in synthesis.names() if re.fullmatch(r"b\d{1,5}", name)]
        resolutions = sorted(int(name[1:]) for name in names)
        if not resolutions or resolutions != [4 << i for i in range(len(resolutions))]:
            raise CheckpointError(
                f"has no StyleGAN2 generator: its blocks are {', '.join(sorted(names)[:8]) or 'missing'}"
            )
        channels = []
        for resolution in resolutions:
            block = synthesis.child(f"b{resolution}")
            channels.append(self.read_block(block, resolution, last=resolution == resolutions[-1]))
        if len(self.architectures) != 1:
            raise CheckpointError("cannot be loaded: its blocks have different architectures")
        return {
            "resolution": resolutions[-1],
            "channels": tuple(channels),
            "conv_clamp": self.the_clamp(),
            "architecture": self.architectures.pop(),
        }

    def read_block(self, block: Module, resolution: int, *, last: bool) -> int:
        architecture = block.value("architecture")
        if architecture not in ("skip", "orig", "resnet"):
            raise CheckpointError(f"cannot be loaded: {block.path} has an unknown architecture")
        self.architectures.add(architecture)
        if block.value("use_fp16") is True:
            self.half.append(resolution)
        self.filter(block)
        if resolution == 4:
            self.take("const", block, "const")
        else:
            self.convolution(f"convs.b{resolution}_conv0", block.child("conv0"), up=2, resolution=resolution)
        conv1 = block.child("conv1")
        width = conv1.shape("weight", 4)[0]
        self.convolution(f"convs.b{resolution}_conv1", conv1, up=1, resolution=resolution)
        if architecture == "resnet" and resolution > 4:
            skip = block.child("skip")
            skip.expect("activation", "linear", absent=False)
            skip.expect("up", 2)
            skip.expect("conv_clamp", None)
            self.filter(skip)
            gain = skip.number("weight_gain") * math.sqrt(0.5)
            self.take(f"around.b{resolution}_conv1.weight", skip, "weight", gain)
        if last or architecture == "skip":
            rgb, target = block.child("torgb"), f"to_rgb.b{resolution}_torgb"
            if rgb.shape("weight", 4)[0] != 3:
                raise CheckpointError(f"draws {rgb.shape('weight', 4)[0]} colour channels; only RGB is supported")
            self.clamp(rgb)
            self.fully_connected(f"{target}.affine", rgb.child("affine"), "linear")
            self.take(f"{target}.weight", rgb, "weight", rgb.number("weight_gain"))
            self.take(f"{target}.bias", rgb, "bias")
        return width
