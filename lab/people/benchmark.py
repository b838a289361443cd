"""``python -m lab.people.benchmark``: do audits of the people's targets find what was planted?"""

from __future__ import annotations

from lab.benchmark import Benchmark
from lab.people.evaluate import EVALUATION

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
