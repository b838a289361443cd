"""What stopping costs is read off the records of audits that did not stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from simulated import simulated


def test_verdicts_and_pictures_of_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import stopping  # its folder is on the path for a test at a time

    simulated(images=96, means=(0.001, 0.001, 0.1, 0.5), smallest_effect=0.1, path=tmp_path / "one")
    stopping.main([str(tmp_path), "--json", str(tmp_path / "out.json")])
    figures: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    (row,) = figures["rows"]
    assert (figures["audits"], figures["attributes"], figures["opposite"]) == (1, 4, 0)
    assert figures["alike_or_inconclusive"] == 1.0
    assert row["verdicts"]["sensitive / sensitive"] == 1
    assert row["verdicts"]["negligible / negligible"] == 2
    assert row["mean_images"] < 96
    assert "share_of_pictures" in capsys.readouterr().out
