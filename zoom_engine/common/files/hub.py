"""Published files of the Hugging Face hub: from its cache, and fetched where the user asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from zoom_engine.common.errors import ZoomError, one_line
from zoom_engine.common.threads import Turns

BY_OPTION = "fetch it with --download (download=True in Python)"
"""The advice in every error about something that is published and not on this machine."""


def cached(repository: str, file: str, *, revision: str | None = None) -> Path | None:
    """Return the path of a file in the hub's cache, None where it is not there.

    Raises:
        ValueError: the name of the repository is malformed.
    """
    cached = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision)
    return Path(cached) if isinstance(cached, str) else None


def fetch_first(repository: str, files: Sequence[str]) -> Path:
    """Fetch the first of `files` that `repository` has into the hub's cache and return its path.

    Whatever the hub raises is raised.
    """
    for file in files[:-1]:
        try:
            return Path(huggingface_hub.hf_hub_download(repository, file))
        except LocalEntryNotFoundError:  # the hub was not reached
            raise
        except EntryNotFoundError:
            continue
    return Path(huggingface_hub.hf_hub_download(repository, files[-1]))


def fetch_folder(repository: str, patterns: Sequence[str], *, revision: str | None = None) -> Path:
    """Fetch the files of `repository` that match `patterns` into the hub's cache and return their folder there."""
    return Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))


_reaching = Turns()
"""The turns of threads that set whether the hub may be reached: the setting belongs to the process."""


@contextlib.contextmanager
def offline(wanted: bool) -> Iterator[None]:
    """Make every request to the hub fail at once meanwhile, where `wanted`.

    Towers and tokenizers may name the hub's models.
    """
    constants = huggingface_hub.constants
    with _reaching.taken():
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = wanted or before
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def fetching(what: str, error: type[ZoomError], *, instead: str, allowed: bool = True) -> Iterator[None]:
    """Turn whatever a library raises while it fetches `what` into one line of `error`.

    Args:
        what: what is fetched, as the message begins.
        error: the class of the error.
        instead: what the user can do instead.
        allowed: whether the user has allowed the download; where not, the error is raised at once.
    """
    if not allowed:
        raise error(f"{what} is not on this machine: {BY_OPTION}, or {instead}")
    try:
        with _reaching.taken():
            yield
    except Exception as reason:  # of sockets, of HTTP, of each library
        raise error(f"{what} cannot be fetched ({one_line(reason)}): {instead}") from reason
