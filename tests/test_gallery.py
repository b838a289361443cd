"""Which counterfactuals of an audit are shown."""

from __future__ import annotations

from zoom_engine.diagnosis import Diagnosis
from zoom_engine.gallery import telling_records
from zoom_engine.records import Record

ATTRIBUTE = "a smiling face"


def unit(image: int, before: float, after: float, *, ssim: float = 1.0) -> Record:
    return {
        "image": image,
        "seed": image,
        "attribute": ATTRIBUTE,
        "edit_weights": [1.0],
        "original_output": [before],
        "output": [after],
        "change": abs(after - before),
        "flipped": (before > 0.5) != (after > 0.5),
        "label_kept": True,
        "ssim": ssim,
    }


def shown(*units: Record) -> list[int]:
    config = {"mode": "single", "search": "scan", "attributes": [ATTRIBUTE], "target": "avatars:mustache"}
    return [record["image"] for record in telling_records(Diagnosis({"config": config}, units))]


def test_both_directions_of_the_flip_are_shown() -> None:
    assert shown(unit(0, 0.1, 0.9), unit(1, 0.2, 0.9), unit(2, 0.8, 0.2)) == [0, 2]


def test_a_direction_that_hardly_moves_gives_way() -> None:
    assert shown(unit(0, 0.1, 0.9), unit(1, 0.2, 0.8), unit(2, 0.52, 0.5)) == [0, 1]


def test_a_counterfactual_near_its_original_comes_first() -> None:
    assert shown(unit(0, 0.1, 0.9, ssim=0.5), unit(1, 0.2, 0.8, ssim=0.9)) == [1, 0]


def test_without_a_flip_the_unit_that_changed_most_is_shown() -> None:
    assert shown(unit(0, 0.1, 0.2), unit(1, 0.1, 0.4)) == [1]
