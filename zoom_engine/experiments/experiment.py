"""`Experiment`: a table or figure of the paper (Luo 2023 and its supplement) as a command."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoom_engine.common.errors import ConfigError
from zoom_engine.experiments import EXPERIMENTS
from zoom_engine.experiments.folder import ITEM, Folder
from zoom_engine.experiments.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """The steps of an experiment: run → data → figures and text.

    All steps after `run` take nothing but the data and its pictures.

    Attributes:
        run: makes the data, ready for JSON, in a folder whose finished parts are not made again.
        rows: the data as a table, for CSV; every row has the same columns.
        draw: (name, figure) of each figure, in order.
        tell: paragraphs, separated by an empty line: how to read the figures, what came out, and where the paper claims
            something, whether that holds here. A paragraph may end in a list, see `listed`.
        files: writes what else belongs to it, such as a page, into the folder.
        asks_target: whether it takes targets.
        join: makes the data of one figure of several generators, of what each made: data and folder by name.
    """

    run: Callable[[Study, Folder], dict[str, Any]]
    rows: Callable[[Data], Sequence[Mapping[str, Any]]]
    draw: Callable[[Data, Folder], Iterable[tuple[str, Figure]]]
    tell: Callable[[Data], str]
    files: Callable[[Data, Folder], None] | None = None
    asks_target: bool = True
    join: Callable[[Mapping[str, tuple[Data, Folder]], Folder], dict[str, Any]] | None = None


def listed(beginning: str, items: Iterable[str]) -> str:
    """Return a paragraph that ends in a list, an item for each target, say."""
    return ITEM.join([beginning, *items])


def find_experiment(name: str) -> Experiment:
    """Return the experiment of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"no experiment '{name}'; choose from {', '.join(EXPERIMENTS)}")
    module = importlib.import_module(f"zoom_engine.experiments.{name.replace('-', '_')}")
    experiment: Experiment = module.EXPERIMENT
    return experiment
