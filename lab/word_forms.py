"""Other forms of the captions' words: what people type beside them, such as "a face with a smile" or "a bearded man".

A text encoder learns them from sentences in these words and captions that say the same (`WordForms.draw_pair`), or from
such sentences alone (`WordForms.draw_sentence`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lab.captions import TEMPLATES, listed, pick
from zoom_engine.domains.wording import Wording, with_article
from zoom_engine.text.prompts import words_of


class Forms(NamedTuple):
    """Forms of one attribute, by their place in a sentence; what starts with ``no_`` says that it is absent.

    ``having`` are noun phrases ("with …", "without …"), ``being`` adjectives ("a … face", "a face that is not …"),
    ``doing`` verbs as (smiles, smile), ``nouns`` stand in the place of "person", ``plurals`` in that of "people".
    ``where`` are words at the end ("in the street").
    """

    having: tuple[str, ...] = ()
    being: tuple[str, ...] = ()
    doing: tuple[tuple[str, str], ...] = ()
    nouns: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    no_having: tuple[str, ...] = ()
    no_being: tuple[str, ...] = ()
    no_nouns: tuple[str, ...] = ()
    no_plurals: tuple[str, ...] = ()
    no_where: tuple[str, ...] = ()


class Claim(NamedTuple):
    """One claim of a sentence: its place, its words, and whether the words are to be denied there."""

    place: str
    words: str
    denied: bool = False
    verb: str = ""
    worn: bool = False


PEOPLE = ("person", "person", "human", "human face", "individual", "somebody", "someone", "people", "faces", "persons")
_NO_ARTICLE = frozenset({"somebody", "someone", "people", "faces", "persons"})
_TEMPLATES = (*TEMPLATES, "a photograph of {}")
_COUNTS = (0.04, 0.52, 0.28, 0.16)  # how often a sentence makes no claim, one, two, three
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


@dataclass(frozen=True)
class WordForms:
    """The forms of a domain's attributes and the grammar that puts them into sentences.

    Attributes:
        forms: of each attribute.
        phrases: the captions' own wordings.
        noun: what prompts call a picture's subject.
        nouns: what captions call it.
        vocabulary: all words of captions.
        zero_shot_prompts: the attribute's own prompts.
        worn: attributes that one can be said to wear.
    """

    forms: Mapping[str, Forms]
    phrases: Mapping[str, Wording]
    noun: str
    nouns: tuple[str, ...]
    vocabulary: Callable[[], list[str]]
    zero_shot_prompts: Callable[[str], tuple[str, str]]
    worn: frozenset[str]

    def known_words(self) -> list[str]:
        """All words of captions and of sentences in other forms, sorted."""
        spoken = [
            *PEOPLE,
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
        for forms in self.forms.values():
            for place, phrases in forms._asdict().items():
                spoken += [part for pair in phrases for part in pair] if place == "doing" else phrases
        return sorted({*self.vocabulary(), *(word for text in spoken for word in words_of(text))})

    def form_prompts(self, attribute: str) -> Iterator[tuple[str, str]]:
        """(positive, negative) prompts in each form of the attribute: what a user compares who types that form."""
        positive, negative = self.zero_shot_prompts(attribute)
        forms, noun = self.forms[attribute], self.noun

        def called(words: str) -> str:
            """ "the face of a redhead", "a redhead"."""
            return f"the face of {with_article(words)}" if noun == "face" else with_article(words)

        for words in forms.having:
            yield f"a {noun} with {words}", f"a {noun} without {words}"
        if attribute in self.worn:
            words = self.phrases[attribute].present[0]
            yield f"a {noun} wearing {words}", f"a {noun} not wearing {words}"
        for words in forms.being:
            yield f"{with_article(words)} {noun}", f"a {noun} that is not {words}"
        for third, base in forms.doing:
            yield f"a {noun} that {third}", f"a {noun} that does not {base}"
        for words in forms.nouns:
            yield called(words), negative
        for words in forms.where:
            yield f"a {noun} {words}", negative
        for words, other in zip(forms.plurals, forms.no_plurals, strict=False):
            yield words, other
        for words in forms.plurals[len(forms.no_plurals) :]:
            yield words, forms.no_plurals[0]
        for words in forms.no_having:
            yield positive, f"a {noun} with {words}"
        for words in forms.no_being:
            yield positive, f"{with_article(words)} {noun}"
        for words in forms.no_nouns:
            yield positive, called(words)
        for words in forms.no_where:
            yield positive, f"a {noun} {words}"
        wording = self.phrases[attribute]
        if wording.kind == "adjective":
            yield f"a {noun} that is {wording.present[0]}", f"a {noun} that is not {wording.present[0]}"
            yield f"a {noun} which is {wording.present[0]}", f"a {noun} that isn't {wording.present[0]}"
        elif wording.kind == "with":
            yield f"a {noun} having {wording.present[0]}", f"a {noun} that does not have {_bare(wording.present[0])}"
            yield f"a {noun} that has {wording.present[0]}", f"a {noun} without any {_bare(wording.present[0])}"

    def draw_pair(self, row: Mapping[str, float], rng: np.random.Generator) -> tuple[str, str, str]:
        """A sentence in other forms and the caption that means the same, true of a picture with the margins ``row``;
        and that caption with no claim."""
        chosen, ours = self._drawn(row, rng)
        theirs = [self._in_a_caption(name, present) for name, present in chosen.items()]
        template = pick(rng, _TEMPLATES)
        noun = pick(rng, PEOPLE) if rng.random() < 0.3 else pick(rng, self.nouns)
        known = noun if noun in self.nouns else "face" if "face" in noun else "person"
        own_template = "a photo of {}" if template not in TEMPLATES else template
        captions = [own_template.format(_sentence(claims, known, None)) for claims in (theirs, [])]
        return template.format(_sentence(ours, noun, rng)), captions[0], captions[1]

    def draw_sentence(
        self, row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str]
    ) -> tuple[str, dict[str, bool]]:
        """A sentence in other forms that is true of a picture with the margins ``row``, and what it claims.

        Attributes that ``row`` leaves out are not spoken of.
        """
        chosen, ours = self._drawn(row, rng)
        noun = pick(rng, PEOPLE) if rng.random() < 0.3 else pick(rng, self.nouns)
        return pick(rng, templates).format(_sentence(ours, noun, rng)), chosen

    def draw_contrast(self, attribute: str, rng: np.random.Generator) -> tuple[tuple[str, str], tuple[str, str], str]:
        """One of the attribute's `form_prompts`, its own prompts, and the neutral prompt, in one template."""
        pairs = list(self.form_prompts(attribute))
        pair = pairs[int(rng.integers(len(pairs)))]
        template, noun = pick(rng, TEMPLATES), pick(rng, self.nouns)
        (yes, no), (own_yes, own_no), (neutral,) = (
            [template.format(text.replace(self.noun, noun)) for text in texts]
            for texts in (pair, self.zero_shot_prompts(attribute), [f"a {self.noun}"])
        )
        return (yes, no), (own_yes, own_no), neutral

    def _drawn(self, row: Mapping[str, float], rng: np.random.Generator) -> tuple[dict[str, bool], list[Claim]]:
        """Attributes that are clear in a picture with the margins ``row``, and the claims that say them."""
        truth = {name: row[name] > 0 for name in self.forms if abs(row.get(name, 0.0)) >= 0.1}
        names = list(truth)
        rng.shuffle(names)
        chosen = {name: truth[name] for name in names[: int(rng.choice(4, p=_COUNTS))]}
        return chosen, [self._in_a_form(name, present, rng) for name, present in chosen.items()]

    def _in_a_caption(self, name: str, present: bool) -> Claim:
        wording = self.phrases[name]
        if name == "bald" and not present:
            return Claim("having", "hair")
        if wording.kind == "with":
            plain = present or not wording.absent or wording.absent[0].startswith("no ")
            return Claim("having", wording.present[0] if plain else wording.absent[0], denied=plain and not present)
        return Claim(
            "being" if wording.kind == "adjective" else "noun", (wording.present if present else wording.absent)[0]
        )

    def _in_a_form(self, name: str, present: bool, rng: np.random.Generator) -> Claim:
        """The claim in a form that no caption holds; now and then in a caption's own words, said in another grammar."""
        forms, wording = self.forms[name], self.phrases[name]
        worn = name in self.worn
        options: list[Claim] = []
        if present:
            options += [Claim("noun", words) for words in forms.nouns]
            options += [Claim("plural", words) for words in forms.plurals]
            options += [Claim("where", words) for words in forms.where]
        else:
            options += [Claim("having", words) for words in forms.no_having]
            options += [Claim("being", words) for words in forms.no_being]
            options += [Claim("noun", words) for words in forms.no_nouns]
            options += [Claim("plural", words) for words in forms.no_plurals]
            options += [Claim("where", words) for words in forms.no_where]
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
    endings = [claim.words for claim in claims if claim.place == "where"]
    return " ".join([*parts, *([listed(clauses, "and")] if clauses else []), *endings])


def _bare(phrase: str) -> str:
    """The noun phrase without its article: "a smile" → "smile"."""
    article, _, rest = phrase.partition(" ")
    return rest if article in ("a", "an", "the") else phrase
