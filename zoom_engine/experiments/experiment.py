"""`Experiment`: a table or figure of the founding text (Luo 2023 and its supplement) as a command."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoom_engine.common.errors import ConfigError
from zoom_engine.experiments import EXPERIMENTS
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """Run → data → figures and a paragraph; each of the last three takes nothing but the data (and its pictures).

    run: makes the data, JSON-ready, in a folder whose finished parts are not made again.
    rows: the data as a table, for CSV; every row has the same columns.
    draw: (name, figure) of each figure, in their order.
    tell: in paragraphs apart by an empty line: how to read the figures, what came out, and where the founding text
        claims something, whether that holds here.
    files: writes what else belongs to it, such as a page, into the folder.
    """

    run: Callable[[Study, Folder], dict[str, Any]]
    rows: Callable[[Data], Sequence[Mapping[str, Any]]]
    draw: Callable[[Data, Folder], Iterable[tuple[str, Figure]]]
    tell: Callable[[Data], str]
    files: Callable[[Data, Folder], None] | None = None


def find_experiment(name: str) -> Experiment:
    """The experiment of that name; ConfigError for one that there is not."""
    if name not in EXPERIMENTS:
        raise ConfigError(f"no experiment '{name}'; choose from {', '.join(EXPERIMENTS)}")
    module = importlib.import_module(f"zoom_engine.experiments.{name.replace('-', '_')}")
    found: Experiment = module.EXPERIMENT
    return found
