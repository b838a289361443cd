"""The parameters of a place: names, ranges, meanings, and their natural ties."""

from __future__ import annotations

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
        Parameter("tower_x", -1.0, "-1 the turret stands left to 1 right", 9.0, 0.5),
        Parameter("place_x", -1.0, "-1 the building stands left to 1 right (5 units)"),
        Parameter("steeple", 0.0, "0 a short cap to 1 a tall spire on the turret", STEEP, 0.40),
        Parameter("cross", 0.0, "0 none to 1 a cross on top", STEEP, 0.40),
        Parameter("scaffolding", 0.0, "0 none to 1 poles and planks before the walls", STEEP, 0.32),
        Parameter("wood", 0.0, "0 none to 1 walls of boards, over all below", STEEP, 0.28),
        Parameter("brick", 0.0, "0 none to 1 walls of brick, over stone", STEEP, 0.36),
        Parameter("stone", 0.0, "0 plaster to 1 walls of stone", STEEP, 0.48),
        Parameter("plaster", 0.0, "0 white over yellow and rose to 1 blue"),
        Parameter("roof_red", 0.0, "0 slate to 1 red tiles", STEEP, 0.42),
        Parameter("night", 0.0, "0 day to 1 night, windows lit", STEEP, 0.30),
        Parameter("sunset", 0.0, "0 none to 1 a low red sun", STEEP, 0.38),
        Parameter("blue", 0.0, "0 an overcast sky to 1 a blue one", STEEP, 0.74),
        Parameter("clouds", 0.0, "0 few to 1 many clouds"),
        Parameter("fog", 0.0, "0 clear to 1 fog", STEEP, 0.26),
        Parameter("rain", 0.0, "0 dry to 1 rain", STEEP, 0.26),
        Parameter("snow", 0.0, "0 none to 1 snow on ground, roofs and trees", STEEP, 0.36),
        Parameter("trees", 0.0, "0 none to 1 trees on both sides", STEEP, 0.45),
        Parameter("conifers", 0.0, "0 round crowns to 1 firs", 8.0, 0.4),
        Parameter("hills", 0.0, "0 flat to 1 high hills"),
        Parameter("grass", 0.0, "0 dry to 1 lush"),
        Parameter("path", 0.0, "0 none to 1 a path to the door", 8.0, 0.5),
        Parameter("water", 0.0, "0 none to 1 a lake in front that mirrors", STEEP, 0.38),
        Parameter("people", 0.0, "0 nobody to 1 five people", STEEP, 0.40),
        Parameter("people_x", -1.0, "-1 they stand further left to 1 right"),
        Parameter("light_x", -1.0, "sun, moon and light from -1 the left to 1 the right", 5.0, 0.5),
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
    plain={
        "church": 0.0, "mosque": 0.0, "house": 1.0, "tower": 0.0, "ruin": 0.0, "turn": 0.6, "tower_x": -0.8,
        "steeple": 0.0, "cross": 0.0, "scaffolding": 0.0, "wood": 0.0, "brick": 0.0, "stone": 0.0, "plaster": 0.1,
        "roof_red": 0.0, "night": 0.0, "sunset": 0.0, "blue": 0.0, "fog": 0.0, "rain": 0.0, "snow": 0.0, "trees": 0.0,
        "water": 0.0, "people": 0.0,
    },
    seed=20231130,
)  # fmt: skip
KINDS: tuple[str, ...] = tuple(SCHEME.colours)


class Parameters(ParameterTable):
    """Render parameters of places, a row each (see `SCHEME` for the columns)."""

    scheme = SCHEME
