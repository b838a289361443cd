"""``python -m zoom_engine.domains.avatars.benchmark``: do audits of the avatars' targets find what was planted?"""

from __future__ import annotations

from zoom_engine.domains.avatars.evaluate import EVALUATION
from zoom_engine.domains.benchmark import Benchmark

BENCHMARK = Benchmark(EVALUATION)

if __name__ == "__main__":
    BENCHMARK.command()
