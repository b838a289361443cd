"""Models of one's own, so small that an experiment takes seconds: skies over ground, and who reads and judges them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.directions.regression import Regression
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.experiments.optimizer import VARIANTS
from zoom_engine.experiments.style import STYLE
from zoom_engine.statistics import power
from zoom_engine.targets import BinaryTask, MultiLabelTask, Preprocessing, Target
from zoom_engine.text import TextEncoder

SIDE, DIM = 24, 16
PAPER = ("sgd", "pgd")
SEEN = {"red sky": 0, "green sky": 1, "blue sky": 2, "red ground": 3}
ATTRIBUTES = ["a red sky", "a green sky", "a red ground"]
LABELS = ("a dull sky", "a blue sky")


class Skies(nn.Module):
    """Codes ``[B, 6]``: the sky's colour, then the ground's."""

    code_size = 6

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((6,), 0.6))

    def forward(self, codes: Tensor) -> Tensor:
        colors = (codes * self.scale).tanh()[..., None, None].expand(-1, -1, SIDE // 2, SIDE)
        return torch.cat([colors[:, :3], colors[:, 3:]], dim=2)


def colors(images: Tensor) -> Tensor:
    """The mean colours ``[B, 6]`` of sky and ground."""
    half = images.shape[2] // 2
    return torch.cat([images[:, :, :half].mean((2, 3)), images[:, :, half:].mean((2, 3))], dim=1)


class Reader(TextEncoder):
    """Reads mean colours; a text that names one of `SEEN` lies in its direction, phrasings differ a little."""

    content_hash = "a reader of skies"

    def __init__(self) -> None:
        nn.Module.__init__(self)
        basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(3))).Q
        self.register_buffer("middle", basis[:, 0])
        self.register_buffer("columns", basis[:, 1:7])
        self.model = nn.Identity()
        self.tokenizer, self.image_size, self.image_tower = None, SIDE, nn.Identity()
        self.preprocessing = Preprocessing(size=SIDE)
        self.name, self.dim, self.logit_scale, self.precision, self.words = "reader", DIM, 30.0, "fp32", None

    def embed_images(self, images: Tensor) -> Tensor:
        return F.normalize(3 * self.middle + colors(images.float()) @ self.columns.T, dim=1)

    def embed_texts(self, prompts: Sequence[str], *, templates: Sequence[str] = ("{}",)) -> Tensor:
        rows = [torch.stack([self.sentence(t.format(p)) for t in templates]).mean(dim=0) for p in prompts]
        return F.normalize(torch.stack(rows), dim=1)

    def sentence(self, text: str) -> Tensor:
        noise = torch.randn(DIM, generator=torch.Generator().manual_seed(zlib.crc32(text.encode()))).to(self.middle)
        meant = [self.columns[:, place] for words, place in SEEN.items() if words in text]
        meant += [-self.columns[:, SEEN["blue sky"]]] if "dull" in text else []
        return F.normalize(self.middle + 0.3 * sum(meant, torch.zeros_like(self.middle)) + 0.01 * noise, dim=0)


class Judge(nn.Module):
    """Logits of a blue sky, more or less moved by its red."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.read = nn.Linear(6, len(weights))
        with torch.no_grad():
            self.read.weight.zero_()
            self.read.bias.fill_(0.1)
            self.read.weight[:, 2] = 6.0
            self.read.weight[:, 0] = torch.tensor(weights)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.read(colors(x))
        return logits


@pytest.fixture
def models() -> dict[str, Any]:
    return own_models()


def own_models() -> dict[str, Any]:
    """Models of one's own, as `run_experiment` takes them: a biased target, and one of another task."""
    scale = Preprocessing(size=SIDE, value_range=(-1.0, 1.0))
    binary = Target(Judge(5.0), name="blue", task=BinaryTask(classes=LABELS), preprocessing=scale, labels=LABELS)
    several = Target(Judge(5.0, 0.0), name="two", task=MultiLabelTask(classes=("a", "b")), preprocessing=scale)
    return {
        "generator": Skies(),
        "text_encoder": Reader(),
        "attributes": ATTRIBUTES,
        "neutral": "a sky",
        "targets": [binary, several],
        "level": 1,
        "backend": "torch",
        "images": 6,
    }


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Searches of the paper's hundred steps would take minutes; directions as in all tests, figures for no printer."""
    patch.setattr(Regression, "samples", SAMPLES)
    short = {name: (search, {**options, "steps": 4}) for name, (search, options) in VARIANTS.items() if name in PAPER}
    patch.setattr("zoom_engine.experiments.optimizer.VARIANTS", {**VARIANTS, **short})
    patch.setattr("zoom_engine.experiments.optimizer.STEP_SIZES", (0.1, 1.0))
    patch.setattr("zoom_engine.experiments.training.STEPS", 4)
    patch.setitem(STYLE, "savefig.dpi", 60)
    patch.setattr(power, "AUDITS", 40)  # as in all tests, these two, and so in processes of their own
    patch.setattr(os, "fsync", lambda descriptor: None)
