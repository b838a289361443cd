"""experiments.md: what a folder of experiments holds, for a repository to keep."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.plurals import listed
from zoom_engine.experiments import EXPERIMENTS
from zoom_engine.experiments.folder import ITEM, TEXT, Folder

PAGE, PICTURES = "experiments.md", "experiments"
WIDEST = 1000  # pixels of a figure
COLORS = 128
MOST_OF_A_CHART = 4096  # colours: edges of letters and bars have some hundreds
SHOWN = ("torch", "openvino", "onnxruntime", "numpy")


def write_docs(out: str | Path, docs: str | Path, *, command: str) -> Path:
    """Write `docs`/experiments.md of the finished experiments in `out`, with reduced figures, and return its path.

    `command` is the command that made them.

    Raises:
        ConfigError: there is no finished experiment.
    """
    out, docs = Path(out), Path(docs)
    finished = [
        (name, folder, document)
        for name in EXPERIMENTS
        for path in sorted(out.glob(f"*/{name}/{TEXT}"))  # which is written last
        if (document := (folder := Folder(path.parent)).finished()) is not None
    ]
    if not finished:
        raise ConfigError(f"{out} holds no finished experiment to write of")
    target = Folder(docs)
    for old in (docs / PICTURES).glob("*-figure-*.*"):
        old.unlink()
    sections = [_section(target, *one) for one in finished]
    verdicts = [  # the paragraphs that hold a claim of the paper against what came out
        f"- `{name}`, {document['subject']}: {text}"
        for name, folder, document in finished
        for text in _paragraphs(folder)[2:]
    ]
    page = [
        "# Experiments",
        "Tables and figures of *Zero-shot Model Diagnosis* (Luo 2023), made here. Every number and every sentence under"
        " a heading is computed from that run's data; where a command names `--images`, that many were taken in place"
        " of the default. This page was written by",
        f"```sh\n{command}\n```",
        *dict.fromkeys(_machines([document for _, _, document in finished])),
        *(["## What of the paper holds here", "\n".join(verdicts)] if verdicts else []),
        *(text for section in sections for text in section),
    ]
    target.write(PAGE, "\n\n".join(page) + "\n")
    return docs / PAGE


def _paragraphs(folder: Folder) -> list[str]:
    return (folder.path / TEXT).read_text(encoding="utf-8").strip().split("\n\n")


def _with_list(paragraph: str) -> str:
    """Return a paragraph with the empty line that Markdown wants before a list."""
    return paragraph.replace(ITEM, f"\n{ITEM}", 1)


def _machines(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the machine that each experiment was made on."""
    for document in documents:
        made = document["made_on"]
        packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items() if name in SHOWN)
        yield (
            f"zoom-engine {made['zoom_engine']} on {made['system']}, {made['threads']} of {made['cores']} cores,"
            f" Python {made['python']}, {packages}; seed {document['settings']['seed']}."
        )


def _section(target: Folder, name: str, folder: Folder, document: dict[str, Any]) -> list[str]:
    subject, settings = document["subject"], document["settings"]
    parts = [f"## {name}, {subject}", f"*{EXPERIMENTS[name]}.*", *(_with_list(text) for text in _paragraphs(folder))]
    parts.append(f"Made {_made_by(name, settings)}.")
    for path in sorted(folder.path.glob("figure*.png")):
        content, ending = _compressed(path)
        file = f"{PICTURES}/{subject}-{name}-{path.stem}.{ending}"
        target.write(file, content)
        parts.append(f"![{name}, {subject}]({file})")
    return parts


def _made_by(name: str, settings: Mapping[str, Any]) -> str:
    """Return by which command an experiment was made, and which options it had beside those of the command."""
    if settings["generator"] is None:
        return "of what the experiment drew of each generator"
    given = {"--generator": settings["generator"], "--images": settings["images"], "--seed": settings["seed"] or None}
    words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    words += [word for target in settings["targets"] for word in ("--target", target)]
    others = [option.replace("_", " ") for option in settings.get("options", ())]
    more = f", with the {listed(others)} that its data.json says" if others else ""
    return f"by `{shlex.join(['zoom-engine', 'experiment', name, *words])}`{more}"


def _compressed(path: Path) -> tuple[bytes, str]:
    """Return a reduced figure and the ending of its file.

    A chart becomes a PNG of few colours. A figure with pictures becomes a JPEG, since such a palette would falsify its
    faces and legends.
    """
    with Image.open(path) as picture:
        figure = picture.convert("RGB")
        pictures = figure.getcolors(MOST_OF_A_CHART) is None
        figure.thumbnail((WIDEST, 3 * WIDEST))
        buffer = io.BytesIO()
        if pictures:
            figure.save(buffer, format="JPEG", quality=85, subsampling=0, optimize=True)
        else:
            figure.quantize(COLORS).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), "jpg" if pictures else "png"
