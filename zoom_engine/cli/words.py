"""`zoom-engine words`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.options import DOMAIN
from zoom_engine.cli.output import AsJson, print_json


def words(
    text_encoder: Annotated[str, Parameter(help="as --text-encoder")] = DOMAIN, /, *, json: AsJson = False
) -> None:
    """List the words that a text encoder was trained on, one a line."""
    from zoom_engine.text import load_text_encoder

    encoder = load_text_encoder(text_encoder)
    if json:
        print_json({"text_encoder": encoder.name, "words": None if encoder.words is None else sorted(encoder.words)})
    elif encoder.words is None:
        print(f"text encoder '{encoder.name}' does not say which words it was trained on: it takes any prompt")
    else:
        print("\n".join(sorted(encoder.words)))
