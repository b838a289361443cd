"""Parameters -> pictures: paints the layers of each place from back to front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import Canvas, bump, cover
from zoom_engine.domains.landscape import MEADOW, paint_hills, paint_meadow, paint_people, paint_trees, paint_water
from zoom_engine.domains.outdoors import Scene, paint_rain, paint_sky
from zoom_engine.domains.places.building import Builder
from zoom_engine.domains.places.geometry import BASE, MASK_NAMES, Place
from zoom_engine.domains.places.parameters import Parameters
from zoom_engine.domains.portraits import paint_class_maps, paint_images

__all__ = ["MASK_NAMES", "masks", "render"]


def _paint(parameters: Parameters, *, classes: bool) -> Canvas:
    place = Place(parameters)
    air = place.air
    scene = Scene(air, len(parameters), classes=classes)
    fog = air.on["fog"] * (1.0 - 0.6 * air.on["night"])
    paint_sky(scene)
    paint_hills(scene)
    scene.veil(0.88 * fog)
    u, v = scene.frame(MEADOW)
    bend = place.middle + 0.10 * (v - BASE) * place.facing
    paint_meadow(scene, cover(np.abs(u - bend) - 2.6 - 0.26 * (v - BASE), 2.5) * cover(BASE - v) * air.on["path"])
    shadow = bump(((u - place.middle + 14.0 * air.light_x) / (place.half + 16.0)) ** 2 + ((v - BASE - 1.5) / 6.5) ** 2)
    scene.canvas.darken(MEADOW, shadow * (0.26 + 0.34 * air.sunny), (1.0, 0.9, 0.7))
    Builder(scene, place).paint()
    paint_trees(scene)
    scene.veil(0.45 * fog)
    paint_people(scene)
    scene.light()
    paint_water(scene)
    paint_rain(scene)
    return scene.canvas


def render(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint pictures uint8 `[n, 128, 128, 3]`, RGB.

    Deterministic; each row depends on its own parameters alone.
    """
    return paint_images(parameters, _paint)


def masks(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint class maps uint8 `[n, 128, 128]`: indices into `MASK_NAMES`, what covers more than half of each pixel.

    Trees, people and water are of the ground's class.
    """
    return paint_class_maps(parameters, _paint)
