"""`Study`: what experiments are made on, and the audits that they share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine.audit.about import sha256_of
from zoom_engine.commands.editing import AT_ONCE, Editing
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.attribute_sources import hash_of_examples
from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.diagnose.domain import Domain, KnownTruth, find_domain
from zoom_engine.diagnose.identity import config
from zoom_engine.experiments.folder import Folder
from zoom_engine.generators import EditableGenerator, check_generator_options, load_generator
from zoom_engine.settings.attributes import (
    NEUTRAL,
    Attribute,
    Examples,
    Pictures,
    Scorer,
    short_names,
    slug,
    sources_of,
)
from zoom_engine.settings.audit_settings import (
    SEEDS_PER_RUN,
    AuditSettings,
    LossWeights,
    RunSettings,
    is_file_of_directions,
)
from zoom_engine.settings.command_line import without_secrets
from zoom_engine.settings.target_names import without_password
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import Target, load_untried
from zoom_engine.targets.scorer import load_scorer
from zoom_engine.text import find_templates, load_text_encoder
from zoom_engine.text.attribute_encoder import NO_WORDS

AUDITED = 24  # images of an audit that experiments share
TRUE_EFFECTS_OF = 150  # pictures
EDITING = (
    *("generator_class", "generator_options", "neutral", "text_encoder", "directions", "truncation"),
    *("backend", "precision", "device", "download"),
)
FURTHER = ("threshold", "level", "truncation_cutoff", "samples")
NOT_DECIDING = ("batch_size", "cache", "device", "download")
Spec = str | Path | Any


class UnsuitedError(ConfigError):
    """An experiment that has nothing to show of this generator or of these targets."""


class Study:
    """A generator with its text encoder, targets and attributes, and the folder of its audits.

    Raises:
        ConfigError: more must be named before there is something to do.
    """

    def __init__(
        self,
        generator: Spec,
        out: Path,
        *,
        targets: Sequence[Spec] = (),
        images: int | None = None,
        seed: int = RunSettings.seed,
        progress: ProgressFactory = silent,
        notify: Notify = null_notifier,
        **options: Any,
    ) -> None:
        """Check the options; nothing is loaded.

        Args:
            generator: a domain, a file, or a generator.
            out: folder; the study's own folder lies inside.
            targets: by default those of the domain.
            images: by default each experiment decides.
            seed: which images.
            progress: how work shows itself.
            notify: receives lines on what was assumed.
            **options: those of `AuditSettings`.
        """
        self.settings = AuditSettings(generator=generator, target=None, **options)
        self.options, self.given = options, tuple(targets)
        RunSettings(images=RunSettings.images if images is None else images, seed=seed)  # refuses what it must
        self.images, self.seed = images, seed
        self.progress, self.notify = progress, notify
        self.domain: Domain | None = find_domain(generator)
        self.name = self.domain.name if self.domain else slug(_name_of(generator))
        self.out = out / self.name
        titles = [self.title(target) for target in self.given]
        if twice := next((title for title in titles if titles.count(title) > 1), None):
            raise ConfigError(f"two targets are called '{twice}': give each once, and in Python a Target with its name")

    def identity(self) -> dict[str, Any]:
        """Return what decides the data of experiments, ready for JSON and without secrets: pages link to it."""
        deciding = {name: value for name, value in self.options.items() if name not in NOT_DECIDING}
        if self.settings.preset is not None:  # its file may bring other texts another time
            deciding |= {
                name: getattr(self.settings, name) for name in ("neutral", "labels", "attributes", "templates")
            }
        of_target = deciding.get("target_options") or {}
        if isinstance(service := of_target.get("service"), Mapping):
            deciding["target_options"] = {**of_target, "service": without_secrets(service)}
        options = {name: str(_name_of(value)) for name, value in deciding.items()}
        given = [_name_of(target) for target in self.given]
        generator = _name_of(self.settings.generator)
        named = {"generator": generator, "targets": given, "images": self.images, "seed": self.seed, "options": options}
        return {**named, **({"hashes": self._hashes} if self._hashes else {})}

    @cached_property
    def _hashes(self) -> list[str]:
        """Return the hashes of the models and files that were given: others may get their names."""
        hashes = [self.target(target).content_hash for target in self.given]
        hashes += [sha256_of(path) for path in self._files_of_edits() if path.is_file()]
        hashes += self._hashes_of_edits()
        if self.domain is None:
            hashes.append(self._generator_hash)
        if self.settings.text_encoder not in (None, NO_WORDS):
            encoder = load_text_encoder(self.settings.text_encoder, download=self.settings.download)
            hashes.append(encoder.content_hash)
        return hashes

    def _files_of_edits(self) -> Iterator[Path]:
        """Yield the files that say what edits are: ready directions, scorers."""
        ready = self.settings.directions
        if is_file_of_directions(ready):
            yield Path(ready)
        for source in sources_of(self.settings.attributes).values():
            if isinstance(source, Scorer) and isinstance(source.model, str | Path):
                yield Path(source.model)

    def _hashes_of_edits(self) -> Iterator[str]:
        """Yield the hashes of what else says what edits are: examples, and ready directions and scorers in memory."""
        ready: Any = self.settings.directions
        if isinstance(of_directions := getattr(ready, "content_hash", None), str):
            yield of_directions
        for source in sources_of(self.settings.attributes).values():
            if isinstance(source, Scorer) and not isinstance(source.model, str | Path):
                yield load_scorer(source.model, [source.output]).hash_of(0)
            elif isinstance(source, Examples):
                yield hash_of_examples(_hashes_of(source.having), _hashes_of(source.without))

    @property
    def _generator_hash(self) -> str:
        """Return the hash of a generator of one's own: of the file, where that is all there is to it."""
        given: Any = self.settings.generator
        if isinstance(given, str | Path) and Path(given).is_file() and not self.settings.generator_options:
            return sha256_of(Path(given))
        options = {
            **check_generator_options(self._generator_options, given),
            "cache": self.settings.cache,
            "download": self.settings.download,
        }
        return load_generator(given, **options).content_hash

    @property
    def _generator_options(self) -> dict[str, Any]:
        trust = bool((self.settings.target_options or {}).get("trust"))
        return {"trust": trust, **(self.settings.generator_options or {})}

    def check_words(self) -> None:
        """Refuse edits that no words give, where the experiment finds edit directions from words itself.

        Raises:
            UnsuitedError: directions are ready, or an attribute is given by pictures or a scorer.
        """
        ready = self.settings.directions
        if is_file_of_directions(ready) or not (ready is None or isinstance(ready, str)):
            raise UnsuitedError("it finds edit directions from words, and takes no ready ones: leave out directions")
        if sources := sources_of(self.settings.attributes):
            name, source = next(iter(sources.items()))
            raise UnsuitedError(f"it finds edit directions from words, and '{name}' is given by {source}: leave it out")

    def count(self, default: int) -> int:
        """Return the number of images of an experiment: `default` unless another number was given."""
        return default if self.images is None else self.images

    def seeds(self, count: int) -> list[int]:
        """Return the generator's seeds of so many images, as an audit has them."""
        return [self.seed * SEEDS_PER_RUN + image for image in range(count)]

    @cached_property
    def editing(self) -> Editing:
        """Load generator and text encoder, for experiments that need no target."""
        if self.settings.batch_size is not None:
            self.notify(f"--batch-size applies to audits; images outside audits are drawn up to {AT_ONCE} at a time")
        chosen = {name: getattr(self.settings, name) for name in EDITING}
        chosen |= {name: getattr(self.settings, name) for name in FURTHER if getattr(self.settings, name) is not None}
        if self.settings.keep:
            chosen["keep"] = [Attribute.parse(text).text for text in self.settings.keep]
        chosen["generator_options"] = self._generator_options
        templates = find_templates(self.settings.templates)
        cache = None if self.settings.cache is None else Path(self.settings.cache)
        with self.progress(1, f"Loading {self.name}", unit="generator") as bar:
            editing = Editing.of(
                self.settings.generator,
                self.attributes,
                cache=cache,
                templates=templates,
                progress=self.progress,
                **chosen,
            )
            bar.update()
        return editing

    def short(self, attribute: str | Attribute) -> str:
        """Return an attribute's name in figures: its first prompt where its short name is another's too."""
        neutral = self.settings.neutral or (self.domain.neutral if self.domain else NEUTRAL)
        asked = self.attributes or (self.domain.attributes if self.domain else ())
        known = dict.fromkeys(map(Attribute.parse, (*asked, attribute)))
        return short_names([*known], neutral)[Attribute.parse(attribute)]

    def targets(self) -> list[Spec]:
        """Return the targets that were given, else all of the domain.

        Raises:
            ConfigError: there is none.
        """
        if not self.given and self.domain is None:
            raise UnsuitedError("this experiment asks a target: give --target, once or more")
        domain_specs: list[Spec] = [f"{self.name}:{name}" for name in self.domain_targets]
        return list(self.given) or domain_specs

    def target(self, spec: Spec, *, generator: EditableGenerator | None = None) -> Target:
        """Load a target, with the study's labels where some were given.

        It is tried on pictures of the size of the `generator`'s, on its device; without one audits do that.
        """
        options = dict(self.settings.target_options or {})
        target = load_untried(spec, labels=self.settings.labels, download=self.settings.download, **options)
        if generator is not None:
            target.to(generator.device).check(generator.resolution)
        return target

    def targets_of(self, *tasks: str, others: bool = False) -> list[Spec]:
        """Return the targets that have one of these `tasks`, or with `others` none of them."""
        return [spec for spec in self.targets() if (self.target(spec).task.name in tasks) != others]

    def binary_targets(self) -> list[Spec]:
        """Return the targets that decide between two classes.

        Raises:
            ConfigError: there is none.
        """
        if not (binary := self.targets_of("binary")):
            raise UnsuitedError("none of its targets decides between two classes: give --target")
        return binary

    def title(self, target: Spec) -> str:
        """Return a target's name in figures."""
        name = _name_of(target)
        return name.removeprefix(f"{self.name}:")

    def diagnoser(self, target: Spec, **more: Any) -> Diagnoser:
        """Prepare an audit, with `more` settings than the study's."""
        options = {**self.options, **more}
        if isinstance(target, Target) and self.settings.target_options:  # it is read already, the generator may not be
            options["target_options"] = {"trust": bool(self.settings.target_options.get("trust"))}
        settings = AuditSettings(generator=self.settings.generator, target=target, **options)
        return Diagnoser(settings, progress=self.progress, notify=self.notify)

    def audit(self, target: Spec, *, images: int, seed: int | None = None, **more: object) -> Diagnosis:
        """Return the audit of a target, from the study's folder if it is there: experiments share it."""
        diagnoser = self.diagnoser(target, **more)
        seed = self.seed if seed is None else seed
        asked = config(diagnoser.models, RunSettings(images=images, seed=seed))
        folder = self.out / "audits" / slug(f"{self.title(target)} {json.dumps(asked, sort_keys=True, default=str)}")
        return diagnoser.run(images=images, seed=seed, out=folder)

    def audits(self, targets: Sequence[Spec]) -> dict[str, Diagnosis]:
        """Return the single-mode audits of targets that experiments share, by title."""
        return {self.title(target): self.audit(target, images=self.count(AUDITED)) for target in targets}

    @property
    def attributes(self) -> list[str] | None:
        """Return the attributes that were given, as texts; None where there are none."""
        return None if self.settings.attributes is None else [str(one) for one in self.settings.attributes]

    def true_effects(self, targets: Sequence[Spec]) -> dict[str, dict[str, float]]:
        """Return the true effects by title and attribute, where the domain knows them."""
        if self.judge is None or self.domain is None:
            return {}
        loaded = {self.title(target): self.target(target) for target in targets}
        attributes = self.domain.attributes if self.attributes is None else self.attributes
        hashes = [target.content_hash for target in loaded.values()]
        measure = partial(self.judge.true_effects, loaded, attributes, count=TRUE_EFFECTS_OF)
        effects: dict[str, dict[str, float]] = Folder(self.out).part(f"true effects {hashes} {attributes}", measure)
        return effects

    def planted(self, target: Spec) -> str | None:
        """Return the attribute that a target was trained to look at, where its domain says so."""
        name = self.title(target)
        return None if self.judge is None or name not in self.domain_targets else self.judge.planted(name)

    def planted_among(self, target: Spec, audit: Diagnosis) -> str | None:
        """Return the name in figures of what was planted, where the audit of the target asked about it."""
        planted, asked = self.planted(target), [attribute.text for attribute in audit.attributes]
        return self.short(planted) if planted is not None and planted in asked else None

    @property
    def judge(self) -> KnownTruth | None:
        """Return what knows the truth of targets, or None."""
        domain: object = self.domain
        return domain if isinstance(domain, KnownTruth) else None

    @property
    def domain_targets(self) -> Sequence[str]:
        """Return the names of the domain's own targets."""
        return () if self.domain is None else self.domain.target_names()


def _hashes_of(examples: Path | Pictures | None) -> Iterator[str]:
    """Yield the SHA-256 (hex) of each of the examples, in a folder or in memory."""
    if isinstance(examples, Path):
        yield from (sha256_of(path) for path in examples.glob("*") if path.is_file())
    elif examples is not None:
        yield from (hashlib.sha256(np.asarray(picture).tobytes()).hexdigest() for picture in examples.given)


def _name_of(thing: object) -> str:
    """Return a setting as text: its name, or else what kind of thing it is."""
    if isinstance(thing, list | tuple):  # of attributes their names; what gives them their meaning is hashed
        told = [one.text if isinstance(one, Attribute) else one for one in thing]
        thing = told if isinstance(thing, list) else tuple(told)
    if isinstance(thing, str | Path | int | float | None | list | tuple | dict | LossWeights):
        return without_password(str(thing), instead="")
    return str(getattr(thing, "name", f"a {type(thing).__name__}"))
