"""What the pages of docs/ show does what they say: each page's files, commands and code run in order in one folder.

Numbers of images, of random directions and of a domain's own attributes are cut to two. `<!-- parsed: why -->` before a
block says that its commands are read, not run; `<!-- not run: why -->` that it is left out. `docs/gate.md` has its
own test.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from zoom_engine.cli import build_app, main
from zoom_engine.common.contracts import members
from zoom_engine.diagnose.domain import Domain, find_domain
from zoom_engine.edits.editor import Editor
from zoom_engine.generators import EditableGenerator, GeneratorFamily
from zoom_engine.search import Search, SearchState
from zoom_engine.targets import Task

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md"))]
ELSEWHERE = ("how-to/gate.md", "explanation/experiments.md", "explanation/places-and-cars/experiments.md")
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[a-z ]+): .*? -->\n)?"
    r'```(?P<kind>\w+)(?: title="(?P<title>.*?)")?\n(?P<text>.*?)```',
    re.S,
)
IMAGES = re.compile(r"(?P<name>--images |images ?= ?)\d+")


class Block(NamedTuple):
    mark: str
    kind: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    text = (DOCS / page).read_text(encoding="utf-8")
    results = [Block(*(match[name] or "" for name in Block._fields)) for match in BLOCK.finditer(text)]
    assert text.count("```") == 2 * len(results)
    assert {block.mark for block in results} <= {"", "parsed", "not run"}
    return results


def commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Each command's arguments, and whether it says that it ends with another exit code than 0."""
    for line in text.replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "zoom-engine", line
        yield arguments, "# exit code" in line


def pages() -> Iterator[Any]:
    """Those with blocks; audits are left to `.ci/run`, but for those of the page that one reads first."""
    for page in PAGES:
        results = blocks(page)
        if results and page not in ELSEWHERE:
            run = "".join(block.text for block in results if not block.mark)
            audits = re.search(r"zoom-engine (diagnose|discover)|Diagnosers?\(", run)
            is_first = Path(page).name == "first-audit.md"
            yield pytest.param(page, marks=[pytest.mark.ci, pytest.mark.slow(30)]) if audits and not is_first else page


@pytest.mark.parametrize("page", list(pages()))
def test_a_page_does_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoom_engine.settings.audit_settings.DEFAULT_RANDOM_DIRECTIONS", 2)
    for name in ("avatars", "people", "pets", "places", "cars"):
        domain = find_domain(name)
        monkeypatch.setitem(vars(domain), "attributes", domain.attributes[:2])
    for mark, kind, title, text in blocks(page):
        few = IMAGES.sub(r"\g<name>2", text)
        if title:
            Path(title).write_text(few, encoding="utf-8")
        elif mark != "not run" and kind == "sh":
            for arguments, fails in commands(few):
                if mark == "parsed":
                    build_app().parse_args(arguments, print_error=False, exit_on_error=False)
                else:
                    assert (main(arguments) != 0) is fails, arguments
        elif mark != "not run" and kind == "python":
            exec(compile(few, page, "exec", dont_inherit=True), {"__name__": page})


@pytest.mark.parametrize(
    ("page", "protocol"),
    [
        ("how-to/tasks.md", Task),
        ("how-to/searches.md", Search),
        ("how-to/searches.md", SearchState),
        ("how-to/families.md", GeneratorFamily),
        ("how-to/families.md", EditableGenerator),
        ("how-to/domains.md", Domain),
        ("how-to/editors.md", Editor),
    ],
)
def test_a_page_names_each_member_of_what_it_tells_how_to_add(page: str, protocol: type) -> None:
    rows = [line.split("|")[1] for line in (DOCS / page).read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    told = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert set(members(protocol)) <= told


def test_every_page_is_in_the_navigation_and_every_decision_in_its_index() -> None:
    told = re.findall(r"([\w/-]+\.md)$", (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    told += [f"decisions/{name}" for name in re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)]
    assert sorted(told) == sorted(PAGES)
