"""Reported against true sensitivities of every target of a domain that knows the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.experiments.estimates import Estimate, columns, in_words, percentile_interval
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import TRUE_EFFECTS_OF, Study, UnsuitedError
from zoom_engine.experiments.style import INK, MUTED, STYLES, figure
from zoom_engine.statistics.agreement import mid_ranks
from zoom_engine.statistics.effects import effects, is_judged_at_end, judged
from zoom_engine.statistics.intervals import bootstrap_means

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESAMPLES = 1000
OFF, APART = 0.05, 0.015  # of names in the figure
HEIGHT, LINE = 230.0, 9.0  # points: of the axes, about, and from one name to the next
RELEVANT = 0.05  # a true effect that counts for precision
Array = NDArray[np.float64]


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Audit every binary target whose truth is known, and measure the true effects."""
    targets = study.targets_of("binary") if study.given or study.domain else []
    truth = study.true_effects(targets)
    targets = [target for target in targets if study.title(target) in truth]
    if not targets:
        raise UnsuitedError("the truth of its targets is not known: this is for embedded domains")
    pairs, changes = [], []
    for target, audit in zip(targets, study.audits(targets).values(), strict=True):
        planted = study.planted(target)
        at_end = is_judged_at_end(effects(audit.config, [*audit.records, *audit.baseline]))
        for row in sorted(audit.attributes, key=lambda attribute: attribute.text):
            about = {"target": study.title(target), "attribute": row.text, "name": study.short(row)}
            effect = truth[study.title(target)].get(row.text)
            if effect is None:
                continue
            pairs.append({**about, "planted": planted == row.text, "truth": effect})
            changes.append(judged(effects(audit.config, audit.of(row)), at_end=at_end))  # in the order of images
    if not pairs:
        raise UnsuitedError("the truth of its attributes is not known")
    reported = np.array(changes, dtype=np.float64).T
    owners = np.unique([pair["target"] for pair in pairs], return_inverse=True)[1]
    true = np.array([pair["truth"] for pair in pairs])
    return {
        "images": len(reported),
        "renders": TRUE_EFFECTS_OF,
        "figures": figures_of(reported, true, owners),
        "pairs": [{**pair, "reported": float(reported[:, i].mean())} for i, pair in enumerate(pairs)],
    }


def figures_of(reported: Array, true: Array, owners: NDArray[np.int64]) -> dict[str, Estimate | None]:
    """Compute `agreement` of the means of `reported [I, P]`, and its intervals over images; None of what has no value.

    Precision has none where no attribute truly moves a target by `RELEVANT` or more, the others where true effects do
    not differ.
    """
    whole = agreement(reported.mean(axis=0)[None], true, owners)
    resampled = agreement(bootstrap_means(reported, resamples=RESAMPLES), true, owners)
    return {
        name: [float(values[0]), *percentile_interval(resampled[name])] if np.isfinite(values).all() else None
        for name, values in whole.items()
    }


def agreement(reported: Array, true: Array, owners: NDArray[np.int64]) -> dict[str, Array]:
    """Measure how `reported [R, P]` follows `true [P]`, for each of R rows.

    It returns Spearman's and Pearson's correlation, the slope of the least-squares line, and precision at 1 and 3.
    Precision at k is over the targets (`owners [P]`) that some attribute truly moves by `RELEVANT` or more: of the k
    attributes reported first, the fraction that does, of as many as there can be.
    """
    moved, center = true - true.mean(), reported - reported.mean(axis=1, keepdims=True)
    measures = {
        "spearman": correlation(mid_ranks(reported), mid_ranks(true[None])[0]),
        "pearson": correlation(reported, true),
        "slope": center @ moved / np.maximum((moved**2).sum(), 1e-12),
    }
    if not np.ptp(true):
        measures = {name: np.full(len(reported), np.nan) for name in measures}
    for k in (1, 3):
        hits = []
        for owner in np.unique(owners):
            columns = np.flatnonzero(owners == owner)
            relevant = true[columns] >= RELEVANT
            if relevant.any():
                first = np.argsort(-reported[:, columns], axis=1, kind="stable")[:, :k]
                hits.append(relevant[first].sum(axis=1) / min(k, int(relevant.sum())))
        measures[f"precision_at_{k}"] = np.mean(hits, axis=0) if hits else np.full(len(reported), np.nan)
    return measures


def correlation(rows: Array, other: Array) -> Array:
    """Compute Pearson's correlation of each of `rows [R, P]` with `other [P]`; 0 where one of them does not vary."""
    a, b = rows - rows.mean(axis=1, keepdims=True), other - other.mean()
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
    result: Array = np.divide(a @ b, scale, out=np.zeros(len(rows)), where=scale > 0)
    return result


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each pair of target and attribute, then one for each figure."""
    empty = {"target": "", "attribute": "", "planted": "", "truth": "", "reported": ""}
    pairs = [{**empty, **{key: pair[key] for key in empty}} for pair in data["pairs"]]
    none: dict[str, Any] = {"figure": "", **columns("value", None)}
    return [
        *({**pair, **none} for pair in pairs),
        *({**empty, "figure": name, **columns("value", value)} for name, value in data["figures"].items()),
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw the scatter plot, with the largest pairs named."""
    drawn = figure(3.6)
    axes = drawn.subplots()
    for planted, style, label in ((False, STYLES[0], "pairs of target and attribute"), (True, STYLES[1], "planted")):
        chosen = [pair for pair in data["pairs"] if pair["planted"] == planted]
        axes.plot(
            [pair["truth"] for pair in chosen],
            [pair["reported"] for pair in chosen],
            linestyle="none",
            marker="D" if planted else "o",
            color=style.color,
            markeredgecolor=INK,
            markeredgewidth=0.4,
            label=label,
        )
    top = 1.05 * max(max(pair["truth"], pair["reported"]) for pair in data["pairs"]) or 1.0
    axes.plot([0, top], [0, top], color=MUTED, linewidth=0.8, linestyle="--", label="reported = true")
    lowest = {True: 0.0, False: 0.0}  # on either side of the marks, points from the axis
    for pair in sorted(_named(data["pairs"]), key=lambda pair: float(pair["reported"])):
        text = f"{pair['target']}: {pair['name']}"
        right = pair["truth"] > 0.6 * top
        mark = HEIGHT * pair["reported"] / top
        place = max(mark - 7, lowest[right])  # below its own mark, or above the name before
        lowest[right] = place + LINE
        axes.annotate(
            text,
            (pair["truth"], pair["reported"]),
            xytext=(-5 if right else 5, place - mark),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6},  # no line runs through it
        )
    axes.set_xlabel("true effect: mean change of the output on renders with and without the attribute")
    axes.set_ylabel("reported sensitivity")
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.grid()
    axes.legend(loc="upper left")
    yield "scatter", drawn


def _named(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pairs that are worth a name: planted, or far off the line and not next to another such pair."""
    named = [pair for pair in pairs if pair["planted"]]
    for pair in sorted(pairs, key=lambda pair: abs(pair["truth"] - pair["reported"]), reverse=True):
        apart = all(abs(pair["reported"] - other["reported"]) > APART for other in named)
        if abs(pair["truth"] - pair["reported"]) > OFF and apart:
            named.append(pair)
    return named


def tell(data: Data) -> str:
    """Say how far bars can be trusted."""
    figures = data["figures"]
    return (
        "How to read it: a point is one attribute of one target; to the right, how far the output truly moves when the"
        f" attribute alone is set and unset on {data['renders']} renders; upward, what an audit reports from generated"
        " images. On the dashed line both are equal. Precision at k: of the k attributes that an audit names first the"
        f" share that truly move the target by {RELEVANT:g} or more, of as many as there are.\n\n"
        f"What came out ({data['images']} images, {len(data['pairs'])} pairs): Spearman"
        f" {in_words(figures['spearman'])}, Pearson {in_words(figures['pearson'])}, slope {in_words(figures['slope'])},"
        f" {_precision(figures)}. Intervals are over images, not over targets.{_slope(figures['slope'])}"
    )


def _precision(figures: Mapping[str, Sequence[float] | None]) -> str:
    first, third = (figures[f"precision_at_{k}"] for k in (1, 3))
    if first is None:
        return f"no precision, as no attribute truly moves a target by {RELEVANT:g} or more"
    return f"precision at 1 {in_words(first)}, at 3 {in_words(third)}"


def _slope(slope: Sequence[float] | None) -> str:
    """Say how reported bars differ beside true effects: a slope says nothing of how large either are."""
    if slope is None or slope[1] == slope[2]:  # of one image
        return ""
    if slope[2] < 1:
        return " Reported bars differ less than true effects do."
    if slope[1] > 1:
        return " Reported bars differ more than true effects do."
    return " Reported bars differ as much as true effects do, as far as so many images tell."


EXPERIMENT = Experiment(run, rows, draw, tell)
