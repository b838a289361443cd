"""``python -m zoom_engine.domains.pets.benchmark``: do audits of the pets' targets find what was planted?"""

from __future__ import annotations

from zoom_engine.domains.benchmark import Benchmark
from zoom_engine.domains.pets.evaluate import EVALUATION

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
