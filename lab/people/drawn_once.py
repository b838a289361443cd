"""Pictures of people that are drawn once: each costs seconds, and evaluations ask for the same ones again."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.people.parameters import PARAMETER_NAMES, Parameters
from lab.people.renderer import LOOK
from lab.people.train.renders import read_pictures, write_picture
from zoom_engine.common.progress import forced


class DrawnOnce:
    """A renderer with a folder: a picture that lies there is read, another is drawn and kept.

    It can be killed at any time, and several processes may share the folder.
    """

    def __init__(self, folder: Path, render: Callable[[Parameters], NDArray[np.uint8]]) -> None:
        self.folder = folder
        self.render = render

    def __call__(self, parameters: Parameters) -> NDArray[np.uint8]:
        """Return pictures uint8 `[n, 128, 128, 3]`; equal rows are drawn once.

        Raises:
            ConfigError: a picture is missing, and what draws people is not installed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = [self.folder / f"{name_of(row)}.png" for row in parameters.values]
        missing = list({path: row for row, path in enumerate(paths) if not path.is_file()}.items())
        random.shuffle(missing)  # so that several processes share the work
        for path, row in forced(missing, "Rendering people", unit="picture"):
            if path.is_file():
                continue
            write_picture(path, self.render(parameters[row])[0])
        return read_pictures(paths)


def name_of(row: NDArray[np.float32]) -> str:
    """Return the name of a picture: what its parameters, their names and the renderer's look determine."""
    about = f"{LOOK} {' '.join(PARAMETER_NAMES)} ".encode()
    return hashlib.sha256(about + row.astype("<f4").tobytes()).hexdigest()[:32]
