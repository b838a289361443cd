"""Parameters -> pictures: where a car stands, then the car, one picture after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import SIZE, Canvas
from zoom_engine.domains.cars.body import Painter
from zoom_engine.domains.cars.geometry import Car
from zoom_engine.domains.cars.parameters import Parameters
from zoom_engine.domains.scenery import paint_beam, paint_lamps, paint_shadow, paint_surroundings


def render(parameters: Parameters) -> NDArray[np.uint8]:
    """Paint cars uint8 `[n, 128, 128, 3]`, RGB.

    Deterministic; each row depends on its own parameters alone.
    """
    images = np.empty((len(parameters), SIZE, SIZE, 3), dtype=np.uint8)
    for index, row in enumerate(parameters):
        car, canvas = Car(row), Canvas(*np.zeros((3, 1, 1, 1), dtype=np.float32))
        paint_surroundings(canvas, car.around)
        paint_shadow(canvas, car.camera, (car.rear + 0.35, car.front - 0.35), (0.3 - car.half, car.half - 0.3))
        if car.night > 0.0:
            paint_beam(canvas, car.camera, car.front, 0.62 * car.night)
        painter = Painter(car)
        painter.paint()
        painter.show(canvas)
        if car.night > 0.0:
            paint_lamps(canvas, car.camera, car.headlamp, 1.0, (1.0, 0.94, 0.72), car.night)
            paint_lamps(canvas, car.camera, car.tail_lamp, -1.0, (1.0, 0.12, 0.08), car.night)
        images[index] = canvas.image()[0]
    return images
