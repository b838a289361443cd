"""Whether an audit depends on how its attributes are phrased (Luo 2023, supplement A.3 and Fig. 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine.experiments.estimates import columns, estimate, in_words
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Spec, Study, UnsuitedError
from zoom_engine.experiments.style import axes_of, figure, grouped_bars, legend_of_all, pages
from zoom_engine.search import SearchResult, Trial
from zoom_engine.statistics.agreement import kendalls_w
from zoom_engine.statistics.intervals import column_means

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = ("{}", "a picture of {}", "a portrait of {}", "a close-up of {}")
IMAGES = 8
ALIKE = 0.8
A_PAGE = 6
Array = NDArray[np.float64]


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Audit the same targets on the same images with directions of each paraphrase."""
    study.check_words()
    targets = study.binary_targets()
    attributes = study.attributes or (study.domain.attributes if study.domain else ())
    labels_of = {study.title(target): set(study.target(target).labels) for target in targets}
    shown = {name: [i for i, text in enumerate(attributes) if text not in labels] for name, labels in labels_of.items()}
    shown = {name: chosen for name, chosen in shown.items() if chosen}
    if not shown:
        raise UnsuitedError("it takes an attribute that is no label of the target: give --attribute")
    parts = []
    for wording in study.progress(TEMPLATES, f"Paraphrases of {study.name}", unit="wording"):
        parts.append(folder.part(wording, partial(_audited, study, targets, tuple(attributes), wording)))
    matrices = torch.tensor([part["directions"] for part in parts])
    alike = torch.einsum("van,wan->avw", matrices, matrices)
    return {
        "images": study.count(IMAGES),
        "wordings": list(TEMPLATES),
        "least_cosine": {study.short(text): float(alike[i].min()) for i, text in enumerate(attributes)},
        "targets": [
            {
                "target": name,
                "names": [study.short(attributes[i]) for i in chosen],
                **_agreement([np.array(part["changes"][name], dtype=np.float64)[:, chosen] for part in parts]),
            }
            for name, chosen in shown.items()
        ],
    }


def _audited(study: Study, targets: Sequence[Spec], attributes: Sequence[str], wording: str) -> dict[str, Any]:
    """Return the changes `[I, N]` by target, and the directions, of unit length."""
    diagnoser = study.diagnoser(targets[0], attributes=attributes, templates=(wording,), random_directions=0)
    directions = diagnoser.edit_directions()
    calibrated = diagnoser.calibrated_range(directions)
    styles = diagnoser.models.styles(study.seeds(study.count(IMAGES)))
    changes = np.zeros((len(targets), len(styles), len(attributes)))

    def keep(results: Sequence[tuple[int, Trial, SearchResult]]) -> None:
        for which, unit, result in results:
            changes[which, unit.image, unit.attribute] = result.change

    loaded = [study.target(target, generator=diagnoser.models.generator) for target in targets]
    diagnoser.search_targets(loaded, styles, directions, calibrated, keep)
    unit = torch.nn.functional.normalize(directions.matrix.double(), dim=1)
    return {
        "changes": {study.title(t): np.round(changes[i], 6).tolist() for i, t in enumerate(targets)},
        "directions": [[round(value, 6) for value in row] for row in unit.tolist()],
    }


def _agreement(changes: Sequence[Array]) -> dict[str, Any]:
    """Summarise the `changes [I, N]` of each paraphrase.

    It returns the bars, Kendall's W of their ranks with its interval over images (None where there are no two
    attributes to rank, or they do the same), and the largest difference between two bars of one attribute.
    """
    means = np.stack([column_means(values) for values in changes])
    agreed = kendalls_w(np.stack(changes))
    return {
        "bars": [[estimate(column) for column in values.T] for values in changes],
        "w": None if agreed is None else [agreed.w, agreed.low, agreed.high],
        "first": [int(row.argmax()) for row in means],
        "largest_difference": float((means.max(axis=0) - means.min(axis=0)).max()),
        "largest_bar": float(means.max()),
    }


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each target, paraphrase and attribute."""
    return [
        {
            "target": target["target"],
            "wording": wording,
            "attribute": name,
            **columns("sensitivity", target["bars"][place][i]),
            **columns("kendalls_w", target["w"]),
        }
        for target in data["targets"]
        for place, wording in enumerate(data["wordings"])
        for i, name in enumerate(target["names"])
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 2: for each target the histograms of all paraphrases, side by side."""
    audited = data["targets"]
    labels = [f"“{wording.format('…')}”" for wording in data["wordings"]]
    for part in pages(audited, A_PAGE):
        wide = min(2, len(audited))
        height = -(-len(part) // wide)
        drawn = figure(height * (0.2 * max(len(target["names"]) for target in part) + 0.45) + 0.5)
        for axes, target in zip(axes_of(drawn, len(part), wide, sharex=True), part, strict=True):
            grouped_bars(axes, dict(zip(labels, target["bars"], strict=True)))
            axes.set_yticks(range(len(target["names"])), target["names"])
            axes.invert_yaxis()
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelbottom=True)
            axes.set_title(f"{target['target']}\nW = {in_words(target['w'])}")
        drawn.supxlabel("sensitivity: mean change of the output, in [0, 1]", fontsize=8)
        legend_of_all(drawn)
        yield "histograms", drawn


def tell(data: Data) -> str:
    """Say whether paraphrases matter, and where."""
    targets = data["targets"]
    agreed = [target["w"][0] for target in targets if target["w"] is not None]
    median = float(np.median(agreed)) if agreed else None
    low = [target for target in targets if target["w"] is not None and target["w"][0] < ALIKE]
    same = sum(len(set(target["first"])) == 1 and target["largest_bar"] > 0 for target in targets)
    listed = ", ".join(f"{target['target']} {in_words(target['w'])}" for target in targets)
    cosines = data["least_cosine"]
    least = min(cosines, key=cosines.__getitem__)
    paragraph = (
        f"How to read it: each target was audited {len(data['wordings'])} times on the same images, with edit"
        " directions from one paraphrase each; bars of one attribute belong together, lines are 95 % intervals over"
        " images. Kendall's W is 1 where all paraphrases rank the attributes alike, 0 where they have nothing in"
        f" common.\n\nWhat came out ({data['images']} images): "
        + (
            "no W, as it takes two images, and two attributes that differ"
            if median is None
            else f"the median W is {median:.2f} ({listed})"
        )
        + f". The same attribute comes first by every paraphrase for {same} of {len(targets)} targets; two bars of one"
        f" attribute differ by {max(target['largest_difference'] for target in targets):.2f} at most. Edit directions"
        f" of two paraphrases are least alike for “{least}” (cosine {cosines[least]:.2f})."
    )
    paragraph += "\n\nThe paper says that wording hardly matters. "
    if median is None:
        return f"{paragraph}Ranks cannot tell: it takes two images, and two attributes that move a target otherwise."
    paragraph += f"That {'holds' if median >= ALIKE else 'does not hold'}: the bar was a median W of {ALIKE}."
    unmoved = [target["target"] for target in low if target["largest_bar"] < 0.05]
    if unmoved:
        paragraph += (
            f" Of those with a low W, {', '.join(unmoved)} moves by less than 0.05 with any attribute: ranks of such"
        )
        paragraph += " bars are noise."
    return paragraph


EXPERIMENT = Experiment(run, rows, draw, tell)
