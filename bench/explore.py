"""``python bench/explore.py [--minutes M] [--json OUT] [-- OPTIONS OF EXPLORE]``: from a slider to the picture.

The server is the command `zoom-engine explore` in a process of its own, the page is shown by a real Chromium, and the
mouse moves sliders there. Milliseconds are the page's own, from the event of the slider to the decoded picture on the
canvas, of the last picture that an event led to; events that newer ones replaced have none. With them: the processor's
seconds of the server for each picture, the memory of the server and of the page's scripts at the beginning and at the
end. Options of explore follow two dashes; by default it is `--generator avatars --target avatars:mustache` with four
attributes. `--size 256` draws with the avatars' generator widened as `bench/waiting.py` has it.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import PATIENCE, Tab, opened
from paper_avatars import padded

from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.generators import StyleGAN2, load_generator, save_generator

ATTRIBUTES = ("a smiling face", "a face with eyeglasses", "a face with a beard", "a face with pale skin")
AVATARS = ["--generator", "avatars", "--target", "avatars:mustache"]
STARTS = 600.0  # seconds at most, as directions are found first
PACE = 1 / 60  # seconds between events of the mouse
GATHER = """
globalThis.drawn = [];
document.addEventListener("drawn", event => {
  const {started, drawn} = event.detail;
  if (started !== undefined) globalThis.drawn.push(drawn - started);
});
"""


@contextmanager
def served(options: Sequence[str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it printed."""
    command = [sys.executable, "-P", "-m", "zoom_engine", "explore", *options, "--no-open", "--port", "0"]
    with (folder / "stderr").open("w+") as told:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            match = re.fullmatch(r"Open (http://\S+)\n", line)
            if match is None:
                process.wait(timeout=PATIENCE)
                raise SystemExit((folder / "stderr").read_text())
            yield process, match[1]
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


def processor_seconds(process: int) -> float:
    """The seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def move_sliders(tab: Tab, seconds: float) -> None:
    """Move one slider after another from end to end, for so many seconds."""
    boxes = tab.value(
        """[...document.querySelectorAll(".sliders input")].map(input => {
          const {left, top, width, height} = input.getBoundingClientRect();
          return [left, top + height / 2, width];
        }).filter(([, y]) => y < innerHeight)"""
    )
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        left, y, width = boxes[number % len(boxes)]
        middle = left + width / 2
        tab.mouse("mousePressed", middle, y)
        for step in range(120):
            at = time.monotonic()
            tab.mouse("mouseMoved", middle + (width / 2 - 9) * math.sin(2 * math.pi * step / 120), y)
            time.sleep(max(0.0, PACE - (time.monotonic() - at)))
        tab.mouse("mouseReleased", middle, y)
        number += 1


def measure(options: Sequence[str], seconds: float) -> dict[str, Any]:
    """What a row of the results says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(options, folder) as (process, address), opened(folder) as browser:
            tab = browser.tab()
            tab.resize(1160, 800)
            tab.open(address)
            tab.wait("document.querySelector('#work')?.hidden === false && !!document.querySelector('.says b')", STARTS)
            tab.value(GATHER)
            move_sliders(tab, min(5.0, seconds))  # what is made once is made
            tab.value("globalThis.drawn.length = 0")
            memory = [{"server": resident(process.pid), "scripts": tab.heap()}]
            before, begun = processor_seconds(process.pid), time.monotonic()
            milliseconds: list[float] = []
            while (left := begun + seconds - time.monotonic()) > 0:
                move_sliders(tab, min(left, 60.0))
                milliseconds += tab.value("globalThis.drawn.splice(0)")
                memory.append({"server": resident(process.pid), "scripts": tab.heap()})
            spent = processor_seconds(process.pid) - before
            complaints = tab.complaints
    if not milliseconds:
        raise SystemExit(f"no picture was drawn: {complaints}")
    ranked = sorted(milliseconds)
    return {
        "pictures": len(ranked),
        "seconds": round(seconds, 1),
        "median_ms": round(statistics.median(ranked), 1),
        "p95_ms": round(ranked[math.ceil(0.95 * len(ranked)) - 1], 1),
        "processor_ms_a_picture": round(1000 * spent / len(ranked), 1),
        "memory": memory,
        "complaints": complaints,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="From a slider to the picture, in a real browser.")
    parser.add_argument("--minutes", type=float, default=1.0, help="of moving sliders")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128, help="pixels of a side")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("options", nargs="*", help="of zoom-engine explore, after two dashes")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        options = given.options or [*AVATARS, *(part for text in ATTRIBUTES for part in ("--attribute", text))]
        if given.size == 256 and not given.options:
            narrow = load_generator("avatars")
            assert isinstance(narrow, StyleGAN2)
            save_generator(padded(narrow, 256, 16384), Path(name) / "generator.safetensors")
            options[1] = str(Path(name) / "generator.safetensors")
            options += ["--text-encoder", "avatars"]
        row = measure(options, 60 * given.minutes)
    first, last = row["memory"][0], row["memory"][-1]
    print(f"from the slider to the picture: median {row['median_ms']} ms, p95 {row['p95_ms']} ms ({row['pictures']})")
    print(f"of the processor, for each picture: {row['processor_ms_a_picture']} ms of the server")
    for what, of in {"server": "memory of the server", "scripts": "of the page's scripts"}.items():
        print(f"{of}: {first[what] / 1e6:.1f} MB, then {last[what] / 1e6:.1f} MB")
    for complaint in row["complaints"]:
        print(f"the page complains: {complaint}")
    if given.json is not None:
        atomic.write_json(
            given.json, {"machine": describe_environment(), "options": options, "size": given.size, **row}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
