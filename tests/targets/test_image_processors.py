"""Image processors of transformers as they save themselves: ours feeds a network the same numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import Preprocessing
from zoom_engine.targets.describe import describe_target_file
from zoom_engine.targets.loaders.hugging_face import load_hugging_face
from zoom_engine.targets.loaders.image_processors import hugging_face_preprocessing
from zoom_engine.targets.loaders.loaded_model import Reading
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.loaders.transforms import processor_preprocessing
from zoom_engine.targets.loading import load_target

SIDES = ((90, 90), (80, 120), (130, 70))
VIT = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
SHIFTED = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "image_size": 32, "patch_size": 4}
STAGES = {"hidden_sizes": [8] * 4, "depths": [1] * 4}
PYRAMID = {"image_size": 64, "num_attention_heads": [1] * 4, **STAGES}


def square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def shorter(side: int, crop: int | None = None) -> dict[str, Any]:
    return {"size": {"shortest_edge": side}, **({} if crop is None else {"crop_size": square(crop)})}


MODELS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "ViT": (VIT, "ViT", {"size": square(32)}),
    "DeiT": (VIT, "DeiT", {"size": square(36), "crop_size": square(32)}),
    "Beit": (VIT, "Beit", {"size": square(32)}),
    "Swin": (SHIFTED, "ViT", {"size": square(32)}),
    "ConvNext": (STAGES, "ConvNext", shorter(56)),
    "ConvNextV2": (STAGES, "ConvNext", {**shorter(64), "crop_pct": 0.95}),
    "ResNet": ({"embedding_size": 8, **STAGES}, "ConvNext", shorter(384)),
    "RegNet": ({"embedding_size": 8, "groups_width": 8, **STAGES}, "ConvNext", {**shorter(63), "crop_pct": 0.9}),
    "EfficientNet": (
        {"image_size": 32, "width_coefficient": 0.25, "depth_coefficient": 0.1, "hidden_dim": 320},
        "EfficientNet",
        {"size": square(32), "resample": 0, "image_std": [0.2, 0.3, 0.4]},
    ),
    "MobileNetV1": ({"depth_multiplier": 0.25}, "MobileNetV1", shorter(36, 32)),
    "MobileNetV2": ({"depth_multiplier": 0.25}, "MobileNetV2", shorter(36, 32)),
    "MobileViT": (
        {"hidden_sizes": [8] * 3, "neck_hidden_sizes": [8] * 7, "image_size": 64, "num_attention_heads": 2},
        "MobileViT",
        shorter(72, 64),
    ),
    "Levit": (
        {
            "image_size": 64,
            "hidden_sizes": [16] * 3,
            "num_attention_heads": [1] * 3,
            "depths": [1] * 3,
            "key_dim": [8] * 3,
        },
        "Levit",
        shorter(64, 64),
    ),
    "PoolFormer": (STAGES, "PoolFormer", {**shorter(64, 64), "crop_pct": 0.95}),
    "Pvt": (PYRAMID, "Pvt", {"size": square(64)}),
    "Bit": ({"embedding_size": 8, "num_groups": 2, **STAGES}, "Bit", shorter(64, 64)),
    "CLIP": ({"vision_config": VIT}, "CLIP", shorter(32, 32)),
    "Siglip": ({"vision_config": VIT}, "Siglip", {"size": square(32)}),
    "Dinov2": (VIT, "Bit", shorter(36, 32)),
    "Segformer": (
        {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8},
        "Segformer",
        {"size": square(64)},
    ),
}
"""Of a classifier its config, its image processor, and what that is told."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "ConvNext of 224": ("ConvNext", shorter(224)),
    "EfficientNet with an offset": ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
    "EfficientNet without include_top": ("EfficientNet", {"include_top": False}),
    "ViT of two sides": ("ViT", {"size": {"height": 30, "width": 50}}),
    "ViT that does not normalise": ("ViT", {"do_normalize": False}),
    "Beit with a crop": ("Beit", {"do_center_crop": True, "size": square(51), "crop_size": square(32)}),
    "MobileViT in RGB": ("MobileViT", {**shorter(288), "do_flip_channel_order": False}),
    "PPLCNet": ("PPLCNet", {}),
    **{name: (processor, told) for name, (_, processor, told) in MODELS.items()},
}


def processors(name: str, told: dict[str, Any]) -> list[Any]:
    """The fast and the slow image processor."""
    results = [getattr(transformers, f"{name}ImageProcessor{kind}", None) for kind in ("", "Pil", "Fast")]
    return [kind(**told) for kind in dict.fromkeys(results) if kind is not None]


def saved(processor: Any, folder: Path) -> dict[str, Any]:
    processor.save_pretrained(folder)
    values: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text())
    return values


def picture(height: int, width: int) -> Tensor:
    """uint8 `[3, H, W]` of blots, all of them brighter in red: channels in another order show."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 5, width // 5, generator=random) * torch.tensor([1.0, 0.7, 0.4]).view(3, 1, 1)
    return (F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)[0] * 255).round().byte()


def theirs(processor: Any, image: Tensor) -> Tensor:
    fed: Tensor = processor(Image.fromarray(image.permute(1, 2, 0).numpy()), return_tensors="pt")["pixel_values"]
    return fed


def ours(how: Preprocessing, image: Tensor) -> Tensor:
    return how(image[None].float() / 127.5 - 1)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_network_is_fed_what_its_image_processor_feeds_it(name: str, tmp_path: Path) -> None:
    family, told = VARIANTS[name]
    for processor in processors(family, told):
        how = hugging_face_preprocessing(saved(processor, tmp_path), tmp_path / "preprocessor_config.json")
        for height, width in SIDES:
            image = picture(height, width)
            expected, result = theirs(processor, image), ours(how, image)
            assert result.shape == expected.shape
            grey = (how.value_range[1] - how.value_range[0]) / 255 / torch.tensor(how.std).view(-1, 1, 1)
            levels = ((result - expected) / grey).abs()  # theirs are whole numbers of 0 to 255 after the resize
            if how.resize == "nearest":  # Pillow's own now and then takes the other of two that are as near
                assert levels.median() < 1e-3
            else:
                assert levels.mean() < 0.4
                assert levels.max() < 4


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_file_leaves_out_is_what_its_image_processor_does_then(name: str, tmp_path: Path) -> None:
    family, _ = VARIANTS[name]
    values = saved(processors(family, {"size": square(64), "crop_size": square(32)})[0], tmp_path)
    for key in ("image_mean", "image_std", "resample", "do_center_crop", "do_rescale", "do_normalize"):
        left = {other: value for other, value in values.items() if other != key}
        whole, part = (hugging_face_preprocessing(given, "p.json").to_dict() for given in (values, left))
        for numbers in (whole, part):
            numbers.update({of: numbers[of] * (1 if len(numbers[of]) == 3 else 3) for of in ("mean", "std")})
        assert part == whole, key


def folder_of(name: str, folder: Path) -> tuple[Any, Any]:
    """A tiny classifier saved there, with its image processor: both."""
    config, family, told = MODELS[name]
    torch.manual_seed(0)
    kind = getattr(transformers, f"{name}ForImageClassification")
    model = kind(getattr(transformers, f"{name}Config")(**config, num_labels=3)).eval()
    model.save_pretrained(folder)
    processor = processors(family, told)[0]
    processor.save_pretrained(folder)
    return model, processor


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_as_it_is_saved_today_answers_as_transformers_does(name: str, tmp_path: Path) -> None:
    model, processor = folder_of(name, tmp_path)
    loaded = load_hugging_face(tmp_path, Reading())
    assert not loaded.assumed
    image = picture(90, 100)
    with torch.no_grad():
        expected = model(theirs(processor, image)).logits
        result = loaded.network(ours(loaded.preprocessing, image))
        far = model(theirs(processor, 255 - image)).logits
    assert float((result - expected).abs().max()) < 0.05 * float((far - expected).abs().max()) + 1e-5


def test_convnext_is_audited_and_the_users_own_size_comes_first(tmp_path: Path) -> None:
    folder_of("ConvNext", tmp_path)
    how = load_target(tmp_path).preprocessing
    assert (how.hw, how.resize_size, how.resize) == ((56, 56), 64, "bicubic")
    for options in ({"size": 40}, {"size": 40, "resize_size": 48, "resize": "bilinear"}):
        how = load_target(tmp_path, preprocessing=options).preprocessing
        assert how.hw == (40, 40)
        assert how.resize_size == options.get("resize_size")
        assert how.mean == (0.5, 0.5, 0.5)
    whole = Preprocessing(size=40, value_range=(-1, 1))
    assert load_target(tmp_path, preprocessing=whole).preprocessing == whole


def test_a_timm_model_of_transformers_is_fed_as_timm_says(tmp_path: Path) -> None:
    timm_config = {
        "input_size": [3, 64, 64],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
        "mean": [0.4] * 3,
        "std": [0.2] * 3,
    }
    config = transformers.TimmWrapperConfig(
        architecture="resnet10t",
        num_labels=3,
        pretrained_cfg=timm_config,
        model_args={"stem_width": 8, "channels": [8] * 4},
    )
    transformers.TimmWrapperForImageClassification(config).save_pretrained(tmp_path)
    loaded = load_hugging_face(tmp_path, Reading())
    image = picture(90, 90)
    expected = theirs(transformers.TimmWrapperImageProcessor(pretrained_cfg=timm_config), image)
    assert (ours(loaded.preprocessing, image) - expected).abs().mean() < 0.4 / 255 / 0.2


def test_a_timm_model_as_timm_saves_it_is_fed_and_named_as_it_says(tmp_path: Path) -> None:
    timm.models.save_for_hf(timm.create_model("test_resnet", num_classes=3), str(tmp_path), safe_serialization=True)
    saved = json.loads((tmp_path / "config.json").read_text())
    published = {**saved, "label_names": ["cat", "dog", "owl"]}
    del published["model_args"]  # published models have none
    (tmp_path / "config.json").write_text(json.dumps(published))
    target = load_target(tmp_path, kind="logits")
    assert (target.preprocessing, target.assumed) == (timm_preprocessing(saved["pretrained_cfg"]), False)
    assert target.classes == ("cat", "dog", "owl")
    assert "classes: cat, dog, owl" in describe_target_file(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**published, "model_args": {"checkpoint_path": "evil.pth"}}))
    with pytest.raises(TargetError, match="model_args"):
        load_target(tmp_path)


def test_the_processor_of_a_timm_model_is_read_and_its_filter_is_timm_s_own_where_none_is_said() -> None:
    timm_config = {"input_size": [3, 64, 64], "crop_pct": 1.0, "mean": [0.4] * 3, "std": [0.2] * 3}
    processor = transformers.TimmWrapperImageProcessor(pretrained_cfg=timm_config)
    how = processor_preprocessing(processor)
    assert (how.mean, how.resize, how.hw) == ((0.4,) * 3, "bicubic", (64, 64))
    assert how == timm_preprocessing(timm_config)
    assert processor_preprocessing(processor, {"size": 32}).mean == how.mean


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"size": 30}, (30, 30)),
        ({"size": 36, "do_center_crop": True, "crop_size": 30}, (30, 30)),
        ({"size": 30, "feature_extractor_type": "ViTFeatureExtractor"}, (30, 30)),
        ({"size": 56, "feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875}, (56, 56)),
        ({"do_resize": False}, None),
    ],
)
def test_files_of_old_versions_are_read(values: dict[str, Any], size: tuple[int, int] | None) -> None:
    assert hugging_face_preprocessing(values, Path("p.json")).hw == size


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "the longer side": ({"size": {"longest_edge": 30}}, "resizes in a way"),
    "a filter": ({"size": {"height": 30, "width": 30}, "resample": 1}, "by a filter"),
    "the shorter side alone": ({"size": {"shortest_edge": 30}}, "without a crop"),
    "a step": ({"size": {"height": 30, "width": 30}, "do_pad": True}, "do_pad"),
    "sides that are multiples": ({"size": {"shortest_edge": 30}, "size_divisor": 32}, "size_divisor"),
    "a crop beyond the picture": (
        {"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
        "more than it resizes to",
    ),
    "a crop without a resize": ({"do_resize": False, "do_center_crop": True, "crop_size": 32}, "without a resize"),
    "no size": ({"do_resize": True}, "says no size"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_refused_with_an_option_that_works(name: str) -> None:
    values, message = UNKNOWN[name]
    path = Path("preprocessor_config.json")
    with pytest.raises(TargetError, match=message) as caught:
        hugging_face_preprocessing(values, path)
    assert "\n" not in str(caught.value)
    options = {"size": 32, "resize": "area"} if "--input-resize" in str(caught.value) else {"size": 32}
    assert "--input-" in str(caught.value)
    assert hugging_face_preprocessing(values, path, options).hw == (32, 32)


@pytest.mark.parametrize("family", ["Siglip2", "ImageGPT"])
def test_what_feeds_no_picture_is_refused(family: str, tmp_path: Path) -> None:
    for processor in processors(family, {}):
        with pytest.raises(TargetError, match="other things than pictures"):
            hugging_face_preprocessing(saved(processor, tmp_path), tmp_path / "p.json", {"size": 32})


TEXTS: dict[str, Callable[[], dict[str, Any]]] = {
    "size": lambda: {"size": "224"},
    "sides": lambda: {"size": {"height": "224", "width": 224}},
    "many sides": lambda: {"size": [224, 224, 3]},
    "crop": lambda: {"size": 224, "do_center_crop": True, "crop_size": "all"},
    "share": lambda: {**shorter(224), "crop_pct": "most"},
    "a share of nothing": lambda: {**shorter(224), "crop_pct": 0},
    "mean": lambda: {"size": 224, "image_mean": "grey"},
    "a mean of texts": lambda: {"size": 224, "image_mean": ["0.5"] * 3},
    "two means": lambda: {"size": 224, "image_mean": [0.5, 0.5]},
    "std": lambda: {"size": 224, "image_std": [0.5, None, 0.5]},
    "a std of 0": lambda: {"size": 224, "image_std": [0, 0, 0]},
    "factor": lambda: {"size": 224, "rescale_factor": "1/255"},
    "a factor of 0": lambda: {"size": 224, "rescale_factor": 0},
    "a step": lambda: {"size": 224, "do_normalize": "yes"},
    "filter": lambda: {"size": 224, "resample": "bicubic"},
    "name": lambda: {"size": 224, "image_processor_type": 5},
    "a size of 10^9": lambda: {"size": 10**9},
    "a resize to 10^9": lambda: {"size": {"shortest_edge": 10**9}, "do_center_crop": True, "crop_size": 32},
}


@pytest.mark.parametrize("name", TEXTS)
def test_values_of_another_type_are_one_line(name: str) -> None:
    with pytest.raises(TargetError, match=r"^preprocessor_config\.json: ") as caught:
        hugging_face_preprocessing(TEXTS[name](), Path("preprocessor_config.json"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_scale_and_offset() -> None:
    values = {"size": {"height": 8, "width": 8}, "rescale_factor": 1 / 127.5, "rescale_offset": True}
    how = hugging_face_preprocessing({**values, "do_normalize": False}, Path("p.json"))
    torch.testing.assert_close(how(torch.full((1, 3, 8, 8), -1.0)), torch.full((1, 3, 8, 8), -1.0))
    torch.testing.assert_close(how(torch.full((1, 3, 8, 8), 1.0)), torch.full((1, 3, 8, 8), 1.0))


def test_the_crop_of_transformers_is_kept_where_it_is_written_down() -> None:
    how = hugging_face_preprocessing({**shorter(64), "crop_pct": 0.95}, Path("p.json"))
    assert Preprocessing.from_dict(json.loads(json.dumps(how.to_dict()))) == how
    assert not torch.equal(
        how(torch.rand(1, 3, 90, 90)), dataclasses.replace(how, floor_crop=False)(torch.rand(1, 3, 90, 90))
    )
