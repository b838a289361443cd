"""Directions that a generator gives itself, by prompts: their scale, what is refused, and that they are the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import Sampling, calibrate_range, default_method, find_directions, natural_region

PROMPTS = ("beard", "hat")


def reading(generator: Any, *, length: float = 1.0) -> Any:
    """A toy that reads prompts: each moves the attribute that the encoder sees, and a template a little of the rest."""

    def text_directions(attributes: Sequence[str], neutral: str) -> Tensor:
        rows = torch.zeros(len(attributes), generator.space.size)
        for row, text in zip(rows, attributes, strict=True):
            channel = next((place for place, prompt in enumerate(PROMPTS) if prompt in text), None)
            if channel is not None:
                row[channel] = length
                row[5] = 0.01 * (len(text) - len(neutral.replace("face", "")) - len(PROMPTS[channel]))
        rows[:, generator.space.fixed_mask()] = 3.0  # which edits must leave alone
        return rows

    generator.text_directions = text_directions
    return generator


def test_a_generator_that_reads_prompts_finds_its_directions_by_itself(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    assert default_method(generator) == "regression"
    assert default_method(reading(generator)) == "generator"
    result = find_directions(generator, encoder, PROMPTS, neutral="face", method="generator", level=1.0)
    assert (result.method, result.attributes, result.threshold) == ("generator", PROMPTS, 0.0)
    assert result.channels == (1, 1)
    assert not bool(result.matrix[:, generator.space.fixed_mask()].any())
    codes = Sampling(256).codes(generator)
    for row, channel in zip(result.matrix, (0, 1), strict=True):
        assert float(row[channel]) == pytest.approx(float(codes[:, channel].std(correction=0)), rel=1e-4)
    assert all(strength > 1 for strength in result.strength)
    assert result.noise_floor == (0.0, 0.0)
    result.check_fits(generator)
    result.check_origin()


def test_where_codes_do_not_vary_a_step_is_a_tenth_of_the_difference(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    still = 4  # a channel that never moves
    generator.text_directions = lambda attributes, neutral: 7.0 * torch.eye(generator.space.size)[[still]]
    result = find_directions(generator, encoder, ["beard"], neutral="face", method="generator", level=1.0)
    assert result.matrix[0, still].item() == pytest.approx(0.7)
    calibrated = calibrate_range(generator, encoder, result, sampling=Sampling(32))
    assert bool(calibrated.bounds.isfinite().all())


def test_paraphrases_and_templates_are_averaged(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    asked: list[tuple[tuple[str, ...], str]] = []

    def text_directions(attributes: Sequence[str], neutral: str) -> Tensor:
        asked.append((tuple(attributes), neutral))
        return torch.stack([torch.eye(generator.space.size)[place] for place, _ in enumerate(attributes)])

    generator.text_directions = text_directions
    templates = ("{}", "a photo of {}")
    result = find_directions(
        generator, encoder, ["beard|man"], neutral="face", method="generator", level=1.0, templates=templates[:1]
    )
    assert asked == [(("beard", "man"), "face")]
    std = Sampling(0).statistics(generator).std
    row = result.matrix[0]
    assert float(row[0]) == pytest.approx(float(row[1]), rel=1e-5)
    assert float(std[0]) > 0
    assert result.channels == (2,)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (lambda a, n: torch.zeros(1, 26), {}, "cannot tell 'beard' from the neutral prompt 'face': reword one"),
        (lambda a, n: torch.zeros(2, 26), {}, r"must be finite numbers \[1, 26\], not \[2, 26\]"),
        (lambda a, n: torch.full((1, 26), float("nan")), {}, r"must be finite numbers \[1, 26\]"),
        (lambda a, n: 1 / 0, {}, "fails on the attributes' prompts: ZeroDivisionError"),
        (None, {}, "a ToyGenerator reads no prompts: find directions by regression"),
        (lambda a, n: torch.eye(26)[:1], {"top_k": 3}, "have no threshold and no top_k"),
        (lambda a, n: torch.eye(26)[:1], {"threshold": 0.3}, "have no threshold and no top_k"),
    ],
)
def test_what_a_generator_gives_in_their_place_is_refused(
    toy: tuple[Any, Any], given: Any, options: dict[str, Any], message: str
) -> None:
    generator, encoder = toy
    if given is not None:
        generator.text_directions = given
    with pytest.raises(DirectionError, match=message) as caught:
        find_directions(generator, encoder, ["beard"], neutral="face", method="generator", level=1.0, **options)
    assert "\n" not in str(caught.value)


def test_what_is_to_be_kept_is_taken_out_of_differences_of_prompts(toy: tuple[Any, Any]) -> None:
    """Where samples do not move along them, too: lengths are those of the differences."""
    generator, encoder = toy
    affine = generator.affine

    def text_directions(attributes: Sequence[str], neutral: str) -> Tensor:
        latents = {"beard": (1.0, 0.6, 0.0), "man": (0.0, 1.0, 0.0)}
        rows = torch.tensor([latents[text] for text in attributes]) @ affine[:, :3].T
        return rows * ~generator.space.fixed_mask()

    generator.text_directions = text_directions
    options: dict[str, Any] = {"neutral": "face", "method": "generator", "level": 1.0, "templates": ("{}",)}
    encoder.texts = {text: encoder.texts[text] for text in encoder.texts}
    encoder._sentence = lambda prompt, template: encoder.texts[prompt]
    plain = find_directions(generator, encoder, ["beard", "man"], **options)
    taken = find_directions(generator, encoder, ["beard", "man"], **options, keep=["man"])
    assert torch.equal(taken.matrix[1], plain.matrix[1])
    assert float(taken.matrix[0].norm()) == pytest.approx(float(plain.matrix[0].norm()), rel=1e-4)

    def effect(row: Tensor) -> float:
        return float(encoder.attributes(generator.bias + row[None])[0, 1])

    assert abs(effect(taken.matrix[0])) < 0.2 * abs(effect(plain.matrix[0]))


def test_what_no_sample_moves_has_no_natural_limit(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    generator.text_directions = lambda attributes, neutral: 7.0 * torch.eye(generator.space.size)[[4]]
    result = find_directions(generator, encoder, ["beard"], neutral="face", method="generator", level=1.0)
    around = natural_region(generator, result).around(generator.bias)
    assert around.projected(np.array([25.0])).tolist() == [25.0]
