"""From a slider to the picture, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.ci
@pytest.mark.slow(30)
def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from browser import CHROMIUM
    from explore import main

    if CHROMIUM is None:
        pytest.skip("needs chromium")
    options = ["--generator", "avatars", "--target", "avatars:mustache", "--attribute", "a smiling face"]
    assert main(["--minutes", "0.05", "--json", str(tmp_path / "out.json"), "--", *options, "--samples", "256"]) == 0
    row = json.loads((tmp_path / "out.json").read_text())
    assert row["pictures"] > 0
    assert 0 < row["median_ms"] <= row["p95_ms"]
    assert row["processor_ms_a_picture"] > 0
    assert row["complaints"] == []
    assert "from the slider to the picture: median" in capsys.readouterr().out
