"""Counterfactuals of each task that targets have (Luo 2023, supplement B.1 and Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zoom_engine.experiments.estimates import in_words, percent, sensitivity
from zoom_engine.experiments.experiment import Data, Experiment, listed
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.strips import draw_strips, strip_rows, strips_of
from zoom_engine.experiments.study import AUDITED, Spec, Study
from zoom_engine.experiments.style import INK
from zoom_engine.report.source import task_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGES = 12
STRIPS = 2  # strips
NAMED = 3  # attributes


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Audit every target of another task than two classes, and one of these, one attribute at a time.

    Of two classes it is one with a planted bias, where there is one.
    """
    binary, others = study.targets_of("binary"), study.targets_of("binary", others=True)
    binary = sorted(binary, key=lambda target: study.planted(target) is None)[:1]
    chosen = [(target, AUDITED) for target in binary] + [(target, IMAGES) for target in others]
    return {"targets": [_result(study, folder, target, images) for target, images in chosen]}


def _result(study: Study, folder: Folder, target: Spec, images: int) -> dict[str, Any]:
    audit = study.audit(target, images=study.count(images))
    name, summary = study.title(target), audit.summary()
    task = task_of(audit.manifest, audit.records)
    return {
        "target": name,
        "task": task.name,
        "images": summary.images,
        "corner": task.view.caption_label,
        "legend": [list(entry) for entry in task.view.legend],
        "planted": study.planted_among(target, audit),
        "flip_rate": summary.flip_rate,
        "decisive_flip_rate": summary.decisive_flip_rate,
        "first": [
            [study.short(row.attribute), sensitivity(row)] for row in summary.sensitivity[:NAMED] if row.interval
        ],
        "strips": strips_of(study, folder, name, audit, STRIPS),
    }


def join(parts: Mapping[str, tuple[Data, Folder]], folder: Folder) -> dict[str, Any]:
    """Take each generator's clearest strip of each task, of a target with something planted where there is one."""
    targets = []
    for generator, (data, source) in parts.items():
        by_task: dict[str, dict[str, Any]] = {}
        for target in sorted(data["targets"], key=lambda target: target["planted"] is None):
            by_task.setdefault(target["task"], target)
        for target in by_task.values():
            name = f"{generator}: {target['target']}"
            strips = [
                {
                    **strip,
                    "target": name,
                    "files": [folder.picture(f"{generator} {file}", source.load(file)) for file in strip["files"]],
                }
                for strip in target["strips"][:1]
            ]
            targets.append({**target, "target": name, "strips": strips})
    return {"targets": targets}


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each strip."""
    return [{"task": target["task"], **row} for target in data["targets"] for row in strip_rows(target["strips"])]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 3; outputs that have a place in the pictures are drawn into them."""
    from matplotlib.patches import Patch

    colors = list(dict.fromkeys((name, color) for target in data["targets"] for name, color in target["legend"]))
    for name, drawn in draw_strips(
        folder, [strip for target in data["targets"] for strip in target["strips"]], "strips"
    ):
        if colors:
            patches = [Patch(facecolor=color, edgecolor=INK, linewidth=0.4, label=label) for label, color in colors]
            drawn.set_figheight(drawn.get_figheight() + 0.4)
            drawn.legend(handles=patches, loc="outside lower center", ncols=6)
        yield name, drawn


def tell(data: Data) -> str:
    """Say what moves each target."""
    how = (
        "How to read it: each strip leads from an image (left) to the end of its range, and its edit is framed. Key"
        " points and areas are drawn into the pictures; the corner has the target's answer. A flip is a prediction that"
        " the task counts as another one.\n\n"
    )
    parts = []
    for target in data["targets"]:
        first = ", ".join(f"{name} {in_words(value)}" for name, value in target["first"])
        text = f"{target['target']} ({target['task']}, {target['images']} images): "
        text += f"moved most by {first}" if first else "too few images to tell what moves it most"
        if first and target["planted"]:
            comes = target["first"][0][0] == target["planted"]
            text += f"; its weakness, {target['planted']}, {'comes' if comes else 'does not come'} first"
        flips = target["decisive_flip_rate"]
        parts.append(text + ("." if flips is None else f"; {percent(flips)} of the images flip decisively."))
    return how + listed("What came out:", parts)


EXPERIMENT = Experiment(run, rows, draw, tell, join=join)
