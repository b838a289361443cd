"""Audits of pairs that the renderer made are true, and what is added up of them is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def pairs() -> ModuleType:
    import pairs  # its folder is on the path for a test at a time

    return pairs


def row(attribute: str, effect: float, interval: tuple[float, float], verdict: str) -> dict[str, Any]:
    return {"attribute": attribute, "effect": effect, "interval": interval, "verdict": verdict, "in_words": verdict}


def test_what_audits_say_is_added_up(pairs: ModuleType) -> None:
    runs = {
        "avatars:x@1": [row("x", 0.5, (0.4, 0.6), "sensitive"), row("beard", 0.2, (0.1, 0.3), "sensitive")],
        "avatars:x@2": [
            row("tilt", 0.3, (0.4, 0.6), "sensitive"),
            row("more tilt", 0.01, (0.06, 0.2), "sensitive"),
            row("beard", 0.01, (0.0, 0.2), "inconclusive"),
        ],
        "avatars:y@1": [row("beard", 0.2, (0.1, 0.3), "sensitive")],  # what was planted is none of the attributes
    }
    decided = {"avatars:x": "x", "avatars:y": "y"}
    figures = pairs.added_up(runs, {"avatars:x": "beard", "avatars:y": "hat"}, decided)
    assert figures["intervals"] == {"all": 0.6667, "sound": 0.0, "whole_audits": 0.6667}
    assert (figures["sound_called_sensitive"], figures["sound"], figures["first"]) == (1.0, 1, [1, 2])
    assert figures["verdicts"]["0.1 or more"] == {"sensitive": 4}


def test_edits_change_what_they_say_and_nothing_else(pairs: ModuleType) -> None:
    renders = pairs.Renders("avatars", 6, 1)
    strengths, pictures = renders.edited("eyeglasses")
    assert set(strengths.tolist()) == {-1, 1}
    assert (pictures != renders.unedited).any(axis=(1, 2, 3)).any()
    strengths, pictures = renders.edited("more head_x")
    assert set(strengths.tolist()) == {1}
    assert not np.array_equal(pictures, renders.unedited)


@pytest.mark.ci
@pytest.mark.slow(8)
def test_a_planted_bias_is_sensitive_by_as_much_as_it_truly_is_and_sound_edits_are_not(
    pairs: ModuleType, tmp_path: Path
) -> None:
    options = ["--domains", "avatars", "--targets", "mustache-biased-smiling", "--seeds", "100", "--images", "12"]
    pairs.main([*options, "--truth-on", "16", "--json", str(tmp_path / "out.json")])
    figures = json.loads((tmp_path / "out.json").read_text())
    (rows,) = figures["runs"].values()
    verdicts = {one["attribute"]: one["verdict"] for one in rows}
    assert (verdicts["smiling"], figures["first"]) == ("sensitive", [1, 1])
    assert figures["intervals"]["all"] >= 0.95
    assert figures["sound_called_sensitive"] <= 0.05
