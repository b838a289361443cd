"""``python bench/waiting.py [--package FOLDER] [--json OUT]``: how long the command line keeps a user waiting.

Seconds from the command to its first sign of life on stderr, to each kind of refusal, and to the first finished unit;
from a cold cache each. Each is a pair: seconds that passed, and seconds of the processor, which do not depend on what
else the machine does. The generator costs what a 256² network of NVIDIA's with channel base 16384 costs: it is the
avatars', padded with zeros to those widths, so its pictures are faces and real prompts have real directions.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_avatars import padded

from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.generators import StyleGAN2, load_generator, save_generator

RESOLUTION, CHANNEL_BASE = 256, 16384
ATTRIBUTES = ["--attribute", "a smiling face", "--attribute", "a face with a beard"]
REFUSALS: dict[str, list[str]] = {
    "no attribute": ["--neutral", "a face"],
    "attribute given twice": [*ATTRIBUTES, "--attribute", "a smiling face"],
    "attribute that is the neutral prompt": ["--attribute", "a face"],
    "one label": [*ATTRIBUTES, "--label", "a face with a mustache"],
    "no such template set": [*ATTRIBUTES, "--template", "best"],
    "threshold out of range": [*ATTRIBUTES, "--threshold", "2"],
    "images out of range": [*ATTRIBUTES, "--images", "0"],
    "seed out of range": [*ATTRIBUTES, "--seed=-1"],
    "steps out of range": [*ATTRIBUTES, "--search", "sgd", "--steps", "0"],
    "a backend that cannot run": [*ATTRIBUTES, "--backend", "tensorrt"],
    "a file in the way of the audit": [*ATTRIBUTES, "--out", "{here}/generator.safetensors"],
    "a folder of something else": [*ATTRIBUTES, "--out", "{here}"],
    "an audit with other options": [*ATTRIBUTES, "--out", "{here}/other"],
    "no such generator": [*ATTRIBUTES, "--generator", "{here}/none.pkl"],
    "no such target": [*ATTRIBUTES, "--target", "{here}/none.onnx"],
    "no such text encoder": [*ATTRIBUTES, "--text-encoder", "{here}/none"],
    "word that the text encoder never read": ["--attribute", "a face with a zorblax"],
}

AUDIT = "an audit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="How long the command line keeps a user waiting.")
    parser.add_argument("--package", type=Path, default=Path.cwd(), help="the checkout whose command is measured")
    parser.add_argument("--only", action="append", choices=[*REFUSALS, AUDIT], help="of the cases; repeat for more")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args(arguments)
    seconds: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        narrow = load_generator("avatars")
        assert isinstance(narrow, StyleGAN2)
        save_generator(padded(narrow, RESOLUTION, CHANNEL_BASE), here / "generator.safetensors")
        audit_of_other_options(here / "other")
        for name, given in {**REFUSALS, AUDIT: ATTRIBUTES}.items():
            if not options.only or name in options.only:
                given = [part.format(here=here) for part in given]
                seconds[name] = watched(options.package, here, given, until_unit=name == AUDIT)
                print(f"{name:40} {seconds[name]}", flush=True)
    if options.json is not None:
        atomic.write_json(options.json, {"machine": describe_environment(), "seconds": seconds})
    return 0


def audit_of_other_options(out: Path) -> None:
    """A finished audit that none of these commands would go on with."""
    command = [
        sys.executable,
        "-m",
        "zoom_engine",
        "diagnose",
        "--generator",
        "avatars",
        "--target",
        "avatars:mustache",
    ]
    subprocess.run(
        [*command, "--attribute", "a smiling face", "--images", "1", "--out", str(out)], check=True, capture_output=True
    )


def watched(package: Path, here: Path, given: Sequence[str], *, until_unit: bool = False) -> dict[str, Any]:
    """Run one command from a cold cache: seconds to the first byte on stderr, and to its end or the first unit."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "audit")
        command = [sys.executable, "-m", "zoom_engine", "diagnose", "--generator", str(here / "generator.safetensors")]
        command += ["--target", "avatars:mustache", "--text-encoder", "avatars", "--images", "4", "--out", str(out)]
        environment = {**os.environ, "PYTHONPATH": str(package), "ZOOM_ENGINE_CACHE": str(Path(scratch, "cache"))}
        start = time.perf_counter()
        with subprocess.Popen(
            [*command, *given], cwd=scratch, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            text = process.stderr.read(1)
            result: dict[str, Any] = {"first sign": spent(start, process.pid)}
            if until_unit:
                records = out / "records.jsonl"
                os.set_blocking(process.stderr.fileno(), False)
                while process.poll() is None and not (records.is_file() and records.stat().st_size):
                    process.stderr.read()
                    time.sleep(0.05)
                result["first unit"] = spent(start, process.pid)
                process.kill()
                return result
            text += process.stderr.read()  # to its end, which is that of the process but for its own tidying up
            result["refusal"] = spent(start, process.pid)
        result["says"] = text.decode().strip().replace("\r", "\n").splitlines()[-1]
        return result


def spent(start: float, process: int) -> list[float]:
    """Seconds since ``start``, and those of the processor that the process took (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return [round(time.perf_counter() - start, 1), round(ticks / os.sysconf("SC_CLK_TCK"), 1)]


if __name__ == "__main__":
    sys.exit(main())
