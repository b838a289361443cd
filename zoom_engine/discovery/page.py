"""A discovery's report: one page, made of its folder alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.common.errors import AuditError
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.discovery.findings import REPORT, Cluster, Discovery
from zoom_engine.discovery.strips import ENDS
from zoom_engine.report.environment import template
from zoom_engine.report.pictures import BUDGETS, Budget, load_picture
from zoom_engine.report.strips import Frame
from zoom_engine.report.writer import LARGEST_PAGE, write_page


@dataclass(frozen=True)
class ShownCluster:
    """A cluster with its strips loaded."""

    cluster: Cluster
    strips: tuple[tuple[Frame, ...], ...]


def write_discovery_page(folder: str | Path) -> Path:
    """Write `report.html` into the folder of a discovery and return its path.

    Raises:
        AuditError: the folder cannot be read or written.
    """
    folder = Path(folder)
    discovery = Discovery.load(folder)
    for budget in BUDGETS:
        html = template("discovery.html.j2").render(
            discovery=discovery,
            headline=headline(discovery),
            shown=[_shown(folder, cluster, budget) for cluster in discovery.clusters],
            settings=[(key, _plain(value)) for key, value in discovery.config.items()],
        )
        if len(html.encode("utf-8", "replace")) <= LARGEST_PAGE:
            return write_page(folder / REPORT, html)
    raise AuditError(f"the report of {folder} would exceed 5 MB: ask for fewer clusters")


def headline(discovery: Discovery) -> str:
    """Say in a sentence what was found."""
    if discovery.advice:
        return "Nothing that was found can be told apart from random edits, which move the model too"
    sensitive = list(dict.fromkeys(c.name for c in discovery.clusters if c.verdict == "sensitive" and c.name))
    if sensitive:
        return f"Found unprompted: the model is sensitive to {listed([f'“{name}”' for name in sensitive])}"
    open_ones = [cluster for cluster in discovery.clusters if cluster.verdict == "inconclusive"]
    if any(cluster.mean_change >= discovery.config["smallest_effect"] for cluster in open_ones):
        return "Something moves the model, but it is inconclusive what it is"
    if open_ones:
        return "Inconclusive: nothing was found that is shown to move the model"
    if discovery.flipped and not discovery.clusters:
        images = number_of(discovery.searched, "image")
        flips = agreeing(discovery.flipped, "flips", "flip")
        return f"{discovery.flipped} of {images} {flips}, but nothing was found that moves the model on several"
    return "Nothing was found that moves the model"


def _shown(folder: Path, cluster: Cluster, budget: Budget) -> ShownCluster:
    strips = []
    for strip in cluster.strips:
        frames = []
        for file, caption, end in zip(strip.files, strip.captions, ENDS, strict=False):
            picture = load_picture(folder, file, side=budget.strip_side, quality=budget.quality)
            frames.append(Frame(picture, caption, end, f"Seed {strip.seed}, {end}: {cluster.title}. Output: {caption}"))
        strips.append(tuple(frames))
    return ShownCluster(cluster, tuple(strips))


def _plain(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
