"""Files that contain a program and run it: TorchScript, and what `torch.export` saved. For trusted files only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line, system_errors
from zoom_engine.common.files.kinds_of_file import check_trust
from zoom_engine.common.threads import quiet
from zoom_engine.targets.entry import OneByOne
from zoom_engine.targets.loaders.loaded_model import PROBE_SIZE, LoadedModel, Reading
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed
from zoom_engine.targets.target import probe_images


def load_torchscript(path: Path, how: Reading) -> LoadedModel:
    """Load a scripted or traced module; its preprocessing is for the user to say.

    Raises:
        TargetError: it is not trusted, or cannot be loaded.
    """
    check_trust(path, "torchscript", how.trust)
    network = _load(path, lambda: torch.jit.load(str(path), map_location="cpu").eval())  # type: ignore[no-untyped-call]
    return _loaded(path, network, Preprocessing(), how)


def load_exported_program(path: Path, how: Reading) -> LoadedModel:
    """Load a `.pt2` program of one input; a size and layout that it fixes are taken from it.

    Raises:
        TargetError: it is not trusted, cannot be loaded, or takes something else than images.
    """
    check_trust(path, "exported-program", how.trust)
    program = _load(path, lambda: torch.export.load(str(path)))
    shape = _input_shape(path, program)
    layout = {"layout": "NHWC"} if shape[3] == 3 and shape[1] != 3 else {}
    sides = shape[1:3] if layout else shape[2:4]
    size = {"size": (sides[0], sides[1])} if sides[0] and sides[1] else {}
    network: nn.Module = Exported(program.module())
    if shape[0] == 1:
        network = OneByOne(network)
    elif shape[0] is not None:
        raise TargetError(f"{path}: takes exactly {shape[0]} images at a time: export it with a dynamic batch")
    return _loaded(path, network, Preprocessing.from_dict({**size, **layout}), how)


class Exported(nn.Module):
    """An exported program as a module."""

    def __init__(self, program: nn.Module) -> None:
        """Wrap the program."""
        super().__init__()
        self.program = program

    def train(self, mode: bool = True) -> Exported:
        """Return itself: a program has no modes to switch between, and refuses to be asked."""
        return self

    def forward(self, x: Tensor) -> Any:
        """Run the program."""
        return self.program(x)


def _load(path: Path, load: Callable[[], Any]) -> Any:
    try:
        with quiet():  # newer torch versions call TorchScript deprecated
            return load()
    except Exception as error:  # torch's loaders raise their own kinds
        raise TargetError(f"{path}: torch cannot load it ({one_line(error)})") from error


def _input_shape(path: Path, program: Any) -> list[int | None]:
    """Return the image input's four sizes, None where any is taken."""
    signature = program.graph_signature
    inputs = [node for node in program.graph.nodes if node.name in set(signature.user_inputs)]
    value = inputs[0].meta.get("val") if len(inputs) == 1 else None
    if not isinstance(value, Tensor) or value.ndim != 4:
        raise TargetError(f"{path}: a target takes one input of four axes, the images")
    sizes: list[Any] = list(value.shape)  # an open one is a symbol
    return [size if isinstance(size, int) else None for size in sizes]


def _loaded(path: Path, network: nn.Module, default: Preprocessing, how: Reading) -> LoadedModel:
    preprocessing = default.updated(how.options)
    for parameter in network.parameters():  # TorchScript refuses the call for the whole module
        parameter.requires_grad_(False)
    with system_errors(TargetError, f"{path} cannot be read"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    differentiable = _gives_gradients(network, preprocessing)
    return LoadedModel(
        network=network,
        name=path.stem,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=False),
        differentiable=differentiable,
        note="" if differentiable else "its program gives no gradients",
        content_hash=digest,
    )


def _gives_gradients(network: nn.Module, preprocessing: Preprocessing) -> bool:
    """Return whether the program gives gradients: it may have been saved without what a backward pass needs.

    True where it fails altogether: the error is told when the target is tried.
    """
    height, width = preprocessing.hw or (PROBE_SIZE, PROBE_SIZE)
    images = probe_images(height, width, count=1).requires_grad_(True)
    try:
        with torch.enable_grad():
            result = network(preprocessing(images))
        return not isinstance(result, Tensor) or result.requires_grad
    except Exception:  # a guard of torch.export's is an AssertionError
        return True
