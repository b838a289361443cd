"""Whole audits by threads at the same time, in forked children and in processes that begin with nothing."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from children import directions_of, in_child, on_two_threads, small_audit

from zoom_engine import ops
from zoom_engine.common.progress import Progress, silent

pytestmark = [pytest.mark.slow, pytest.mark.forks, pytest.mark.usefixtures("two_torch_threads")]

SECONDS = 240.0  # of a small audit on a machine that has much else to do
OPTIONS: dict[str, dict[str, Any]] = {
    "auto": {},
    "auto with gradients": {"mode": "multi"},
    "native": {"backend": "native"},
    "torch": {"backend": "torch"},
    "openvino": {"backend": "openvino"},
    "onnxruntime": {"backend": "onnxruntime"},
}


@cache
def of_this_process(domain: str = "avatars", **options: Any) -> list[str]:
    """The records of a small audit in this process, which makes it once."""
    return small_audit(domain, **options)


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.experiment, pytest.mark.timeout(0)])])
def test_eight_threads_audit_as_each_alone(rounds: int, tmp_path: Path) -> None:
    """Of both domains, in folders; those of one domain share its models and what is compiled of them."""
    domains = ["avatars", "pets"] * 4
    alone = {domain: of_this_process(domain) for domain in sorted(set(domains))}
    assert all(alone.values())
    for number in range(rounds):
        outs = [tmp_path / f"{number}-{thread}" for thread in range(8)]
        with ThreadPoolExecutor(8) as pool:
            records = list(pool.map(lambda domain, out: small_audit(domain, out=out), domains, outs))
        assert records == [alone[domain] for domain in domains]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_forked_child_audits_as_its_parent_did(name: str) -> None:
    if name in ("openvino", "onnxruntime"):
        pytest.importorskip(name)
    if name == "native" and not ops.native_available()[0]:
        pytest.skip("no native operators here")
    wanted = of_this_process(**OPTIONS[name])
    assert in_child(lambda: small_audit(**OPTIONS[name]), seconds=SECONDS) == wanted


def test_a_child_forked_while_another_thread_audits_ends_in_one_line() -> None:
    wanted = of_this_process()
    begun, go_on = threading.Event(), threading.Event()
    auditing: set[int] = set()

    def waiting(work: Any, description: str, **options: Any) -> Progress[Any]:
        if description.startswith("Searching"):
            auditing.add(threading.get_native_id())
            begun.set()
            go_on.wait(SECONDS)
        return silent(work, description, **options)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(small_audit, progress=waiting)
        assert begun.wait(SECONDS)
        kind, text = in_child(small_audit, seconds=SECONDS)
        go_on.set()
        assert other.result() == wanted
    assert (kind, "\n" in text) == ("ForkError", False)
    assert "spawn or forkserver" in text
    # A thread that Python has joined may still tidy up MKL's memory: a child forked then would wait for that for ever.
    while any(Path(f"/proc/self/task/{thread}").exists() for thread in auditing):
        time.sleep(0.01)
    assert in_child(small_audit, seconds=SECONDS) == wanted


@pytest.mark.parametrize("way", ["spawn", "forkserver"])
def test_a_process_that_begins_with_nothing_audits_as_this_one_does(way: str) -> None:
    wanted = of_this_process()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(way)) as pool:
        records = pool.submit(on_two_threads, "avatars", directions_of("avatars")).result(SECONDS)
    assert records == wanted


class Answers(BaseHTTPRequestHandler):
    """A web service whose every answer is an audit's records."""

    def do_GET(self) -> None:
        body = json.dumps(small_audit(self.path.strip("/"))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def asked(server: HTTPServer, domain: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=SECONDS)
    try:
        connection.request("GET", f"/{domain}")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_a_web_server_audits_in_a_thread_of_each_request() -> None:
    domains = ["avatars", "pets", "avatars"]
    wanted = [of_this_process(domain) for domain in domains]
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server, ThreadPoolExecutor(3) as pool:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert list(pool.map(partial(asked, server), domains)) == wanted
        finally:
            server.shutdown()


@contextmanager
def forked_workers(server: HTTPServer, count: int) -> Iterator[None]:
    """So many children that answer at the server's address, as those of a server that loads first and forks then."""
    children = []
    for _ in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                server.serve_forever()
            finally:
                os._exit(1)
        children.append(child)
    try:
        yield
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_workers_that_a_web_server_forks_after_an_audit_audit_too() -> None:
    wanted = of_this_process()
    with HTTPServer(("127.0.0.1", 0), Answers) as server, forked_workers(server, 2), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(partial(asked, server), ["avatars"] * 2)) == [wanted] * 2


def test_a_data_loaders_workers_compute_after_an_audit() -> None:
    assert of_this_process()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loader = torch.utils.data.DataLoader(
            torch.arange(8.0),
            batch_size=4,
            num_workers=2,
            collate_fn=_product,
            multiprocessing_context="fork",
            timeout=60,
        )
        assert [float(row) for row in loader] == [500.0, 500.0]


def _product(_: list[torch.Tensor]) -> torch.Tensor:
    return (torch.ones(500, 500) @ torch.ones(500, 500))[0, 0]
