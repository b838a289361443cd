"""``python bench/watched.py OUT.json COMMAND …``: run one command of zoom-engine's, and write what it spent on what.

It is the process of ``python -m zoom_engine COMMAND …`` with a thread that looks, fifty times a second, which part of
an audit the command is in: by the modules on its stack, so that no order of the parts is taken for granted. Each
picture counts for the part that asks for it, and so does the memory that the process holds then. A line on stderr says
when a part is over.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

from memory import peak, resident  # and so the engine before torch, as the command has it, whose threads wait asleep
from torch import Tensor

from zoom_engine.cli import main as command
from zoom_engine.runtime import Synthesizer

PARTS = ("loading", "directions", "calibration", "baseline", "bounds", "search", "gallery", "report", "rest")
MODULES = {
    "importlib": "loading",
    "zoom_engine.diagnose.models": "loading",
    "zoom_engine.directions": "directions",
    "zoom_engine.directions.calibration": "calibration",
    "zoom_engine.directions.baseline": "baseline",
    "zoom_engine.directions.image_bounds": "bounds",
    "zoom_engine.directions.natural_region": "bounds",
    "zoom_engine.directions.score_scale": "bounds",
    "zoom_engine.diagnose.trials": "bounds",
    "zoom_engine.search": "search",
    "zoom_engine.diagnose.gallery": "gallery",
    "zoom_engine.report": "report",
}
"""What the code of a module, or of a package but for what is named besides, works at."""
EVERY = 0.02  # seconds
SHORTEST = 0.5  # seconds: what is over sooner gets no line, and ends none


@functools.cache
def part_of_module(name: str) -> str | None:
    """The part that a module works at; None where others call it for several."""
    while name:
        if name in MODULES:
            return MODULES[name]
        name = name.rpartition(".")[0]
    return None


def part_of(frame: FrameType | None) -> str:
    """The part that asked for what happens in `frame`: the outermost on its stack."""
    part = None
    while frame is not None:
        part = part_of_module(frame.f_globals.get("__name__", "")) or part
        frame = frame.f_back
    return part or "rest"


class Watch(threading.Thread):
    """What the main thread's parts take, of a process that has been loading for ``age`` seconds."""

    def __init__(self, age: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._main = threading.main_thread().ident
        self._begun = time.perf_counter() - age
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu_seconds: dict[str, float] = defaultdict(float)
        self.pictures: dict[str, int] = defaultdict(int)
        self.memory: dict[str, int] = defaultdict(int)
        self.timeline: list[tuple[float, str, float]] = []

    def count(self, render: Any) -> Any:
        """`render`, whose pictures count."""

        @functools.wraps(render)
        def counted(*arguments: Any, **options: Any) -> Tensor:
            pictures: Tensor = render(*arguments, **options)
            self.pictures[part_of(sys._getframe(1))] += len(pictures)
            return pictures

        return counted

    def run(self) -> None:
        """Look, until it is over. What takes a moment only, such as writing records down, does not end a part."""
        now, cpu, part = self._begun, 0.0, "loading"
        told, begun, changed = part, (now, 0), (now, 0)  # each with the pictures so far
        over = False
        while not over:
            over = self._over.wait(EVERY)
            before, cpu_before = now, cpu
            now, cpu = time.perf_counter(), time.process_time()
            self.seconds[part] += now - before
            self.cpu_seconds[part] += cpu - cpu_before
            self.memory[part] = max(self.memory[part], resident())
            following = part_of(sys._current_frames().get(self._main or 0))
            if following != part:
                part, changed = following, (now, sum(self.pictures.values()))
            elif part != told and now - changed[0] >= SHORTEST:
                self._tell(told, begun, changed)
                told, begun = part, changed
        self._tell(told, begun, (now, sum(self.pictures.values())))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _tell(self, part: str, begun: tuple[float, int], ended: tuple[float, int]) -> None:
        seconds, pictures = ended[0] - begun[0], ended[1] - begun[1]
        if seconds >= SHORTEST:
            end = ended[0] - self._begun
            self.timeline.append((round(end, 2), part, round(seconds, 2)))
            took = f"{part} took {seconds:.1f} s, {pictures} pictures, {self.memory[part] / 1e9:.2f} GB at most"
            print(f"{end:8.1f} s: {took}", file=sys.stderr, flush=True)

    def to_json(self) -> dict[str, Any]:
        """By part, in their order, what it took, memory in bytes; and (end, part, seconds) of each stretch of time."""
        names = [name for name in PARTS if self.seconds[name] or self.pictures[name]]
        return {
            "part_seconds": {name: round(self.seconds[name], 2) for name in names},
            "part_cpu_seconds": {name: round(self.cpu_seconds[name], 2) for name in names},
            "part_memory": {name: self.memory[name] for name in names},
            "pictures": {name: self.pictures[name] for name in names if self.pictures[name]},
            "timeline": self.timeline,
            "peak_memory": peak(),
        }


def age() -> float:
    """Seconds since this process began (Linux)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run the command line; returns the command's exit code."""
    out, *arguments = sys.argv[1:]
    watch = Watch(age())
    Synthesizer.render = watch.count(Synthesizer.render)  # type: ignore[method-assign]
    watch.start()
    code = command(arguments)
    watch.stop()
    Path(out).write_text(json.dumps(watch.to_json()), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
