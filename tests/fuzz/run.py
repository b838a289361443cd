"""Coverage-guided fuzzing of the readers of other people's files, by atheris (`pip install 'zoom-engine[fuzz]'`).

    python tests/fuzz/run.py --minutes 60 --corpus FOLDER          # all readers, one after the other
    python tests/fuzz/run.py --minutes 5 --only onnx,toml --corpus FOLDER
    python tests/fuzz/run.py --replay onnx FILE...                 # what a reader says of a file; needs no atheris

Each reader has a process of its own, which is ended by an input that takes too long or too much memory, and begun
again. Crashes are told apart by their class and place; a process goes on after one. FOLDER keeps what reached new code,
so the next run goes on from there; ``FOLDER/findings`` the smallest input of each crash with its traceback,
``FOLDER/log`` what libFuzzer says. The exit code is 1 where there was a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from readers import Reader

MEMORY = 1024  # MiB beside what an idle process has
SECONDS = 40  # on the clock: a reader itself may take 10 s of the processor
LONGEST = 1 << 16  # bytes of an input


def main() -> int:
    """The command; its exit code."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of all readers together")
    parser.add_argument("--only", help="readers, by commas")
    parser.add_argument("--corpus", type=Path, default=Path("fuzz"))
    parser.add_argument("--replay", nargs="+", metavar=("READER", "FILE"))
    options = parser.parse_args()
    if options.replay:
        name, *files = options.replay
        return _replay(name, [Path(file) for file in files])
    import atheris

    with (
        contextlib.redirect_stderr(io.StringIO()),  # atheris tells of each module
        atheris.instrument_imports(include=["zoom_engine"]),
    ):
        import torch
        from readers import READERS
    torch.set_num_threads(1)
    names = list(READERS) if options.only is None else options.only.split(",")
    return _all({name: READERS[name] for name in names}, options.minutes * 60, options.corpus)


def _replay(name: str, files: list[Path]) -> int:
    from judging import judged
    from readers import READERS

    results = [judged(READERS[name].read, file.read_bytes()) for file in files]
    for file, finding in zip(files, results, strict=True):
        print(f"{file}: " + ("no crash" if finding is None else f"{finding.place}\n{finding.what}"))
    return int(any(results))


def _all(readers: dict[str, Reader], seconds: float, corpus: Path) -> int:
    whole = sum(reader.share for reader in readers.values())
    row = "{:14} {:>7} {:>9} {:>10} {:>8} {:>7}"
    print(row.format("reader", "minutes", "processor", "executions", "coverage", "crashes"), flush=True)
    crashes = 0
    for name, reader in readers.items():
        begin, busy = time.monotonic(), os.times()
        runs = coverage = ended = 0
        while (left := seconds * reader.share / whole - (time.monotonic() - begin)) > 1:
            more, reached, code = _run(name, reader, int(left), corpus)
            runs, coverage, ended = runs + more, max(coverage, reached), ended + (code != 0)
        result = len(list((corpus / "findings").glob(f"{name}-*.txt")))
        crashes += result + ended
        minutes, after = (time.monotonic() - begin) / 60, os.times()
        worked = (after.children_user + after.children_system - busy.children_user - busy.children_system) / 60
        print(
            row.format(name, f"{minutes:.1f}", f"{worked:.1f}", runs, coverage, result)
            + (f", {ended} ended" if ended else ""),
            flush=True,
        )
    return int(crashes > 0)


def _run(name: str, reader: Reader, seconds: int, corpus: Path) -> tuple[int, int, int]:
    """One process of a reader: how many executions, the coverage, and its exit code, which is 0 unless an input ended
    it."""
    log = corpus / "log" / f"{name}-{time.strftime('%H%M%S')}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    child = os.fork()  # what a reader imports takes longer to instrument than some are fuzzed
    if child == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        _fuzz(name, reader, seconds, corpus)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = log.read_text(errors="replace")
    runs = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(r"^#(\d+)\s", text, re.M) or ["0"]
    coverage = re.findall(r"cov: (\d+)", text) or ["0"]
    if code != 0:
        print(f"{name}: a process was ended ({code}), see {log}", flush=True)
    return int(runs[-1]), int(coverage[-1]), code


def _fuzz(name: str, reader: Reader, seconds: int, corpus: Path) -> None:
    """This process fuzzes one reader; libFuzzer ends it."""
    import atheris
    from judging import judged

    findings, inputs = corpus / "findings", corpus / name
    for folder in (findings, inputs):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(reader.seeds()):
        (inputs / f"seed-{number}").write_bytes(seed)
    known: dict[str, int] = {}

    def one(data: bytes) -> None:
        result = judged(reader.read, data)
        if result is None:
            return
        file = findings / f"{name}-{result.name}"
        before = known.get(result.name, file.stat().st_size if file.exists() else None)
        if before is None:
            print(f"crash: {result.place}", flush=True)
        if before is None or len(data) < before:
            file.write_bytes(data)
            file.with_suffix(".txt").write_text(f"{result.place}\n{result.what}\n", errors="backslashreplace")
        known[result.name] = len(data) if before is None else min(len(data), before)

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        def change(piece: bytes) -> bytes:
            changed: bytes = atheris.Mutate(piece[:longest], min(longest, len(piece) + 64))
            return changed

        try:
            changed = reader.mutation(data, random.Random(seed), change)
        except ValueError:  # a value that its form cannot hold
            return change(data)
        return changed if len(changed) <= longest else change(data)

    arguments = [
        *(sys.argv[0], str(inputs), f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-max_len={LONGEST}"),
        *(f"-rss_limit_mb={_resident() + MEMORY}", f"-artifact_prefix={findings}/{name}-", "-len_control=0"),
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, one, custom_mutator=mutated)
    atheris.Fuzz()


def _resident() -> int:
    """MiB that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


if __name__ == "__main__":
    sys.exit(main())
