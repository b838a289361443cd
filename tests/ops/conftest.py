from __future__ import annotations

from collections.abc import Iterator

import pytest

from zoom_engine import ops


@pytest.fixture(params=["avx512", "avx2", "portable"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set in turn, as far as this machine has it."""
    if request.param not in ops.supported_isas():
        pytest.skip(f"no {request.param} here")
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
