"""The comparison of the demo's two runs counts decisions, and says what made the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoom_engine import Diagnosis
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Record


def diagnosis(backend: str, flips: list[bool]) -> Diagnosis:
    """An audit of one attribute on as many images as there are ``flips``."""
    manifest = Manifest.of(
        {
            "mode": "single",
            "attributes": ["a hat"],
            "synthesis": {"backend": backend, "precision": "fp32"},
        },
        {"synthesis": {"reason": "asked for by name", "gradients": "torch"}},
    )
    records = [
        Record.from_json(
            {
                "image": image,
                "seed": image,
                "attribute": "a hat",
                "edit_weights": [1.0],
                "original_output": [0.3],
                "output": [0.6 if flipped else 0.4],
                "change": 0.3 if flipped else 0.1,
                "flipped": flipped,
                "label_kept": None,
                "ssim": 0.9,
                "flip_weight": 1.0 if flipped else None,
                "steps": 1,
                "evaluations": 1,
                "stop": "done",
                "trajectory": [],
            }
        )
        for image, flipped in enumerate(flips)
    ]
    return Diagnosis(manifest, tuple(records))


def test_decisions_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo

    flips = {"auto": [True, True, False, False], "torch": [True, False, False, False]}
    monkeypatch.setattr(demo, "run_demo", lambda out, *, backend, **_: {"sound": diagnosis(backend, flips[backend])})
    assert demo.main(["--images", "4", "--json", str(tmp_path / "demo.json")]) == 0
    result = json.loads((tmp_path / "demo.json").read_text())["result"]
    assert (result["units"], result["unedited_equal"], result["flips_equal"]) == (4, 1.0, 0.75)
    assert result["top_equal"] is True
    assert result["torch"]["backend"] == "torch"
    assert result["auto"]["reason"] == "asked for by name"
