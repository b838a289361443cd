"""Codes that draw a picture are found, equal for equal seeds, kept on disk, and held to what they show."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import spread_generator, styles_of
from safetensors.torch import save
from torch import Tensor, nn

from zoom_engine.common.errors import ConfigError, PhotographError
from zoom_engine.common.files.png import to_pixels
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.generators import Decoder, EditableGenerator
from zoom_engine.photographs import Crop, Inversion, Inverter, Yardstick, judged
from zoom_engine.targets import BinaryTask, Preprocessing, Target

QUICK = Inversion(steps=30, refining=10, samples=256)


class Colours:
    """A text encoder that sees colours alone, by areas."""

    content_hash = "colours"

    def embed_images(self, images: Tensor) -> Tensor:
        areas = nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return nn.functional.normalize(areas + 0.1, dim=1)


class Painter(nn.Module):
    code_size = 6

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 3 * 16 * 16)

    def forward(self, codes: Tensor) -> Tensor:
        return self.layer(codes).tanh().view(-1, 3, 16, 16)


def inverter(generator: EditableGenerator, **options: Any) -> Inverter:
    return Inverter(generator, Colours(), generator, inversion=QUICK, **options)  # type: ignore[arg-type]


def crop_of(image: Tensor, file: str = "a.png") -> Crop:
    pixels = to_pixels(image[None])[0]
    return Crop(file, "middle", pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def target_of(generator: EditableGenerator, *, gain: float = 1.0) -> Target:
    """Of pictures that are red on the whole it says 1."""

    class Red(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return gain * x[:, :1].mean((2, 3))

    preprocessing = Preprocessing(size=generator.resolution, value_range=(-1.0, 1.0))
    return Target(Red(), name="red", task=BinaryTask(), preprocessing=preprocessing)


@pytest.fixture(scope="module")
def generator() -> EditableGenerator:
    return spread_generator()


@pytest.fixture(scope="module")
def crops(generator: EditableGenerator) -> list[Crop]:
    """Pictures near the mean of a StyleGAN2."""
    with torch.no_grad():
        images = generator.render(generator.sample(range(3), truncation=0.5))
    return [crop_of(image, f"{number}.png") for number, image in enumerate(images)]


@pytest.fixture(scope="module")
def inverted(generator: EditableGenerator, crops: list[Crop]) -> Tensor:
    """The codes of all of them, which are followed together."""
    sizes, invert = list[int](), Inverter.invert
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inverter, "invert", lambda self, images: (sizes.append(len(images)), invert(self, images))[1])
        codes = inverter(generator).codes(crops)
    assert sizes == [3]
    return codes


@torch.no_grad()
def errors(generator: EditableGenerator, codes: Tensor, crops: list[Crop]) -> Tensor:
    wanted = torch.cat([crop.image for crop in crops])
    return (generator.render(codes) - wanted).square().mean(dim=(1, 2, 3))


def test_the_codes_draw_the_pictures(generator: EditableGenerator, crops: list[Crop], inverted: Tensor) -> None:
    mean = generator.sample(range(200)).mean(0).expand(3, -1)
    assert (errors(generator, inverted, crops) < 0.2 * errors(generator, mean, crops)).all()


def test_equal_seeds_find_equal_codes_whatever_the_batch(
    generator: EditableGenerator, crops: list[Crop], inverted: Tensor
) -> None:
    assert torch.equal(inverted, inverter(generator).codes(crops, batch_size=1))
    assert not torch.equal(inverted[:1], inverter(generator, seed=1).codes(crops[:1]))


def test_few_large_photographs_are_followed_at_once(
    generator: EditableGenerator, crops: list[Crop], inverted: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator keeps half a gigabyte of each picture of 1024² until its gradient is there."""
    sizes, invert = list[int](), Inverter.invert
    monkeypatch.setattr(Inverter, "invert", lambda self, images: (sizes.append(len(images)), invert(self, images))[1])
    monkeypatch.setattr("zoom_engine.common.machine.FOLLOWED", 2 * generator.resolution**2)
    assert torch.equal(inverter(generator).codes(crops), inverted)
    assert sizes == [2, 1]


def test_codes_are_kept_and_belong_to_pixels_and_settings(
    generator: EditableGenerator, crops: list[Crop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inversions"
    first = inverter(generator).codes(crops[:2], cache=folder)
    (damaged,) = sorted(folder.iterdir())[:1]
    damaged.write_bytes(damaged.read_bytes()[:-5])
    seen: list[int] = []
    original = Inverter.invert

    def counted(self: Inverter, images: Tensor) -> Tensor:
        seen.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Inverter, "invert", counted)
    again = inverter(generator).codes(crops, cache=folder)
    assert torch.equal(again[:2], first)
    assert seen == [2]  # the damaged one and the new one
    for none in (first[0].double(), first[0] * torch.nan):
        damaged.write_bytes(save({"code": none}))
        assert len(inverter(generator).stored(crops, cache=folder)) == 2
    inverter(generator, seed=1).codes(crops[:1], cache=folder)
    assert seen == [2, 1]


def test_a_flat_code_is_found_and_a_generator_without_gradients_refused() -> None:
    decoder = Decoder(Painter())
    with torch.no_grad():
        crops = [crop_of(decoder.render(decoder.sample([1], truncation=0.5))[0])]
    result = inverter(decoder).codes(crops)
    assert float(errors(decoder, result, crops)) < 0.1 * float(errors(decoder, torch.zeros(1, 6), crops))
    forward = Decoder(Painter())
    forward.__class__ = type("Forward", (Decoder,), {"differentiable": False})
    with pytest.raises(ConfigError, match="Forward has none"):
        inverter(forward)


def test_what_is_not_drawn_or_seen_alike_is_refused_by_name(generator: EditableGenerator, crops: list[Crop]) -> None:
    codes = styles_of(generator, 40)
    yardstick = Yardstick.of(generator, Colours(), generator)  # type: ignore[arg-type]
    with torch.no_grad():
        images = generator.render(codes)
    shown = [crop_of(images[0], "same.png"), Crop("text.jpg", refused="is no picture"), crop_of(images[1], "other.png")]
    target = target_of(generator)
    evaluator = Evaluator(generator, torch.zeros(1, codes.shape[1]), target)
    result = judged(shown, codes[[0, 20]], evaluator=evaluator, yardstick=yardstick)
    assert result.files == ["same.png"]
    assert torch.equal(result.codes, codes[:1])
    assert result.seeds == (shown[0].seed,)
    assert [photograph.file for photograph in result.refused] == ["text.jpg", "other.png"]
    assert "is not what the generator draws" in str(result.refused[1].refused)
    same = result.photographs[0]
    assert same.seen is not None
    assert same.seen < 0.02
    assert same.output == same.inverted_output
    with pytest.raises(
        PhotographError, match=r"none of 2 photographs can be audited: text.jpg is no picture; other.png"
    ):
        judged(shown[1:], codes[20:21], evaluator=evaluator, yardstick=yardstick)
    red = np.array([float(image[0].mean()) for image in images])
    near = min(
        ((i, j) for i in range(40) for j in range(40) if (red[i] > 0) != (red[j] > 0)),
        key=lambda pair: max(yardstick.apart(images[[pair[0]]], images[[pair[1]]])),
    )
    sure = Evaluator(generator, torch.zeros(1, codes.shape[1]), target_of(generator, gain=1e6))
    lenient = Yardstick(yardstick.text_encoder, 100.0, 100.0)
    both = [crop_of(images[near[0]], "flips.png"), shown[0]]
    told = judged(both, codes[[near[1], 0]], evaluator=sure, yardstick=lenient).refused
    (refused,) = [photograph.refused or "" for photograph in told]
    assert refused.partition(", a change of 1.00 (decisive from 0.1 on)")[0] in (
        "changes the target's answer when the generator draws it: 0.00 becomes 1.00",
        "changes the target's answer when the generator draws it: 1.00 becomes 0.00",
    )


@torch.no_grad()
def answers(images: Tensor, codes: Tensor, generator: EditableGenerator, outputs: tuple[float, float]) -> Target:
    """What says ``outputs[0]`` of a photograph ``[1, 3, R, R]`` and ``outputs[1]`` of its inversion, by their red."""
    red = [float(picture[0, 0].double().mean()) for picture in (images, generator.render(codes))]
    low, high = (float(torch.tensor(output).double().logit()) for output in outputs)

    class Between(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            share = (x[:, :1].double().mean((2, 3)) - red[0]) / (red[1] - red[0])
            return (low + (high - low) * share).float()

    preprocessing = Preprocessing(size=generator.resolution, value_range=(-1.0, 1.0))
    return Target(Between(), name="between", task=BinaryTask(), preprocessing=preprocessing)


def test_an_inversion_that_moves_the_target_by_the_decisive_change_is_refused_flip_or_not(
    generator: EditableGenerator,
) -> None:
    codes = styles_of(generator, 2)
    with torch.no_grad():
        crop = crop_of(generator.render(codes[:1])[0])
    lenient = Yardstick(Colours(), 100.0, 100.0)  # type: ignore[arg-type]

    def refused(outputs: tuple[float, float], decisive_change: float = 0.1) -> str:
        target = answers(crop.image, codes[1:], generator, outputs)
        evaluator = Evaluator(generator, torch.zeros(1, codes.shape[1]), target, decisive_change=decisive_change)
        try:
            judged([crop], codes[1:], evaluator=evaluator, yardstick=lenient)
        except PhotographError as error:
            return str(error)
        return ""

    told = refused((0.98, 0.6))
    assert "a.png changes the target's answer when the generator draws it: 0.98 becomes 0.60, a change of 0.38" in told
    assert "frame it as the generator's pictures are, or leave it out" in told
    assert "\n" not in told
    assert refused((0.98, 0.6), decisive_change=0.5) == ""
    assert "0.52 becomes 0.40" in refused((0.52, 0.4))
    assert refused((0.98, 0.9)) == ""
    assert refused((0.52, 0.48)) == ""  # a borderline flip
    assert "0.52 becomes 0.48" in refused((0.52, 0.48), decisive_change=0.0)
    assert refused((0.98, 0.95), decisive_change=0.0) == ""
    assert "0.98 becomes 0.60" in refused((0.98, 0.6), decisive_change=0.0)


class Encoded(Decoder):
    """A decoder that is told the code of a picture by its first pixels, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(Painter())
        self.asked = 0
        self.wrong = False

    def encode(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        layer = self.network.layer
        pixels = images.flatten(1).clamp(-0.9999, 0.9999).atanh() - layer.bias
        codes = torch.linalg.lstsq(layer.weight, pixels.T).solution.T
        return codes[:, :2] if self.wrong else codes


class Read(Decoder):
    """A decoder with an encoder beside it, as an autoencoder has."""

    def __init__(self, seed: int) -> None:
        super().__init__(Painter())
        torch.manual_seed(seed)
        self.encoder = nn.Sequential(nn.Flatten(), nn.LazyLinear(self.codes.size))

    def encode(self, images: Tensor) -> Tensor:
        codes: Tensor = self.encoder(images)
        return codes.detach()


def test_codes_of_another_encoder_are_found_anew(tmp_path: Path) -> None:
    """They were taken from the folder: what draws is the same, and that alone was asked for."""
    one, other = Read(1), Read(2)
    crops = [crop_of(image, f"{number}.png") for number, image in enumerate(one.render(one.sample(range(2))))]
    images = torch.cat([crop.image for crop in crops])
    for generator in (one, other):
        wanted = generator.encode(images)
        torch.testing.assert_close(inverter(generator).codes(crops, cache=tmp_path), wanted)
    assert one.content_hash == other.content_hash
    assert inverter(one).identity != inverter(other).identity


class Looked(Read):
    """The same weights, to which pictures are shown otherwise."""

    def encode(self, images: Tensor) -> Tensor:
        return super().encode(self.seen(images))

    def seen(self, images: Tensor) -> Tensor:
        return images / 2 + 0.5


class Squinted(Looked):
    def seen(self, images: Tensor) -> Tensor:
        return images.square()


Looked.__name__ = Squinted.__name__ = "Read"


def test_codes_that_other_code_reads_are_found_anew(tmp_path: Path) -> None:
    """They were taken from the folder, since what draws and all weights are the same."""
    image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    crops = [crop_of(image[0])]
    for kind in (Read, Looked, Squinted):
        generator = kind(1)
        wanted = generator.encode(crops[0].image)
        torch.testing.assert_close(inverter(generator).codes(crops, cache=tmp_path), wanted)


def test_what_encodes_is_the_same_wherever_its_pictures_differ_in_the_last_digits() -> None:
    generator, other = Looked(1), Looked(1)
    assert other.content_hash.answers is not None
    other.content_hash.answers = other.content_hash.answers[:1]
    assert inverter(generator).identity == inverter(other).identity


def test_a_generator_that_encodes_finds_codes_itself_and_takes_no_gradients(tmp_path: Path) -> None:
    generator = Encoded()
    generator.differentiable = False  # type: ignore[misc]
    crops = [
        crop_of(image, f"{number}.png") for number, image in enumerate(generator.render(generator.sample(range(3))))
    ]
    codes = inverter(generator).codes(crops, cache=tmp_path)
    torch.testing.assert_close(codes, generator.sample(range(3)), atol=0.05, rtol=0)
    assert generator.asked == 3
    assert torch.equal(inverter(generator).codes(crops, cache=tmp_path), codes)
    assert generator.asked == 3, "the second time they lie in the cache"
    identity = inverter(generator).identity
    assert (identity["generator"], identity["by"]) == (generator.content_hash, "encode")
    generator.wrong = True
    with pytest.raises(ConfigError, match=r"encode must give finite codes \[3, 6\], not \[3, 2\]"):
        inverter(generator).codes(crops)
