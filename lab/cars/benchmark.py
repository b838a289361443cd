"""``python -m lab.cars.benchmark``: do audits of the cars' targets find what was planted?"""

from __future__ import annotations

from lab.benchmark import Benchmark
from lab.cars.evaluate import EVALUATION

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
