"""NVIDIA's PyTorch pickles: stylegan2-ada-pytorch, and StyleGAN2 networks that the stylegan3 repository wrote.

The pickle is a dictionary with ``G``, ``D``, ``G_ema`` and more. Each module reduces to
``torch_utils.persistence._reconstruct_persistent_obj`` with its class name, its source code and its ``__dict__``;
the source is never run. What defaults changed between releases (gains, clamps, half precision) is read from the
stored modules, not from the arguments they were made with.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

import numpy as np

from zoom_engine.errors import CheckpointError
from zoom_engine.generators.checkpoints.pickles import LongText, PersistentRecord, TensorRecord, printable
from zoom_engine.generators.checkpoints.recipe import W_AVG, Recipe, Source, mapping_fields
from zoom_engine.generators.stylegan2.config import StyleGAN2Config

FORMAT = "NVIDIA PyTorch pickle"
MOST_MAPPING_LAYERS = 64
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


class _Module:
    """A persistent record as the ``torch.nn.Module`` that it was; every lookup says what is missing."""

    def __init__(self, record: PersistentRecord, path: str) -> None:
        self.record = record
        self.path = path

    def _group(self, group: str) -> dict[Any, Any]:
        found = self.record.state.get(group)
        return found if isinstance(found, dict) else {}

    def names(self) -> list[str]:
        return [name for name in self._group("_modules") if isinstance(name, str)]

    def child(self, name: str) -> _Module:
        found = self._group("_modules").get(name)
        if not isinstance(found, PersistentRecord):
            raise CheckpointError(f"has no StyleGAN2 generator: {self.path} lacks '{name}'")
        return _Module(found, f"{self.path}.{name}")

    def tensor(self, name: str) -> TensorRecord:
        found = self.optional_tensor(name)
        if found is None:
            raise CheckpointError(f"has no StyleGAN2 generator: {self.path} lacks '{name}'")
        return found

    def optional_tensor(self, name: str) -> TensorRecord | None:
        found = self._group("_parameters").get(name)
        if found is None:
            found = self._group("_buffers").get(name)
        return found if isinstance(found, TensorRecord) else None

    def value(self, name: str, default: Any = None) -> Any:
        return self.record.state.get(name, default)

    def number(self, name: str) -> float:
        found = self.value(name)
        if type(found) not in (int, float) or not math.isfinite(found):
            raise CheckpointError(f"is not understood: {self.path} has no number '{name}'")
        return float(found)

    def expect(self, name: str, wanted: Any, *, absent: bool = True) -> None:
        found = self.value(name, wanted if absent else None)
        if type(found) not in (str, int, float, bool, type(None)) or found != wanted:
            raise CheckpointError(f"cannot be loaded: {self.path}.{name} is not {wanted!r}, the only one supported")

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        shape = self.tensor(name).shape
        if len(shape) != dimensions:
            raise CheckpointError(f"is damaged: {self.path}.{name} has the shape {list(shape)}")
        return shape

    def source_hashes(self) -> list[str]:
        """SHA-256 (hex) of the source codes of this module and of those within it."""
        found: dict[int, PersistentRecord] = {}
        waiting = [self.record]
        while waiting:
            record = waiting.pop()
            if id(record) not in found:
                found[id(record)] = record
                children = record.state.get("_modules")
                if isinstance(children, dict):
                    waiting += [child for child in children.values() if isinstance(child, PersistentRecord)]
        sources = {id(record.source): record.source for record in found.values()}
        return sorted({_sha256(source) for source in sources.values()})


def _sha256(source: str | LongText) -> str:
    digest = hashlib.sha256()
    for piece in source.utf8() if isinstance(source, LongText) else (source.encode("utf-8", "surrogatepass"),):
        digest.update(piece)
    return digest.hexdigest()


def nvidia_recipe(root: Any) -> Recipe:
    """The recipe of ``G_ema`` in an unpickled file. Raises :class:`CheckpointError`."""
    if isinstance(root, dict):
        if "G_ema" in root and not isinstance(root["G_ema"], PersistentRecord):
            raise CheckpointError("is a pickle whose 'G_ema' is none of NVIDIA's networks, as their code saves them")
        if "G_ema" not in root:
            keys = ", ".join(printable(key) for key in list(root)[:8])
            raise CheckpointError(f"is a pickle without the network 'G_ema'; it has {keys or 'nothing'}")
        root = root["G_ema"]
    if not isinstance(root, PersistentRecord):
        raise CheckpointError("is a pickle, but none of NVIDIA's networks")
    generator = _Module(root, "G_ema")
    synthesis, mapping = generator.child("synthesis"), generator.child("mapping")
    if "input" in synthesis.names():
        raise CheckpointError("holds a StyleGAN3 generator: only StyleGAN2 has the StyleSpace that edits need")
    reader = _Reader()
    shape = reader.read_synthesis(synthesis)
    shape |= reader.read_mapping(mapping)
    config = StyleGAN2Config(**shape)
    return Recipe(FORMAT, config, reader.sources, reader.facts(generator))


class _Reader:
    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.half: list[int] = []
        self.clamps: set[float | None] = set()
        self.architectures: set[str] = set()

    def facts(self, generator: _Module) -> tuple[str, ...]:
        half = ", ".join(map(str, self.half))
        return (
            *((f"half precision at {half}: run in float32 here",) if half else ()),
            f"source code inside, never run: SHA-256 {', '.join(generator.source_hashes()[:8])}",
        )

    # Weights as they are used: the gains of equalised learning rates are multiplied in.

    def take(self, target: str, module: _Module, name: str, gain: float = 1.0) -> None:
        record = module.tensor(name)
        self.sources[target] = lambda: record.array() * np.float32(gain) if gain != 1.0 else record.array()

    def fully_connected(self, target: str, module: _Module, activation: str) -> None:
        module.expect("activation", activation, absent=False)
        self.take(f"{target}.weight", module, "weight", module.number("weight_gain"))
        self.take(f"{target}.bias", module, "bias", module.number("bias_gain"))

    def clamp(self, module: _Module) -> None:
        value = module.value("conv_clamp")
        if value is not None and type(value) not in (int, float):
            raise CheckpointError(f"is not understood: {module.path}.conv_clamp is no number")
        self.clamps.add(value)

    def filter(self, module: _Module) -> None:
        stored = module.optional_tensor("resample_filter")
        if stored is None:
            return
        values = stored.array() if math.prod(stored.shape) == 16 else None
        if values is None or values.shape != FILTER.shape or not np.allclose(values, FILTER, atol=1e-6):
            raise CheckpointError(f"cannot be loaded: {module.path} up-samples with another filter than [1, 3, 3, 1]")

    def convolution(self, target: str, module: _Module, *, up: int, resolution: int) -> None:
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

    def read_synthesis(self, synthesis: _Module) -> dict[str, Any]:
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
        if len(self.clamps) != 1:
            raise CheckpointError(f"cannot be loaded: its layers have {len(self.clamps)} values of conv_clamp, not one")
        if len(self.architectures) != 1:
            raise CheckpointError("cannot be loaded: its blocks have different architectures")
        clamp = self.clamps.pop()
        return {
            "resolution": resolutions[-1],
            "channels": tuple(channels),
            "conv_clamp": None if clamp is None else float(clamp),
            "architecture": self.architectures.pop(),
        }

    def read_block(self, block: _Module, resolution: int, *, last: bool) -> int:
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

    def read_mapping(self, mapping: _Module) -> dict[str, Any]:
        count = mapping.value("num_layers")
        if type(count) is not int or not 1 <= count <= MOST_MAPPING_LAYERS:
            raise CheckpointError(f"cannot be loaded: {mapping.path}.num_layers is not in 1..{MOST_MAPPING_LAYERS}")
        layers = [mapping.child(f"fc{index}") for index in range(count)]
        for index, layer in enumerate(layers):
            self.fully_connected(f"mapping_network.layers.{index}", layer, "lrelu")
        w_dim, inputs = layers[-1].shape("weight", 2)[0], layers[0].shape("weight", 2)[1]
        inner = layers[0].shape("weight", 2)[0]
        c_dim = embed_dim = 0
        if "embed" in mapping.names():
            embed = mapping.child("embed")
            self.fully_connected("mapping_network.embed", embed, "linear")
            embed_dim, c_dim = embed.shape("weight", 2)
        if mapping.optional_tensor("w_avg") is not None:
            self.take(W_AVG, mapping, "w_avg")
        if inputs <= embed_dim:
            raise CheckpointError("cannot be loaded: it draws from classes alone, without a latent")
        return mapping_fields(inputs, inner, w_dim, layers=count, c_dim=c_dim, embed_dim=embed_dim)
