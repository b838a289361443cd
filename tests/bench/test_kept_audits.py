"""Audits that a measurement keeps are those that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated import simulated

from zoom_engine.common.errors import ConfigError


def test_a_kept_audit_is_of_the_images_that_are_asked_for(tmp_path: Path) -> None:
    """With other --images the figures of the old ones were told under the new number."""
    import kept_audits  # its folder is on the path for a test at a time

    def made_anew() -> Any:
        raise AssertionError

    made = simulated(images=8)
    path, seed = made.save(tmp_path / "audit"), made.config.seed
    assert kept_audits.kept_audit(path, made_anew, images=8, seed=seed).records == made.records
    for other in ({"images": 12, "seed": seed}, {"images": 8, "seed": seed + 1}):
        with pytest.raises(ConfigError, match=f"is an audit of 8 images of seed {seed}, not of"):
            kept_audits.kept_audit(path, made_anew, **other)
