"""The templates of pages, with what they may call."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2

from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.report import sentences
from zoom_engine.statistics.table import decimal, flipping, keeping, p_value, percent, signed, verdict_in_words


def template(name: str) -> jinja2.Template:
    """Return a template with autoescape on, whatever its name: attribute and target names come from users."""
    return _environment().get_template(name)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"percent": percent, "decimal": decimal, "signed": signed, "flips": sentences.flips}
    filters |= {"verdict": verdict_in_words, "p_value": p_value, "flipping": flipping, "keeping": keeping}
    filters |= {"short": "{:g}".format, "number_of": number_of, "agreeing": agreeing}
    filters |= {"unit": sentences.unit, "search": sentences.search_sentence, "left_out": sentences.left_out}
    filters |= {"described": sentences.described, "score": sentences.score, "edit": sentences.edit}
    environment.filters.update(filters)
    return environment
