"""Report and index as files: templates filled in, within the size limit, written atomically."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zoom_engine.common.errors import AuditError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import JsonObject
from zoom_engine.report.cards import Card, cards
from zoom_engine.report.environment import template
from zoom_engine.report.first_screen import KINDS
from zoom_engine.report.image_grid import INLINED, read_grids
from zoom_engine.report.page import read_page
from zoom_engine.report.pictures import BUDGETS
from zoom_engine.report.sections import sections_of
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis

REPORT, INDEX = "report.html", "index.html"
INDEX_ENTRIES = "index.json"
"""What an index was made of, so that it can be written again when one of its audits changes."""
LARGEST_PAGE = 5_000_000
"""Bytes that a report may have, without the pictures of its grids."""
SCRIPT = "\n".join(
    (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8") for name in ("report.js", "images.js")
)
"""The report's one script. The page's policy names its hash, so that the page runs this and nothing else."""
SCRIPT_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
"""As a content security policy has it."""


@dataclass(frozen=True)
class IndexEntry:
    """One audit on an index page: its folder (inside the index's), a title and a sentence on it.

    `diagnosis` is what was read of the folder, where that is so: reading and adding it up takes seconds.
    """

    audit: str | Path
    title: str = ""
    sentence: str = ""
    diagnosis: Diagnosis | None = None


def write_report(
    audit: str | Path,
    diagnosis: Diagnosis | None = None,
    *,
    index: Path | None = None,
    single_file: Path | None = None,
) -> Path:
    """Write `report.html` into the audit folder `audit` and return its path.

    The folder is read, unless a `diagnosis` of it is given.

    The page needs no network, and of other files only the pictures of its grids, which lie beside it; nothing on it
    needs its script, which sorts, filters and opens pictures. Other pictures are inlined and made smaller until the
    page has at most 5 MB. It is a function of the audit folder alone, except for sections that packages bring, and for
    a link to the `index` that shows the audit beside others: by default the one that lies above the folder and links
    its report. An unfinished audit has a report too, which says so.

    With `single_file` the page is written there instead, with all pictures inlined, and links no file: another 5 MB
    hold the grids' pictures, made smaller and the least important left out where they are more.

    Raises:
        AuditError: the folder cannot be read or written.
    """
    audit = Path(audit)
    html, source, alone = "", Source(audit, diagnosis), single_file is not None
    index = _index_above(audit) if index is None else index
    back = None if index is None or alone else link_to(index, audit)
    images = read_grids(source, inlined=alone)
    for budget in BUDGETS:
        page = read_page(source, budget, images, alone=alone)
        html = template("report.html.j2").render(
            page=page, back=back, sections=sections_of(page), script=SCRIPT, script_source=SCRIPT_SOURCE
        )
        if len(html.encode("utf-8", "replace")) <= LARGEST_PAGE + (INLINED if alone else 0):
            break
    else:
        raise AuditError(f"the report of {audit} would exceed 5 MB: audit fewer attributes at a time")
    return write_page(audit / REPORT if single_file is None else single_file, html)


def _index_above(audit: Path) -> Path | None:
    """Return the index in the folder above that of an audit, where it links the audit's report."""
    audit = audit.resolve()
    index = audit.parent / INDEX
    try:
        text = index.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return index if f'href="{link_to(audit / REPORT, audit.parent)}"' in text else None


def link_to(file: Path, folder: Path) -> str:
    """Return the link to a file from a page in a folder; a name that is no UTF-8 keeps its bytes."""
    return quote(Path(os.path.relpath(file, folder)).as_posix(), errors="surrogateescape")


def write_index(
    folder: str | Path,
    audits: Sequence[IndexEntry | str | Path],
    *,
    title: str = "Audits side by side",
    introduction: str = "",
) -> Path:
    """Write `index.html` into `folder` and return its path: the audits side by side, linked to their reports.

    Every audit is inside `folder` and has its `report.html`; a mere path, like an entry without a title, is named by
    its target. All show the same attributes in the same order on one axis. Audits with findings come first, then
    inconclusive ones, then those that rule findings out; unfinished ones come last.

    Raises:
        AuditError: an audit cannot be read, or the page cannot be written.
    """
    folder = Path(folder)
    entries = [entry if isinstance(entry, IndexEntry) else IndexEntry(entry) for entry in audits]
    sources, links = [], []
    for entry in entries:
        path = Path(entry.audit)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise AuditError(f"{path} is not inside {folder}: an index links only what travels with it")
        if not (path / REPORT).is_file():
            raise AuditError(f"{path} has no {REPORT}: write its report first")
        sources.append(Source(path, entry.diagnosis))
        links.append(link_to(path.resolve() / REPORT, folder.resolve()))
    shown = sorted(zip(entries, links, cards(sources), strict=True), key=_kind_of)
    html = template("index.html.j2").render(shown=shown, title=title, introduction=introduction)
    with system_errors(AuditError, f"cannot write {folder / INDEX_ENTRIES}"):
        listed = [
            {"audit": os.path.relpath(one.audit, folder), "title": one.title, "sentence": one.sentence}
            for one in entries
        ]
        atomic.write_json(folder / INDEX_ENTRIES, {"title": title, "introduction": introduction, "audits": listed})
    return write_page(folder / INDEX, html)


def write_index_again(audit: Path, diagnosis: Diagnosis) -> Path | None:
    """Write the index above an audit's folder again, and return its path; None where none shows the audit.

    The audit is the `diagnosis` that was read of it; others on the index are read.

    Raises:
        AuditError: what the index was made of cannot be read or was not written (by older versions), or as
            `write_index`.
    """
    index = _index_above(audit)
    if index is None:
        return None
    path = index.with_name(INDEX_ENTRIES)
    if not path.is_file():
        raise AuditError(f"{index} is of an older version: run the command that made it again")
    try:
        content = JsonObject(read_json(path))
        audits = [JsonObject(one) for one in content.need("audits", tuple[dict[str, Any], ...])]
        entries = [
            IndexEntry(
                folder := path.parent / one.need("audit", str),
                one.need("title", str),
                one.need("sentence", str),
                diagnosis if folder.resolve() == audit.resolve() else None,
            )
            for one in audits
        ]
        title, introduction = content.need("title", str), content.need("introduction", str)
    except (OSError, ValueError) as error:
        raise AuditError(f"cannot read {path} ({one_line(error)}): remove it, or write the index again") from None
    return write_index(path.parent, entries, title=title, introduction=introduction)


def _kind_of(shown: tuple[IndexEntry, str, Card]) -> int:
    """Return where an audit stands on an index: those with findings first, unfinished ones last."""
    return KINDS.index(shown[2].source.first_screen.kind)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A finished experiment on one generator; `figures` and `links` are relative to the page.

    A paragraph is its text, and the items of the list that it ends in, if any.
    """

    title: str
    subject: str
    anchor: str
    paragraphs: tuple[tuple[str, ...], ...]
    figures: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    made: str


def write_experiments(folder: str | Path, sections: Sequence[Section]) -> Path:
    """Write `report.html` into `folder`, which holds the files that `sections` link, and return its path."""
    return write_page(Path(folder) / REPORT, template("experiments.html.j2").render(sections=sections))


def write_user_study(path: Path, questions: Sequence[Mapping[str, object]], about: Mapping[str, object]) -> Path:
    """Write a page that asks `questions` and exports the answers, and return its path.

    It is one file, without network. Each question has `id`, `study`, two `pictures` as data URIs, and `label`; `about`
    is exported with the answers.
    """
    return write_page(path, template("user_study.html.j2").render(questions=list(questions), about=dict(about)))


def write_page(path: Path, html: str) -> Path:
    """Write a page atomically and return its path.

    Raises:
        AuditError: the file cannot be written.
    """
    with system_errors(AuditError, f"cannot write {path}"):
        atomic.write_text(path, html)
    return path
