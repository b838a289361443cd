"""report.html of a folder of experiments: what each shows, what came out, its figures and its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zoom_engine.experiments import EXPERIMENTS
from zoom_engine.experiments.folder import DATA, ITEM, TABLE, TEXT
from zoom_engine.report import Section, write_experiments


def write_page(out: Path) -> Path:
    """Write report.html of all finished experiments in `out`, and return its path."""
    sections = [
        _section(out, name, path.parent)
        for name in EXPERIMENTS
        for path in sorted(out.glob(f"*/{name}/{TEXT}"))
        if (path.parent / DATA).is_file()
    ]
    return write_experiments(out, sections)


def _section(out: Path, name: str, folder: Path) -> Section:
    document: dict[str, Any] = json.loads((folder / DATA).read_bytes())
    figures = sorted(folder.glob("figure*.svg"))
    files = [
        *sorted(folder.glob("*.html")),
        folder / DATA,
        folder / TABLE,
        *(path.with_suffix(".png") for path in figures),
    ]
    made, settings = document["made_on"], document["settings"]
    return Section(
        title=f"{name}: {EXPERIMENTS[name]}",
        subject=document["subject"],
        anchor=f"{name}-{document['subject']}",
        paragraphs=tuple(tuple(text.split(ITEM)) for text in (folder / TEXT).read_text("utf-8").strip().split("\n\n")),
        figures=tuple(_link(path, out) for path in figures),
        links=tuple((path.name, _link(path, out)) for path in files if path.is_file()),
        made=f"seed {settings['seed']}, zoom-engine {made['zoom_engine']}, {made['system']}, {made['cores']} cores",
    )


def _link(path: Path, out: Path) -> str:
    return quote(path.relative_to(out).as_posix())
