"""Edits leave alone what is to be kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoom_engine.commands.editing import Editing
from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import EditDirections, Sampling, find_directions, text_directions, text_scores

PROMPTS = ("beard", "man", "hat")
OPTIONS: dict[str, Any] = {"neutral": "face", "samples": 512}


def moved(toy: tuple[Any, Any], directions: EditDirections) -> torch.Tensor:
    """What each edit does to the scores of all prompts, on pictures that nothing was measured on."""
    generator, encoder = toy
    along = text_directions(encoder, PROMPTS, neutral="face", templates=directions.provenance["templates"])
    (codes,) = [codes for _, codes in Sampling(64, 3).draw(generator)]
    scores = [
        text_scores(encoder, along, [generator.synthesis(codes + weight * row)])
        for row in directions.matrix
        for weight in (-4.0, 4.0)
    ]
    return torch.stack([(after - before).mean(dim=0) for before, after in zip(scores[::2], scores[1::2], strict=True)])


@pytest.fixture
def leaking(make_toy: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    """A beard comes with some of what makes a man."""
    return make_toy(orthogonal=False)


def test_what_is_kept_is_not_moved_but_by_its_own_edit(leaking: tuple[Any, Any], tmp_path: Path) -> None:
    plain = find_directions(*leaking, PROMPTS, **OPTIONS)
    orthogonal = find_directions(*leaking, PROMPTS, **OPTIONS, keep=["man"], cache=tmp_path)
    before, after = moved(leaking, plain), moved(leaking, orthogonal)
    assert before[0, 1] > 0.3 * before[0, 0]
    assert abs(after[0, 1]) < 0.1 * before[0, 1]
    assert after[0, 0] > 0.5 * before[0, 0]
    assert abs(after[2, 1]) < 0.1 * after[2, 2]
    assert torch.equal(orthogonal.matrix[1], plain.matrix[1])
    std = Sampling(0).statistics(leaking[0]).std
    assert (orthogonal.matrix / std.clamp(min=1e-9)).norm(dim=1) == pytest.approx(1.0, abs=1e-4)
    drawn = leaking[0].synthesized
    again = find_directions(*leaking, PROMPTS, **OPTIONS, keep=["man"], cache=tmp_path)
    assert torch.equal(again.matrix, orthogonal.matrix)
    assert leaking[0].synthesized == drawn, "kept in the cache"


def test_what_is_kept_need_not_be_an_attribute(leaking: tuple[Any, Any]) -> None:
    orthogonal = find_directions(*leaking, ["beard"], **OPTIONS, keep=["man"])
    assert orthogonal.attributes == ("beard",)
    assert orthogonal.matrix.shape[0] == len(orthogonal.strength) == len(orthogonal.channels) == 1
    assert orthogonal.provenance["keep"] == ["man"]
    both = find_directions(*leaking, PROMPTS, **OPTIONS, keep=["man"])
    torch.testing.assert_close(orthogonal.matrix[0], both.matrix[0])


def test_an_edit_of_which_nothing_is_left_is_refused(toy: tuple[Any, Any]) -> None:
    toy[1].texts["whiskers"] = toy[1].texts["beard"]
    with pytest.raises(DirectionError, match=r"nothing is left of 'beard' beside what is to be kept"):
        find_directions(*toy, ["beard"], **OPTIONS, keep=["whiskers"])


@pytest.mark.parametrize(
    ("attribute", "keep"), [("beard", "beard|whiskers"), ("beard|whiskers", "beard"), ("beard|whiskers", "Whiskers")]
)
def test_an_attribute_that_is_to_be_kept_has_its_own_edit_by_any_of_its_paraphrases(
    toy: tuple[Any, Any], attribute: str, keep: str
) -> None:
    """Freed of itself it would be what its texts differ by."""
    for text in ("whiskers", "Whiskers"):
        toy[1].texts[text] = toy[1].texts["beard"] + 0.1 * toy[1].texts["hat"]
    names, options = [attribute, "man"], {**OPTIONS, "level": 1.0}
    plain = find_directions(*toy, names, **options)
    orthogonal = find_directions(*toy, names, **options, keep=[keep])
    torch.testing.assert_close(orthogonal.matrix[0], plain.matrix[0], rtol=0.0, atol=1e-6)
    assert not torch.equal(orthogonal.matrix[1], plain.matrix[1])


def test_texts_that_mean_the_same_are_taken_out_once(leaking: tuple[Any, Any]) -> None:
    """By what they differ in alone the kept scores would be held with many times their directions."""
    texts = leaking[1].texts
    texts["male"] = texts["man"] + 0.02 * texts["hat"]
    options = {**OPTIONS, "level": 1.0}
    once = find_directions(*leaking, ["beard", "hat"], **options, keep=["man"])
    both = find_directions(*leaking, ["beard", "hat"], **options, keep=["man", "male"])
    assert torch.cosine_similarity(both.matrix, once.matrix).min() > 0.98
    assert abs(moved(leaking, both)[0, 1]) < 0.1 * moved(leaking, both)[0, 0]


@pytest.mark.ci
@pytest.mark.slow
def test_a_tie_of_the_avatars_is_cut() -> None:
    """By correlation a mustache makes men, as avatars with one are; seen on pictures that nothing was measured on."""
    texts = ["a face with a mustache", "a face with gray hair", "a male face", "an old face"]
    # It measures as audits do, half of whose pictures are in the tests' cache.
    editing = Editing.of("avatars", texts, estimator="correlation", samples=512)
    along = text_directions(editing.text_encoder, texts, neutral=editing.neutral)
    codes = torch.cat([codes for _, codes in Sampling(32, 77).draw(editing.generator)])

    def scores(codes: torch.Tensor) -> torch.Tensor:
        return text_scores(editing.text_encoder, along, [editing.synthesizer.render(codes)])

    unedited = scores(codes)

    def moved(directions: EditDirections) -> torch.Tensor:
        after = [(scores(codes + 8 * row) - unedited).mean(dim=0) for row in directions.matrix]
        return torch.stack(after) / unedited.std(dim=0)

    before = moved(editing.find())
    after = moved(editing.find(keep=texts[2:]))
    assert before[0, 2] > 0.3 * before[0, 0]
    assert abs(after[0, 2]) < 0.1 * after[0, 0]
    assert after[0, 0] > 0.7 * before[0, 0]
    assert abs(after[1, 3]) < 0.5 * abs(before[1, 3])
