"""Asks a service over HTTP, again and again where that can help, and counts what goes wrong."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from zoom_engine.audit.model_settings import ServiceSettings
from zoom_engine.audit.service_file import tries_in_words
from zoom_engine.errors import TargetError, imported, one_line
from zoom_engine.threads import leave_behind, tell_of_forks

Answer = TypeVar("Answer")

LARGEST = 64 << 20  # bytes of an answer
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # seconds between two tries
BAD_ANSWERS = 3  # tries for a picture whose answers come, but cannot be read
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same question may be answered (RFC 9110, RFC 6585); others are told at once."""


class BadAnswerError(Exception):
    """An answer that cannot be used; ``kind`` says which of the counts it belongs to."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class GivenUpError(TargetError):
    """Another thread met what ends the work, and says it."""


class ServiceClient:
    """Posts bodies to one URL; may be called by several threads.

    It counts how its tries end, see `audit.service_file`.

    Raises:
        TargetError: urllib3 is missing, or a header names an environment variable that is not set.
    """

    def __init__(self, url: str, name: str, settings: ServiceSettings, headers: Mapping[str, str]) -> None:
        self._urllib3 = imported("urllib3", TargetError, "a service cannot be asked", install="zoom-engine[service]")
        self.name, self.settings = name, settings
        self._tries: Counter[str] = Counter()
        self._url = url
        self._headers = {**headers, **{key: _from_environment(text) for key, text in settings.headers.items()}}
        self._next = 0.0
        self._begin()
        tell_of_forks(self)

    def _begin(self) -> None:
        """With no connection."""
        self._pool = self._urllib3.PoolManager(maxsize=self.settings.at_once, retries=False)
        self._given_up = threading.Event()
        self._lock = threading.Lock()

    def forked(self) -> None:
        """See `zoom_engine.threads`: of a connection that two processes ask on each may read the other's answer."""
        leave_behind(self._pool)
        self._begin()

    def ask(self, body: bytes, headers: Mapping[str, str], read: Callable[[bytes], Answer]) -> Answer:
        """What ``read`` makes of the answer to ``body``; ``read`` raises `BadAnswerError` for one that it cannot use.

        Raises:
            TargetError: the service refuses, does not answer within ``patience``, or gives no usable answer.
        """
        started, wait, bad = time.monotonic(), FIRST_WAIT, 0
        while True:
            self._take_turn()
            pause, why = None, ""
            try:
                status, content, again_in = self._post(body, headers)
                if status < 300:
                    found = read(content)
                    self._count("answered")
                    return found
                self._count("failed")
                why = f"status {status}"
                if status not in AGAIN:
                    excerpt = one_line(content[:200].decode("utf-8", "replace"), 120)
                    raise self._broken(f"service {self.name} refuses with status {status} ({excerpt})")
                pause = again_in
            except BadAnswerError as error:
                bad += 1
                self._count(error.kind)
                why = str(error)
                if bad == BAD_ANSWERS:
                    raise self._broken(f"service {self.name}: {why}") from error
            except self._urllib3.exceptions.HTTPError as error:
                late = isinstance(error, self._urllib3.exceptions.ReadTimeoutError)
                self._count("late" if late else "failed")
                why = f"no answer in {self.settings.timeout:g} s" if late else one_line(error, 120)
            left = started + self.settings.patience - time.monotonic()
            if left <= 0:
                raise self._broken(
                    f"service {self.name} has not answered for {self.settings.patience:g} s (last: {why};"
                    f" {tries_in_words(self.tries())}): when it does, the same command goes on from here"
                )
            if self._given_up.wait(min(pause or wait * random.uniform(0.5, 1.5), LONGEST_WAIT, left)):
                raise GivenUpError(f"service {self.name} was given up")
            wait = min(2 * wait, LONGEST_WAIT)

    def tries(self) -> dict[str, int]:
        """How many tries ended as which kind so far."""
        with self._lock:
            return dict(self._tries)

    def give_up(self) -> None:
        """Whoever still asks raises within moments."""
        self._given_up.set()

    def open_again(self) -> None:
        """After `give_up`: ask on."""
        self._given_up.clear()

    def _broken(self, text: str) -> TargetError:
        self.give_up()
        return TargetError(text)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, float | None]:
        response = self._pool.request(
            "POST",
            self._url,
            body=body,
            headers={**headers, **self._headers},
            timeout=self.settings.timeout,
            redirect=False,
            preload_content=False,
        )
        try:
            content = response.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise BadAnswerError("unreadable", f"an answer has more than {LARGEST >> 20} MB")
            after = response.headers.get("Retry-After", "")
            return response.status, content, float(after) if after.isdecimal() else None
        finally:
            response.release_conn()

    def _count(self, kind: str) -> None:
        with self._lock:
            self._tries[kind] += 1

    def _take_turn(self) -> None:
        """Wait until the rate allows another request."""
        if self.settings.rate is None:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self.settings.rate
        if self._given_up.wait(turn - now):
            raise GivenUpError(f"service {self.name} was given up")


def _from_environment(text: str) -> str:
    """A header's value; "$NAME" is what the environment has there, so that no secret is written down."""
    if not text.startswith("$"):
        return text
    try:
        return os.environ[text[1:]]
    except KeyError:
        raise TargetError(f"a header of the service names the environment variable {text[1:]}: set it") from None
