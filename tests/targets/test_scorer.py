"""Models as scorers: which number counts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from service_stand import json_picture, redness, stand
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import (
    BinaryTask,
    EmbeddingTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    Target,
    load_target,
    save_onnx,
)
from zoom_engine.targets.scorer import PictureScorer, load_scorer


class Colours(nn.Module):
    """The mean red, green and blue of pictures in [0, 1], `count` of them."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.count = count
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.mean(dim=(2, 3))[:, : self.count]


def pictures() -> Tensor:
    return torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_the_score_is_a_number_or_the_log_odds_of_a_class_or_label() -> None:
    shown = pictures()
    raw = Colours()((shown + 1) / 2)
    number = PictureScorer(Target(Colours(1), name="n", task=RegressionTask(range=(0, 4))))
    torch.testing.assert_close(number(shown), raw[:, :1])
    binary = Target(Colours(1), name="b", task=BinaryTask(classes=("pale", "red")))
    torch.testing.assert_close(
        PictureScorer(binary, ["red", "pale"])(shown), torch.cat([raw[:, :1], -raw[:, :1]], dim=1)
    )
    classes = Target(Colours(), name="c", task=MultiClassTask(classes=("r", "g", "b")))
    odds = PictureScorer(classes, ["g", "0"])(shown)
    probabilities = raw.softmax(dim=1)
    torch.testing.assert_close(odds, torch.logit(probabilities[:, [1, 0]]), atol=1e-4, rtol=1e-4)
    labels = Target(Colours(), name="l", task=MultiLabelTask(classes=("r", "g", "b")))
    torch.testing.assert_close(PictureScorer(labels, ["b"])(shown), raw[:, 2:])


def test_what_gives_no_one_number_is_refused_in_a_line_that_says_what_to_choose() -> None:
    labels = Target(Colours(), name="l", task=MultiLabelTask(classes=("r", "g", "b")))
    for outputs, told in (
        (None, "say which is the score.*r, g and b"),
        ("x", "no output 'x'.*r, g and b"),
        ("3", "'3'"),
    ):
        with pytest.raises(TargetError, match=told) as refusal:
            PictureScorer(labels, [outputs])
        assert "\n" not in str(refusal.value)
    with pytest.raises(TargetError, match="gives no score"):
        PictureScorer(Target(Colours(), name="e", task=EmbeddingTask()))
    several = Target(Colours(), name="s", task=RegressionTask(range=(0, 4)))
    with pytest.raises(TargetError, match=r"of a scorer in Python load_target.*'head': NUMBER"):
        PictureScorer(several)(pictures())
    with pytest.raises(TargetError, match=r"no output '1'.*none, its task chooses"):
        PictureScorer(several, ["1"])
    blue = load_target(Colours(), task={"task": "regression", "range": (0, 4), "head": 2})
    assert PictureScorer(blue)(pictures()).shape == (5, 1)
    with pytest.raises(TargetError, match="trust"):
        load_scorer("python:somewhere.py:score")


@pytest.mark.parametrize("scale", [1.0, 250.0])
def test_the_one_number_of_a_function_or_a_service_is_the_score_as_it_is(
    scale: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOM_ENGINE_CACHE", str(tmp_path))
    shown = pictures()
    red = (scale * (shown + 1).mul(127.5).round()[:, :1].mean(dim=(2, 3)) / 255).float()
    function = load_scorer(lambda pixels: scale * pixels[..., 0].mean(axis=(1, 2)) / 255)
    torch.testing.assert_close(function(shown), red, atol=1e-4, rtol=1e-4)
    with stand(lambda _, body: [scale * redness(json_picture(body))]) as service:
        asked = load_scorer(service.url)
        torch.testing.assert_close(asked(shown), red, atol=1e-4, rtol=1e-4)
        count = service.received["answered"]
        torch.testing.assert_close(asked(shown), red, atol=1e-4, rtol=1e-4)
        assert service.received["answered"] == count, "answers are kept"
    assert not asked.differentiable


def test_its_identity_is_the_weights_and_the_output() -> None:
    def scorer(output: str, scale: float = 4.0) -> PictureScorer:
        network = Colours()
        with torch.no_grad():
            network.scale.fill_(scale)
        return PictureScorer(Target(network, name="l", task=MultiLabelTask(classes=("r", "g", "b"))), [output])

    assert scorer("r").hash_of(0) == scorer("0").hash_of(0)
    assert scorer("r").hash_of(0) != scorer("g").hash_of(0)
    assert scorer("r").hash_of(0) != scorer("r", 4.5).hash_of(0)


def test_a_file_that_says_itself_what_it_is_scores_pictures(tmp_path: Path) -> None:
    task = RegressionTask(range=(0, 4), unit="units")
    save_onnx(Target(Colours(1), name="n", task=task), tmp_path / "red.onnx", resolution=32)
    scorer = load_scorer(str(tmp_path / "red.onnx"))
    torch.testing.assert_close(scorer(pictures()), Colours(1)((pictures() + 1) / 2), atol=1e-4, rtol=1e-4)
    assert scorer.check(32) is not None
