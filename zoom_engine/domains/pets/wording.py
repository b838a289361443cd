"""Words for pets: ways to say each attribute, and its prompts."""

from __future__ import annotations

from zoom_engine.domains.pets.attributes import TRUTH
from zoom_engine.domains.wording import Wording, Words

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "dog": Wording("noun", ("dog", "puppy", "hound"), ("cat", "kitten", "kitty")),
    "pointed_ears": Wording(
        "with", ("pointed ears", "upright ears", "pricked ears"), ("floppy ears", "drooping ears", "folded ears")
    ),
    "long_snout": Wording("with", ("a long snout", "a long muzzle"), ("a short snout", "a short muzzle")),
    "black_fur": Wording("with", ("black fur", "a black coat"), ()),
    "white_fur": Wording("with", ("white fur", "a white coat"), ()),
    "ginger_fur": Wording("with", ("ginger fur", "orange fur", "a ginger coat"), ()),
    "gray_fur": Wording("with", ("gray fur", "grey fur", "a gray coat"), ()),
    "brown_fur": Wording("with", ("brown fur", "a brown coat"), ()),
    "stripes": Wording("with", ("stripes", "tabby stripes", "striped fur"), ("no stripes",)),
    "eye_patch": Wording("with", ("a patch around one eye", "an eye patch"), ("no patch",)),
    "white_blaze": Wording("with", ("a white blaze", "a white blaze and bib"), ("no blaze",)),
    "fluffy": Wording("adjective", ("fluffy", "long-haired", "furry"), ("short-haired", "smooth")),
    "blue_eyes": Wording("with", ("blue eyes",), ()),
    "big_eyes": Wording("with", ("big eyes", "large eyes"), ("small eyes",)),
    "slit_pupils": Wording("with", ("slit pupils", "vertical pupils"), ("round pupils",)),
    "sleepy": Wording("adjective", ("sleepy", "drowsy", "tired"), ("awake", "alert")),
    "mouth_open": Wording("with", ("an open mouth", "the mouth open"), ("a closed mouth", "the mouth closed")),
    "tongue_out": Wording("with", ("the tongue out", "a hanging tongue"), ("no tongue",)),
    "pink_nose": Wording("with", ("a pink nose",), ("a black nose", "a dark nose")),
    "whiskers": Wording("with", ("whiskers", "long whiskers"), ("no whiskers",)),
    "collar": Wording("with", ("a collar", "a collar and a tag"), ("no collar",)),
    "on_grass": Wording("place", ("on grass", "outdoors", "in a meadow"), ("indoors", "in a room")),
}

WORDS = Words(
    TRUTH,
    "pet",
    ATTRIBUTE_PHRASES,
    opposites=("pointed_ears", "long_snout", "big_eyes", "slit_pupils", "mouth_open", "pink_nose"),
)
