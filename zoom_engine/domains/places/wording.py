"""Words for places: ways to say each attribute."""

from __future__ import annotations

from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.wording import Wording, Words

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "church": Wording("noun", ("church", "chapel", "cathedral"), ("building that is no church",)),
    "mosque": Wording("noun", ("mosque", "mosque with a dome"), ("building that is no mosque",)),
    "house": Wording("noun", ("house", "farmhouse", "villa"), ("building that is no house",)),
    "tower": Wording("noun", ("tower", "watchtower", "keep"), ("building that is no tower",)),
    "ruin": Wording("noun", ("ruin", "ruined building"), ("building that is no ruin",)),
    "wooden": Wording("adjective", ("wooden", "timber"), ("masonry",)),
    "brick": Wording("with", ("brick walls", "walls of brick", "red brick"), ("no brick",)),
    "stone": Wording("with", ("stone walls", "walls of stone", "stonework"), ("no stone",)),
    "red_roof": Wording("with", ("a red roof", "red tiles"), ("a gray roof", "a slate roof", "a grey roof")),
    "tall_steeple": Wording("with", ("a tall steeple", "a tall spire"), ("a short steeple", "no spire")),
    "cross": Wording("with", ("a cross", "a golden cross", "a cross on top"), ("no cross",)),
    "scaffolding": Wording("with", ("scaffolding", "a scaffold"), ("no scaffolding",)),
    "night": Wording("place", ("at night", "in the dark", "under the moon"), ("by day", "in daylight")),
    "sunset": Wording("place", ("at sunset", "in the evening sun", "at dusk"), ("without a sunset",)),
    "blue_sky": Wording("place", ("under a blue sky", "in sunshine", "on a sunny day"), ("without a blue sky",)),
    "fog": Wording("place", ("in fog", "in the mist", "on a foggy day"), ("in clear air", "without fog")),
    "rain": Wording("place", ("in the rain", "on a rainy day"), ("in dry weather", "without rain")),
    "snow": Wording("place", ("in the snow", "in winter", "covered in snow"), ("without snow", "in summer")),
    "trees": Wording("with", ("trees", "trees around it", "green trees"), ("no trees",)),
    "water": Wording("place", ("by a lake", "by the water", "beside a pond"), ("on dry land", "without water")),
    "people": Wording("with", ("people", "people in front of it", "visitors"), ("nobody", "no people")),
}

WORDS = Words(TRUTH, "building", ATTRIBUTE_PHRASES, opposites=("red_roof", "tall_steeple"))
