"""The errors that a user can meet: each message is one line that says what is wrong and what to do."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any


class ZoomError(Exception):
    """Base of every error that zoom-engine raises on purpose; `exit_code` is the command line's."""

    exit_code = 1


class ConfigError(ZoomError):
    """An option, or a combination of options, that cannot be run."""


class CheckpointError(ZoomError):
    """A generator checkpoint that is damaged, incomplete or not understood."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint that asks to run code; there is no option to override the refusal."""


class TextEncoderError(ZoomError):
    """A text encoder that cannot be found or loaded."""


class DirectionError(ZoomError):
    """An attribute for which no usable edit direction exists."""


class TargetError(ZoomError):
    """A target model that cannot be loaded, or whose outputs make no sense."""


class BackendError(ZoomError):
    """A backend that was asked for by name and cannot run here."""


class ForkError(ZoomError):
    """A forked child that cannot audit: what its parent was doing holds locks for ever there."""


class CacheError(ZoomError):
    """A cache folder that cannot be read or written: the user's to mend, whatever work it is for."""


class ExportError(ZoomError):
    """A model that cannot be exported, or whose exported form does not do what torch does."""


class AuditError(ZoomError):
    """An audit folder that cannot be written, resumed or read."""


class ClusterError(ZoomError):
    """A cluster that cannot be used, or that loses its workers."""


class TrackingError(ZoomError):
    """A tracking server that cannot be used."""


class PhotographError(ZoomError):
    """A photograph that cannot be read or drawn, or a file of landmarks that cannot be read."""


class EditorError(ZoomError):
    """An editor of pictures that cannot be loaded, or whose pictures are none."""


class GateError(ZoomError):
    """A gate that cannot judge: rules or audits that it cannot read, or audits that do not compare."""

    exit_code = 2


def one_line(error: BaseException | str, limit: int = 240) -> str:
    """Return what an error or a text says, on one printable line of at most `limit` characters.

    A longer text keeps its beginning and its end: some libraries put the reason first, some last.
    """
    text = " ".join(str(error).split())
    if not text and isinstance(error, BaseException):
        return type(error).__name__
    if len(text) > limit:
        text = f"{text[: limit // 3]} … {text[len(text) - 2 * limit // 3 + 3 :]}"
    return "".join(character if character.isprintable() else "?" for character in text)


@contextlib.contextmanager
def system_errors(refusal: type[ZoomError], what: str, *, advice: str = "") -> Iterator[None]:
    """Turn an `OSError` into a `refusal`: `what` cannot be done, the system's reason, and the `advice`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise refusal(f"{what}: {reason[:1].lower()}{reason[1:]}{advice}") from error


def imported(module: str, refusal: type[ZoomError], what: str, *, install: str) -> Any:
    """Import an optional module late and return it.

    Args:
        module: its name.
        refusal: the class of the error.
        what: what it is needed for, as the message begins.
        install: the distribution that brings it.

    Raises:
        ZoomError: the `refusal`, where the module is missing or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        missing = isinstance(error, ModuleNotFoundError) and error.name == package  # not what it imports itself
        reason = "is not installed" if missing else f"cannot be imported ({one_line(error)})"
        raise refusal(f"{what}: {package} {reason}; pip install '{install}'") from error
