"""Random directions are of the attributes' kind: channels, length and scale, without a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import DirectionError
from zoom_engine.common.module_hash import Identity
from zoom_engine.directions import (
    BaselineDirections,
    CalibratedRange,
    EditDirections,
    LabelReader,
    Sampling,
    baseline_directions,
)
from zoom_engine.directions.baseline import MOST_CONTROL_PROMPTS, control_prompts, matching_pictures
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.pets.domain import DOMAIN as PETS
from zoom_engine.generators import Decoder, StyleSpace
from zoom_engine.text.prompts import words_of

GENERATOR = DOMAIN.generator()
STD = Sampling(0).statistics(GENERATOR).std


def directions(*channels: int) -> EditDirections:
    matrix = torch.zeros(len(channels), GENERATOR.space.size)
    for row, count in zip(matrix, channels, strict=True):
        row[:count] = 1.0
    names = tuple(f"a face with {count}" for count in channels)
    zeros = (0.0,) * len(channels)
    return EditDirections(matrix, names, "a face", "regression", 0.1, channels, zeros, zeros)


def calibrated(*bounds: tuple[float, float]) -> CalibratedRange:
    none = torch.zeros(len(bounds), 2)
    return CalibratedRange(torch.tensor(bounds), none[:, 0], none, none > 0, 30.0)


def made(within: CalibratedRange | None, **more: Any) -> BaselineDirections:
    given: dict[str, Any] = {"count": 5, "bound": 30.0, "seed": 3, "sampling": Sampling(0), **more}
    return baseline_directions(GENERATOR, directions(20, 40, 90), within, **given)


def test_a_random_direction_has_the_attributes_channels_and_unit_length_in_standard_deviations() -> None:
    baseline = made(None)
    assert baseline.matrix.shape == (5, GENERATOR.space.size)
    assert (baseline.matrix != 0).sum(dim=1).tolist() == [40] * 5
    assert not bool((baseline.matrix[:, GENERATOR.space.fixed_mask()] != 0).any())
    scaled = torch.where(STD > 0, baseline.matrix / STD, 0.0)
    assert scaled.norm(dim=1) == pytest.approx(1.0, abs=1e-5)
    alike = (scaled @ scaled.T).fill_diagonal_(0).abs().max()
    assert float(alike) < 0.5


def test_a_seed_draws_the_same_directions_and_another_one_others() -> None:
    assert torch.equal(made(None).matrix, made(None).matrix)
    assert torch.equal(made(None).matrix[:2], made(None, count=2).matrix)
    assert not torch.equal(made(None).matrix, made(None, seed=4).matrix)


class Linear(nn.Module):
    """Draws codes so that an edit changes all pictures alike."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("to_pixels", torch.randn(40, 3 * 64, generator=torch.Generator().manual_seed(0)) / 40)

    def forward(self, codes: Tensor) -> Tensor:
        return (codes @ self.to_pixels).view(-1, 3, 8, 8)


SMALL = Decoder(Linear(), code_size=40)


def drawn_beside(read: Callable[[Tensor], Tensor], *, count: int = 12, cache: Path | None = None) -> BaselineDirections:
    """Random directions of a small generator, whose pictures have the labels that ``read`` says."""
    matrix = torch.nn.functional.normalize(torch.eye(40)[:2] + 0.1)
    names, zeros = ("one", "two"), (0.0, 0.0)
    return baseline_directions(
        SMALL,
        EditDirections(matrix, names, "none", "regression", 0.1, (40, 40), zeros, zeros),
        calibrated((-2.0, 2.0), (-2.0, 2.0)),
        count=count,
        bound=30.0,
        seed=0,
        sampling=Sampling(8, cache=cache),
        labels=LabelReader(read, {"labels": read.__name__}),
    )


def brighter(pictures: Tensor) -> Tensor:
    return (pictures[:, 0].mean((1, 2)) > 0.02).long()


def alike(pictures: Tensor) -> Tensor:
    return torch.zeros(len(pictures))


def test_random_directions_that_change_the_label_are_drawn_again() -> None:
    baseline, loose = drawn_beside(brighter), drawn_beside(alike)
    assert (loose.drawn, loose.redrawn, loose.changing) == (tuple(range(12)), 0, 0)
    codes = Sampling(8).codes(SMALL)
    ways = torch.tensor([(-1.0, 1.0)[image % 2] for image in range(8)])[:, None]

    def loses(row: Tensor, length: float) -> float:
        edited = SMALL.render(codes, ways * length, row[None])
        return float((brighter(edited) != brighter(SMALL.render(codes))).double().mean())

    assert max(map(loses, loose.matrix, loose.lengths)) > 0.1
    assert max(map(loses, baseline.matrix, baseline.lengths)) <= 0.1
    assert (len(baseline.drawn), baseline.changing) == (12, 0)
    left_out = set(range(max(baseline.drawn) + 1)) - set(baseline.drawn)
    assert 0 < len(left_out) == baseline.redrawn
    stays = [place for place, number in enumerate(baseline.drawn) if number < 12]
    assert torch.equal(baseline.matrix[stays], loose.matrix[[baseline.drawn[place] for place in stays]])


def test_where_too_few_keep_the_label_twice_as_many_are_drawn_at_most_and_it_is_told() -> None:
    read: list[int] = []

    def changing(pictures: Tensor) -> Tensor:
        read.append(len(pictures))
        return torch.full((len(pictures),), len(read))

    baseline = drawn_beside(changing)
    assert (baseline.drawn, baseline.redrawn, baseline.changing) == (tuple(range(12)), 12, 12)
    assert sum(read) == 8 + 4 * 2 * 12, "unedited, and each of twice as many on four pictures, as all lose it there"


def test_what_is_drawn_again_hangs_on_the_labels_and_is_kept(tmp_path: Path) -> None:
    first = drawn_beside(brighter, cache=tmp_path)

    def unread(pictures: Tensor) -> Tensor:
        raise AssertionError("it lies in the cache")

    unread.__name__ = brighter.__name__
    again = drawn_beside(unread, cache=tmp_path)
    assert torch.equal(first.matrix, again.matrix)
    assert (first.drawn, first.lengths, first.redrawn) == (again.drawn, again.lengths, again.redrawn)
    assert drawn_beside(alike, cache=tmp_path).drawn != first.drawn, "other labels, another key"


@pytest.mark.ci
@pytest.mark.slow
def test_the_length_of_many_directions_is_found_on_few_pictures_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all pictures of each would give, but for a few per cent, by a fifth of them."""
    drawn: list[int] = []
    render = type(GENERATOR).render

    def counted(self: Any, codes: Tensor, *rest: Any) -> Tensor:
        drawn.append(len(codes))
        return render(self, codes, *rest)

    monkeypatch.setattr(type(GENERATOR), "render", counted)
    within, attributes = calibrated((-10.0, 4.0), (-6.0, 8.0)), directions(3, 6)
    attributes.matrix[:] = attributes.matrix * STD
    options: dict[str, Any] = {"count": 32, "bound": 30.0, "seed": 3, "sampling": Sampling(8)}
    baseline = baseline_directions(GENERATOR, attributes, within, **options)
    few = sum(drawn)
    assert few == matching_pictures(2, 32, 0, labels=False).matched == 8 + 8 * 2 + 96
    monkeypatch.setattr("zoom_engine.directions.baseline._PICTURES_BY_STAGE", (1000, 1000))
    on_all = baseline_directions(GENERATOR, attributes, within, **options)
    assert sum(drawn) - few == 8 + 8 * 2 + 2 * 8 * 32
    assert baseline.lengths[0] == pytest.approx(on_all.lengths[0], rel=0.04)


def test_prompts_that_name_nothing_visible_are_those_that_an_encoder_reads() -> None:
    for domain in (DOMAIN, PETS):
        prompts = control_prompts(domain.text_encoder(), domain.neutral)
        assert len(prompts) == MOST_CONTROL_PROMPTS
        assert all(domain.neutral.removeprefix("a ") in prompt for prompt in prompts)
        domain.text_encoder().check_words(prompts)
        named = {word for text in domain.attributes for word in words_of(text)} - set(words_of(domain.neutral))
        spoken = {word for prompt in prompts for word in words_of(prompt)}
        assert named & spoken <= {"the", "of", "on", "is", "a", "with"}
    reads_all = SimpleNamespace(words=None, name="all", embed_texts=lambda texts: torch.eye(9)[-len(texts) :])
    assert control_prompts(reads_all, "a dog")[0] == "the dog in the year of an odd number"  # type: ignore[arg-type]
    reads_none = SimpleNamespace(words=frozenset({"cat"}), name="none", embed_texts=None)
    assert control_prompts(reads_none, "a dog") == ()  # type: ignore[arg-type]


def test_each_of_several_texts_is_followed_until_pictures_change_by_as_much() -> None:
    attributes = directions(3, 6)
    attributes.matrix[:] = attributes.matrix * STD
    within, sampling = calibrated((-5.0, 2.0), (-3.0, 4.0)), Sampling(2)
    texts = torch.stack([attributes.matrix[0], 0.5 * attributes.matrix[0]])
    options = {"count": 2, "bound": 30.0, "seed": 3, "sampling": sampling}
    baseline = baseline_directions(GENERATOR, attributes, within, **options, texts=texts)
    alone = baseline_directions(GENERATOR, attributes, within, **options)
    assert torch.equal(baseline.matrix[:2], alone.matrix)
    assert torch.equal(baseline.matrix[2:], texts)
    assert baseline.lengths[:2] == alone.lengths
    assert baseline.lengths[3] == pytest.approx(2 * baseline.lengths[2], rel=0.02)
    assert sorted(abs(baseline.bounds(7, 3)[3])) == [0.0, baseline.lengths[3]]


@pytest.mark.ci
def test_it_is_followed_until_pictures_change_by_as_much_and_one_way(tmp_path: Path) -> None:
    attributes = directions(3, 6)
    attributes.matrix[:] = attributes.matrix * STD  # channels that move together change a picture more
    within = calibrated((-10.0, 4.0), (-6.0, 8.0))
    sampling = Sampling(4, cache=tmp_path)
    baseline = baseline_directions(GENERATOR, attributes, within, count=3, bound=30.0, seed=3, sampling=sampling)
    codes = torch.cat([codes for _, codes in sampling.draw(GENERATOR)])

    def change(row: torch.Tensor, weight: float, image: int) -> float:
        moved = GENERATOR.render(codes[[image]] + weight * row) - GENERATOR.render(codes[[image]])
        return float(moved.square().mean().sqrt())

    of_attributes = [
        change(row, bounds[image % 2], image)
        for row, bounds in zip(attributes.matrix, within.bounds.tolist(), strict=True)
        for image in range(4)
    ]
    (length,) = set(baseline.lengths)
    of_random = [change(row, length * (-1, 1)[image % 2], image) for row in baseline.matrix for image in range(4)]
    assert np.mean(of_random) == pytest.approx(np.mean(of_attributes), rel=0.15)
    alone = Sampling(4, batch_size=1, cache=tmp_path / "empty")
    again = baseline_directions(GENERATOR, attributes, within, count=3, bound=30.0, seed=3, sampling=alone)
    assert (
        again.lengths == baseline.lengths == (round(length, 2),) * 3
    )  # no last digit hangs on a batch, or on the cache
    ways = []
    for seed in range(40):
        bounds = baseline.bounds(seed, 2)
        assert np.array_equal(bounds, baseline.bounds(seed, 2))
        assert not bounds[[0, 1]].any()
        assert sorted(abs(bounds[2])) == [0.0, length]
        assert bounds[2, 0] <= 0 <= bounds[2, 1]
        ways.append(bounds[2, 1] > 0)
    assert 8 < sum(ways) < 32
    assert made(None).bounds(7, 1)[1].tolist() == [-30.0, 30.0]


def test_what_draws_otherwise_measures_lengths_of_its_own(tmp_path: Path) -> None:
    coarse: Any = SimpleNamespace(
        render=lambda *edited: GENERATOR.render(*edited).pow(3), describe=lambda: {"backend": "coarse"}
    )
    within, attributes = calibrated((-10.0, 4.0), (-6.0, 8.0)), directions(3, 6)

    def lengths(synthesizer: Any) -> tuple[float, ...]:
        sampling = Sampling(4, synthesizer=synthesizer, cache=tmp_path)
        options: dict[str, Any] = {"count": 3, "bound": 30.0, "seed": 3, "sampling": sampling}
        return baseline_directions(GENERATOR, attributes, within, **options).lengths

    assert lengths(None) == lengths(None) != lengths(coarse)


class InParts(Decoder):
    """Of a code the first 30 numbers are one part, the last 10 another, which samples may share."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__(Linear(), code_size=40)
        self.space = StyleSpace([("noise", 8, 30, False), ("prompt", 8, 10, False)])
        self.shared = shared
        self.content_hash = Identity(f"in parts {shared}")

    def draw(self, count: int, random: torch.Generator, **options: Any) -> tuple[Tensor, Tensor]:
        codes, _ = super().draw(count, random, **options)
        if self.shared:
            codes[:, 30:] = 0.5
        return codes, codes


def of_parts(generator: Any, method: str, *, first: int, last: int) -> tuple[Tensor, BaselineDirections]:
    matrix = torch.zeros(2, 40)
    matrix[:, first:last] = torch.randn(2, last - first, generator=torch.Generator().manual_seed(1))
    channels, zeros = (last - first,) * 2, (0.0, 0.0)
    attributes = EditDirections(matrix, ("one", "two"), "none", method, 0.0, channels, zeros, zeros)
    within = calibrated((-2.0, 2.0), (-2.0, 2.0))
    options: dict[str, Any] = {"count": 6, "bound": 30.0, "seed": 0, "sampling": Sampling(8)}
    return matrix, baseline_directions(generator, attributes, within, **options)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("method", ["regression", "generator"])
def test_random_directions_lie_where_attributes_move(shared: bool, method: str) -> None:
    generator = InParts(shared=shared)
    matrix, baseline = of_parts(generator, method, first=30, last=40)
    assert not bool(baseline.matrix[:, :30].any()), "none of it in the noise"
    assert bool(baseline.matrix.any(dim=1).all())
    codes = Sampling(8).codes(generator)

    def change(rows: Tensor, length: float) -> float:
        drawn = [generator.render(codes + length * row) - generator.render(codes) for row in rows]
        return float(torch.stack(drawn).square().mean(dim=(2, 3, 4)).sqrt().mean())

    assert change(baseline.matrix, baseline.lengths[0]) == pytest.approx(change(matrix, 2.0), rel=0.1)
    _, elsewhere = of_parts(generator, method, first=0, last=30)
    assert not bool(elsewhere.matrix[:, 30:].any())


def test_along_prompts_they_are_as_codes_differ_or_the_generators_own() -> None:
    class Tied(InParts):
        def draw(self, count: int, random: torch.Generator, **options: Any) -> tuple[Tensor, Tensor]:
            codes, _ = Decoder.draw(self, count, random, **options)
            codes[:, 38:] = codes[:, 37:38]  # eight ways to differ
            return codes, codes

    _, baseline = of_parts(Tied(shared=False), "generator", first=30, last=40)
    torch.testing.assert_close(baseline.matrix[:, 38:], baseline.matrix[:, 37:38].expand(-1, 2))

    class Random(InParts):
        def random_directions(self, count: int, random: torch.Generator) -> Tensor:
            return torch.eye(40)[torch.randint(33, 35, (count,), generator=random)] * 7

    _, by_itself = of_parts(Random(shared=False), "generator", first=30, last=40)
    assert set(by_itself.matrix.nonzero()[:, 1].tolist()) <= {33, 34}
    _, by_engine = of_parts(Random(shared=False), "regression", first=30, last=40)
    assert torch.equal(by_engine.matrix, of_parts(InParts(shared=False), "regression", first=30, last=40)[1].matrix)

    class Zero(InParts):
        def random_directions(self, count: int, random: torch.Generator) -> Tensor:
            return torch.zeros(count, 40)

    with pytest.raises(DirectionError, match="random_directions must be finite and not 0"):
        of_parts(Zero(shared=False), "generator", first=30, last=40)
