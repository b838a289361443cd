"""`check_editable_generator` finds each fault that a generator of somebody else's may have, and says which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import onnx
import pytest
import torch
from networks import spread_generator
from torch import Tensor

from zoom_engine import check_editable_generator, find_domain
from zoom_engine.common.errors import BackendError, ConfigError
from zoom_engine.generators import StyleSpace, check_gradients_of, load_generator, of_one_class, shown
from zoom_engine.ops.modulation import edited
from zoom_engine.photographs import check_invertible
from zoom_engine.runtime import choose_synthesizer
from zoom_engine.search import choose_search
from zoom_engine.targets import load_target

SIDE, SIZE = 8, 5


class Stripes:
    """Three colours of five numbers, by an affine map of three latents; as it should be."""

    resolution: Any = SIDE
    differentiable: Any = True
    population: Any = None
    content_hash: Any = "stripes"
    device: Any = torch.device("cpu")
    space: Any = StyleSpace([("colours", SIDE, 3, False), ("rest", SIDE, 2, True)])
    matrix = torch.linspace(-1, 1, SIZE * 3).view(SIZE, 3) + torch.eye(SIZE, 3)

    def __init__(self) -> None:
        self.drawn_pictures = 0

    def to(self, device: Any) -> Any:
        return self

    def latents(self, seeds: Sequence[int]) -> Tensor:
        rows = [np.random.default_rng(seed).standard_normal(3, dtype=np.float32) for seed in seeds]
        return torch.from_numpy(np.array(rows))

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Any:
        return 0.1 + truncation * self.latents(seeds) @ self.matrix.T

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Any:
        latents = truncation * torch.randn(count, 3, generator=random)
        return latents, 0.1 + latents @ self.matrix.T

    def affine_weight(self) -> Tensor | None:
        return self.matrix

    def picture(self, codes: Tensor) -> Tensor:
        shade = torch.linspace(0.2, 1, SIDE)[None, None, :, None]
        return shown((codes[:, :3, None, None] * shade).tanh().expand(-1, -1, -1, SIDE))

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Any:
        self.drawn_pictures += len(codes)
        return self.picture(edited(codes, edit_weights, directions))


class WithoutHash(Stripes):
    content_hash = " "


class HashOfANumber(Stripes):
    content_hash = 7


class NoPixels(Stripes):
    resolution = 1


class SpaceOfANumber(Stripes):
    space = SIZE


class DeviceOfAText(Stripes):
    device = "cpu"


class NowhereElse(Stripes):
    def to(self, device: Any) -> None:
        """Forgets to return."""


class NoCodes(Stripes):
    population = 0


class MaybeDifferentiable(Stripes):
    differentiable = "yes"


class WithoutRender(Stripes):
    render = None  # type: ignore[assignment]


class DoubleCodes(Stripes):
    def sample(self, seeds: Sequence[int], **options: Any) -> Tensor:
        return super().sample(seeds, **options).double()


class EndlessCodes(Stripes):
    def sample(self, seeds: Sequence[int], **options: Any) -> Tensor:
        return super().sample(seeds, **options) / 0


class IgnoresSeeds(Stripes):
    def latents(self, seeds: Sequence[int]) -> Tensor:
        return torch.ones(len(seeds), 3)


class DrawsSeedsAnew(Stripes):
    def latents(self, seeds: Sequence[int]) -> Tensor:
        return torch.randn(len(seeds), 3)


class HangsOnTheBatch(Stripes):
    def latents(self, seeds: Sequence[int]) -> Tensor:
        return torch.randn(len(seeds), 3, generator=torch.Generator().manual_seed(seeds[0]))


class SmallSeeds(Stripes):
    def latents(self, seeds: Sequence[int]) -> Tensor:
        return super().latents([int(np.array(seed, dtype=np.int32)) for seed in seeds])


class WithoutTruncation(Stripes):
    def sample(self, seeds: Sequence[int], **options: Any) -> Tensor:
        return super().sample(seeds)


class KnowsNoTruncation(Stripes):
    def sample(self, seeds: Sequence[int]) -> Tensor:  # type: ignore[override]
        return super().sample(seeds)


class DrawsOnce(Stripes):
    def draw(self, count: int, random: torch.Generator, **options: Any) -> Any:
        return tuple(part[:1] for part in super().draw(count, random, **options))


class DrawsByItself(Stripes):
    def draw(self, count: int, random: torch.Generator, **options: Any) -> Any:
        return super().draw(count, torch.default_generator, **options)


class DrawsTheSame(Stripes):
    def draw(self, count: int, random: torch.Generator, **options: Any) -> Any:
        return tuple(part.expand(count, -1) for part in super().draw(1, random, **options))


class OtherAffine(Stripes):
    def affine_weight(self) -> Tensor:
        return self.matrix * 1.1


class NoAffine(Stripes):
    def affine_weight(self) -> None:
        """Says that codes are their own latents."""

    def draw(self, count: int, random: torch.Generator, **options: Any) -> Any:
        _, codes = super().draw(count, random, **options)
        return codes + 1, codes


class TurnedPictures(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture(codes).movedim(1, 3)


class Photographs(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return 127.5 * (super().picture(codes) + 1)


class FromZeroToOne(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return (super().picture(codes) + 1) / 2


class AlwaysTheSame(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture(codes * 0 - 1)


class Noisy(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        self.pictures_so_far = getattr(self, "pictures_so_far", 0) + 1
        return shown(super().picture(codes) + 0.05 * self.pictures_so_far)


class MixesPictures(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture(codes - codes.mean(0))


class EditsTwice(Stripes):
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return self.picture(edited(codes, edit_weights if edit_weights is None else 2 * edit_weights, directions))


class IgnoresEdits(Stripes):
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return self.picture(codes)


class EditsAsTheFirst(Stripes):
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return self.picture(
            edited(codes, None if edit_weights is None else 0 * edit_weights + edit_weights[0], directions)
        )


class TurnsEdits(Stripes):
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return self.picture(edited(codes, None if edit_weights is None else edit_weights.flip(1), directions))


class WithoutGradient(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture(codes.detach())


class FlatGradient(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture((codes * 100).round() / 100)


class BrokenGradient(Stripes):
    def picture(self, codes: Tensor) -> Tensor:
        return super().picture((codes - codes.detach()).abs().sqrt() + codes)


class Fails(Stripes):
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Self:
        raise RuntimeError("two\nlines")


WRONG = [
    (WithoutHash, "content_hash is its identity, but it is empty"),
    (HashOfANumber, "content_hash must be a text, got 7"),
    (NoPixels, "4 pixels or more, but it is 1"),
    (SpaceOfANumber, "space is a StyleSpace.*, but it is a int"),
    (DeviceOfAText, "device is a str"),
    (NowhereElse, r"to\(device\) gives a NoneType"),
    (NoCodes, "population is .*, but it is 0"),
    (MaybeDifferentiable, "differentiable must be true or false, got 'yes'"),
    (WithoutRender, "render must be a method, not None"),
    (DoubleCodes, r"must be float32 \[3, 5\], not torch.float64 \[3, 5\]"),
    (EndlessCodes, "holds NaN or infinity"),
    (IgnoresSeeds, "seeds 0, 1 and 2 give equal ones"),
    (DrawsSeedsAnew, "equal seeds give equal codes, but they differ by"),
    (
        HangsOnTheBatch,
        "a code depends on its seed alone, but that of seed 2 lies .* further where it comes with others",
    ),
    (SmallSeeds, "seeds reach to 2³²-1, but it fails"),
    (WithoutTruncation, "truncation below 1 pulls codes toward the average, but three codes lie"),
    (KnowsNoTruncation, "truncation below 1 .*, but it fails: TypeError"),
    (DrawsOnce, r"draw's codes must be float32 \[2, 5\], not torch.float32 \[1, 5\]"),
    (DrawsByItself, "takes its random numbers from the generator that is given, but"),
    (DrawsTheSame, "both rows of draw.2, random. are equal"),
    (OtherAffine, "affine_weight is the derivative.*tells 10 % wrong"),
    (NoAffine, "there is none, and latents and codes differ by 1"),
    (TurnedPictures, r"must be float32 \[2, 3, 8, 8\], not torch.float32 \[2, 8, 8, 3\]"),
    (Photographs, r"lie in \[-1, 1\].*, but they reach from .* to 2\d\d"),
    (FromZeroToOne, r"have nothing below 0.*: are they in \[0, 1\]"),
    (AlwaysTheSame, "other codes give other pictures, but two of them differ by 0"),
    (Noisy, "a picture moves by .* each time that it is made"),
    (MixesPictures, "a picture moves by .* where it is made alone"),
    (EditsTwice, r"render\(codes, w, d\) is render\(codes \+ w @ d\), .*, but they differ"),
    (IgnoresEdits, "they differ"),
    (EditsAsTheFirst, "they differ"),
    (TurnsEdits, "they differ"),
    (WithoutGradient, "as differentiable says, but none reaches either"),
    (FlatGradient, "that of the codes is 0"),
    (BrokenGradient, "that of the codes is not finite"),
    (Fails, "fails: RuntimeError: two lines"),
]
OF_GRADIENTS = (WithoutGradient, FlatGradient, BrokenGradient)


def graph_of_stripes(gain: float = 1.0) -> bytes:
    """What `Stripes.picture` does, in ONNX, of codes that are ``gain`` times as large."""
    shade = gain * np.linspace(0.2, 1, SIDE, dtype=np.float32)[None, None, :, None].repeat(SIDE, axis=3)
    tensors = {"ends": np.array([3]), "from": np.array([0]), "axes": np.array([1]), "places": np.array([2, 3])}
    made = [onnx.numpy_helper.from_array(value, name) for name, value in {**tensors, "shade": shade}.items()]
    nodes = [
        onnx.helper.make_node("Slice", ["codes", "from", "ends", "axes"], ["colours"]),
        onnx.helper.make_node("Unsqueeze", ["colours", "places"], ["maps"]),
        onnx.helper.make_node("Mul", ["maps", "shade"], ["shaded"]),
        onnx.helper.make_node("Tanh", ["shaded"], ["images"]),
    ]
    codes, images = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("codes", ["n", SIZE]), ("images", ["n", 3, SIDE, SIDE]))
    )
    graph = onnx.helper.make_graph(nodes, "stripes", [codes], [images], made)
    opset = onnx.helper.make_opsetid("", 17)
    model: bytes = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    return model


class WithGraph(Stripes):
    """Brings a graph beside itself, so that runtimes can draw it."""

    runs_on: Any = ("torch", "onnx")
    graph = graph_of_stripes()

    def finished(self, images: Tensor) -> Tensor:
        return shown(images)


class OnNothing(Stripes):
    runs_on = ("jax",)


class OnnxWithoutGraph(Stripes):
    runs_on = ("onnx",)


class WithAnotherGraph(WithGraph):
    graph = graph_of_stripes(gain=2.0)


def test_a_generator_says_what_can_run_it() -> None:
    pytest.importorskip("onnxruntime")
    generator = load_generator(WithGraph())
    check_editable_generator(generator)
    codes, torch_alone = generator.sample([0, 1]), choose_synthesizer(load_generator(Stripes()))
    result = choose_synthesizer(generator, backend="onnxruntime")
    assert (result.session is None, torch_alone.backend) == (False, "torch")
    torch.testing.assert_close(result.render(codes), generator.render(codes), atol=1e-5, rtol=0)
    with pytest.raises(BackendError, match="'onnxruntime' cannot run this generator: torch can"):
        choose_synthesizer(load_generator(Stripes()), backend="onnxruntime")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (OnNothing, "with a graph for onnx, but they are .'jax'."),
        (OnnxWithoutGraph, "but it has no graph"),
        (WithAnotherGraph, "draws what render does, but they differ by 0"),
    ],
)
def test_what_it_says_of_that_is_held_to_what_it_draws(wrong: type[Stripes], reason: str) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ConfigError, match=reason):
        load_generator(wrong())


def test_a_class_is_chosen_of_any_generator_that_has_some() -> None:
    class OfTwo(Stripes):
        classes = 2

        def of_class(self, index: int) -> Stripes:
            result = Stripes()
            result.content_hash = f"class {index}"
            return result

    assert of_one_class(load_generator(OfTwo()), 1).content_hash == "class 1"
    with pytest.raises(ConfigError, match="draws 2 classes: choose the one to draw, 0 to 1"):
        of_one_class(load_generator(OfTwo()), None)
    with pytest.raises(ConfigError, match=r"class 2 is outside 0\.\.1"):
        of_one_class(load_generator(OfTwo()), 2)


@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=[wrong.__name__ for wrong, _ in WRONG])
def test_a_wrong_generator_is_refused_by_the_rule_that_it_breaks(wrong: type[Stripes], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_gradients_of(load_generator(wrong()))
    assert "\n" not in str(caught.value)
    assert wrong.__name__ in str(caught.value)


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG])
def test_a_wrong_generator_without_gradients_is_refused_too(wrong: type[Stripes]) -> None:
    if wrong in (MaybeDifferentiable, *OF_GRADIENTS):
        return
    generator = wrong()
    generator.differentiable = False
    with pytest.raises(ConfigError, match=dict(WRONG)[wrong]):
        load_generator(generator)  # type: ignore[arg-type]


@pytest.mark.parametrize("differentiable", [True, False])
def test_on_load_a_sound_generator_draws_three_pictures(differentiable: bool) -> None:
    generator = Stripes()
    generator.differentiable = differentiable
    assert load_generator(generator) is generator  # type: ignore[arg-type, comparison-overlap]
    assert generator.drawn_pictures == 3
    check_gradients_of(generator)  # type: ignore[arg-type]
    assert generator.drawn_pictures == 3 + differentiable
    check_editable_generator(generator)
    assert generator.drawn_pictures == 7 + differentiable


@pytest.mark.parametrize("wrong", OF_GRADIENTS)
def test_gradients_are_looked_at_before_anything_follows_them(wrong: type[Stripes]) -> None:
    generator, target = load_generator(wrong()), load_target("avatars:mustache")
    choose_search("scan", mode="single", target=target, generator=generator)
    for name, mode in (("pgd", "single"), ("minimal", "multi"), (None, "multi")):
        with pytest.raises(ConfigError, match=dict(WRONG)[wrong]):
            choose_search(name, mode=mode, target=target, generator=generator)
    with pytest.raises(ConfigError, match=dict(WRONG)[wrong]):
        check_invertible(generator)


def test_a_picture_without_edits_is_looked_at_in_tests() -> None:
    class DarkWithoutEdits(Stripes):
        def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
            return super().render(codes, edit_weights, directions) * (0.5 if edit_weights is None else 1)

    with pytest.raises(ConfigError, match=r"render\(codes\) is render\(codes, 0 · w, d\), but they differ"):
        check_editable_generator(DarkWithoutEdits())


def test_what_ships_holds_the_contract() -> None:
    check_editable_generator(spread_generator())
    for name in ("avatars", "pets"):
        domain = find_domain(name)
        assert domain is not None
        check_editable_generator(domain.generator())


class Reads(Stripes):
    """Brings what a generator may bring beside."""

    batch_size: Any = 3
    space: Any = StyleSpace([("colours", SIDE, 3, False), ("rest", SIDE, 2, False)], frozen=["rest"])

    def text_directions(self, attributes: Sequence[str], neutral: str) -> Any:
        rows = torch.zeros(len(attributes), SIZE)
        rows[:, :3] = torch.tensor([[float(len(text) - len(neutral)), 1.0, 0.0] for text in attributes])
        return rows

    def random_directions(self, count: int, random: torch.Generator) -> Any:
        return torch.cat([torch.randn(count, 3, generator=random), torch.zeros(count, 2)], dim=1)

    def encode(self, images: Tensor) -> Any:
        colours = images[:, :, -1, 0].clamp(-0.999, 0.999).atanh()
        return torch.cat([colours, torch.zeros(len(images), 2)], dim=1)


class NoBatch(Reads):
    batch_size = 0


class ReadsOne(Reads):
    def text_directions(self, attributes: Sequence[str], neutral: str) -> Any:
        return super().text_directions(attributes[:1], neutral)


class ReadsNothing(Reads):
    def text_directions(self, attributes: Sequence[str], neutral: str) -> Any:
        return 0 * super().text_directions(attributes, neutral)


class MovesFrozen(Reads):
    def text_directions(self, attributes: Sequence[str], neutral: str) -> Any:
        return 1 + super().text_directions(attributes, neutral)


class RandomByItself(Reads):
    def random_directions(self, count: int, random: torch.Generator) -> Any:
        return super().random_directions(count, torch.default_generator)


class RandomTwice(Reads):
    def random_directions(self, count: int, random: torch.Generator) -> Any:
        return super().random_directions(1, random).expand(count, -1).contiguous()


class EncodesAnother(Reads):
    def encode(self, images: Tensor) -> Any:
        return super().encode(images.flip(0))


class EncodesDoubles(Reads):
    def encode(self, images: Tensor) -> Any:
        return super().encode(images).double()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (NoBatch, "batch_size, if it has that, is 1 or more, but it is 0"),
        (ReadsOne, r"text_directions must be float32 \[2, 5\]"),
        (ReadsNothing, "lead from the neutral prompt to attributes, but that of 'a red thing' is 0"),
        (MovesFrozen, "but they move entries that the space calls fixed"),
        (RandomByItself, "random_directions, .*, but a random generator of the same seed gives others"),
        (RandomTwice, "but the first two are equal"),
        (EncodesAnother, "gives the codes of pictures, but a code draws a picture that is nearer to another"),
        (EncodesDoubles, r"encode\(pictures\) must be float32 \[3, 5\], not torch.float64"),
    ],
)
def test_what_a_generator_brings_beside_is_held_to_its_contract(wrong: type[Reads], reason: str) -> None:
    check_editable_generator(Reads())
    with pytest.raises(ConfigError, match=reason) as caught:
        check_editable_generator(wrong())
    assert "\n" not in str(caught.value)
