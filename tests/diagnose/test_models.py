"""`Models`: what is loaded, and what was chosen to draw and look."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import nn

from zoom_engine import Diagnoser
from zoom_engine.diagnose.measurements import edit_directions
from zoom_engine.diagnose.models import Models, _checked
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.generators import StyleGAN2
from zoom_engine.runtime import Synthesizer
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder

SEES = 32  # pixels of the text encoder below


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    """It sees pictures a quarter of the avatars' side."""
    torch.manual_seed(0)
    vision = open_clip.CLIPVisionCfg(image_size=SEES, layers=2, width=32, head_width=16, patch_size=8)
    text = open_clip.CLIPTextCfg(context_length=16, width=32, heads=2, layers=2)
    model = open_clip.CLIP(16, vision, text)
    model.visual.preprocess_cfg = {
        "size": SEES, "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic", "resize_mode": "shortest"
    }  # fmt: skip
    return TextEncoder(model, open_clip.get_tokenizer("ViT-B-32"), name="small")


def with_details(strength: float) -> StyleGAN2:
    """The avatars' generator with as much in the blocks beyond the encoder's side."""
    generator = copy.deepcopy(DOMAIN.generator())
    with torch.no_grad():
        for name, layer in generator.to_rgb.items():
            if int(name[1:].partition("_")[0]) > SEES:
                layer.weight *= strength
                layer.bias *= strength
    return generator


def loaded(generator: StyleGAN2, encoder: TextEncoder, cache: Path, **options: Any) -> Models:
    return Diagnoser(
        generator=generator,
        target="avatars:mustache",
        text_encoder=encoder,
        attributes=["a smiling face"],
        neutral="a face",
        labels=[],
        level=1.0,
        samples=32,
        cache=cache,
        **{"backend": "native", **options},
    ).models


def test_small_pictures_measure_directions_where_the_encoder_answers_as_of_whole_ones(
    encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[int | None] = []
    render = Synthesizer.render

    def watched(self: Synthesizer, *given: Any) -> Any:
        pictures = render(self, *given)
        assert pictures.shape[-1] == (self.side or 128)
        sides.extend([self.side] * len(pictures))
        return pictures

    monkeypatch.setattr(Synthesizer, "render", watched)
    models = loaded(with_details(0.0), encoder, tmp_path)
    edit_directions(models)
    assert sides.count(SEES) == 16 + 32, "probes, then samples"
    assert sides.count(None) == 16
    (told,) = (how for name, how in models.networks.items() if "text encoder alone" in name)
    assert told.startswith("32²: the text encoder's answers differ")
    sides.clear()
    again = loaded(with_details(0.0), encoder, tmp_path)
    edit_directions(again)
    assert not sides, "probes are kept too"


def test_whole_pictures_are_drawn_where_the_encoder_sees_what_small_ones_lack(
    encoder: TextEncoder, tmp_path: Path
) -> None:
    models = loaded(with_details(8.0), encoder, tmp_path)
    assert models.measuring_synthesizer is models.synthesizer
    (told,) = (how for name, how in models.networks.items() if "text encoder alone" in name)
    assert told.startswith("32² not used")


def test_no_small_pictures_without_smaller_ones(tmp_path: Path) -> None:
    models = loaded(with_details(1.0), DOMAIN.text_encoder(), tmp_path)  # which sees all 128 pixels
    assert models.measuring_synthesizer is models.synthesizer
    assert not [name for name in models.networks if "text encoder alone" in name]


def test_gradients_of_a_target_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follows, looked = Target._follows, list[str]()

    def counted(target: Target, images: torch.Tensor) -> bool:
        looked.append(target.name)
        return follows(target, images)

    monkeypatch.setattr(Target, "_follows", counted)
    mustache, noise = DOMAIN.target("mustache"), torch.Generator().manual_seed(0)

    class Unsteady(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = mustache.network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(x)
            return logits + torch.randn(len(x), 1, generator=noise)

    def again(network: nn.Module, name: str) -> Target:
        return Target(network, name=name, task=mustache.task, preprocessing=mustache.preprocessing)

    louder = copy.deepcopy(mustache.network)
    with torch.no_grad():
        louder.head.weight.mul_(2)
    targets = [again(mustache.network, "first"), again(mustache.network, "the same"), again(louder, "another")]
    targets += [again(Unsteady(), name) for name in ("unsteady", "unsteady again")]
    answers = [_checked(target, 128, tmp_path) for target in targets]
    assert looked == ["first", "another", "unsteady", "unsteady again"]
    assert answers[0] == answers[1] == targets[0].check(128)
    assert answers[3] is None
