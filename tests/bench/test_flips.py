"""An audit by the native operators flips what the same audit by torch flips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.experiment
@pytest.mark.timeout(0)
def test_native_audits_flip_as_torchs(tmp_path: Path) -> None:
    """In full: `python bench/flips.py`, whose committed result is bench/results/flips-avx512bf16.json."""
    import flips

    out = tmp_path / "flips.json"
    assert flips.main(["--targets", "mustache-biased-smiling", "--images", "2", "--json", str(out)]) == 0
    results = json.loads(out.read_text())["results"]
    assert [row["variant"] for row in results] == list(flips.VARIANTS)[: len(results)]
    assert len(results) >= 2
    for row in results:
        assert row["units"] == 22
        assert row["same"] >= 21 / 22
