"""The pictures that published models are asked about: whose faces lie where, and what is true of them.

A subject of renders with the truth of them is one line in `SUBJECTS`, where its domain has words and pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.published.feeding import Face, Square
from lab.published.packages import Package, files_of
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.png import to_pixels
from zoom_engine.diagnose.domain import find_domain

GAN = Package(
    "pypi",
    "gan-face-generate",
    "1.1.1",
    "24102f4be41d164e44251168ede0458a45e498a888c81493e2aea48529640569",
    "MIT",
)
GAN_CODES = 100


@dataclass(frozen=True)
class Subject:
    """Pictures of faces.

    Attributes:
        name: of them; that of a domain where `renders` are its.
        about: what they are, or their faces.
        pixels: of a side.
        face: where it lies, as BlazeFace finds it (the median of 24 pictures) and the eyes lie.
        pictures: from how many and a seed to uint8 pictures `[n, pixels, pixels, 3]`.
        domain: what returns the domain of this name, which has words for edits and the truth of its renders; None where
            there is none.
    """

    name: str
    about: str
    pixels: int
    face: Face
    pictures: Callable[[int, int], NDArray[np.uint8]]
    domain: Callable[[], Any] | None = None


class FaceGenerator(nn.Module):
    """The published DCGAN (Radford 2016) of gan-face-generate, its weights read as tensors alone.

    Codes `[B, 100]` become pictures of 64² in [-1, 1].
    """

    code_size = GAN_CODES

    def __init__(self, weights: Path) -> None:
        super().__init__()
        widths = (GAN_CODES, 512, 256, 128, 64, 3)
        layers: list[nn.Module] = []
        for number, (narrow, wide) in enumerate(pairwise(widths)):
            layers.append(nn.ConvTranspose2d(narrow, wide, 4, 2 if number else 1, 1 if number else 0, bias=False))
            layers += [nn.BatchNorm2d(wide), nn.ReLU()] if wide != 3 else [nn.Tanh()]
        self.main = nn.Sequential(*layers)
        stored = torch.load(weights, map_location="cpu", weights_only=True)
        self.load_state_dict(stored["netG_state_dict"], strict=True)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the pictures."""
        pictures: Tensor = self.main(codes[:, :, None, None])
        return pictures


@torch.no_grad()
def _of_the_gan(count: int, seed: int) -> NDArray[np.uint8]:
    generator = FaceGenerator(files_of(GAN, ["gan_face_generate/weights.tar"]) / "weights.tar").eval()
    codes = torch.randn(count, GAN_CODES, generator=torch.Generator().manual_seed(seed))
    return np.concatenate([to_pixels(generator(part)) for part in torch.split(codes, 32)])


def _renders_of(domain: Callable[[], Any]) -> Callable[[int, int], NDArray[np.uint8]]:
    def pictures(count: int, seed: int) -> NDArray[np.uint8]:
        drawn: NDArray[np.uint8] = domain().subject.sample(count, seed)[0]
        return drawn

    return pictures


def domain_of(name: str) -> Any:
    """Return the domain of a subject, which brings its renderer.

    Raises:
        ConfigError: there is none.
    """
    domain = find_domain(name)
    if domain is None:
        raise ConfigError(f"there is no domain {name!r} here: install the package that brings it")
    return domain


def _people() -> Any:
    """Return the people with their renderer, and the data set that it drew."""
    from lab.people.evaluate import DOMAIN

    return DOMAIN


_avatars = partial(domain_of, "avatars")

SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject(
            "avatars",
            "drawn faces",
            128,
            Face(Square(0.252, 0.351, 0.476), ((0.392, 0.489), (0.609, 0.489))),
            _renders_of(_avatars),
            _avatars,
        ),
        Subject(
            "people",
            "heads of dolls, rendered with light and hair as of photographs",
            128,
            Face(Square(0.252, 0.251, 0.476), ((0.395, 0.421), (0.608, 0.426))),
            _renders_of(_people),
            _people,
        ),
        Subject(
            "dcgan",
            "those of the package gan-face-generate 1.1.1 (MIT), a GAN taught on DigiFace-1M (renders themselves), of"
            " 64 pixels",
            64,
            Face(Square(0.166, 0.213, 0.731), ((0.368, 0.450), (0.650, 0.460))),
            _of_the_gan,
        ),
    )
}
