"""Shards go to workers: nothing is lost or made twice, whoever is lost, and records are those of one process."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from simulated import record

from zoom_engine import Diagnoser
from zoom_engine.audit.folder import RECORDS, AuditFolder
from zoom_engine.audit.records import Record, TrialKey, read_records
from zoom_engine.common.errors import ClusterError
from zoom_engine.diagnose.cluster import (
    MOST_WORKERS_LOST,
    Batch,
    RayWorkers,
    Shard,
    WorkerLost,
    check_cluster,
    dispatched,
)
from zoom_engine.settings.model_settings import ServiceSettings

SHARDS: list[Shard] = [[(image, name) for name in ("a", "b", 0)] for image in range(12)]
TRIALS = {trial for shard in SHARDS for trial in shard}


def batch(trial: TrialKey) -> Batch:
    image, name = trial
    of_baseline = isinstance(name, int)
    return Batch(
        [record(image, image, None if of_baseline else str(name), 0.1, 1, baseline=name if of_baseline else None)]
    )


class Pool:
    """Workers in this process, a trial a batch. One is lost after so many batches as each of `lost` says."""

    def __init__(self, count: int, lost: Sequence[int] = ()) -> None:
        self.count, self._lost = count, list(lost)
        self._random = random.Random(0)
        self.under_way: dict[int, Iterator[Batch]] = {}
        self.started = self.most = self.sent = 0

    def start(self) -> int:
        self.started += 1
        return self.started

    def send(self, worker: int, shard: Shard) -> None:
        assert worker not in self.under_way
        self.under_way[worker] = map(batch, shard)
        self.most = max(self.most, len(self.under_way))

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        worker = self._random.choice(sorted(self.under_way))
        if self._lost and self._lost[0] <= self.sent:
            del self._lost[0]
            del self.under_way[worker]
            return worker, WorkerLost("killed")
        result = next(self.under_way[worker], None)
        if result is None:
            del self.under_way[worker]
        else:
            self.sent += 1
        return worker, result


def trials_of(batches: Iterator[Batch]) -> list[TrialKey]:
    return [record.trial for batch in batches for record in batch.records]


def test_every_unit_is_made_once_by_as_many_workers_as_there_are() -> None:
    pool = Pool(3)
    result = trials_of(dispatched(SHARDS, pool))
    assert len(result) == len(TRIALS)
    assert set(result) == TRIALS
    assert (pool.started, pool.most) == (3, 3)
    few = Pool(50)
    assert len(trials_of(dispatched(SHARDS[:2], few))) == 6
    assert few.started == 2, "no worker is hired that has nothing to do"
    assert trials_of(dispatched([], Pool(2))) == []


def test_what_a_lost_worker_sent_is_not_made_again_and_the_rest_is() -> None:
    for lost in ([0], [1, 2, 5, 9, 20, 35]):
        pool = Pool(3, lost)
        result = trials_of(dispatched(SHARDS, pool))
        assert len(result) == len(TRIALS)
        assert set(result) == TRIALS
        assert 3 < pool.started <= 3 + len(lost), "none that was not needed"
        assert pool.most <= 3


def test_shards_are_asked_for_when_there_is_a_worker_for_them() -> None:
    """However many images there are, what is under way is bounded; and records are handed on before more is begun."""
    given = 0

    def shards() -> Iterator[Shard]:
        nonlocal given
        for shard in SHARDS:
            given += 1
            yield shard

    pool = Pool(2)
    for count, _ in enumerate(dispatched(shards(), pool), start=1):
        assert given <= 3 + count // 3


def test_a_shard_that_ends_its_workers_ends_the_run() -> None:
    with pytest.raises(ClusterError, match=r"3 workers were lost one after the other.*the last: killed"):
        trials_of(dispatched(SHARDS, Pool(1, [4] * MOST_WORKERS_LOST)))
    assert len(trials_of(dispatched(SHARDS, Pool(1, [4] * (MOST_WORKERS_LOST - 1))))) == len(TRIALS)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_cluster(None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'zoom-engine\[cluster\]'"):
        Diagnoser(generator="avatars", target="avatars:mustache", cluster="ray")


def test_limits_of_a_service_hold_for_all_workers_together() -> None:
    settings = ServiceSettings(at_once=4, rate=6.0).shared(3)
    assert (settings.at_once, settings.rate) == (1, 2.0)
    assert ServiceSettings().shared(2).rate is None


class FakeRay(SimpleNamespace):
    """As much of Ray as workers take who have room for one; of the second the first shard ends it."""

    def __init__(self) -> None:
        actor = SimpleNamespace(
            search=SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda shard: iter([batch(shard[0])])))
        )
        self.ready: list[str] = []
        self._started = 0

        def start(job: object) -> SimpleNamespace:
            self._started += 1
            name = f"ready {self._started}"
            return SimpleNamespace(**vars(actor), __ray_ready__=SimpleNamespace(remote=lambda: name))

        super().__init__(
            is_initialized=lambda: True,
            put=lambda job: job,
            get=lambda value: value,
            kill=lambda actor: None,
            nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}],
            remote=lambda kind: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start)),
            exceptions=SimpleNamespace(RayTaskError=ZeroDivisionError, RayError=ZeroDivisionError),
            ready=[],
            _started=0,
        )

    def wait(self, refs: list[Any], *, num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        if isinstance(refs[0], str):
            return [ref for ref in refs if ref in self.ready], []
        return refs[:1], []


def test_workers_that_wait_for_room_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, told, now = FakeRay(), list[str](), 0.0
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    monkeypatch.setattr("zoom_engine.diagnose.cluster.monotonic", lambda: now)
    workers = RayWorkers("auto", count=3, cores=2, gpu=False, notify=told.append)
    workers.prepare(lambda: map)  # type: ignore[arg-type, return-value]
    for shard in SHARDS[:3]:
        workers.send(workers.start(), shard)
    ray.ready = ["ready 1"]
    workers.next_event()
    assert told == [], "they may be about to begin"
    now = 60.0
    workers.next_event()
    workers.next_event()
    assert len(told) == 1
    assert "2 of 3 workers wait for room in the cluster (2 free cores each)" in told[0]
    ray.ready = ["ready 1", "ready 2", "ready 3", "ready 4"]
    workers.start()
    now = 120.0
    workers.next_event()
    assert len(told) == 1


AUDIT: dict[str, Any] = {
    "generator": "avatars",
    "target": "avatars:mustache-biased-pale-skin",
    "attributes": ["a face with pale skin", "a smiling face", "a face with a beard"],
}
TWO: dict[str, Any] = {"cluster": "local", "workers": 2, "worker_cores": 1}


def lines(audit: Path) -> list[str]:
    return sorted((audit / "records.jsonl").read_text().splitlines())


def assert_alike(some: Any, others: Any) -> None:
    """The same but for the last digit that numbers of records are written with."""
    if isinstance(some, dict):
        assert some.keys() == others.keys()
        for name in some.keys() - {"scores"}:
            assert_alike(some[name], others[name])
        assert some.get("scores", []) == pytest.approx(others.get("scores", []), abs=1.5e-4)
    elif isinstance(some, list | tuple):
        assert len(some) == len(others)
        for one, other in zip(some, others, strict=True):
            assert_alike(one, other)
    else:
        assert some == (pytest.approx(others, abs=1.5e-6) if isinstance(others, float) else others)


def workers_of_this_process() -> list[int]:
    """The process numbers of actors that search: grandchildren, as a machine's own Ray process begins them."""
    results = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            name, parent = (path / "cmdline").read_bytes(), (path / "stat").read_text().rpartition(")")[2].split()[1]
            grandparent = Path("/proc", parent, "stat").read_text().rpartition(")")[2].split()[1]
            if name.startswith(b"ray::_Worker") and int(grandparent) == os.getpid():
                results.append(int(path.name))
    return results


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_killed_worker_and_a_stopped_driver_leave_the_records_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Diagnoser(**AUDIT).run(images=6, seed=4, out=tmp_path / "alone")
    many, append = tmp_path / "many", AuditFolder.append
    killed: list[int] = []

    def interrupted(audit: AuditFolder, records: Sequence[Record]) -> None:
        append(audit, records)
        if len(audit.done()) >= 8:
            raise KeyboardInterrupt

    def killing(audit: AuditFolder, records: Sequence[Record]) -> None:
        append(audit, records)
        if len(audit.done()) >= 14 and not killed:
            killed.extend(workers_of_this_process()[:1])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(AuditFolder, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Diagnoser(**AUDIT, **TWO).run(images=6, seed=4, out=many)
    before = lines(many)
    assert 8 <= len(before) < 6 * (3 + 9) + 2
    monkeypatch.setattr(AuditFolder, "append", killing)
    Diagnoser(**AUDIT, **TWO).run(images=6, seed=4, out=many)
    assert killed
    assert set(before) <= set(lines(many))
    result, wanted = (
        [record.to_json() for record in read_records(folder / RECORDS)] for folder in (many, tmp_path / "alone")
    )
    assert_alike(result, wanted)
    assert {path.name for path in many.iterdir()} == {path.name for path in (tmp_path / "alone").iterdir()}
