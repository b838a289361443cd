"""From text to edit directions: relevance, threshold, normalisation, scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options
from zoom_engine.directions import gradient_relevance, regression, sampled
from zoom_engine.directions.answers import check_answers
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.keeping import PICTURES, keeping
from zoom_engine.directions.regression import DEFAULT_RIDGE, Estimator, regression_relevance
from zoom_engine.directions.relevance import (
    Relevance,
    Sampling,
    text_directions,
)
from zoom_engine.directions.sampled import sampled_relevance
from zoom_engine.directions.wording import DEFAULT_LEVEL, Phrased, clearness, exceeds, phrase
from zoom_engine.generators import EditableGenerator
from zoom_engine.runtime import Synthesizer
from zoom_engine.settings.audit_settings import METHODS
from zoom_engine.text import TextEncoder
from zoom_engine.text.templates import GENERAL

RELEVANCES: dict[str, tuple[Callable[..., Relevance], int, tuple[str, ...]]] = {
    "regression": (regression_relevance, regression.DEFAULT_SAMPLING.samples, ("estimator", "ridge")),
    "sampled": (sampled_relevance, sampled.DEFAULT_SAMPLING.samples, ("alpha",)),
    "gradient": (gradient_relevance.gradient_relevance, gradient_relevance.DEFAULT_SAMPLING.samples, ()),
}
"""For each method what measures the relevance, the default number of samples, and the options of its own."""
DEFAULT_SAMPLES = {method: samples for method, (_, samples, _) in RELEVANCES.items()}
DEFAULT_THRESHOLD = 0.1


@named_options
@working()
def find_directions(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    *,
    neutral: str,
    method: str = "regression",
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
    """Find an edit direction `[S]` for each attribute prompt; paraphrases of one are separated by "|" and averaged.

    Args:
        generator: whose styles are edited.
        text_encoder: reads prompts and pictures.
        attributes: N prompts.
        neutral: the prompt that they are compared with.
        method: "regression", "sampled" or "gradient". Gradient relevance goes through `generator.render` in float32:
            the native operators where they run, else those of torch.
        threshold: λ in [0, 1), relative to the largest |relevance|.
        absolute: compare λ with the relevance itself, as the reference does (sampled relevance only).
        top_k: keep so many channels, the largest by magnitude.
        samples: by default 2048 (regression), 100 images per channel (sampled), 64 (gradient).
        estimator: of regression.
        ridge: of regression.
        alpha: of sampled relevance, the push in standard deviations.
        seed: of the samples.
        templates: that prompts are put into.
        truncation: ψ of the samples; 1 is none.
        truncation_cutoff: how many layers are truncated; None is all.
        synthesizer: makes the images of the two methods that only look forward; None is torch in float32.
        level: the probability that a random text passes each of the two tests below, each text alone; at 1 both are
            left out.
        keep: texts whose scores no edit but their own may move, see `keeping`.
        cache: folder for what was computed.
        batch_size: images at a time.
        progress: how work shows itself.

    Raises:
        DirectionError: the method needs gradients that the generator does not give; a few pictures answer an attribute
            no better than random texts, or the encoder knows nothing (`answers.check_answers`, before anything is
            measured); random texts reach an attribute's largest |relevance|; or no channel passes λ. The attribute is
            named.
    """
    check_method(method)
    if method == "gradient" and not generator.differentiable:
        raise DirectionError("the generator gives no gradients: find directions by regression, or sampled")
    count, attributes = len(attributes), [*attributes, *(text for text in keep if text not in attributes)]
    text_directions(text_encoder, attributes, neutral=neutral, templates=templates)  # refuses what cannot be read
    texts = phrase(text_encoder, attributes, neutral=neutral, templates=templates, cache=cache) if level != 1 else None
    forward_only = None if method == "gradient" else synthesizer
    drawn = DEFAULT_SAMPLES[method] if samples is None else samples
    sampling = Sampling(drawn, seed, truncation, truncation_cutoff, forward_only, batch_size, cache, progress)
    if texts is not None:
        check_answers(generator, text_encoder, attributes, texts, sampling=sampling, level=level)
    measure, _, own = RELEVANCES[method]
    options = {"estimator": estimator, "ridge": ridge, "alpha": alpha}
    relevance = measure(generator, text_encoder, sampling=sampling, **{name: options[name] for name in own})
    found = directions_from_relevance(
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
    )
    if not keep:
        return found
    seen = dataclasses.replace(sampling, samples=PICTURES, synthesizer=synthesizer)
    return keeping(generator, text_encoder, found, keep, count=count, sampling=seen)


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
) -> EditDirections:
    """Find directions by a relevance that exists: changing prompts, λ or top-k costs next to nothing then.

    Strength is the largest |relevance| times the text's clearness: a channel's answer to what the text says, in units
    of what its paraphrases differ by. Otherwise random texts would count as much as others for being far off, or for
    barely moving the embedding.

    `texts` are the attributes in several paraphrases, where they exist already; the other arguments are those of
    `find_directions`.
    """
    if absolute and relevance.method != "sampled":
        raise DirectionError("an absolute threshold belongs to sampled relevance: use a relative one, λ in [0, 1)")
    if not threshold >= 0 or (not absolute and threshold >= 1):
        raise DirectionError(f"threshold λ must be in [0, 1), not {threshold}")
    if top_k is not None and top_k < 1:
        raise DirectionError(f"top_k must be at least 1, not {top_k}")
    wanted = text_directions(text_encoder, attributes, neutral=neutral, templates=templates)
    rows = relevance.relevance(wanted)
    texts = texts or phrase(text_encoder, attributes, neutral=neutral, templates=templates)
    strengths = (relevance.strength(wanted) * clearness(texts.wanted)).tolist()
    random = texts.random[: relevance.random_texts]
    null = relevance.strength(F.normalize(random.mean(dim=1), dim=1)) * clearness(random)
    floor = exceeds(null, level)
    for attribute, strength in zip(attributes, strengths, strict=True):
        if level != 1 and not strength > floor:
            raise DirectionError(
                f"no style channel answers '{attribute}' more than random text: largest |relevance|"
                f" {strength:.3g}, random texts reach {floor:.3g} (level {level:.0%});"
                " use words that the text encoder knows"
            )
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
        strength=tuple(strengths),
        noise_floor=(max(floor, 0.0),) * len(attributes),
        provenance={
            **relevance.details,
            "text_encoder_name": text_encoder.name,
            "templates": list(templates),
            "absolute_threshold": absolute,
            "top_k": top_k,
            "level": level,
        },
    )


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
    kept = row.abs() >= threshold * (1.0 if absolute else largest)
    if top_k is not None and top_k < len(row):
        rank = torch.zeros_like(kept)
        rank[row.abs().topk(top_k).indices] = True
        kept = kept & rank
    r = torch.where(kept, row.double(), 0.0)
    if not largest > 0 or not bool(kept.any()):
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
    if method not in METHODS:
        raise DirectionError(f"unknown method '{method}' for directions: choose one of {', '.join(METHODS)}")
