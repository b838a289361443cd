"""What comes before the work of a command: a sign of life, and torch's threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.imports import importing
from zoom_engine.common.progress import ProgressFactory, forced
from zoom_engine.common.threads import check_number_of_threads


@contextlib.contextmanager
def starting(progress: ProgressFactory = forced) -> Iterator[None]:
    """Show a sign of life at once around imports that take seconds, such as torch's."""
    with progress(1, "Starting", unit="step") as bar, importing():
        yield
        bar.update()


def use_threads(threads: int | None, progress: ProgressFactory = forced) -> None:
    """Set torch's number of threads, which every runtime and the native operators follow."""
    if threads is None:
        return
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    with starting(progress):
        import torch

    check_number_of_threads(threads)
    torch.set_num_threads(threads)
