"""What a forward and backward pass at 1024² takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zoom_engine import ops

CODE = """
import sys
sys.path[:0] = ["bench"]
import torch
from memory import peak_of
from synthesis import network, work_inputs, work_of
generator = network(1024)
styles = work_inputs(generator, 1)
print(peak_of(lambda: work_of("forward_backward", generator.synthesis)(styles)))
print(peak_of(lambda: work_of("forward", generator.synthesis)(styles)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])
def test_1024_needs_less_than_one_and_a_half_gigabytes_beyond_the_weights(request: pytest.FixtureRequest) -> None:
    result = subprocess.run(
        [sys.executable, "-c", CODE], cwd=request.config.rootpath, capture_output=True, text=True, check=True
    )
    both, forward = map(int, result.stdout.split())
    assert 2e8 < both < 1.5e9
    # Nothing is kept without gradients: two images of the largest layers are alive at a time.
    assert forward < 0.5e9
