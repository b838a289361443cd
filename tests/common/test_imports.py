"""Imports that take seconds, and how a process ends."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from zoom_engine.common.imports import importing


@pytest.mark.parametrize("collected", [True, False])
def test_what_was_so_before_is_so_afterwards_even_where_an_import_fails(collected: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collected else gc.disable)()
        with importing():
            assert not gc.isenabled()
            with pytest.raises(ImportError), importing():
                raise ImportError
            assert not gc.isenabled()
        assert gc.isenabled() == collected
    finally:
        (gc.enable if before else gc.disable)()


def test_a_process_of_the_command_line_does_not_search_what_it_leaves() -> None:
    code = (
        "import gc, sys; sys.argv = ['zoom-engine', '--version']\n"
        "from zoom_engine.cli import main, run; assert main() == 0; assert not gc.get_freeze_count()\n"
        "code = run(); assert gc.get_freeze_count(); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2
