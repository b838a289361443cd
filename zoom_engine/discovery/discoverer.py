"""`Discoverer`: a target model in, the attributes that it is sensitive to out, none of them typed.

In reading order: load, find the smallest edits on one half of the images, cluster them, find the words whose own edits
move the target there, try both on the other half, name them, decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import ConfigError, DirectionError, TargetError
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.plurals import listed
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.directions import EditDirections, text_directions
from zoom_engine.directions.answers import agreement, check_encoder
from zoom_engine.directions.relevance import inverse_std
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.directions.wording import exceeds, phrase
from zoom_engine.discovery.calls import Tested, beside_random, judge, strongest, told_apart
from zoom_engine.discovery.checkpoint import Checkpoint, Rows
from zoom_engine.discovery.clusters import cluster
from zoom_engine.discovery.findings import Cluster, Discovery, Strip
from zoom_engine.discovery.folder import CHECKPOINT, is_finished, locked_discovery, remove_checkpoint, write_discovery
from zoom_engine.discovery.naming import (
    Choice,
    Proposal,
    Words,
    choose,
    distinct_words,
    moving_words,
    proposals,
    slopes_of,
)
from zoom_engine.discovery.natural_space import NaturalSpace, natural_space
from zoom_engine.discovery.page import write_discovery_page
from zoom_engine.discovery.smallest_edits import smallest_edits
from zoom_engine.discovery.strips import draw_strips
from zoom_engine.discovery.trial import Trial, try_out
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.search.choose import why_no_gradients
from zoom_engine.settings.attributes import NEUTRAL, Attribute
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN, SMALLEST_EFFECT, AuditSettings, options_of
from zoom_engine.settings.command_line import UnsayableError, arguments_of
from zoom_engine.settings.discovery_settings import OF_AUDITS, DiscoveryRun, DiscoverySettings
from zoom_engine.text import text_encoder_for
from zoom_engine.text.vocabulary import read_vocabulary, readable

if TYPE_CHECKING:
    from zoom_engine.diagnose.audit_options import DiscoveryOptions

GENERAL = Path(__file__).with_name("general_words.txt")
SAMPLES = 1024  # unedited pictures that words are measured on; an audit's directions share them
LEVEL = 0.05  # the probability that a random text passes for a word: stricter than an audit's, as there are many words
RANDOM = 16  # directions
SCREENED = 8  # searched images that each word's own edits are tried on
EDITS_AT_ONCE = 4  # of images: a stopped run loses no more, and gradients are no quicker in larger batches
_TOGETHER: Mapping[str, Any] = {"mode": "multi", "smallest_effect": SMALLEST_EFFECT}
_LABEL_FRACTION = 4  # at most one of so many components is kept for the labels


class Discoverer:
    """A search for what moves a target model, with no attribute given.

    Args:
        vocabulary: see `DiscoverySettings`.
        clusters: see `DiscoverySettings`.
        progress: how long work shows itself, see `zoom_engine.common.progress`.
        notify: receives lines on what was assumed.
        options: fields of `AuditSettings` that name generator, target, text encoder, labels, neutral prompt, smallest
            effect, truncation and what it runs on. Attributes are not among them.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do. It is TargetError where
            target or generator give no gradients, because the search follows them.
    """

    def __init__(
        self,
        *,
        vocabulary: str | Path | None = None,
        clusters: int = DiscoverySettings.clusters,
        progress: ProgressFactory = silent,
        notify: Notify = null_notifier,
        **options: Unpack[DiscoveryOptions],
    ) -> None:
        """Check the options and load the models."""
        self.settings = DiscoverySettings(vocabulary=vocabulary, clusters=clusters)
        refused = (options_of(AuditSettings).keys() & set(options)) - {"generator", "target", *OF_AUDITS}
        if refused:
            raise ConfigError(f"discover takes no {', '.join(sorted(refused))}: it looks for attributes by itself")
        given: dict[str, Any] = {**options}
        generator = given.get("generator")
        domain = find_domain(generator)
        neutral = given.get("neutral") or (domain.neutral if domain else NEUTRAL)
        own_words = [] if vocabulary is None else read_vocabulary(vocabulary, neutral)
        prompts = [*own_words, *(domain.attributes if domain else ()), *read_vocabulary(GENERAL, neutral)]
        # What options alone show to be wrong is told before a model is loaded.
        settings = AuditSettings(**given, attributes=prompts[:1])
        self.smallest_effect = settings.smallest_effect
        try:
            self._arguments = arguments_of(settings, leave_out=["attributes"])
        except UnsayableError:
            self._arguments = []
        encoder = text_encoder_for(generator, settings.text_encoder, download=settings.download)
        words = readable([Attribute.parse(prompt).text for prompt in prompts], encoder, neutral)
        if not words:
            raise ConfigError(f"text encoder '{encoder.name}' can read none of the vocabulary's words: give others")
        settings = replace(settings, text_encoder=encoder, attributes=words, **_TOGETHER)
        self.audit = load_models(settings, progress=progress, notify=notify)
        self._own_words = [word for word in own_words if word in words]
        unread = [word for word in own_words if word not in words]
        unknown = "the text encoder does not know all their words, or an earlier line says the same"
        _tell_left_out(self.audit, unread, unknown)
        if none := why_no_gradients(self.audit.target, self.audit.generator):
            raise TargetError(
                f"target {self.audit.target.name!r}: {none}, which discover follows: audit attributes that you type,"
                " with zoom-engine diagnose"
            )
        self.progress = progress

    def __repr__(self) -> str:
        """Return the target and the number of words."""
        return f"Discoverer(target={self.audit.target.name!r}, {len(self.audit.attributes)} words)"

    @named_options
    @working()
    def run(
        self, *, images: int = DiscoveryRun.images, seed: int = DiscoveryRun.seed, out: str | Path | None = None
    ) -> Discovery:
        """Search generated images, and write what moves the target.

        Image i is the one of the generator's seed `seed · 100000 + i`; even ones are searched, odd ones are held out.
        Interrupted at any moment, the same call resumes where it was; a finished discovery is left as it is.

        Args:
            images: how many.
            seed: which.
            out: folder for manifest, records, summary, pictures, directions and report; None keeps the result in
                memory.

        Returns:
            The clusters, strongest first, with their names and verdicts.

        Raises:
            ConfigError: there are not so many codes to sample.
            AuditError: the folder holds something else, cannot be written, or another run writes it.
        """
        DiscoveryRun(images=images, seed=seed)
        audit = self.audit
        if audit.generator.population is not None and images > audit.generator.population:
            raise ConfigError(
                f"there are {audit.generator.population} codes to sample, not {images}: give fewer images"
            )
        told = {**self.config(images, seed), "answers": audit.answers}
        environment = _environment(audit, self._arguments)
        if out is None:
            return self._discover(images, seed, None, told, environment)
        out = Path(out)
        with locked_discovery(out, told, environment):
            if is_finished(out):
                write_discovery_page(out)
                remove_checkpoint(out)
                return Discovery.load(out)
            return self._discover(images, seed, out, told, environment)

    def _discover(
        self, images: int, seed: int, out: Path | None, told: Mapping[str, object], environment: Mapping[str, object]
    ) -> Discovery:
        """Search, try and name, and write the folder where there is one; `told` is the configuration that it notes."""
        audit, config = self.audit, self.config(images, seed)
        seeds = range(seed * SEEDS_PER_RUN, seed * SEEDS_PER_RUN + images)
        searched, held_out = list(seeds[::2]), list(seeds[1::2])
        space = self.natural_space()
        words, label_axes = self.measure_words(space)
        load_or_measure = Checkpoint(None if out is None else out / CHECKPOINT, config, self.progress)
        edits = self._edits(load_or_measure, space, searched, label_axes)
        label_kept = edits["label_kept"]
        moves = torch.where(label_kept[:, None], edits["moves"], 0.0)
        axes, which = cluster(moves, edits["differences"], self.settings.clusters)
        random = _random(label_axes, RANDOM, seed)
        screened = self._try(
            load_or_measure, space, searched[:SCREENED], torch.cat([words.directions, random]), "Screening words"
        )
        moving = moving_words(words, screened, max_words=self.settings.clusters, smallest=self.smallest_effect)
        axes = torch.cat([axes, words.directions[moving]])
        others = audit.styles(held_out)[:]

        def tried(directions: Tensor, doing: str) -> Trial:
            return self._try(load_or_measure, space, held_out, directions, doing)

        trial = tried(torch.cat([axes, random]), "Trying clusters")
        by_cluster, baseline = trial.rows(slice(None, len(axes))), trial.rows(slice(len(axes), None))
        proposed = proposals(words.scores(by_cluster.embeddings), words.scores(baseline.embeddings))
        by_word = dict(zip(moving, by_cluster.change.mean(dim=0)[len(axes) - len(moving) :].tolist(), strict=True))
        numbers = sorted({proposal.number for row in proposed for proposal in row} - by_word.keys())
        by_own_word = tried(words.directions[numbers], "Trying words")
        by_word |= zip(numbers, by_own_word.change.mean(dim=0).tolist(), strict=True)
        changes, by_chance = (part.change.double().numpy() for part in (by_cluster, baseline))
        random_change = strongest(by_chance)
        results = beside_random(changes, by_chance, self.smallest_effect)
        choices = [choose(row, by_word, result.mean) for row, result in zip(proposed, results, strict=True)]
        order = sorted(range(len(axes)), key=lambda k: (-results[k].images, -results[k].mean))
        clusters: list[Cluster] = []
        pictures: dict[str, bytes] = {}
        same = _of_one_name(order, choices)
        for number in same:
            one, choice = by_cluster.rows(slice(number, number + 1)), choices[number]
            up = choice.nearest is None or choice.nearest.score > 0
            strips, drawn = draw_strips(
                self._evaluator(space), audit.target, others, held_out, axes[number], one, up=up, rank=len(clusters) + 1
            )
            pictures |= drawn
            clusters.append(
                _cluster_of(
                    words.prompts,
                    results[number],
                    choice,
                    by_word,
                    one,
                    smallest_effect=self.smallest_effect,
                    random_change=random_change,
                    labels_checked=bool(audit.labels),
                    search_images=sum(int((which == other).sum()) for other in same[number]),
                    strips=strips,
                )
            )
        discovery = Discovery(
            clusters=tuple(clusters),
            flipped=int(edits["flipped"].sum()),
            searched=len(searched),
            random_change=round(random_change, 4),
            told_apart=told_apart(results, by_chance, audit.settings.decisive_change),
            config=told,
            environment=environment,
        )
        if out is not None:
            ranks = {number: rank for rank, numbers in enumerate(same.values(), start=1) for number in numbers}
            records = [
                {
                    "seed": searched[image],
                    "length": round(float(edits["moves"][image].norm()), 4),
                    "flipped": bool(edits["flipped"][image]),
                    "label_kept": bool(label_kept[image]) if audit.labels else None,
                    "cluster": ranks.get(int(which[image])),
                }
                for image in range(len(searched))
            ]
            named = {words.prompts[c.fits.number]: (axes[k], c.fits) for k in order[::-1] if (c := choices[k]).fits}
            write_discovery(out, discovery, records, pictures, _directions(self.audit, space, named))
            write_discovery_page(out)
            remove_checkpoint(out)
        return discovery

    def config(self, images: int, seed: int) -> dict[str, Any]:
        """Return what determines the result, ready for JSON."""
        audit = self.audit
        vocabulary = [attribute.text for attribute in audit.attributes]
        return {
            "images": images,
            "seed": seed,
            "clusters": self.settings.clusters,
            "smallest_effect": self.smallest_effect,
            "target": audit.target.name,
            "target_details": audit.target.describe(),
            "labels": list(audit.labels),
            "neutral": audit.neutral,
            "templates": list(audit.templates),
            "truncation": [audit.settings.truncation, audit.settings.truncation_cutoff],
            "generator": audit.generator.content_hash,
            "text_encoder": {"name": audit.text_encoder.name, "content_hash": audit.text_encoder.content_hash},
            "synthesis": audit.synthesizer.describe(),
            "random_directions": RANDOM,
            "screened_images": SCREENED,
            "level": LEVEL,
            "vocabulary": vocabulary,
        }

    def natural_space(self) -> NaturalSpace:
        """Return the space in which edits are searched."""
        return natural_space(self.audit.generator, self.audit.sampling(SAMPLES))

    def measure_words(self, space: NaturalSpace) -> tuple[Words, Tensor]:
        """Measure the vocabulary; return it with the labels' directions `[J, K]`, orthonormal.

        Raises:
            DirectionError: unedited pictures answer no text, or none of the words (`directions.answers`).
        """
        audit = self.audit
        sampling = self.audit.sampling(SAMPLES)
        embeddings = unedited_embeddings(audit.generator, audit.measuring_encoder, sampling)
        coordinates = torch.cat([space.place(codes) for _, codes in sampling.draw(audit.generator)])
        label_axes = torch.zeros(0, coordinates.shape[1])
        if audit.labels:
            texts = audit.text_encoder.embed_texts(audit.labels).cpu()
            slopes = slopes_of(F.normalize(texts - texts.mean(dim=0), dim=1), embeddings, coordinates)
            _, values, right = torch.linalg.svd(slopes, full_matrices=False)
            responsive = right[values > 1e-3 * values[0].clamp(min=1e-12)]
            label_axes = responsive[: min(len(audit.labels) - 1, max(1, coordinates.shape[1] // _LABEL_FRACTION))]
        prompts = _answered_words(audit, embeddings)
        unanswered = [word for word in self._own_words if word not in prompts]
        _tell_left_out(self.audit, unanswered, "unedited pictures answer them no better than random text")
        along = text_directions(audit.text_encoder, prompts, neutral=audit.neutral, templates=audit.templates)
        return distinct_words(prompts, along, embeddings, coordinates, label_axes), label_axes

    def _evaluator(self, space: NaturalSpace) -> Evaluator:
        """Return an evaluator of edits along the basis of natural space."""
        audit = self.audit
        basis = space.basis.to(audit.generator.device)
        return Evaluator(audit.synthesizer, basis, audit.target, labels=audit.zero_shot_labels)

    def _try(
        self, load_or_measure: Checkpoint, space: NaturalSpace, seeds: Sequence[int], directions: Tensor, doing: str
    ) -> Trial:
        """Try unit `directions [M, K]` on the images of these seeds, one image at a time: its edits fill a batch."""
        audit, evaluator = self.audit, self._evaluator(space)
        styles, size = audit.styles(seeds), audit.batch_size

        def measure(rows: slice) -> Rows:
            return vars(try_out(evaluator, audit.text_encoder, space, styles[rows], directions, batch_size=size))

        return Trial(
            **load_or_measure.load_or_measure(
                "tried", seeds, [directions, space.basis], measure, at_once=1, doing=doing
            )
        )

    def _edits(
        self, load_or_measure: Checkpoint, space: NaturalSpace, seeds: Sequence[int], label_axes: Tensor
    ) -> Rows:
        """Find the smallest edits of the images of these seeds.

        Returns `moves [I, K]`, `differences [I, D]` that they make to the pictures' embeddings, and bool `flipped [I]`
        and `label_kept [I]`.
        """
        evaluator, encoder, styles = self._evaluator(space), self.audit.text_encoder, self.audit.styles(seeds)

        def measure(rows: slice) -> Rows:
            codes = styles[rows]
            moves, flipped = smallest_edits(evaluator, space, codes, label_axes)
            with torch.no_grad():
                originals = evaluator.originals(codes)
                pictures = evaluator.render(codes, moves.to(codes.device))
                after = encoder.embed_images(pictures)
                evaluation = evaluator.evaluate(
                    pictures, originals, embeddings=None if evaluator.labels is None else after, ssim="none"
                )
                differences = after - encoder.embed_images(originals.images)
            rows_of = {
                "moves": moves,
                "flipped": flipped,
                "differences": differences,
                "label_kept": evaluation.label_kept,
            }
            return {name: tensor.cpu() for name, tensor in rows_of.items()}

        size, doing = min(EDITS_AT_ONCE, self.audit.batch_size), "Looking for the smallest edits"
        return load_or_measure.load_or_measure(
            "edits", seeds, [label_axes, space.basis], measure, at_once=size, doing=doing
        )


def _environment(audit: Models, arguments: Sequence[str]) -> dict[str, Any]:
    """Describe where the result is made, by which command."""
    told = {"synthesis": audit.synthesizer.explain(), "notices": audit.notices.lines, "audit": arguments}
    return {**describe_environment(), **told}


def _tell_left_out(audit: Models, words: Sequence[str], why: str) -> None:
    """Tell which of the user's own words name nothing."""
    if words:
        told = listed([repr(word) for word in words])
        audit.notices.add(f"left out of your vocabulary, because {why}: {told}")


def _answered_words(audit: Models, embeddings: Tensor) -> list[str]:
    """Return the words that unedited pictures answer better than random text."""
    prompts = [attribute.text for attribute in audit.attributes]
    texts = phrase(audit.text_encoder, prompts, neutral=audit.neutral, templates=audit.templates, cache=audit.cache)
    check_encoder(audit.text_encoder, embeddings, texts.random)
    floor = exceeds(agreement(embeddings, texts.random), LEVEL)
    which = (agreement(embeddings, texts.wanted) > floor).tolist()
    if not any(which):
        raise DirectionError(
            f"unedited pictures answer none of the vocabulary's {len(prompts)} words better than random text: give"
            " words for what differs between pictures"
        )
    return [prompt for prompt, is_answered in zip(prompts, which, strict=True) if is_answered]


def _cluster_of(
    prompts: Sequence[str],
    result: Tested,
    choice: Choice,
    by_word: Mapping[int, float],
    trial: Trial,
    *,
    smallest_effect: float,
    random_change: float,
    labels_checked: bool,
    search_images: int,
    strips: tuple[Strip, ...],
) -> Cluster:
    fits = choice.fits
    second = choice.second if fits else choice.nearest
    name = None if fits is None else prompts[fits.number]
    word_change = None if fits is None else by_word[fits.number]
    moved = trial.weights != 0
    label_kept = float(trial.label_kept[moved].float().mean()) if labels_checked and bool(moved.any()) else None
    verdict, why = judge(result, name, word_change, smallest_effect, label_kept, random_change=random_change)
    return Cluster(
        name=name,
        score=None if fits is None else round(abs(fits.score), 4),
        runner_up=None if second is None else prompts[second.number],
        runner_up_score=None if second is None else round(abs(second.score), 4),
        word_change=None if word_change is None else round(word_change, 4),
        search_images=search_images,
        images=result.images,
        held_out=len(trial.moved),
        mean_change=round(result.mean, 4),
        ci95=None if result.interval is None else (round(result.interval[0], 4), round(result.interval[1], 4)),
        label_kept=None if label_kept is None else round(label_kept, 4),
        baseline=result.result.baseline,
        p_value=result.result.p_value,
        p_adjusted=result.result.p_adjusted,
        verdict=verdict,
        why=why,
        strips=strips,
    )


def _directions(
    audit: Models, space: NaturalSpace, named: Mapping[str, tuple[Tensor, Proposal]]
) -> EditDirections | None:
    """Return edit directions of the named clusters, so that a positive weight adds the word; None without any.

    One edit weight is one standard deviation, as in an audit.
    """
    if not named:
        return None
    std = audit.sampling(SAMPLES).statistics(audit.generator).std
    rows = torch.stack([(-axis if word.score < 0 else axis) @ space.basis for axis, word in named.values()])
    per_std = inverse_std(std, audit.generator.space.fixed_mask()).float()
    matrix = (rows / (rows * per_std).norm(dim=1, keepdim=True)).contiguous()
    return EditDirections(
        matrix=matrix,
        attributes=tuple(named),
        neutral=audit.neutral,
        method="discovered",
        threshold=0.0,
        channels=tuple((matrix != 0).sum(dim=1).tolist()),
        strength=tuple(abs(word.score) for _, word in named.values()),
        noise_floor=(0.0,) * len(named),
        provenance={
            "generator": audit.generator.content_hash,
            "text_encoder": audit.text_encoder.content_hash,
            "templates": list(audit.templates),
            "truncation": audit.settings.truncation,
            "truncation_cutoff": audit.settings.truncation_cutoff,
        },
    )


def _of_one_name(order: Sequence[int], choices: Sequence[Choice]) -> dict[int, list[int]]:
    """Merge clusters that the same word fits: a weaker one is the same finding as a stronger one.

    Returns, in the order given, each cluster that remains with the numbers of those that it stands for.
    """
    groups: dict[int, list[int]] = {}
    firsts: dict[int, int] = {}
    for number in order:
        fits = choices[number].fits
        first = number if fits is None else firsts.setdefault(fits.number, number)
        groups.setdefault(first, []).append(number)
    return groups


def _random(label_axes: Tensor, count: int, seed: int) -> Tensor:
    """Draw unit directions `[count, K]` of natural space at right angles to the labels' directions `label_axes`."""
    random = torch.randn(count, label_axes.shape[1], generator=torch.Generator().manual_seed(seed))
    return F.normalize(random - (random @ label_axes.T) @ label_axes, dim=1)
