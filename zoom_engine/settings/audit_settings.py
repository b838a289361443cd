"""`AuditSettings`: every option of an audit, written once.

`Diagnoser`, a configuration file, the command line and the manifest are made of its fields. Nothing that takes seconds
to import is imported here: what options alone show to be wrong is told at once.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, TypeGuard, TypeVar, get_args, get_type_hints

from zoom_engine.common import registry
from zoom_engine.common.backends import BACKENDS, Backend, Precision
from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.common.typed import in_words, misfit, one_of, plain
from zoom_engine.settings.attributes import Attribute, check_labels, parse_attributes, sources_of
from zoom_engine.settings.interim_analyses import MOST_IMAGES, planned_analyses
from zoom_engine.settings.presets import Preset, find_preset
from zoom_engine.settings.target_names import without_password

T = TypeVar("T")

Mode = Literal["single", "multi"]
EditRange = Literal["calibrated", "paper"]
Correction = Literal["holm", "benjamini-hochberg"]
RANGES = get_args(EditRange)
CORRECTIONS = get_args(Correction)
SEEDS_PER_RUN = 100_000
AUTO = "auto"
MULTI_IMAGES = 200
"""The number of images in multi mode, where nothing says another."""
DEFAULT_TEMPLATES = "".join(("gen", "eral"))
"""The set of templates by default, an object of its own: so those that were left open, for which a preset's step in,
are told from those that somebody asked for by the same name."""
EVERY_ATTRIBUTE = "attributes"
"""What stands in `by` for all attributes of the audit."""
SMALLEST_EFFECT = 0.1
"""The smallest mean change that matters by default: an edit that changes one decision in ten."""
DECISIVE_CHANGE = 0.1
"""How far, in [0, 1], a flip must move the output to prove something: a step across the boundary may be as small as
rounding."""
MOST_PURPOSE = 300  # characters
ABOUT = ("owner", "purpose", "model_version")
"""What an owner says of an audit, a line each: no part of what determines it."""
MOST_RANDOM_DIRECTIONS = 1000
DEFAULT_RANDOM_DIRECTIONS = 32
"""The default number of random baseline directions where each takes one picture of an image."""
DIRECTIONS_SEARCHED_WHOLE = 16
"""The default number where each is searched whole."""
RANDOM_PER_ATTRIBUTE, RANDOM_PER_IMAGE = 3, (8, 20)
"""Random baseline directions along which an image is moved, one picture each: how many for every attribute, and at
least and at most how many in all."""
RANDOM_IMAGES = 48
"""The largest number of images that are moved along random baseline directions: directions differ from each other by
more than images do."""
LEAST_BESIDE_CONTROL_PROMPTS = 8
"""How many searches of attributes there are at least for each search along a control prompt."""
MOST_PARAPHRASES = 64
BATCH_SIZE = 32
"""The number of images per forward pass where neither the user nor the generator says another."""
SOURCES = ("generator", "pairs", "editor")
"""The options that say where edits come from: one of them is given."""
OF_EDITORS = ("editor_options",)
"""The options of an editor alone."""
OF_ANY_EDITS = (
    *("target", "target_options", "attributes", "decisive_change", "smallest_effect", "correction"),
    *("batch_size", "device", "backend", "cache", *ABOUT, "download"),
    *("text_encoder", "templates", "neutral"),  # they say whether edits were made
)
"""The options of an audit without a generator, beside its source's."""


class About(NamedTuple):
    """All else that is to be said of an option: `text` for help and docstrings, `python` for docstrings alone.

    `name` is the command line's where it differs. `registered` is the kind of thing that the option names, where
    `only_registered` nothing else. What `decides` the records is written into the manifest's config: an
    audit goes on with an equal one only. What is `secret` neither messages nor a repr show.
    """

    text: str
    python: str = ""
    name: str | None = None
    choices: tuple[str, ...] | None = None
    registered: registry.Kind | None = None
    only_registered: bool = False
    decides: bool = False
    secret: bool = False

    @property
    def possible(self) -> tuple[str, ...] | None:
        """The choices; None where anything can be given."""
        return registry.all_names(self.registered) if self.registered and self.only_registered else self.choices

    @property
    def told(self) -> str:
        """The text, with what packages registered for an option that takes other things too."""
        names = registry.names(self.registered) if self.registered and not self.only_registered else ()
        return f"{self.text} ({', '.join(names)})" if names else self.text


def told(text: str, **about: Any) -> dict[str, About]:
    """Return the metadata of a field, see `About`."""
    return {"about": About(text, **about)}


def option(text: str, default: object, **about: object) -> Any:
    """Return a field of settings that may be left out, see `About`."""
    return dataclasses.field(default=default, repr=not about.get("secret"), metadata=told(text, **about))


def checked_options(called: str) -> Callable[[type[T]], type[T]]:
    """Decorate a dataclass of options, so that it checks what its fields say and keeps NumPy's numbers as Python's.

    A name that is none of the fields', one that is missing, and a value of another type or beyond the choices are a
    ConfigError of one line. The repr shows no password of an address.

    Args:
        called: what messages call an option.
    """

    def decorate(kind: type[T]) -> type[T]:
        owner: Any = kind
        made, shown = owner.__init__, owner.__repr__
        fields = {field.name: field for field in dataclasses.fields(owner)}
        needed = [name for name, field in fields.items() if _is_needed(field)]

        @functools.wraps(made)
        def init(self: T, **given: object) -> None:
            hints = _hints(owner)
            for name in given:
                if name not in fields:
                    raise ConfigError(f"unknown {called} {one_of(name, fields)}")
            for name in needed:
                if name not in given:
                    raise ConfigError(f"{called} '{name}' is missing: give it")
            options = {name: plain(value) for name, value in given.items()}
            for name, value in options.items():
                _check_value(f"{called} '{name}'", value, hints[name], fields[name].metadata.get("about"))
            made(self, **options)

        owner.__init__ = init
        owner.__repr__ = lambda self: without_password(shown(self))
        return kind

    return decorate


_hints = functools.cache(get_type_hints)


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _check_value(what: str, value: object, hint: object, about: About | None) -> None:
    """Refuse a value that the hint or the choices of an option exclude, by a ConfigError that begins with `what`."""
    parts = (hint, *get_args(hint))
    if value is None and NoneType in parts:
        return
    if Any not in parts and (wrong := misfit(hint, value)):
        raise ConfigError(
            f"{what} {wrong}" if about is None or not about.secret else f"{what} must be {in_words(hint)}"
        )
    choices = None if about is None else about.possible
    if choices is not None and isinstance(value, str) and value not in choices:
        raise ConfigError(f"{what} cannot be {one_of(value, choices)}")


@checked_options("loss weight")
@dataclasses.dataclass(frozen=True, kw_only=True)
class LossWeights:
    """L = target · L_target + structure · L_struct + label · L_attr (Luo 2023); a 0 skips its term."""

    target: float = 50.0
    structure: float = 10.0
    label: float = 1.0

    def __post_init__(self) -> None:
        """Refuse weights that are not finite numbers of at least 0, by a ConfigError."""
        for name, weight in dataclasses.asdict(self).items():
            if not 0 <= weight < math.inf:
                raise ConfigError(f"loss weight '{name}' must be a finite number of at least 0, got {weight!r}")


@checked_options("option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """Every choice about an audit but its images, see `Diagnoser`.

    Raises:
        CheckpointError: there is no such generator.
        ConfigError: an option is wrong, whatever the models are.
    """

    generator: str | Path | Any | None = option(
        "a domain (avatars), a StyleGAN2 or StyleGAN3 checkpoint, an ONNX file from codes to images,"
        " python:FILE.py:NAME, or FAMILY:REST of a package",
        None,
        python="a torch module, an EditableGenerator",
        registered=registry.GENERATORS,
    )
    generator_options: Mapping[str, Any] | None = option(
        "options of a package's generator, NAME=VALUE", None, python="or load_generator's", name="generator_option"
    )
    generator_class: int | None = option(
        "the class that a class-conditional generator draws, counted from 0", None, decides=True
    )
    pairs: str | Path | None = option("or a CSV table of edited pictures: image, attribute, strength, file, kind", None)
    editor: str | Any | None = option(
        "or an editor of --photos: corruptions, python:FILE.py:NAME, a URL",
        None,
        python="diffusers:FOLDER, an Editor",
        registered=registry.EDITORS,
    )
    editor_options: Mapping[str, Any] | None = option(
        "options of the editor, NAME=VALUE", None, python="a mapping", name="editor_option", secret=True
    )
    target: str | Path | Sequence[str] | Any = dataclasses.field(
        metadata=told(
            "the model under audit: domain:name, a model file or folder, torchvision:NAME@WEIGHTS, timm:NAME@WEIGHTS,"
            " hf-hub:OWNER/NAME, python:FILE.py:NAME, http://HOST:PORT",
            python="an nn.Module, a function, a Target; several for `Diagnosers`",
        )
    )
    target_options: Mapping[str, Any] | None = option(
        "passed to load_target, such as {'classes': ['cat', 'dog']}",
        None,
        secret=True,  # headers of a service
    )
    photos: str | Path | None = option(
        "a folder of photographs to audit around (landmarks.csv aligns faces)",
        None,
        python="or landmarks.json, see `photographs.alignment`; all are taken, whatever `images` says",
    )
    attributes: Sequence[str | Attribute] | None = option(
        "a prompt, which becomes one edit direction, its paraphrases after '|'; NAME=examples:FOLDER (pictures that"
        " have it) or NAME=scorer:MODEL; by default the domain's that are not the target's classes",
        None,
        python="or Attribute.by_examples and Attribute.by_scorer of objects",
        name="attribute",
        decides=True,
    )
    preset: str | Path | None = option(
        "where none are given, prompts for a published kind of generator, and labels after a colon: faces, faces:age"
        " (see zoom-engine presets), or a TOML file",
        None,
    )
    neutral: str | None = option(
        "the prompt subtracted from each attribute's; by default the domain's", None, decides=True
    )
    labels: Sequence[str] | None = option(
        "a prompt of each class of the target, for label check and L_attr; by default its own, [] or '' turns both off",
        None,
        name="label",
        decides=True,
    )
    text_encoder: str | Path | Any | None = option(
        "open_clip NAME:TAG, a folder, none; by default the domain's or ViT-B/32",
        None,
        python="or a TextEncoder",
    )
    templates: str | Sequence[str] = option(
        "sentences that attributes are put into, their embeddings averaged: a set (none, general, faces, imagenet,"
        " imagenet-short), or one of your own such as 'a photo of {}'",
        DEFAULT_TEMPLATES,
        name="template",
    )
    mode: Mode = option("one attribute at a time, or all together", "single", choices=get_args(Mode), decides=True)
    search: str | None = option(
        "scan (single, forward only), minimal (multi, the smallest edit), sgd or pgd (all three follow gradients),"
        " cmaes (multi, forward only); by default scan, in multi mode minimal, or cmaes without gradients",
        None,
        registered=registry.SEARCHES,
        only_registered=True,
        decides=True,
    )
    search_options: Mapping[str, Any] | None = option(
        "options of the search, NAME=VALUE such as points=16", None, python="a mapping", name="search_option"
    )
    directions: str | Path | Any | None = option(
        "how edit directions are found: regression, sampled, gradient, generator (default where it reads prompts), or a"
        " file",
        None,
        python="or ready EditDirections, found with these settings",
        registered=registry.DIRECTION_METHODS,
    )
    keep: Sequence[str | Attribute] | None = option(
        "a prompt whose score the edits of others must not change: their directions are made orthogonal to it",
        None,
        decides=True,
    )
    samples: int | None = option(
        "pictures that directions are measured on; by default as many as needed",
        None,
        python="256 to 2048 by regression",
    )
    threshold: float | None = option(
        "λ in [0, 1), of the largest relevance: channels below it are left out (0.1, or that of ready directions)",
        None,
    )
    level: float | None = option(
        "in (0, 1]: a prompt is refused where random texts do as well with this probability; 1 refuses none (0.1)", None
    )
    edit_range: EditRange = option(
        "how far to edit: as the attribute varies among unedited images (calibrated), or by ±30 (paper)",
        "calibrated",
        name="range",
        choices=RANGES,
        decides=True,
    )
    decisive_change: float = option(
        "how far, in [0, 1], the output must move for a flip to be decisive",
        DECISIVE_CHANGE,
        decides=True,
    )
    smallest_effect: float = option(
        "smallest mean change that matters, in [0, 1]",
        SMALLEST_EFFECT,
        decides=True,
    )
    random_directions: int | None = option(
        "random directions that attributes are compared with (single mode; 32, or 16 where each is searched whole)",
        None,
        decides=True,
    )
    correction: Correction = option(
        "adjusts p-values over attributes: against any false verdict (holm), or the share of them (benjamini-hochberg)",
        CORRECTIONS[0],
        choices=CORRECTIONS,
        decides=True,
    )
    by: Sequence[str | Attribute] | None = option(
        "a prompt, or 'attributes' for all: images that have what it says are compared with the others (single mode)",
        None,
        decides=True,
    )
    paraphrases: int | None = option(
        "how many paraphrases of each attribute, one template each, are tried on the same pictures (single mode,"
        " calibrated range)",
        None,
        decides=True,
    )
    loss_weights: LossWeights = option(
        "of L_target, L_struct and L_attr, for the searches sgd, pgd and cmaes (target 50, structure 10, label 1)",
        LossWeights(),
        decides=True,
    )
    truncation: float = option("truncation ψ; 1 turns it off", 1.0, decides=True)
    truncation_cutoff: int | None = option("the number of layers that ψ acts on; by default all", None, decides=True)
    batch_size: int | None = option("images per forward pass, by default 32, or what the generator says", None)
    device: str = option("cpu or cuda", "cpu")
    backend: Backend = option(
        "what runs forward passes (auto: the fastest one here); gradients come from the native operators or torch",
        "auto",
        choices=BACKENDS,
    )
    precision: Precision = option(
        "auto: bf16 where the processor supports it",
        "auto",
        choices=get_args(Precision),
    )
    cache: str | Path | None = option(
        "folder for relevance matrices and compiled models; by default the user's cache", None
    )
    owner: str | None = option("who answers for the model, in a line", None)
    purpose: str | None = option("what the model, or this audit, is for, in a line", None)
    model_version: str | None = option("version of the model under audit, such as 1.4", None)
    cluster: str | None = option(
        "a Ray cluster: auto (running here), HOST:PORT, or ray (auto, or for this run)",
        None,
    )
    workers: int | None = option("how many workers of the cluster; by default as many as have room", None)
    worker_cores: int = option("cores of each worker; with device cuda it has a GPU too", 2)
    download: bool = option("fetch published weights that are not on this machine", False)

    def __post_init__(self) -> None:
        """Fill in the preset and refuse what no models could make good."""
        if isinstance(self.loss_weights, Mapping):  # a file's table
            object.__setattr__(self, "loss_weights", LossWeights(**self.loss_weights))
        _check_source(self)
        if self.preset is not None:
            self._fill_in(*find_preset(self.preset))
        check_generator(self.generator)
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(f"batch size must be at least 1, got {self.batch_size}")
        for name in ("workers", "worker_cores"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ConfigError(f"{name.replace('_', ' ')} must be at least 1, got {number}")
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"samples must be at least 1, got {self.samples}")
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold λ must be in [0, 1), got {self.threshold}")
        if self.level is not None and not 0 < self.level <= 1:
            raise ConfigError(f"level must be in (0, 1], got {self.level}")
        _check_truncation(self.truncation, self.truncation_cutoff)
        check_decisive_change(self.decisive_change)
        for name in ABOUT:
            line = getattr(self, name)
            if line is not None and not (line.strip() and len(line) <= MOST_PURPOSE and line.isprintable()):
                raise ConfigError(f"{name} must be one line of 1 to {MOST_PURPOSE} characters")
        if not 0 <= self.smallest_effect <= 1:
            raise ConfigError(f"smallest_effect must be in [0, 1], got {self.smallest_effect}")
        if self.random_directions is not None and not 0 <= self.random_directions <= MOST_RANDOM_DIRECTIONS:
            raise ConfigError(
                f"random_directions must be a number in 0..{MOST_RANDOM_DIRECTIONS}, got {self.random_directions}"
            )
        _check_single_mode(self)
        _check_prompts(self, self._own_by(), self.keep)

    @property
    def edits_from_elsewhere(self) -> bool:
        """Whether pictures are edited by others than a generator, which then is none."""
        return self.generator is None

    def _fill_in(self, preset: Preset, labels: tuple[str, ...] | None) -> None:
        """Take from the preset what was left open."""
        for name, value in self.brought_by(preset, labels).items():
            if value is not None and getattr(self, name) is getattr(type(self), name):
                object.__setattr__(self, name, value)

    def brought_by(self, preset: Preset, labels: tuple[str, ...] | None) -> dict[str, Any]:
        """Return what a preset and its labels say of options, None where they say nothing."""
        attributes = preset.without(tuple(self.labels or labels or ()))
        return {"neutral": preset.neutral, "labels": labels, "attributes": attributes, "templates": preset.templates}

    def random_direction_count(self, *, at_end: bool) -> int:
        """Return how many random baseline directions attributes are compared with.

        Args:
            at_end: whether each takes one picture of an image, at the end of its range.
        """
        # Many, since attributes are compared with what directions do in general.
        if self.mode == "multi":
            return 0
        return (
            (DEFAULT_RANDOM_DIRECTIONS if at_end else DIRECTIONS_SEARCHED_WHOLE)
            if self.random_directions is None
            else self.random_directions
        )

    def random_per_image(self, attributes: int, *, at_end: bool) -> int:
        """Return along how many random baseline directions each image is moved, by turns.

        Args:
            attributes: how many attributes the audit has.
            at_end: as in `random_direction_count`.
        """
        # So many that they cost about a quarter of what the attributes do.
        least, most = RANDOM_PER_IMAGE if at_end else (1 if attributes < 3 else 2, 8)
        wanted = RANDOM_PER_ATTRIBUTE * attributes if at_end else attributes // 3
        return min(max(wanted, least), most, self.random_direction_count(at_end=at_end))

    def control_prompt_every(self, attributes: int) -> int:
        """Return of how many images one is moved along a control prompt."""
        # Of few attributes such searches would be a large part of an audit.
        return max(1, math.ceil(LEAST_BESIDE_CONTROL_PROMPTS / attributes))

    def told_apart_by(self, attributes: Sequence[str]) -> list[str]:
        """Return the prompts that tell images apart: those of `by`, and all `attributes` where it asks for them."""
        asked = [Attribute.parse(text).text for text in self._own_by() or ()]
        return [*asked, *(text for text in attributes if EVERY_ATTRIBUTE in (self.by or ()) and text not in asked)]

    def _own_by(self) -> Sequence[str | Attribute] | None:
        """Return the prompts of `by` itself, None where there are none to check."""
        if self.by is None or EVERY_ATTRIBUTE not in self.by:
            return self.by
        return [text for text in self.by if text != EVERY_ATTRIBUTE] or None

    def deciding(self) -> dict[str, Any]:
        """Return the options that decide the records, as the manifest's config has them.

        Those that were left open are not among them.
        """
        chosen = {name: getattr(self, name) for name, about in options_of(type(self)).items() if about.decides}
        if self.edits_from_elsewhere:
            chosen = {name: value for name, value in chosen.items() if name in ("mode", *OF_ANY_EDITS)}
        if self.attributes is not None:
            chosen["attributes"] = [Attribute.parse(attribute).text for attribute in self.attributes]
        if self.by is not None:
            known = self.attributes is not None or EVERY_ATTRIBUTE not in self.by
            chosen["by"] = self.told_apart_by(chosen["attributes"] or ()) if known else None
        if self.keep is not None:
            chosen["keep"] = [Attribute.parse(text).text for text in self.keep]
        if "loss_weights" in chosen:
            chosen["loss_weights"] = dataclasses.asdict(self.loss_weights)
        return {name: value for name, value in chosen.items() if value is not None}


@checked_options("option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The choice of the images that are audited, and of the place where the audit goes.

    Raises:
        ConfigError: for images that have no numbers.
    """

    images: int | Literal["auto"] = option(
        "number of images, or auto: as many as each attribute needs",
        AUTO,
    )
    seed: int = option(f"names the images: number i is seed·{SEEDS_PER_RUN} + i", 0)
    out: str | Path | None = option("the audit folder; an audit in it is resumed", None)
    width: float | None = option(
        "with --images auto: stop at this interval width instead of a verdict",
        None,
    )
    most_images: int | None = option(f"with --images auto: largest number of images ({MOST_IMAGES})", None)

    def __post_init__(self) -> None:
        """Refuse images that have no numbers, by a ConfigError."""
        for name in ("width", "most_images"):
            if getattr(self, name) is not None and self.images != AUTO:
                raise ConfigError(f"{name} is for images='{AUTO}', not for a number of images")
        for name in ("images", "most_images"):
            if isinstance(count := getattr(self, name), int) and not 1 <= count <= SEEDS_PER_RUN:
                raise ConfigError(f"{name} must be in 1..{SEEDS_PER_RUN}, got {count}")
        if self.width is not None and not 0 < self.width <= 1:
            raise ConfigError(f"width must be in (0, 1], got {self.width}")
        if not 0 <= self.seed < 2**32 // SEEDS_PER_RUN:
            raise ConfigError(f"seed must be in 0..{2**32 // SEEDS_PER_RUN - 1}, got {self.seed}")

    def given(self, settings: AuditSettings) -> RunSettings:
        """Return the settings of an audit that takes a fixed number of images, whatever `images` says.

        In multi mode no attribute has a verdict that could end it. An audit around photographs takes all of them, and
        says how many there are.

        Raises:
            ConfigError: `width` or `most_images` were given for such an audit.
        """
        if self.images != AUTO or (settings.mode == "single" and settings.photos is None):
            return self
        for name in ("width", "most_images"):
            if getattr(self, name) is not None:
                raise ConfigError(f"{name} is for single mode without photographs: leave it out")
        return dataclasses.replace(self, images=MULTI_IMAGES)

    @property
    def interim_analyses(self) -> tuple[int, ...]:
        """After how many images the audit may end: one number, or those of `planned_analyses`."""
        if isinstance(self.images, int):
            return (self.images,)
        return planned_analyses(MOST_IMAGES if self.most_images is None else self.most_images)

    @property
    def most(self) -> int:
        """How many images there are at most."""
        return self.interim_analyses[-1]

    def deciding(self) -> dict[str, Any]:
        """Return the options that decide the records, as `AuditSettings.deciding` does."""
        if self.images != AUTO:
            return {"images": self.images, "seed": self.seed}
        width = {} if self.width is None else {"width": self.width}
        return {"interim_analyses": list(self.interim_analyses), **width, "seed": self.seed}


def _left_open(settings: AuditSettings) -> dict[str, Any]:
    """Return the options that the preset brought, as they were before: other options let it bring others."""
    brought = {} if settings.preset is None else settings.brought_by(*find_preset(settings.preset))
    defaults = type(settings)
    return {name: getattr(defaults, name) for name, value in brought.items() if getattr(settings, name) == value}


def settings_with(settings: AuditSettings | None, options: Mapping[str, Any]) -> AuditSettings:
    """Return the settings with the options in them, or those of the options alone.

    Raises:
        ConfigError: something else stands in their place, or an option is one of `RunSettings`; and as `AuditSettings`.
    """
    for name in options_of(RunSettings):
        if name in options:
            raise ConfigError(f"'{name}' is an option of run: give it there, as in .run({name}=...)")
    if settings is None:
        return AuditSettings(**options)
    if not isinstance(settings, AuditSettings):
        raise ConfigError(
            f"what comes first is an AuditSettings, not {type(settings).__name__}: give options by name, such as"
            " target=model"
        )
    return dataclasses.replace(settings, **{**_left_open(settings), **options})


def options_of(settings: type) -> dict[str, About]:
    """Return the description of each field."""
    return {field.name: field.metadata["about"] for field in dataclasses.fields(settings)}


def with_audit_options(kind: type[T]) -> type[T]:
    """Decorate a class that takes the fields of `AuditSettings` by keyword: help and editors show them."""
    made: Any = kind.__init__
    parameters = [
        parameter
        for parameter in inspect.signature(made).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    signature = sorted(
        [*inspect.signature(AuditSettings).parameters.values(), *parameters], key=lambda parameter: parameter.kind
    )
    made.__signature__ = inspect.Signature(signature)
    return kind


def described(options: Mapping[str, About]) -> str:
    """List the options and their texts as a docstring does."""
    return "\n".join(
        f"    {name}: {'; '.join(filter(None, (about.text, about.python)))}." for name, about in options.items()
    )


AuditSettings.__doc__ = f"{inspect.getdoc(AuditSettings)}\n\nOptions:\n{described(options_of(AuditSettings))}"


def _check_source(settings: AuditSettings) -> None:
    """Refuse no source of edits, several, and options that the one does not have."""
    sources = [name for name in SOURCES if getattr(settings, name) is not None]
    if not sources:
        raise ConfigError(f"option 'generator' is missing: give it, or {' or '.join(SOURCES[1:])} in its place")
    if len(sources) > 1:
        raise ConfigError(f"edits come from one source, not from {' and '.join(sources)} together: give one of them")
    (source,) = sources
    if source == "editor" and settings.photos is None:
        raise ConfigError("an editor edits photographs: give their folder by photos (--photos)")
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if source == "generator":
            alien = field.name in OF_EDITORS
        else:
            beside = (*OF_EDITORS, "photos") if source == "editor" else ()
            alien = field.name not in (source, *beside, *OF_ANY_EDITS)
        if alien and value is not field.default and value != field.default:
            raise ConfigError(f"{field.name} does not apply to edits by {source}: leave it out")
    if source != "generator" and settings.text_encoder is None and settings.templates != DEFAULT_TEMPLATES:
        raise ConfigError(
            "templates are sentences for a text encoder, which tells whether edits were made: give one by text_encoder"
            " (--text-encoder), or leave templates out"
        )
    if source != "generator" and settings.text_encoder is not None and settings.neutral is None:
        raise ConfigError(
            "a text encoder tells whether edits were made beside a neutral prompt: say what the pictures show by"
            " neutral (--neutral), such as 'a street'"
        )


def _check_truncation(truncation: float, cutoff: int | None) -> None:
    """Refuse a truncation that is no number, and a cutoff of none."""
    if not math.isfinite(truncation):
        raise ConfigError(f"truncation must be a finite number, got {truncation}")
    if cutoff is not None and cutoff < 0:
        raise ConfigError(f"truncation cutoff counts layers and must be at least 0, got {cutoff}")
    if cutoff is not None and truncation == 1:
        raise ConfigError("a truncation cutoff says where truncation ends, and 1 is none: give truncation too")


def _check_single_mode(settings: AuditSettings) -> None:
    """Refuse what belongs to single mode in another one, and a number of paraphrases that there cannot be."""
    for name in ("correction", "smallest_effect"):
        if settings.mode == "multi" and getattr(settings, name) != getattr(AuditSettings, name):
            raise ConfigError(f"{name} is for single mode: attributes edited together get no verdicts")
    if settings.random_directions and settings.mode == "multi":
        raise ConfigError("random_directions is for single mode: attributes edited together are not compared with any")
    if settings.by is not None and settings.mode == "multi":
        raise ConfigError("by is for single mode: it compares sensitivities of single attributes")
    if settings.paraphrases is not None:
        if settings.mode == "multi" or settings.edit_range != "calibrated":
            raise ConfigError("paraphrases are for single mode and the calibrated range")
        if not 2 <= settings.paraphrases <= MOST_PARAPHRASES:
            raise ConfigError(f"paraphrases must be in 2..{MOST_PARAPHRASES}, got {settings.paraphrases}")


def _check_prompts(settings: AuditSettings, *others: Sequence[str | Attribute] | None) -> None:
    """Refuse attributes, labels and `others` that are no prompts, and attributes that are lacking."""
    neutral = {} if settings.neutral is None else {"neutral": settings.neutral}
    for texts in others:
        if texts is not None:
            parse_attributes(texts, **neutral)
    of_domain = isinstance(settings.generator, str) and settings.generator in registry.names(registry.DOMAINS)
    attributes = () if settings.attributes is None else settings.attributes
    # A domain and edits from elsewhere bring their own.
    given = settings.attributes is not None
    in_file = _is_file(settings.directions)
    if (given or not (of_domain or in_file or settings.edits_from_elsewhere)) and (neutral or not of_domain):
        parse_attributes(attributes, **neutral)
    sources = sources_of(settings.attributes, *others)
    if sources and settings.edits_from_elsewhere:
        raise ConfigError(
            f"'{next(iter(sources))}' is given by {next(iter(sources.values()))}: edits that come from elsewhere have"
            " their names alone; give the name"
        )
    check_labels(settings.labels or ())


def is_file_of_directions(directions: object) -> TypeGuard[str | Path]:
    """Return whether an audit's `directions` are a path, and not a method's name."""
    known = registry.all_names(registry.DIRECTION_METHODS)
    return isinstance(directions, Path) or (isinstance(directions, str) and directions not in known)


def _is_file(directions: object) -> bool:
    """Return whether `directions` are a file, and refuse what is neither that nor a method, by a ConfigError."""
    if not is_file_of_directions(directions):
        return False
    if not asked_path(directions, ConfigError).is_file():
        known = registry.all_names(registry.DIRECTION_METHODS)
        raise ConfigError(f"option 'directions' cannot be {one_of(str(directions), known)}; and no such file is there")
    return True


def check_decisive_change(change: float) -> None:
    """Refuse a decisive change that no change of an output can reach, or be below.

    Raises:
        ConfigError: it is outside [0, 1].
    """
    if not 0 <= change <= 1:
        raise ConfigError(f"decisive_change must be in [0, 1], got {change}")


def check_generator(spec: object) -> None:
    """Refuse a name or a path that `load_generator` could not find.

    Raises:
        CheckpointError: there is no such generator.
    """
    if not isinstance(spec, str | Path) or spec in registry.names(registry.DOMAINS):
        return
    if asked_path(spec, CheckpointError).is_file():
        return
    family, colon, _ = str(spec).partition(":")
    known = (*registry.all_names(registry.GENERATORS), "python")
    if not colon and family in registry.names(registry.GENERATORS):
        raise CheckpointError(
            f"'{family}' is a family of generators: say which of them after a colon, {family}:REST, as its package"
            f" {registry.packages(registry.GENERATORS)[family]} describes it"
        )
    if not colon or family not in known:
        raise CheckpointError(f"no generator '{spec}': neither an installed domain nor a file")
