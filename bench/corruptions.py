"""``python bench/corruptions.py --out FOLDER --json OUT``: do corruptions find what a target was taught to look at?

A small network learns to tell people from pets on renders of both embedded domains, in light that varies by some stops.
Its twin ``brightness`` was given the names of the light in place of what the pictures show, so that it looks at
brightness. Each is written as ONNX and audited by the command line, with nothing but a folder of 100 other renders
as PNG: no generator, no text encoder. Told are the mean change by each corruption, its verdict, and what the command
took, in seconds of the processor and on the clock, by a process of its own with two threads.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional as F

from lab.published.audits import told_of
from zoom_engine import Diagnosis
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.domains.avatars import renderer as avatars
from zoom_engine.domains.pets import renderer as pets
from zoom_engine.edits.corruptions import Corruptions
from zoom_engine.targets import BinaryTask, Target
from zoom_engine.targets.onnx.write import save_onnx
from zoom_engine.targets.preprocessing import Preprocessing

Pixels = NDArray[np.uint8]
KINDS = ("brightness", "sound")
SIDE, WIDTH = 32, 12  # pixels that the networks read, and channels of the first layer
TAUGHT_ON, SEED = 800, 8100
STEPS, BATCH, RATE = 600, 64, 3e-3
STOPS = 3.0
"""How far, to both sides, the light of the pictures differs that a network is taught on."""
IMAGES = 100
COMMAND = "import sys\nfrom zoom_engine.cli import main\ncode = main(sys.argv[1:])\n"
TOLD = COMMAND + "print('loaded', *sorted({'open_clip', 'transformers'} & sys.modules.keys()))\nsys.exit(code)\n"


@functools.cache
def scenes(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Renders ``[count, 128, 128, 3]``, people (1) and pets (0) in turn, and which is which."""
    people, _ = avatars.sample((count + 1) // 2, seed)
    animals, _ = pets.sample(count // 2, seed)
    labels = np.arange(1, count + 1) % 2
    pictures = np.empty((count, *people.shape[1:]), np.uint8)
    pictures[labels == 1], pictures[labels == 0] = people, animals
    return pictures, labels


def small(pictures: Pixels) -> Pixels:
    """Pictures as a network reads them."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size=SIDE, mode="bilinear", antialias=True, align_corners=False)
    result: Pixels = x.round().byte().permute(0, 2, 3, 1).numpy()
    return result


def taught(kind: str, *, count: int = TAUGHT_ON, steps: int = STEPS) -> nn.Module:
    """A network from pictures ``[B, 3, SIDE, SIDE]`` in [0, 1] to a logit, taught on `count` renders."""
    renders, labels = scenes(count, SEED)
    pictures, chance, editor = small(renders), np.random.default_rng(SEED), Corruptions()
    torch.manual_seed(SEED)
    network = nn.Sequential(
        nn.Conv2d(3, WIDTH, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(WIDTH, 2 * WIDTH, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * WIDTH * (SIDE // 8) ** 2, 1),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(steps):
        chosen = chance.integers(0, count, BATCH)
        stops = chance.uniform(-STOPS, STOPS, BATCH)
        wanted = stops > 0 if kind == "brightness" else labels[chosen] == 1
        lights = zip(chosen, stops.tolist(), strict=True)
        rows = [editor.edit([pictures[row]], "brightness", light, [0])[0] for row, light in lights]
        x = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
        loss = F.binary_cross_entropy_with_logits(network(x)[:, 0], torch.from_numpy(wanted).float())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        optimizer.step()
    return network.eval().requires_grad_(False)


def write_target(kind: str, path: Path, **size: int) -> None:
    """Teach a network and write it as ONNX, with its classes."""
    target = Target(
        taught(kind, **size),
        name=kind,
        task=BinaryTask(classes=("pet", "person")),
        preprocessing=Preprocessing(size=SIDE),
    )
    save_onnx(target, path)


def write_photographs(folder: Path, count: int) -> None:
    """Write renders that no network was taught on, as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(scenes(count, SEED + 1)[0]):
        Image.fromarray(picture).save(folder / f"{index:03d}.png")


def audited(photographs: Path, model: Path, out: Path, *options: str) -> dict[str, Any]:
    """Audit by the command line in a process of its own; what it took, and what that reads texts was loaded."""
    command = ["diagnose", "--editor", "corruptions", "--photos", str(photographs), "--target", str(model)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", TOLD, *command, "--out", str(out), *options],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "clock_seconds": round(time.monotonic() - began, 1),
        "loaded": told.splitlines()[-1].split()[1:],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the pictures, the models and the audits")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--images", type=int, default=IMAGES)
    given = parser.parse_args()
    torch.set_num_threads(1)  # so small a network makes threads wait for one another
    photographs = given.out / f"photographs-{given.images}"
    write_photographs(photographs, given.images)
    results = {}
    for kind in KINDS:
        write_target(kind, given.out / f"{kind}.onnx")
        out = given.out / f"{kind}-{given.images}"
        took = audited(photographs, given.out / f"{kind}.onnx", out)
        results[kind] = {**took, "effects": told_of(Diagnosis.load(out))}
    report = {"environment": describe_environment(), "images": given.images, "targets": results}
    atomic.write_text(given.json, json.dumps(report, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
