"""Documents that a person reads whole stay short, and what they link to or name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
SECTIONS = ["Context", "Decision", "Why", "What was measured"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_readme_has_at_most_800_words() -> None:
    assert len(text_of("README.md").split()) <= 800


def test_the_architecture_is_one_page_of_8_kb() -> None:
    assert len(text_of("ARCHITECTURE.md").encode()) <= 8192


def test_the_first_version_is_told_in_25_lines() -> None:
    first = text_of("CHANGELOG.md").partition("## 0.1.0")[2].partition("\n## ")[0]
    assert len(first.splitlines()) <= 25


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_and_what_was_measured_in_30_lines(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(page.stem[:4])}. ")
    assert re.search(r"^Status: \w+", text, re.M)
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    assert len(text.splitlines()) <= 30


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = re.findall(r"^\*\*(.*?)\*\*.*\n:", text_of("docs/reference/glossary.md"), re.M)
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_what_a_document_links_to_is_there(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text_of(name))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_files_that_pages_name_are_there() -> None:
    """But for names to fill in, such as zoom_engine/domains/NAME/MODEL_CARD.md."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "lab").rglob("*.md")]
    named = [
        (page.name, name)
        for page in pages
        for name in re.findall(
            r"(?<![\w./-])((?:bench|csrc|docs|lab|tests|zoom_engine)/[\w./-]+\.(?:py|json|sh|cu|[ch]pp|md))",
            page.read_text(encoding="utf-8"),
        )
    ]
    assert len(named) > 100
    assert [
        both
        for both in named
        if not (ROOT / both[1]).exists() and not re.search(r"\b(NAME|CARD|ISA|DOMAIN)\b", both[1])
    ] == []
