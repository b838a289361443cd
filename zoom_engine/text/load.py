"""Loading of text encoders: a domain's, a folder, or an open_clip model whose weights are on disk.

No network is touched unless the user asks for it (`download`). Weights are read as safetensors or with
`torch.load(weights_only=True)`, so that no checkpoint can run code. open_clip is imported when an encoder is loaded:
with torchvision and transformers, which it brings, that takes longer than torch.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoom_engine.common import registry
from zoom_engine.common.errors import TextEncoderError, one_line
from zoom_engine.common.files import hub
from zoom_engine.common.files.archives import grows
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.files.mapped_weights import mapped
from zoom_engine.common.imports import importing
from zoom_engine.common.threads import quiet, working
from zoom_engine.text.encoder import TextEncoder

DEFAULT_TEXT_ENCODER = "ViT-B-32:openai"

CONFIG_FILE = "open_clip_config.json"
WORDS_KEY = "trained_words"  # our own, beside the keys of open_clip: all words that training read
# In order of preference; the names that open_clip writes and reads.
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors",
                "open_clip_pytorch_model.bin", "open_clip_model.pt", "pytorch_model.bin")  # fmt: skip
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")  # as open_clip has them beside the weights of a tag
_LARGEST_VOCABULARY = 1 << 24  # bytes, unpacked: open_clip's own has 3 MB, and it reads any whole
# Called as functions of their own, they hide what they call. What draws until all numbers lie within bounds
# (`trunc_normal_`) calls the tensor's own methods, and ends only where these give numbers.
_RANDOM = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)


def text_encoder_for(
    generator: object, chosen: str | Path | TextEncoder | None, *, download: bool = False
) -> TextEncoder:
    """Return the text encoder `chosen`; without one that of the generator's domain, else the paper's ViT-B/32."""
    if chosen is None and isinstance(generator, str) and generator in registry.names(registry.DOMAINS):
        chosen = generator
    return load_text_encoder(DEFAULT_TEXT_ENCODER if chosen is None else chosen, download=download)


@working()
def load_text_encoder(
    spec: str | Path | TextEncoder, *, name_as: str | None = None, download: bool = False
) -> TextEncoder:
    """Return the text encoder that `spec` names, on the CPU, frozen.

    Args:
        spec: one of

            - a `TextEncoder`, which is returned as it is;
            - the name of a domain (`"avatars"`), even where a folder is called so;
            - a folder, or `"local-dir:PATH"`, that holds open_clip_config.json and open_clip_model.safetensors;
            - `"hf-hub:OWNER/NAME"` whose snapshot is in the Hugging Face cache;
            - `"NAME:TAG"` as open_clip calls it (`"ViT-B-32:openai"`) whose weights are in the Hugging Face cache or in
              ~/.cache/clip;
            - `"NAME:FILE"` with the path of a weight file (OpenAI's own belong to the names in `-quickgelu`). A file
              says nothing of preprocessing: it is that of all tags of the name, which must have one.
        name_as: the name of an encoder in a folder, by default the folder's path: a domain gives its own.
        download: fetch published files that are not there into these caches, by open_clip and the hub, with their
            progress.

    Raises:
        TextEncoderError: unknown names, missing files (which to fetch, and where to put them), damaged files.
    """
    if isinstance(spec, TextEncoder):
        return spec
    name = os.fspath(spec)
    if name.startswith("local-dir:"):
        return _load_folder(Path(name.removeprefix("local-dir:")), name_as or name, download=download)
    domain = registry.find(registry.DOMAINS, name)
    if domain is None and asked_path(name, TextEncoderError).is_dir():
        return _load_folder(Path(name), name_as or name, download=download)
    if name.startswith("hf-hub:"):
        return _load_snapshot(name, download=download)
    if ":" in name:
        return _load_builtin(name, download=download)
    if domain is None:
        known = ", ".join(registry.names(registry.DOMAINS)) or "none is installed"
        raise TextEncoderError(
            f"no text encoder '{name}': give a domain ({known}), a folder with {CONFIG_FILE}, or open_clip's NAME:TAG"
            f" such as {DEFAULT_TEXT_ENCODER}"
        )
    with registry.asking(registry.DOMAINS, name, "load its text encoder"):
        encoder = domain.text_encoder()
    if not isinstance(encoder, TextEncoder):
        raise TextEncoderError(f"domain '{name}': its text encoder is a {type(encoder).__name__}, not a TextEncoder")
    return encoder


def _load_folder(folder: Path, name: str, *, download: bool) -> TextEncoder:
    config = _read_config(folder)
    weights = next((folder / file for file in WEIGHT_FILES if (folder / file).is_file()), None)
    if weights is None:
        raise TextEncoderError(
            f"text encoder folder {folder} has no weights: put {WEIGHT_FILES[0]} beside {CONFIG_FILE}"
        )
    source, preprocess_cfg = f"local-dir:{folder}", config.get("preprocess_cfg", {})
    return _build(
        source, config["model_cfg"], preprocess_cfg, weights, name=name, words=config.get(WORDS_KEY), download=download
    )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        config = read_json(path)
    except FileNotFoundError as error:
        raise TextEncoderError(f"{folder} holds no text encoder: {CONFIG_FILE} is missing") from error
    except (OSError, ValueError) as error:
        raise TextEncoderError(f"{path} cannot be read: {one_line(error)}") from error
    wanted = ("embed_dim", "vision_cfg", "text_cfg")
    config = config if isinstance(config, dict) else {}
    model_cfg = config.get("model_cfg")
    if not isinstance(model_cfg, dict) or not all(key in model_cfg for key in wanted):
        raise TextEncoderError(f"{path} is no open_clip configuration: model_cfg with {', '.join(wanted)} is needed")
    if "trust_remote_code" in json.dumps(config):
        raise TextEncoderError(f"{path} asks to run code of its own (trust_remote_code): refused")
    words = config.get(WORDS_KEY, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TextEncoderError(f"{path}: {WORDS_KEY} must be a list of words")
    return config


def _load_snapshot(name: str, *, download: bool) -> TextEncoder:
    repository = name.removeprefix("hf-hub:")
    config = _cached(repository, CONFIG_FILE)
    by_hand = f"fetch it once with 'hf download {repository}' (to {huggingface_hub.constants.HF_HUB_CACHE})"
    if download and (config is None or not any((config.parent / file).is_file() for file in WEIGHT_FILES)):
        with hub.fetching(f"text encoder '{name}'", TextEncoderError, instead=by_hand):
            config = hub.fetch_folder(repository, ("*.json", "*.txt", "*.model")) / CONFIG_FILE
            hub.fetch_first(repository, WEIGHT_FILES)
    if config is None:
        raise TextEncoderError(f"text encoder '{name}' is not in the Hugging Face cache: {hub.BY_OPTION}, or {by_hand}")
    return _load_folder(config.parent, name, download=download)


def _load_builtin(name: str, *, download: bool) -> TextEncoder:
    with importing():
        import open_clip
        from open_clip.transform import PreprocessCfg

    model_name, _, tag = name.partition(":")
    config = open_clip.get_model_config(model_name)
    if config is None:
        raise TextEncoderError(f"open_clip has no model '{model_name}': see open_clip.list_models() for the names")
    if Path(tag).is_file():
        if (shared := _preprocessing_of(model_name)) is None:
            raise TextEncoderError(
                f"text encoder '{name}': weights of {model_name} see pictures on different scales, and a file does not"
                f" say on which: give the tag of its weights, {model_name}:TAG, or a folder with {CONFIG_FILE}, whose"
                " preprocess_cfg has its mean and std"
            )
        return _build(model_name, config, shared, Path(tag), name=name, download=download)
    known = open_clip.get_pretrained_cfg(model_name, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model_name)) or "none"
        raise TextEncoderError(
            f"open_clip has no weights '{tag}' for {model_name}, and there is no such file: its tags are {tags}"
        )
    weights = _cached_weights(known)
    if weights is None:
        plain = f"{model_name}-quickgelu" if known.get("quick_gelu") else model_name
        named = plain if open_clip.get_model_config(plain) else model_name
        by_hand = _how_to_fetch(known)
        shared = _preprocessing_of(named)
        if shared is not None and PreprocessCfg(**shared) == PreprocessCfg(**_preprocessing(known)):
            by_hand += f", or give the file as '{named}:FILE'"
        with hub.fetching(
            f"the file of weights of text encoder '{name}'", TextEncoderError, instead=by_hand, allowed=download
        ):
            weights = Path(open_clip.download_pretrained(known))
    config["quick_gelu"] = bool(known.get("quick_gelu", config.get("quick_gelu", False)))
    return _build(model_name, config, known, weights, name=name, download=download)


def _preprocessing(known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: known[key] for key in _PREPROCESSING if key in known}


def _preprocessing_of(model_name: str) -> dict[str, Any] | None:
    """Return the preprocessing that all published weights of a model share; None where scale or interpolation differ.

    It is empty where there are none. Of some architectures it is not open_clip's own: SigLIP, CLIPA and MobileCLIP see
    pictures on other scales. How pictures are made square is open_clip's own where that differs: square ones are.
    """
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model_name)
    first, *others = [_preprocessing(open_clip.get_pretrained_cfg(model_name, tag)) for tag in tags] or [{}]
    differing = {key for key in _PREPROCESSING if any(other.get(key) != first.get(key) for other in others)}
    if differing - {"resize_mode"}:
        return None
    return {key: value for key, value in first.items() if key not in differing}


def _hub_place(known: dict[str, object]) -> tuple[str, str]:
    repository, _, file = str(known.get("hf_hub", "")).rpartition("/")
    return repository, file


def _cached_weights(known: dict[str, object]) -> Path | None:
    repository, file = _hub_place(known)
    if repository:
        names = (str(Path(file).with_suffix(".safetensors")), file) if file else WEIGHT_FILES
        for candidate in names:
            if (path := _cached(repository, candidate)) is not None:
                return path
    if url := str(known.get("url", "")):
        path = Path.home() / ".cache" / "clip" / Path(url).name
        return path if path.is_file() else None
    return None


def _how_to_fetch(known: dict[str, object]) -> str:
    repository, file = _hub_place(known)
    if repository:
        wanted = file or WEIGHT_FILES[0]
        cache = huggingface_hub.constants.HF_HUB_CACHE
        return f"fetch {wanted} once with 'hf download {repository} {wanted}' (to {cache})"
    return f"fetch {known['url']} once and put it in {Path.home() / '.cache' / 'clip'}"


def _cached(repository: str, file: str) -> Path | None:
    try:
        return hub.cached(repository, file)
    except ValueError as error:  # a malformed repository name
        raise TextEncoderError(f"'{repository}' is no Hugging Face repository: {one_line(error)}") from error


def _build(
    source: str,
    model_cfg: dict[str, Any],
    preprocess_cfg: dict[str, object],
    weights: Path,
    *,
    name: str,
    words: list[str] | None = None,
    download: bool,
) -> TextEncoder:
    """Make a `TextEncoder` of a configuration and weights; open_clip finds the tokenizer by `source`."""
    with importing():
        from open_clip.factory import load_checkpoint

    if weights.suffix not in _SUFFIXES:
        raise TextEncoderError(f"{weights} is no weight file: one of {', '.join(_SUFFIXES)} is needed")
    try:
        # open_clip warns of every attention fallback, and that no weights were loaded, which is our next step.
        with hub.offline(not download), quiet():
            if weights.suffix != ".safetensors" and grows(weights):
                raise TextEncoderError(f"{weights} is refused: it unpacks to more than it is, as no file of torch.save")
            model, tokenizer = _create(source, model_cfg, preprocess_cfg)
            with mapped(model, weights, TextEncoderError):
                load_checkpoint(model, str(weights), strict=True, weights_only=True)
            _check_vocabulary(tokenizer, model_cfg)
            return TextEncoder(model, tokenizer, name=name, words=words)
    except TextEncoderError:
        raise
    except Exception as error:  # open_clip, safetensors, torch and transformers each raise their own
        advice = "" if source.startswith("local-dir:") else _missing_parts(model_cfg["text_cfg"])
        raise TextEncoderError(
            f"text encoder '{name}' cannot be loaded from {weights}: {advice or one_line(error)}"
        ) from error


def _missing_parts(text_cfg: dict[str, object]) -> str:
    """Name what a model takes from other repositories and is not here: its text tower's shape, its tokenizer."""
    parts = [
        (text_cfg.get("hf_model_name"), "config.json"),
        (text_cfg.get("hf_tokenizer_name"), "tokenizer_config.json"),
    ]
    missing = dict.fromkeys(str(place) for place, file in parts if place and _cached(str(place), file) is None)
    if not missing:
        return ""
    commands = " and ".join(f"""'hf download {place} --include "*.json" "*.model" "*.txt"'""" for place in missing)
    cache = huggingface_hub.constants.HF_HUB_CACHE
    return f"its tokenizer is not on this machine: {hub.BY_OPTION}, or once with {commands} (to {cache})"


def _create(source: str, model_cfg: dict[str, Any], preprocess_cfg: dict[str, object]) -> tuple[Any, Any]:
    """Make the model (not yet with its weights) and its tokenizer."""
    with importing():
        import open_clip

    # open_clip reads a folder's configuration itself and would pick up that folder's weights on its own terms; a
    # temporary folder with the configuration alone leaves the choice of file to us.
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            "model_cfg": model_cfg,
            "preprocess_cfg": {k: v for k, v in preprocess_cfg.items() if v is not None},
        }
        (Path(scratch) / CONFIG_FILE).write_text(json.dumps(settings), encoding="utf-8")
        with _Unset():
            model = open_clip.create_model(
                f"local-dir:{scratch}", load_weights=False, pretrained_image=False, pretrained_text=False
            )
    options = model_cfg["text_cfg"].get("tokenizer_kwargs") or {}
    if source.startswith("local-dir:") and "bpe_path" in options:  # relative to the folder, not to the process
        return model, open_clip.get_tokenizer(source, bpe_path=_inside(source, str(options["bpe_path"])))
    return model, open_clip.get_tokenizer(source)


class _Unset(TorchFunctionMode):
    """Draws no random weights meanwhile: those of a file take their places."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call what is called, but for what fills a tensor with random numbers."""
        if func in _RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        return args[0].zero_() if func is Tensor.uniform_ else func(*args, **(kwargs or {}))


def _inside(source: str, file: str) -> str:
    folder = Path(source.removeprefix("local-dir:")).resolve()
    path = (folder / file).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise TextEncoderError(f"the vocabulary '{file}' must be a file in {folder}")
    with gzip.open(path) as packed:
        if len(packed.read(_LARGEST_VOCABULARY + 1)) > _LARGEST_VOCABULARY:
            raise TextEncoderError(f"the vocabulary '{file}' unpacks to more than {_LARGEST_VOCABULARY >> 20} MB")
    return str(path)


def _check_vocabulary(tokenizer: object, model_cfg: dict[str, Any]) -> None:
    offered = int(getattr(tokenizer, "vocab_size", 0))
    token_count = int(model_cfg["text_cfg"].get("vocab_size", 49408))
    if offered > token_count:
        raise TextEncoderError(
            f"the tokenizer has {offered} tokens but the text tower only {token_count}: they do not belong"
        )
