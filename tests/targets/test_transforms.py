"""Preprocessings as other libraries hand them over: the same numbers as theirs of the same pictures, or a refusal that
names what cannot be said here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from timm.data import create_transform, resolve_data_config, resolve_model_data_config
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import transforms as v1

from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.targets import Preprocessing, check_target_options, load_target
from zoom_engine.targets.loaders.transforms import stated_preprocessing, transform_preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FLOATS = v2.ToDtype(torch.float32, scale=True)
BICUBIC = InterpolationMode.BICUBIC


def pictures(side: int) -> NDArray[np.uint8]:
    """Blots of colour with some noise, uint8 `[2, side, side, 3]`."""
    random = torch.Generator().manual_seed(7)
    blots = nn.functional.interpolate(torch.rand(2, 3, 9, 9, generator=random), size=(side, side), mode="bicubic")
    noisy = (0.9 * blots + 0.1 * torch.rand(2, 3, side, side, generator=random)).clamp(0, 1)
    return (noisy * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def ours(pixels: NDArray[np.uint8]) -> Tensor:
    """The engine's images of these pictures."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def theirs(transform: Callable[[Any], Tensor], pixels: NDArray[np.uint8]) -> Tensor:
    return torch.stack([torch.as_tensor(transform(Image.fromarray(picture))) for picture in pixels])


OF_TORCHVISION: dict[str, Any] = {
    "v1": v1.Compose([v1.Resize(48), v1.CenterCrop(40), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "v1, both sides, bicubic": v1.Compose([v1.Resize((33, 40), interpolation=BICUBIC), v1.ToTensor()]),
    "v1, nearest, an odd crop": v1.Compose(
        [v1.Resize(64, interpolation=InterpolationMode.NEAREST), v1.CenterCrop((40, 37)), v1.PILToTensor(),
         v1.ConvertImageDtype(torch.float32)]
    ),
    "v1 within v1": v1.Compose([v1.Compose([v1.Resize([48]), v1.CenterCrop(32)]), v1.ToTensor()]),
    "v2": v2.Compose([v2.Resize(48), v2.CenterCrop(40), v2.ToImage(), FLOATS, v2.Normalize(MEAN, STD)]),
    "v2 of tensors": v2.Compose([v2.ToImage(), v2.Resize(40), v2.CenterCrop(40), FLOATS, v2.Normalize([0.5], [0.5])]),
    "v2, floats first": v2.Compose([v2.ToImage(), FLOATS, v2.Resize(48), v2.CenterCrop(40), v2.ToPureTensor()]),
    "v2, unscaled": v2.Compose([v2.RGB(), v2.Resize((40, 40)), v2.ToImage(), v2.ToDtype(torch.float32)]),
    "v1, one number": v1.Compose([v1.Resize((40, 40)), v1.ToTensor(), v1.Normalize(0.5, 0.25)]),
    "no resize": v1.Compose([v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "weights": torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms(),
    "weights, bicubic": torchvision.models.EfficientNet_B0_Weights.DEFAULT.transforms(),
    "weights of a detector": torchvision.models.detection.SSD300_VGG16_Weights.DEFAULT.transforms(),
}  # fmt: skip


@pytest.mark.parametrize("side", [96, 300])
@pytest.mark.parametrize("transform", OF_TORCHVISION.values(), ids=OF_TORCHVISION)
def test_a_transform_of_torchvision_is_followed_to_a_step_of_their_bytes(transform: Any, side: int) -> None:
    pixels, read = pictures(side), stated_preprocessing(transform)
    assert isinstance(read, Preprocessing)
    numbers, expected = read(ours(pixels)), theirs(transform, pixels)
    assert numbers.shape == expected.shape
    step = (read.value_range[1] - read.value_range[0]) / 255 / min(read.std)
    steps = 2 if read.resize == "bicubic" else 1
    assert float((numbers - expected).abs().max()) < 1.02 * steps * step, "they round to bytes after each of two passes"
    assert float((numbers - expected).abs().mean()) < 0.4 * step


@pytest.mark.parametrize("name", ["v1", "v2", "weights"])
def test_where_nothing_is_resized_the_numbers_are_theirs(name: str) -> None:
    pixels = pictures(256 if name == "weights" else 48)
    read = transform_preprocessing(OF_TORCHVISION[name])
    torch.testing.assert_close(read(ours(pixels)), theirs(OF_TORCHVISION[name], pixels), atol=1e-5, rtol=1e-5)


@pytest.mark.ci
def test_a_model_of_torchvision_answers_as_it_does_behind_its_own_transform() -> None:
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None, num_classes=4).eval()
    transform = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    target = load_target(model, preprocessing=transform)
    assert not target.assumed
    pixels = pictures(256)
    with torch.no_grad():
        torch.testing.assert_close(target(ours(pixels)), model(theirs(transform, pixels)), atol=1e-4, rtol=1e-4)


REFUSED: dict[str, tuple[Any, str]] = {
    "random": (v1.Compose([v1.Resize((32, 32)), v1.RandomHorizontalFlip(), v1.ToTensor()]), "RandomHorizontalFlip"),
    "jitter": (v2.Compose([v2.ColorJitter(0.3), v2.ToImage(), FLOATS]), "ColorJitter"),
    "gray": (v1.Compose([v1.Grayscale(3), v1.ToTensor()]), "Grayscale"),
    "lambda": (v1.Compose([v1.Lambda(lambda picture: picture), v1.ToTensor()]), "Lambda"),
    "a function": (v1.Compose([v1.ToTensor(), pictures]), "function 'pictures'"),
    "filter": (
        v1.Compose([v1.Resize(48, interpolation=InterpolationMode.LANCZOS), v1.CenterCrop(40), v1.ToTensor()]),
        "interpolation=lanczos.*bilinear, bicubic and nearest-exact",
    ),
    "torch's nearest": (
        v2.Compose([v2.ToImage(), v2.Resize((40, 40), interpolation=InterpolationMode.NEAREST), FLOATS]),
        "interpolation=.*nearest",
    ),
    "not smoothed": (v2.Compose([v2.ToImage(), v2.Resize((40, 40), antialias=False), FLOATS]), "antialias=True here"),
    "tensors not smoothed": (v2.Compose([v2.Resize((40, 40), antialias=False), FLOATS]), "antialias=True here"),
    "floats by bicubic": (v2.Compose([v2.ToImage(), FLOATS, v2.Resize((40, 40), interpolation=BICUBIC)]), "bicubic"),
    "shorter side": (v1.Compose([v1.Resize(40), v1.ToTensor()]), r"Resize\(\(40, 40\)\), or CenterCrop\(40\)"),
    "longest side": (v1.Compose([v1.Resize(40, max_size=60), v1.CenterCrop(40), v1.ToTensor()]), "max_size=60"),
    "crop first": (v1.Compose([v1.CenterCrop(40), v1.Resize((20, 20)), v1.ToTensor()]), "CenterCrop.*after a resize"),
    "two resizes": (v1.Compose([v1.Resize((40, 40)), v1.Resize((20, 20)), v1.ToTensor()]), "a resize comes first"),
    "two crops": (
        v1.Compose([v1.Resize(48), v1.CenterCrop(40), v1.CenterCrop(20), v1.ToTensor()]), "there is one crop here"
    ),
    "no floats": (v1.Compose([v1.Resize(48), v1.CenterCrop(40)]), "makes no floats: add ToTensor"),
    "bytes": (v1.PILToTensor(), "makes no floats"),
    "half": (v2.Compose([v2.ToImage(), v2.ToDtype(torch.float16, scale=True)]), r"not torch\.float16"),
    "normalised bytes": (v1.Compose([v1.Normalize(MEAN, STD), v1.ToTensor()]), "Normalize.*after"),
    "twice normalised": (v1.Compose([v1.ToTensor(), *2 * [v1.Normalize(MEAN, STD)]]), "there is one Normalize"),
    "video": (torchvision.models.video.R3D_18_Weights.DEFAULT.transforms(), "VideoClassification"),
    "weights, not their transforms": (torchvision.models.ResNet18_Weights.DEFAULT, "is none: give a Preprocessing"),
    "a number": (3, "3 is none: give a Preprocessing"),
    "any function": (lambda picture: picture, "is none: give"),
    "timm, border": ({"input_size": (3, 32, 32), "crop_mode": "border"}, "crop mode 'border'"),
    "timm, gray": ({"input_size": (1, 32, 32), "crop_pct": 1.0}, "RGB pictures"),
    "timm, more": ({"input_size": (3, 32, 32), "crop_border_pixels": 4}, "'crop_border_pixels' has no counterpart"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "names"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_counterpart_is_named_in_one_line(given: Any, names: str) -> None:
    with pytest.raises(TargetError, match=names) as caught:
        load_target(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)), preprocessing=given)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("preprocessing: ")


@pytest.mark.parametrize(
    ("name", "size"), [("resnet10t", 176), pytest.param("vit_tiny_patch16_224", 224, marks=pytest.mark.ci)]
)
def test_the_data_config_of_timm_makes_the_numbers_of_its_transform(name: str, size: int) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=3).eval()
    given = resolve_model_data_config(model)
    assert given == resolve_data_config({}, model=model)
    transform = create_transform(**given, is_training=False)
    target = load_target(model, preprocessing=given)
    assert target.preprocessing.hw == (size, size)
    assert target.preprocessing == load_target(model).preprocessing == stated_preprocessing(transform)
    pixels = pictures(int(size / given["crop_pct"]))
    expected = theirs(transform, pixels)
    torch.testing.assert_close(target.preprocessing(ours(pixels)), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(target(ours(pixels)), model(expected), atol=1e-4, rtol=1e-3)


def test_a_transform_may_stand_among_the_options_of_an_audit_s_target() -> None:
    transform = OF_TORCHVISION["v1"]
    assert check_target_options({"preprocessing": transform}) == {"preprocessing": transform}
    with pytest.raises(ConfigError, match="target option 'preprocessing' must be a table or a function, got 3"):
        check_target_options({"preprocessing": 3})


def test_a_function_that_is_given_bytes_is_not_given_a_transform_s_numbers() -> None:
    with pytest.raises(
        TargetError, match=r"a function is given bytes.*mean 0.485.*let it make other numbers of them itself"
    ) as caught:
        load_target(lambda pixels: pixels.mean((1, 2, 3)) / 255, preprocessing=OF_TORCHVISION["v1"])
    assert "\n" not in str(caught.value)


def test_a_function_takes_a_transform_that_makes_bytes_as_pictures_of_that_size() -> None:
    shapes: list[tuple[tuple[int, ...], bool]] = []

    def darkness(pixels: np.ndarray) -> np.ndarray:
        shapes.append((pixels.shape[1:], int(pixels.max()) > 1))
        return np.asarray(1 - pixels.mean((1, 2, 3)) / 255)

    bytes_of_20 = v2.Compose([v2.Resize((20, 20)), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=False)])
    assert load_target(darkness, preprocessing=bytes_of_20).preprocessing.hw == (20, 20)
    assert set(shapes) == {((20, 20, 3), True)}
