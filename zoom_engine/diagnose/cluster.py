"""More than one machine: shards of an audit go to workers, and records come back as they are made.

`dispatched` says who searches what, and what is done where a worker is lost. Ray does all else: it starts the workers
where its cluster has room, carries the models to them, and tells when one is gone. Records are written by the audit's
own process alone, so its folder is what it is without a cluster.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
        seconds: how long a worker of a cluster took for them, or to load the models where there are none.
    """

    records: list[Record]
    environment: Mapping[str, Any] = MappingProxyType({})
    tries: Mapping[str, int] = MappingProxyType({})
    seconds: float = 0.0


Work = Callable[[Shard], Iterator[Batch]]
"""Searches a shard."""


class WorkerLost(NamedTuple):
    """The loss of a worker: its process, its machine or the way to it is gone; `reason` is one line."""

    reason: str


@dataclass
class WorkerShare:
    """The share of an audit that a worker did.

    Attributes:
        machine: the address of its machine.
        trials: how many records it sent.
        seconds: how long it searched for them.
        loading_seconds: how long it loaded models before.
        lost: why it was lost; None where it was not.
    """

    machine: str
    trials: int = 0
    seconds: float = 0.0
    loading_seconds: float = 0.0
    lost: str | None = None

    def add(self, batch: Batch) -> None:
        """Add a batch that it sent."""
        self.trials += len(batch.records)
        if batch.records:
            self.seconds += batch.seconds
        else:
            self.loading_seconds += batch.seconds

    def __str__(self) -> str:
        """Return it in words."""
        lost = "" if self.lost is None else ", then it was lost"
        return (
            f"{self.machine}: {number_of(self.trials, 'trial')} in {self.seconds:.1f} s after"
            f" {self.loading_seconds:.1f} s of loading{lost}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the manifest has it, seconds to a tenth."""
        seconds = {name: round(getattr(self, name), 1) for name in ("seconds", "loading_seconds")}
        lost = {} if self.lost is None else {"lost": self.lost}
        return {"machine": self.machine, "trials": self.trials, **seconds, **lost}


class Workers(Protocol):
    """Workers that search shards, at most `count` at a time; each is known by a number.

    All methods raise what a worker raises.
    """

    count: int

    @property
    def starting(self) -> Collection[int]:
        """Those that have not begun; they may have to wait for room."""

    def start(self) -> int:
        """Start a worker and return its number, one of `starting` from now on."""

    def send(self, worker: int, shard: Shard) -> None:
        """Give a shard to a worker that has nothing to do."""

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        """Wait for the next event of any worker that is starting or has a shard; return its number and the event.

        The event is a batch of records, that the worker is lost, or None where it has nothing to do, since it has begun
        or its shard is done.
        """


@dataclass(eq=False)
class _UnderWay:
    """The rest of a shard, in its order, and how many workers were lost to it since the last record."""

    left: dict[TrialKey, None]
    workers_lost: int = 0


def dispatched(shards: Iterable[Shard], workers: Workers, *, free: list[int] | None = None) -> Iterator[Batch]:
    """Yield the batches of all `shards`, as they come.

    A worker has one shard at a time, and gets it when it has begun, so that none waits for a machine that does not
    come. No more shards are asked for than there may be workers. What a lost worker had not sent goes to another; what
    it had sent is not made again. `free` are workers that were started before and have nothing to do; it is kept up to
    date.

    Raises:
        ClusterError: `MOST_WORKERS_LOST` workers were lost to one shard, without a record in between, or as they began.
    """
    fresh = (_UnderWay(dict.fromkeys(shard)) for shard in shards)
    waiting: deque[_UnderWay] = deque()
    under_way: dict[int, _UnderWay] = {}
    free = [] if free is None else free
    lost_as_they_began = 0
    while True:
        waiting.extend(itertools.islice(fresh, workers.count - len(under_way) - len(waiting)))
        while free and waiting:
            worker, shard = free.pop(), waiting.popleft()
            under_way[worker] = shard
            workers.send(worker, list(shard.left))
        for _ in range(len(waiting) - len(workers.starting)):
            workers.start()
        if not under_way and not waiting:
            return
        worker, event = workers.next_event()
        if isinstance(event, Batch):
            shard = under_way[worker]
            if event.records:
                shard.workers_lost = 0
            for record in event.records:
                del shard.left[record.trial]
            yield event
            continue
        ended = under_way.pop(worker, None)
        if event is None:
            free.append(worker)
            lost_as_they_began = 0 if ended is None else lost_as_they_began
            continue
        if ended is None:
            lost_as_they_began += 1
        else:
            ended.workers_lost += 1
            if ended.left:
                waiting.appendleft(ended)
        if MOST_WORKERS_LOST in (lost_as_they_began, ended and ended.workers_lost):
            raise ClusterError(
                f"{MOST_WORKERS_LOST} workers were lost one after the other, without a record (the last:"
                f" {event.reason}): see to their memory (--worker-cores makes them fewer) and logs; the same"
                " command goes on"
            )


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
        self.shares: dict[int, WorkerShare] = {}
        self._actors: dict[int, Any] = {}
        self._streams: dict[Any, int] = {}
        self._begins: dict[Any, int] = {}  # what is ready when a worker has begun
        self._job: Any = None
        self._started = 0
        self._notify = notify
        self._look_at, self._told = 0.0, True  # when to see to workers that have not begun
        self._lost = ""  # the last worker that was, and why
        with self._closed_on_error():
            self.count = count or self._room()
            if not self.count:
                raise ClusterError(
                    f"no machine of the cluster has {self._wanted()} for a worker (the largest has {self._most_cores()}"
                    " cores): give another --worker-cores, or --workers where machines will join"
                )

    @property
    def starting(self) -> Collection[int]:
        """The numbers of workers that have not begun, see `Workers`."""
        return self._begins.values()

    def _machines(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _room(self) -> int:
        """Return how many workers the machines of the cluster would hold if they did nothing else."""
        needs = {"CPU": self._options["num_cpus"], "GPU": self._options["num_gpus"]}
        return sum(
            int(min(machine.get(kind, 0) // need for kind, need in needs.items() if need))
            for machine in self._machines()
        )

    def _most_cores(self) -> int:
        return int(max((machine.get("CPU", 0) for machine in self._machines()), default=0))

    def _wanted(self) -> str:
        gpu = " and a GPU" if self._options["num_gpus"] else ""
        return f"{number_of(self._options['num_cpus'], 'core')}{gpu}"

    def check(self, job: object) -> None:
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
        self._actors[self._started], self._begins[actor.machine.remote()] = actor, self._started
        self._look_at, self._told = monotonic() + _PATIENCE, False
        return self._started

    def _see_to_waiting(self) -> None:
        """Say that workers have not begun after a while, once for each time that some were started.

        Raises:
            ClusterError: a worker was lost, and no machine has room for another.
        """
        if not self._begins or monotonic() < self._look_at:
            return
        self._look_at = monotonic() + _PATIENCE
        if self._lost and not self._room():
            raise ClusterError(
                f"no machine that is left in the cluster has {self._wanted()} for a worker ({self._lost}): bring one"
                f" back with ray start --address {self._ray.get_runtime_context().gcs_address}; the same command"
                " continues"
            )
        if self._told:
            return
        self._told = True
        waiting = len(self._begins)
        of, free = number_of(len(self._actors), "worker"), number_of(self._options["num_cpus"], "free core")
        self._notify(
            f"{waiting} of {of} {agreeing(waiting, 'has', 'have')} not begun: their processes are being started, or"
            f" wait for room in the cluster ({free} each); the audit goes on with the others, if there are any"
        )

    def send(self, worker: int, shard: Shard) -> None:
        """Give a shard to a worker, see `Workers`."""
        options = {"num_returns": "streaming", "_generator_backpressure_num_objects": _AHEAD}
        self._streams[self._actors[worker].search.options(**options).remote(shard)] = worker

    def next_event(self) -> tuple[int, Batch | WorkerLost | None]:
        """Wait for the next event, see `Workers`."""
        ready: list[Any] = []
        while not ready:
            timeout = _PATIENCE if self._begins else None
            ready, _ = self._ray.wait([*self._begins, *self._streams], num_returns=1, timeout=timeout)
            self._see_to_waiting()
        (source,) = ready
        worker = self._begins[source] if source in self._begins else self._streams[source]
        try:
            if source in self._begins:
                self.shares[worker] = WorkerShare(self._ray.get(source))
                del self._begins[source]
                return worker, None
            batch: Batch = self._ray.get(next(source))
        except StopIteration:
            del self._streams[source]
            return worker, None
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ZoomError):
                raise error.cause from None
            raise ClusterError(
                f"a worker failed ({type(error.cause).__name__}: {one_line(error.cause)}); the same command continues"
            ) from error
        except self._ray.exceptions.RayError as error:
            self._begins.pop(source, None)
            self._streams.pop(source, None)
            # Between what happened and why Ray names the actor, by numbers that nobody needs, in lines with a tab.
            reason = one_line(" ".join(line for line in str(error).splitlines() if not line.startswith("\t")))
            return worker, self._lose(worker, reason)
        self.shares[worker].add(batch)
        return worker, batch

    def _lose(self, worker: int, reason: str) -> WorkerLost:
        """Let a worker go that cannot be reached, and say so."""
        self._ray.kill(self._actors.pop(worker))
        name = f"worker {worker}"
        if worker in self.shares:
            self.shares[worker].lost = reason
            name += f" on {self.shares[worker].machine}"
        self._lost = f"{name} was lost: {reason}"
        self._notify(f"{name} was lost ({reason}): what it had not sent goes to another")
        return WorkerLost(reason)

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

    def machine(self) -> str:
        """Return the address of the machine."""
        address: str = _import_ray().util.get_node_ip_address()
        return address

    def search(self, shard: Shard) -> Iterator[Batch]:
        """Yield the batches of a shard, each with the time that it took, waits for who takes them left out."""
        begun = monotonic()
        if self._work is None:
            self._work = self._job()
        for batch in self._work(shard):
            yield batch._replace(seconds=monotonic() - begun)
            begun = monotonic()


def _import_ray() -> Any:
    return imported("ray", ClusterError, "a cluster cannot be used", install="zoom-engine[cluster]")
