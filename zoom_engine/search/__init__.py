"""Searches for counterfactuals, what they evaluate, and the scheduler that batches them."""

from __future__ import annotations

from typing import Any

from zoom_engine.errors import ConfigError
from zoom_engine.search.evaluator import Evaluation, Evaluator, LossWeights, Originals
from zoom_engine.search.iterates import Iterate, Search, SearchResult, SearchState, Unit
from zoom_engine.search.pgd import PGD
from zoom_engine.search.scan import Scan
from zoom_engine.search.scheduler import run_shared, run_units
from zoom_engine.search.sgd import SGD

SEARCHES: dict[str, type[Scan] | type[SGD] | type[PGD]] = {"scan": Scan, "sgd": SGD, "pgd": PGD}


def find_search(name: str, *, mode: str, **options: Any) -> Search:
    """The search called `name` ("scan", "sgd", "pgd"), for mode "single" or "multi", with its options.

    Raises:
        ConfigError: for an unknown name, mode or option, and for a search that cannot do the mode.
    """
    if name not in SEARCHES:
        raise ConfigError(f"there is no search {name!r}: choose one of {', '.join(SEARCHES)}")
    if mode not in ("single", "multi"):
        raise ConfigError(f"there is no mode {mode!r}: choose single or multi")
    try:
        search = SEARCHES[name](**options)
    except TypeError as error:
        raise ConfigError(f"search {name}: {error}") from error
    if mode not in search.modes:
        raise ConfigError(f"{name} has no {mode} mode, it moves one attribute at a time: use sgd or pgd")
    return search


__all__ = [
    "PGD",
    "SEARCHES",
    "SGD",
    "Evaluation",
    "Evaluator",
    "Iterate",
    "LossWeights",
    "Originals",
    "Scan",
    "Search",
    "SearchResult",
    "SearchState",
    "Unit",
    "find_search",
    "run_shared",
    "run_units",
]
