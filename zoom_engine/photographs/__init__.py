"""The user's own photographs: read with care, cut to the generator's square, inverted to its codes, and checked."""

from __future__ import annotations

from zoom_engine.photographs.alignment import FFHQ, FacePoints
from zoom_engine.photographs.crops import Crop, crop_of_square, crops_of_pictures, read_crops
from zoom_engine.photographs.inversion import Inversion, Inverter, check_invertible
from zoom_engine.photographs.judging import Audited, Yardstick, compared, judged

__all__ = [
    "FFHQ",
    "Audited",
    "Crop",
    "FacePoints",
    "Inversion",
    "Inverter",
    "Yardstick",
    "check_invertible",
    "compared",
    "crop_of_square",
    "crops_of_pictures",
    "judged",
    "read_crops",
]
