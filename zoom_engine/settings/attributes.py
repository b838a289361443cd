"""Attributes as the user writes them: prompts such as "a smiling face", with paraphrases after a "|".

What no words say is given by pictures that have it, "scratch=examples:FOLDER", or by a model that scores pictures,
"older=scorer:age.onnx"; of a ready edit direction by what its edits show, "component 2=edits". The name before "=" is
what people see, and the `Source` says what it means. In Python pictures and models may be objects, see
`Attribute.by_examples` and `Attribute.by_scorer`.

Attribute texts reach file names, terminals and web pages, so this is where hostile ones are refused (`Attribute`) or
made harmless (`slug`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import ConfigError

NEUTRAL = "a face"
"""The prompt that attribute prompts are compared with, unless the user or the domain gives another one."""

Shown = str | Path | Sequence[Any]
"""Pictures as they are given: their folder, or a list of them."""
_LONGEST = 300  # CLIP reads 77 tokens, about 300 characters, and would drop the rest in silence
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SOURCED = re.compile(r"(?P<name>[^=]*)=\s*(?P<kind>examples:|scorer:|edits$)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """What gives an attribute its meaning in place of words: one of the classes below."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures in memory: uint8 arrays `[H, W, 3]` or `[H, W]`, or pictures of Pillow."""

    given: tuple[Any, ...] = field(repr=False)

    def __str__(self) -> str:
        """Say what they are, for messages."""
        return "the list of examples"


@dataclass(frozen=True)
class Examples(Source):
    """Pictures that have an attribute, in the folder `having` or in memory.

    They are compared with those of `without`, where it is None with the generator's unedited pictures.
    """

    having: Path | Pictures
    without: Path | Pictures | None = None

    @classmethod
    def parse(cls, text: str, name: str) -> Examples:
        """Return those of "FOLDER" or "FOLDER,without:FOLDER2".

        Raises:
            ConfigError: a folder is not named.
        """
        having, comma, without = text.partition(",without:")
        if not having.strip() or (comma and not without.strip()):
            raise ConfigError(
                f"attribute {shortened(name)!r} names no folder of examples: write {shortened(name)}=examples:FOLDER,"
                " or examples:FOLDER,without:FOLDER2"
            )
        return cls(Path(having), Path(without) if comma else None)

    def __str__(self) -> str:
        """Say what it is, for messages."""
        return "pictures" if self.without is None else "pictures with and without it"


@dataclass(frozen=True)
class Scorer(Source):
    """A model that says by one number how much of an attribute a picture has.

    `model` is what `load_target` takes; of several outputs `output` names the one that counts, or is its index.
    """

    model: Any
    output: str | None = None

    @classmethod
    def parse(cls, text: str, name: str) -> Scorer:
        """Return that of "MODEL" or "MODEL#OUTPUT".

        Raises:
            ConfigError: the model is not named, or "#" names no output.
        """
        model, hash_sign, output = text.partition("#")
        if not model.strip() or (hash_sign and not output.strip()):
            raise ConfigError(
                f"attribute {shortened(name)!r} names no scorer: write {shortened(name)}=scorer:FILE, or"
                " scorer:FILE#OUTPUT for one of several outputs"
            )
        return cls(model, output if hash_sign else None)

    def __str__(self) -> str:
        """Say what it is, for messages."""
        return "a scorer"


@dataclass(frozen=True)
class OwnEdits(Source):
    """The edits along a ready edit direction themselves: what they change in pictures is what it means."""

    def __str__(self) -> str:
        """Say what it is, for messages."""
        return "its own edits"


@dataclass(frozen=True)
class Attribute:
    """One attribute: `paraphrases` are prompts that mean the same and are averaged; most attributes have one.

    An attribute with a `source` has one name, which nobody reads but people.

    Raises:
        ConfigError: a prompt is empty, longer than 300 characters or holds control characters.
    """

    paraphrases: tuple[str, ...]
    source: Source | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse prompts that are none, by a ConfigError."""
        if not self.paraphrases:
            raise ConfigError('an attribute needs a prompt, such as "a smiling face"')
        for paraphrase in self.paraphrases:
            _check(paraphrase, "attribute")
            if "|" in paraphrase and self.source is not None:
                raise ConfigError(f"the name of an attribute that is no prompt holds no '|': {paraphrase!r}")
            if "|" in paraphrase:
                raise ConfigError(f"a paraphrase holds no '|' ({paraphrase!r}): use Attribute.parse to split it")

    @classmethod
    def parse(cls, text: str | Attribute) -> Attribute:
        """Return the attribute for a text: "a smiling face", or "a smiling face|a face with a smile".

        "NAME=examples:FOLDER", "NAME=scorer:MODEL" and "NAME=edits" give it a `Source`, see there.

        Raises:
            ConfigError: it is no text, or a prompt in it is refused.
        """
        if isinstance(text, Attribute):
            return text
        if not isinstance(text, str):
            raise ConfigError(f"an attribute is a text such as 'a smiling face', not {type(text).__name__}")
        if sourced := _SOURCED.fullmatch(text):
            name, kind, rest = (part.strip() for part in sourced.groups())
            _check(name, "name of an attribute")
            if "\0" in rest or not (rest.isprintable() or not rest):
                raise ConfigError(f"attribute {shortened(name)!r}: what stands after {kind!r} is no path")
            if kind == "edits":
                return cls((name,), OwnEdits())
            return cls((name,), (Examples if kind == "examples:" else Scorer).parse(rest, name))
        return cls(tuple(paraphrase.strip() for paraphrase in text.split("|")))

    @classmethod
    def by_examples(cls, name: str, having: Shown, *, without: Shown | None = None) -> Attribute:
        """Return the attribute that pictures have; "NAME=examples:FOLDER,without:FOLDER2" says the same of folders.

        Args:
            name: what people see.
            having: a folder, or a list of uint8 arrays `[H, W, 3]` (`[H, W]` is grey) or of Pillow's pictures.
            without: the same of pictures that lack it; None compares with the generator's own.

        Raises:
            ConfigError: the name is none, or there are no pictures.
        """
        _check(name, "name of an attribute")
        return cls((name.strip(),), Examples(_shown(having, name), None if without is None else _shown(without, name)))

    @classmethod
    def by_scorer(cls, name: str, model: object, *, output: str | int | None = None) -> Attribute:
        """Return the attribute that a model scores; "NAME=scorer:MODEL#OUTPUT" says the same of a file or a name.

        Args:
            name: what people see.
            model: all that `load_target` takes, as a torch module; of a function that returns one number for each
                uint8 picture of `[B, H, W, 3]` the number is the score itself.
            output: of several outputs the one that counts: its name or index.

        Raises:
            ConfigError: the name is none.
        """
        _check(name, "name of an attribute")
        return cls((name.strip(),), Scorer(model, None if output is None else str(output)))

    @property
    def text(self) -> str:
        """All prompts joined by "|": the attribute's identity, in records and everywhere else."""
        return "|".join(self.paraphrases)

    @property
    def name(self) -> str:
        """The first prompt: what people are shown."""
        return self.paraphrases[0]

    @property
    def keys(self) -> frozenset[str]:
        """Its prompts, however they are spaced and whatever their case, see `text_key`."""
        return frozenset(map(text_key, self.paraphrases))

    @property
    def slug(self) -> str:
        """A file name for this attribute, see `slug`."""
        return slug(self.text)

    def __str__(self) -> str:
        """Return all prompts joined by "|"."""
        return self.text


def parse_attributes(texts: Sequence[str | Attribute], *, neutral: str = NEUTRAL) -> tuple[Attribute, ...]:
    """Parse and validate the attributes of a run.

    Args:
        texts: one for each attribute, see `Attribute.parse`.
        neutral: the prompt that they are compared with.

    Raises:
        ConfigError: there is none, one is repeated (compared without case), or one is the neutral prompt itself; or the
            neutral prompt is not one text.
    """
    if isinstance(texts, str):
        raise ConfigError(f"attributes are a list of prompts, not a text: give [{texts!r}]")
    attributes = tuple(Attribute.parse(text) for text in texts)
    if not attributes:
        raise ConfigError('give at least one attribute, such as --attribute "a smiling face"')
    if "|" in check_prompt(neutral, "neutral prompt") or _SOURCED.fullmatch(neutral):
        raise ConfigError(
            f"the neutral prompt {shortened(neutral)!r} must be one text: it has no paraphrases after a '|', and words"
            " alone give its meaning"
        )
    seen = {text_key(neutral): "the neutral prompt"}
    for attribute in attributes:
        for paraphrase in attribute.paraphrases:
            if text_key(paraphrase) in seen:
                raise ConfigError(
                    f"attribute {paraphrase!r} repeats {seen[text_key(paraphrase)]}: give each prompt once"
                )
            seen[text_key(paraphrase)] = f"{attribute.name!r}"
    return attributes


def check_prompt(text: str, role: str) -> str:
    """Return `text` without outer spaces if it is fit to be a prompt.

    Raises:
        ConfigError: it is not; the message names its `role`.
    """
    if not isinstance(text, str):
        raise ConfigError(f"the {role} must be a text, not {type(text).__name__}")
    text = text.strip()
    _check(text, role)
    return text


def check_edit_name(text: str, role: str) -> str:
    """Return `text` if it is the name of edits from elsewhere: `Attribute.parse` gives an attribute of that text.

    Raises:
        ConfigError: it is no prompt, or says more than a name; the message names its `role`.
    """
    check_prompt(text, role)
    parts = [part.strip() for part in text.split("|")]
    if _SOURCED.fullmatch(text) or not all(parts) or "|".join(parts) != text:
        raise ConfigError(
            f"the {role} {shortened(text, 60)!r} is read as more than a name: leave out 'examples:', 'scorer:' or"
            " 'edits' after a '=', and spaces around it or around a '|'"
        )
    return text


def sources_of(*lists: Sequence[str | Attribute] | None) -> dict[str, Source]:
    """Return the sources of those attributes in the `lists` that are no words, by their names.

    Raises:
        ConfigError: two attributes of one name have different sources.
    """
    sources: dict[str, Source] = {}
    for attribute in (Attribute.parse(text) for texts in lists for text in texts or ()):
        if attribute.source is not None and sources.setdefault(attribute.text, attribute.source) != attribute.source:
            raise ConfigError(f"{attribute.text!r} is given by two different sources: give one a name of its own")
    return sources


def _shown(pictures: Shown, name: str) -> Path | Pictures:
    """Return where pictures are: a folder, or in memory."""
    if isinstance(pictures, str | Path):
        return Path(pictures)
    try:
        given = tuple(pictures)
    except TypeError as error:
        kind = type(pictures).__name__
        raise ConfigError(
            f"attribute {shortened(name)!r}: examples are a folder or a list of pictures, not a {kind}"
        ) from error
    return Pictures(given)


def shortened(text: str, most: int = 40) -> str:
    """Return a text for a message, cut where it is long."""
    return text if len(text) <= most else f"{text[:most]}..."


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the label prompts of a run, one per class, or none.

    Raises:
        ConfigError: there is a single one, or two are equal (compared without case).
    """
    if isinstance(labels, str) or len(labels) == 1:
        raise ConfigError("labels: give at least two prompts, one per class; with one there is nothing to tell apart")
    prompts = tuple(check_prompt(label, "label") for label in labels)
    if len(set(map(text_key, prompts))) != len(prompts):
        raise ConfigError("labels: two prompts are the same; give a different one per class")
    return prompts


def slug(text: str) -> str:
    """Return a file name for any text: at most 49 of a-z, 0-9 and "-", readable, distinct for distinct texts.

    It ends with 8 digits of the text's SHA-256, so neither two attributes nor a reserved name can collide.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{words}-{digest}" if words else digest


def short_name(attribute: Attribute, neutral: str) -> str:
    """Return what an attribute adds to the neutral prompt: "a face with pale skin" → "pale skin".

    Likewise "a smiling face" → "smiling". The first prompt is returned as it stands when it is not the neutral prompt
    with words added.
    """
    first = attribute.name
    left = [word.lower() for word in neutral.split()]
    added = []
    for word in first.split():
        if left and _article(word.lower()) == _article(left[0]):
            left = left[1:]
        else:
            added.append(word)
    if left or not added:
        return first
    if added[0].lower() == "with" and len(added) > 1:
        added = added[1:]
    return " ".join(added)


def short_names(attributes: Sequence[Attribute], neutral: str) -> dict[Attribute, str]:
    """Return what each attribute is called: its `short_name`, or its first prompt where another has the same.

    Where that is another's too, it is its whole text.
    """
    short = {attribute: short_name(attribute, neutral) for attribute in attributes}
    counts, firsts = Counter(short.values()), Counter(attribute.name for attribute in short)
    return {
        attribute: name if counts[name] == 1 else attribute.name if firsts[attribute.name] == 1 else attribute.text
        for attribute, name in short.items()
    }


def text_key(text: str) -> str:
    """Return what is equal of texts that are one prompt, however they are spaced and whatever their case."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _check(text: str, role: str) -> None:
    if not text.strip():
        raise ConfigError(f"the {role} is empty: write a prompt such as 'a smiling face'")
    if len(text) > _LONGEST:
        raise ConfigError(f"the {role} {text[:40]!r}... has {len(text)} characters: at most {_LONGEST} are read")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI_CONTROLS:
            raise ConfigError(f"the {role} {text[:40]!r} holds a control character: remove {character!r}")


def _article(word: str) -> str:
    return "a" if word == "an" else word
