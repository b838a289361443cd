"""`zoom-engine completion`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="yours")], /) -> None:
    """Print a script that lets a shell complete commands and options.

    For bash, put this line into ~/.bashrc: eval "$(zoom-engine completion bash)"
    """
    from zoom_engine.cli import build_app

    print(build_app().generate_completion(shell=shell))
