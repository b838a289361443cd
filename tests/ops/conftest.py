from __future__ import annotations

from collections.abc import Iterator

import pytest

from zoom_engine import ops


@pytest.fixture(params=ops.supported_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of the machine in turn."""
    before = ops.isa()
    ops.select_isa(request.param)
    yield request.param
    ops.select_isa(before)


@pytest.fixture
def native() -> None:
    """For tests that mean nothing without the extension."""
    available, reason = ops.native_available()
    if not available:
        pytest.skip(reason)
