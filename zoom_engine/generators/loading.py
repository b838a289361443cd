"""`load_generator`: from a name, a path or an object to an `EditableGenerator`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zoom_engine.common import registry
from zoom_engine.common.errors import CheckpointError, ConfigError, one_line
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.common.files.kinds_of_file import is_onnx
from zoom_engine.common.module_copy import other_precision
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options
from zoom_engine.generators.checkpoints.formats import load_checkpoint
from zoom_engine.generators.codes import read_codes
from zoom_engine.generators.contract import check_followed, check_generator_on_load
from zoom_engine.generators.decoder import Decoder
from zoom_engine.generators.generator import ClassConditional, EditableGenerator
from zoom_engine.generators.makers import PYTHON, TOLD, Asked
from zoom_engine.generators.mapped_generator import MappedGenerator, check_class
from zoom_engine.generators.onnx_decoder import OnnxDecoder
from zoom_engine.generators.stylegan2.network import StyleGAN2
from zoom_engine.settings.audit_settings import check_generator, options_of
from zoom_engine.settings.model_settings import DecoderSettings

Spec = str | Path | nn.Module | EditableGenerator
DECODER_OPTIONS = tuple(options_of(DecoderSettings))


@named_options
@working()
def load_generator(
    spec: Spec,
    *,
    codes: str | Path | Tensor | None = None,
    output_range: Sequence[float] | None = None,
    trust: bool = False,
    device: str = "cpu",
    cache: str | Path | None = None,
    download: bool = False,
    **options: Any,
) -> EditableGenerator:
    """Return a generator, frozen and in evaluation mode.

    Args:
        spec: what to load, one of

            - a domain's name ("avatars")
            - the path of a StyleGAN2 or StyleGAN3 checkpoint: our safetensors, NVIDIA's PyTorch or TensorFlow pickles,
              rosinality's `.pt`, told apart by content. Nothing in it is executed
            - the path of an ONNX file that draws images `[B, 3, R, R]` of codes `[B, S]`
            - a torch module that does so (copied), see `Decoder`
            - "FAMILY:REST", of a family that a package registered
            - "python:FILE.py:NAME" or "python:MODULE:NAME": a generator or a torch module of that name, or a function
              that returns one; importing it runs code, which takes `trust`
            - an `EditableGenerator`
        codes: of an ONNX file or a module what to sample from, `[K, S]` or a file of them (`read_codes`); by default a
            standard normal distribution.
        output_range: of these the values of their output for black and white, by default -1 and 1.
        trust: import Python code.
        device: where a family or a function that asks for it makes its generator; any generator is moved by its `to`.
        cache: the folder of what such a one finds once; by default the user's cache.
        download: whether such a one may fetch what is published.
        **options: those of a family or of a function in a Python file.

    Raises:
        UnsafeCheckpointError: the file asks to run code; no option overrides it.
        CheckpointError: there is no such file, or it cannot be loaded.
        ConfigError: options that do not belong to it, or an object that is no generator.
    """
    given = {"codes": codes, "output_range": output_range, **options}
    asked = Asked(given, device=device, cache=cache, download=download, trust=trust)
    family, colon, rest = str(spec).partition(":") if isinstance(spec, str) else ("", "", "")
    if colon and family == PYTHON:
        spec = asked.of_python(str(spec))
    elif colon and (generator := asked.of_family(family, rest)) is not None:
        return _checked(generator)
    if isinstance(spec, nn.Module) and not isinstance(spec, EditableGenerator):
        asked.none_left("a decoder", DECODER_OPTIONS)
        return Decoder(spec, **_of_decoder(asked))
    if isinstance(spec, str | Path) and is_onnx(asked_path(spec, CheckpointError)):
        asked.none_left("a decoder", DECODER_OPTIONS)
        return OnnxDecoder(Path(spec), **_of_decoder(asked))
    if asked.options.keys() & set(DECODER_OPTIONS):
        raise ConfigError("codes and output_range belong to a decoder (an ONNX file or a torch module): leave them out")
    asked.none_left("this generator")
    if not isinstance(spec, str | Path):
        return _checked(spec)
    if isinstance(spec, str) and (domain := registry.find(registry.DOMAINS, spec)) is not None:
        with registry.asking(registry.DOMAINS, spec, "load its generator"):
            generator = domain.generator()
        return _checked(generator)
    check_generator(spec)
    return load_checkpoint(Path(spec))


def is_registered(spec: str | Path) -> bool:
    """Return whether a package brings what `load_generator` would load.

    It is a domain, or a family with or without what stands behind its colon.
    """
    family = str(spec).partition(":")[0]
    return str(spec) in registry.names(registry.DOMAINS) or family in registry.all_names(registry.GENERATORS)


def load_stylegan2(spec: str | Path | StyleGAN2, index: int | None = None) -> StyleGAN2:
    """Load a generator of one class where nothing but a StyleGAN2 will do.

    Args:
        spec: see `load_generator`.
        index: see `of_one_class`.

    Raises:
        ConfigError: it is another generator.
    """
    generator = of_one_class(load_generator(spec), index)
    if not isinstance(generator, StyleGAN2):
        raise ConfigError(f"{spec} is a {type(generator).__name__}: a StyleGAN2 is needed here")
    return generator


def check_generator_options(options: Mapping[str, object] | None, spec: object = None) -> dict[str, Any]:
    """Return `options` for `load_generator` as they are.

    Raises:
        ConfigError: it has no such option for such a `spec`, as far as that is known before it is loaded.
    """
    options = dict(options or {})
    if not (isinstance(spec, str) and ":" in spec):  # what a family or a function takes it says itself
        asked = {name: value for name, value in options.items() if name not in TOLD}
        Asked(asked, device="cpu", cache=None, download=False, trust=False).none_left("a generator", DECODER_OPTIONS)
    return options


def of_one_class(generator: EditableGenerator, index: int | None) -> EditableGenerator:
    """Return a generator that needs no class: of a class-conditional one the copy that draws class `index` alone.

    Raises:
        ConfigError: a class must be chosen and is not, there is none to choose, or the number is out of range.
    """
    conditional = generator if isinstance(generator, ClassConditional) and generator.classes else None
    if index is not None:
        check_class(index, 0 if conditional is None else conditional.classes)
    if conditional is None:
        return generator
    if index is None:
        raise ConfigError(
            f"the generator draws {conditional.classes} classes: choose the one to draw, 0 to"
            f" {conditional.classes - 1}, with generator_class (--generator-class)"
        )
    return conditional.of_class(index)


def check_gradients_of(generator: EditableGenerator) -> None:
    """Check the gradients of a generator that others made, before anything follows them.

    Raises:
        ConfigError: it is differentiable by its own word, and no sound gradient reaches codes and edit weights.
    """
    if not _is_ours(generator):
        check_followed(generator)


def _checked(generator: Any) -> EditableGenerator:
    """Freeze a generator that others made and check it against the contract."""
    if isinstance(generator, nn.Module):
        generator.eval().requires_grad_(False)
    if isinstance(generator, MappedGenerator) and (other := other_precision(generator)):
        raise ConfigError(
            f"the generator has weights in {other}, and codes come in float32: give it in float32, such as"
            " generator.float()"
        )
    if not _is_ours(generator):
        check_generator_on_load(generator)
    return generator  # type: ignore[no-any-return]


def _is_ours(generator: object) -> bool:
    return isinstance(generator, MappedGenerator | Decoder | OnnxDecoder)


def _of_decoder(asked: Asked) -> dict[str, Any]:
    """Return the options of a decoder, read."""
    given = asked.options
    return {"codes": _table(given.get("codes")), "output_range": _pair(given.get("output_range"))}


def _table(codes: str | Path | Tensor | None) -> Tensor | None:
    if not isinstance(codes, str | Path | Tensor | None):
        raise ConfigError(f"codes must be a tensor [K, S] or a file of them, not a {type(codes).__name__}")
    return read_codes(codes) if isinstance(codes, str | Path) else codes


def _pair(output_range: object) -> tuple[float, float] | None:
    if output_range is None:
        return None
    if not isinstance(output_range, Sequence) or len(output_range) != 2:
        raise ConfigError(f"output_range must be two numbers, black and white, not {output_range}")
    try:
        return float(output_range[0]), float(output_range[1])
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"output_range must be two numbers, black and white, not {one_line(repr(output_range), 80)}"
        ) from error
