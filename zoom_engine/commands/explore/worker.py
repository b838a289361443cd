"""The thread that owns the models, and the clients that it works for.

A client's newest request of a kind replaces the one before, so nothing piles up however fast a slider moves. Pictures
come first, of all clients in turn, then text scores. Curves and searches go on step by step while no slider moves, and
now and then while one does. What fails is a line in the client's page, and the thread goes on.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import msgspec

from zoom_engine.commands.explore.explorer import Edited, Explorer
from zoom_engine.commands.explore.messages import Curve, Keep, Request, Search, Show, Stop, Thumbnails, frame, read
from zoom_engine.common.errors import ZoomError, one_line
from zoom_engine.common.threads import working

LONGEST_JOB = 5.0  # seconds that the end waits for what is being done
OVERDUE = 0.25  # seconds after which text scores no longer wait for pictures
QUIET = 0.15  # seconds without a picture after which curves and searches go on
SELDOM = 0.5  # seconds after which they take a step even so
MOST_WAITING = 256  # frames beside those of which the newest counts, that a client has not taken
NEWEST = ("show", "scores", "curve", "thumbnails")
"""The kinds of which a client takes the newest alone."""


@dataclass(frozen=True)
class _Job:
    """What is to be done for a client: the kind of its request, that one's sequence, and the work."""

    client: Client
    kind: str
    sequence: int
    work: Callable[[], None]


class Client:
    """What one page asks for, and what waits to be sent to it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Begin with nothing asked for; `wake` is called from the worker's thread when there is something to send."""
        self._wake, self._lock = wake, threading.Lock()
        self._newest: OrderedDict[str, bytes] = OrderedDict()
        self._frames: deque[bytes] = deque()
        self.gone = False
        # What is asked for belongs to the worker's lock.
        self.show: Show | None = None
        self.edited: tuple[float, int, Edited] | None = None
        self.quick: OrderedDict[str, Request] = OrderedDict()
        self.curve: Iterator[bytes] | None = None
        self.search: Iterator[bytes] | None = None

    def post(self, kind: str, content: bytes) -> None:
        """Send a frame when the page takes it."""
        with self._lock:
            if kind in NEWEST:
                self._newest.pop(kind, None)
                self._newest[kind] = content
            elif len(self._frames) < MOST_WAITING:
                self._frames.append(content)
        self._wake()

    def take(self) -> list[bytes]:
        """Return what waits to be sent, in the order of its making."""
        with self._lock:
            waiting = [*self._newest.values(), *self._frames]
            self._newest.clear()
            self._frames.clear()
        return waiting


class Worker(threading.Thread):
    """The thread that calls the explorer."""

    def __init__(self, explorer: Explorer) -> None:
        """Prepare the thread; `start` begins it, `close` ends it."""
        super().__init__(name="explorer", daemon=True)
        self.explorer = explorer
        self._turn = threading.Condition()
        self._clients: deque[Client] = deque()
        self._closed = False
        self._last_show = self._last_step = -SELDOM

    def add(self, client: Client) -> None:
        """Work for a client, too."""
        with self._turn:
            self._clients.append(client)

    def remove(self, client: Client) -> None:
        """Forget a client, and end what it asked for."""
        with self._turn:
            client.gone = True
            client.search = client.curve = None
            self._clients.remove(client)

    def close(self) -> None:
        """End the thread after what it is doing."""
        with self._turn:
            self._closed = True
            self._turn.notify()
        if self.is_alive():
            self.join(LONGEST_JOB)

    def receive(self, client: Client, message: str | bytes) -> None:
        """Note what a client's message asks for, or answer in one line what is wrong with it."""
        try:
            self.ask(client, read(message, **self.explorer.limits))
        except ZoomError as error:
            client.post("error", frame("error", {"of": "request", "text": one_line(error), "sequence": 0}))

    def ask(self, client: Client, request: Request) -> None:
        """Note what a client asks for."""
        with self._turn:
            match request:
                case Show():
                    if client.show is not None and client.show.original and client.show.image == request.image:
                        request = msgspec.structs.replace(request, original=True)  # it was not answered yet
                    client.show = request
                case Curve():
                    client.curve = self._swept(request)
                case Search():
                    client.search = self._searched(request)
                case Stop():
                    if client.search is not None:
                        client.search = None
                        client.post("result", frame("result", {"flipped": None, "text": "Stopped."}))
                case Keep() | Thumbnails():
                    client.quick[type(request).__name__] = request
            self._turn.notify()

    def run(self) -> None:
        """Do what is asked for, the most urgent first, until `close`."""
        with working():
            while (job := self._next()) is not None:
                try:
                    job.work()
                except Exception as error:  # whatever a target or a package raises
                    text = one_line(error)
                    if not isinstance(error, ZoomError):
                        text = f"{type(error).__name__}: {text}"
                    header = {"of": job.kind, "text": text, "sequence": job.sequence}
                    job.client.post("error", frame("error", header))

    def _next(self) -> _Job | None:
        """Wait for something to do and return it; None at the end."""
        with self._turn:
            while not self._closed:
                if (job := self._most_urgent()) is not None:
                    return job
                pending = any(client.curve or client.search for client in self._clients)
                self._turn.wait(QUIET if pending else None)
        return None

    def _most_urgent(self) -> _Job | None:
        self._clients.rotate(-1)
        now = time.monotonic()
        ways = (partial(self._scoring, before=now - OVERDUE), self._showing, self._scoring, self._quick, self._stepping)
        jobs = (job for way in ways for client in self._clients if (job := way(client)) is not None)
        return next(jobs, None)

    def _showing(self, client: Client) -> _Job | None:
        show, client.show = client.show, None
        if show is None:
            return None
        self._last_show = time.monotonic()
        return _Job(client, "show", show.sequence, partial(self._show, client, show))

    def _scoring(self, client: Client, before: float = float("inf")) -> _Job | None:
        if client.edited is None or client.edited[0] > before:
            return None
        _, sequence, edited = client.edited
        client.edited = None
        return _Job(client, "scores", sequence, partial(self._score, client, sequence, edited))

    def _quick(self, client: Client) -> _Job | None:
        if not client.quick:
            return None
        _, request = client.quick.popitem(last=False)
        return _Job(client, type(request).__name__.lower(), 0, partial(self._do, client, request))

    def _stepping(self, client: Client) -> _Job | None:
        now = time.monotonic()
        if now - self._last_show < QUIET and now - self._last_step < SELDOM:
            return None
        for name, steps in (("curve", client.curve), ("search", client.search)):
            if steps is not None:
                self._last_step = now
                return _Job(client, name, 0, partial(self._step, client, name, steps))
        return None

    def _score(self, client: Client, sequence: int, edited: Edited) -> None:
        client.post("scores", frame("scores", {**self.explorer.scores(edited), "sequence": sequence}))

    def _show(self, client: Client, show: Show) -> None:
        (header, pictures), edited = self.explorer.shown(
            show.image, show.weights, target=show.target, original=show.original
        )
        client.post("show", frame("show", {**header, "sequence": show.sequence}, pictures))
        with self._turn:
            since = time.monotonic() if client.edited is None else client.edited[0]
            client.edited = since, show.sequence, edited

    def _do(self, client: Client, request: Request) -> None:
        if isinstance(request, Keep):
            name, content = self.explorer.file(request.image, request.weights)
            client.post("keep", frame("keep", {"name": name}, [content]))
        elif isinstance(request, Thumbnails):
            header, pictures = self.explorer.thumbnails(request.images)
            client.post("thumbnails", frame("thumbnails", header, pictures))

    def _step(self, client: Client, name: str, steps: Iterator[bytes]) -> None:
        """Take one step of a curve or a search; the last one, or one that fails, ends it."""
        content = None
        try:
            content = next(steps, None)
        finally:
            with self._turn:
                current = getattr(client, name) is steps
                if content is None and current:
                    setattr(client, name, None)
        if content and current:
            client.post("curve" if name == "curve" else "step", content)

    def _swept(self, curve: Curve) -> Iterator[bytes]:
        """Yield nothing while a curve is swept, then the curve."""
        steps = self.explorer.curve(curve.image, curve.weights, curve.attribute, curve.low, curve.high)
        for header in steps:
            yield frame("curve", {**header, "sequence": curve.sequence}) if header else b""

    def _searched(self, search: Search) -> Iterator[bytes]:
        """Yield each evaluated point of a search, then its result."""
        way = self.explorer.way(search.image, search.target)
        while True:
            try:
                header, pictures = next(way)
            except StopIteration as end:
                yield frame("result", {**end.value, "target": search.target})
                return
            yield frame("step", {**header, "target": search.target}, pictures)
