"""Searches for counterfactuals, and the scheduler that batches them."""

from __future__ import annotations

from zoom_engine.search.choose import (
    SEARCHES,
    check_gradients,
    check_search,
    choose_search,
    describe_search,
    find_search,
    search_type,
)
from zoom_engine.search.cmaes import CMAES
from zoom_engine.search.gradient_descent import PGD, SGD
from zoom_engine.search.iterates import Iterate, Search, SearchResult, SearchState, Unit
from zoom_engine.search.minimal import Minimal
from zoom_engine.search.scan import Scan
from zoom_engine.search.scheduler import searched

__all__ = [
    "CMAES",
    "PGD",
    "SEARCHES",
    "SGD",
    "Iterate",
    "Minimal",
    "Scan",
    "Search",
    "SearchResult",
    "SearchState",
    "Unit",
    "check_gradients",
    "check_search",
    "choose_search",
    "describe_search",
    "find_search",
    "search_type",
    "searched",
]
