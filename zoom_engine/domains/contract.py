"""`check_domain`: what any domain of anybody's must hold to."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from zoom_engine.common.contracts import Rules, hold, hold_members
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.domain import Domain
from zoom_engine.generators import check_editable_generator
from zoom_engine.settings.attributes import parse_attributes
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder

NAME = re.compile(r"\w[\w.-]*")


def check_domain(domain: object) -> None:
    """Check `domain` against `Domain`.

    Its prompts, its generator (`check_editable_generator`), its text encoder and each of its targets are loaded and
    tried. Third parties can run it in their tests. The rules are those of `RULES`.

    Raises:
        ConfigError: one line on the first thing that is wrong.
    """
    called = f"domain {getattr(domain, 'name', type(domain).__name__)!r}"
    hold_members(domain, Domain, called=called, refusal=ConfigError)
    with torch.no_grad():
        hold(domain, RULES, called=called, refusal=ConfigError)


def _name(domain: Any) -> str | None:
    return None if NAME.fullmatch(domain.name) else f"it is {domain.name!r}"


def _prompts(domain: Any) -> str | None:
    parse_attributes(domain.attributes, neutral=domain.neutral)
    return None


def _generator(domain: Any) -> str | None:
    generator = domain.generator()
    check_editable_generator(generator)
    again = domain.generator().content_hash
    return None if again == generator.content_hash else "it has another content_hash each time"


def _encoder(domain: Any) -> str | None:
    encoder = domain.text_encoder()
    return None if isinstance(encoder, TextEncoder) else f"it is a {type(encoder).__name__}"


def _words(domain: Any) -> str | None:
    encoder = domain.text_encoder()
    prompts = [domain.neutral, *domain.attributes]
    encoder.check_words(prompts)
    embeddings: Tensor = encoder.embed_texts(prompts)
    alike = [
        prompt for prompt, row in zip(prompts[1:], embeddings[1:], strict=True) if torch.allclose(row, embeddings[0])
    ]
    return f"it tells {alike[0]!r} from {domain.neutral!r} by nothing" if alike else None


def _pictures(domain: Any) -> str | None:
    generator = domain.generator()
    one, other = domain.text_encoder().embed_images(generator.render(generator.sample([0, 1])))
    return "it sees no difference between two of them" if torch.allclose(one, other) else None


def _target_names(domain: Any) -> str | None:
    names = domain.target_names()
    if isinstance(names, str) or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        return f"they are {names!r}"
    return None if len(set(names)) == len(names) else f"they are {list(names)}"


def _targets(domain: Any) -> str | None:
    resolution = domain.generator().resolution
    for name in domain.target_names():
        target = domain.target(name)
        if not isinstance(target, Target):
            return f"{name!r} is a {type(target).__name__}"
        target.check(resolution)
        domain.text_encoder().check_words(target.labels)
    return None


RULES: Rules[Any] = {
    "its name is letters, digits, '_', '-' and '.'": _name,
    "its attributes are prompts, and none is the neutral one": _prompts,
    "generator() holds its own contract": _generator,
    "text_encoder() gives a TextEncoder": _encoder,
    "the text encoder reads the prompts": _words,
    "the text encoder sees the generator's pictures": _pictures,
    "target_names() are words, each once": _target_names,
    "target(name) gives a Target that can read the generator's pictures": _targets,
}
