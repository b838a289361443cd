"""`Models`: everything that an audit loads, checked and chosen, as one value. Nothing is measured here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.cache import check_cache, default_cache
from zoom_engine.common.files.mapped_weights import give_back_memory
from zoom_engine.common.machine import find_device
from zoom_engine.common.module_hash import Identity
from zoom_engine.common.notices import Notices, Notify, null_notifier
from zoom_engine.common.plurals import digits_beside, number_of
from zoom_engine.common.probes import Answers
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import working
from zoom_engine.diagnose.attribute_sources import (
    assumed_inputs,
    attribute_encoder,
    check_options,
    given_sources,
    load_scorers,
    needs_text_encoder,
    read_examples,
    unread_neutral,
    words_of,
)
from zoom_engine.diagnose.cluster import check_cluster
from zoom_engine.diagnose.domain import Domain, find_domain
from zoom_engine.directions import (
    PROMPTED,
    BaselineDirections,
    EditDirections,
    MisreadDenial,
    Sampling,
    check_method,
    control_prompts,
    default_method,
    misread_denials,
    paraphrases,
    reads,
    text_directions,
)
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.find import direction_method
from zoom_engine.directions.ready import GivenDirections, read_directions
from zoom_engine.directions.relevance import inverse_std
from zoom_engine.directions.unedited import SAMPLES, unedited_embeddings
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.generators import (
    EditableGenerator,
    SeedStyles,
    batch_size_of,
    check_generator_options,
    check_gradients_of,
    load_generator,
    of_one_class,
)
from zoom_engine.photographs import check_invertible
from zoom_engine.runtime import (
    Synthesizer,
    check_backend,
    choose_synthesizer,
    compiled_target,
    compiled_text_encoder,
)
from zoom_engine.search import End, Search, check_search_options, choose_search
from zoom_engine.settings.attributes import NEUTRAL, Attribute, parse_attributes
from zoom_engine.settings.audit_settings import (
    AUTO,
    BATCH_SIZE,
    AuditSettings,
    LossWeights,
    RunSettings,
    is_file_of_directions,
)
from zoom_engine.settings.target_names import several_targets
from zoom_engine.targets import Target, check_target, check_target_options, input_notices, load_untried
from zoom_engine.text import AttributeEncoder, TextEncoder, find_templates, text_encoder_for

_PROBES = 16  # pictures that are drawn small and whole
_SMALL_ERROR = 0.1
_OWN_PICTURES, _OWN_WAY = 64, 1.5  # edited pictures that show what a ready direction means, and how far they are
_LEAST_WAY = 1.0  # edit weight
_SMALL = "pictures for the text encoder alone"


@dataclass(frozen=True, eq=False, kw_only=True)
class Models:
    """The models and prompts that an audit has loaded, and what it has chosen.

    Attributes:
        settings: What was asked for; directions from a file are read.
        cache: The folder of what is found once.
        neutral: The neutral prompt.
        templates: Those that prompts are put into.
        attributes: What is searched.
        labels: Prompts of the ground truth; empty without any.
        text_encoder: Compiled, as searches see pictures.
        target: Compiled.
        generator: As loaded.
        synthesizer: What draws the generator's pictures.
        search: What looks for edits along the attributes, and why it was chosen.
        baseline_search: What looks along random baseline directions.
        random_directions: How many random baseline directions there are.
        control_prompts: Control prompts, which stand beside random baseline directions.
        answers: How target and generator answer probes.
        misread: The attributes that lead towards what they deny.
        networks: What runs which network; more are noted as they are compiled.
        notices: Lines on what was assumed.
        progress: How long work is shown.
        like: Models of another target, whose generator and text encoder these are.
    """

    settings: AuditSettings
    cache: Path
    neutral: str
    templates: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    labels: tuple[str, ...]
    text_encoder: TextEncoder
    target: Target
    generator: EditableGenerator
    synthesizer: Synthesizer
    search: Search
    search_reason: str
    baseline_search: Search
    random_directions: int
    control_prompts: tuple[str, ...]
    answers: Mapping[str, Any]
    misread: tuple[MisreadDenial, ...]
    networks: dict[str, str]
    notices: Notices
    progress: ProgressFactory
    like: Models | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Say in short what is audited, and how."""
        generator = self.settings.generator
        drawn = repr(str(generator)) if isinstance(generator, str | Path) else f"a {type(generator).__name__}"
        how = f"{number_of(len(self.attributes), 'attribute')}, {self.settings.mode} mode, search {self.search.name}"
        return f"target={self.target.name!r}, generator={drawn}, {how}"

    @property
    def steers_lowered(self) -> bool:
        """Return whether gradients go through bf16 networks: bf16 that draws pictures also steers a gradient search."""
        return self.search.needs_gradient and self.synthesizer.precision == "bf16"

    @property
    def batch_size(self) -> int:
        """Return how many images a forward pass takes."""
        return self.settings.batch_size or batch_size_of(self.generator) or BATCH_SIZE

    @property
    def searched_attributes(self) -> Sequence[str | None]:
        """Return what is searched on each image: every attribute alone, or all together."""
        return [None] if self.settings.mode == "multi" else [attribute.text for attribute in self.attributes]

    @property
    def control_prompt_every(self) -> int:
        """Return of how many images one is moved along a control prompt."""
        return self.settings.control_prompt_every(len(self.attributes))

    @cached_property
    def measuring_encoder(self) -> TextEncoder:
        """Return the text encoder in the synthesis's precision, compiled when it is first needed.

        It is for means over many pictures, and for labels that it leaves no doubt about.
        """
        precision = self.synthesizer.precision
        if precision == "fp32":
            return self.text_encoder
        if self.like is not None:
            encoder = self.like.measuring_encoder
            self.networks["measurements"] = self.like.networks["measurements"]
            return encoder
        encoder, self.networks["measurements"] = compiled_text_encoder(
            self.text_encoder, self.synthesizer, precision=precision, cache=self.cache
        )
        self.give_back_memory()
        return encoder

    def give_back_memory(self) -> None:
        """Give back what was freed, and weights that were needed once and can be read from their file again."""
        give_back_memory(self.text_encoder)

    @cached_property
    def measuring_synthesizer(self) -> Synthesizer:
        """Return what draws pictures that the text encoder alone sees: small ones, where it answers as of whole ones.

        That is tried on `_PROBES` pictures, half of which have codes that the generator seldom draws: what the blocks
        add that are left out must move the embeddings by at most `_SMALL_ERROR` of what pictures differ by, both as
        root mean squares.
        """
        if self.like is not None:
            synthesizer = self.like.measuring_synthesizer
            self.networks.update({name: how for name, how in self.like.networks.items() if name == _SMALL})
            return synthesizer
        small = self.synthesizer.smaller(self.text_encoder.image_size)
        if small is None:
            return self.synthesizer
        sampling = self.sampling(_PROBES, whole=True)
        depends_on = {**sampling.seen(self.generator, self.measuring_encoder), "side": small.side}

        @torch.no_grad()
        def measure() -> dict[str, Tensor]:
            codes = sampling.codes(self.generator)
            std = sampling.statistics(self.generator).std.to(codes)
            codes[1::2] += std * torch.randn(codes.shape, generator=torch.Generator().manual_seed(0)).to(codes)[1::2]
            whole, drawn_small = (
                torch.cat([self.measuring_encoder.embed_images(how.render(code)) for code in torch.split(codes, 4)])
                for how in (self.synthesizer, small)
            )
            errors = []
            for block in self.measuring_encoder.blocks:
                seen, off = whole[:, block], (drawn_small - whole)[:, block]
                differ = (seen - seen.mean(dim=0)).square().sum(dim=1).mean().sqrt()
                errors.append(off.square().sum(dim=1).mean().sqrt() / differ.clamp(min=1e-6))
            return {"error": torch.stack(errors).amax()}

        error = float(DirectionCache(self.cache).cached("small-pictures", depends_on, measure)["error"])
        used = error <= _SMALL_ERROR
        self.networks[_SMALL] = (
            f"{small.side}²{'' if used else ' not used'}: the text encoder's answers differ from those of whole ones by"
            f" {error:.{digits_beside(_SMALL_ERROR, error, 2)}f} of what pictures differ by, {_SMALL_ERROR:g} at most"
        )
        return small if used else self.synthesizer

    @cached_property
    def zero_shot_labels(self) -> ZeroShotLabels | None:
        """Return what tells the audit's `labels` apart; None without any."""
        return self.labels_of(self.labels)

    def labels_of(self, prompts: Sequence[str]) -> ZeroShotLabels | None:
        """Return what tells these prompts apart; None without any."""
        return ZeroShotLabels(self.text_encoder, prompts, quick_encoder=self.measuring_encoder) if prompts else None

    def evaluator(self, directions: EditDirections | BaselineDirections | Tensor) -> Evaluator:
        """Return what evaluates edit weights in this audit, of directions or of a matrix `[N, S]`."""
        matrix = directions if isinstance(directions, Tensor) else directions.matrix
        return Evaluator(
            self.synthesizer,
            matrix.to(self.generator.device),
            self.target,
            labels=self.zero_shot_labels,
            loss_weights=self.settings.loss_weights,
            decisive_change=self.settings.decisive_change,
        )

    def styles(self, seeds: Sequence[int]) -> SeedStyles:
        """Return the unedited style vectors `[I, S]` of the seeds, mapped when rows of them are asked for."""
        truncation, cutoff = self.settings.truncation, self.settings.truncation_cutoff
        return SeedStyles(self.generator, seeds, truncation=truncation, truncation_cutoff=cutoff)

    def sampling(self, samples: int, *, whole: bool = False) -> Sampling:
        """Return a sampling of so many unedited pictures, drawn and cached as in this audit.

        They are `whole`, or as `measuring_synthesizer` draws them.
        """
        settings = self.settings
        truncated = settings.truncation, settings.truncation_cutoff
        return Sampling(
            samples,
            0,
            *truncated,
            self.synthesizer if whole else self.measuring_synthesizer,
            batch_size=self.batch_size,
            cache=self.cache,
            progress=self.progress,
        )


@working()
def load_models(
    settings: AuditSettings,
    *,
    progress: ProgressFactory = silent,
    notify: Notify = null_notifier,
    like: Models | None = None,
) -> Models:
    """Load what the settings name, and choose what runs it. What words alone show to be wrong is told first.

    Args:
        settings: What is audited and how.
        progress: How long work is shown.
        notify: Takes lines on what was assumed, as soon as they are known.
        like: Models of the same settings but the target; their generator and their text encoder serve here too.

    Raises:
        ZoomError: One of its subclasses, with one line that says what is wrong and what to do.
    """
    given: Any = settings.target
    if several_targets(given):
        raise ConfigError("a Diagnoser audits one target: Diagnosers(target=[…], …) audits several")
    if settings.generator is None:
        raise ConfigError("edits from elsewhere (pairs, an editor) have no generator, and this needs one: give it")
    settings = _with_directions_of_file(settings)
    if like is not None:
        _check_same(settings, like.settings)
    drawn_by: Any = settings.generator
    domain = find_domain(settings.generator)
    neutral = settings.neutral or (domain.neutral if domain else NEUTRAL)
    if settings.attributes is not None:
        parse_attributes(settings.attributes, neutral=neutral)
    sources = given_sources(settings)
    check_options(settings, sources)
    reads_words = needs_text_encoder(settings, domain)
    check_search_options(settings.search, mode=settings.mode, options=settings.search_options)
    check_cluster(settings.cluster)
    templates = find_templates(settings.templates)
    device = find_device(settings.device)
    check_backend(settings.backend, settings.precision, settings.device)
    cache = default_cache() if settings.cache is None else Path(settings.cache)
    check_cache(cache)
    check_target(given)
    target_options = {"download": settings.download, **check_target_options(settings.target_options)}
    told = {"device": settings.device, "cache": cache, "download": settings.download}
    told["trust"] = bool(target_options.get("trust"))
    generator_options = {**told, **check_generator_options(settings.generator_options, settings.generator)}
    _check_directions(settings, neutral, templates, settings.attributes)
    notices = Notices(notify)
    with progress(4, "Loading", unit="model") as bar, ThreadPoolExecutor(1) as beside:
        reader = None
        if like is not None:
            reader = like.text_encoder
        elif reads_words:
            reader = text_encoder_for(settings.generator, settings.text_encoder, download=settings.download)
            reader = reader.to(settings.device)
        if reader is not None:
            beside.submit(
                getattr, reader, "content_hash"
            )  # on the core that loading leaves idle, until it is asked for
            _check_texts(reader, neutral, templates, settings)
        bar.update(note="text encoder")
        target = load_untried(given, **target_options).to(settings.device)  # it is tried when the generator is there
        labels = tuple(target.labels if settings.labels is None else settings.labels) if reads_words else ()
        attributes = _attributes(settings, neutral, domain, target)
        if settings.paraphrases:
            paraphrases([attribute.text for attribute in attributes], templates, settings.paraphrases)
        if reader is not None:
            reader.check_words([*words_of(settings, attributes), *labels])
        bar.update(note="target")
        if like is None:
            loaded = load_generator(drawn_by, **generator_options)
            generator = of_one_class(loaded, settings.generator_class).to(device)
        else:
            generator = like.generator
        if settings.photos is not None:
            check_invertible(generator)
            if not reads_words:
                raise ConfigError(
                    "photographs are held to their inversions by a text encoder: give one (--text-encoder)"
                )
        if settings.directions is None:
            settings = replace(settings, directions=default_method(generator, sources))
        if isinstance(settings.directions, str) and direction_method(settings.directions).needs_gradient:
            check_gradients_of(generator)
        if like is None:
            scorers, answered = load_scorers(settings, sources, generator.resolution)
            for notice in assumed_inputs(scorers):
                notices.add(notice)
            examples = read_examples(sources, generator, domain, notices, progress)
            encoder = attribute_encoder(reader, scorers, examples, sources, answered)
        else:
            encoder = like.text_encoder
        if isinstance(settings.directions, GivenDirections):
            names = [attribute.text for attribute in attributes]
            sampling = Sampling(_OWN_PICTURES, 0, settings.truncation, settings.truncation_cutoff, cache=cache)
            fitted = settings.directions.fit(
                generator, encoder, names, neutral=neutral, templates=templates, sampling=sampling
            )
            settings = replace(settings, directions=fitted)
        search, reason = choose_search(
            settings.search, mode=settings.mode, target=target, generator=generator, options=settings.search_options
        )
        baseline_search = _baseline_search(settings, search)
        random_directions = settings.random_direction_count(at_end=baseline_search is not search)
        answers = {
            "target": _checked(target, generator.resolution, cache),
            "generator": getattr(generator.content_hash, "answers", None),
            "scorers": getattr(encoder, "answers", None),
        }
        _check_directions(
            settings,
            neutral,
            templates,
            attributes,
            {"generator": generator.content_hash, "text_encoder": encoder.content_hash},
        )
        bar.update(note="generator")
        models = _with_runtimes(
            Models(
                settings=settings,
                cache=cache,
                neutral=neutral,
                templates=templates,
                attributes=attributes,
                labels=labels,
                text_encoder=encoder,
                target=target,
                generator=generator,
                synthesizer=_synthesizer(settings, generator, cache) if like is None else like.synthesizer,
                search=search,
                search_reason=reason,
                baseline_search=baseline_search,
                random_directions=random_directions,
                control_prompts=_control_prompts(settings, encoder, generator, neutral, templates, attributes)
                if random_directions
                else (),
                answers={name: known for name, known in answers.items() if known is not None},
                misread=(),
                networks={},
                notices=notices,
                progress=progress,
                like=like,
            )
        )
        if like is None and isinstance(models.text_encoder, AttributeEncoder):
            models.text_encoder.learn_from(partial(_population, models), partial(_edited, models))
        bar.update(note="runtime")
    stored = partial(stored_answers, cache, models.target, models.answers.get("target"), generator.resolution)
    for notice in input_notices(models.target, resolution=generator.resolution, stored=stored):
        models.notices.add(notice)
    if note := getattr(generator, "note", ""):
        models.notices.add(f"generator: {note}")
    if note := unread_neutral(settings, read=reads_words):
        models.notices.add(note)
    if settings.loss_weights != LossWeights() and not search.needs_loss:
        models.notices.add(f"loss weights say nothing here: the search {search.name} has no loss")
    misread = _misread_denials(models)
    for denial in misread:
        models.notices.add(str(denial))
    models.give_back_memory()
    return replace(models, misread=misread)


def run_of(models: Models, run: RunSettings) -> RunSettings:
    """Return the settings of a run of these models: no more images than the generator has codes, see `given`.

    Raises:
        ConfigError: a larger number of images was given, or options that this audit does not have.
    """
    run = run.given(models.settings)
    population = models.generator.population
    if models.settings.photos is not None or population is None or run.most <= population:
        return run
    if run.images == AUTO and run.most_images is None:
        return replace(run, most_images=population)
    raise ConfigError(f"there are {population} codes to sample, not {run.most}: give as many images at most")


def _population(models: Models) -> Tensor:
    """Return the embeddings `[K, D]` of unedited pictures that examples are compared with."""
    encoder, sampling = models.measuring_encoder, models.sampling(SAMPLES)
    return unedited_embeddings(models.generator, encoder, sampling, doing="Looking at unedited images")


@torch.no_grad()
def _edited(models: Models, name: str) -> tuple[Tensor, Tensor]:
    """Return the embeddings `[K, D]` of unedited pictures edited to more and to less along a ready direction.

    They are edited by `_OWN_WAY` standard deviations of what unedited codes differ by along it.
    """
    directions, sampling = models.settings.directions, models.sampling(_OWN_PICTURES)
    assert isinstance(directions, EditDirections)
    row = directions.matrix[directions.attributes.index(name)][None]
    depends_on = {
        **sampling.seen(models.generator, models.measuring_encoder),
        "row": hashlib.sha256(row.numpy().tobytes()).hexdigest(),
        "way": _OWN_WAY,
    }

    def measure() -> dict[str, Tensor]:
        codes, std = sampling.codes(models.generator), sampling.statistics(models.generator).std
        per_std = inverse_std(std, models.generator.space.fixed_mask()).float()
        positions = ((codes.cpu() - codes.cpu().mean(dim=0)) * per_std) @ (row[0] * per_std)
        way = _OWN_WAY * float(positions.std().clamp(min=_LEAST_WAY))
        renderer, seen = sampling.renderer_of(models.generator), []
        with models.progress(2 * len(codes), "Looking at ready directions", unit="image") as bar:
            for weight in (way, -way):
                for part in torch.split(codes, sampling.batch_size):
                    edits = torch.full((len(part), 1), weight)
                    seen.append(models.measuring_encoder.embed_images(renderer.render(part, edits, row)).cpu())
                    bar.update(len(part))
        having, lacking = torch.cat(seen).chunk(2)
        return {"having": having, "lacking": lacking}

    both = DirectionCache(models.cache).cached("own-edits", depends_on, measure)
    return both["having"], both["lacking"]


def _check_same(settings: AuditSettings, others: AuditSettings) -> None:
    """Refuse to take over models that are not those that the settings name."""
    for name in ("generator", "generator_class", "generator_options", "text_encoder", "device", "backend", "precision"):
        if getattr(settings, name) != getattr(others, name):
            raise ConfigError(
                f"like has another {name.replace('_', ' ')}: give it the same settings but the target, or leave it out"
            )
    if _meanings(settings) != _meanings(others):
        raise ConfigError(
            "like has other examples, scorers or edits in place of words: give it the same settings but the target, or"
            " leave it out"
        )


def _meanings(settings: AuditSettings) -> tuple[object, ...]:
    """Return what stands in place of words, and what unedited pictures and ready edits add to it; () without any."""
    if not (sources := given_sources(settings)):
        return ()
    ready, known = settings.directions, None
    if isinstance(ready, GivenDirections):
        known = ready.file
    elif isinstance(ready, EditDirections):
        known = ready.provenance.get("file", ready.content_hash)
    return sources, known, settings.truncation, settings.truncation_cutoff


def _with_directions_of_file(settings: AuditSettings) -> AuditSettings:
    """Return the settings with directions that were given as a file read, and their names as attributes.

    Raises:
        DirectionError: the file cannot be read, or lacks an attribute.
    """
    if not is_file_of_directions(settings.directions):
        return settings
    ready, attributes = read_directions(settings.directions), settings.attributes
    if isinstance(ready, GivenDirections):
        return replace(settings, directions=ready, attributes=attributes or [f"{name}=edits" for name in ready.names])
    if attributes is None:
        return replace(settings, directions=ready, attributes=list(ready.attributes))
    return replace(settings, directions=ready.of([Attribute.parse(text).text for text in attributes]))


def stored_answers(
    cache: Path,
    target: Target,
    answers: Answers | None,
    resolution: int,
    measure: Callable[[], tuple[float, ...]],
    *,
    kind: str = "input",
) -> tuple[float, ...]:
    """Return what is measured on a target as it is fed, from the cache where it was measured before.

    Args:
        cache: the folder.
        target: the target.
        answers: how it answers probes; without them nothing is stored.
        resolution: of the test pictures, in pixels.
        measure: measures it.
        kind: names what is measured.
    """
    identity = Identity(target.content_hash)
    identity.answers = answers
    if identity.answers is None:
        return measure()
    fed = {"target": identity, "preprocessing": target.preprocessing.to_dict(), "size": resolution}
    stored = DirectionCache(cache).cached(kind, fed, lambda: {"measured": torch.tensor(measure(), dtype=torch.float64)})
    return tuple(stored["measured"].tolist())


def _checked(target: Target, resolution: int, cache: Path) -> Answers | None:
    """Do what `Target.check` does, but for gradients of a target that is known to have them."""
    answers = target.check(resolution, gradients=False)

    def measure() -> tuple[float, ...]:
        target.check_gradients(resolution)
        return (1.0,)

    stored_answers(cache, target, answers, resolution, measure, kind="gradients")
    return answers


def _attributes(settings: AuditSettings, neutral: str, domain: Domain | None, target: Target) -> tuple[Attribute, ...]:
    """Return the attributes of the settings, or the domain's but the target's own classes."""
    attributes = settings.attributes
    if attributes is None:
        attributes = [text for text in (domain.attributes if domain else ()) if text not in target.labels]
    return parse_attributes(attributes, neutral=neutral)


def _synthesizer(settings: AuditSettings, generator: EditableGenerator, cache: Path) -> Synthesizer:
    return choose_synthesizer(
        generator, backend=settings.backend, precision=settings.precision, device=settings.device, cache=cache
    )


def _with_runtimes(models: Models) -> Models:
    """Compile what looks at pictures."""
    models.give_back_memory()  # what its hash was made of
    like, synthesizer = models.like, models.synthesizer
    lower = models.steers_lowered
    target, target_runs = compiled_target(models.target, synthesizer, lower=lower, cache=models.cache)
    encoder = models.text_encoder
    if like is not None and like.steers_lowered == lower:
        encoder_runs = like.networks["text_encoder"]
    else:
        encoder, encoder_runs = compiled_text_encoder(encoder, synthesizer, lower=lower, cache=models.cache)
    networks = {"target": target_runs, "text_encoder": encoder_runs}
    return replace(models, target=target, text_encoder=encoder, networks=networks)


def _baseline_search(settings: AuditSettings, search: Search) -> Search:
    """Return what looks along random baseline directions: where one end of a range is all that counts, that end."""
    one_way = settings.mode == "single" and settings.edit_range == "calibrated"
    return End() if one_way and getattr(search, "reaches_ends", False) else search


def _found_by_text(settings: AuditSettings) -> bool:
    """Return whether edit directions are found from the attributes' texts, here or before."""
    ready = settings.directions
    return not isinstance(ready, EditDirections) or ready.method in registry.all_names(registry.DIRECTION_METHODS)


def _control_prompts(
    settings: AuditSettings,
    encoder: TextEncoder,
    generator: EditableGenerator,
    neutral: str,
    templates: Sequence[str],
    attributes: Sequence[Attribute],
) -> tuple[str, ...]:
    """Return control prompts, which stand beside random baseline directions.

    There are some where edits have a calibrated range and directions are found here, of prompts that are read.
    """
    typed = {attribute.text for attribute in attributes}
    words = any(attribute.source is None for attribute in attributes)
    if settings.edit_range != "calibrated" or not _found_by_text(settings) or not words:
        return ()
    prompts = tuple(prompt for prompt in control_prompts(encoder, neutral) if prompt not in typed)
    if settings.directions != PROMPTED:
        return prompts
    return tuple(prompt for prompt in prompts if reads(generator, prompt, neutral=neutral, templates=templates))


def _misread_denials(models: Models) -> tuple[MisreadDenial, ...]:
    """Return those of the attributes that lead towards what they deny."""
    words = [attribute for attribute in models.attributes if attribute.source is None]
    if not _found_by_text(models.settings) or not words:
        return ()
    return tuple(misread_denials(models.text_encoder, words, neutral=models.neutral, templates=models.templates))


def _check_directions(
    settings: AuditSettings,
    neutral: str,
    templates: Sequence[str],
    attributes: Sequence[str | Attribute] | None,
    hashes: Mapping[str, str] | None = None,
) -> None:
    """Refuse ready directions that this audit would not find; `hashes` are its models', once they are loaded."""
    ready = settings.directions
    if ready is None or isinstance(ready, str):
        if ready is not None:
            check_method(ready)
        return
    if isinstance(ready, GivenDirections):
        return
    methods = registry.all_names(registry.DIRECTION_METHODS)
    if not isinstance(ready, EditDirections):
        raise ConfigError(
            f"directions must be {', '.join(methods)} or EditDirections, not a {type(ready).__name__}: take"
            " them from find_directions or EditDirections.load"
        )
    if settings.paraphrases and ready.method not in methods:
        raise ConfigError(
            f"paraphrases take directions of their own, and ready ones by the method '{ready.method}' are not"
            " found from texts: leave paraphrases out, or let directions be found here"
        )
    ready.check_origin()
    wanted: dict[str, Any] = {
        "neutral": neutral,
        "templates": templates,
        "truncation": settings.truncation,
        "truncation_cutoff": settings.truncation_cutoff,
    }
    if attributes is not None:
        wanted["attributes"] = tuple(a.text for a in parse_attributes(attributes, neutral=neutral))
    if settings.keep is not None:
        wanted["keep"] = tuple(Attribute.parse(text).text for text in settings.keep)
    if settings.threshold is not None:
        wanted["threshold"] = settings.threshold
    # What they mean where no words say it is held to the level by this audit, whoever found them.
    if settings.level is not None and (ready.method in methods or not given_sources(settings)):
        wanted["level"] = settings.level
    if settings.samples is not None:
        wanted["samples"] = settings.samples
    ready.check_settings({**wanted, **(hashes or {})})


def _check_texts(encoder: TextEncoder, neutral: str, templates: Sequence[str], settings: AuditSettings) -> None:
    """Refuse what the text encoder cannot read, and attributes that it cannot tell from the neutral prompt."""
    labels = settings.labels or ()
    encoder.check_words([neutral, *labels])
    if words := words_of(settings):
        text_directions(encoder, words, neutral=neutral, templates=templates)
    if labels:
        encoder.embed_texts(labels)
