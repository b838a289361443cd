"""Parameters -> pictures: paints the layers of each portrait from back to front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import Canvas
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.pets.geometry import Pet
from zoom_engine.domains.pets.layers import ears, face, head, scene
from zoom_engine.domains.pets.mask_classes import MASK_NAMES
from zoom_engine.domains.pets.parameters import Parameters, parameters_from_latents
from zoom_engine.domains.portraits import paint_class_maps, paint_images

__all__ = ["MASK_NAMES", "masks", "render", "sample"]


def _portrait(parameters: Parameters, *, classes: bool) -> Canvas:
    pet = Pet(parameters)
    canvas = Canvas(pet.head_x, pet.head_y, pet.tilt, classes=classes)
    scene.paint_background(canvas, pet)
    scene.paint_chest(canvas, pet)
    scene.paint_collar(canvas, pet)
    ears.paint_pointed_ears(canvas, pet)
    head.paint_head(canvas, pet)
    ears.paint_floppy_ears(canvas, pet)
    head.paint_muzzle(canvas, pet)
    face.paint_eyes(canvas, pet)
    face.paint_mouth(canvas, pet)
    face.paint_nose(canvas, pet)
    face.paint_whiskers(canvas, pet)
    return canvas


def render(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint portraits uint8 `[n, 128, 128, 3]`, RGB.

    Deterministic; each row depends on its own parameters alone.
    """
    return paint_images(parameters, _portrait)


def masks(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint class maps uint8 `[n, 128, 128]`: indices into `MASK_NAMES`, what covers more than half of each pixel."""
    return paint_class_maps(parameters, _portrait)


def sample(n: int, seed: int) -> tuple[NDArray[np.uint8], Parameters]:
    """Draw `n` random pets: images uint8 `[n, 128, 128, 3]` and their parameters.

    Latents are drawn by `numpy.random.default_rng(seed).standard_normal((n, 64))`.
    """
    z = np.random.default_rng(seed).standard_normal((n, LATENT_DIM))
    parameters = parameters_from_latents(z)
    return render(parameters), parameters
