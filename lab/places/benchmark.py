"""``python -m lab.places.benchmark``: do audits of the places' targets find what was planted?"""

from __future__ import annotations

from lab.benchmark import Benchmark
from lab.places.evaluate import EVALUATION

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
