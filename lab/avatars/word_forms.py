"""Other forms of the captions' words: what people type beside them, such as "a face with a smile" or "a bearded man".

The text encoder learns them after its captions, from pairs: a sentence in these words and the caption that says the
same (`draw_pair`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lab.avatars.captions import NOUNS, vocabulary
from lab.captions import TEMPLATES, listed, pick
from zoom_engine.domains.avatars.attributes import ATTRIBUTES
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES, zero_shot_prompts
from zoom_engine.domains.wording import with_article
from zoom_engine.text.prompts import words_of


class Forms(NamedTuple):
    """Forms of one attribute, by their place in a sentence; what starts with ``no_`` says that it is absent.

    ``having`` are noun phrases ("with …", "without …"), ``being`` adjectives ("a … face", "a face that is not …"),
    ``doing`` verbs as (smiles, smile), ``nouns`` stand in the place of "person", ``plurals`` in that of "people".
    """

    having: tuple[str, ...] = ()
    being: tuple[str, ...] = ()
    doing: tuple[tuple[str, str], ...] = ()
    nouns: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()
    no_having: tuple[str, ...] = ()
    no_being: tuple[str, ...] = ()
    no_nouns: tuple[str, ...] = ()
    no_plurals: tuple[str, ...] = ()


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

_WORN = frozenset({"eyeglasses", "lipstick", "beard", "mustache"})  # what one can be said to wear
_PEOPLE = ("person", "person", "human", "human face", "individual", "somebody", "someone", "people", "faces", "persons")
_NO_ARTICLE = frozenset({"somebody", "someone", "people", "faces", "persons"})
_TEMPLATES = (*TEMPLATES, "a photograph of {}")
_COUNTS = (0.04, 0.52, 0.28, 0.16)  # how often a sentence makes no claim, one, two, three


class Claim(NamedTuple):
    """One claim of a sentence: its place, its words, and whether the words are to be denied there."""

    place: str
    words: str
    denied: bool = False
    verb: str = ""
    worn: bool = False


def known_words() -> list[str]:
    """All words that the text encoder has learned from captions and pairs, sorted."""
    spoken = [
        *_PEOPLE,
        *_TEMPLATES,
        *_WITH,
        *_WITHOUT,
        *_IS,
        *_IS_NOT,
        *_DOES,
        *_DOES_NOT,
        *_WEARS,
        *_WEARS_NOT,
        "very",
    ]
    for forms in WORD_FORMS.values():
        for place, phrases in forms._asdict().items():
            spoken += [part for pair in phrases for part in pair] if place == "doing" else phrases
    return sorted({*vocabulary(), *(word for text in spoken for word in words_of(text))})


_WITH = ("with", "with", "having", "who has", "that has", "which has")
_WITHOUT = ("without", "without", "with no", "having no", "who has no", "not having", "without any",
            "who does not have", "that doesn't have")  # fmt: skip
_IS = ("who is", "that is", "which is")
_IS_NOT = ("not", "who is not", "that is not", "which is not", "who isn't", "that isn't")
_DOES = ("who {}", "that {}", "which {}")
_DOES_NOT = ("who does not {}", "that does not {}", "who doesn't {}", "that doesn't {}")
_WEARS = ("wearing", "wearing", "who wears", "that wears", "who is wearing")
_WEARS_NOT = ("not wearing", "not wearing", "without wearing", "who does not wear", "who is not wearing",
              "that doesn't wear")  # fmt: skip


def form_prompts(attribute: str) -> Iterator[tuple[str, str]]:
    """(positive, negative) prompts in each form of the attribute: what a user compares who types that form."""
    positive, negative = zero_shot_prompts(attribute)
    forms = WORD_FORMS[attribute]
    for words in forms.having:
        yield f"a face with {words}", f"a face without {words}"
    if attribute in _WORN:
        words = ATTRIBUTE_PHRASES[attribute].present[0]
        yield f"a face wearing {words}", f"a face not wearing {words}"
    for words in forms.being:
        yield f"{with_article(words)} face", f"a face that is not {words}"
    for third, base in forms.doing:
        yield f"a face that {third}", f"a face that does not {base}"
    for words in forms.nouns:
        yield f"the face of {with_article(words)}", negative
    for words, other in zip(forms.plurals, forms.no_plurals, strict=False):
        yield words, other
    for words in forms.plurals[len(forms.no_plurals) :]:
        yield words, forms.no_plurals[0]
    for words in forms.no_having:
        yield positive, f"a face with {words}"
    for words in forms.no_being:
        yield positive, f"{with_article(words)} face"
    for words in forms.no_nouns:
        yield positive, f"the face of {with_article(words)}"
    wording = ATTRIBUTE_PHRASES[attribute]
    if wording.kind == "adjective":
        yield f"a face that is {wording.present[0]}", f"a face that is not {wording.present[0]}"
        yield f"a face which is {wording.present[0]}", f"a face that isn't {wording.present[0]}"
    elif wording.kind == "with":
        yield f"a face having {wording.present[0]}", f"a face that does not have {_bare(wording.present[0])}"
        yield f"a face that has {wording.present[0]}", f"a face without any {_bare(wording.present[0])}"


def draw_pair(row: Mapping[str, float], rng: np.random.Generator) -> tuple[str, str, str]:
    """A sentence in other forms and the caption that means the same, true of an avatar with the margins ``row``; and
    that caption with no claim."""
    truth = {name: row[name] > 0 for name in ATTRIBUTES if abs(row[name]) >= 0.1}
    names = list(truth)
    rng.shuffle(names)
    chosen = names[: int(rng.choice(4, p=_COUNTS))]
    ours, theirs = [], []
    for name in chosen:
        ours.append(_in_a_form(name, truth[name], rng))
        theirs.append(_in_a_caption(name, truth[name]))
    template = pick(rng, _TEMPLATES)
    noun = pick(rng, _PEOPLE) if rng.random() < 0.3 else pick(rng, NOUNS)
    known = noun if noun in NOUNS else "face" if "face" in noun else "person"
    own_template = "a photo of {}" if template not in TEMPLATES else template
    captions = [own_template.format(_sentence(claims, known, None)) for claims in (theirs, [])]
    return template.format(_sentence(ours, noun, rng)), captions[0], captions[1]


def draw_contrast(attribute: str, rng: np.random.Generator) -> tuple[tuple[str, str], tuple[str, str], str]:
    """One of the attribute's `form_prompts`, its `zero_shot_prompts`, and the neutral prompt, in one template."""
    pairs = list(form_prompts(attribute))
    pair = pairs[int(rng.integers(len(pairs)))]
    template, noun = pick(rng, TEMPLATES), pick(rng, NOUNS)
    (yes, no), (own_yes, own_no), (neutral,) = (
        [template.format(text.replace("face", noun)) for text in texts]
        for texts in (pair, zero_shot_prompts(attribute), ["a face"])
    )
    return (yes, no), (own_yes, own_no), neutral


def _in_a_caption(name: str, present: bool) -> Claim:
    wording = ATTRIBUTE_PHRASES[name]
    if name == "bald" and not present:
        return Claim("having", "hair")
    if wording.kind == "with":
        plain = present or not wording.absent or wording.absent[0].startswith("no ")
        return Claim("having", wording.present[0] if plain else wording.absent[0], denied=plain and not present)
    return Claim(
        "being" if wording.kind == "adjective" else "noun", (wording.present if present else wording.absent)[0]
    )


def _in_a_form(name: str, present: bool, rng: np.random.Generator) -> Claim:
    """The claim in a form that no caption holds; now and then in a caption's own words, said in another grammar."""
    forms, wording = WORD_FORMS[name], ATTRIBUTE_PHRASES[name]
    worn = name in _WORN
    options: list[Claim] = []
    if present:
        options += [Claim("noun", words) for words in forms.nouns]
        options += [Claim("plural", words) for words in forms.plurals]
    else:
        options += [Claim("having", words) for words in forms.no_having]
        options += [Claim("being", words) for words in forms.no_being]
        options += [Claim("noun", words) for words in forms.no_nouns]
        options += [Claim("plural", words) for words in forms.no_plurals]
    options += [Claim("having", words, not present, worn=worn) for words in forms.having]
    options += [Claim("being", words, not present) for words in forms.being]
    options += [Claim("doing", third, not present, verb=base) for third, base in forms.doing]
    if wording.kind == "adjective" and rng.random() < 0.35:
        return Claim("being", pick(rng, wording.present), not present)
    if wording.kind == "with" and rng.random() < 0.2:
        return Claim("having", wording.present[0], not present, worn=worn)
    return options[int(rng.integers(len(options)))]


def _sentence(claims: Sequence[Claim], noun: str, rng: np.random.Generator | None) -> str:
    """The claims as one sentence: in a caption's grammar, or with ``rng`` in one of many others."""
    adjectives = [claim.words for claim in claims if claim.place == "being" and not claim.denied]
    clauses: list[str] = []
    if rng is not None:
        if len(adjectives) and rng.random() < 0.3:
            clauses.append(f"{pick(rng, _IS)} {adjectives.pop()}")
        elif len(adjectives) and rng.random() < 0.1:
            adjectives[-1] = f"very {adjectives[-1]}"
    plural = noun in ("people", "faces", "persons")
    for claim in claims:
        if claim.place in ("noun", "plural"):
            noun, plural = claim.words, claim.place == "plural"
    phrase = " ".join([*adjectives, noun])
    subject = phrase if plural or noun in _NO_ARTICLE else with_article(phrase)
    if rng is not None and not plural and any(claim.place == "noun" for claim in claims) and rng.random() < 0.3:
        subject = f"the face of {subject}"
    have = [claim.words for claim in claims if claim.place == "having" and not claim.denied]
    lack = [claim.words for claim in claims if claim.place == "having" and claim.denied]
    if rng is None:
        parts = [subject, *([f"with {listed(have, 'and')}"] if have else [])]
        parts += [f"{'and ' if have else ''}without {listed(lack, 'or')}"] if lack else []
        return " ".join(parts)
    parts = [subject]
    for items, denied, plain, wearing in ((have, False, _WITH, _WEARS), (lack, True, _WITHOUT, _WEARS_NOT)):
        worn = [c.words for c in claims if c.place == "having" and c.denied is denied and c.worn]
        if worn and rng.random() < 0.4:
            clauses.append(f"{pick(rng, wearing)} {listed(worn, 'or' if denied else 'and')}")
            items = [words for words in items if words not in worn]
        if items:
            intro = pick(rng, plain)
            bare = [_bare(words) for words in items] if intro.endswith(("no", "any", "have")) else items
            parts.append(f"{intro} {listed(bare, 'or' if denied else 'and')}")
    for claim in claims:
        if claim.place == "being" and claim.denied:
            clauses.append(f"{pick(rng, _IS_NOT)} {claim.words}")
        elif claim.place == "doing":
            words, ways = (claim.verb, _DOES_NOT) if claim.denied else (claim.words, _DOES)
            clauses.append(pick(rng, ways).format(words))
    rng.shuffle(clauses)
    return " ".join([*parts, *([listed(clauses, "and")] if clauses else [])])


def _bare(phrase: str) -> str:
    """The noun phrase without its article: "a smile" → "smile"."""
    article, _, rest = phrase.partition(" ")
    return rest if article in ("a", "an", "the") else phrase
