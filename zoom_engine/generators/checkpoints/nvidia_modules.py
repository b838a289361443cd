"""A persistent record read as the module that it was, and the reading that NVIDIA's networks have in common."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.pickles import LongText, PersistentRecord, TensorRecord
from zoom_engine.generators.checkpoints.recipe import MOST_MAPPING_LAYERS, W_AVG, Source, mapping_fields


class Module:
    """A persistent record as the `torch.nn.Module` that it was; every lookup says what is missing."""

    def __init__(self, record: PersistentRecord, path: str, family: str) -> None:
        """Wrap a record; `path` and `family` name it in messages."""
        self.record = record
        self.path = path
        self.family = family

    def _group(self, group: str) -> dict[Any, Any]:
        value = self.record.state.get(group)
        return value if isinstance(value, dict) else {}

    def names(self) -> list[str]:
        """Return the names of the modules in it."""
        return [name for name in self._group("_modules") if isinstance(name, str)]

    def child(self, name: str) -> Module:
        """Return the module `name` in it; CheckpointError where there is none."""
        value = self._group("_modules").get(name)
        if not isinstance(value, PersistentRecord):
            raise CheckpointError(f"has no {self.family} generator: {self.path} lacks '{name}'")
        return Module(value, f"{self.path}.{name}", self.family)

    def tensor(self, name: str) -> TensorRecord:
        """Return the parameter or buffer `name`; CheckpointError where there is none."""
        tensor = self.optional_tensor(name)
        if tensor is None:
            raise CheckpointError(f"has no {self.family} generator: {self.path} lacks '{name}'")
        return tensor

    def optional_tensor(self, name: str) -> TensorRecord | None:
        """Return the parameter or buffer `name`; None where there is none."""
        tensor = self._group("_parameters").get(name)
        if tensor is None:
            tensor = self._group("_buffers").get(name)
        return tensor if isinstance(tensor, TensorRecord) else None

    def value(self, name: str, default: object = None) -> Any:
        """Return the plain attribute `name`, or the `default`."""
        return self.record.state.get(name, default)

    def number(self, name: str) -> float:
        """Return the attribute `name`; CheckpointError where it is no finite number."""
        value = self.value(name)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise CheckpointError(f"is not understood: {self.path} has no number '{name}'")
        return float(value)

    def expect(self, name: str, wanted: object, *, absent: bool = True) -> None:
        """Refuse a module whose attribute `name` is not `wanted`, the only value supported.

        Args:
            name: the attribute.
            wanted: a text, a number, a boolean or None.
            absent: whether a missing attribute counts as `wanted`.

        Raises:
            CheckpointError: it has another value.
        """
        value = self.value(name, wanted if absent else None)
        if type(value) not in (str, int, float, bool, type(None)) or value != wanted:
            raise CheckpointError(f"cannot be loaded: {self.path}.{name} is not {wanted!r}, the only one supported")

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of the tensor `name`; CheckpointError where it has another number of `dimensions`."""
        shape = self.tensor(name).shape
        if len(shape) != dimensions:
            raise CheckpointError(f"is damaged: {self.path}.{name} has the shape {list(shape)}")
        return shape

    def source_hashes(self) -> list[str]:
        """Return the SHA-256 (hex) of the source codes of this module and of those within it."""
        records: dict[int, PersistentRecord] = {}
        waiting = [self.record]
        while waiting:
            record = waiting.pop()
            if id(record) not in records:
                records[id(record)] = record
                children = record.state.get("_modules")
                if isinstance(children, dict):
                    waiting += [child for child in children.values() if isinstance(child, PersistentRecord)]
        sources = {id(record.source): record.source for record in records.values()}
        return sorted({_sha256(source) for source in sources.values()})


def _sha256(source: str | LongText) -> str:
    digest = hashlib.sha256()
    for piece in source.utf8() if isinstance(source, LongText) else (source.encode("utf-8", "surrogatepass"),):
        digest.update(piece)
    return digest.hexdigest()


class Reader:
    """The reading that the networks of both families have in common: it collects where the weights are."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self.sources: dict[str, Source] = {}
        self.half: list[int | str] = []
        self.clamps: set[float | None] = set()

    def facts(self, generator: Module) -> tuple[tuple[str, str], ...]:
        """Return what else the file says of the generator, as labels and texts."""
        half = ", ".join(map(str, self.half))
        average = "truncation stays at 1" if "mapping_network.embed.weight" in self.sources else "measured when loaded"
        return (
            *((("note", f"no average latent inside: {average}"),) if W_AVG not in self.sources else ()),
            *((("note", f"half precision at {half}: run in float32 here"),) if half else ()),
            ("note", f"source code inside, never run: SHA-256 {', '.join(generator.source_hashes()[:8])}"),
        )

    # Weights as they are used: the gains of equalised learning rates are multiplied in.

    def take(self, target: str, module: Module, name: str, gain: float = 1.0) -> None:
        """Read the weights `target` from the tensor `name` of `module`, times `gain`."""
        record = module.tensor(name)
        self.sources[target] = lambda: record.array() * np.float32(gain) if gain != 1.0 else record.array()

    def fully_connected(self, target: str, module: Module, activation: str) -> None:
        """Read weight and bias of a fully connected layer, times their gains."""
        module.expect("activation", activation, absent=False)
        self.take(f"{target}.weight", module, "weight", module.number("weight_gain"))
        self.take(f"{target}.bias", module, "bias", module.number("bias_gain"))

    def clamp(self, module: Module) -> None:
        """Note the limit of a layer's activations."""
        value = module.value("conv_clamp")
        if value is not None and type(value) not in (int, float):
            raise CheckpointError(f"is not understood: {module.path}.conv_clamp is no number")
        self.clamps.add(value)

    def the_clamp(self) -> float | None:
        """Return the one limit of all layers; CheckpointError where there are several."""
        if len(self.clamps) != 1:
            raise CheckpointError(f"cannot be loaded: its layers have {len(self.clamps)} values of conv_clamp, not one")
        clamp = self.clamps.pop()
        return None if clamp is None else float(clamp)

    def read_mapping(self, mapping: Module) -> dict[str, Any]:
        """Read the mapping network and return its fields of the configuration."""
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
