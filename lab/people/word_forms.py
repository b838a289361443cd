"""Other forms of the people's words: half of the sentences that their text encoder learns from are made of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.people import wording
from lab.people.captions import NOUNS, draw_caption, speakable, vocabulary
from lab.word_forms import Forms, WordForms

WORD_FORMS: dict[str, Forms] = {
    "old": Forms(
        having=("wrinkles", "old age", "wrinkled skin"),
        being=("older", "aging", "senior", "wrinkled"),
        nouns=("senior", "pensioner"),
        no_having=("youthful skin",),
        no_being=("younger",),
        no_nouns=("youngster", "young adult"),
    ),
    "male": Forms(
        being=("masculine", "manly"),
        nouns=("male", "gent", "fellow"),
        plurals=("men", "males", "guys"),
        no_being=("feminine", "womanly"),
        no_nouns=("female", "girl"),
        no_plurals=("women", "females", "ladies"),
    ),
    "round_face": Forms(
        having=("a broad face", "chubby cheeks", "a full face"),
        being=("round-faced", "wide-faced"),
        no_having=("an oval face", "a thin face"),
        no_being=("narrow-faced", "long-faced"),
    ),
    "pale_skin": Forms(
        having=("white skin", "a pale complexion", "lighter skin"),
        being=("pale", "pale-skinned", "fair-skinned", "light-skinned"),
    ),
    "dark_skin": Forms(
        having=("a dark complexion", "darker skin", "brown skin"), being=("dark-skinned", "black", "brown-skinned")
    ),
    "freckles": Forms(having=("freckled skin", "spots on the skin"), being=("freckled", "freckly")),
    "smiling": Forms(
        having=("a smile", "a grin", "a happy expression"),
        being=("grinning", "joyful", "glad", "merry"),
        doing=(("smiles", "smile"), ("grins", "grin")),
        no_having=("a serious expression",),
        no_being=("solemn", "stern"),
    ),
    "mouth_open": Forms(
        having=("parted lips", "an opened mouth", "teeth showing"),
        being=("open-mouthed",),
        no_having=("a shut mouth", "lips closed"),
        no_being=("closed-mouthed",),
    ),
    "raised_brows": Forms(
        having=("brows raised", "eyebrows up", "arched brows", "a surprised look"), being=("surprised", "astonished")
    ),
    "eyes_closed": Forms(
        having=("eyes closed", "shut eyes", "closed eyelids"),
        being=("asleep", "sleeping"),
        no_having=("eyes open",),
        no_being=("awake",),
    ),
    "bushy_eyebrows": Forms(
        having=("dense eyebrows", "strong brows", "heavy eyebrows"),
        being=("bushy-browed",),
        no_having=("sparse eyebrows", "fine brows"),
    ),
    "full_lips": Forms(
        having=("big lips", "large lips", "plump lips"), being=("full-lipped",), no_having=("narrow lips",)
    ),
    "eyeglasses": Forms(having=("specs", "eyewear", "a pair of glasses"), being=("bespectacled",)),
    "sunglasses": Forms(having=("tinted glasses", "black glasses", "a pair of sunglasses")),
    "beard": Forms(
        having=("facial hair", "a bearded chin", "whiskers"), being=("bearded",), no_being=("clean-shaven", "shaven")
    ),
    "mustache": Forms(
        having=("mustaches", "moustaches", "hair on the upper lip"),
        being=("mustached", "moustached", "mustachioed"),
    ),
    "bald": Forms(having=("a bald head", "no hair", "a shaved head"), being=("balding",)),
    "bangs": Forms(having=("fringes", "hair on the forehead", "a fringed forehead"), no_having=("a bare forehead",)),
    "long_hair": Forms(
        having=("longer hair", "shoulder-length hair", "hair over the shoulders"),
        being=("long-haired",),
        no_having=("shorter hair", "a short haircut"),
        no_being=("short-haired",),
    ),
    "curly_hair": Forms(
        having=("wavy hair", "curled hair", "ringlets", "a curl"),
        being=("curly-haired", "curly"),
        no_having=("smooth hair",),
        no_being=("straight-haired",),
    ),
    "black_hair": Forms(having=("jet-black hair", "hair of black color", "very dark hair")),
    "brown_hair": Forms(having=("hair of brown color", "chestnut hair"), being=("brunette",), nouns=("brunette",)),
    "blond_hair": Forms(
        having=("yellow hair", "hair of blond color", "golden hair"),
        being=("blond-haired", "fair-haired", "golden-haired"),
    ),
    "red_hair": Forms(
        having=("orange hair", "hair of red color"), being=("ginger-haired", "redheaded"), nouns=("redhead",)
    ),
    "gray_hair": Forms(
        having=("silver hair", "graying hair", "white hair"), being=("silver-haired", "white-haired", "gray")
    ),
    "lipstick": Forms(having=("red lips", "painted lips", "makeup on the lips")),
    "hat": Forms(having=("a beanie", "headwear", "a woolen hat", "a hat on the head"), being=("hatted",)),
    "headscarf": Forms(
        having=("a scarf over the head", "a scarf around the head", "a head covering"), being=("veiled",)
    ),
    "head_turned": Forms(
        having=("the head to the side", "a turned head", "the face in profile"),
        doing=(("looks away", "look away"), ("looks aside", "look aside")),
        no_having=("the face to the front", "a frontal face"),
    ),
    "turned_left": Forms(
        having=("the head to the left", "the face to the left", "a nose that points left"),
        being=("left-facing",),
        doing=(("faces left", "face left"), ("looks left", "look left"), ("looks to the left", "look to the left")),
    ),
    "turned_right": Forms(
        having=("the head to the right", "the face to the right", "a nose that points right"),
        being=("right-facing",),
        doing=(
            ("faces right", "face right"),
            ("looks right", "look right"),
            ("looks to the right", "look to the right"),
        ),
    ),
    "side_light": Forms(
        having=("light from the side", "one side of the face in shadow", "half the face in shadow"),
        where=("with side lighting", "under a lamp at the side"),
        no_having=("even light", "light from the front"),
        no_where=("with frontal lighting",),
    ),
    "lit_left": Forms(
        having=("light from the left", "light on the left", "the right side of the face in shadow"),
        where=("with the light at the left", "under a lamp at the left"),
    ),
    "lit_right": Forms(
        having=("light from the right", "light on the right", "the left side of the face in shadow"),
        where=("with the light at the right", "under a lamp at the right"),
    ),
    "dark_picture": Forms(where=("in a dark picture", "in a dim room", "in darkness", "at night")),
    "bright_picture": Forms(where=("in a bright picture", "in strong light", "in bright daylight")),
    "outdoors": Forms(
        where=("outside", "in a park", "in nature", "under trees"), no_where=("inside", "in a house", "at home")
    ),
}
WORDS = WordForms(
    WORD_FORMS,
    wording.ATTRIBUTE_PHRASES,
    noun="person",
    nouns=NOUNS,
    vocabulary=vocabulary,
    zero_shot_prompts=wording.WORDS.zero_shot_prompts,
    worn=frozenset({"eyeglasses", "sunglasses", "beard", "mustache", "lipstick", "hat", "headscarf"}),
)
FORMS_SHARE = 0.5


def draw_text(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """Draw a true caption of a person with the margins `row`, or a true sentence in other forms, each half of the time.

    Returns:
        The text, and the attributes that it claims (present or not).
    """
    if rng.random() < FORMS_SHARE:
        return WORDS.draw_sentence(speakable(row), rng, templates)
    return draw_caption(row, rng, templates, most)
