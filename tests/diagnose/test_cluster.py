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
from examples import examples_of_glasses
from simulated import record

from zoom_engine import Diagnoser
from zoom_engine.audit.folder import RECORDS, AuditFolder
from zoom_engine.audit.records import Record, TrialKey, read_records
from zoom_engine.common.errors import ClusterError
from zoom_engine.common.notices import Notices
from zoom_engine.diagnose.cluster import (
    MOST_WORKERS_LOST,
    Batch,
    RayWorkers,
    Shard,
    WorkerLost,
    check_cluster,
    dispatched,
)
from zoom_engine.diagnose.run import _workers
from zoom_engine.settings.audit_settings import AuditSettings
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
    """Workers in this process, a trial a batch. One is lost after so many batches as each of `lost` says. There is
    `room` for so many at most; the first `refused` that are started are lost as they begin."""

    def __init__(self, count: int, lost: Sequence[int] = (), *, room: int = 1000, refused: int = 0) -> None:
        self.count, self._lost = count, list(lost)
        self._room, self._refused = room, refused
        self._random = random.Random(0)
        self.starting: set[int] = set()
        self.under_way: dict[int, Iterator[Batch]] = {}
        self.started = self.most = self.sent = 0

    def start(self) -> int:
        self.started += 1
        self.starting.add(self.started)
        return self.started

    def send(self, worker: int, shard: Shard) -> None:
        assert worker not in self.under_way
        assert worker not in self.starting
        self.under_way[worker] = map(batch, shard)
        self.most = max(self.most, len(self.under_way))

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        worker = self._random.choice([*self.under_way, *(self.starting if self._room else ())])
        if worker in self.starting:
            self.starting.remove(worker)
            if self._refused:
                self._refused -= 1
                return worker, WorkerLost("no such package")
            self._room -= 1
            return worker, None
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
    assert few.started == 2, "no worker is started that has nothing to do"
    assert trials_of(dispatched([], Pool(2))) == []


def test_what_a_lost_worker_sent_is_not_made_again_and_the_rest_is() -> None:
    for lost in ([0], [1, 2, 5, 9, 20, 35]):
        pool = Pool(3, lost)
        result = trials_of(dispatched(SHARDS, pool))
        assert len(result) == len(TRIALS)
        assert set(result) == TRIALS
        assert 3 < pool.started <= 3 + len(lost), "none that was not needed"
        assert pool.most <= 3


def test_what_a_machine_that_is_gone_had_is_done_by_those_that_are_left() -> None:
    """The worker that is started in place of a lost one may have no machine to begin on, for the rest of the audit."""
    pool = Pool(2, [4], room=2)
    assert set(trials_of(dispatched(SHARDS, pool))) == TRIALS
    assert (pool.started, len(pool.starting)) == (3, 1)
    assert len(trials_of(dispatched(SHARDS, pool, free=[1]))) == len(TRIALS), "the next interim analysis"
    assert pool.started == 3, "the one that is starting is the next analysis' too"


def test_workers_that_are_lost_as_they_begin_end_the_run() -> None:
    with pytest.raises(ClusterError, match=r"3 workers were lost one after the other.*no such package"):
        trials_of(dispatched(SHARDS, Pool(1, refused=MOST_WORKERS_LOST)))
    assert len(trials_of(dispatched(SHARDS, Pool(1, refused=MOST_WORKERS_LOST - 1)))) == len(TRIALS)


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


@pytest.mark.parametrize(("given", "notes"), [({"workers": 2}, 1), ({"worker_cores": 4}, 1), ({}, 0)])
def test_workers_of_no_cluster_are_told_not_to_work(given: dict[str, int], notes: int) -> None:
    told: list[str] = []
    settings = AuditSettings(generator="avatars", target="avatars:mustache", **given)  # type: ignore[arg-type]
    models: Any = SimpleNamespace(settings=settings, notices=Notices(told.append))
    with _workers(models) as workers:
        assert workers is None
    assert ["--cluster" in note for note in told] == [True] * notes


def test_limits_of_a_service_hold_for_all_workers_together() -> None:
    settings = ServiceSettings(at_once=4, rate=6.0).shared(3)
    assert (settings.at_once, settings.rate) == (1, 2.0)
    assert ServiceSettings().shared(2).rate is None


class LostError(Exception):
    """As Ray tells that an actor cannot be reached."""


class FakeRay(SimpleNamespace):
    """As much of Ray as workers take: machines of so many `cores`, and `answers`, which come one after the other.

    An answer is of a worker by its number: the address of its machine, a batch, or that it is lost.
    """

    def __init__(self, *cores: int) -> None:
        self.answers: list[tuple[int, str | Batch | LostError]] = []
        self.started, self.killed = 0, list[int]()

        def start(job: object) -> SimpleNamespace:
            self.started += 1
            number = self.started
            return SimpleNamespace(
                machine=SimpleNamespace(remote=lambda: ("begins", number)),
                search=SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda _: Stream(number))),
                number=number,
            )

        super().__init__(
            is_initialized=lambda: True,
            put=lambda job: job,
            get=self._get,
            kill=lambda actor: self.killed.append(actor.number),
            nodes=lambda: [{"Alive": True, "Resources": {"CPU": float(count)}} for count in self.cores],
            remote=lambda kind: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start)),
            exceptions=SimpleNamespace(RayTaskError=ZeroDivisionError, RayError=LostError),
            get_runtime_context=lambda: SimpleNamespace(gcs_address="10.0.0.1:6379"),
            cores=cores,
            clock=0.0,
        )

    def wait(self, refs: list[Any], *, num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        if not self.answers:
            assert timeout is not None, "nothing will ever come"
            self.clock += timeout
            return [], refs
        number, _ = self.answers[0]
        (ref,) = [ref for ref in refs if (ref[1] if isinstance(ref, tuple) else ref.number) == number]
        return [ref], []

    def _get(self, ref: object) -> object:
        _, answer = self.answers.pop(0)
        if isinstance(answer, LostError):
            raise answer
        return answer


class Stream:
    """The batches of a worker's shard."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __next__(self) -> Stream:
        return self


def fake_workers(
    monkeypatch: pytest.MonkeyPatch, *cores: int, count: int | None = None
) -> tuple[FakeRay, RayWorkers, list[str]]:
    ray, told = FakeRay(*cores), list[str]()
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    monkeypatch.setattr("zoom_engine.diagnose.cluster.monotonic", lambda: ray.clock)
    workers = RayWorkers("auto", count=count, cores=2, gpu=False, notify=told.append)
    workers.prepare(lambda: map)  # type: ignore[arg-type, return-value]
    return ray, workers, told


def test_workers_that_do_not_begin_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, workers, told = fake_workers(monkeypatch, 2, count=3)
    for _ in range(3):
        workers.start()
    ray.answers = [(1, "10.0.0.1"), (1, batch(SHARDS[0][0])), (1, batch(SHARDS[0][1]))]
    assert workers.next_event() == (1, None)
    workers.send(1, SHARDS[0])
    workers.next_event()
    assert told == [], "they may be about to begin"
    ray.clock = 60.0
    workers.next_event()
    ray.clock = 120.0
    ray.answers = [(1, batch(SHARDS[0][2]))]
    workers.next_event()
    assert len(told) == 1
    assert "2 of 3 workers have not begun" in told[0]
    assert "room in the cluster (2 free cores each)" in told[0]
    assert set(workers.starting) == {2, 3}


def test_the_share_of_each_worker_is_counted_and_a_loss_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, workers, told = fake_workers(monkeypatch, 2, 2)
    assert workers.count == 2
    first, second = batch(SHARDS[0][0])._replace(seconds=2.0), batch(SHARDS[0][1])._replace(seconds=1.5)
    ray.answers = [
        (1, "10.0.0.1"),
        (1, Batch([], seconds=8.0)),
        (1, first),
        (1, second),
        (1, LostError("it died:\n\tactor_id: b9c14c\n\tpid: 3\nits node is gone")),
    ]
    workers.start()
    assert workers.next_event() == (1, None)
    workers.send(1, SHARDS[0])
    events = [workers.next_event()[1] for _ in range(4)]
    assert events[1:] == [first, second, WorkerLost("it died: its node is gone")]
    assert told == ["worker 1 on 10.0.0.1 was lost (it died: its node is gone): what it had not sent goes to another"]
    assert workers.shares[1].to_json() == {
        "machine": "10.0.0.1",
        "trials": 2,
        "seconds": 3.5,
        "loading_seconds": 8.0,
        "lost": "it died: its node is gone",
    }
    assert str(workers.shares[1]) == "10.0.0.1: 2 trials in 3.5 s after 8.0 s of loading, then it was lost"
    assert ray.killed == [1]


def test_the_loss_of_the_last_machine_with_room_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would begin again, ever, and whether there are more shards does not matter."""
    ray, workers, _ = fake_workers(monkeypatch, 1, 2)
    ray.answers = [(1, "10.0.0.2"), (1, LostError("its machine is gone"))]
    workers.start()
    workers.next_event()
    workers.send(1, SHARDS[0])
    workers.next_event()
    ray.cores = (1,)
    workers.start()
    with pytest.raises(ClusterError, match="no machine that is left in the cluster has 2 cores for a worker") as error:
        workers.next_event()
    assert "worker 1 on 10.0.0.2 was lost: its machine is gone" in str(error.value)
    assert "ray start --address 10.0.0.1:6379" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


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


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # Ray's own
def test_examples_and_a_scorer_are_audited_by_a_worker_as_by_this_process(tmp_path: Path) -> None:
    attributes = ["a smiling face", f"glasses={examples_of_glasses(tmp_path)}", "beard=scorer:avatars:attributes#beard"]
    audit = {**AUDIT, "attributes": attributes, "random_directions": 1, "samples": 256}
    for name, where in (("alone", {}), ("there", {**TWO, "workers": 1})):
        Diagnoser(**audit, **where).run(images=2, seed=4, out=tmp_path / name)
    result, wanted = (
        [record.to_json() for record in read_records(tmp_path / name / RECORDS)] for name in ("there", "alone")
    )
    assert {record["attribute"] for record in result} == {"a smiling face", "glasses", "beard", None}
    assert_alike(result, wanted)
