"""What was measured of `zoom-engine fit` holds what it must show, and its pictures are what they say."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

RESULTS = Path(__file__).parents[2] / "bench" / "results"
NEAR = 0.1


@pytest.fixture
def fit() -> ModuleType:
    import fit  # its folder is on the path for a test at a time

    return fit


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((RESULTS / "fit.json").read_text(encoding="utf-8"))
    return stored


def test_each_generator_is_fit_for_its_own_renders_alone(figures: dict[str, Any]) -> None:
    rows = figures["verdicts"]
    assert {(row["generator"], row["pictures"]) for row in rows} == {
        (domain, kind) for domain in ("avatars", "pets") for kind in ("avatars", "pets", "camera")
    }
    for row in rows:
        assert row["verdict"] == ("fit" if row["generator"] == row["pictures"] else "not fit")
        assert max(row["relative"][0], row["relative_by_outlines"][0]) <= 1.1


def test_a_pilot_foretells_the_power_of_calls_on_average_over_attributes(figures: dict[str, Any]) -> None:
    of_calls = json.loads((RESULTS / "calls.json").read_text(encoding="utf-8"))
    assert figures["power"]["images"] == of_calls["images"]
    for size, row in figures["power"]["by_size"].items():
        assert row["calls"] == of_calls["power"][size]["predicted"]
        assert abs(row["attributes"] - row["calls"]) <= NEAR


def test_pictures_are_made_once_and_are_of_their_kind(fit: ModuleType, tmp_path: Path) -> None:
    for kind in fit.KINDS:
        folder = fit.pictures(kind, 4, 7, tmp_path / kind)
        files = sorted(folder.iterdir())
        assert len(files) == 4
        made = [path.stat().st_mtime_ns for path in files]
        assert [path.stat().st_mtime_ns for path in sorted(fit.pictures(kind, 4, 7, folder).iterdir())] == made
    squares = fit.camera(6, 0)
    assert all(picture.width == picture.height >= 128 for picture in squares)
    assert len({np.asarray(picture.resize((8, 8))).tobytes() for picture in squares}) == 6
