"""One sample of unedited pictures for all who ask: equal to drawing it anew, made once, resumed where it was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.targets import MultiLabelTask, Target
from zoom_engine.targets.scorer import PictureScorer
from zoom_engine.text import AttributeEncoder


def test_embeddings_of_the_samples_in_their_order(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    sampling = Sampling(300, seed=3, batch_size=7)
    codes = torch.cat([part for _, part in sampling.draw(generator)])
    assert len(codes) == 300
    wanted = encoder.embed_images(generator.synthesis(codes))
    torch.testing.assert_close(unedited_embeddings(generator, encoder, sampling), wanted)


def test_fewer_samples_are_the_first_of_more(toy: tuple[Any, Any]) -> None:
    more, fewer = (torch.cat([part for _, part in Sampling(count).draw(toy[0])]) for count in (400, 50))
    assert torch.equal(more[:50], fewer)


def test_who_wants_more_makes_what_is_missing(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    few, many = Sampling(20, cache=tmp_path), Sampling(70, cache=tmp_path)
    before = generator.synthesized
    first = unedited_embeddings(generator, encoder, few)
    assert generator.synthesized == before + 20
    all_of_them = unedited_embeddings(generator, encoder, many)
    assert generator.synthesized == before + 70
    assert torch.equal(all_of_them[:20], first)
    assert torch.equal(unedited_embeddings(generator, encoder, few), first)
    assert generator.synthesized == before + 70
    torch.testing.assert_close(all_of_them, unedited_embeddings(generator, encoder, Sampling(70)))


@pytest.mark.parametrize("change", [{"seed": 1}, {"truncation": 0.7}])
def test_other_samples_are_others(toy: tuple[Any, Any], tmp_path: Path, change: dict[str, Any]) -> None:
    generator, encoder = toy
    first = unedited_embeddings(generator, encoder, Sampling(20, cache=tmp_path))
    other = Sampling(20, **change, cache=tmp_path)
    assert not torch.equal(unedited_embeddings(generator, encoder, other), first)


def test_an_embedding_in_another_precision_is_another(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    unedited_embeddings(generator, encoder, Sampling(20, cache=tmp_path))
    before = generator.synthesized
    encoder.precision = "bf16"
    try:
        unedited_embeddings(generator, encoder, Sampling(20, cache=tmp_path))
    finally:
        encoder.precision = "fp32"
    assert generator.synthesized == before + 20


def test_a_killed_measurement_goes_on(toy: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, encoder = toy
    monkeypatch.setattr("zoom_engine.directions.unedited._KEPT_EVERY", 256)
    wanted = unedited_embeddings(generator, encoder, Sampling(600))
    drawn = generator.synthesized
    embed = type(encoder).embed_images

    def killed(self: Any, images: torch.Tensor) -> torch.Tensor:
        if generator.synthesized > drawn + 400:
            raise KeyboardInterrupt
        return embed(self, images)

    monkeypatch.setattr(type(encoder), "embed_images", killed)
    with pytest.raises(KeyboardInterrupt):
        unedited_embeddings(generator, encoder, Sampling(600, cache=tmp_path))
    monkeypatch.undo()
    before = generator.synthesized
    torch.testing.assert_close(unedited_embeddings(generator, encoder, Sampling(600, cache=tmp_path)), wanted)
    assert generator.synthesized == before + 600 - 256


def test_scorers_in_another_order_have_columns_of_their_own(toy: tuple[Any, Any], tmp_path: Path) -> None:
    """Two outputs of one model: those of the first order came from the cache, each in the place of the other."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    target = Target(network, name="scorer", task=MultiLabelTask(classes=("a", "b")), content_hash="a scorer")
    sampling = Sampling(20, cache=tmp_path)
    pictures = toy[0].render(sampling.codes(toy[0]))
    for names in (("a", "b"), ("b", "a")):
        encoder = AttributeEncoder(None, scorers=[(names, PictureScorer(target, names))], examples={})
        torch.testing.assert_close(unedited_embeddings(toy[0], encoder, sampling), encoder.embed_images(pictures))
