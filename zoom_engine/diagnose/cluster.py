"""More than one machine: shards of an audit go to workers, and records come back as they are made.

`dispatched` says who searches what, and what is done where a worker is lost. Ray does all else: it starts the workers
where its cluster has room, carries the models to them, and tells when one is gone. Records are written by the audit's
own process alone, so its folder is what it is without a cluster.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from zoom_engine.audit.records import Record, TrialKey
from zoom_engine.common.errors import ClusterError, ZoomError, imported, one_line
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.plurals import agreeing, number_of

Shard = list[TrialKey]
"""Trials that one worker searches, one after the other."""
MOST_WORKERS_LOST = 3
"""So many workers may be lost to a shard, one after the other, before the run ends: it is what ends them."""
_AHEAD = 4  # batches that a worker may be ahead of who writes them
_PATIENCE = 15.0  # seconds until it is told that workers have not begun


class Batch(NamedTuple):
    """New records, and what is to be noted with them.

    Attributes:
        records: the new ones; there may be none.
        environment: in what the environment that this and later records come from differs from that of the audit's own
            process.
        tries: how a service was asked for them, see `audit.service_file`.
    """

    records: list[Record]
    environment: Mapping[str, Any] = MappingProxyType({})
    tries: Mapping[str, int] = MappingProxyType({})


Work = Callable[[Shard], Iterator[Batch]]
"""Searches a shard."""


class WorkerLost(NamedTuple):
    """The loss of a worker: its process, its machine or the way to it is gone; `reason` is one line."""

    reason: str


class Workers(Protocol):
    """Workers that search shards, at most `count` at a time; each is known by a number.

    All methods raise what a worker raises.
    """

    count: int

    def start(self) -> int:
        """Start a worker and return its number; it may be busy or have to wait for room."""

    def send(self, worker: int, shard: Shard) -> None:
        """Give a shard to a worker that has none."""

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        """Wait for the next event of any worker that has a shard; return its number and the event.

        The event is a batch of records, None where its shard is done, or that the worker is lost.
        """


@dataclass(eq=False)
class _UnderWay:
    """The rest of a shard, in its order, and how many workers were lost to it since the last record."""

    left: dict[TrialKey, None]
    workers_lost: int = 0


def dispatched(shards: Iterable[Shard], workers: Workers, *, free: list[int] | None = None) -> Iterator[Batch]:
    """Yield the batches of all `shards`, as they come.

    A worker has one shard at a time, and no shard is asked for before there is a worker for it. What a lost worker had
    not sent goes to another; what it had sent is not made again. `free` are workers that were started before and have
    nothing to do; it is kept up to date.

    Raises:
        ClusterError: `MOST_WORKERS_LOST` workers were lost to one shard, without a record in between.
    """
    fresh = (_UnderWay(dict.fromkeys(shard)) for shard in shards)
    again: deque[_UnderWay] = deque()
    under_way: dict[int, _UnderWay] = {}
    free = [] if free is None else free
    while True:
        while len(under_way) < workers.count:
            shard = again.popleft() if again else next(fresh, None)
            if shard is None:
                break
            worker = free.pop() if free else workers.start()
            under_way[worker] = shard
            workers.send(worker, list(shard.left))
        if not under_way:
            return
        worker, event = workers.next_event()
        shard = under_way[worker]
        if isinstance(event, Batch):
            if event.records:
                shard.workers_lost = 0
            for record in event.records:
                del shard.left[record.trial]
            yield event
            continue
        del under_way[worker]
        if event is None:
            free.append(worker)
            continue
        shard.workers_lost += 1
        if shard.workers_lost == MOST_WORKERS_LOST:
            raise ClusterError(
                f"{MOST_WORKERS_LOST} workers were lost one after the other, without a record (the last:"
                f" {event.reason}): see to their memory (--worker-cores makes them fewer) and logs; the same"
                " command goes on"
            )
        if shard.left:
            again.append(shard)


def check_cluster(cluster: str | None) -> None:
    """Refuse, by a `ClusterError`, a cluster that could not be used, before anything is loaded; connects to none."""
    if cluster is None:
        return
    _import_ray()
    if cluster.startswith("ray://"):
        raise ClusterError(
            f"{cluster} is an address for Ray's client, which carries no stream: run on a machine of the cluster, with"
            " --cluster auto"
        )


class RayWorkers:
    """`Workers` that are actors of a Ray cluster, each with `cores` to itself, and a GPU where `gpu` says so.

    `cluster` is "ray" (the one that runs on this machine, else one of this machine alone, for as long as this object
    is open), "auto" (the one that runs) or the HOST:PORT of its head. `count` defaults to as many as have room;
    `notify` takes a line where some have to wait for it. It is a context manager; `prepare` comes before the first is
    started.

    Raises:
        ClusterError: there is no Ray or no such cluster, none of its machines has room for a worker, or what is to be
            sent cannot be.
    """

    def __init__(
        self, cluster: str, *, count: int | None, cores: int, gpu: bool, notify: Notify = null_notifier
    ) -> None:
        """Connect to the cluster, or begin it, and count its room; the arguments are those of the class."""
        self._ray = ray = _import_ray()
        self._began = not ray.is_initialized()
        if self._began:
            # Ray reports its use to its makers unless this is set where a cluster is begun.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
            try:
                ray.init(address=None if cluster == "ray" else cluster, **quiet)
            except Exception as error:  # Ray raises bare ones too
                raise ClusterError(
                    f"no Ray cluster answers at {cluster} ({one_line(error)}): begin one with ray start --head, or"
                    " give --cluster ray for this machine alone"
                ) from error
        self._options = {"num_cpus": cores, "num_gpus": int(gpu)}
        self._actors: dict[int, Any] = {}
        self._streams: dict[Any, int] = {}
        self._job: Any = None
        self._started = 0
        self._notify = notify
        self._begun: dict[int, Any] = {}  # of workers that may still wait for room, what is ready when they run
        self._wait_until = 0.0
        with self._closed_on_error():
            self.count = count or self._room(cores, gpu)

    def _room(self, cores: int, gpu: bool) -> int:
        have = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = sum(
            int(min(node.get("CPU", 0) // cores, node.get("GPU", 0) if gpu else node.get("CPU", 0))) for node in have
        )
        if not room:
            most = int(max((node.get("CPU", 0) for node in have), default=0))
            wanted = f"{number_of(cores, 'core')}{' and a GPU' if gpu else ''}"
            raise ClusterError(
                f"no machine of the cluster has {wanted} for a worker (the largest has {most} cores): give another"
                " --worker-cores, or --workers where machines will join"
            )
        return room

    def check(self, job: Any) -> None:
        """Refuse, by a `ClusterError`, what cannot be sent to another process."""
        try:
            self._ray.cloudpickle.dumps(job)
        except Exception as error:  # whatever the user's objects raise
            raise ClusterError(
                f"what is audited cannot be sent to workers ({one_line(error)}): give models by name or file, a"
                " function as python:FILE.py:NAME"
            ) from error

    def prepare(self, job: Callable[[], Work]) -> None:
        """Send `job` to the cluster, once; each worker calls it once, for what it then does with shards."""
        self._job = self._ray.put(job)

    def start(self) -> int:
        """Start a worker, see `Workers`; where no machine has room, it waits until one has."""
        self._started += 1
        actor = self._ray.remote(_Worker).options(**self._options).remote(self._job)
        self._actors[self._started], self._begun[self._started] = actor, actor.__ray_ready__.remote()
        self._wait_until = monotonic() + _PATIENCE
        return self._started

    def _tell_of_waiting(self) -> None:
        """Say that workers have not begun after a while, once for each time that some were started."""
        if not self._begun or monotonic() < self._wait_until:
            return
        begun, _ = self._ray.wait(list(self._begun.values()), num_returns=len(self._begun), timeout=0)
        self._begun = {worker: ready for worker, ready in self._begun.items() if ready not in begun}
        if waiting := len(self._begun):
            of, free = number_of(len(self._actors), "worker"), number_of(self._options["num_cpus"], "free core")
            self._notify(
                f"{waiting} of {of} {agreeing(waiting, 'waits', 'wait')} for room in the cluster ({free} each): the"
                " audit goes on with the others, if there are any"
            )
            self._wait_until = math.inf

    def send(self, worker: int, shard: Shard) -> None:
        """Give a shard to a worker, see `Workers`."""
        options = {"num_returns": "streaming", "_generator_backpressure_num_objects": _AHEAD}
        self._streams[self._actors[worker].search.options(**options).remote(shard)] = worker

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        """Wait for the next event, see `Workers`."""
        ready: list[Any] = []
        while not ready:
            ready, _ = self._ray.wait(list(self._streams), num_returns=1, timeout=_PATIENCE if self._begun else None)
            self._tell_of_waiting()
        (stream,) = ready
        worker = self._streams[stream]
        try:
            batch: Batch = self._ray.get(next(stream))
        except StopIteration:
            del self._streams[stream]
            return worker, None
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ZoomError):
                raise error.cause from None
            raise ClusterError(
                f"a worker failed ({type(error.cause).__name__}: {one_line(error.cause)}); the same command goes on"
            ) from error
        except self._ray.exceptions.RayError as error:
            del self._streams[stream]
            self._ray.kill(self._actors.pop(worker))
            self._begun.pop(worker, None)
            return worker, WorkerLost(one_line(error))
        return worker, batch

    def close(self) -> None:
        """Let all workers go, and end the cluster if it is this object's own."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._streams.clear()
        if self._began:
            self._ray.shutdown()

    def __enter__(self) -> RayWorkers:
        """Return the workers themselves."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let the workers go."""
        self.close()

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


class _Worker:
    """The part that runs in an actor's process.

    Models are loaded with the first shard, so that what is wrong with them comes back as it is raised.
    """

    def __init__(self, job: Callable[[], Work]) -> None:
        self._job = job
        self._work: Work | None = None

    def search(self, shard: Shard) -> Iterator[Batch]:
        """Yield the batches of a shard."""
        if self._work is None:
            self._work = self._job()
        yield from self._work(shard)


def _import_ray() -> Any:
    return imported("ray", ClusterError, "a cluster cannot be used", install="zoom-engine[cluster]")
