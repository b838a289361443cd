"""What was measured of `zoom-engine fit` holds what it must show, and its pictures are what they say."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
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


def test_pictures_that_were_interrupted_are_made_again(
    fit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = [SimpleNamespace(save=lambda path: path.touch())] * 2, SimpleNamespace(save=Path.read_bytes)
    monkeypatch.setattr(fit, "renders", lambda *_: [whole[0], broken])
    with pytest.raises(FileNotFoundError):
        fit.pictures("pets", 2, 1, tmp_path / "pets")
    monkeypatch.setattr(fit, "renders", lambda *_: whole)
    assert len([*fit.pictures("pets", 2, 1, tmp_path / "pets").iterdir()]) == 2


def test_each_generator_is_fit_for_its_own_renders_alone(figures: dict[str, Any]) -> None:
    rows = figures["verdicts"]
    assert {(row["generator"], row["pictures"]) for row in rows} == {
        (domain, kind) for domain in ("avatars", "pets") for kind in ("avatars", "pets", "camera")
    }
    for row in rows:
        assert row["verdict"] == ("fit" if row["generator"] == row["pictures"] else "not fit")
        assert max(row["relative"][0], row["relative_by_outlines"][0]) <= 1.1


def test_a_pilot_foretells_power_with_a_range_that_holds_on_audits_that_were_held_out(figures: dict[str, Any]) -> None:
    told = figures["power"]
    assert (told["pilot"], told["images"], told["near"]) == (8, 48, NEAR)
    held_out = [row for row in told["targets"] if row["held_out"]]
    assert len({row["task"] for row in held_out}) >= 4
    assert not {row["seed"] for row in held_out} & {row["seed"] for row in told["targets"] if not row["held_out"]}
    for size in ("0.1", "0.2"):
        assert told["figures"]["held out, with a curve"][size]["inside"] >= 0.9
        for row in told["targets"]:
            of_size = row["by_size"][size]
            assert 0 <= of_size["width"] <= 1


def test_the_page_tells_what_was_measured(figures: dict[str, Any]) -> None:
    page = (RESULTS.parents[1] / "docs" / "how-to" / "fit.md").read_text(encoding="utf-8")
    for group in figures["power"]["figures"].values():
        for size in ("0.1", "0.2"):
            near, inside, width = (group[size][name] for name in ("near", "inside", "width"))
            assert f"| {size} | {near:.0%} | {inside:.0%} | {width:.2f} |".replace("%", " %") in page


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
