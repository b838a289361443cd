"""torchvision's and timm's architectures with weights from a file: "torchvision:resnet50@weights.pt"."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, imported, one_line
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.common.threads import quiet
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.module import final_activation
from zoom_engine.targets.loaders.published import timm_weights, torchvision_weights
from zoom_engine.targets.loaders.state_dict import BESIDE, read_state_dict
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.preprocessing import Preprocessing

LIBRARIES = ("torchvision", "timm")
Build = Callable[[int | None], nn.Module]
RESCALING = ("googlenet", "inception_v3")
"""The networks of torchvision that bring pictures to a scale of their own, unless they are built without weights."""
COUNT = ".num_batches_tracked"


def load_architecture(spec: str, how: Reading) -> LoadedModel:
    """Load the model "LIBRARY:NAME@WEIGHTS"; its preprocessing is the library's own for that model.

    WEIGHTS is a state-dict file, or the tag of published weights that are on this machine already (with `download`: or
    are fetched into the library's own cache). The number of outputs is the file's: where only the last layer differs
    from the library's, it is rebuilt to fit.

    Raises:
        TargetError: for an unknown name or tag, weights that are not there, and weights of another architecture.
    """
    chosen = choose_architecture(spec, download=how.download)
    state, averaged = read_state_dict(chosen.weights)
    network, beside = _fitted(chosen.build, state, chosen.name, chosen.weights)
    return LoadedModel(
        network=network.eval().requires_grad_(False),
        name=f"{chosen.name}@{chosen.weights.name}",
        preprocessing=chosen.preprocessing.updated(how.options),
        assumed=False,
        final=final_activation(network),
        note="; ".join(note for note in (averaged, beside) if note),
    )


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A library's architecture.

    Attributes:
        name: "LIBRARY:NAME".
        build: builds it with that many outputs (None: the library's number).
        preprocessing: the library's for it.
        weights: the file of its weights.
    """

    name: str
    build: Build
    preprocessing: Preprocessing
    weights: Path


def choose_architecture(spec: str, *, download: bool = False) -> Architecture:
    """Return what "LIBRARY:NAME@WEIGHTS" names; nothing is built or read, but with `download` fetched.

    Raises:
        TargetError: as `load_architecture`.
    """
    library, _, rest = spec.partition(":")
    name, at, weights = rest.partition("@")
    if not at or not name or not weights:
        raise TargetError(
            f"target {spec!r} lacks its weights: write {library}:NAME@FILE, such as {library}:{name}@w.pt"
        )
    home = "torchvision.models" if library == "torchvision" else library
    module = imported(home, TargetError, f"target {spec!r} cannot be built", install=library)
    build, preprocessing, path = (_torchvision if library == "torchvision" else _timm)(module, name, weights, download)
    return Architecture(f"{library}:{name}", build, preprocessing, path)


def _torchvision(models: Any, name: str, weights: str, download: bool) -> tuple[Build, Preprocessing, Path]:
    try:
        published = models.get_model_weights(name)
    except ValueError as error:
        raise TargetError(f"torchvision has no model {name!r}: see torchvision.models.list_models()") from error
    chosen = published.DEFAULT
    path = asked_path(weights, TargetError)
    # As torchvision builds them around published weights, which bring the preprocessing too.
    options: dict[str, Any] = {"transform_input": True} if name.lower() in RESCALING else {}
    if not path.is_file():
        chosen, path = torchvision_weights(name, published, weights, download=download)
        if name.lower().startswith("vit_"):
            options["image_size"] = chosen.meta["min_size"][0]

    def build(outputs: int | None) -> nn.Module:
        fitted = options if outputs is None else {**options, "num_classes": outputs}
        model: nn.Module = models.get_model(name, weights=None, **fitted)
        return model

    return build, _torchvision_preprocessing(name, chosen.transforms()), path


def _torchvision_preprocessing(name: str, transform: Any) -> Preprocessing:
    """Convert the evaluation transform (`ImageClassification`) of published weights.

    It resizes the shorter side, cuts out the centre and normalises.
    """
    if not hasattr(transform, "crop_size") or not hasattr(transform, "resize_size"):
        raise TargetError(f"torchvision:{name} is no image classifier: only those can be targets this way")
    return Preprocessing(
        size=int(transform.crop_size[0]),
        resize_size=int(transform.resize_size[0]),
        resize=str(transform.interpolation.value),  # type: ignore[arg-type]
        mean=tuple(transform.mean),
        std=tuple(transform.std),
    )


def _timm(timm: Any, name: str, weights: str, download: bool) -> tuple[Build, Preprocessing, Path]:
    if not timm.is_model(name):
        raise TargetError(f"timm has no model {name!r}: see timm.list_models()")
    path, tag = asked_path(weights, TargetError), ""
    if not path.is_file():
        path, tag = timm_weights(timm, name, weights, download=download), weights
    config = timm.get_pretrained_cfg(f"{name.partition('.')[0]}.{tag}" if tag else name, allow_unregistered=True)

    def build(outputs: int | None) -> nn.Module:
        options = {} if outputs is None else {"num_classes": outputs}
        model: nn.Module = timm.create_model(name, pretrained=False, **options)
        return model

    return build, timm_preprocessing(config.to_dict() if config is not None else {}), path


def _fitted(build: Build, state: dict[str, Tensor], architecture: str, path: Path) -> tuple[nn.Module, str]:
    """Build the model with the weights in it, and note others; its last layer has as many outputs as the file's."""
    with quiet():  # some architectures warn of their initialisation
        with torch.device("meta"):
            usual = {key: value.shape for key, value in build(None).state_dict().items()}
        state, note = _of_one_attribute(state, usual, path)
        outputs = {
            state[key].shape[0]
            for key, shape in usual.items()
            if key in state
            and len(shape)
            and state[key].shape[1:] == shape[1:]
            and state[key].shape != shape
            and state[key].numel()
        }
        model = build(outputs.pop() if len(outputs) == 1 else None)
    # The counts of training steps mean nothing here, and converted or older files have none.
    missing = sorted(key for key in set(model.state_dict()) - set(state) if not key.endswith(COUNT))
    unknown = sorted(set(state) - set(model.state_dict()))
    if missing or unknown:
        what = f"it has no {missing[0]!r}" if missing else f"it has {unknown[0]!r} too"
        raise TargetError(
            f"{path}: its weights are not of {architecture} ({what}): name the architecture that they were trained for"
        )
    try:
        model.load_state_dict(state, strict=False)  # as was checked above
    except RuntimeError as error:
        reason = one_line(str(error).partition("\n")[2] or error)  # its first line names the class alone
        raise TargetError(
            f"{path}: its weights are not of {architecture} ({reason}): name the one that they were trained for"
        ) from error
    return model, note


def _of_one_attribute(state: dict[str, Tensor], usual: Iterable[str], path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the weights of the attribute that holds a whole network (`usual`), and a note on those beside it.

    Modules that were trained with a loss store its weights beside the network's. Weights of no attribute are returned
    as they are.
    """
    names = [name for name in usual if not name.endswith(COUNT)]
    ends = [key.removesuffix(names[0]) for key in state if key.endswith(f".{names[0]}")]
    holding = [attribute for attribute in ends if all(attribute + name in state for name in names)]
    if not holding or all(name in state for name in names):
        return state, ""
    if len(holding) > 1:
        raise TargetError(
            f"{path}: holds several networks ({one_line(', '.join(holding), 120)}): save the state_dict() of one alone"
        )
    (attribute,) = holding
    beside = [key for key in state if not key.startswith(attribute)]
    note = f"{BESIDE} its {attribute}* are passed over: {one_line(', '.join(beside), 120)}" if beside else ""
    return {key.removeprefix(attribute): value for key, value in state.items() if key.startswith(attribute)}, note
