"""Preprocessing against Pillow and by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import Preprocessing

IMAGES = torch.rand(2, 3, 40, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("resize", "filter"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
@pytest.mark.parametrize("size", [(16, 16), (23, 12), (64, 80)])
def test_resize_is_pillows(resize: Any, filter: Image.Resampling, size: tuple[int, int]) -> None:
    results = Preprocessing(size=size, resize=resize)(IMAGES)
    assert results.shape == (2, 3, *size)
    for image, row in zip(IMAGES, results, strict=True):
        for plane, got in zip((image + 1) / 2, row, strict=True):
            expected = Image.fromarray(plane.numpy()).resize(size[::-1], filter)
            np.testing.assert_allclose(got.numpy(), np.asarray(expected).clip(0, 1), atol=2e-3)


def test_range_mean_std_order_and_layout() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = (IMAGES + 1) / 2
    imagenet = Preprocessing(mean=mean, std=std)(IMAGES)
    for channel in range(3):
        torch.testing.assert_close(imagenet[:, channel], (x[:, channel] - mean[channel]) / std[channel])
    torch.testing.assert_close(Preprocessing(value_range=(0, 255))(IMAGES), x * 255)
    torch.testing.assert_close(Preprocessing(value_range=(-1, 1))(IMAGES), IMAGES)
    caffe = Preprocessing(value_range=(0, 255), mean=(123.0, 117.0, 104.0), channel_order="BGR", layout="NHWC")(IMAGES)
    assert caffe.shape == (2, 40, 32, 3)
    torch.testing.assert_close(caffe[..., 0], x[:, 2] * 255 - 104)


def test_it_is_differentiable_throughout() -> None:
    images = IMAGES.clone().requires_grad_(True)
    Preprocessing(size=10, resize="bicubic", channel_order="BGR", layout="NHWC")(images).sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).any(dim=(0, 2, 3)).all()


def test_it_survives_json() -> None:
    for given in (
        Preprocessing(),
        Preprocessing(size=(3, 4), mean=(1.0,), std=(2.0,), resize="area", value_range=(0, 255)),
    ):
        assert Preprocessing.from_dict(json.loads(json.dumps(given.to_dict()))) == given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "lanczos"}, "choose one of bilinear"),
        ({"channel_order": "GBR"}, "choose one of RGB"),
        ({"layout": "CHWN"}, "choose one of NCHW"),
        ({"mean": (1.0, 2.0)}, "mean needs one number or three"),
        ({"std": (0.0, 1.0, 1.0)}, "greater than 0"),
        ({"value_range": (1, 1)}, "black < white"),
        ({"size": 0}, "size in pixels"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        Preprocessing(**options)


def test_an_unknown_option_in_a_file_is_named() -> None:
    with pytest.raises(TargetError, match="'crop'"):
        Preprocessing.from_dict({"crop": 0.9})


@pytest.mark.parametrize("options", [{}, {"layout": "NHWC", "channel_order": "BGR", "value_range": (0.0, 255.0)}])
def test_the_shorter_side_the_centre_and_back_to_a_picture(options: dict[str, Any]) -> None:
    how = Preprocessing(size=(10, 12), resize_size=16, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), **options)
    x = how(IMAGES)
    assert x.shape == ((2, 10, 12, 3) if options else (2, 3, 10, 12))
    plain = Preprocessing(size=(20, 16))(IMAGES)[..., 5:15, 2:14] * 2 - 1
    torch.testing.assert_close(how.picture(x), plain, atol=1e-4, rtol=1e-4)


def test_options_change_fields_and_a_new_size_drops_the_old_crop() -> None:
    given = Preprocessing(size=8, resize_size=10, mean=(0.5,), std=(0.5,))
    assert given.updated({"mean": [0.1, 0.2, 0.3]}).resize_size == 10
    assert given.updated({"size": 6}) == Preprocessing(size=6, mean=(0.5,), std=(0.5,))
    assert given.updated(None) == given
    assert given.updated(Preprocessing()) == Preprocessing()
    for options, message in (
        ({"colour": 1}, "unknown option 'colour'"),
        ({"mean": 0.5}, "wrong type"),
        ({"size": None, "resize_size": 8}, "needs size"),
    ):
        with pytest.raises(TargetError, match=message):
            given.updated(options)
    with pytest.raises(TargetError, match="too small for a crop"):
        Preprocessing(size=30, resize_size=20)(IMAGES)
