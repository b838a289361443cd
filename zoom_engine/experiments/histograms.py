"""Sensitivities of sound and biased targets, with intervals and the truth (Luo 2023, supplement B.2 and Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoom_engine.experiments.estimates import sensitivity
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study
from zoom_engine.experiments.style import INK, MUTED, STYLES, axes_of, figure, legend_of_all, pages
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A_PAGE = 8


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Audit every binary target."""
    targets = study.binary_targets()
    truth = study.true_effects(targets)
    results = [
        {
            "target": study.title(target),
            "planted": study.planted_among(target, audit),
            "biased": study.planted(target) is not None,
            "truth_known": bool(truth.get(study.title(target))),
            "smallest_effect": audit.config.smallest_effect,
            "null": _strongest(audit),
            "attributes": _bars(study, audit, truth.get(study.title(target), {})),
        }
        for target, audit in zip(targets, study.audits(targets).values(), strict=True)
    ]
    return {"images": study.audits(targets[:1])[study.title(targets[0])].summary().images, "targets": results}


def _strongest(audit: Diagnosis) -> float | None:
    baseline = audit.summary().baseline
    return None if baseline is None else baseline.strongest


def _bars(study: Study, audit: Diagnosis, truth: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "attribute": row.attribute.text,
            "name": study.short(row.attribute),
            "sensitivity": sensitivity(row),
            "verdict": row.verdict,
            "specificity": row.specificity,
            "p_adjusted": row.p_adjusted,
            "flip_rate": row.flip_rate,
            "truth": truth.get(row.attribute.text),
        }
        for row in audit.sensitivity
    ]


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each target and attribute."""
    return [
        {
            "target": target["target"],
            "planted": target["planted"] == bar["name"],
            "attribute": bar["attribute"],
            **dict(zip(("sensitivity", "low", "high"), bar["sensitivity"], strict=True)),
            **{key: bar[key] for key in ("verdict", "specificity", "p_adjusted", "flip_rate", "truth")},
        }
        for target in data["targets"]
        for bar in target["attributes"]
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 4: a histogram for each target, on one axis."""
    audited = data["targets"]
    most = max(value for target in audited for bar in target["attributes"] for value in _reach(bar))
    for part in pages(audited, A_PAGE):
        wide = min(2, len(audited))
        height = -(-len(part) // wide)
        drawn = figure(0.16 * height * max(len(target["attributes"]) for target in part) + 0.45 * height + 0.3)
        for axes, target in zip(axes_of(drawn, len(part), wide, sharex=True), part, strict=True):
            _histogram(axes, target)
            axes.set_xlim(0, 1.03 * most or 1.0)
        drawn.supxlabel("sensitivity: mean effect on the output, in [0, 1]", fontsize=8)
        legend_of_all(drawn)
        yield "histograms", drawn


def _reach(bar: dict[str, Any]) -> list[float]:
    return [value for value in (*bar["sensitivity"], bar["truth"]) if value is not None]


def _histogram(axes: Axes, target: dict[str, Any]) -> None:
    bars = target["attributes"]
    for place, bar in enumerate(bars):
        planted, sensitive = bar["name"] == target["planted"], bar["verdict"] == "sensitive"
        style = STYLES[1] if planted else STYLES[0] if sensitive else STYLES[3]
        label = "planted attribute" if planted else "sensitive" if sensitive else "negligible or inconclusive"
        mean, low, high = bar["sensitivity"]
        drawn = axes.barh(place, mean, 0.72, color=style.color, edgecolor=INK, linewidth=0.4, label=label)
        drawn[0].set_hatch(style.hatch if planted else "")
        axes.plot([low, high], [place, place], color=INK, linewidth=0.9)
        if bar["truth"] is not None:
            axes.plot(
                bar["truth"], place, "D", color="white", markeredgecolor=INK, markersize=3.4, zorder=4, label="truth"
            )
    if target["null"] is not None:
        axes.axvline(target["null"], color=MUTED, linestyle=":", linewidth=1, label="strongest random direction")
    axes.set_yticks(range(len(bars)), [bar["name"] for bar in bars])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_title(target["target"])


def tell(data: Data) -> str:
    """Say whether the planted attribute comes first, and sound targets show nothing."""
    biased = [target for target in data["targets"] if target["planted"]]
    # Older data do not say what is biased.
    sound = [one for one in data["targets"] if one["truth_known"] and not one.get("biased", one["planted"])]
    paragraph = (
        "How to read it: a bar is the mean over images of the change of a target's output by editing one attribute to"
        " the end of its calibrated range; lines are 95 % intervals, for all attributes at once. Dark bars are"
        f" sensitive: the interval lies above {data['targets'][0]['smallest_effect']:g}. Dotted is the strongest random"
        " direction. The hatched bar is the attribute that was planted, diamonds are true effects where they are"
        " known.\n\n"
        f"What came out ({data['images']} images): "
    )
    if biased:
        first = [target for target in biased if target["attributes"][0]["name"] == target["planted"]]
        planted = [
            t for t in biased if any(b["verdict"] == "sensitive" and b["name"] == t["planted"] for b in t["attributes"])
        ]
        paragraph += (
            f"the planted attribute comes first in {len(first)} of {len(biased)} biased targets and is sensitive in"
        )
        paragraph += f" {len(planted)}. "
    if sound:
        largest = [max(bar["truth"] or 0 for bar in target["attributes"]) for target in sound]
        moving = [t["target"] for t, effect in zip(sound, largest, strict=True) if effect >= t["smallest_effect"]]
        paragraph += (
            f"Targets without a planted attribute that some attribute truly moves: {len(moving)} of {len(sound)}"
        )
        paragraph += f" ({', '.join(moving)}). " if moving else ". "
    wrong = [
        f"{bar['name']} of {target['target']}"
        for target in data["targets"]
        for bar in target["attributes"]
        if bar["verdict"] == "sensitive" and bar["truth"] is not None and bar["truth"] < target["smallest_effect"]
    ]
    if any(target["truth_known"] for target in data["targets"]):
        paragraph += f"Sensitive although the true effect is smaller: {', '.join(wrong) or 'none'}."
    else:
        named = {
            t["target"]: [b["name"] for b in t["attributes"] if b["verdict"] == "sensitive"] for t in data["targets"]
        }
        lists = [f"{name}: {', '.join(planted) or 'none'}" for name, planted in named.items()]
        paragraph += f"sensitive are, of {'; of '.join(lists)}."
    return paragraph


EXPERIMENT = Experiment(run, rows, draw, tell)
