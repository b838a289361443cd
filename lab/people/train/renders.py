"""`python -m lab.people.train.renders`: the data set of people, rendered picture by picture by several processes.

`OUT/SEED/` gets `truth.csv` first (what is true of each picture is known before it is drawn), then a PNG for each row.
Each file is written whole or not at all, so the command can be killed at any time; the next call draws what is
missing. Chunks of 1,000 are then packed to the files that the recipes read (`lab.training.renders`).
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.people.attributes import labels
from lab.people.parameters import LATENT_DIM, PARAMETER_NAMES, Parameters
from zoom_engine.common.errors import ConfigError, ZoomError
from zoom_engine.common.files.atomic import replacing

CHUNK = 1000  # pictures of a packed file, as lab.training.renders has them
ROUND = 400  # pictures after which a process makes way for a fresh one: what a renderer leaks goes with it

Render = Callable[[Parameters], NDArray[np.uint8]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and render; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.people.train.renders", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set; what it holds stays")
    parser.add_argument("--count", type=int, default=15_000, help="pictures (15,000)")
    parser.add_argument("--seed", type=int, default=7, help="of the latents (7)")
    parser.add_argument("--processes", type=int, default=2, help="each takes one core (2)")
    options = parser.parse_args(arguments)
    try:
        render_set(options.out, options.count, options.seed, processes=options.processes)
    except ZoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def render_set(out: Path, count: int, seed: int, *, processes: int, render: Render | None = None) -> Path:
    """Render what is missing of a data set, and pack it.

    Args:
        out: folder of data sets.
        count: pictures.
        seed: of the latents.
        processes: with 1, this process renders.
        render: what draws; by default `lab.people.renderer.render`, of which each process loads its own.

    Returns:
        The folder of the pictures and `truth.csv`.

    Raises:
        ConfigError: there is nothing to do, the folder holds other renders, or the renderer is not installed or failed.
    """
    if count < 1 or processes < 1:
        raise ConfigError(f"--count is {count} and --processes {processes}; give at least 1 of each")
    folder = out / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parameters = parameters_of(count, seed)
    _hold_recipe(folder, seed, installed=render is None)
    write_truth(folder / "truth.csv", parameters)
    begun, first = time.monotonic(), len(missing(folder, count))
    while rows := missing(folder, count):
        if processes == 1:
            draw_rows(folder, parameters, rows[:ROUND], render)
        else:
            _in_processes(folder, count, seed, rows, processes, render)
        left = len(missing(folder, count))
        if left == len(rows):
            raise ConfigError(f"no picture of {folder} could be rendered; run with --processes 1 to see why")
        seconds = (time.monotonic() - begun) / (first - left)
        print(f"{count - left} of {count} pictures, {seconds:.2f} s for each", file=sys.stderr, flush=True)
    pack(out, folder, count, seed)
    return folder


def parameters_of(count: int, seed: int) -> Parameters:
    """Draw the parameters of the first `count` people of a seed: those of `lab.training.renders.latents_for`."""
    latents = np.random.default_rng(seed).standard_normal((count, LATENT_DIM)).astype(np.float32)
    return Parameters.from_latents(latents)


def missing(folder: Path, count: int) -> list[int]:
    """Return the rows that have no picture yet."""
    existing = names_of(folder)
    return [row for row in range(count) if file_name(row) not in existing]


def names_of(folder: Path) -> set[str]:
    """Return the names of the pictures that are whole."""
    return {path.name for path in folder.glob("*.png") if not path.name.startswith(".")}


def without_gap(folder: Path, most: int | None = None) -> int:
    """Return how many pictures there are from the first on, `most` at the most."""
    most = len(names_of(folder)) if most is None else most
    return next(iter(missing(folder, most)), most)


def draw_rows(folder: Path, parameters: Parameters, rows: Sequence[int], render: Render | None) -> None:
    """Render some rows, a file each."""
    draw = render if render is not None else _installed()
    for row in rows:
        write_picture(folder / file_name(row), draw(parameters[row])[0])


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture, uint8 `[R, R, 3]`, as PNG, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def read_pictures(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Read pictures of one size, uint8 `[n, R, R, 3]`."""
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
    return np.stack(pictures)


def write_truth(path: Path, parameters: Parameters) -> None:
    """Write a row for each picture: its file, its parameters, and of each attribute whether it is seen (1 or 0)."""
    truth = labels(parameters)
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *PARAMETER_NAMES, *(f"seen_{name}" for name in truth)])
        for row, values in enumerate(parameters.values):
            seen = [int(column[row]) for column in truth.values()]
            writer.writerow([file_name(row), *(f"{value:.7g}" for value in values), *seen])


def pack(out: Path, folder: Path, count: int, seed: int) -> None:
    """Write the chunks that the recipes read, `sample-SEED-CHUNK.npy`, uint8 `[1000, 128, 128, 3]`."""
    _drop_chunks_of_another_recipe(out, folder, seed)
    for begin in range(0, count, CHUNK):
        rows = range(begin, min(begin + CHUNK, count))
        path = out / f"sample-{seed}-{begin // CHUNK}.npy"
        if path.exists() and len(np.load(path, mmap_mode="r")) >= len(rows):
            continue
        with replacing(path) as temporary:
            np.save(temporary, read_pictures([folder / file_name(row) for row in rows]))


def packed(out: Path, seed: int, wanted: int | None = None) -> int:
    """Pack what is rendered of a data set by now, while it may be growing.

    Args:
        out: folder of data sets.
        seed: of the latents.
        wanted: so many pictures; all there are by default.

    Returns:
        How many pictures are there without a gap from the first one on, `wanted` at the most.

    Raises:
        ConfigError: there is no data set of these parameters, or it has fewer pictures than are wanted.
    """
    folder = out / str(seed)
    recipe = recorded(folder / "recipe.json")
    if recipe.get("parameters") != list(PARAMETER_NAMES) or recipe.get("seed") != seed:
        raise ConfigError(f"{folder} holds pictures of other parameters or another seed; render them again")
    count = without_gap(folder, wanted)
    if not count or count < (wanted or 0):
        raise ConfigError(f"{folder} has {count} pictures from the first on, not {wanted or 1}; render more")
    pack(out, folder, count, seed)
    return count


def _drop_chunks_of_another_recipe(out: Path, folder: Path, seed: int) -> None:
    """Remove packed files that are not of the pictures that lie in `folder` now."""
    now, path = (folder / "recipe.json").read_text(), out / f"sample-{seed}.recipe.json"
    if path.is_file() and path.read_text() == now:
        return
    for chunk in out.glob(f"sample-{seed}-*.npy"):
        chunk.unlink()
    with replacing(path) as temporary:
        temporary.write_text(now)


def recorded(path: Path) -> dict[str, object]:
    """Read what a set was made by.

    Raises:
        ConfigError: there is no such file, or it is no recipe.
    """
    try:
        recipe = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path.parent} is no data set of people: render one, see lab/README.md") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no JSON; give another --out") from error
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path} is no recipe; give another --out")
    return recipe


def _in_processes(
    folder: Path, count: int, seed: int, rows: Sequence[int], processes: int, render: Render | None
) -> None:
    context = multiprocessing.get_context("spawn")
    shares = [rows[start::processes][:ROUND] for start in range(processes)]
    workers = [
        context.Process(target=_work, args=(folder, count, seed, share, render), daemon=True)
        for share in shares
        if share
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(folder: Path, count: int, seed: int, rows: Sequence[int], render: Render | None) -> None:
    try:
        parameters, parent = parameters_of(count, seed), multiprocessing.parent_process()
        for row in rows:
            if parent is not None and not parent.is_alive():  # killed: nobody waits for the others
                return
            draw_rows(folder, parameters, [row], render)
    except ZoomError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _hold_recipe(folder: Path, seed: int, *, installed: bool) -> None:
    """Write what makes the pictures, or refuse a folder whose pictures were made otherwise."""
    recipe: dict[str, object] = {"seed": seed, "parameters": list(PARAMETER_NAMES)}
    if installed:
        from lab.people.cycles import SAMPLES, SIZE
        from lab.people.renderer import LOOK

        recipe |= {"look": LOOK, "size": SIZE, "samples": SAMPLES, "bpy": _version("bpy"), "anny": _version("anny")}
    path = folder / "recipe.json"
    if path.exists():
        if recorded(path) != recipe:
            raise ConfigError(f"{folder} holds pictures of another recipe ({path.name} differs); give another --out")
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")


def _installed() -> Render:
    from lab.people.renderer import render  # with Blender, which takes seconds to load

    return render


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise ConfigError(f"people need the package {package}; install it as lab/README.md says") from None


def file_name(row: int) -> str:
    """Return the name of a row's picture."""
    return f"{row:06d}.png"


if __name__ == "__main__":
    sys.exit(main())
