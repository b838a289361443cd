"""What is said to be added is the median of the rounds, each half in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def cost() -> ModuleType:
    import cost  # its folder is on the path for a test at a time

    return cost


def test_rounds_add_up_to_their_median(cost: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([13.0, 10.0, 12.0, 10.0, 30.0, 10.0])
    asked = []

    original = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        if "--half" not in command:
            return original(command, **options)
        asked.append(command[-1])
        seconds = next(took)
        figures = {"first audit": [seconds, 2 * seconds], "second audit": [10.0, 20.0]}
        return SimpleNamespace(stdout=f"noise\n{json.dumps(figures)}\n")

    monkeypatch.setattr(subprocess, "run", run)
    cost.main(["--rounds", "3", "--json", str(tmp_path / "cost.json")])
    assert asked == ["with", "without"] * 3
    added = json.loads((tmp_path / "cost.json").read_text())["added"]
    assert added["first audit"] == {"processor": 0.3, "clock": 0.3}
    assert added["second audit"] == {"processor": 0.0, "clock": 0.0}
