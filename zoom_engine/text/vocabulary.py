"""Prompts from a file, and the choice of those that a text encoder can read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.settings.attributes import Attribute, check_prompt, text_key
from zoom_engine.text.encoder import TextEncoder
from zoom_engine.text.prompts import words_of

_SAME_TEXT = 1e-3


def read_vocabulary(path: str | Path, neutral: str) -> list[str]:
    """Return the prompts of a file, one a line: as they are, or with `{}` in place of the thing, "a smiling {}".

    The thing is what the neutral prompt names, without its article ("face" of "a face"). Blank lines and lines that
    begin with "#" are left out.

    Raises:
        ConfigError: a file that cannot be read or holds no prompt, a line that is no words (`Attribute.source`), or
            a neutral prompt that is no text.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the vocabulary {path} cannot be read: {one_line(error)}") from error
    thing = re.sub(r"^(a|an|the) ", "", check_prompt(neutral, "neutral prompt"), flags=re.IGNORECASE)
    prompts = [line.replace("{}", thing) for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise ConfigError(
            f"the vocabulary {path} holds no words: write a prompt on each line, such as 'a smiling {{}}'"
        )
    attributes = [Attribute.parse(prompt) for prompt in prompts]
    if sourced := next((attribute for attribute in attributes if attribute.source is not None), None):
        raise ConfigError(f"the vocabulary {path} gives '{sourced}' by {sourced.source}: it must hold words alone")
    return [attribute.text for attribute in attributes]


def readable(prompts: Sequence[str], encoder: TextEncoder, neutral: str) -> list[str]:
    """Return each prompt once whose words the encoder knows and that it tells from the neutral one.

    All words count as known where the encoder's words are not known. A prompt is left out that shares a paraphrase with
    an earlier one, or has the neutral one as a paraphrase.
    """
    known = [prompt for prompt in prompts if encoder.words is None or encoder.words.issuperset(words_of(prompt))]
    if known:
        base = encoder.embed_texts([neutral])
        firsts = encoder.embed_texts([Attribute.parse(prompt).name for prompt in known])
        known = [prompt for prompt, far in zip(known, (firsts - base).norm(dim=1) > _SAME_TEXT, strict=True) if far]
    taken, distinct = {text_key(neutral)}, []
    for prompt in known:
        keys = Attribute.parse(prompt).keys
        if keys.isdisjoint(taken):
            distinct.append(prompt)
            taken |= keys
    return distinct
