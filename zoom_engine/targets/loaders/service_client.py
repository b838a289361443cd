"""A client that asks a service over HTTP, again and again where that can help, and counts what goes wrong."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from zoom_engine.common.errors import ConfigError, TargetError, imported, one_line
from zoom_engine.common.plurals import tries_in_words
from zoom_engine.common.threads import leave_behind, tell_of_forks
from zoom_engine.settings.model_settings import ServiceSettings, check_headers

Answer = TypeVar("Answer")
Question = TypeVar("Question")

LARGEST = 64 << 20  # bytes of an answer
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # seconds between two tries
LONGEST_CONNECT = 4.0  # seconds; nothing ends that early, Ctrl-C neither
_PLACE = re.compile(r"^\w+\(host=.*?\): ")
"""How urllib3 begins what it says: by the name of a class, and the address."""
BAD_ANSWERS = 3  # tries for a picture whose answers come, but cannot be read
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The statuses after which the same question may be answered (RFC 9110, RFC 6585); others are reported at once."""


class BadAnswerError(Exception):
    """An answer that cannot be used; `kind` says which of the counts it belongs to."""

    def __init__(self, kind: str, text: str) -> None:
        """Keep the kind beside the text."""
        super().__init__(text)
        self.kind = kind


class GivenUpError(TargetError):
    """Another thread met what ends the work, and says it."""


class LateError(Exception):
    """A question took longer than an answer may, whatever had come of it."""


class Flight:
    """A question on its way. `cut` ends it from another thread: the thread that waits for its bytes wakes at once."""

    def __init__(self) -> None:
        """Begin without a socket."""
        self.ended: Exception | None = None
        self._socket: Any = None
        self._lock = threading.Lock()

    def over(self, connected: object) -> None:
        """Note the socket that it goes over; None: over none."""
        with self._lock:
            self._socket = connected
            self._shut()

    def cut(self, why: Exception) -> None:
        """End it, now or when it has a socket."""
        with self._lock:
            self.ended = self.ended or why
            self._shut()

    def _shut(self) -> None:
        if self.ended is not None and self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # of TLS too: without a farewell


class ServiceClient:
    """A client that posts bodies to one URL; may be called by several threads.

    It counts how its tries end, see `audit.service_file`.
    """

    def __init__(self, url: str, name: str, settings: ServiceSettings, headers: Mapping[str, str]) -> None:
        """Prepare for one service; nothing is sent yet.

        Args:
            url: where bodies are posted.
            name: what messages call the service.
            settings: how it is asked.
            headers: sent beside those of the settings.

        Raises:
            TargetError: urllib3 is missing, or a header names an environment variable that is not set, or that holds
                what no header can.
        """
        self._urllib3 = imported("urllib3", TargetError, "a service cannot be asked", install="zoom-engine[service]")
        self.name, self.settings = name, settings
        self._tries: Counter[str] = Counter()
        read = {key: _from_environment(text) for key, text in settings.headers.items()}
        try:
            check_headers(read)
        except ConfigError as error:
            raise TargetError(str(error)) from None
        self._headers = {**headers, **read}
        self._url, self._next = url, 0.0
        try:
            self._path = self._urllib3.util.parse_url(url).request_uri
            self._begin()
        except self._urllib3.exceptions.LocationValueError as error:
            raise TargetError(f"the address of service {name} is none ({one_line(error, 120)})") from error
        tell_of_forks(self)

    @property
    def address(self) -> tuple[str, str]:
        """Return scheme and query of the URL, which its name leaves out: a query may hold a secret."""
        place = urlsplit(self._url)
        return place.scheme, place.query

    def _begin(self) -> None:
        """Begin with no connection, and nothing on its way."""
        self._here = threading.local()
        self._pool = self._urllib3.connection_from_url(self._url, maxsize=self.settings.at_once, retries=False)
        self._pool.ConnectionCls = _watched(self._pool.ConnectionCls, self._here)
        self._flights = set[Flight]()
        self._given_up = threading.Event()
        self._lock = threading.Lock()

    def forked(self) -> None:
        """Begin again in a forked child, see `common.threads`."""
        # Of a connection that two processes ask on, each may read the other's answer.
        leave_behind(self._pool)
        self._begin()

    def ask(self, body: bytes, headers: Mapping[str, str], read: Callable[[bytes], Answer]) -> Answer:
        """Return what `read` makes of the answer to `body`.

        Args:
            body: of the request.
            headers: of the request, beside the client's.
            read: makes something of an answer's content; it raises `BadAnswerError` for one that it cannot use.

        Raises:
            TargetError: the service refuses, does not answer within `patience`, or gives no usable answer.
        """
        started, wait, bad, given_up = time.monotonic(), FIRST_WAIT, 0, self._given_up
        while True:
            self._take_turn(given_up)
            pause, why = None, ""
            try:
                status, content, again_in = self._post(body, headers)
                if status < 300:
                    answer = read(content)
                    self._count("answered")
                    return answer
                self._count("failed")
                why = f"status {status}"
                if status not in AGAIN:
                    excerpt = one_line(content[:200].decode("utf-8", "replace"), 120)
                    raise self._failed(f"service {self.name} refuses with status {status} ({excerpt})")
                pause = again_in
            except BadAnswerError as error:
                bad += 1
                self._count(error.kind)
                why = str(error)
                if bad == BAD_ANSWERS:
                    raise self._failed(f"service {self.name}: {why}") from error
            except (LateError, self._urllib3.exceptions.HTTPError, OSError) as error:
                late = isinstance(error, LateError | self._urllib3.exceptions.ReadTimeoutError)
                self._count("late" if late else "failed")
                why = f"no answer in {self.settings.timeout:g} s" if late else one_line(_PLACE.sub("", str(error)), 120)
                if (lasting := self._lasting(error)) is not None:
                    raise self._failed(f"service {self.name} {lasting}") from error
            left = started + self.settings.patience - time.monotonic()
            if left <= 0:
                raise self._failed(
                    f"service {self.name} has not answered for {self.settings.patience:g} s (last: {why};"
                    f" {tries_in_words(self.tries())}): when it does, the same command continues from here"
                )
            if given_up.wait(min(pause or wait * random.uniform(0.5, 1.5), LONGEST_WAIT, left)):
                raise self._over()
            wait = min(2 * wait, LONGEST_WAIT)

    def answers(self, ask: Callable[[Question], Answer], questions: Sequence[Question]) -> list[Answer]:
        """Return what `ask`, which calls this client, returns for each question; `at_once` of them at a time.

        Raises:
            TargetError: the first that `ask` raises; the others are given up.
        """
        self.open_again()
        with ThreadPoolExecutor(min(self.settings.at_once, max(len(questions), 1))) as threads:
            try:
                asked = [threads.submit(ask, question) for question in questions]
                errors = [error for answer in asked if (error := answer.exception()) is not None]
            except BaseException:  # such as Ctrl-C
                self.give_up()
                raise
        if errors:
            raise next((error for error in errors if not isinstance(error, GivenUpError)), errors[0])
        return [answer.result() for answer in asked]

    def tries(self) -> dict[str, int]:
        """Return how many tries ended as which kind so far."""
        with self._lock:
            return dict(self._tries)

    def give_up(self) -> None:
        """Make all threads that still ask raise at once, also in the middle of an answer."""
        self._given_up.set()
        with self._lock:
            for flight in self._flights:
                flight.cut(self._over())

    def open_again(self) -> None:
        """Allow asking again after `give_up`. Threads that were told to end are not called back."""
        self._given_up = threading.Event()

    def _over(self) -> GivenUpError:
        return GivenUpError(f"service {self.name} was given up")

    def _failed(self, text: str) -> TargetError:
        """Return the error that ends the work.

        Others ask nothing more, and count what comes of what they have asked.
        """
        self._given_up.set()
        return TargetError(self._unsaid(text))

    def _unsaid(self, text: str) -> str:
        """Return the text without the headers' values: a service may say again what it was told."""
        secrets = {part for value in self._headers.values() for part in (value, *value.split()) if len(part) >= 6}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "(not shown)")
        return text

    def _lasting(self, error: Exception) -> str | None:
        """Return why asking again cannot help, in words; None where it can."""
        inner = error.args[0] if isinstance(error, self._urllib3.exceptions.SSLError) and error.args else None
        if isinstance(inner, ssl.SSLCertVerificationError):
            reason = inner.verify_message.rstrip(".") or one_line(inner, 120)
            return (
                f"cannot be trusted, its certificate is not verified ({reason}): name a file with its authority's"
                " certificate in SSL_CERT_FILE, and the service by the name that its certificate is for"
            )
        if isinstance(inner, ssl.SSLError) and inner.reason == "WRONG_VERSION_NUMBER":
            return "speaks no TLS: write http:// where it speaks HTTP alone"
        return None

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, float | None]:
        """Post one body; LateError after `timeout` seconds, whatever the service still sends."""
        with self._flight() as flight:
            limits = self._urllib3.Timeout(
                connect=min(self.settings.timeout, LONGEST_CONNECT), read=self.settings.timeout
            )
            response = self._pool.urlopen(
                "POST",
                self._path,
                body=body,
                headers={**headers, **self._headers},
                timeout=limits,
                redirect=False,
                preload_content=False,
            )
            try:
                content = response.read(LARGEST + 1, decode_content=False)
                content += response.read(1, decode_content=False)  # raises where less came than was promised
                if len(content) > LARGEST:
                    raise BadAnswerError("unreadable", f"an answer has more than {LARGEST >> 20} MB")
                if flight.ended is not None:  # an answer without a length ends where it was cut
                    raise flight.ended
                packed = response.headers.get("Content-Encoding", "identity")
                if packed.lower() != "identity" and response.status < 300:
                    raise BadAnswerError(
                        "unreadable", f"its answer is compressed ({one_line(packed, 40)}), which was not asked for"
                    )
                after = response.headers.get("Retry-After", "")
                response.release_conn()
                return response.status, content, float(after) if after.isdecimal() else None
            except BaseException:
                response.close()
                raise

    @contextlib.contextmanager
    def _flight(self) -> Iterator[Flight]:
        """Yield a question of this thread, which ends when its time is over and when it is given up."""
        flight = Flight()
        clock = threading.Timer(self.settings.timeout, flight.cut, [LateError()])
        clock.daemon = True
        with self._lock:
            self._flights.add(flight)
        self._here.flight = flight
        clock.start()
        try:
            if self._given_up.is_set():
                raise self._over()
            yield flight
        except (self._urllib3.exceptions.HTTPError, OSError) as error:
            if flight.ended is not None:
                raise flight.ended from error
            raise
        finally:
            clock.cancel()
            flight.over(None)
            with self._lock:
                self._flights.discard(flight)

    def _count(self, kind: str) -> None:
        with self._lock:
            self._tries[kind] += 1

    def _take_turn(self, given_up: threading.Event) -> None:
        """Wait until the rate allows another request."""
        if given_up.is_set():
            raise self._over()
        if self.settings.rate is None:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self.settings.rate
        if given_up.wait(turn - now):
            raise self._over()


def connect(spec: str, settings: ServiceSettings) -> ServiceClient:
    """Return a client of the service at "http://USER:PASSWORD@HOST:PORT/PATH"; nothing is sent yet.

    Raises:
        TargetError: it is no such address, and as `ServiceClient`.
    """
    place = _place(spec)
    name = f"{place.hostname}{f':{place.port}' if place.port else ''}{place.path}".rstrip("/")
    plain = urlunsplit(place._replace(netloc=place.netloc.rpartition("@")[2]))
    return ServiceClient(plain, name, settings, _authorisation(place))


def _place(spec: str) -> SplitResult:
    try:
        place = urlsplit(spec)
        if place.scheme not in ("http", "https") or not place.hostname or (place.port or 1) < 1:
            raise ValueError
    except ValueError:
        shown = one_line(re.sub(r"//.*@", "//", spec, flags=re.DOTALL), 80)  # without a password
        raise TargetError(f"{shown!r} is no address of a service: write http://HOST:PORT/PATH") from None
    return place


def _authorisation(place: SplitResult) -> dict[str, str]:
    """Return the header for "https://USER:PASSWORD@HOST", by the Basic scheme (RFC 7617)."""
    if place.username is None:
        return {}
    text = f"{unquote(place.username)}:{unquote(place.password or '')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def _watched(connection: type[Any], here: threading.local) -> type[Any]:
    """Return that class of connections, each of which tells the flight of its thread over which socket it goes."""

    class Watched(connection):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            here.flight.over(self.sock)

        def request(self, *about: object, **options: object) -> None:
            here.flight.over(self.sock)  # of an earlier question; None before it connects
            super().request(*about, **options)

    return Watched


def _from_environment(text: str) -> str:
    """Return a header's value; for "$NAME" the environment's, so that no secret is written down."""
    if not text.startswith("$"):
        return text
    try:
        return os.environ[text[1:]]
    except KeyError:
        raise TargetError(f"a header of the service names the environment variable {text[1:]}: set it") from None
