"""Other forms of the avatars' words, which their text encoder learns after its captions."""

from __future__ import annotations

from lab.avatars.captions import NOUNS, vocabulary
from lab.word_forms import Forms, WordForms
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES, zero_shot_prompts

WORD_FORMS: dict[str, Forms] = {
    "eyeglasses": Forms(having=("specs", "eyewear", "a pair of glasses", "reading glasses"), being=("bespectacled",)),
    "smiling": Forms(
        having=("a smile", "a grin", "a happy expression"),
        being=("laughing", "joyful", "cheery", "beaming", "glad", "merry"),
        doing=(("smiles", "smile"), ("grins", "grin"), ("laughs", "laugh")),
        no_being=("solemn", "stern"),
    ),
    "beard": Forms(having=("whiskers",), no_being=("clean-shaven", "shaven")),
    "mustache": Forms(
        having=("mustaches", "moustaches"), being=("mustached", "moustached", "mustachioed", "moustachioed")
    ),
    "bangs": Forms(having=("fringes", "hair on the forehead", "a fringed forehead")),
    "black_hair": Forms(having=("ebony hair", "hair of black color", "black-colored hair"), being=("black-haired",)),
    "brown_hair": Forms(having=("brunet hair", "hair of brown colour", "brown-coloured hair"), being=("brown-haired",)),
    "blond_hair": Forms(
        having=("flaxen hair", "yellow hair", "hair of blond color"),
        being=("blond-haired", "blonde-haired", "golden-haired"),
    ),
    "red_hair": Forms(
        having=("orange hair",),
        being=("red-haired", "ginger-haired", "redheaded"),
        nouns=("redhead",),
    ),
    "gray_hair": Forms(
        having=("silvery hair", "graying hair", "greying hair", "hair of gray color"),
        being=("gray-haired", "grey-haired", "silver-haired"),
    ),
    "bald": Forms(having=("a bald head", "a hairless head"), being=("balding",)),
    "long_hair": Forms(
        having=("longer hair", "shoulder-length hair"),
        being=("long-haired",),
        no_having=("shorter hair",),
        no_being=("short-haired",),
    ),
    "curly_hair": Forms(
        having=("wavy hair", "curled hair", "ringlets", "a curl"),
        being=("curly-haired",),
        no_being=("straight-haired",),
    ),
    "pale_skin": Forms(
        having=("paleness", "a pallid complexion", "lighter skin"),
        being=("pale-skinned", "light-skinned", "fair-skinned", "pallid"),
    ),
    "dark_skin": Forms(having=("darker skin", "a darker complexion"), being=("dark-skinned",)),
    "bushy_eyebrows": Forms(
        having=("a bushy eyebrow", "strong eyebrows", "dense eyebrows"),
        being=("bushy-browed",),
        no_having=("sparse eyebrows",),
    ),
    "lipstick": Forms(having=("lipsticks", "lip color", "lip colour", "painted lips")),
    "mouth_open": Forms(
        having=("an opened mouth", "parted lips", "a gaping mouth"),
        being=("open-mouthed",),
        no_having=("a shut mouth", "the mouth shut"),
        no_being=("closed-mouthed",),
    ),
    "angry": Forms(
        having=("an angry expression", "a frown", "a scowl", "anger"),
        being=("mad", "annoyed", "irate", "enraged", "scowling", "grumpy"),
        doing=(("frowns", "frown"), ("scowls", "scowl")),
        no_being=("peaceful",),
    ),
    "old": Forms(
        having=("old age",),
        being=("older", "aging", "ageing", "senior"),
        nouns=("senior", "elder"),
        no_being=("younger",),
    ),
    "male": Forms(
        being=("masculine", "manly"),
        nouns=("guy", "gent"),
        plurals=("men", "males", "guys", "gentlemen"),
        no_being=("feminine", "womanly"),
        no_plurals=("women", "females", "ladies"),
    ),
    "big_eyes": Forms(
        having=("huge eyes", "enormous eyes", "bigger eyes", "larger eyes"),
        being=("big-eyed", "large-eyed", "wide-eyed"),
        no_having=("tiny eyes", "little eyes", "smaller eyes"),
        no_being=("small-eyed",),
    ),
}

WORDS = WordForms(
    WORD_FORMS,
    ATTRIBUTE_PHRASES,
    noun="face",
    nouns=NOUNS,
    vocabulary=vocabulary,
    zero_shot_prompts=zero_shot_prompts,
    worn=frozenset({"eyeglasses", "lipstick", "beard", "mustache"}),
)
known_words, form_prompts = WORDS.known_words, WORDS.form_prompts
draw_pair, draw_contrast = WORDS.draw_pair, WORDS.draw_contrast
