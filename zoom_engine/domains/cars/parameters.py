"""The parameters of a car: names, ranges, meanings, and their natural ties."""

from __future__ import annotations

from zoom_engine.domains.parameters import STEEP, Parameter, ParameterTable, Scheme

KINDS: tuple[str, ...] = ("compact", "saloon", "estate", "suv", "sports")

_ABSENT = (*(f"kind_{kind}" for kind in KINDS), "red", "white", "black", "hue", "two_tone", "wheel_size", "roof_rack",
           "spoiler", "open_top", "driver", "dirt", "street", "field", "snow", "night")  # fmt: skip

SCHEME = Scheme(
    subject="car",
    columns=(
        *(Parameter(f"kind_{kind}", 0.0, f"share of {kind} in the shape; the five sum to 1") for kind in KINDS),
        Parameter("length", -1.0, "-1 short to 1 long for its kind (6 %)"),
        Parameter("height", -1.0, "-1 low to 1 tall for its kind (5 %)"),
        Parameter("red", 0.0, "0 the colour of `hue` to 1 red", STEEP, 0.45),
        Parameter("white", 0.0, "0 coloured to 1 white", STEEP, 0.27),
        Parameter("black", 0.0, "0 coloured to 1 black, also over white", STEEP, 0.22),
        Parameter("hue", 0.0, "0 blue over teal, green and gold to 1 silver"),
        Parameter("two_tone", 0.0, "0 one colour to 1 roof and lower half in another", STEEP, 0.36),
        Parameter("wheel_size", 0.0, "0 small to 1 big wheels", 8.0, 0.42),
        Parameter("rims", 0.0, "0 nearly closed rims to 1 thin spokes"),
        Parameter("roof_rack", 0.0, "0 none to 1 rails with cross-bars", STEEP, 0.36),
        Parameter("spoiler", 0.0, "0 none to 1 a wing at the rear", STEEP, 0.36),
        Parameter("open_top", 0.0, "0 closed to 1 no roof behind the windscreen", STEEP, 0.34),
        Parameter("driver", 0.0, "0 nobody to 1 somebody at the wheel", STEEP, 0.45),
        Parameter("dirt", 0.0, "0 clean to 1 covered in mud", 14.0, 0.38),
        Parameter("street", 0.0, "0 a studio to 1 a street with houses", STEEP, 0.40),
        Parameter("field", 0.0, "0 what there is to 1 a meadow, which hides a street", STEEP, 0.32),
        Parameter("snow", 0.0, "0 what there is to 1 snow and firs, which hide meadow and street", STEEP, 0.30),
        Parameter("night", 0.0, "0 day to 1 night, lamps lit", STEEP, 0.34),
        Parameter("turn", -1.0, "-1 its rear to 1 its front towards us (32 degrees); 0 is a side view"),
        Parameter("light_x", -1.0, "light from -1 the left to 1 the right of the picture"),
        Parameter("background_lightness", 0.0, "0 deep to 1 light"),
        Parameter("background_warmth", -1.0, "-1 blue to 1 orange"),
        Parameter("background_tint", -1.0, "-1 green to 1 pink"),
    ),
    colours={"kind_compact": 0.0, "kind_saloon": 0.02, "kind_estate": 0.05, "kind_suv": 0.02, "kind_sports": 0.08},
    sharpness=8.0,
    ties={
        "wheel_size": {"kind_suv": 0.35},
        "roof_rack": {"kind_estate": 0.3, "kind_suv": 0.25},
        "spoiler": {"kind_sports": 0.5},
        "open_top": {"kind_sports": 0.4},
        "dirt": {"kind_suv": 0.25, "field": 0.3},
        "driver": {"street": 0.25},
    },
    plain=dict.fromkeys(_ABSENT, 0.0) | {"kind_saloon": 1.0},
    seed=20261201,
)


class Parameters(ParameterTable):
    """Render parameters of cars, a row each (see `SCHEME` for the columns)."""

    scheme = SCHEME
