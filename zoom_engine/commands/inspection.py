"""What a file of somebody else holds, generator or target; nothing in it is run.

A generator's weights are read: whether it can be loaded is decided by loading it. A target is described by what its
file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zoom_engine.common.errors import CheckpointError, ConfigError, TargetError
from zoom_engine.common.files.kinds_of_file import holds_safetensors, is_onnx, kind_by_content, kind_of_file
from zoom_engine.generators import describe_checkpoint, describe_generator, is_registered, load_generator
from zoom_engine.generators.checkpoints.formats import Description, checkpoint_hash, table
from zoom_engine.generators.checkpoints.safetensors_file import is_engine_file
from zoom_engine.generators.onnx_decoder import decoder_model, describe_decoder
from zoom_engine.targets import describe_target_file
from zoom_engine.targets.describe import describe_architecture
from zoom_engine.targets.loaders.architectures import LIBRARIES, choose_architecture
from zoom_engine.targets.loaders.published import HUB, hub_folder


def describe_file(
    spec: str | Path,
    preprocessing: Mapping[str, object] | None = None,
    *,
    generator_class: int | None = None,
    download: bool = False,
) -> Description:
    """Return lines "what: value" on a generator or a target model, and why it would be refused.

    Args:
        spec: the path of a file or folder, a domain's name, FAMILY:REST of a package, or "torchvision:NAME@WEIGHTS",
            "timm:NAME@WEIGHTS" or "hf-hub:OWNER/NAME".
        preprocessing: of a target, the fields that the user would give `load_target`: shown within the whole.
        generator_class: of a class-conditional generator the class whose content hash is shown.
        download: fetch what is published and not on this machine.

    Raises:
        CheckpointError: a generator cannot be read at all.
        TargetError: a target cannot be read at all.
        ConfigError: a preprocessing beside a generator, a class beside a target, or a class that does not exist.
    """
    options = preprocessing or None
    library = str(spec).partition(":")[0] in LIBRARIES
    published = str(spec).startswith(HUB)
    registered = not library and not published and is_registered(spec)
    path = hub_folder(str(spec), download=download) if published else Path(spec)
    decoder = decoder_model(path) if not registered and not library and is_onnx(path) else None
    if decoder is not None:
        if options or generator_class is not None:
            raise ConfigError(f"{spec} is a decoder: options of a target's input and a class do not apply")
        try:
            return Description(table([*_about(path), *describe_decoder(decoder, path)]))
        except CheckpointError as error:
            return Description(table(_about(path)), error)
    if library or (not registered and holds_target(path)):
        if generator_class is not None:
            raise ConfigError(f"{spec} is a target: the class of a generator does not apply")
        if not library:
            return _describe_target(path, describe_target_file(path, options))
        architecture = choose_architecture(str(spec), download=download)
        return _describe_target(architecture.weights, describe_architecture(architecture, options))
    if options:
        raise ConfigError(f"{spec} is no target: the options of a target's input do not apply")
    if registered:
        return describe_generator(load_generator(spec), class_index=generator_class)
    return describe_checkpoint(path, class_index=generator_class)


def holds_target(path: Path) -> bool:
    """Tell whether `path` is a target model (or the weights of one) rather than a generator checkpoint."""
    if path.is_file() and holds_safetensors(path):
        return not is_engine_file(path)
    try:
        kind = kind_by_content(path) if path.is_file() else kind_of_file(path)
    except TargetError:
        return False
    return kind not in ("state-dict", None)


def _about(path: Path) -> list[tuple[str, str]]:
    """Return lines on a file or folder, whatever it holds."""
    size = [] if path.is_dir() else [("bytes", str(path.stat().st_size)), ("sha-256", checkpoint_hash(path))]
    return [("file", str(path)), *size]


def _describe_target(path: Path, lines: list[str]) -> Description:
    pairs = [(label, value) for label, _, value in (line.partition(": ") for line in lines)]
    reasons = [value.removeprefix(f"{path}: ") for label, value in pairs if label == "refused"]
    text = table([*_about(path), *(pair for pair in pairs if pair[0] != "refused")])
    return Description(text, TargetError(f"{path}: {'; '.join(reasons)}") if reasons else None)
