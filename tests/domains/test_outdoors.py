"""What domains under an open sky share: columns that they may leave out, light, and textures at rest."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import FULL, SIZE
from zoom_engine.domains.landscape import paint_meadow
from zoom_engine.domains.outdoors import COLUMNS, RANGES, SKY, SWITCHES, Outdoors, Scene, box_of, paint_sky
from zoom_engine.domains.pets.parameters import Parameters as Pets
from zoom_engine.domains.places.parameters import Parameters as Places
from zoom_engine.domains.textures import blocks, fractal, stars, streaks


def test_columns_that_a_domain_leaves_out_are_zero() -> None:
    pets = Outdoors(Pets.neutral(3).replace(light_x=0.4))
    assert not any(switch.any() for switch in pets.on.values())
    assert pets.light_x.shape == (3, 1, 1)
    assert np.allclose(pets.light_x, 0.4)
    assert {row.name for row in COLUMNS} == {*SWITCHES, *RANGES}


def test_night_falls_on_what_was_laid_and_not_on_the_sky_and_windows_shine() -> None:
    scene = Scene(Outdoors(Places.neutral(1).replace(night=1.0)), 1, classes=True)
    paint_sky(scene)
    before = scene.canvas.rgb.copy()
    wall, window = box_of(-20, 0, 20, 30), box_of(-5, 10, 5, 20)
    scene.lay(wall, np.ones((1, 1, 1), dtype=np.float32), (0.8, 0.8, 0.8), label=2)
    scene.shine(window, np.ones((1, 1, 1), dtype=np.float32))
    scene.light()
    assert np.array_equal(scene.canvas.rgb[:, :, :50], before[:, :, :50])
    assert scene.canvas.rgb[0][0, wall.rows, wall.columns][0, 0] < 0.4
    assert np.allclose(scene.canvas.rgb[0][0, window.rows, window.columns], 1.0)
    assert scene.canvas.classes is not None
    assert set(np.unique(scene.canvas.classes)) == {SKY, 2}


def test_what_lies_before_a_window_hides_it() -> None:
    scene = Scene(Outdoors(Places.neutral(1)), 1, classes=False)
    whole = np.ones((1, 1, 1), dtype=np.float32)
    scene.shine(FULL, whole)
    scene.lay(box_of(-60, 0, 60, 60), whole, (0.5, 0.5, 0.5), label=2)
    assert scene.glass[0, 0].all()
    assert not scene.glass[0, -1].any()


def test_a_path_is_painted_where_it_is_asked_for() -> None:
    plain, trodden = (Scene(Outdoors(Places.neutral(1)), 1, classes=False) for _ in range(2))
    paint_meadow(plain)
    paint_meadow(trodden, (np.abs(trodden.u) < 5.0) * np.float32(1.0))
    changed = (plain.canvas.rgb != trodden.canvas.rgb).any(axis=(0, 1, 2))
    assert changed[60:68].all()
    assert not changed[:55].any()


def test_textures_are_the_same_each_time_and_within_their_ranges() -> None:
    for texture in (fractal(9, 4, 1), streaks(), stars(), blocks(9, 6, 1)[1]):
        assert texture.shape == (1, SIZE, SIZE)
        assert texture.dtype == np.float32
        assert texture.min() >= 0.0
        assert texture.max() <= 1.1
        assert np.ptp(texture) > 0.5
    assert fractal(9, 4, 1) is fractal(9, 4, 1)
    tones, joints = blocks(8, 4, 2)
    assert (joints[0, 3] == 1).all()
    assert len(np.unique(tones[0, 0, :8])) == 1, "a block has one tone"
