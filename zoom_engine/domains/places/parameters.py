"""The parameters of a place: names, ranges, meanings, and their natural ties."""

from __future__ import annotations

from zoom_engine.domains.outdoors import COLUMNS, PLAIN
from zoom_engine.domains.parameters import STEEP, Parameter, ParameterTable, Scheme

SCHEME = Scheme(
    subject="place",
    columns=(
        Parameter("church", 0.0, "share of a church in the building; the five shares sum to 1"),
        Parameter("mosque", 0.0, "share of a mosque: a dome between two minarets"),
        Parameter("house", 0.0, "share of a house with a turret"),
        Parameter("tower", 0.0, "share of a tower with battlements"),
        Parameter("ruin", 0.0, "share of a ruin: broken walls, gaps in the roof"),
        Parameter("width", -1.0, "-1 narrow to 1 wide"),
        Parameter("height", -1.0, "-1 low to 1 high walls"),
        Parameter("turn", -1.0, "-1 its left side is seen to 1 its right one", 5.0, 0.5),
        Parameter("tower_x", -1.0, "-1 the turret stands left to 1 right", 14.0, 0.5),
        Parameter("place_x", -1.0, "-1 the building stands left to 1 right (5 units)"),
        Parameter("steeple", 0.0, "0 a short cap to 1 a tall spire on the turret", STEEP, 0.40),
        Parameter("cross", 0.0, "0 none to 1 a cross on top", STEEP, 0.40),
        Parameter("scaffolding", 0.0, "0 none to 1 poles and planks before the walls", STEEP, 0.32),
        Parameter("wood", 0.0, "0 none to 1 walls of boards, over all below", STEEP, 0.28),
        Parameter("brick", 0.0, "0 none to 1 walls of brick, over stone", STEEP, 0.36),
        Parameter("stone", 0.0, "0 plaster to 1 walls of stone", STEEP, 0.48),
        Parameter("plaster", 0.0, "0 white over yellow and rose to 1 blue"),
        Parameter("roof_red", 0.0, "0 slate to 1 red tiles", STEEP, 0.42),
        *COLUMNS,
    ),
    colours={"church": 0.12, "mosque": 0.0, "house": 0.04, "tower": 0.0, "ruin": 0.0},
    sharpness=9.0,
    ties={
        "cross": {"church": 0.5, "mosque": -0.3},
        "steeple": {"church": 0.4},
        "wood": {"house": 0.35},
        "stone": {"ruin": 0.3, "tower": 0.25},
        "scaffolding": {"ruin": -0.25},
        "roof_red": {"house": 0.25},
        "conifers": {"snow": 0.4},
        "fog": {"water": 0.25},
        "people": {"rain": -0.3},
    },
    plain=PLAIN | dict.fromkeys(("church", "mosque", "tower", "ruin", "steeple", "cross", "scaffolding"), 0.0)
    | dict.fromkeys(("wood", "brick", "stone", "roof_red"), 0.0)
    | {"house": 1.0, "turn": 0.6, "tower_x": -0.8, "plaster": 0.1},
    seed=20231130,
)  # fmt: skip
KINDS: tuple[str, ...] = tuple(SCHEME.colours)


class Parameters(ParameterTable):
    """Render parameters of places, a row each (see `SCHEME` for the columns)."""

    scheme = SCHEME
