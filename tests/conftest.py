"""What every test shares: quick torch threads, reproducible hypothesis, no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # what several folders share
sys.path.append(str(Path(__file__).parents[1]))  # lab/; last, so that an installed zoom_engine comes first

os.environ.setdefault("HF_HUB_OFFLINE", "1")

settings.register_profile("dev", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: what is left for the end is quick, so that no process waits for another's."""
    from forks import FORKS  # needs the path above

    if FORKS not in os.environ:
        elsewhere = pytest.mark.skip(reason="runs in a process of its own, see tests/test_forks.py")
        for item in items:
            if item.get_closest_marker("forks"):
                item.add_marker(elsewhere)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Edit directions that one test found serve the others; the user's cache stays out of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOM_ENGINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tests are tiny: waking a second thread costs more than it saves."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_torch_threads() -> Iterator[None]:
    """For tests of what threads do."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cuda_extension_on_cpu(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The CUDA extension whose kernels the CPU runs."""
    import cuda_on_cpu  # needs the path above

    folder = tmp_path_factory.getbasetemp()
    return cuda_on_cpu.build(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
