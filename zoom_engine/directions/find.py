"""From text to edit directions: relevance, threshold, normalisation, scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common import registry
from zoom_engine.common.contracts import hold_members, theirs
from zoom_engine.common.errors import DirectionError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options
from zoom_engine.directions.answers import check_answers
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.keeping import PICTURES, keeping
from zoom_engine.directions.prompted import Prompted
from zoom_engine.directions.regression import DEFAULT_RIDGE, Estimator
from zoom_engine.directions.relevance import (
    DirectionMethod,
    Relevance,
    Sampling,
    text_directions,
)
from zoom_engine.directions.score_tests import ScoreTest, check_scores
from zoom_engine.directions.wording import DEFAULT_LEVEL, Phrased, clearness, exceeds, phrase
from zoom_engine.generators import EditableGenerator
from zoom_engine.runtime import Synthesizer
from zoom_engine.text import TextEncoder
from zoom_engine.text.templates import GENERAL

DEFAULT_THRESHOLD = 0.1


@named_options
@working()
def find_directions(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    *,
    neutral: str,
    method: str | DirectionMethod = "regression",
    threshold: float = DEFAULT_THRESHOLD,
    absolute: bool = False,
    top_k: int | None = None,
    samples: int | None = None,
    estimator: Estimator = "ridge",
    ridge: float = DEFAULT_RIDGE,
    alpha: float = 5.0,
    seed: int = 0,
    templates: Sequence[str] = GENERAL,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    synthesizer: Synthesizer | None = None,
    level: float = DEFAULT_LEVEL,
    keep: Sequence[str] = (),
    cache: Path | None = None,
    batch_size: int = 32,
    progress: ProgressFactory = silent,
) -> EditDirections:
    """Find one edit direction `[S]` per attribute prompt; paraphrases of one are separated by "|" and averaged.

    `threshold` is λ in [0, 1), relative to the largest |relevance|; `absolute` (sampled relevance only)
    compares λ with the relevance itself, as the reference does. `top_k` keeps that many channels, the
    largest by magnitude. `samples` defaults to 100 images per channel (sampled), 64 (gradient) and, of regression,
    as many as the attributes need: 256 to 2048, see there. `estimator` and `ridge` belong to regression, `alpha` to
    sampled relevance; a `method` that is no name but a `DirectionMethod` has its own options.
    `synthesizer` makes the images of the two that only look forward (None: torch in float32). Gradient relevance
    goes through `generator.render` in float32 instead: the native operators where they run, else torch's.
    Attributes that are no words, see `AttributeEncoder`, meet tests of their own (`score_tests.check_scores`).
    `keep` are texts whose scores no edit but their own shall move, see `keeping`. `cache` is a folder for what was
    computed.

    Raises:
        DirectionError: the method needs gradients that the generator has not; or, naming the attribute: on a few
            pictures, before anything is measured, they answer it no better than random texts
            (`answers.check_answers`, which also refuses an encoder that knows nothing); random texts reach its largest
            |relevance|; or no channel passes λ. A random text passes each of the first two tests with probability
            `level`, each text by itself; at level 1 both are left out.
    """
    if isinstance(method, str):
        method = direction_method(method, {"estimator": estimator, "ridge": ridge, "alpha": alpha})
    if method.needs_gradient and not generator.differentiable:
        raise DirectionError("the generator gives no gradients: find directions by regression, or sampled")
    if method.needs_gradient and not getattr(text_encoder, "differentiable", True):
        raise DirectionError("a scorer gives no gradients: find directions by regression")
    count, attributes = len(attributes), [*attributes, *(text for text in keep if text not in attributes)]
    wanted = text_directions(text_encoder, attributes, neutral=neutral, templates=templates)
    words = [attribute for attribute in attributes if text_encoder.direction_of(attribute) is None]
    texts = None
    if level != 1 and words:
        texts = phrase(text_encoder, words, neutral=neutral, templates=templates, cache=cache)
    forward_only = None if method.needs_gradient else synthesizer
    drawn = method.samples if samples is None else samples
    sampling = Sampling(drawn, seed, truncation, truncation_cutoff, forward_only, batch_size, cache, progress)
    as_needed = dataclasses.replace(sampling, texts=wanted if samples is None else None)
    if texts is not None:
        check_answers(generator, text_encoder, words, texts, sampling=sampling, level=level)
    seen = dataclasses.replace(sampling, samples=PICTURES, synthesizer=synthesizer)
    score_tests = check_scores(generator, text_encoder, attributes, sampling=seen, level=level)
    if isinstance(method, Prompted):
        if absolute or top_k is not None or threshold not in (0, DEFAULT_THRESHOLD):
            raise DirectionError("directions by the generator have no threshold and no top_k: leave them out")
        if others := [attribute for attribute in attributes if attribute not in words]:
            raise DirectionError(
                f"the generator reads prompts, and '{others[0]}' is none: find directions by regression"
            )
        about = {"text_encoder_name": text_encoder.name, "templates": list(templates), "level": level}
        about |= sampling.identity(generator, text_encoder)
        directions = method.directions(
            generator, attributes, neutral=neutral, templates=templates, sampling=sampling, provenance=about
        )
    else:
        relevance = relevance_of(method, generator, text_encoder, as_needed)
        directions = directions_from_relevance(
            relevance,
            generator,
            text_encoder,
            attributes,
            neutral=neutral,
            threshold=threshold,
            absolute=absolute,
            top_k=top_k,
            templates=templates,
            level=level,
            texts=texts,
            score_tests=score_tests,
        )
    if not keep:
        return directions
    return keeping(generator, text_encoder, directions, keep, count=count, sampling=seen)


def directions_from_relevance(
    relevance: Relevance,
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    *,
    neutral: str,
    threshold: float = DEFAULT_THRESHOLD,
    absolute: bool = False,
    top_k: int | None = None,
    templates: Sequence[str] = GENERAL,
    level: float = DEFAULT_LEVEL,
    texts: Phrased | None = None,
    score_tests: Mapping[str, ScoreTest] | None = None,
) -> EditDirections:
    """Find directions by a relevance that exists: changing prompts, λ or top-k costs next to nothing then.

    Strength is the largest |relevance| times the text's clearness: a channel's answer to what the text says, in units
    of what its paraphrases differ by. Otherwise random texts would count as much as others for being far off, or for
    barely moving the embedding.

    `texts` are the attributes in several paraphrases, where they exist already; `score_tests` are those of attributes
    that are no words, whose strength it is. The other arguments are those of `find_directions`.
    """
    if absolute and relevance.method != "sampled":
        raise DirectionError("an absolute threshold belongs to sampled relevance: use a relative one, λ in [0, 1)")
    if not threshold >= 0 or (not absolute and threshold >= 1):
        raise DirectionError(f"threshold λ must be in [0, 1), not {threshold}")
    if top_k is not None and top_k < 1:
        raise DirectionError(f"top_k must be at least 1, not {top_k}")
    wanted = text_directions(text_encoder, attributes, neutral=neutral, templates=templates)
    rows = relevance.relevance(wanted)
    reached = relevance.strength(wanted)
    given = {name: ScoreTest(float(row), 0.0) for name, row in zip(attributes, reached, strict=True)}
    given |= score_tests or {}
    words = [place for place, name in enumerate(attributes) if text_encoder.direction_of(name) is None]
    if words:
        named = [attributes[place] for place in words]
        texts = texts or phrase(
            text_encoder, named, neutral=neutral, templates=templates, level=level, cache=relevance.sampling.cache
        )
        strengths = (reached[words] * clearness(texts.wanted)).tolist()
        floor = _floor(relevance, texts, level)
        for attribute, strength in zip(named, strengths, strict=True):
            if level != 1 and not strength > floor:
                raise DirectionError(
                    f"no style channel answers '{attribute}' more than random text: largest |relevance|"
                    f" {strength:.3g}, random texts reach {floor:.3g} (level {level:.0%});"
                    " use words that the text encoder knows"
                )
            given[attribute] = ScoreTest(strength, max(floor, 0.0))
    std = relevance.sampling.statistics(generator).std
    matrix = torch.stack(
        [
            std * unit_relevance(row, threshold=threshold, absolute=absolute, top_k=top_k, attribute=name)
            for row, name in zip(rows, attributes, strict=True)
        ]
    )
    return EditDirections(
        matrix=matrix,
        attributes=tuple(attributes),
        neutral=neutral,
        method=relevance.method,
        threshold=threshold,
        channels=tuple((matrix != 0).sum(dim=1).tolist()),
        strength=tuple(given[name].strength for name in attributes),
        noise_floor=tuple(given[name].noise_floor for name in attributes),
        provenance={
            **relevance.details,
            "text_encoder_name": text_encoder.name,
            "templates": list(templates),
            "absolute_threshold": absolute,
            "top_k": top_k,
            "level": level,
        },
    )


def _floor(relevance: Relevance, texts: Phrased, level: float) -> float:
    """Return the strength that random texts reach."""
    if level == 1:
        return float("-inf")
    random = texts.random[: relevance.random_texts]
    return exceeds(relevance.strength(F.normalize(random.mean(dim=1), dim=1)) * clearness(random), level)


def unit_relevance(
    row: Tensor, *, threshold: float, absolute: bool = False, top_k: int | None = None, attribute: str
) -> Tensor:
    """Turn relevance `[S]` into r `[S]` (float32) of unit length.

    It is divided by its largest |r|, entries with |r| < λ become 0, and the rest is normalised. With `absolute` λ is
    compared before the division.

    Raises:
        DirectionError: nothing is left.
    """
    largest = float(row.abs().max())
    passes = row.abs() >= threshold * (1.0 if absolute else largest)
    if top_k is not None and top_k < len(row):
        rank = torch.zeros_like(passes)
        rank[row.abs().topk(top_k).indices] = True
        passes = passes & rank
    r = torch.where(passes, row.double(), 0.0)
    if not largest > 0 or not bool(passes.any()):
        raise DirectionError(
            f"no style channel of '{attribute}' passes λ = {threshold:g}: its largest |relevance| is"
            f" {largest:.3g}; lower the threshold"
        )
    r = r / largest
    unit: Tensor = (r / r.norm()).float()
    return unit


def check_method(method: str) -> None:
    """Refuse an unknown method.

    Raises:
        DirectionError: there is no such method.
    """
    known = registry.all_names(registry.DIRECTION_METHODS)
    if method not in known:
        raise DirectionError(f"unknown method '{method}' for directions: choose one of {', '.join(known)}")


def direction_method(name: str, options: Mapping[str, object] | None = None) -> DirectionMethod:
    """Return the method called `name` with those of the `options` that are its own.

    Raises:
        DirectionError: there is no such method, or it cannot be made of the options.
        ConfigError: what a package brings is none.
    """
    check_method(name)
    kind: Any = registry.find(registry.DIRECTION_METHODS, name)
    if not hasattr(kind, "__dataclass_fields__"):
        raise DirectionError(f"direction method '{name}' must be a dataclass of its options: it is none")
    names = {field.name for field in dataclasses.fields(kind)}
    with theirs(DirectionError, f"direction method '{name}' cannot be made"):
        method: DirectionMethod = kind(**{key: value for key, value in (options or {}).items() if key in names})
    return method


def relevance_of(
    method: DirectionMethod, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling
) -> Relevance:
    """Return the relevance that a method measures, held to `Relevance` where the method is not one of the engine's.

    Raises:
        DirectionError: one line on what a package's method fails at, or gives in place of a relevance.
    """
    if registry.is_ours(registry.DIRECTION_METHODS, type(method)):
        return method.measure(generator, text_encoder, sampling)
    called = f"direction method '{method.name}'"
    with theirs(DirectionError, f"{called} fails"):
        relevance = method.measure(generator, text_encoder, sampling)
    hold_members(relevance, Relevance, called=f"the relevance of {called}", refusal=DirectionError)
    some = F.normalize(torch.eye(2, text_encoder.dim) + 0.1, dim=1)
    shapes = {"relevance": (2, generator.space.size), "strength": (2,)}
    for name, shape in shapes.items():
        with theirs(DirectionError, f"{called} fails"):
            values: object = getattr(relevance, name)(some)
        if not isinstance(values, Tensor) or tuple(values.shape) != shape or not bool(values.isfinite().all()):
            seen = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise DirectionError(f"{called}: {name} of 2 directions must be finite numbers {list(shape)}, not {seen}")
    return relevance
