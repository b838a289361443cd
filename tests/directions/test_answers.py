"""Whether unedited pictures answer texts: the statistics by their definitions, their level, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import Sampling, find_directions
from zoom_engine.directions.answers import PICTURES, agreement, recognised
from zoom_engine.directions.wording import clearness, exceeds, phrase


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_agreement_is_the_f_of_a_two_way_analysis_of_variance() -> None:
    pictures, texts = normal(12, 5), normal(3, 4, 5, seed=1) + normal(3, 1, 5, seed=2)
    for result, text in zip(agreement(pictures, texts), texts, strict=True):
        scores = (pictures @ text.T).numpy()
        rows, columns = scores.mean(axis=1, keepdims=True), scores.mean(axis=0, keepdims=True)
        left = ((scores - rows - columns + scores.mean()) ** 2).sum() / (11 * 3)
        assert result.item() == pytest.approx(4 * ((rows - scores.mean()) ** 2).sum() / 11 / left)


def test_texts_are_recognised_where_phrasing_adds_little_and_not_where_it_is_all() -> None:
    pictures, meaning, wording = normal(60, 16), normal(50, 1, 16, seed=1), normal(50, 4, 16, seed=2)
    assert recognised(pictures, meaning + 0.05 * wording) > 0.95
    assert recognised(pictures, 0.05 * meaning + wording) < 0.1


def test_clearness_is_the_distance_over_the_deviation_of_phrasings() -> None:
    texts = torch.tensor([[[3.0, 0.0], [3.0, 2.0], [3.0, -2.0], [3.0, 0.0]]])
    assert clearness(texts).item() == pytest.approx(3 / 2**0.5)


@pytest.mark.parametrize(("count", "level"), [(99, 0.1), (99, 0.05), (19, 0.1), (99, 0.01)])
def test_a_random_text_passes_with_the_stated_probability(count: int, level: float) -> None:
    trials = 4000
    values = normal(trials, count + 1)
    passed = sum(float(row[0]) > exceeds(row[1:], level) for row in values)
    low, high = stats.binom.interval(0.9999, trials, level)
    assert low <= passed <= high


def test_a_level_that_so_few_texts_cannot_tell_is_refused() -> None:
    with pytest.raises(DirectionError, match=r"level 0\.04 is too small for 19 random texts: 0\.05 is least"):
        exceeds(normal(19), 0.04)
    assert exceeds(normal(19), 1) == float("-inf")


def test_texts_drawn_anew_pass_seldom(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    others = [f"random {number}" for number in range(400)]
    texts = phrase(encoder, [*others, "beard", "man", "hat"], neutral="face")
    with torch.no_grad():
        pictures = torch.cat(
            [encoder.embed_images(generator.synthesis(style)) for _, style in Sampling(PICTURES).draw(generator)]
        )
    passed = agreement(pictures, texts.wanted) > exceeds(agreement(pictures, texts.random), 0.1)
    assert passed[-3:].all()
    # Held against 99 texts that are the same for all: their own tail adds to the binomial deviation.
    assert passed[:-3].float().mean() < 0.2


def test_pictures_and_random_texts_are_embedded_once(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    find_directions(generator, encoder, ["hat"], neutral="face", samples=64, cache=tmp_path)
    before = generator.synthesized
    asked: list[Any] = []
    embed = encoder.embed_texts
    encoder.embed_texts = lambda prompts, **options: asked.extend(prompts) or embed(prompts, **options)
    find_directions(generator, encoder, ["man"], neutral="face", samples=64, cache=tmp_path)
    assert generator.synthesized == before
    assert set(asked) == {"face", "man"}


def test_an_encoder_that_hears_the_phrasing_and_not_the_text_is_named(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    encoder.wording = 2.0  # a phrasing moves the embedding further than a text does
    with pytest.raises(
        DirectionError, match=r"text encoder 'toy' knows nothing of these pictures: of 99 .* \d+% alike"
    ):
        find_directions(generator, encoder, ["beard"], neutral="face", samples=64)
    assert generator.synthesized == PICTURES
