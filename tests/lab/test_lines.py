"""How many lines a drawn domain takes beside what domains share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("domain", "most"), [("places", 700), ("cars", 700), ("pets", 1300), ("avatars", 1800)])
def test_a_domain_is_small(domain: str, most: int) -> None:
    """Those that came first share less, and have more: they do not grow."""
    files = [path for folder in ("zoom_engine/domains", "lab") for path in (ROOT / folder / domain).rglob("*.py")]
    assert len(files) > 10
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= most
