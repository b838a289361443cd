"""Processes that tests begin, each with an end: an audit small enough to run in one, and the ways to begin it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from zoom_engine import Diagnoser, find_directions, find_domain
from zoom_engine.directions import EditDirections

AUDITS = {"avatars": ("avatars:mustache", "a smiling face"), "pets": ("pets:dog", "a pet with a collar")}
HANGS = "hangs"


@cache
def directions_of(domain: str) -> EditDirections:
    """Rough ones: found of few pictures."""
    named: Any = find_domain(domain)
    _, attribute = AUDITS[domain]
    generator, encoder = named.generator(), named.text_encoder()
    return find_directions(generator, encoder, [attribute], neutral=named.neutral, samples=64, level=1.0)


def small_audit(domain: str = "avatars", *, out: Path | None = None, **options: Any) -> list[str]:
    """The records of an audit of one attribute on two images, as text."""
    target, attribute = AUDITS[domain]
    options = {"directions": directions_of(domain), "edit_range": "paper", "random_directions": 0, **options}
    audit = Diagnoser(generator=domain, target=target, attributes=[attribute], **options)
    records = audit.run(images=2, out=out).records
    return [json.dumps(record.to_json()) for record in sorted(records, key=lambda record: record.trial)]


def on_two_threads(domain: str, directions: EditDirections, **options: Any) -> list[str]:
    """`small_audit` in a process that begins with nothing."""
    torch.set_num_threads(2)
    return small_audit(domain, directions=directions, **options)


def in_child(work: Callable[[], Any], *, seconds: float) -> Any:
    """What ``work`` gives (JSON) in a forked child, or the class and the text of what it raises there; `HANGS` where it
    has not ended after so many ``seconds``."""
    read, write = os.pipe()
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        os.close(read)
        try:
            outcome = work()
        except BaseException as error:
            outcome = [type(error).__name__, str(error)]
        os.write(write, json.dumps(outcome).encode())
        os.close(write)
        os._exit(0)
    os.close(write)
    try:
        return _answer(child, read, time.monotonic() + seconds)
    finally:
        os.close(read)


def _answer(child: int, read: int, end: float) -> Any:
    os.set_blocking(read, False)
    content = b""
    while time.monotonic() < end:
        ended, _ = os.waitpid(child, os.WNOHANG)
        try:
            while part := os.read(read, 1 << 16):
                content += part
        except BlockingIOError:
            pass
        if ended:
            return json.loads(content)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HANGS
