"""Counterfactuals step by step: one attribute (Luo 2023, supplement, Fig. 1) and all together (Fig. 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zoom_engine.common.plurals import agreeing
from zoom_engine.experiments.estimates import percent, wilson
from zoom_engine.experiments.experiment import Data, Experiment, listed
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.strips import draw_strips, strip_rows, strips_of
from zoom_engine.experiments.study import Study
from zoom_engine.report.source import task_of
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MULTI_IMAGES = 12
STRIPS = 2  # strips


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Audit every binary target, one attribute at a time and all together."""
    targets = study.binary_targets()
    results = []
    for target, audit in zip(targets, study.audits(targets).values(), strict=True):
        multi = study.audit(target, images=study.count(MULTI_IMAGES), mode="multi")
        name = study.title(target)
        results.append(
            {
                "target": name,
                "decisive_change": audit.config.decisive_change,
                "corner": task_of(audit.manifest, audit.records).view.caption_label,
                "single": _rates(audit),
                "multi": _rates(multi),
                "strips": [
                    *strips_of(study, folder, name, audit, STRIPS),
                    *strips_of(study, folder, name, multi, STRIPS),
                ],
            }
        )
    return {"targets": results}


def _rates(audit: Diagnosis) -> dict[str, Any]:
    """Compute over images whether some edit flips the prediction, decisively, and the label and SSIM of the flips."""
    images = sorted({record.image for record in audit.records})
    flips = [record for record in audit.records if record.flipped]
    decisive = {record.image for record in audit.records if audit.is_decisive(record)}
    labels = [record.label_kept for record in flips if record.label_kept is not None]
    similar = [record.ssim for record in flips if record.ssim is not None]
    return {
        "images": len(images),
        "search": audit.config.search,
        "flipped": wilson(len({record.image for record in flips}), len(images)),
        "decisive": wilson(len(decisive), len(images)),
        "label_kept": sum(labels) / len(labels) if labels else None,
        "ssim": round(sum(similar) / len(similar), 4) if similar else None,
    }


def _strips(data: Data, mode: str) -> list[dict[str, Any]]:
    return [strip for target in data["targets"] for strip in target["strips"] if strip["mode"] == mode]


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each strip."""
    return strip_rows([*_strips(data, "single"), *_strips(data, "multi")])


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 1 and Fig. 6."""
    for mode in ("single", "multi"):
        yield from draw_strips(folder, _strips(data, mode), mode)


def tell(data: Data) -> str:
    """Say whether predictions flip without their label changing."""
    least = data["targets"][0].get("decisive_change", DECISIVE_CHANGE)  # older data have none
    paragraph = (
        "How to read it: in the first figure one attribute is edited, from an image (left) to the end of the range in"
        " which it was searched, and its counterfactual is framed; in the second all together, in equal steps to the"
        f" counterfactual. In the corner, {_corners(data['targets'])}. A flip crosses 0.5; it is decisive where the"
        f" output moves by {least:g} or more. Where no edit of a target flips, its most typical strip is shown, and"
        " what moved the output most is framed.\n\n"
    )
    rates = []
    for mode, name in (("single", "one attribute"), ("multi", "all together")):
        searches = " or ".join(dict.fromkeys(target[mode]["search"] for target in data["targets"]))
        rate_of_each = ", ".join(
            f"{target['target']} {percent(target[mode]['decisive'])}" for target in data["targets"]
        )
        rates.append(f"{name} ({data['targets'][0][mode]['images']} images, {searches}): {rate_of_each}.")
    strips = [strip for mode in ("single", "multi") for strip in _strips(data, mode)]
    flips = [strip for strip in strips if strip["decisive"]]
    told = [strip["label_kept"] for strip in flips if strip["label_kept"] is not None]
    similar = [strip["ssim"] for strip in flips if strip["ssim"] is not None]
    flip = agreeing(len(flips), "flips", "flip")
    shown = f"Of the {len(strips)} strips shown {len(flips)} {flip} decisively"
    if told or not flips:
        of_which = "them" if len(told) == len(flips) else f"the {len(told)} whose label is known"
        shown += f", {sum(told)} of {of_which} with the label kept"
    if similar:
        shown += f"{' and' if told else ', with'} a mean SSIM of {sum(similar) / len(similar):.2f}"
    return paragraph + listed("What came out, images that some edit flips decisively:", [*rates, f"{shown}."])


def _corners(targets: Sequence[dict[str, Any]]) -> str:
    corners = list(dict.fromkeys(target["corner"] for target in targets))
    return corners[0] if len(corners) == 1 else "what the target says: " + ", or ".join(corners)


EXPERIMENT = Experiment(run, rows, draw, tell)
