"""The command `python -m zoom_engine.export --model FILE`, the first name of `zoom-engine export --generator FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from zoom_engine.cli import main as command_line

FIRST_NAMES = {"--model": "--generator", "--output": "--out"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = [token.partition("=") for token in (sys.argv[1:] if arguments is None else arguments)]
    return command_line(["export", *(FIRST_NAMES.get(name, name) + equals + value for name, equals, value in given)])


if __name__ == "__main__":
    sys.exit(main())
