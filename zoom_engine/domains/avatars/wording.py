"""Words for avatars: ways to say each attribute, and its prompts."""

from __future__ import annotations

from zoom_engine.domains.avatars.attributes import TRUTH
from zoom_engine.domains.wording import Wording, with_article

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "eyeglasses": Wording("with", ("eyeglasses", "glasses", "spectacles"), ("no glasses", "no eyeglasses")),
    "smiling": Wording("adjective", ("smiling", "happy", "cheerful", "grinning"), ("serious", "unsmiling")),
    "beard": Wording("with", ("a beard", "a full beard", "a bearded chin"), ("no beard", "a beardless chin")),
    "mustache": Wording("with", ("a mustache", "a moustache"), ("no mustache", "no moustache")),
    "bangs": Wording("with", ("bangs", "a fringe", "hair over the forehead"), ("no bangs", "a bare forehead")),
    "black_hair": Wording("with", ("black hair", "jet-black hair", "raven hair"), ()),
    "brown_hair": Wording("with", ("brown hair", "brunette hair", "chestnut hair"), ()),
    "blond_hair": Wording("with", ("blond hair", "blonde hair", "golden hair"), ()),
    "red_hair": Wording("with", ("red hair", "ginger hair"), ()),
    "gray_hair": Wording("with", ("gray hair", "grey hair", "silver hair"), ()),
    "bald": Wording("adjective", ("bald", "hairless", "bald-headed"), ()),
    "long_hair": Wording("with", ("long hair", "hair down to the shoulders"), ("short hair",)),
    "curly_hair": Wording("with", ("curly hair", "curls", "frizzy hair"), ("straight hair", "smooth hair")),
    "pale_skin": Wording("with", ("pale skin", "fair skin", "light skin", "a pale complexion"), ()),
    "dark_skin": Wording("with", ("dark skin", "deep brown skin", "a dark complexion"), ()),
    "bushy_eyebrows": Wording(
        "with", ("bushy eyebrows", "thick eyebrows", "heavy brows"), ("thin eyebrows", "fine brows")
    ),
    "lipstick": Wording("with", ("lipstick", "red lipstick", "red lips"), ("no lipstick", "natural lips")),
    "mouth_open": Wording("with", ("an open mouth", "the mouth open"), ("a closed mouth", "the mouth closed")),
    "angry": Wording("adjective", ("angry", "furious", "frowning"), ("calm", "relaxed")),
    "old": Wording("adjective", ("old", "elderly", "aged"), ("young", "youthful")),
    "male": Wording("noun", ("man", "male person", "gentleman"), ("woman", "female person", "lady")),
    "big_eyes": Wording("with", ("big eyes", "large eyes", "wide eyes"), ("small eyes", "narrow eyes")),
}

_NEGATIVE_PROMPTS = {"bald": "a face with hair"}


def prompt(attribute: str) -> str:
    """Return the attribute's default prompt: "a face with eyeglasses", "a smiling face", "the face of a man"."""
    return _phrase(attribute, present=True)


def zero_shot_prompts(attribute: str) -> tuple[str, str]:
    """Return what a zero-shot classifier compares, (positive, negative): ("a smiling face", "a serious face")."""
    return _phrase(attribute, present=True), _phrase(attribute, present=False)


def _phrase(attribute: str, *, present: bool) -> str:
    TRUTH.check(attribute)
    wording = ATTRIBUTE_PHRASES[attribute]
    if not present and attribute in _NEGATIVE_PROMPTS:
        return _NEGATIVE_PROMPTS[attribute]
    if wording.kind == "with":
        if not present and attribute in ("mouth_open", "bushy_eyebrows", "big_eyes"):
            return f"a face with {wording.absent[0]}"
        return f"a face {'with' if present else 'without'} {wording.present[0]}"
    words = wording.present if present else wording.absent
    if wording.kind == "noun":
        return f"the face of {with_article(words[0])}"
    return f"{with_article(words[0])} face"
