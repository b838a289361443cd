"""How people say it whose words no caption holds: the measure of a text encoder that should know ordinary English.

Three wordings of each attribute, each beside its opposite. They were written before the text encoder was trained, and
training never reads them.
"""

from __future__ import annotations

Pairs = tuple[tuple[str, str], ...]


def _other_way(pairs: Pairs) -> Pairs:
    """Return pairs of an attribute and its opposite as those of the opposite."""
    return tuple((opposite, wording) for wording, opposite in pairs)


_TURNED_LEFT = (
    ("somebody who watches something at our left hand", "somebody who watches something at our right hand"),
    ("leftward gaze, head and all", "rightward gaze, head and all"),
    (
        "cheek towards us, nose at the left edge of the picture",
        "cheek towards us, nose at the right edge of the picture",
    ),
)
_LIT_LEFT = (
    ("a window on the left brightens the cheek", "a window on the right brightens the cheek"),
    ("sunbeams out of the left", "sunbeams out of the right"),
    ("the left half glows, the right one is black", "the right half glows, the left one is black"),
)
UNSEEN: dict[str, Pairs] = {
    "old": (
        ("my grandfather or grandmother", "a teenager"),
        ("somebody in their eighties", "somebody in their twenties"),
        ("an ancient, weathered face", "a fresh-faced student"),
    ),
    "male": (
        ("a dude", "a chick"),
        ("he is somebody's father", "she is somebody's mother"),
        ("a businessman", "a businesswoman"),
    ),
    "round_face": (
        ("somebody with a moon-shaped head", "somebody with a slender head"),
        ("a pudgy face", "a gaunt face"),
        ("a circular, plump face", "an elongated, skinny face"),
    ),
    "pale_skin": (
        ("a caucasian", "somebody with a tan"),
        ("ivory skin", "olive skin"),
        ("somebody as white as snow", "somebody with coffee-coloured skin"),
    ),
    "dark_skin": (
        ("an african", "a scandinavian"),
        ("ebony skin", "ivory skin"),
        ("a person of color", "a caucasian"),
    ),
    "freckles": (
        ("tiny spots across nose and cheeks", "a spotless face"),
        ("a speckled face", "an even complexion"),
        ("sun-kissed dots on the cheeks", "flawless cheeks"),
    ),
    "smiling": (
        ("somebody who is laughing", "somebody who looks grim"),
        ("a delighted look", "a gloomy look"),
        ("beaming with joy", "a deadpan stare"),
    ),
    "mouth_open": (
        ("somebody who is shouting", "somebody who keeps silent"),
        ("caught in the middle of talking", "lips pressed together"),
        ("a gaping jaw", "a sealed mouth"),
    ),
    "raised_brows": (
        ("somebody who looks amazed", "somebody who looks calm"),
        ("a startled expression", "a blank expression"),
        ("lifting the brows in wonder", "a neutral forehead"),
    ),
    "eyes_closed": (
        ("somebody taking a nap", "somebody wide awake"),
        ("blinking at the wrong moment", "staring at the viewer"),
        ("lids down, dreaming", "a watchful gaze"),
    ),
    "bushy_eyebrows": (
        ("hairy brows", "plucked brows"),
        ("unibrow-like, wild eyebrows", "barely visible eyebrows"),
        ("shaggy eyebrows above the eyes", "pencil-thin eyebrows"),
    ),
    "full_lips": (
        ("a pouting mouth", "a tight-lipped mouth"),
        ("juicy lips", "hardly any lips"),
        ("fleshy, swollen lips", "skinny lips"),
    ),
    "eyeglasses": (
        ("somebody who is shortsighted and wears lenses in a frame", "somebody with bare eyes"),
        ("goggles", "a naked face"),
        ("a nerd with reading aids on the nose", "nothing on the nose"),
    ),
    "sunglasses": (
        ("ray-bans", "visible eyes"),
        ("a celebrity hiding behind shaded lenses", "eyes that can be seen"),
        ("dressed for the beach, eyes covered from the sun", "uncovered eyes"),
    ),
    "beard": (
        ("stubble on the jaw", "a freshly shaved jaw"),
        ("somebody who should use a razor", "a smooth chin"),
        ("goatee", "a hairless chin"),
    ),
    "mustache": (
        ("a handlebar under the nose", "nothing under the nose"),
        ("somebody like tom selleck, hair above the mouth", "a shaved upper lip"),
        ("a hairy upper lip", "a bare upper lip"),
    ),
    "bald": (
        ("a skinhead", "a mop of hair"),
        ("somebody who has lost all of it on top", "a thick head of hair"),
        ("a shiny scalp", "a hairy scalp"),
    ),
    "bangs": (
        ("hair hanging into the eyes", "hair combed back"),
        ("a forehead covered by strands", "an exposed forehead"),
        ("a pony cut straight above the brows", "a high, visible forehead"),
    ),
    "long_hair": (
        ("flowing locks down the back", "a buzz cut"),
        ("somebody who has not been to the barber for years", "a crew cut"),
        ("rapunzel", "a soldier's haircut"),
    ),
    "curly_hair": (
        ("an afro", "sleek hair"),
        ("frizzy locks", "flat-ironed hair"),
        ("a perm", "hair as straight as a ruler"),
    ),
    "black_hair": (
        ("raven locks", "platinum locks"),
        ("hair as dark as coal", "hair as pale as straw"),
        ("inky tresses", "light tresses"),
    ),
    "brown_hair": (
        ("hazel locks", "platinum locks"),
        ("hair the color of chocolate", "hair the color of snow"),
        ("auburn-brown tresses", "raven tresses"),
    ),
    "blond_hair": (
        ("platinum locks", "raven locks"),
        ("hair the color of straw", "hair the color of coal"),
        ("a swedish-looking mane of honey", "an inky mane"),
    ),
    "red_hair": (
        ("copper locks", "raven locks"),
        ("hair the color of fire", "hair the color of coal"),
        ("a carrot-top", "a dark-haired one"),
    ),
    "gray_hair": (
        ("hair the color of ash", "hair the color of chocolate"),
        ("salt-and-pepper hair", "dark hair"),
        ("hair that has lost its color with the years", "hair full of color"),
    ),
    "lipstick": (
        ("made up for a party, mouth in crimson", "natural, without cosmetics"),
        ("lips coated with rouge", "natural lips"),
        ("glossy scarlet lips", "plain lips"),
    ),
    "hat": (
        ("a bonnet", "a bare head"),
        ("something warm on the head against the cold", "nothing on the head"),
        ("a ski cap", "bareheaded"),
    ),
    "headscarf": (
        ("a muslim woman with covered hair", "a woman with uncovered hair"),
        ("a shawl wrapped about hair and neck", "hair and neck uncovered"),
        ("chador", "loose, uncovered hair"),
    ),
    "head_turned": (
        ("somebody gazing off to one side", "somebody facing us"),
        ("a three-quarter view", "a passport photo"),
        ("glancing over the shoulder", "straight-on mugshot"),
    ),
    "turned_left": _TURNED_LEFT,
    "turned_right": _other_way(_TURNED_LEFT),
    "side_light": (
        ("dramatic shadows across one cheek", "flat, uniform lighting"),
        ("a window on the left lights half of it", "a flash lights all of it"),
        ("chiaroscuro", "softly and equally lit"),
    ),
    "lit_left": _LIT_LEFT,
    "lit_right": _other_way(_LIT_LEFT),
    "dark_picture": (
        ("an underexposed photo", "an overexposed photo"),
        ("hardly to be seen, late in the evening", "well visible at noon"),
        ("gloomy, dusky lighting", "brilliant lighting"),
    ),
    "bright_picture": (
        ("an overexposed photo", "an underexposed photo"),
        ("washed out by too much light", "swallowed by shadows"),
        ("glaring sunshine everywhere", "murky dusk"),
    ),
    "outdoors": (
        ("somebody hiking in a forest", "somebody in an office"),
        ("leaves and sky behind", "walls and furniture behind"),
        ("camping in the woods", "sitting in the living room"),
    ),
}
