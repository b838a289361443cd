"""What a forward and backward pass at 1024² takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zoom_engine import ops

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from memory import peak_of
from synthesis import network, work_inputs, work_of
generator = network(1024)
styles = work_inputs(generator, 1)
print(peak_of(lambda: work_of("forward_backward", generator.synthesis)(styles)))
print(peak_of(lambda: work_of("forward", generator.synthesis)(styles)))
"""


@pytest.mark.slow(20)
@pytest.mark.ci
@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_1024_needs_less_than_one_and_a_half_gigabytes_beyond_the_weights(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Not in the checkout, whose package would hide the installed one.
    command = [sys.executable, "-c", CODE, str(request.config.rootpath / "bench")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    both, forward = map(int, result.stdout.split())
    assert 2e8 < both < 1.5e9
    # Nothing is kept without gradients: two images of the largest layers are alive at a time.
    assert forward < 0.5e9
