"""Pictures that an editor is asked for, and a service that makes them lighter, with noise by their seeds."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from service_stand import pixels_of

from zoom_engine.edits import contract
from zoom_engine.edits.editor import Editor, Picture, Question


def edited(
    editor: Editor, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
) -> list[Picture]:
    questions = [Question(picture, attribute, strength, seed) for picture, seed in zip(pictures, seeds, strict=True)]
    return contract.edited(editor, questions)


def in_format(picture: Picture, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def lighter(picture: Picture, strength: float, seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    result: Picture = np.rint(picture + strength + noise).clip(0, 255).astype(np.uint8)
    return result


def question(body: bytes) -> tuple[Picture, float, int]:
    asked = json.loads(body)
    return pixels_of(base64.b64decode(asked["image"])), asked["strength"], asked["seed"]


def lighter_png(headers: dict[str, str], body: bytes) -> Any:
    """What a service answers, see `service_stand.Answer`."""
    return 200, in_format(lighter(*question(body)))
