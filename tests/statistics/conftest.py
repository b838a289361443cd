"""What is held to its figures is computed as users have it."""

from __future__ import annotations

from typing import Any

import pytest

from zoom_engine.statistics import power


@pytest.fixture(autouse=True)
def all_draws(few_draws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in few_draws.items():
        monkeypatch.setattr(power, name, value)
