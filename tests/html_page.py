"""A page as tests read it, and names that try to break out of one."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

HOSTILE = (
    '<script>alert("x")</script>',
    "a face' onload='alert(1)",
    '"><svg onload=alert(2)>',
    "{{ 7 * 7 }} &amp; " * 9 + "…",
)
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with attributes, text, and whether every tag is closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def links_of(page: Page) -> list[str]:
    """The links of a page that lead away from it."""
    return [attributes["href"] for attributes in page.all("a") if not attributes["href"].startswith("#")]
