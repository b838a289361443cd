"""Renders of the avatars as files, for attributes by examples."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.parameters import Parameters


def saved(folder: Path, parameters: Parameters) -> Path:
    """The folder, with a render for each row."""
    folder.mkdir()
    for number, picture in enumerate(DOMAIN.subject.render(parameters)):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def examples_of_glasses(folder: Path) -> str:
    """Twelve renders with and twelve without eyeglasses, as the source of an attribute."""
    parameters = DOMAIN.subject.parameters(200, 77)
    glasses = DOMAIN.subject.truth.labels(parameters)["eyeglasses"]
    with_them = saved(folder / "with", parameters[glasses][:12])
    return f"examples:{with_them},without:{saved(folder / 'without', parameters[~glasses][:12])}"
