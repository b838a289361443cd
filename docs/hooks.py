"""mkdocs hook: the page of the command line is made of the commands themselves."""

from __future__ import annotations

import re
from typing import Any

MARK = "<!-- commands -->"
EXAMPLE = re.compile(r"^  (?=\S|  )", re.M)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the page with the help of every command in place of the mark."""
    if MARK not in markdown:
        return markdown
    from zoom_engine.cli import build_app

    _, heading, commands = build_app().generate_docs().partition("\n## zoom-engine ")
    return markdown.replace(MARK, heading + EXAMPLE.sub("    ", commands))
