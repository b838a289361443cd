"""Sensitivities in groups of images: those that have or lack something, and those of each predicted class.

The records say which images have what `Config.by` names (`Record.groups`), by text scores of the unedited images. The
predicted class is told by the original output, for targets that decide between two classes. A mean over fewer images
has a wider interval and says less, so groups get no verdict. Whether images that have something differ from those that
lack it is tested, see `interactions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import PREDICTION, GroupChange, GroupDifference
from zoom_engine.statistics.betting import mean_intervals
from zoom_engine.statistics.interactions import differences
from zoom_engine.statistics.intervals import Array, column_means


@dataclass(frozen=True)
class Group:
    """A group of images.

    Attributes:
        by: what the images are divided by: a text, or `PREDICTION`.
        group: "has", "lacks" or a class.
        images: numbers of the images that belong to it.
    """

    by: str
    group: str
    images: frozenset[int]


def groups(config: Config, records: Sequence[Record]) -> list[Group]:
    """Return the non-empty groups of the images that have a record: two for each text and for the prediction."""
    first = {record.image: record for record in reversed(records)}
    pairs: list[tuple[str, Mapping[bool, str], Mapping[int, bool]]] = []
    for place, text in enumerate(config.by):
        has = {i: record.groups[place] for i, record in first.items() if record.groups and place < len(record.groups)}
        pairs.append((text, {True: "has", False: "lacks"}, has))
    task = config.task or {}
    if task.get("task") == "binary":
        no, yes = map(str, task.get("classes") or ("0", "1"))
        pairs.append((PREDICTION, {True: yes, False: no}, {i: r.original_output[0] >= 0.5 for i, r in first.items()}))
    groups_with_images = [
        Group(by, name, frozenset(image for image, one in members.items() if one is which))
        for by, names, members in pairs
        for which, name in names.items()
    ]
    return [group for group in groups_with_images if group.images]


def group_changes(
    parts: Sequence[Group],
    change: Array,
    images: Sequence[int],
    *,
    level: float = 0.95,
) -> list[tuple[GroupChange, ...]]:
    """Compute for each column of `change` the mean and its interval in each group.

    Args:
        parts: the groups.
        change: float64 `[I, A]`, changes by A attributes.
        images: numbers of the I images.
        level: confidence of the intervals.

    Returns:
        A tuple over groups for each attribute.
    """
    columns: list[list[GroupChange]] = [[] for _ in range(change.shape[1])]
    for group in parts:
        rows: NDArray[np.bool_] = np.array([image in group.images for image in images], dtype=np.bool_)
        rows_of_group = change[rows]
        known = np.isfinite(rows_of_group).sum(axis=0)
        low, high = mean_intervals(rows_of_group, level=level)
        for column, mean in enumerate(column_means(rows_of_group)):
            columns[column].append(
                GroupChange(
                    by=group.by,
                    group=group.group,
                    images=int(known[column]),
                    mean_change=float(mean) if known[column] else None,
                    ci95=(float(low[column]), float(high[column])) if known[column] > 1 else None,
                )
            )
    return [tuple(column) for column in columns]


def group_differences(
    config: Config,
    parts: Sequence[Group],
    effect: Array,
    images: Sequence[int],
    *,
    finished: bool = True,
    seed: int = 0,
) -> list[tuple[GroupDifference, ...]]:
    """Compare for each column of `effect` the two groups of images of each text of `Config.by`.

    Args:
        config: names the texts.
        parts: the groups.
        effect: float64 `[I, A]` in [0, 1], effects of A attributes.
        images: numbers of the I images.
        finished: False before the audit ends: nothing is found then.
        seed: of what is drawn at random.

    Returns:
        A tuple over texts for each attribute.
    """
    members = {(group.by, group.group): group.images for group in parts}

    def rows(text: str, name: str) -> NDArray[np.bool_]:
        return np.array([image in members.get((text, name), ()) for image in images], dtype=np.bool_)

    return differences(
        [(text, rows(text, "has"), rows(text, "lacks")) for text in config.by],
        effect,
        smallest=config.smallest_effect,
        correction=config.correction,
        finished=finished,
        analyses=config.planned_analyses,
        seed=seed,
    )
