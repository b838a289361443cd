"""Searches for counterfactuals, and the scheduler that batches their evaluations."""

from __future__ import annotations

from zoom_engine.search.choose import (
    check_gradients,
    check_search_options,
    choose_search,
    describe_search,
    find_search,
    search_type,
)
from zoom_engine.search.cmaes import CMAES
from zoom_engine.search.contract import check_search
from zoom_engine.search.end import End
from zoom_engine.search.gradient_descent import PGD, SGD
from zoom_engine.search.minimal import Minimal
from zoom_engine.search.scan import Scan
from zoom_engine.search.scheduler import searched
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Search, SearchResult, SearchState, Trial

__all__ = [
    "CMAES",
    "PGD",
    "SGD",
    "Array",
    "End",
    "EvaluatedPoint",
    "EvaluatedPoints",
    "Minimal",
    "Scan",
    "Search",
    "SearchResult",
    "SearchState",
    "Trial",
    "check_gradients",
    "check_search",
    "check_search_options",
    "choose_search",
    "describe_search",
    "find_search",
    "search_type",
    "searched",
]
