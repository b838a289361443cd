"""A local service for tests: a model behind HTTP that can fail, hang, answer nonsense and be restarted."""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Answer = Callable[[dict[str, str], bytes], Any]
"""Headers, the path as ":path" among them, and body of a request → what is sent as JSON; a tuple is (status, bytes),
None hangs, `Raw` is sent as it is."""


@dataclass(frozen=True)
class Raw:
    """The ``pieces`` go over the wire one by one, so many seconds apart; then the connection is closed."""

    pieces: Iterable[bytes]
    pause: float = 0.0


class Stand:
    """``received`` counts requests by what became of them; ``url`` is where it listens, on the same port each time,
    over TLS with the files of a ``certificate`` and its key."""

    def __init__(self, answer: Answer, *, hang: float = 1.0, certificate: tuple[Path, Path] | None = None) -> None:
        self.answer, self.hang, self.certificate = answer, hang, certificate
        self.received: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}/predict"

    def start(self) -> None:
        stand = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and content go one by one: the second waited 40 ms for the first

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.server is not stand._server:  # stopped: what was connected is cut off too
                    self.close_connection = True
                    return
                headers = {key.lower(): value for key, value in self.headers.items()} | {":path": self.path}
                with stand._lock:
                    stand.bodies.append(body)
                    stand.headers.append(headers)
                    reply = stand.answer(headers, body)
                    failed = isinstance(reply, tuple | Raw)
                    kind = "hung" if reply is None else "failed" if failed else "answered"
                    stand.received[kind] += 1
                if reply is None:
                    time.sleep(stand.hang)
                    self.close_connection = True
                    return
                if isinstance(reply, Raw):
                    self.close_connection = True
                    for piece in reply.pieces:
                        self.wfile.write(piece)
                        time.sleep(reply.pause)
                    return
                status, content = reply if isinstance(reply, tuple) else (200, json.dumps(reply).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def stand(answer: Answer, **options: Any) -> Iterator[Stand]:
    service = Stand(answer, **options)
    try:
        yield service
    finally:
        service.stop()


def pixels_of(png: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def json_picture(body: bytes, field: str = "image") -> Pixels:
    return pixels_of(base64.b64decode(json.loads(body)[field]))


def redness(pixels: Pixels) -> float:
    return float(pixels[..., 0].mean() / 255)


def in_turn(answers: Sequence[Any], then: Answer) -> Answer:
    """The ``answers`` one after the other, made where they are functions, and after them those of ``then``."""
    left = list(answers)

    def answer(headers: dict[str, str], body: bytes) -> Any:
        reply = left.pop(0) if left else then
        return reply(headers, body) if callable(reply) else reply

    return answer
