"""The thread that owns the models: the newest request wins, and nothing ends it but its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from explored import failing, light

from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.messages import Curve, Keep, Picked, Search, Show, Stop
from zoom_engine.commands.explore.sources import Explored
from zoom_engine.commands.explore.worker import Client, Worker
from zoom_engine.common.errors import TargetError

SEED = Picked(seed=1)


def show(sequence: int, **options: Any) -> Show:
    return Show(image=SEED, weights=(float(sequence % 8), 0.0, 0.0), sequence=sequence, **options)


class Page:
    """A client, and what came to it."""

    def __init__(self, worker: Worker) -> None:
        self._woken = threading.Event()
        self.client = Client(self._woken.set)
        self.headers: list[dict[str, Any]] = []
        worker.add(self.client)

    def until(self, kind: str, seconds: float = 30.0) -> dict[str, Any]:
        """The next header of a kind."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._woken.wait(0.2)
            self._woken.clear()
            for content in self.client.take():
                size = int.from_bytes(content[:4], "big")
                self.headers.append(json.loads(content[4 : 4 + size]))
            for place, header in enumerate(self.headers):
                if header["kind"] == kind:
                    return self.headers.pop(place)
        raise AssertionError(f"no {kind} came, but {[header['kind'] for header in self.headers]}")


@contextmanager
def working(explorer: Explorer) -> Iterator[Worker]:
    worker = Worker(explorer)
    worker.start()
    try:
        yield worker
    finally:
        worker.close()
        assert not worker.is_alive()


def test_the_newest_request_wins(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one picture is drawn, requests replace one another; the last one is drawn next."""
    begun, may_end, drawn = threading.Event(), threading.Event(), []
    shown = explorer.shown

    def slow(image: Picked, weights: Any, **options: Any) -> Any:
        drawn.append(weights[0])
        begun.set()
        assert may_end.wait(30)
        return shown(image, weights, **options)

    monkeypatch.setattr(explorer, "shown", slow)
    with working(explorer) as worker:
        page = Page(worker)
        worker.ask(page.client, show(1))
        assert begun.wait(30)
        for sequence in range(2, 7):
            worker.ask(page.client, show(sequence, original=sequence == 2))
        may_end.set()
        while page.until("show")["sequence"] != 6:
            pass
        assert page.until("scores")["sequence"] == 6
    assert drawn == [1, 6]


def test_an_unedited_picture_that_was_asked_for_is_not_lost(explorer: Explorer) -> None:
    worker = Worker(explorer)
    page = Page(worker)
    worker.ask(page.client, show(1, original=True))
    worker.ask(page.client, show(2))
    assert page.client.show is not None
    assert (page.client.show.sequence, page.client.show.original) == (2, True)


@pytest.mark.parametrize("error", [ValueError("no\nface"), TargetError("the service is gone"), MemoryError()])
def test_a_target_that_raises_is_a_line_and_the_server_lives(
    explored_of: Callable[..., Explored], error: Exception
) -> None:
    explored = explored_of(light())
    with working(Explorer(failing(explored, error))) as worker:
        page = Page(worker)
        worker.ask(page.client, show(1))
        told = page.until("error")
        assert (told["of"], told["sequence"]) == ("show", 1)
        assert "\n" not in told["text"]
        worker.ask(page.client, Search(image=SEED, target=0))
        assert page.until("error")["of"] == "search"
        assert page.client.search is None
        worker.explorer = Explorer(explored)
        worker.ask(page.client, show(2))
        assert page.until("show")["sequence"] == 2


def test_a_search_can_be_stopped_and_pictures_do_not_wait_for_it(explorer: Explorer) -> None:
    with working(explorer) as worker:
        page, other = Page(worker), Page(worker)
        worker.ask(page.client, Search(image=SEED, target=0))
        page.until("step")
        worker.ask(other.client, show(1))
        assert other.until("show")["sequence"] == 1
        worker.ask(page.client, Stop())
        assert page.until("result")["flipped"] in (None, True, False)
        assert page.client.search is None
        worker.ask(page.client, Curve(image=SEED, weights=(0.0,) * 3, attribute=1, low=-8.0, high=8.0, sequence=4))
        assert page.until("curve")["attribute"] == 1
        worker.ask(page.client, Keep(image=SEED, weights=(1.0, 0.0, 0.0)))
        assert page.until("keep")["name"] == "seed-1-edited.png"


def test_what_a_page_that_is_gone_asked_for_ends(explorer: Explorer) -> None:
    with working(explorer) as worker:
        page, other = Page(worker), Page(worker)
        worker.ask(page.client, Search(image=SEED, target=0))
        worker.remove(page.client)
        assert page.client.search is None
        worker.ask(other.client, show(1))
        assert other.until("show")["sequence"] == 1
