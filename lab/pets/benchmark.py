"""``python -m lab.pets.benchmark``: do audits of the pets' targets find what was planted?"""

from __future__ import annotations

from lab.benchmark import Benchmark
from lab.pets.evaluate import EVALUATION

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
