"""What every test shares: quick torch threads, reproducible hypothesis, no network."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

from zoom_engine import ops
from zoom_engine.common.imports import importing
from zoom_engine.statistics import power

sys.path.insert(0, str(Path(__file__).parent))  # what several folders share
sys.path.append(str(Path(__file__).parents[1]))  # lab/; last, so that an installed zoom_engine comes first
sys.path.append(str(Path(__file__).parents[1] / "bench"))  # browser.py

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Of the processes that this one begins for tests: NumPy's threads spin while they wait for one another, on cores that
# other tests need (a product of 16 million terms: 8.7 ms of the processor by two threads, 1.2 by one).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

gc.disable()  # until tests are collected: every process does so, and what they are made of stays to the end
if "PYTEST_XDIST_WORKER" in os.environ:  # which collects all of them
    with importing():
        import open_clip  # noqa: F401 - without torch's compiler, which tests that import it themselves would import

CACHE = "ZOOM_ENGINE_TESTS_CACHE"
SLOW = 3
"""About how many seconds a slow test takes whose mark does not say it."""

settings.register_profile("dev", deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", parent=settings.get_profile("dev"), max_examples=25, derandomize=True, database=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only an expression after -m asks for, and put files that take long first: what is left for the
    end is quick, so that no process waits for another's."""
    from forks import FORKS  # needs the path above

    for item in items:
        if _isa_of(item) not in (None, ops.isa()) or "cuda_extension_on_cpu" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.ci)
    unasked = [name for name in ("ci", "experiment") if not re.search(rf"\b{name}\b", config.option.markexpr)]
    left_out = {item for item in items if any(item.get_closest_marker(name) for name in unasked)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    if FORKS not in os.environ:
        elsewhere = pytest.mark.skip(reason="runs in a process of its own, see tests/test_forks.py")
        for item in items:
            if item.get_closest_marker("forks"):
                item.add_marker(elsewhere)
    seconds = Counter[Path]()
    for item in items:
        seconds[item.path] += max(
            (mark.args[0] if mark.args else SLOW for mark in item.iter_markers("slow")), default=0
        )
    items.sort(key=lambda item: -seconds[item.path])


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _isa_of(item: pytest.Item) -> str | None:
    """The instruction set that a test is run with, if it is run with each."""
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get("isa")


def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of one run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What one test measured serves the others, and those of the next run where `CACHE` names a folder; the user's
    cache stays out of it."""
    folder = Path(os.environ.get(CACHE) or of_all_processes(tmp_path_factory) / "cache")
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOM_ENGINE_CACHE", str(folder))
        patch.setenv(CACHE, str(folder))  # of tests in processes of their own
        yield


@pytest.fixture(scope="session", autouse=True)
def few_samples() -> Iterator[None]:
    """Directions are found from the pictures that ranges are measured on anyway, the fewest that a user has."""
    from zoom_engine.directions.regression import Regression  # takes seconds: not in the process that only hands out
    from zoom_engine.directions.unedited import SAMPLES

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Regression, "samples", SAMPLES)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_draws() -> Iterator[dict[str, Any]]:
    """Power is told by fewer simulated audits and coarser intervals: a third of a second for each summary of an audit.
    What it was, for tests of that (`tests/statistics`)."""
    with pytest.MonkeyPatch.context() as patch:
        before = {"AUDITS": power.AUDITS}
        patch.setattr(power, "AUDITS", 40)
        yield before


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power: what a process wrote is there for the next one, whatever the disk has of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_services() -> Iterator[None]:
    """A service of a test is asked again at once, as it has no load to recover from."""
    from zoom_engine.targets.loaders import service_client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_client, "FIRST_WAIT", 0.02)
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

    return cuda_on_cpu.build(of_all_processes(tmp_path_factory))
