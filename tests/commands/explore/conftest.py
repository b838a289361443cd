"""Small models to explore: pictures of 32 pixels, three attributes, and targets of several tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
from explored import ATTRIBUTES, corners, light
from networks import spread_generator

from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.sources import Explored
from zoom_engine.diagnose.measurements import edit_directions
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.directions import CalibratedRange, natural_region
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    torch.manual_seed(0)
    vision = open_clip.CLIPVisionCfg(image_size=32, layers=1, width=32, head_width=16, patch_size=8)
    text = open_clip.CLIPTextCfg(context_length=16, width=32, heads=2, layers=1)
    model = open_clip.CLIP(16, vision, text)
    model.visual.preprocess_cfg = {
        "size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic", "resize_mode": "shortest"
    }  # fmt: skip
    return TextEncoder(model, open_clip.get_tokenizer("ViT-B-32"), name="small")


@pytest.fixture(scope="session")
def models_of(encoder: TextEncoder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Models]:
    cache = tmp_path_factory.mktemp("cache")
    stylegan = spread_generator()

    def load(target: Target, like: Models | None = None, generator: Any = None) -> Models:
        settings = AuditSettings(
            generator=generator or stylegan,
            target=target,
            attributes=ATTRIBUTES,
            neutral="a face",
            text_encoder=encoder,
            level=1.0,
            samples=32,
            random_directions=0,
            backend="torch",
            precision="fp32",
            cache=cache,
        )
        return load_models(settings, like=like)

    return load


@pytest.fixture(scope="session")
def explored_of(models_of: Callable[..., Models]) -> Callable[..., Explored]:
    def explore(*targets: Target, generator: Any = None) -> Explored:
        loaded: list[Models] = []
        for target in targets:
            loaded.append(models_of(target, loaded[0] if loaded else None, generator))
        directions = edit_directions(loaded[0])
        region = natural_region(loaded[0].generator, directions, cache=loaded[0].cache)
        ones = torch.ones(len(ATTRIBUTES))
        calibrated = CalibratedRange(
            bounds=torch.stack([-8 * ones, 10 * ones], dim=1),
            splits=0 * ones,
            goals=torch.stack([-0.1 * ones, 0.1 * ones], dim=1),
            reached=torch.ones(len(ATTRIBUTES), 2, dtype=torch.bool),
            bound=30.0,
        )
        return Explored(
            name="small",
            models=tuple(loaded),
            directions=directions,
            calibrated=calibrated,
            region=region,
            seeds=tuple(range(4)),
            photographs=(("me.png", loaded[0].styles([77])[:1]),),
        )

    return explore


@pytest.fixture(scope="session")
def explorer(explored_of: Callable[..., Explored]) -> Explorer:
    return Explorer(explored_of(light(), corners()))
