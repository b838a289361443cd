"""Words for people: ways to say each attribute, and its prompts."""

from __future__ import annotations

from lab.people.attributes import TRUTH
from zoom_engine.domains.wording import Wording, Words

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "old": Wording("adjective", ("old", "elderly", "aged"), ("young", "youthful")),
    "male": Wording("noun", ("man", "gentleman", "guy"), ("woman", "lady", "female person")),
    "round_face": Wording("with", ("a round face", "a wide face"), ("a narrow face", "a long face")),
    "pale_skin": Wording("with", ("pale skin", "fair skin", "light skin"), ()),
    "dark_skin": Wording("with", ("dark skin", "black skin", "deep brown skin"), ()),
    "freckles": Wording("with", ("freckles", "a freckled face"), ("no freckles", "clear skin")),
    "smiling": Wording("adjective", ("smiling", "happy", "cheerful"), ("serious", "unsmiling")),
    "mouth_open": Wording("with", ("an open mouth", "the mouth open"), ("a closed mouth", "the mouth closed")),
    "raised_brows": Wording("with", ("raised eyebrows", "lifted eyebrows"), ("relaxed eyebrows",)),
    "eyes_closed": Wording("with", ("closed eyes", "the eyes shut"), ("open eyes",)),
    "bushy_eyebrows": Wording("with", ("bushy eyebrows", "thick eyebrows"), ("thin eyebrows",)),
    "full_lips": Wording("with", ("full lips", "thick lips"), ("thin lips",)),
    "eyeglasses": Wording("with", ("eyeglasses", "glasses", "spectacles"), ("no eyeglasses",)),
    "sunglasses": Wording("with", ("sunglasses", "dark glasses", "shades"), ("no sunglasses",)),
    "beard": Wording("with", ("a beard", "a full beard"), ("no beard",)),
    "mustache": Wording("with", ("a mustache", "a moustache"), ("no mustache",)),
    "bald": Wording("adjective", ("bald", "hairless", "bald-headed"), ()),
    "bangs": Wording("with", ("bangs", "a fringe"), ("no bangs",)),
    "long_hair": Wording("with", ("long hair",), ("short hair", "cropped hair")),
    "curly_hair": Wording("with", ("curly hair", "curls"), ("straight hair",)),
    "black_hair": Wording("with", ("black hair",), ()),
    "brown_hair": Wording("with", ("brown hair",), ()),
    "blond_hair": Wording("with", ("blond hair", "blonde hair", "fair hair"), ()),
    "red_hair": Wording("with", ("red hair", "ginger hair"), ()),
    "gray_hair": Wording("with", ("gray hair", "grey hair"), ()),
    "lipstick": Wording("with", ("lipstick", "red lipstick"), ("no lipstick",)),
    "hat": Wording("with", ("a hat", "a knitted hat", "a cap"), ("no hat",)),
    "headscarf": Wording("with", ("a headscarf", "a hijab"), ("no headscarf",)),
    "head_turned": Wording("with", ("the head turned", "the face turned aside"), ("a face turned to the camera",)),
    "turned_left": Wording("with", ("the head turned to the left", "the face turned left"), ()),
    "turned_right": Wording("with", ("the head turned to the right", "the face turned right"), ()),
    "side_light": Wording("place", ("lit from the side", "in light from one side"), ("lit from the front",)),
    "lit_left": Wording("place", ("lit from the left", "in light from the left"), ()),
    "lit_right": Wording("place", ("lit from the right", "in light from the right"), ()),
    "dark_picture": Wording("place", ("in the dark", "in low light"), ()),
    "bright_picture": Wording("place", ("in bright light",), ()),
    "outdoors": Wording("place", ("outdoors", "in a park", "under trees"), ("indoors", "in a room")),
}

WORDS = Words(
    TRUTH,
    "person",
    ATTRIBUTE_PHRASES,
    opposites=(
        "round_face", "mouth_open", "raised_brows", "eyes_closed", "bushy_eyebrows", "full_lips", "long_hair",
        "curly_hair", "head_turned",
    ),
)  # fmt: skip
