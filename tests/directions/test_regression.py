"""Regression relevance finds planted directions; the whitened estimator takes ties apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import (
    ESTIMATORS,
    Sampling,
    find_directions,
    regression_relevance,
    text_directions,
)
from zoom_engine.directions.regression import FEWEST_SAMPLES, Regression
from zoom_engine.generators import Decoder

PROMPTS = ("beard", "man", "hat")


def effects(generator: Any, encoder: Any, **options: Any) -> Tensor:
    """What each attribute's direction does to all true attributes [3, 3], its own effect scaled to 1."""
    directions = find_directions(
        generator, encoder, PROMPTS, neutral="face", threshold=0.0, templates=("{}",), **{"samples": 2048, **options}
    )
    moved = directions.matrix @ encoder.read.T
    assert (moved.diag() > 0).all()
    return moved / moved.diag()[:, None]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_planted_directions_are_recovered(toy: tuple[Any, Any], estimator: str) -> None:
    torch.testing.assert_close(effects(*toy, estimator=estimator), torch.eye(3), atol=0.12, rtol=0)


def test_whitening_takes_tied_attributes_apart(make_toy: Callable[..., Any]) -> None:
    """Beards on men: the mean difference moves both, the whitened estimator only what the text says."""
    toy = make_toy(tied=0.7)
    plain = effects(*toy, estimator="correlation")
    assert plain[0, 1] == pytest.approx(0.7, abs=0.08)
    whitened = effects(*toy, estimator="whitened", ridge=1e-3)
    torch.testing.assert_close(whitened, torch.eye(3), atol=0.03, rtol=0)
    assert effects(*toy)[0, 1].abs() < 0.15  # with the default ridge


def test_ridge_on_the_latent_needs_orthogonal_attributes(make_toy: Callable[..., Any]) -> None:
    orthogonal = effects(*make_toy(tied=0.7), estimator="ridge", ridge=1e-3)
    torch.testing.assert_close(orthogonal, torch.eye(3), atol=0.1, rtol=0)
    shared = make_toy(tied=0.7, orthogonal=False)
    assert effects(*shared, estimator="ridge", ridge=1e-3)[0, 1] > 0.4
    assert effects(*shared, estimator="whitened", ridge=1e-3)[0, 1].abs() < 0.03


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_directions_stay_where_the_generator_goes(toy: tuple[Any, Any], estimator: Any) -> None:
    generator, encoder = toy
    relevance = regression_relevance(generator, encoder, sampling=Sampling(300), estimator=estimator)
    std = relevance.sampling.statistics(generator).std
    wanted = text_directions(encoder, PROMPTS, neutral="face", templates=("{}",))
    edits = (std * relevance.relevance(wanted)).double()
    mask = ~generator.space.fixed_mask()
    assert (edits[:, ~mask] == 0).all()
    column_space = generator.affine[mask].double()
    coefficients = torch.linalg.lstsq(column_space, edits[:, mask].T).solution
    torch.testing.assert_close(column_space @ coefficients, edits[:, mask].T, atol=1e-5, rtol=1e-4)


def test_correlation_is_the_textbook_covariance(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    sampling = Sampling(64, seed=3, batch_size=7)
    relevance = regression_relevance(generator, encoder, sampling=sampling, estimator="correlation")
    styles = torch.cat([s for _, s in sampling.draw(generator)]).double()
    embeddings = encoder.embed_images(generator.synthesis(styles.float())).double()
    std = sampling.statistics(generator).std.double()
    for channel in (0, 7, 15):
        for dimension in (0, 20):
            s, e = styles[:, channel], embeddings[:, dimension]
            expected = ((s - s.mean()) * (e - e.mean())).mean() / std[channel]
            assert relevance.matrix[channel, dimension].item() == pytest.approx(expected.item(), abs=1e-7)
    assert (relevance.matrix[4] == 0).all()  # the channel that never moves


def test_moments_serve_later_prompts_and_estimators_without_synthesis(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    sampling = Sampling(50, cache=tmp_path)
    first = regression_relevance(generator, encoder, sampling=sampling)
    assert generator.synthesized == 50
    again = regression_relevance(generator, encoder, sampling=sampling)
    regression_relevance(generator, encoder, sampling=sampling, estimator="ridge")
    assert generator.synthesized == 50
    torch.testing.assert_close(first.matrix, again.matrix, atol=0, rtol=0)
    regression_relevance(generator, encoder, sampling=Sampling(50, seed=1, cache=tmp_path))
    assert generator.synthesized == 100
    for kind, synthesized in (("regression", 100), ("*", 150)):  # damaged moments are made of the embeddings again
        for stored in tmp_path.glob(f"{kind}-*"):
            stored.write_bytes(stored.read_bytes()[:100])
        regression_relevance(generator, encoder, sampling=Sampling(50, seed=1, cache=tmp_path))
        assert generator.synthesized == synthesized


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("samples", [16, 300])
def test_wide_latents_are_regressed_alike_without_their_covariance(
    toy: tuple[Any, Any], affine: bool, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, encoder = toy
    if not affine:  # codes are their own latents
        draw = generator.draw
        monkeypatch.setattr(generator, "draw", lambda *args, **options: (draw(*args, **options)[1],) * 2)
        monkeypatch.setattr(generator, "affine_weight", lambda: None)

    def matrix(ridge: float) -> Tensor:
        return regression_relevance(generator, encoder, sampling=Sampling(samples), ridge=ridge).matrix

    expected = [matrix(ridge) for ridge in (0.1, 1e-3)]
    monkeypatch.setattr("zoom_engine.directions.regression.MOST_SQUARED", 5)
    for ridge, wanted in zip((0.1, 1e-3), expected, strict=True):
        torch.testing.assert_close(matrix(ridge), wanted, atol=1e-6, rtol=1e-4)


def test_no_matrix_is_as_wide_as_codes_of_noise(
    toy: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The codes of a diffusion autoencoder at 128² have 49,664 entries: their covariance took 20 GB, three times."""
    width, sides, solve = 5000, [], torch.linalg.solve
    generator = Decoder(nn.Sequential(nn.Linear(width, 3 * 16 * 16), nn.Unflatten(1, (3, 16, 16))), code_size=width)
    seen = F.normalize(torch.randn(512, toy[1].dim, generator=torch.Generator().manual_seed(0)), dim=1)
    monkeypatch.setattr(
        "zoom_engine.directions.regression.unedited_embeddings",
        lambda _, encoder, sampling, **options: seen[: sampling.samples],
    )

    def solved(square: Tensor, right: Tensor) -> Tensor:
        sides.append(len(square))
        assert len(square) < width
        return solve(square, right)

    monkeypatch.setattr(torch.linalg, "solve", solved)
    sampling = Sampling(512, texts=seen[:2], cache=tmp_path)
    assert regression_relevance(generator, toy[1], sampling=sampling).matrix.shape == (width, toy[1].dim)
    assert max(sides) == 512
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1 << 20


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"samples": 3}, "at least 16"),
        ({"estimator": "magic"}, "unknown estimator"),
        ({"ridge": -1.0}, "ridge"),
    ],
)
def test_bad_options(toy: tuple[Any, Any], options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DirectionError, match=complaint):
        find_directions(*toy, PROMPTS, neutral="face", **options)


def test_a_generator_without_variety(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    generator.affine *= 0
    with pytest.raises(DirectionError, match="look the same"):
        find_directions(generator, encoder, PROMPTS, neutral="face", samples=64)


def test_as_many_samples_as_the_texts_need(toy: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that say a text clearly are few; what no picture shows is looked for in all that there may be."""
    generator, encoder = toy
    monkeypatch.setattr(Regression, "samples", 2048)
    result = find_directions(generator, encoder, PROMPTS, neutral="face", level=1.0)
    assert result.provenance["samples"] == FEWEST_SAMPLES
    assert generator.synthesized == FEWEST_SAMPLES
    embed = type(encoder).embed_images
    noise = torch.Generator().manual_seed(0)

    def noisy(self: Any, images: Tensor) -> Tensor:
        embedded = embed(self, images)
        return F.normalize(embedded + 2.0 * torch.randn(embedded.shape, generator=noise), dim=1)

    monkeypatch.setattr(type(encoder), "embed_images", noisy)
    result = find_directions(generator, encoder, PROMPTS, neutral="face", level=1.0)
    assert result.provenance["samples"] > FEWEST_SAMPLES
    assert generator.synthesized == FEWEST_SAMPLES + result.provenance["samples"]  # none is drawn twice
    result = find_directions(generator, encoder, PROMPTS, neutral="face", level=1.0, samples=100)
    assert result.provenance["samples"] == 100
