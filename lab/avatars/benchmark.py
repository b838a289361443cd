"""``python -m lab.avatars.benchmark``: do audits of the avatars' targets find what was planted?"""

from __future__ import annotations

from lab.avatars.evaluate import EVALUATION
from lab.benchmark import Benchmark

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
