"""Parameters -> pictures: paints the layers of each portrait from back to front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.avatars.geometry import Face
from zoom_engine.domains.avatars.layers import body, eyes, glasses, hair, head, mouth
from zoom_engine.domains.avatars.mask_classes import MASK_NAMES
from zoom_engine.domains.avatars.parameters import LATENT_DIM, Parameters, parameters_from_latents
from zoom_engine.domains.canvas import Canvas
from zoom_engine.domains.portraits import paint_class_maps, paint_images

__all__ = ["MASK_NAMES", "masks", "render", "sample"]


def _portrait(parameters: Parameters, *, classes: bool) -> Canvas:
    face = Face(parameters)
    canvas = Canvas(face.head_x, face.head_y, face.tilt, classes=classes)
    body.paint_background(canvas, face)
    mane = hair.hair_outline(canvas, face)
    hair.paint_back_hair(canvas, face, mane)
    body.paint_neck(canvas, face)
    body.paint_clothes(canvas, face)
    head.paint_ears(canvas, face)
    skull = head.paint_head(canvas, face)
    head.paint_cheeks(canvas, face)
    head.paint_age(canvas, face, skull)
    head.paint_nose(canvas, face)
    mouth.paint_beard(canvas, face, skull)
    mouth.paint_mouth(canvas, face)
    mouth.paint_mustache(canvas, face)
    eyes.paint_eyes(canvas, face)
    eyes.paint_brows(canvas, face)
    hair.paint_front_hair(canvas, face, mane, skull)
    glasses.paint_glasses(canvas, face)
    return canvas


def render(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint portraits uint8 `[n, 128, 128, 3]`, RGB.

    Deterministic; each row depends on its own parameters alone.
    """
    return paint_images(parameters, _portrait)


def masks(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint class maps uint8 `[n, 128, 128]`: indices into `MASK_NAMES`, what covers more than half of each pixel.

    Clothes count as background; lenses are transparent, so only the frame is glasses.
    """
    return paint_class_maps(parameters, _portrait)


def sample(n: int, seed: int) -> tuple[NDArray[np.uint8], Parameters]:
    """Draw `n` random avatars: images uint8 `[n, 128, 128, 3]` and their parameters.

    Latents are drawn by `numpy.random.default_rng(seed).standard_normal((n, 64))`.
    """
    z = np.random.default_rng(seed).standard_normal((n, LATENT_DIM))
    parameters = parameters_from_latents(z)
    return render(parameters), parameters
