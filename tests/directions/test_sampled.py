"""Sampled relevance against a literal loop, and against kills."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoom_engine.common.errors import CacheError, DirectionError
from zoom_engine.common.progress import Work, silent
from zoom_engine.directions import Sampling, find_directions, sampled_relevance, text_directions
from zoom_engine.directions.cache import DirectionCache

PROMPTS = ("beard", "man", "hat")


def literal(generator: Any, encoder: Any, sampling: Sampling, alpha: float) -> Tensor:
    """StyleCLIP's fs3, one image at a time."""
    statistics = sampling.statistics(generator)
    base = torch.cat([s for _, s in sampling.draw(generator)])
    matrix = torch.zeros(generator.space.size, encoder.dim)
    for channel in range(generator.space.size):
        if generator.space.fixed_mask()[channel] or statistics.std[channel] == 0:
            continue
        total = torch.zeros(encoder.dim)
        for style in base:
            ends = []
            for sign in (1, -1):
                pushed = style.clone()
                pushed[channel] = statistics.mean[channel] + sign * alpha * statistics.std[channel]
                ends.append(encoder.embed_images(generator.synthesis(pushed[None]))[0])
            total += (ends[0] - ends[1]) / (ends[0] - ends[1]).norm()
        matrix[channel] = total / total.norm()
    return matrix


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_equals_the_literal_loop(toy: tuple[Any, Any], batch_size: int) -> None:
    sampling = Sampling(3, seed=2, batch_size=batch_size)
    relevance = sampled_relevance(*toy, sampling=sampling, alpha=4.0)
    torch.testing.assert_close(relevance.matrix, literal(*toy, sampling, 4.0), atol=2e-5, rtol=0)
    norms = relevance.matrix.norm(dim=1)
    assert set(norms.round(decimals=4).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("fail_after", [1, 40, 70])
def test_a_killed_run_goes_on_where_it_was(toy: tuple[Any, Any], tmp_path: Path, fail_after: int) -> None:
    generator, encoder = toy
    sampling = Sampling(2, batch_size=8, cache=tmp_path)
    undisturbed = sampled_relevance(generator, encoder, sampling=dataclasses.replace(sampling, cache=None))
    needed, generator.synthesized = generator.synthesized, 0
    generator.fail_after = fail_after
    with pytest.raises(KeyboardInterrupt):
        sampled_relevance(generator, encoder, sampling=sampling)
    generator.fail_after = None
    resumed = sampled_relevance(generator, encoder, sampling=sampling)
    assert torch.equal(resumed.matrix, undisturbed.matrix)
    assert generator.synthesized == needed  # nothing twice
    sampled_relevance(generator, encoder, sampling=sampling)
    assert generator.synthesized == needed  # and nothing again
    assert not list(tmp_path.glob("sampled-part-*"))
    assert len(list(tmp_path.glob("sampled-*"))) == 1


def test_rows_are_saved_while_running(toy: tuple[Any, Any], tmp_path: Path) -> None:
    """A process that dies without a word leaves the rows of the last save behind."""
    generator, encoder = toy
    seen = []

    class Bar:
        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int = 1, *, note: str = "") -> None:
            seen.append(len(list(tmp_path.glob("sampled-part-*"))))

    def progress(work: Work, what: str, **_: Any) -> Any:
        return Bar() if what == "Pushing channels" else silent(work, what)

    sampling = Sampling(2, batch_size=4, cache=tmp_path, progress=progress)
    sampled_relevance(generator, encoder, sampling=sampling, save_every=0.0)
    assert seen[0] == 0
    assert all(count == 1 for count in seen[1:])


def test_a_run_that_was_stopped_with_all_rows_done_ends(
    toy: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full when the whole matrix is written."""
    sampling = Sampling(2, batch_size=8, cache=tmp_path)
    store = DirectionCache.store

    def full(self: DirectionCache, kind: str, *given: Any) -> None:
        if kind == "sampled":
            raise CacheError("no space left")
        store(self, kind, *given)

    with monkeypatch.context() as patch:
        patch.setattr(DirectionCache, "store", full)
        with pytest.raises(CacheError):
            sampled_relevance(*toy, sampling=sampling, save_every=0.0)
    needed = toy[0].synthesized
    resumed = sampled_relevance(*toy, sampling=sampling)
    assert toy[0].synthesized == needed  # nothing twice
    assert torch.equal(resumed.matrix, sampled_relevance(*toy, sampling=Sampling(2, batch_size=8)).matrix)


def test_the_references_absolute_threshold(toy: tuple[Any, Any]) -> None:
    options: dict[str, Any] = {"neutral": "face", "method": "sampled", "samples": 3}
    everything = find_directions(*toy, PROMPTS, threshold=0.0, **options)
    relative = find_directions(*toy, PROMPTS, threshold=0.5, **options)
    absolute = find_directions(*toy, PROMPTS, threshold=0.5, absolute=True, **options)
    wanted = text_directions(toy[1], PROMPTS, neutral="face")
    strongest = sampled_relevance(*toy, sampling=Sampling(3)).strength(wanted)[:, None]
    std = Sampling(3).statistics(toy[0]).std
    r = everything.matrix / std.clamp(min=1e-9)
    r = r / r.abs().amax(dim=1, keepdim=True) * strongest
    assert absolute.channels == tuple((r.abs() >= 0.5).sum(dim=1).tolist())
    assert relative.channels == tuple((r.abs() >= 0.5 * strongest).sum(dim=1).tolist())
    with pytest.raises(DirectionError, match=r"no style channel of 'beard' passes λ = 0.99: .* is 0\.\d+") as caught:
        find_directions(*toy, PROMPTS, threshold=0.99, absolute=True, **options)
    assert f"{float(strongest[0]):.3g}" in str(caught.value)
